"""Refunds of charges in closed periods, and the split and period of late lines."""

from dataclasses import dataclass

import duckdb
import pytest
from conftest import Company, NewCompany
from ledger_stories import (
    chapter,
    close,
    corrections,
    invoice,
    invoices,
    land,
    organizations,
    report,
    splits,
)
from written_tables import book

from dagster_project.ledger.postings import append_posting

CHARGES = """
writer  new  10  100  2024-12-15  2025-01-14
reader  new   4   40  2024-12-15  2025-01-14
"""
# writer: half a month of the old seats is refunded. reader: canceled and fully refunded.
REFUNDS = """
writer  addQuantity      10  -50  2025-01-05  2025-01-14
reader  cancelImmediate   4  -40  2024-12-15  2025-01-14
"""
CHARGED_SPLITS = """
writer  2024-12-15T09:00:00Z  6  4
reader  2024-12-15T09:00:00Z  1  3
"""
SPLITS_RECORDED_TOO_LATE = """
writer  2024-12-15T20:00:00Z  10  0
reader  2024-12-15T20:00:00Z   4  0
"""
CORRECTION_OF_JANUARY = """
writer  2025-01  sales   2
writer  2025-01  market  8
reader  2025-01  sales   3
reader  2025-01  market  1
"""
SECOND_REFUND = "writer  addQuantity  10  -25  2025-01-10  2025-01-14"


@dataclass(frozen=True)
class Refunds:
    """Charges in January, refunds in February, the policy mirror_original."""

    closed_january: Company
    january_archived: Company
    january_corrected: Company
    correction_archived: Company
    open_january: Company


@pytest.fixture(scope="module")
def refunds(new_company: NewCompany) -> Refunds:
    def charge(company: Company) -> None:
        mirrored = organizations(refund_policy="mirror_original")
        land(company, "organizations/organizations.csv", mirrored, 1)
        land(company, "split_history/splits.csv", splits(CHARGED_SPLITS), 1)
        land(company, "billing_lines/2025-01.csv", invoice("G1", CHARGES), 1)
        land(company, "invoices/1.csv", invoices("G1  2025-01-07  140"), 1)

    def refund(company: Company) -> None:
        land(company, "split_history/late.csv", splits(SPLITS_RECORDED_TOO_LATE), 2)
        land(company, "billing_lines/2025-02.csv", invoice("G2", REFUNDS), 2)
        land(company, "invoices/2.csv", invoices("G2  2025-02-07  -90"), 2)
        company.build()

    company = new_company()
    charge(company)
    company.build()
    close(company, "2025-01")
    refund(company)
    closed_january = chapter(company, "february")
    (company.data.landing / "billing_lines/2025-01.csv").unlink()
    company.build()
    january_archived = chapter(company, "archived")
    land(company, "corrections/january.csv", corrections(CORRECTION_OF_JANUARY), 3)
    company.build()
    january_corrected = chapter(company, "corrected")
    close(company, "2025-02")
    (company.data.landing / "corrections/january.csv").unlink()
    land(company, "billing_lines/2025-03.csv", invoice("G3", SECOND_REFUND), 4)
    land(company, "invoices/3.csv", invoices("G3  2025-03-07  -25"), 4)
    company.build()
    correction_archived = chapter(company, "correction archived")
    twin = new_company()
    charge(twin)
    refund(twin)
    return Refunds(closed_january, january_archived, january_corrected, correction_archived, twin)


REFUND_COLUMNS = "subscription_id, split_reason, cost_center_id, quantity, total_cost"
REFUNDS_AS_CHARGED = """
# 60 to 40 of 50, and the whole 10 and 30 that were charged.
writer  mirror_original  sales   6  -30
writer  mirror_original  market  4  -20
reader  full_reversal    sales   1  -10
reader  full_reversal    market  3  -30
"""


def test_a_refund_of_a_closed_charge_uses_the_posted_split(refunds: Refunds) -> None:
    found = report(refunds.closed_january, REFUND_COLUMNS, "billing_period = '2025-02'")
    assert found == book(REFUNDS_AS_CHARGED)


def test_a_refund_of_an_open_charge_uses_the_later_split(
    refunds: Refunds,
) -> None:
    # Otherwise the test above would prove nothing.
    assert report(refunds.open_january, REFUND_COLUMNS, "billing_period = '2025-02'") == book(
        """
        writer  mirror_original  sales  10  -50
        reader  full_reversal    sales   4  -40
        """
    )


