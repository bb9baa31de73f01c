"""The billing report in the broker's layout: as the platform prints it, and fit to land again."""

import csv
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from conftest import EXAMPLE, Company
from focus_sample import published as published_by
from spreadsheets import copied_marts

from dagster_project.exports.broker_report import write_broker_report
from dagster_project.exports.scope import NothingInScope, Scope

JANUARY = Scope("2026-01", "2026-01")
EVERYTHING = Scope("2000-01", "2199-12")


@pytest.fixture
def published(sample_company: Company) -> Iterator[duckdb.DuckDBPyConnection]:
    with copied_marts(sample_company.data.published_database) as connection:
        yield connection


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def lines(company: Company) -> dict[str, tuple]:
    """Every billing line by its id: what it is, and its measures summed over its parts."""
    return {
        row[0]: row[1:]
        for row in company.query(
            """
            select
                line_id, subscription_id, product_name, charge_type, charge_kind,
                charge_start_date, charge_end_date, billing_date, billing_line_details,
                sum(quantity), sum(total_cost), sum(total_sales), sum(total_margin)
            from marts.billing_report
            group by all
            """
        )
    }


# --- the published example -------------------------------------------------------------------


def test_with_cost_centers_it_is_the_published_report(example: Company, tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    with published_by(example) as connection:
        assert write_broker_report(connection, JANUARY, path, with_cost_center=True) == 9
    mine, theirs = read(path), read(EXAMPLE / "expected.csv")
    assert list(mine[0]) == list(theirs[0])
    for row, printed in zip(mine, theirs, strict=True):
        for column, value in printed.items():
            if column in ("TotalCost", "TotalSales", "TotalMargin"):
                # The platform cuts its figures.
                assert abs(Decimal(row[column]) - Decimal(value)) < Decimal("0.00001")
            else:
                assert row[column] == value


def test_without_cost_centers_it_is_the_report_that_landed(
    example: Company, tmp_path: Path
) -> None:
    path = tmp_path / "report.csv"
    with published_by(example) as connection:
        assert write_broker_report(connection, JANUARY, path, with_cost_center=False) == 3
    mine, landed = read(path), read(EXAMPLE / "billing_report.csv")
    # The bill prints one more digit of this margin than sales less cost have.
    assert landed[1].pop("TotalMargin") == "48.53333333"
    assert mine[1].pop("TotalMargin") == "48.5333333"
    assert mine == landed
    assert list(mine[0]) == list(landed[0])


def test_a_written_report_lands_as_the_same_lines(
    example: Company, new_company: Callable[[], Company]
) -> None:
    again = new_company()
    with published_by(example) as connection:
        path = again.data.landing / "billing_lines" / "again.csv"
        write_broker_report(connection, JANUARY, path, with_cost_center=False)
    again.drop("split_history/splits.csv", (EXAMPLE / "split_history.csv").read_bytes())
    before, after = lines(example), lines(again.build())
    assert sorted(before.values()) == sorted(after.values())
    # A line's id depends on the margin on the bill. A margin that differs from sales less cost is
    # not published and therefore not written.
    changed = before.keys() - after.keys()
    assert {before[key][10] for key in changed} <= {Decimal("242.7333333")}
    assert len(before.keys() & after.keys()) >= 2


def test_organization_and_currency_are_added_where_rows_would_be_ambiguous(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "report.csv"
    january = Scope("2026-01", "2026-01", "evergreen")
    write_broker_report(published, january, path, with_cost_center=False)
    assert "Organization" not in read(path)[0]
    write_broker_report(published, january, path, with_cost_center=False, with_owner=True)
    assert {(row["Organization"], row["Currency"]) for row in read(path)} == {("evergreen", "USD")}
    write_broker_report(published, EVERYTHING, path, with_cost_center=True)
    assert list(read(path)[0])[-3:] == ["CostCenter", "Organization", "Currency"]


# --- any bill --------------------------------------------------------------------------------


def test_rows_sum_to_the_bill_with_and_without_cost_centers(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    expected = published.execute(
        "select sum(quantity), sum(total_cost), sum(total_sales), sum(total_margin)"
        " from billing_report"
    ).fetchone()
    for with_cost_center, key in ((False, "line_id"), (True, "(line_id, cost_center_id)")):
        path = tmp_path / "report.csv"
        count = write_broker_report(published, EVERYTHING, path, with_cost_center)
        keys = published.execute(f"select count(distinct {key}) from billing_report").fetchone()
        rows = read(path)
        assert (len(rows),) == keys == (count,)
        sums = tuple(
            sum(Decimal(row[name]) for row in rows if row[name])
            for name in ("Quantity", "TotalCost", "TotalSales", "TotalMargin")
        )
        assert sums == expected


def test_lines_of_every_format_can_be_read_as_a_brokers_lines(
    published: duckdb.DuckDBPyConnection, new_company: Callable[[], Company]
) -> None:
    again = new_company()
    path = again.data.landing / "billing_lines" / "again.csv"
    count = write_broker_report(published, EVERYTHING, path, with_cost_center=False)
    formats = published.execute("select count(distinct source_format) from billing_report")
    assert formats.fetchall()[0][0] > 2
    # Credits and taxes of a whole account have no subscription, which a broker's line has.
    kept, lost, cost = published.execute(
        """
        select
            count(distinct line_id) filter (subscription_id is not null),
            count(distinct line_id) filter (subscription_id is null),
            sum(total_cost) filter (subscription_id is not null)
        from billing_report
        """
    ).fetchall()[0]
    assert kept + lost == count
    again.build(expect_success=False)
    landed = again.query(
        """
        select
            (select count(distinct line_id) from marts.billing_report),
            (select count(*) from marts.quarantined_rows),
            (select sum(total_cost) from marts.billing_report)
        """
    )
    assert landed == [(kept, lost, cost)]
    # The published example is in it: its lines have their ids again, but for the one whose margin
    # on the bill is not sales less cost.
    before = {
        key
        for (key,) in published.execute(
            "select distinct line_id from billing_report where organization_id = 'evergreen'"
        ).fetchall()
    }
    assert len(before & lines(again).keys()) >= len(before) - 1 == 2


def test_lines_without_a_price_have_empty_sales(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    published.execute("update billing_report set total_sales = null, total_margin = null")
    path = tmp_path / "report.csv"
    write_broker_report(published, JANUARY, path, with_cost_center=False)
    assert {(row["TotalSales"], row["TotalMargin"]) for row in read(path)} == {("", "")}


def test_text_that_a_spreadsheet_would_take_for_a_formula_is_guarded(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    published.execute("update billing_report set product_name = '=1+1'")
    path = tmp_path / "report.csv"
    write_broker_report(published, JANUARY, path, with_cost_center=False)
    assert {row["ProductName"] for row in read(path)} == {"'=1+1"}
    assert any(row["TotalCost"].startswith("-") for row in read(path))


def test_customers_and_empty_periods_get_none(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "report.csv"
    with pytest.raises(ValueError, match="shows cost"):
        write_broker_report(
            published, Scope("2026-01", "2026-01", "cobalt", "customer"), path, False
        )
    with pytest.raises(NothingInScope):
        write_broker_report(published, Scope("2031-01", "2031-01"), path, False)
    assert not path.exists()
