"""The dashboard for Superset: its files fit each other and the columns of the marts."""

from collections.abc import Iterable
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


def names(fields: Iterable[str | dict[str, str]]) -> set[str]:
    """Columns by name. One with a label of its own is an expression, here a column's name."""
    return {each if isinstance(each, str) else each["sqlExpression"] for each in fields}


def test_charts_use_columns_and_metrics_of_their_dataset() -> None:
    datasets = {each["uuid"]: each for each in contents("datasets")}
    charts = contents("charts")
    for chart in charts:
        dataset, shown = datasets[chart["dataset_uuid"]], chart["params"]
        assert chart["viz_type"] == shown["viz_type"]
        columns = {column["column_name"] for column in dataset["columns"]}
        metrics = {metric["metric_name"] for metric in dataset["metrics"]}
        by = names(shown.get("groupby", []))
        by |= names(shown.get("groupbyRows", [])) | names(shown.get("groupbyColumns", []))
        used = by | {each["subject"] for each in shown["adhoc_filters"]}
        assert by and {*used, *([shown["x_axis"]] if "x_axis" in shown else [])} <= columns
        assert {*shown["metrics"]} <= metrics
        # Amounts of different currencies are never added, nor stacked on each other.
        assert not shown.get("stack")
        assert not shown.get("colTotals")
        if dataset["table_name"] != "findings":
            assert "currency" in by
    (dashboard,) = contents("dashboards")
    placed = {
        part["meta"]["uuid"]
        for part in dashboard["position"].values()
        if isinstance(part, dict) and part["type"] == "CHART"
    }
    assert placed == {chart["uuid"] for chart in charts}
    assert Path(FOLDER / "metadata.yaml").exists()


def test_filters_name_a_column_that_every_filtered_chart_has() -> None:
    datasets = {each["uuid"]: each for each in contents("datasets")}
    charts = {chart["uuid"]: datasets[chart["dataset_uuid"]] for chart in contents("charts")}
    (dashboard,) = contents("dashboards")
    placed = {
        part["meta"]["chartId"]: charts[part["meta"]["uuid"]]
        for part in dashboard["position"].values()
        if isinstance(part, dict) and part["type"] == "CHART"
    }
    filters = dashboard["metadata"]["native_filter_configuration"]
    assert [each["name"] for each in filters] == ["Currency", "Organization", "Billing period"]
    for each in filters:
        (target,) = each["targets"]
        for number in placed.keys() - {*each["scope"]["excluded"]}:
            columns = {column["column_name"] for column in placed[number]["columns"]}
            assert target["column"]["name"] in columns, (each["name"], number)
