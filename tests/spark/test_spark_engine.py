"""The part of a run on Apache Spark that is in the run's own process.

The worker is another process here too, one that writes known tables instead of computing them with
Spark. `make test-spark` runs the real one.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project import dbt_runner, relations
from dagster_project.errors import BadSetting
from dagster_project.settings import PROJECT_ROOT, DataFolder, Engine
from dagster_project.spark import engine


def manifest_with(**columns: str) -> dict[str, Any]:
    """dbt's manifest of a mart `lines` with these columns."""
    return {
        "nodes": {
            "lines": {
                "resource_type": "model",
                "schema": "marts",
                "name": "lines",
                "columns": {
                    name: {"name": name, "data_type": kind} for name, kind in columns.items()
                },
            },
        }
    }


MANIFEST = manifest_with(line_id="string", total_cost="decimal(28, 10)")

WORKER = """
import json, os, sys, duckdb
wanted = json.loads(sys.stdin.readline())
path = os.path.join({folder!r}, wanted[0] + ".parquet")
os.makedirs(path)
rows = "select 3.5::decimal(28, 10) as total_cost, 'a' as line_id"
duckdb.execute(f"copy ({{rows}}) to '{{path}}/0.parquet'")
for message in {messages}:
    print(json.dumps(message), flush=True)
"""


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path)
    data.run_folder.mkdir()
    (data.run_folder / engine.LOG).write_text("java.net.ConnectException: refused\n")
    with duckdb.connect(str(data.warehouse)) as connection:
        connection.execute("create schema marts")
        connection.execute("create view marts.lines as select 'old' as line_id")
    return data


def follow(data: DataFolder, messages: str) -> tuple[dbt_runner.DbtOutcome, list[Any]]:
    folder = data.run_folder / "spark"
    folder.mkdir()
    events: list[Any] = []
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER.format(folder=str(folder), messages=messages)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with worker:
        building = engine.Building(data, folder, MANIFEST, events.append)
        return building.follow(worker), events


def lines(data: DataFolder) -> list[Any]:
    with duckdb.connect(str(data.warehouse), read_only=True) as connection:
        return connection.execute("select * from marts.lines").fetchall()


def test_tables_replace_those_of_the_warehouse_with_the_types_of_their_contract(
    data: DataFolder,
) -> None:
    outcome, events = follow(
        data,
        "[{'event': {'unique_id': 'model.apportion.lines'}},"
        " {'table': wanted[0], 'path': path}, {'failures': []}]",
    )
    assert outcome.is_success
    assert events == [{"unique_id": "model.apportion.lines"}]
    with duckdb.connect(str(data.warehouse), read_only=True) as connection:
        assert connection.execute("describe marts.lines").fetchall()[1][:2] == (
            "total_cost",
            "DECIMAL(28,10)",
        )
        assert connection.execute(
            "select line_id, total_cost::text from marts.lines"
        ).fetchall() == [("a", "3.5000000000")]


def test_a_failed_model_leaves_the_warehouse_as_it_was(data: DataFolder) -> None:
    outcome, _ = follow(
        data, "[{'table': wanted[0], 'path': path}, {'failures': ['lines: division by zero']}]"
    )
    assert not outcome.is_success
    assert outcome.failures == ("lines: division by zero",)
    assert lines(data) == [("old",)]


def test_a_worker_that_ends_early_is_reported_with_the_end_of_its_log(data: DataFolder) -> None:
    outcome, _ = follow(data, "[{'table': wanted[0], 'path': path}]")
    assert not outcome.is_success
    assert "ended before the models were built" in outcome.failures[0]
    assert outcome.failures[0].endswith("java.net.ConnectException: refused")
    assert lines(data) == [("old",)]


def test_a_table_with_other_columns_replaces_nothing(data: DataFolder) -> None:
    manifest = manifest_with(other="string")
    folder = data.run_folder / "spark"
    path = folder / "lines.parquet"
    path.mkdir(parents=True)
    duckdb.execute(f"copy (select 'a' as line_id) to '{path}/0.parquet'")
    building = engine.Building(data, folder, manifest, lambda event: None)
    with pytest.raises(duckdb.BinderException):
        building.load({"marts.lines": path})
    assert lines(data) == [("old",)]


def test_marts_and_the_relations_that_python_reads_come_back() -> None:
    nodes = engine.returned(dbt_runner.read_manifest())
    assert set(relations.RELATIONS) < nodes.keys()
    assert "marts.billing_report" in nodes
    assert all(
        column["data_type"] for node in nodes.values() for column in node["columns"].values()
    )
    assert all(node["columns"] for node in nodes.values())


@pytest.mark.parametrize(
    "package", ["coreforecast", "numba", "numpy", "scipy", "statsforecast", "statsmodels"]
)
def test_the_forecasts_of_both_engines_are_of_the_same_version(package: str) -> None:
    pin = re.compile(rf"^{package}==.*(?= \\$)", re.MULTILINE)
    of_run, of_spark = (
        pin.findall((PROJECT_ROOT / "requirements" / name).read_text(encoding="utf-8"))
        for name in ("run.txt", "spark.txt")
    )
    assert of_run
    assert of_spark == of_run


def test_companies_share_a_folder_without_sharing_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (DataFolder(tmp_path / name) for name in ("one", "other"))
    assert engine.shared_folder(one) == one.run_folder / "spark"
    monkeypatch.setenv("APPORTION_SPARK_FOLDER", str(tmp_path / "shared"))
    folders = {engine.shared_folder(data) for data in (one, other, DataFolder(tmp_path / "one"))}
    assert len(folders) == 2 and {each.parent for each in folders} == {tmp_path / "shared"}


def test_an_unknown_engine_is_refused_by_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPORTION_ENGINE", "sparc")
    with pytest.raises(BadSetting, match="'sparc'; it must be duckdb or spark"):
        Engine.from_environment()


def test_missing_packages_are_reported_before_anything_changes(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPORTION_SPARK_PYTHON", str(data.root / "no-python"))
    with pytest.raises(BadSetting, match=r"there is no .*no-python; install .*`make spark`"):
        engine.build(data, lambda event: None)
    assert lines(data) == [("old",)]
