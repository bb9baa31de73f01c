"""Customers' files depend on sales only: other costs with the same sales give equal files."""

from calendar import month_abbr
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from conftest import Company, NewCompany
from written_tables import csv, table

from app.published import Viewer, tables
from dagster_project import dbt_runner, publish
from dagster_project.exports.customer import write_customer_edition
from dagster_project.exports.focus import write_focus
from dagster_project.exports.scope import Scope, open_published
from dagster_project.exports.visibility import customer_marts

SCOPE = Scope("2025-01", "2026-02", "acme", "customer")
MONTHS = [f"{year}-{month:02}" for year in (2025, 2026) for month in range(1, 13)][:14]

# Per subscription: cost center, seats, sales of a month.
SUBSCRIPTIONS = """
office   IT     6  90
mail     Law    3  30
archive  Sales  5  60
phone    Law    2  24
"""

SPLIT = "Cost center split adjusted"

# Two structures of costs: cost per sales, by subscription.
LOW = {"office": "0.9", "mail": "0.5", "archive": "0.8", "phone": "0.7"}
HIGH = {"office": "0.4", "mail": "0.95", "archive": "0.15", "phone": "0.0625"}


def bill(costs: Mapping[str, str], grows: bool) -> str:
    rows = []
    for number, month in enumerate(MONTHS):
        # The cost of the second structure grows from month to month; the sales change a little.
        factor = Decimal(1) + Decimal("0.01") * number * grows
        for name, _, seats, sales in table(SUBSCRIPTIONS):
            charged = Decimal(sales) + Decimal(number % 3)
            cost = charged * Decimal(costs[name]) * factor
            detail = f"cycleCharge. From 1 {month} to 28 {month} (28 days)"
            line = [name, seats, cost, charged, f"{month}-01", f"{month}-06", detail]
            rows.append(line)
            if name == "phone":
                # Two equal purchases, of which one is refunded.
                detail = f"addQuantity. From 3 {month} to 28 {month} (26 days)"
                more = [name, "1", cost / 8, "3", f"{month}-03", f"{month}-06", detail]
                back = [name, "1", -cost / 8, "-3", f"{month}-03", f"{month}-06", detail]
                rows += [more, more, back]
    return csv(
        "Organization,Currency,Subscription ID,Quantity,TotalCost,TotalSales,ChargeStartDate,"
        "BillingDate,BillingLineDetails,ProductName",
        [
            ["acme", "USD", *map(str, line[:-1]), in_words(str(line[-1])), f"{line[0]} license"]
            for line in rows
        ],
    )


def in_words(detail: str) -> str:
    """The dates of a detail as a broker prints them: 1 2025-01 is 1 Jan 2025."""
    for month in MONTHS:
        year, number = map(int, month.split("-"))
        detail = detail.replace(month, f"{month_abbr[number]} {year}")
    return detail


def build(company: Company, costs: Mapping[str, str], grows: bool) -> Company:
    company.drop("billing_lines/bill.csv", bill(costs, grows))
    company.drop(
        "split_history/splits.csv",
        csv(
            "Subscription ID,Event,Datetime,Total Quantity,Cost Center ID,Cost Center,"
            "Allocated Quantity,Organization",
            [
                [name, SPLIT, "2024-12-01", seats, center, center, seats, "acme"]
                for name, center, seats, _ in table(SUBSCRIPTIONS)
            ],
        ),
    )
    company.drop(
        "cost_centers/centers.csv",
        "Cost Center ID,Organization,Name,Is Default,Is Shared\nIT,acme,IT,,true\n"
        "Law,acme,Law,,\nSales,acme,Sales,,\nRest,acme,Rest,true,\n",
    )
    company.drop("organizations/all.csv", "Organization,Name\nacme,Acme\n")
    company.drop(
        "shared_costs/rules.csv",
        "Organization,Shared Cost Center ID,Method,Cost Center ID,Percent,Valid From\n"
        "acme,IT,direct_cost,,,2025-01-01\n",
    )
    company.drop(
        "budgets/budgets.csv",
        "Cost Center ID,Month,Currency,Amount\nLaw,2026-02,USD,70\nSales,2026-02,USD,60\n",
    )
    company.drop(
        "manual_forecasts/forecasts.csv",
        "Cost Center ID,Month,Currency,Amount\nLaw,2026-02,USD,72\nSales,2026-03,USD,66\n",
    )
    company.drop(
        "exchange_rates/rates.csv",
        "From Currency,To Currency,Date,Rate\nEUR,USD,2025-01-01,1.25\n",
    )
    company.data.declarations.write_text('[reporting]\ncurrency = "EUR"\n')
    company.build()
    publish.publish(company.data, dbt_runner.read_manifest(), "0" * 64)
    return company


