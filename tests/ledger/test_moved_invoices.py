"""An invoice that moves to another month after its period was closed."""

from dataclasses import dataclass

import pytest
from conftest import Company, NewCompany
from ledger_stories import (
    FIRST_BILL,
    SPLITS,
    chapter,
    close,
    invoice,
    invoices,
    land,
    report,
    splits,
    total,
)
from written_tables import book


@dataclass(frozen=True)
class MovedInvoices:
    """January is closed; then its invoices turn out to be dated in February."""

    billed: Company
    moved: Company


@pytest.fixture(scope="module")
def moved_invoices(new_company: NewCompany) -> MovedInvoices:
    company = new_company()
    land(company, "split_history/splits.csv", splits(SPLITS), 1)
    # No list of invoices: the billing date is assumed, 6 January for charges of December.
    land(company, "billing_lines/g1.csv", invoice("G1", FIRST_BILL), 1)
    assumed = "project  cycleCharge  8  80  2024-12-28  2025-01-27"
    land(company, "billing_lines/g5.csv", invoice("G5", assumed), 1)
    company.build()
    billed = chapter(company, "billed")
    close(company, "2025-01")
    # G1 is delivered again with one more line, of January, so 6 February is assumed for all of it.
    longer = FIRST_BILL + "planner  addQuantity  3  9  2025-01-03  2025-01-09\n"
    land(company, "billing_lines/g1 version 2.csv", invoice("G1", longer), 2)
    # G5 is added to the list of invoices.
    land(company, "invoices/invoices.csv", invoices("G5  2025-02-03  80"), 2)
    company.build(expect_success=False)
    return MovedInvoices(billed, chapter(company, "moved"))


def test_a_posted_line_is_not_billed_again_when_its_invoice_moves(
    moved_invoices: MovedInvoices,
) -> None:
    assert report(moved_invoices.billed, "distinct billing_period") == ["2025-01"]
    assert total(moved_invoices.billed) == 150 + 80
    # Only planner's line is new.
    assert report(
        moved_invoices.moved,
        "subscription_id, cost_center_id, total_cost",
        "billing_period <> '2025-01'",
    ) == book(
        """
        planner  sales   3
        planner  market  6
        """
    )


def test_every_amount_is_billed_once_when_invoices_move(moved_invoices: MovedInvoices) -> None:
    assert moved_invoices.moved.failures == ()
    assert total(moved_invoices.moved) == 150 + 80 + 9
    assert total(moved_invoices.moved, "billing_period = '2025-01'") == 150 + 80
