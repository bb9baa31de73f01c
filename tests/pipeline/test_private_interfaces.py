"""Undocumented interfaces exist in the pinned versions, and are used in one module only."""

import ast
import importlib
import os
import re
import sqlite3
import sys
from pathlib import Path

import dagster as dg
import pytest

from dagster_project import private_interfaces
from dagster_project.private_interfaces import event_log_held_open
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
    assert len(PRIVATE_NAMES) == 9


@pytest.mark.parametrize(("module", "name"), PRIVATE_NAMES)
def test_a_private_name_exists_in_the_pinned_version(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)


def test_no_other_module_uses_a_private_interface() -> None:
    users = {
        str(path.relative_to(PROJECT_ROOT))
        for folder in ("dagster_project", "app")
        for path in (PROJECT_ROOT / folder).rglob("*.py")
        if any(PRIVATE.match(module) for module, _ in imported_names(path))
    }
    assert users == {str(Path(private_interfaces.__file__).relative_to(PROJECT_ROOT))}


def open_files() -> set[str]:
    return {os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()}


@pytest.mark.skipif(sys.platform != "linux", reason="open files are listed in /proc")
def test_the_event_log_stays_open_during_a_run(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        before = open_files()
        with event_log_held_open(instance, "a-run"):
            opened = {Path(each).name for each in open_files() - before}
            assert {"index.db", "a-run.db"} <= opened
        assert {Path(each).name for each in open_files() - before}.isdisjoint(opened)
        (file,) = tmp_path.rglob("a-run.db")
        with sqlite3.connect(file) as connection:
            assert connection.execute("select count(*) from event_logs").fetchone() == (0,)


def test_an_event_log_in_memory_needs_no_file() -> None:
    with dg.DagsterInstance.ephemeral() as instance, event_log_held_open(instance, "a-run"):
        assert instance.get_runs() == []
