"""A build from compiled statements makes the tables that dbt makes, and leaves failures to dbt.

That tests/builds.py reports a failing data test as dbt does is compared here too.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import builds
import duckdb
import pytest
from bills_of_subscriptions import bill
from conftest import SAMPLE, Company

from dagster_project.ledger import closing
from dagster_project.table_versions import TableVersions


def tables(warehouse: Path) -> dict[tuple[str, str, str], list[tuple]]:
    """The sorted rows of all tables and views that dbt makes, by kind, schema and name."""
    found = {}
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        for kind, schema, name in connection.execute(
            """
            select table_type, table_schema, table_name from information_schema.tables
            where table_schema not in ('raw', 'run')
            """
        ).fetchall():
            rows = connection.execute(f'select * from "{schema}"."{name}" order by all')
            columns = [(each[0], str(each[1])) for each in rows.description or ()]
            found[kind, schema, name] = [tuple(columns), *rows.fetchall()]
    return found


def different_tables(one: Path, other: Path) -> list[tuple[str, str, str]]:
    """The tables and views that warehouses do not have in common, or not with the same rows."""
    ours, theirs = tables(one), tables(other)
    return sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))


def sample(new_company: Callable[[], Company]) -> Company:
    company = new_company()
    shutil.copytree(SAMPLE / "landing", company.data.landing)
    company.ingest()
    return company


def test_a_compiled_build_makes_the_tables_that_dbt_makes(
    new_company: Callable[[], Company],
) -> None:
    company = sample(new_company)
    assert builds.build_as_compiled(company.data) == ()
    assert different_tables(company.data.warehouse, builds.sample_of_dbt()) == []
    assert len(tables(company.data.warehouse)) > 150


CORRECTION = """\
Subscription ID,Billing Period,Cost Center ID,Allocated Quantity,Approved By,Reason
a9e5e673-2f8b-4456-b77f-1605fc2d9a4b,2026-01,ALD-100,3,Grace,moved in December
a9e5e673-2f8b-4456-b77f-1605fc2d9a4b,2026-01,ALD-200,4,Grace,moved in December
"""


@pytest.fixture(scope="module")
def changed(new_company: Callable[[], Company]) -> Company:
    """The sample company after changes of all kinds, with a build after each."""
    company = sample(new_company)
    landing = company.data.landing

    def remove(name: str, line_count: int | None = None) -> None:
        """Remove a file, or its last lines."""
        lines = (landing / name).read_text().splitlines(keepends=True) if line_count else []
        if line_count:
            (landing / name).write_text("".join(lines[:-line_count]))
        else:
            (landing / name).unlink()

    assert builds.build_as_compiled(company.data) == ()
    for change in (
        lambda: remove("split_history/cobalt.csv", 2),
        lambda: remove("budgets/budgets-2026.xlsx"),
        lambda: remove("manual_forecasts/manual-forecasts-2026.csv", 1),
        lambda: remove("billing_lines/broker/fernhill-2026-04.csv"),
        lambda: remove("exchange_rates/rates.csv", 1),
        lambda: closing.close(company.data, "2026-01", None),
        lambda: company.drop("corrections/alder.csv", CORRECTION),
        lambda: remove("billing_lines/broker/evergreen-2026-01.csv"),
        lambda: remove("organizations/organizations.csv"),
    ):
        change()
        company.ingest()
        assert builds.build_as_compiled(company.data) == ()
    return company


def test_builds_after_changes_make_the_tables_of_a_first_build(
    changed: Company, new_company: Callable[[], Company]
) -> None:
    first = new_company()
    for folder in ("landing", "ledger"):
        shutil.copytree(changed.data.root / folder, first.data.root / folder, dirs_exist_ok=True)
    first.ingest()
    assert builds.build_as_compiled(first.data) == ()
    assert different_tables(changed.data.warehouse, first.data.warehouse) == []


def test_the_rows_of_a_partition_depend_on_its_own_inputs(changed: Company, tmp_path: Path) -> None:
    corrections = "select count(*) from marts.billing_report where original_billing_period"
    assert changed.query(f"{corrections} <> billing_period") != [(0,)]
    copy = shutil.copy(changed.data.warehouse, tmp_path / "warehouse.duckdb")
    compiled = builds.compiled_once()
    partitioned = [each for each in compiled.statements if each.partitions]
    assert len(partitioned) > 15
    different = []
    with duckdb.connect(str(copy)) as connection:
        versions = TableVersions(connection, compiled.relations)
        for each in partitioned:
            connection.execute(f"create table one_by_one as from {each.relation} where false")
            for value in compiled.partitions_made_of(each, versions):
                one = each.replacing([value], [], compiled.relations)
                connection.execute(f"insert into one_by_one by name ({one.code})")
            rows = "select * from {} order by all".format
            ours = connection.execute(rows("one_by_one")).fetchall()
            if ours != connection.execute(rows(each.relation)).fetchall():
                different.append(each.unique_id)
            connection.execute("drop table one_by_one")
    assert different == []


def test_after_a_failed_test_a_compiled_build_skips_what_dbt_skips(
    company: Company, new_company: Callable[[], Company]
) -> None:
    # It is undecided which of two files of an invoice with one line in common counts.
    line = "{}  Suite  cycleCharge  10  1  10.00  2026-01-05  2026-02-04\n".format
    company.drop("billing_lines/one.csv", bill("alder", "G1", line("one") + line("two")))
    company.drop("billing_lines/two.csv", bill("alder", "G1", line("one") + line("three")))
    company.ingest()
    twin = new_company()
    shutil.copytree(company.data.root, twin.data.root, dirs_exist_ok=True)
    failures = builds.build_as_compiled(company.data)
    outcome = builds.build_with_dbt(twin.data)
    assert failures == outcome.failures
    assert failures[0] == "every_delivery_is_decided_and_whole found 1 row"
    assert different_tables(company.data.warehouse, twin.data.warehouse) == []
    # The same again, without executing the test.
    assert builds.build_as_compiled(company.data) == failures


def test_a_compiled_build_whose_statement_fails_leaves_nothing(company: Company) -> None:
    company.ingest()
    with duckdb.connect(str(company.data.warehouse)) as connection:
        connection.execute("drop table raw.budgets")
    assert builds.build_as_compiled(company.data) is None
    assert tables(company.data.warehouse) == {}
