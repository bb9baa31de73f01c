"""A build from compiled statements makes the tables that dbt makes, and leaves failures to dbt."""

import shutil
from collections.abc import Callable

import builds
import duckdb
from bills_of_subscriptions import bill
from conftest import SAMPLE, Company


def tables(company: Company) -> dict[tuple[str, str, str], list[tuple]]:
    """The sorted rows of all tables and views that dbt makes, by kind, schema and name."""
    found = {}
    with duckdb.connect(str(company.data.warehouse), read_only=True) as connection:
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


def sample(new_company: Callable[[], Company]) -> Company:
    company = new_company()
    shutil.copytree(SAMPLE / "landing", company.data.landing)
    company.ingest()
    return company


def test_a_compiled_build_makes_the_tables_that_dbt_makes(
    new_company: Callable[[], Company],
) -> None:
    compiled, built = sample(new_company), sample(new_company)
    assert builds.build_as_compiled(compiled.data)
    assert builds.build_with_dbt(built.data).is_success
    ours, theirs = tables(compiled), tables(built)
    assert ours.keys() == theirs.keys()
    different = [key for key, rows in theirs.items() if ours[key] != rows]
    assert different == []
    assert len(theirs) > 150


def test_a_compiled_build_that_fails_leaves_nothing(company: Company) -> None:
    # It is undecided which of two files of an invoice with one line in common counts.
    line = "{}  Suite  cycleCharge  10  1  10.00  2026-01-05  2026-02-04\n".format
    company.drop("billing_lines/one.csv", bill("alder", "G1", line("one") + line("two")))
    company.drop("billing_lines/two.csv", bill("alder", "G1", line("one") + line("three")))
    company.ingest()
    assert not builds.build_as_compiled(company.data)
    assert {schema for _, schema, _ in tables(company)} <= {"rules"}
    (failure,) = builds.build(company.data)
    assert failure.startswith("every_delivery_is_decided_and_whole: ")
