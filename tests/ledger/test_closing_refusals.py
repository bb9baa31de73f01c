"""Closing is refused, with the reason, while amounts are missing, ambiguous or unallocated."""

import gzip
import shutil
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import duckdb
import pytest
from conftest import Company, NewCompany
from ledger_stories import broker_report, chapter, close, invoice, invoices, land, refusal

from dagster_project.errors import NotAPeriodToClose
from dagster_project.ledger import closing
from dagster_project.ledger.postings import read_postings


@dataclass(frozen=True)
class Refusals:
    """January is clean, February has a bad row, March does not tie."""

    billed: Company
    january_closed: Company
    february_closed: Company


@pytest.fixture(scope="module")
def refusals(new_company: NewCompany) -> Refusals:
    company = new_company()
    clean = "2025-01-07  writer  10  100  150\n2025-02-07  writer  10  100  150"
    bad_day = broker_report("2025-02-07  writer  1  12.5  20").replace("2024-12-10", "10/12/2024")
    land(company, "billing_lines/bad row.csv", bad_day, 1)
    land(company, "billing_lines/broker.csv", broker_report(clean), 1)
    land(
        company,
        "billing_lines/g3.csv",
        invoice("G3", "reader  cycleCharge  9  90  2025-02-10  2025-03-09"),
        1,
    )
    land(
        company,
        "invoices/invoices.csv",
        invoices("G3  2025-03-07  100.5\nG4  2025-03-08  70"),
        1,
    )
    company.build()
    billed = chapter(company, "billed")
    close(company, "2025-01")
    company.build()
    january_closed = chapter(company, "january closed")
    close(company, "2025-02", "the row is a known duplicate, ticket 7")
    land(company, "billing_lines/torn.csv.gz", gzip.compress(b"half an archive")[:-9], 2)
    company.build()
    return Refusals(billed, january_closed, chapter(company, "february closed"))


@pytest.mark.parametrize("period", ["2024-12", "2025-04", "0000-01"])
def test_a_period_without_lines_is_refused(refusals: Refusals, period: str) -> None:
    message = refusal(refusals.billed, period, "because")
    assert f"{period} has no billing lines" in message
    assert "2025-01, 2025-02, 2025-03" in message


@pytest.mark.parametrize(
    "period",
    ["2025-13", "2025-00", "2025-1", "January", "", "2025-01 ", "2025-01\n", "2025-01-01", "2025"],
)
def test_a_period_that_is_not_a_month_is_refused(refusals: Refusals, period: str) -> None:
    assert "is not a month like 2026-01" in refusal(refusals.billed, period, "because")


@pytest.mark.parametrize("reason", [None, "because"])
def test_a_period_is_refused_while_an_older_one_is_open(
    refusals: Refusals, reason: str | None
) -> None:
    assert "2025-01 is still open" in refusal(refusals.billed, "2025-02", reason)
    assert "2025-02 is still open" in refusal(refusals.january_closed, "2025-03", reason)


@pytest.mark.parametrize("reason", [None, "because"])
def test_a_closed_period_is_refused(refusals: Refusals, reason: str | None) -> None:
    assert "2025-01 is closed already" in refusal(refusals.january_closed, "2025-01", reason)
    assert "2025-01 is closed already" in refusal(refusals.february_closed, "2025-01", reason)


def test_a_period_is_refused_a_second_time_even_before_the_next_run(refusals: Refusals) -> None:
    # The marts still show it as open: two clicks on the web UI's close_period, or two people.
    company = chapter(refusals.billed, "closed twice")
    close(company, "2025-01")
    assert "2025-01 is closed already" in refusal(company, "2025-01")


def test_a_period_is_refused_before_anything_is_computed(refusals: Refusals) -> None:
    # Another run may hold the lock for minutes, and a change in landing would need a run first.
    company = chapter(refusals.january_closed, "published")
    company.data.published.mkdir()
    company.data.landing.mkdir(exist_ok=True)
    shutil.copyfile(company.data.warehouse, company.data.published_database)
    for period, message in (
        ("2025-01", "2025-01 is closed already"),
        ("2025-03", "2025-02 is still open and comes before 2025-03"),
    ):
        with pytest.raises(NotAPeriodToClose, match=message):
            closing.require_closable(company.data, period)
    closing.require_closable(company.data, "2025-02")
    # The results are not those of landing, which may have lines of the period.
    closing.require_closable(company.data, "2025-09")


