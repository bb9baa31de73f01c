"""Corrections that are incomplete, exact in thirds, or without effect."""

import pytest
from conftest import Company, NewCompany
from ledger_stories import (
    FIRST_BILL,
    SECOND_BILL,
    SPLITS,
    broker_report,
    chapter,
    close,
    corrections,
    cost_centers,
    invoice,
    invoices,
    land,
    organizations,
    refusal,
    rename_everybody,
    report,
    splits,
    total,
)
from written_tables import book


@pytest.fixture(scope="module")
def oddities(new_company: NewCompany) -> Company:
    """January is closed; then unusual corrections, a bad re-issue and new names land together."""
    company = new_company()
    land(company, "organizations/organizations.csv", organizations(), 1)
    land(company, "cost_centers/cost_centers.csv", cost_centers(), 1)
    land(company, "split_history/splits.csv", splits(SPLITS), 1)
    lines = """
        2025-01-07  writer   10  100  150
        2025-01-07  writer    3  -30  -60
        2025-01-07  project   8   80  120
        2025-01-07  planner   3   10   20
    """
    land(company, "billing_lines/broker.csv", broker_report(lines), 1)
    land(company, "billing_lines/g1.csv", invoice("G1", FIRST_BILL), 1)
    land(company, "invoices/1.csv", invoices("G1  2025-01-07  150"), 1)
    company.build()
    close(company, "2025-01")
    rename_everybody(company)
    # The lines are 133, the invoice has 140.
    land(company, "billing_lines/g1.csv", invoice("G1", SECOND_BILL), 2)
    land(company, "invoices/2.csv", invoices("G1  2025-01-07  140"), 2)
    late_and_bad = broker_report("2025-01-07  project  1  12.5  20")
    late_and_bad = late_and_bad.replace("2024-12-10", "10/12/2024")
    land(company, "billing_lines/late and bad.csv", late_and_bad, 2)
    land(
        company,
        "corrections/corrections.csv",
        corrections(
            """
            # Everything to a cost center without amounts that is not in the list.
            writer   2025-01  legal   7
            # Three with a third each.
            planner  2025-01  legal   1
            planner  2025-01  sales   1
            planner  2025-01  market  1
            nobody   2025-01  sales   1
            writer   2025-02  sales   1
            """
        ),
        2,
    )
    return chapter(company.build(expect_success=False), "after")


def test_odd_corrections_do_not_stop_a_build(oddities: Company) -> None:
    assert oddities.failures == ()


def test_a_correction_to_a_cost_center_without_amounts_gives_it_everything(
    oddities: Company,
) -> None:
    # Three lines of writer: 100 and 150, a refund of 30 and 60, and the invoice's 100 without
    # sales.
    assert report(
        oddities,
        "cost_center_id, total_cost, total_sales, total_margin",
        "split_reason = 'corrected' and subscription_id = 'writer'",
    ) == book(
        """
        sales   -60  -90   -30
        market  -40  -60   -20
        legal   100  150    50
        sales    18   36    18
        market   12   24    12
        legal   -30  -60   -30
        sales   -60    -     -
        market  -40    -     -
        legal   100    -     -
        """
    )


def test_a_correction_in_thirds_is_exact(oddities: Company) -> None:
    # 10 was 6.666667 for market and 3.333333 for sales. Now legal, first in the alphabet, has
    # 3.333333, market has 6.666667 less that, and sales has the rest, 3.333333 as before.
    assert report(
        oddities,
        "cost_center_id, quantity, total_cost, total_sales",
        "split_reason = 'corrected' and subscription_id = 'planner'",
    ) == book(
        """
        legal    1   3.333333   6.666667
        market  -1  -3.333333  -6.666667
        """
    )


def test_corrections_without_a_subscription_or_of_open_periods_are_findings(
    oddities: Company,
) -> None:
    assert oddities.query(
        """
        select subscription_id, billing_period
        from marts.findings
        where kind = 'correction_not_applied' and subscription_id in ('nobody', 'writer')
        order by subscription_id
        """
    ) == [("nobody", "2025-01"), ("writer", "2025-02")]


def test_a_partial_correction_of_a_closed_bill_is_not_posted(oddities: Company) -> None:
    # February bills the corrections of January, so bad rows of January block its closing.
    message = refusal(oddities, "2025-02")
    assert "late and bad.csv are in quarantine, 12.5" in message
    assert "invoice G1 does not tie: USD 7" in message


def test_a_reversal_names_the_cost_center_that_was_charged(oddities: Company) -> None:
    # viewer: sales had 2 of 5 seats, market 3.
    assert report(
        oddities,
        "cost_center_id, cost_center_name_then, share, total_cost",
        "split_reason = 'reversed' and subscription_id = 'viewer'",
    ) == book(
        """
        sales   Sales   0.4  -12
        market  Market  0.6  -18
        """
    )


def test_a_corrected_row_names_its_cost_center(oddities: Company) -> None:
    assert report(
        oddities,
        "distinct cost_center_id, cost_center_name, cost_center_name_then",
        "split_reason = 'corrected' and cost_center_id in ('sales', 'market')",
    ) == book(
        """
        sales   Revenue  Sales
        market  Brand    Market
        """
    )


@pytest.mark.parametrize("mart", ["chargeback", "chargeback_as_corrected"])
def test_a_new_name_creates_no_second_row_of_a_cost_center(oddities: Company, mart: str) -> None:
    assert (
        oddities.query(
            f"""
            select
                billing_period, product_name, cost_center_id, list(distinct cost_center_name)
            from marts.{mart}
            group by billing_period, organization_id, product_name, cost_center_id, currency
            having count(*) > 1
            """
        )
        == []
    )


@pytest.fixture(scope="module")
def no_seats(new_company: NewCompany) -> Company:
    """An approved correction gives no cost center a seat, which is not a split."""
    company = new_company()
    land(company, "split_history/splits.csv", splits(SPLITS), 1)
    land(company, "billing_lines/broker.csv", broker_report("2025-01-07  project  8  80  120"), 1)
    company.build()
    close(company, "2025-01")
    nobody = "project  2025-01  sales  0\nproject  2025-01  market  0"
    land(company, "corrections/corrections.csv", corrections(nobody), 2)
    return chapter(company.build(expect_success=False), "after")


def test_a_correction_without_seats_moves_no_amount(no_seats: Company) -> None:
    assert total(no_seats) == 80
    assert total(no_seats, measure="total_sales") == 120


def test_a_correction_without_seats_does_not_stop_a_build(no_seats: Company) -> None:
    assert no_seats.failures == ()
