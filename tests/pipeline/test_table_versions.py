"""What a build leaves out: results made of the same statement and the same inputs."""

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from dagster_project import compiled_build
from dagster_project.compiled_build import CompiledBuild, DbtNeeded, Statement

SOURCE = "source.raw.seats"
STAGED, COUNTED, SHOWN = "model.staged", "model.counted", "model.shown"
FEW, MANY = "test.few", "test.many"


def statement(
    unique_id: str, kind: str, code: str, reads: str, severity: str = "error"
) -> Statement:
    name = unique_id.split(".")[1]
    return Statement(
        unique_id, kind, f'"memory"."made"."{name}"', code, (reads,), severity=severity
    )


STATEMENTS = (
    statement(STAGED, "table", "select n // 10 as tens from raw.seats", SOURCE),
    statement(COUNTED, "table", "select sum(tens) as total from made.staged", STAGED),
    statement(SHOWN, "view", "select total from made.counted", COUNTED),
    statement(FEW, "test", "select 1 from made.shown where total > 90", SHOWN),
    statement(MANY, "test", "select 1 from made.shown where total < 50", SHOWN, "warn"),
)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with one raw table of two rows."""
    duckdb.connect(str(tmp_path / "seeds.duckdb")).close()
    with duckdb.connect() as connection:
        connection.execute("create schema raw")
        connection.execute("create table raw.seats as select unnest([10, 20]) as n")
        yield connection


def built(
    connection: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    statements: tuple[Statement, ...] = STATEMENTS,
) -> dict[str, int | None]:
    """Build; returns the failing rows of the nodes that were not left out, by their ids."""
    compiled = CompiledBuild(
        statements, {SOURCE: '"memory"."raw"."seats"'}, tmp_path / "seeds.duckdb"
    )
    try:
        return {
            each.unique_id: each.failing_rows
            for each in compiled.execute(connection)
            if not each.is_unchanged
        }
    finally:
        connection.execute("detach kept_seeds")


def total(connection: duckdb.DuckDBPyConnection) -> object:
    return connection.execute("select total from made.shown").fetchall()


def test_a_build_of_the_same_rows_leaves_out_everything(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    assert built(connection, tmp_path) == {
        STAGED: None,
        COUNTED: None,
        SHOWN: None,
        FEW: 0,
        MANY: 1,
    }
    connection.execute("create or replace table raw.seats as select unnest([20, 10]) as n")
    assert built(connection, tmp_path) == {}
    assert total(connection) == [(3,)]


def test_a_changed_row_is_followed_as_far_as_it_changes_rows(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    built(connection, tmp_path)
    # Both are one ten.
    connection.execute("update raw.seats set n = 11 where n = 10")
    assert built(connection, tmp_path) == {STAGED: None}
    # A view is made once and shows what its table has.
    connection.execute("update raw.seats set n = 60 where n = 11")
    assert built(connection, tmp_path) == {STAGED: None, COUNTED: None, FEW: 0, MANY: 1}
    assert total(connection) == [(8,)]


@pytest.mark.parametrize(
    "change",
    [
        "insert into raw.seats values (20)",
        "delete from raw.seats where n = 20",
        "update raw.seats set n = null where n = 20",
        "delete from raw.seats",
    ],
)
def test_rows_that_are_added_removed_or_emptied_are_changes(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, change: str
) -> None:
    built(connection, tmp_path)
    connection.execute(change)
    changed = built(connection, tmp_path)
    assert {STAGED, COUNTED} <= changed.keys()
    tens = connection.execute("select sum(n // 10) from raw.seats").fetchall()
    assert total(connection) == tens


def test_two_equal_rows_do_not_cancel_out(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    built(connection, tmp_path)
    connection.execute("insert into raw.seats values (30), (30)")
    assert STAGED in built(connection, tmp_path)
    assert total(connection) == [(9,)]


def test_a_table_that_somebody_else_made_is_built_again(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    built(connection, tmp_path)
    connection.execute("create or replace table made.staged as select 7 as tens")
    connection.execute("comment on table made.counted is 'a note'")
    assert built(connection, tmp_path) == {STAGED: None, COUNTED: None}
    assert total(connection) == [(3,)]


def test_a_changed_statement_is_executed(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    built(connection, tmp_path)
    doubled = statement(COUNTED, "table", "select 2 * sum(tens) as total from made.staged", STAGED)
    statements = tuple(doubled if each.unique_id == COUNTED else each for each in STATEMENTS)
    assert COUNTED in built(connection, tmp_path, statements)
    assert total(connection) == [(6,)]


def test_a_blocking_test_is_never_remembered_as_passed(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    connection.execute("insert into raw.seats values (1000)")
    for _ in range(2):
        with pytest.raises(DbtNeeded, match=r"test\.few: 1 rows"):
            built(connection, tmp_path)


def test_a_table_and_its_record_are_rolled_back_together(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    built(connection, tmp_path)
    before = connection.execute("select comment from duckdb_tables() order by all").fetchall()
    connection.execute("update raw.seats set n = 60 where n = 10")
    connection.execute("begin")
    compiled = CompiledBuild(
        STATEMENTS, {SOURCE: '"memory"."raw"."seats"'}, tmp_path / "seeds.duckdb"
    )
    list(compiled.execute(connection))
    connection.execute("rollback")
    after = connection.execute("select comment from duckdb_tables() order by all").fetchall()
    assert after == before
    assert set(json.loads(next(text for (text,) in after if text))) == {"made_of", "version"}
    assert {STAGED, COUNTED} <= built(connection, tmp_path).keys()
    assert total(connection) == [(8,)]


def test_a_build_of_dbt_is_recorded(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    connection.execute("create schema made")
    for each in STATEMENTS[:3]:
        connection.execute(f"create {each.kind} {each.relation} as ({each.code})")
    compiled = CompiledBuild(
        STATEMENTS, {SOURCE: '"memory"."raw"."seats"'}, tmp_path / "seeds.duckdb"
    )
    compiled.record(connection, {FEW: 0, MANY: 1})
    assert built(connection, tmp_path) == {}
    assert compiled_build.TableVersions(connection).failing_rows(MANY, "other tables") is None
