"""A build from compiled statements makes the tables that dbt makes, and leaves failures to dbt."""

import shutil
from collections.abc import Callable

import builds
import duckdb
from bills_of_subscriptions import bill
from conftest import SAMPLE, Company

from dagster_project.ledger import closing


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


def different_tables(one: Company, other: Company) -> list[tuple[str, str, str]]:
    """The tables and views that two companies do not have in common, or not with the same rows."""
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
    compiled, built = sample(new_company), sample(new_company)
    assert builds.build_as_compiled(compiled.data)
    assert builds.build_with_dbt(built.data).is_success
    assert different_tables(compiled, built) == []
    assert len(tables(built)) > 150


def test_builds_after_changes_make_the_tables_of_a_first_build(
    new_company: Callable[[], Company],
) -> None:
    changed = sample(new_company)
    assert builds.build_as_compiled(changed.data)

    def change(name: str, edit: Callable[[list[str]], list[str]]) -> None:
        path = changed.data.landing / name
        path.write_text("".join(edit(path.read_text().splitlines(keepends=True))))

    def remove(name: str) -> None:
        (changed.data.landing / name).unlink()

    for make in (
        lambda: change("split_history/cobalt.csv", lambda lines: lines[:-2]),
        lambda: remove("budgets/budgets-2026.xlsx"),
        lambda: remove("billing_lines/broker/fernhill-2026-04.csv"),
        lambda: change("exchange_rates/rates.csv", lambda lines: lines[:-1]),
        lambda: closing.close(changed.data, "2026-01", None),
        lambda: remove("billing_lines/broker/evergreen-2026-01.csv"),
        lambda: remove("organizations/organizations.csv"),
    ):
        make()
        changed.ingest()
        assert builds.build_as_compiled(changed.data)
    first = new_company()
    for folder in ("landing", "ledger"):
        shutil.copytree(changed.data.root / folder, first.data.root / folder, dirs_exist_ok=True)
    first.ingest()
    assert builds.build_as_compiled(first.data)
    assert different_tables(changed, first) == []


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
