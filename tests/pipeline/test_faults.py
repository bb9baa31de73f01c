"""Faults of the machine, as the operating system, DuckDB and SQLite report them."""

import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from dagster_project.faults import UNHARMED, explain, explain_text


def error_of(action: Callable[[], object]) -> BaseException:
    try:
        action()
    except Exception as error:
        return error
    raise AssertionError("nothing failed")


def write_to_a_full_disk() -> None:
    Path("/dev/full").write_text("bills")


def copy_to_a_full_disk() -> None:
    duckdb.execute("copy (select 1) to '/dev/full' (format csv)")


def fill_a_database() -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("pragma max_page_count = 2")
        connection.execute("create table bills as select zeroblob(100000) as content")


def write_where_nobody_may() -> None:
    Path("/sys/kernel/bills").mkdir()


def connect_where_nobody_may() -> None:
    duckdb.connect("/sys/kernel/bills.duckdb")


@pytest.mark.parametrize(
    ("action", "fact"),
    [
        (write_to_a_full_disk, "The disk is full"),
        (copy_to_a_full_disk, "The disk is full: /dev/full"),
        (fill_a_database, "The disk is full"),
        (lambda: Path("/").read_text(), "A folder is in the place of a file"),
        (write_where_nobody_may, "Access is denied: /sys/kernel/bills"),
        (connect_where_nobody_may, "Access is denied: /sys/kernel/bills.duckdb"),
    ],
)
def test_a_fault_is_explained(action: Callable[[], object], fact: str) -> None:
    explanation = explain(error_of(action))
    assert explanation is not None
    assert explanation.startswith(fact) and f". {UNHARMED} " in explanation


def test_a_damaged_database_can_be_deleted(tmp_path: Path) -> None:
    database = tmp_path / "warehouse.duckdb"
    database.write_text("no database" * 1000)
    explanation = explain(error_of(lambda: duckdb.connect(str(database))))
    assert explanation is not None
    assert explanation.startswith(f"The file is damaged: {database}. ")
    assert "Delete it and run the command again" in explanation


def test_the_cause_of_another_error_is_explained() -> None:
    outer = RuntimeError("a step failed")
    outer.__cause__ = OSError(errno.EROFS, "Read-only file system", "/data/.run")
    assert (explain(outer) or "").startswith("The file system is read-only: /data/.run. ")


def test_errors_that_mention_a_fault_in_passing_are_not_explained() -> None:
    assert explain(ValueError("permission denied")) is None
    assert explain(OSError(errno.ENOENT, "No such file or directory")) is None
    assert explain(duckdb.BinderException("Binder Error: column not found")) is None
    assert explain_text("3 rows of billing_report against one_currency") is None
