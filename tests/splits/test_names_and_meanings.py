"""Events, cost centers and seats as providers and people name them, checked by hand."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from conftest import Company

LINES_HEADER = (
    "Organization,Subscription ID,Product Name,Charge Type,Charge Start Date,Charge End Date,"
    "Quantity,Total Cost,Currency,Billing Date"
)
LINES = """
events,bare,Office,cycleCharge,2026-01-01,2026-01-31,8,16.00,USD,2026-02-06
events,manual,Office,cycleCharge,2026-01-01,2026-01-31,10,10.00,USD,2026-02-06
typo,typo,Office,cycleCharge,2026-01-01,2026-01-31,1,10.00,USD,2026-02-06
fees,fees,Office,cycleCharge,2026-01-01,2026-01-31,2,20.00,USD,2026-02-06
fees,fees,Office,Activation fee,2026-01-01,2026-01-31,1,5.00,USD,2026-02-06
sevenths,sevenths,Office,cycleCharge,2026-01-01,2026-01-31,7,70.00,USD,2026-02-06
nameless,,Office,cycleCharge,2026-01-01,2026-01-31,3,30.00,USD,2026-02-06
ended,ended,Office,new,2026-01-12,2026-02-11,12,24.00,USD,2026-02-06
ended,never,Office,new,2026-01-12,2026-02-11,12,24.00,USD,2026-02-06
"""
SPLITS = """
Organization,Subscription ID,Event,Datetime,Total Quantity,Cost Center,Allocated Quantity
events,bare,Subscription is created,2025-12-01,10,,
events,bare,Cost center split (under a subscription) is changed,2025-12-02,10,Red,6
events,bare,Cost center split (under a subscription) is changed,2025-12-02,10,Blue,2
events,bare,Cost center is deleted,2025-12-03,8,Blue,
events,manual,COST CENTER SPLIT (under a subscription) is changed.,2025-12-05,10,Red,10
events,manual,Subscription total quantity is changed by Edit Subscription,2025-12-05,10,Blue,10
typo,typo,Cost center split adjusted,2025-12-01,1,Salse,1
fees,fees,Cost center split adjusted,2025-12-01,2,Sales,2
sevenths,sevenths,Cost center split adjusted,2025-12-01,7,Sales,6
ended,ended,Cost center split adjusted,2026-01-12 10:00,12,Sales,12
ended,ended,Subscription total quantity is changed by Edit Subscription,2026-01-12 16:45,0,,
ended,never,Subscription is created,2026-01-12 10:00,0,,
"""
CENTERS = """
Cost Center ID,Organization,Name
Red,events,Red
Blue,events,Blue
Sales,typo,Sales
Sales,fees,Sales
Sales,sevenths,Sales
Sales,ended,Sales
"""


@pytest.fixture(scope="module")
def built(new_company: Callable[[], Company]) -> Company:
    company = new_company()
    company.drop("billing_lines/bill.csv", LINES_HEADER + LINES)
    company.drop("split_history/splits.csv", SPLITS.lstrip())
    company.drop("cost_centers/centers.csv", CENTERS.lstrip())
    return company.build()


def charged(company: Company, subscription: str) -> dict[str, Decimal]:
    return dict(
        company.query(
            "select cost_center_name, sum(total_cost) from marts.billing_report"
            " where subscription_id = $subscription group by all having sum(total_cost) <> 0",
            {"subscription": subscription},
        )
    )


def findings(company: Company, kind: str) -> list[tuple]:
    return company.query(
        "select subscription_id, amount_at_stake, message from marts.findings"
        " where kind = $kind order by all",
        {"kind": kind},
    )


def test_the_providers_own_event_names_are_understood(built: Company) -> None:
    # 6 of 8 licenses are Red's; Blue's 2 went to Default when Blue was deleted.
    assert charged(built, "bare") == {"Red": Decimal(12), "Default": Decimal(4)}
    assert findings(built, "unknown_event") == []


def test_a_manual_change_counts_after_an_automatic_event_of_its_date(built: Company) -> None:
    assert charged(built, "manual") == {"Red": Decimal(10)}


def test_a_mistyped_cost_center_is_a_finding_with_its_amount(built: Company) -> None:
    assert charged(built, "typo") == {"Salse": Decimal(10)}
    assert findings(built, "unknown_cost_center") == [
        (
            "typo",
            Decimal(10),
            'the split names the cost center "Salse", which is not in the list of cost centers;'
            " correct the name or add it to the list",
        )
    ]


def test_a_one_time_fee_adds_no_seats(built: Company) -> None:
    assert [row for row in findings(built, "seat_mismatch") if row[0] == "fees"] == []
    assert [row for row in findings(built, "quantity_mismatch") if row[0] == "fees"] == []


def test_the_amount_of_licenses_in_default_is_exact(built: Company) -> None:
    at_stake = {row[0]: row[1] for row in findings(built, "in_default")}
    assert at_stake["sevenths"] == Decimal("10.0000000000")


def test_a_charge_for_licenses_without_a_subscription_is_a_finding(built: Company) -> None:
    ((subscription, at_stake, message),) = findings(built, "no_subscription")
    assert (subscription, at_stake) == (None, Decimal(30))
    assert message.startswith("1 charge(s) for licenses have no subscription and are in Default")


def test_a_charge_that_meets_a_total_of_zero_uses_the_last_split_with_licenses(
    built: Company,
) -> None:
    assert charged(built, "ended") == {"Sales": Decimal(24)}
    assert charged(built, "never") == {"Default": Decimal(24)}
    assert built.query(
        "select distinct subscription_id, split_reason from marts.billing_report"
        " where organization_id = 'ended' order by 1"
    ) == [("ended", "zero_total"), ("never", "zero_total")]
