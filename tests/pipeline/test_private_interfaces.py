"""Undocumented interfaces exist in the pinned versions, and are used in one module only."""

import ast
import importlib
import os
import re
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from dagster_project import private_interfaces
from dagster_project.private_interfaces import event_log_held_open, no_events_planned
from dagster_project.settings import PROJECT_ROOT

PRIVATE = re.compile(
    r"dagster\._|dagster_webserver\b|dagster_dbt\.(?:asset_utils|core)\b|dbt\.(?!cli\.main$)|dbt$"
)
"""dbt documents `dbt.cli.main` alone; dagster_dbt documents what it exports at the top."""


def imported_names(path: Path) -> list[tuple[str, str]]:
    """(module, name) of every `from module import name`, and (module, "") of every `import`."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [(node.module, each.name) for each in node.names]
        elif isinstance(node, ast.Import):
            names += [(each.name, "") for each in node.names]
    return names


PRIVATE_NAMES = [
    each for each in imported_names(Path(private_interfaces.__file__)) if PRIVATE.match(each[0])
]


def test_the_private_names_are_found() -> None:
    assert ("dagster._core.storage.event_log", "SqliteEventLogStorage") in PRIVATE_NAMES
    assert len(PRIVATE_NAMES) == 11


@pytest.mark.parametrize(("module", "name"), PRIVATE_NAMES)
def test_a_private_name_exists_in_the_pinned_version(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)


def test_no_other_module_uses_a_private_interface() -> None:
    users = {
        str(path.relative_to(PROJECT_ROOT))
        for folder in ("dagster_project", "app")
        for path in (PROJECT_ROOT / folder).rglob("*.py")
        # dbt-duckdb documents its plugins.
        if any(
            PRIVATE.match(module) and name != "BasePlugin" for module, name in imported_names(path)
        )
    }
    # dbt-spark is not installed here. Without the names, `make test-spark` fails.
    assert users == {
        "dagster_project/private_interfaces.py",
        "dagster_project/spark/python_models.py",
        "dagster_project/spark/session.py",
    }


def open_files() -> set[str]:
    return {os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()}


@dg.asset(check_specs=[dg.AssetCheckSpec("whole", asset="bill")])
def bill() -> dg.MaterializeResult:
    return dg.MaterializeResult(
        metadata={"rows": 3}, check_results=[dg.AssetCheckResult(passed=True, check_name="whole")]
    )


def run_bill(instance: dg.DagsterInstance) -> str:
    job = dg.Definitions(assets=[bill], jobs=[dg.define_asset_job("bills")])
    return job.resolve_job_def("bills").execute_in_process(instance=instance).run_id


def event_kinds(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    return [
        each.dagster_event.event_type_value if each.dagster_event else "log"
        for each in instance.all_logs(run_id)
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="open files are listed in /proc")
def test_the_event_log_stays_open_during_a_run(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        before = open_files()
        with event_log_held_open(instance):
            run_id = run_bill(instance)
            files = {"index.db", f"{run_id}.db"}
            assert files <= {Path(each).name for each in open_files() - before}
        assert files.isdisjoint({Path(each).name for each in open_files() - before})


def test_a_log_held_open_has_the_events_that_dagster_writes_itself(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        expected = event_kinds(instance, run_bill(instance))
        with event_log_held_open(instance):
            held = run_bill(instance)
        # Read by connections of Dagster's own.
        assert event_kinds(instance, held) == expected
        materialization = instance.get_latest_materialization_event(dg.AssetKey("bill"))
        assert materialization is not None and materialization.run_id == held
        (check,) = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey("bill"), "whole"), limit=1
        )
        assert check.run_id == held


def test_a_run_without_planned_events_has_the_results(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        planned = {"ASSET_MATERIALIZATION_PLANNED", "ASSET_CHECK_EVALUATION_PLANNED"}
        expected = event_kinds(instance, run_bill(instance))
        assert planned <= set(expected)
        with no_events_planned(instance):
            run_id = run_bill(instance)
        kinds = event_kinds(instance, run_id)
        assert kinds == [each for each in expected if each not in planned]
        (check,) = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey("bill"), "whole"), limit=1
        )
        assert (check.run_id, check.status.value) == (run_id, "SUCCEEDED")
        assert event_kinds(instance, run_bill(instance)) == expected


def test_another_process_sees_the_events_of_a_run_that_goes_on(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance, event_log_held_open(instance):
        run_id = run_bill(instance)
        (file,) = tmp_path.rglob(f"{run_id}.db")
        deadline = time.monotonic() + 20
        count, expected = 0, len(event_kinds(instance, run_id))
        # Events are committed in groups.
        while count < expected and time.monotonic() < deadline:
            time.sleep(0.1)
            with sqlite3.connect(file) as connection:
                (count,) = connection.execute("select count(*) from event_logs").fetchone()
        assert count == expected


def test_a_failing_statement_ends_its_transaction_only(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance, event_log_held_open(instance):
        storage = instance.event_log_storage
        assert isinstance(storage, SqliteEventLogStorage)
        with pytest.raises(OperationalError), storage.index_connection() as connection:
            connection.execute(text("select * from no_such_table"))
        assert event_kinds(instance, run_bill(instance))


def test_an_event_log_in_memory_needs_no_file() -> None:
    with dg.DagsterInstance.ephemeral() as instance, event_log_held_open(instance):
        assert instance.get_runs() == []


def test_an_event_log_on_a_full_disk_is_one_fault(tmp_path: Path) -> None:
    program = f"""
import resource, sys, time
import dagster as dg
from dagster_project import private_interfaces as own
from dagster_project.faults import explain
own.COMMIT_SECONDS = 0.05
with dg.DagsterInstance.local_temp({str(tmp_path)!r}) as instance:
    try:
        with own.event_log_held_open(instance):
            instance.get_runs_count()
            with instance.event_log_storage._connect("index") as connection:
                connection.exec_driver_sql("create table filler (text varchar)")
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
            for _ in range(100):
                with instance.event_log_storage._connect("index") as connection:
                    connection.exec_driver_sql("insert into filler values (printf('%.9999c', 'x'))")
                time.sleep(0.02)
    except Exception as error:
        print(explain(error))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.startswith("The dis"), done.stdout + done.stderr
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr
