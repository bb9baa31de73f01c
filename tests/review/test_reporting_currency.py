"""Charged amounts in the reporting currency, from landing files to marts."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from conftest import Company

LINE = (
    "{subscription},Office,{quantity},{cost},2026-{month}-01,2026-{month}-28,cycleCharge."
    " From 01 {name} 2026 to {last} {name} 2026 ({last} days),{organization},{currency}\n"
)
RATES = (
    "From Currency,To Currency,Date,Rate\n"
    "EUR,USD,2026-01-15,1.25\n"
    "EUR,USD,2026-02-28,1.1743\n"
    "EUR,USD,2026-03-01,9.99\n"
)


def bills() -> str:
    """USD in January and February, EUR and GBP in January."""
    lines = [
        ("office", 10, "120.00", "01", "Jan", 31, "vet", "USD"),
        ("office", 10, "120.00", "02", "Feb", 28, "vet", "USD"),
        ("lager", 5, "50.00", "01", "Jan", 31, "spedition", "EUR"),
        ("ward", 5, "30.00", "01", "Jan", 31, "clinic", "GBP"),
    ]
    names = (
        "subscription",
        "quantity",
        "cost",
        "month",
        "name",
        "last",
        "organization",
        "currency",
    )
    return (
        "Subscription ID,ProductName,Quantity,TotalCost,ChargeStartDate,BillingDate,"
        "BillingLineDetails,Organization,Currency\n"
        + "".join(LINE.format(**dict(zip(names, each, strict=True))) for each in lines)
    )


@pytest.fixture(scope="module")
def group(new_company: Callable[[], Company]) -> Company:
    company = new_company()
    company.data.root.mkdir(parents=True, exist_ok=True)
    company.data.declarations.write_text('[reporting]\ncurrency = "EUR"\n')
    company.drop(
        "organizations/o.csv",
        "Organization,Name\nvet,Vet Clinic\nspedition,Spedition\nclinic,Clinic\n",
    )
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
    company.drop("exchange_rates/r.csv", RATES)
    company.drop("billing_lines/b.csv", bills())
    return company.build()


def test_amounts_are_converted_at_the_last_rate_of_the_period(group: Company) -> None:
    rows = group.query(
        """
        select billing_period, organization_id, currency, charged_amount, exchange_rate,
            exchange_rate_date::varchar, charged_amount_in_reporting_currency, reporting_currency
        from marts.chargeback_in_reporting_currency
        where charged_amount <> 0
        order by billing_period, currency, charged_amount desc
        """
    )
    assert {row[-1] for row in rows} == {"EUR"}
    # January: 84.00 / 1.25 and 36.00 / 1.25. February: 84.00 / 1.1743 and 36.00 / 1.1743, with the
    # rate of the last day; the rate of 1 March does not apply.
    assert [row[:-1] for row in rows] == [
        ("2026-01", "spedition", "EUR", *decimals("50", "1"), None, Decimal(50)),
        ("2026-01", "clinic", "GBP", Decimal(30), None, None, None),
        ("2026-01", "vet", "USD", *decimals("84", "0.8"), "2026-01-15", Decimal("67.2")),
        ("2026-01", "vet", "USD", *decimals("36", "0.8"), "2026-01-15", Decimal("28.8")),
        (
            *("2026-02", "vet", "USD", *decimals("84", "0.8515711488"), "2026-02-28"),
            Decimal("71.5319764966"),
        ),
        (
            *("2026-02", "vet", "USD", *decimals("36", "0.8515711488"), "2026-02-28"),
            Decimal("30.6565613557"),
        ),
    ]


def decimals(*numbers: str) -> list[Decimal]:
    return [Decimal(number) for number in numbers]


def test_every_charged_amount_is_in_the_table(group: Company) -> None:
    assert group.query(
        "select billing_period, currency, sum(charged_amount) from marts.chargeback group by all"
        " order by all"
    ) == group.query(
        "select billing_period, currency, sum(charged_amount)"
        " from marts.chargeback_in_reporting_currency group by all order by all"
    )


def test_a_missing_rate_is_a_finding_that_names_the_pair_and_the_month(group: Company) -> None:
    assert group.query(
        "select billing_period, currency, amount_at_stake, message from marts.findings"
        " where kind = 'reporting_rate_missing'"
    ) == [
        (
            "2026-01",
            "GBP",
            Decimal(30),
            "no exchange rate from GBP to EUR is known for 2026-01-31 or before: charges of"
            " 2026-01 are not converted",
        )
    ]


def test_without_the_setting_nothing_is_converted(sample_company: Company) -> None:
    assert sample_company.query("select count(*) from marts.chargeback_in_reporting_currency") == [
        (0,)
    ]