def test_a_refund_of_a_closed_charge_finds_it_when_its_file_is_archived(
    refunds: Refunds,
) -> None:
    found = report(refunds.january_archived, REFUND_COLUMNS, "billing_period = '2025-02'")
    assert found == book(REFUNDS_AS_CHARGED)


def test_a_refund_of_a_corrected_charge_uses_the_split_as_corrected(refunds: Refunds) -> None:
    # The charges were 60 to 40 and 10 to 30; as corrected they are 20 to 80 and 30 to 10.
    assert report(
        refunds.january_corrected,
        REFUND_COLUMNS,
        "billing_period = '2025-02' and charge_class is null",
    ) == book(
        """
        writer  mirror_original  sales   2  -10
        writer  mirror_original  market  8  -40
        reader  full_reversal    sales   3  -30
        reader  full_reversal    market  1  -10
        """
    )


def test_the_explanation_of_such_a_refund_names_the_correction(refunds: Refunds) -> None:
    assert refunds.january_corrected.query(
        """
        select explanation from marts.billing_report
        where split_reason = 'mirror_original' and cost_center_id = 'sales'
        """
    ) == [
        (
            "refund (cutoff 2025-01-05 00:00 UTC), a refund under the policy mirror_original: the"
            " split of the refunded charge applies as corrected, sales has 2 of 10, so cost is"
            " -50 x 2 / 10 = -10; rounding 0",
        )
    ]


def test_a_posted_correction_counts_when_its_file_is_archived(refunds: Refunds) -> None:
    assert report(
        refunds.correction_archived, REFUND_COLUMNS, "billing_period = '2025-03'"
    ) == book(
        """
        writer  mirror_original  sales   2  -5
        writer  mirror_original  market  8  -20
        """
    )


def test_a_refund_points_at_the_posted_charge(refunds: Refunds) -> None:
    for company in (refunds.closed_january, refunds.january_archived):
        assert company.query(
            """
            select distinct refund.subscription_id, charge.subscription_id, charge.is_posted
            from marts.billing_report as refund
            inner join marts.billing_report as charge on refund.refund_of_line_id = charge.line_id
            where refund.billing_period = '2025-02'
            order by 1
            """
        ) == [("reader", "reader", True), ("writer", "writer", True)]


# --- late lines ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def late_extra(new_company: NewCompany) -> Company:
    """Seats added from 2 to 31 January, billed on the 6th, recorded after closing on the 20th.

    There is no bill of February; March's is there.
    """
    company = new_company()
    changes = """
        writer  2024-12-01T08:00:00Z  6  4
        # After the bill, before closing.
        writer  2025-01-10T08:00:00Z  5  5
        # After closing.
        writer  2025-01-25T08:00:00Z  0  10
    """
    land(company, "split_history/splits.csv", splits(changes), 1)
    on_time = "writer  addQuantity  10  100  2025-01-02  2025-01-31"
    late = "writer  addQuantity  2  20  2025-01-02  2025-01-31"
    march = "writer  cycleCharge  10  100  2025-02-01  2025-02-28"
    land(company, "billing_lines/g1.csv", invoice("G1", on_time), 1)
    land(company, "billing_lines/g3.csv", invoice("G3", march), 1)
    dates = "G1  2025-01-06  100\nG2  2025-01-06  20\nG3  2025-03-06  100"
    land(company, "invoices/invoices.csv", invoices(dates), 1)
    company.build()
    with duckdb.connect(str(company.data.warehouse)) as connection:
        append_posting(
            company.data.ledger, connection, "2025-01", "2025-01-20T12:00:00", "ada", None
        )
    land(company, "billing_lines/g2.csv", invoice("G2", late), 2)
    return company.build()


def test_a_late_line_uses_the_last_split_before_its_period_was_closed(
    late_extra: Company,
) -> None:
    # On time it was cut at its billing date: 60 to 40. Late it is cut at the closing: halves.
    assert report(
        late_extra,
        "original_billing_period, cost_center_id, total_cost",
        "original_billing_period = '2025-01'",
    ) == book(
        """
        2025-01  sales   60
        2025-01  market  40
        2025-01  sales   10
        2025-01  market  10
        """
    )


def test_a_late_line_is_posted_in_the_oldest_open_period_with_a_bill(
    late_extra: Company,
) -> None:
    assert report(
        late_extra,
        "billing_period, original_billing_period, charge_class, sum(total_cost)",
        "true group by 1, 2, 3",
    ) == book(
        """
        2025-01  2025-01  -           100
        2025-03  2025-01  Correction   20
        2025-03  2025-03  -           100
        """
    )