@pytest.fixture(scope="module")
def structures(new_company: NewCompany) -> tuple[Company, Company]:
    """The same sales with two structures of costs."""
    return build(new_company(), LOW, False), build(new_company(), HIGH, True)


def rows_of(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> dict[str, list]:
    return {
        name: connection.execute(f"select * from {name} order by all").fetchall() for name in names
    }


def test_the_costs_differ_and_the_sales_do_not(structures: tuple[Company, Company]) -> None:
    first, second = (
        company.query(
            "select sum(total_cost), sum(total_sales), sum(shared_cost) from marts.chargeback"
            " where cost_center_id = 'Law'"
        )[0]
        for company in structures
    )
    assert first[0] != second[0] and first[1] == second[1] and first[2] != second[2]
    ratios = [
        company.query(
            "select sum(shared_cost) filter (where to_cost_center_id = 'Law') / sum(shared_cost),"
            " sum(shared_sales) filter (where to_cost_center_id = 'Law') / sum(shared_sales)"
            " from marts.shared_costs"
        )[0]
        for company in structures
    ]
    # By hand, of the sales: Law has (30 + 24 + 3) = 57 of 117 in the first month.
    assert ratios[0][0] != ratios[1][0] and ratios[0][1] == ratios[1][1]
    methods = structures[1].query(
        "select distinct method from intermediate.int_forecasts where series_id like 'sales:%'"
    )
    assert methods and ("committed_spend",) not in methods


def test_a_customers_files_are_equal(structures: tuple[Company, Company], tmp_path: Path) -> None:
    written = []
    for number, company in enumerate(structures):
        folder = tmp_path / str(number)
        with open_published(company.data, tmp_path) as connection:
            edition = write_customer_edition(connection, company.data, SCOPE, folder)
            write_focus(connection, SCOPE, folder / "focus")
        assert edition.workbook and edition.statements
        files = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        with duckdb.connect(str(edition.database), read_only=True) as own:
            names = [f"marts.{mart.name}" for mart in customer_marts()]
            # Not the bytes of the database: DuckDB leaves some undefined, also for equal input.
            written.append((files, rows_of(own, names)))
    (files, rows), (other_files, other_rows) = written
    # No license waits: all are allotted, and there is no directory.
    assert len(files) > 8
    assert [name for name, found in rows.items() if not found] == ["marts.pending_queue"]
    assert rows == other_rows
    assert files == other_files


def test_a_customers_tables_in_the_app_are_equal(structures: tuple[Company, Company]) -> None:
    seen = []
    for company in structures:
        with tables(company.data, Viewer("acme")) as connection:
            shown = {
                mart.name: [
                    column
                    for column in connection.table(mart.name).columns
                    # Ids of lines are salted hashes, of each data folder others.
                    if not column.endswith("line_id")
                ]
                for mart in customer_marts()
            }
            seen.append(
                {
                    name: connection.execute(
                        f"select {', '.join(columns)} from {name} order by all"
                    ).fetchall()
                    for name, columns in shown.items()
                }
            )
    assert seen[0] == seen[1]