def test_amounts_in_quarantine_are_refused_and_named(refusals: Refusals) -> None:
    message = refusal(refusals.january_closed, "2025-02")
    assert "1 row(s) of billing_lines/bad row.csv are in quarantine, 12.5" in message


@pytest.mark.parametrize("reason", ["", " ", "\t\n"], ids=repr)
def test_a_blank_reason_is_not_accepted(refusals: Refusals, reason: str) -> None:
    # Closed in a copy, in case it is closed.
    company = chapter(refusals.january_closed, f"blank reason {len(reason)}")
    assert "quarantine" in refusal(company, "2025-02", reason)


def test_bad_rows_of_another_period_do_not_block_closing(refusals: Refusals) -> None:
    # The fixture closed January without a reason although February's row was there already.
    assert refusals.billed.query(
        "select count(*) from marts.quarantined_rows where billing_date = '2025-02-07'"
    ) == [(1,)]
    assert refusals.january_closed.query(
        "select distinct status, override_reason from marts.billing_periods"
        " where billing_period = '2025-01'"
    ) == [("closed", None)]


def test_an_invoice_that_does_not_tie_is_refused_with_the_difference(refusals: Refusals) -> None:
    # By hand: the invoice has 100.5, its line 90.
    message = refusal(refusals.february_closed, "2025-03")
    assert "invoice G3 does not tie: USD 10.5" in message


def test_an_invoice_without_landed_lines_is_refused(refusals: Refusals) -> None:
    assert "invoice G4 does not tie: USD 70" in refusal(refusals.february_closed, "2025-03")


def test_an_unreadable_file_may_contain_amounts_of_any_period(refusals: Refusals) -> None:
    message = refusal(refusals.february_closed, "2025-03")
    assert "1 row(s) of billing_lines/torn.csv.gz are in quarantine, amount unknown" in message


def test_unallocated_amounts_are_refused(refusals: Refusals) -> None:
    # A failed check stops a run, but close_period in the web UI takes the warehouse as it is.
    company = chapter(refusals.billed, "not allocated")
    with duckdb.connect(str(company.data.warehouse)) as connection:
        connection.execute(
            """
            update marts.invoice_reconciliation
            set allocated_total = 60, status = 'not_allocated'
            where billing_date = date '2025-01-07'
            """
        )
    refusal(company, "2025-01")


def test_with_a_reason_it_closes_and_the_reason_is_in_the_chain(refusals: Refusals) -> None:
    company = chapter(refusals.february_closed, "march closed")
    posting = close(company, "2025-03", "credit is on its way")
    assert posting.override_reason == "credit is on its way"
    assert [each.override_reason for each in read_postings(company.data.ledger)] == [
        None,
        "the row is a known duplicate, ticket 7",
        "credit is on its way",
    ]


def test_the_reason_is_shown_with_the_period(refusals: Refusals) -> None:
    assert refusals.february_closed.query(
        """
        select billing_period, status, override_reason, total_cost
        from marts.billing_periods
        order by billing_period
        """
    ) == [
        ("2025-01", "closed", None, Decimal("100")),
        ("2025-02", "closed", "the row is a known duplicate, ticket 7", Decimal("100")),
        ("2025-03", "open", None, Decimal("90")),
    ]


def test_a_closed_period_shows_its_time_and_its_closer(refusals: Refusals) -> None:
    postings = read_postings(refusals.february_closed.data.ledger)
    assert refusals.february_closed.query(
        """
        select closed_at, closed_by
        from marts.billing_periods
        where status = 'closed'
        order by billing_period
        """
    ) == [(datetime.fromisoformat(each.closed_at), each.closed_by) for each in postings]
