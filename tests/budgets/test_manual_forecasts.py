"""Manual forecasts beside budgets, computed forecasts and charges, from landing files to marts."""

import io
import os
from collections.abc import Callable
from decimal import Decimal

import openpyxl
import pytest
from conftest import Company

HEADER = "Cost Center ID,Month,Currency,Amount,Organization,Note\n"
FIRST = (
    HEADER + "F,2026-01,USD,80,vet,\n"
    "F,2026-02,USD,70,vet,replaced by the later file\n"
    "F,1 Mar 2026,USD,90,vet,\n"
    "K,2026-02,USD,50,,\n"
    "K,2026-02,USD,45,,the second row of the month\n"
    "X,2026-02,USD,10,,\n"
    "F,2026-13,USD,5,vet,\n"
    "F,2026-04,USD,many,vet,\n"
    "F,2026-03,EUR,9,vet,\n"
)


def later_workbook() -> bytes:
    """A workbook with the manual forecast of Front Office for February."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEADER.strip().split(","))
    sheet.append(["F", "2026-02", "USD", 72, "vet", "after the reminder"])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def with_bills(company: Company) -> Company:
    """Front Office has 7 of 10 licenses at 12.00 and passes 10 % of its cost on to Kennel."""
    company.drop("organizations/o.csv", "Organization,Name\nvet,Vet Clinic\n")
    company.drop(
        "cost_centers/c.csv",
        "Cost Center ID,Organization,Name\nF,vet,Front Office\nK,vet,Kennel\n",
    )
    company.drop(
        "split_history/s.csv",
        "Subscription ID,Event,Datetime,Total Quantity,Cost Center,Allocated Quantity,"
        "Organization\n"
        "office,Cost center split adjusted,2025-12-01,10,Front Office,7,vet\n"
        "office,Cost center split adjusted,2025-12-01,10,Kennel,3,vet\n",
    )
    company.drop(
        "shared_costs/r.csv",
        "Organization,Shared Cost Center ID,Method,Cost Center ID,Percent,Valid From\n"
        "vet,F,percent,K,10,2026-01-01\n",
    )
    company.drop(
        "billing_lines/b.csv",
        "Subscription ID,ProductName,Quantity,TotalCost,ChargeStartDate,BillingDate,"
        "BillingLineDetails,Organization,Currency\n"
        "office,Office,10,120.00,2026-01-01,2026-01-31,"
        "cycleCharge. From 01 Jan 2026 to 31 Jan 2026 (31 days),vet,USD\n"
        "office,Office,10,120.00,2026-02-01,2026-02-28,"
        "cycleCharge. From 01 Feb 2026 to 28 Feb 2026 (28 days),vet,USD\n",
    )
    company.drop("budgets/b.csv", "Cost Center ID,Month,Currency,Amount\nF,2026-02,USD,100\n")
    return company


@pytest.fixture(scope="module")
def vet(new_company: Callable[[], Company]) -> Company:
    company = with_bills(new_company())
    first = company.drop("manual_forecasts/z.csv", FIRST)
    os.utime(first, (1_770_000_000, 1_770_000_000))
    later = company.drop("manual_forecasts/a.xlsx", later_workbook())
    os.utime(later, (1_770_100_000, 1_770_100_000))
    return company.build()


def test_a_manual_forecast_stands_beside_budget_forecast_and_charge(vet: Company) -> None:
    rows = vet.query(
        """
        select month::varchar, cost_center_id, currency, manual_forecast, forecast, budget, actual,
            variance
        from marts.forecast_variance order by month, cost_center_id, currency
        """
    )
    # 120.00 x 7 / 10 = 84.00, less 8.40 for Kennel: 75.60. Kennel: 36.00 + 8.40 = 44.40.
    # The forecast is before shared costs. Front Office has a budget in February only.
    assert rows == [
        ("2026-01-01", "F", "USD", *amounts("80", None, "0", "75.6", "-4.4")),
        ("2026-02-01", "F", "USD", *amounts("72", None, "100", "75.6", "3.6")),
        ("2026-02-01", "K", "USD", *amounts("45", None, None, "44.4", "-0.6")),
        ("2026-03-01", "F", "EUR", *amounts("9", "0", None, None, None)),
        ("2026-03-01", "F", "USD", *amounts("90", "84", "0", None, None)),
    ]


def amounts(*numbers: str | None) -> list[Decimal | None]:
    return [None if number is None else Decimal(number) for number in numbers]


def test_budgets_keep_their_rows_and_have_the_manual_forecast_in_a_column(vet: Company) -> None:
    rows = vet.query(
        """
        select cost_center_id, currency, month::varchar, manual_forecast, status
        from marts.budget_variance order by cost_center_id, month
        """
    )
    assert {(cost_center, currency) for cost_center, currency, *_ in rows} == {("F", "USD")}
    assert [each[2:] for each in rows[:4]] == [
        ("2026-01-01", Decimal(80), "over_budget"),
        ("2026-02-01", Decimal(72), "over_budget"),
        ("2026-03-01", Decimal(90), None),
        ("2026-04-01", None, None),
    ]
    assert len(rows) == 12


def test_unusable_and_unmatched_manual_forecasts_are_reported(vet: Company) -> None:
    assert vet.query(
        """
        select file, row_number, column_name, value from marts.quarantined_rows
        where feed = 'manual_forecasts' order by row_number
        """
    ) == [
        ("manual_forecasts/z.csv", 8, "Month", "2026-13"),
        ("manual_forecasts/z.csv", 9, "Amount", "many"),
    ]
    assert vet.query(
        """
        select kind, message, amount_at_stake from marts.findings
        where contains(message, 'manual forecast') order by kind
        """
    ) == [
        (
            "budget_in_other_currency",
            "F has a manual forecast in EUR and is charged in USD",
            Decimal(9),
        ),
        (
            "budget_repeated",
            'manual_forecasts/z.csv has 2 manual forecasts of "K" for 2026-02; the last one, 45'
            " USD, counts; remove the others",
            Decimal(50),
        ),
        (
            "budget_without_cost_center",
            'manual_forecasts/z.csv has a manual forecast for "X", which is not a known cost'
            " center",
            Decimal(10),
        ),
    ]


def test_a_budget_may_land_as_manual_forecast_too(company: Company) -> None:
    # The same bytes in both folders are two plans, not one file and its copy.
    with_bills(company)
    budget = (company.data.landing / "budgets" / "b.csv").read_text()
    company.drop("manual_forecasts/b.csv", budget)
    company.build(models=["forecast_variance"])
    assert company.query(
        "select month::varchar, cost_center_id, manual_forecast, budget"
        " from marts.forecast_variance"
    ) == [("2026-02-01", "F", Decimal(100), Decimal(100))]


def test_the_sample_has_manual_forecasts_for_three_months(sample_company: Company) -> None:
    assert sample_company.query(
        """
        select cost_center_id, count(*), sum(manual_forecast), count(budget), count(forecast),
            count(actual)
        from marts.forecast_variance group by all order by all
        """
    ) == [
        ("ALD-100", 3, Decimal(2240), 0, 3, 0),
        ("COB-100", 3, Decimal(6700), 3, 3, 0),
        ("DUN-100", 3, Decimal(8400), 3, 3, 0),
    ]
