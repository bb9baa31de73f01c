"""What a build leaves out: results made of the same statement and the same inputs."""

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from dagster_project import compiled_build
from dagster_project.compiled_build import CompiledBuild, DbtNeeded
from dagster_project.compiled_statements import Partitions, Statement

SOURCE = "source.raw.seats"
STAGED, COUNTED, SHOWN = "model.staged", "model.counted", "model.shown"
FEW, MANY = "test.made.few", "test.made.many"


def statement(
    unique_id: str, kind: str, code: str, reads: str, severity: str = "error"
) -> Statement:
    name = unique_id.split(".")[-1]
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
    """Build; returns the failing rows of the nodes whose results are not as before, by id."""
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
    assert built(connection, tmp_path) == {}
    assert connection.execute("select tens from made.staged order by 1").fetchall() == [(1,), (2,)]
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


def test_a_failed_test_is_reported_by_every_build_and_what_it_reads_is_not_built_on(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    reported = statement("model.reported", "table", "select total from made.shown", SHOWN)
    statements = (*STATEMENTS, reported)
    compiled = CompiledBuild(
        statements, {SOURCE: '"memory"."raw"."seats"'}, tmp_path / "seeds.duckdb"
    )
    connection.execute("insert into raw.seats values (1000)")
    for _ in range(2):
        results = {each.unique_id: each.failure for each in compiled.execute(connection)}
        connection.execute("detach kept_seeds")
        assert results.keys() == {STAGED, COUNTED, SHOWN, FEW, MANY}
        assert results.pop(FEW) == "few found 1 row"
        assert set(results.values()) == {None}
    connection.execute("delete from raw.seats where n = 1000")
    assert built(connection, tmp_path, statements)["model.reported"] is None


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
    assert set(json.loads(next(text for (text,) in after if text))) == {
        "made_of",
        "version",
        "partitions",
    }
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
    assert compiled_build.TableVersions(connection, {}).failing_rows(MANY, "other tables") is None


# --- partitions ---------------------------------------------------------------------------------

BILLED = "source.raw.billed"
REPORT, SUMS = "model.report", "model.sums"

BY_MONTH = (
    Statement(
        REPORT,
        "table",
        '"memory"."made"."report"',
        'select month, cost * factor as cost from "memory"."raw"."billed" cross join raw.rates',
        (BILLED, SOURCE),
        partitions=Partitions("month", {BILLED: "month"}),
    ),
    Statement(
        SUMS,
        "contract",
        '"memory"."made"."sums"',
        'select sum(cost) as cost, month as period from "memory"."made"."report" group by month',
        (REPORT,),
        "(period varchar, cost decimal(10, 2))",
        partitions=Partitions("period", {REPORT: "month"}),
    ),
)
MONTHS = "'a', 1), ('a', 2), ('b', 3), ('c', 4), ('d', 5"


class Billed:
    """A warehouse that is built by month; `read` has the months that a build reads."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.connection = connection
        self.compiled = CompiledBuild(
            BY_MONTH,
            {BILLED: '"memory"."raw"."billed"', SOURCE: '"memory"."raw"."rates"'},
            folder / "seeds.duckdb",
        )
        self.build()

    def build(self) -> list[str]:
        """Build; returns the kinds of the statements that were executed."""
        executed = []

        def execute(statement: Statement) -> int:
            executed.append(statement.kind)
            return compiled_build.execute_statement(self.connection, statement)

        self.connection.execute("create schema if not exists made")
        list(self.compiled.results(self.connection, execute))
        return executed

    def change(self, sql: str) -> list[str]:
        """Change raw tables and build; returns the kinds of the statements that were executed."""
        self.connection.execute(sql)
        kinds = self.build()
        expected = self.connection.execute(
            """
            select coalesce(month, ''), sum(cost * factor) from raw.billed cross join raw.rates
            group by month order by 1
            """
        ).fetchall()
        sums = self.connection.execute(
            "select coalesce(period, ''), cost from made.sums order by 1"
        ).fetchall()
        assert sums == expected
        return kinds


@pytest.fixture
def billed(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> Iterator[Billed]:
    """Four months of cost, doubled and built."""
    connection.execute("create table raw.rates as select 2 as factor")
    connection.execute(f"create table raw.billed as from (values ({MONTHS})) as t (month, cost)")
    yield Billed(connection, tmp_path)


def test_only_changed_partitions_are_built(billed: Billed) -> None:
    assert billed.build() == []
    assert billed.change("update raw.billed set cost = 40 where month = 'b'") == ["partitions"] * 2
    assert billed.change("insert into raw.billed values ('e', 6), ('e', 7)") == ["partitions"] * 2
    assert billed.change("delete from raw.billed where month = 'a'") == ["partitions"] * 2
    # The sum of the month, and so the second table, is unchanged.
    assert billed.change("update raw.billed set cost = 13 - cost where month = 'e'") == []


def test_partitions_keep_the_rows_of_the_others(billed: Billed) -> None:
    billed.connection.execute("update made.report set cost = 99 where month = 'a'")
    billed.connection.execute("update raw.billed set cost = 40 where month = 'b'")
    assert billed.build() == ["partitions"] * 2
    costs = billed.connection.execute("select cost from made.report where month = 'a'").fetchall()
    assert costs == [(99,), (99,)]


def test_a_changed_input_without_partitions_builds_the_whole_table(billed: Billed) -> None:
    assert billed.change("update raw.rates set factor = 3") == ["table", "contract"]


def test_rows_without_a_partition_are_one_partition(billed: Billed) -> None:
    assert billed.change("insert into raw.billed values (null, 8)") == ["partitions"] * 2
    assert billed.change("insert into raw.billed values (null, 9)") == ["partitions"] * 2
    assert billed.change("delete from raw.billed where month is null") == ["partitions"] * 2


def test_most_partitions_are_built_as_one_table(billed: Billed) -> None:
    kinds = billed.change("update raw.billed set cost = cost + 1 where month <> 'd'")
    assert kinds == ["table", "contract"]


def test_a_partition_that_no_input_has_is_refused(billed: Billed) -> None:
    wrong = Statement(
        REPORT,
        "table",
        '"memory"."made"."report"',
        'select \'z\' as month, cost from "memory"."raw"."billed"',
        (BILLED,),
        partitions=Partitions("month", {BILLED: "month"}),
    )
    billed.compiled = CompiledBuild((wrong,), billed.compiled.sources, billed.compiled.seeds)
    with pytest.raises(DbtNeeded, match=r"model\.report has rows of \['z'\]"):
        billed.build()
