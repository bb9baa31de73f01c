"""The dashboard for Superset: its files fit each other and the columns of the marts."""

from pathlib import Path
from typing import Any

import yaml

from dagster_project import dbt_runner
from dagster_project.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "deploy" / "superset" / "apportion"


def contents(kind: str) -> list[dict[str, Any]]:
    """The files of a kind."""
    return [yaml.safe_load(path.read_text()) for path in sorted((FOLDER / kind).rglob("*.yaml"))]


def test_datasets_have_columns_of_marts_only() -> None:
    marts = {
        node["name"]: node["columns"].keys()
        for node in dbt_runner.read_manifest()["nodes"].values()
        if node["resource_type"] == "model" and node["config"]["schema"] == "marts"
    }
    datasets = contents("datasets")
    assert {each["table_name"] for each in datasets} == {
        "budget_variance",
        "chargeback",
        "findings",
    }
    (database,) = contents("databases")
    assert database["extra"]["engine_params"]["connect_args"] == {"read_only": True}
    for each in datasets:
        assert each["database_uuid"] == database["uuid"] and each["schema"] == "marts"
        assert {column["column_name"] for column in each["columns"]} <= marts[each["table_name"]]


def test_charts_use_columns_and_metrics_of_their_dataset() -> None:
    datasets = {each["uuid"]: each for each in contents("datasets")}
    charts = contents("charts")
    for chart in charts:
        dataset, shown = datasets[chart["dataset_uuid"]], chart["params"]
        columns = {column["column_name"] for column in dataset["columns"]}
        metrics = {metric["metric_name"] for metric in dataset["metrics"]}
        assert {*shown["groupby"], shown.get("x_axis", shown["groupby"][0])} <= columns
        assert {*shown["metrics"]} <= metrics
        # Amounts of different currencies are never added.
        if dataset["table_name"] != "findings":
            assert "currency" in shown["groupby"]
    (dashboard,) = contents("dashboards")
    placed = {
        part["meta"]["uuid"]
        for part in dashboard["position"].values()
        if isinstance(part, dict) and part["type"] == "CHART"
    }
    assert placed == {chart["uuid"] for chart in charts}
    assert Path(FOLDER / "metadata.yaml").exists()
