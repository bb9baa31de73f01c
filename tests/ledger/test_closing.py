"""Closing billing periods, end to end through real dbt builds.

Builds cost seconds, so tests share stories: a company is billed, closes, late things arrive, it
goes on. A fixture tells a story; each chapter is a copy of the warehouse as it was then.

Everybody has two cost centers, sales and market. Bills are tables of words two spaces apart.
"""

import gzip
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from conftest import Company

from dagster_project import dbt_runner, publish
from dagster_project.errors import ClosingRefused
from dagster_project.ledger import closing
from dagster_project.ledger.postings import Posting, append_posting, read_postings
from dagster_project.settings import DataFolder

NewCompany = Callable[[], Company]


# --- what lands ---------------------------------------------------------------------------------


def table(text: str) -> list[list[str]]:
    """The cells of a table whose columns stand two or more spaces apart."""
    lines = [line.strip() for line in text.strip().splitlines()]
    return [
        [cell.strip() for cell in line.split("  ") if cell.strip()]
        for line in lines
        if line and not line.startswith("#")
    ]


def csv(header: str, rows: list[list[str]]) -> str:
    return "\n".join([header, *(",".join(row) for row in rows)]) + "\n"


def invoice(number: str, text: str) -> str:
    """A Partner Center invoice. Columns: subscription, charge type, seats, cost, from, to."""
    return csv(
        "CustomerId,InvoiceNumber,ProductId,SkuId,Currency,ProductName,SubscriptionId,ChargeType,"
        "UnitPrice,Quantity,Subtotal,ChargeStartDate,ChargeEndDate",
        [
            ["alder", number, "P", "0001", "USD", f"{name} license", name, kind, "10", *rest]
            for name, kind, *rest in table(text)
        ],
    )


BROKER_DETAILS = "cycleCharge. From 10 Dec 2024 to 9 Jan 2025 (31 days)"


def broker_report(text: str) -> str:
    """A broker's report. Columns: billing date, subscription, seats, cost, sales."""
    return csv(
        "Organization,Currency,BillingLineDetails,ChargeStartDate,BillingDate,ProductName,"
        "Subscription ID,Quantity,TotalCost,TotalSales",
        [
            ["alder", "USD", BROKER_DETAILS, "2024-12-10", day, f"{name} license", name, *rest]
            for day, name, *rest in table(text)
        ],
    )


def splits(text: str) -> str:
    """Split snapshots. Columns: subscription, instant, seats of sales, seats of market."""
    event = "Cost center split adjusted"
    return csv(
        "Subscription ID,Event,Datetime,Total Quantity,Cost Center ID,Cost Center,"
        "Allocated Quantity,Organization",
        [
            [name, event, instant, str(int(sales) + int(market)), *center, "alder"]
            for name, instant, sales, market in table(text)
            for center in (("sales", "Sales", sales), ("market", "Market", market))
        ],
    )


def corrections(text: str) -> str:
    """Approved corrections. Columns: subscription, period, cost center, seats."""
    return csv(
        "Subscription ID,Billing Period,Cost Center ID,Allocated Quantity,Approved By,Reason",
        [[*row, "Grace", "moved in December"] for row in table(text)],
    )


def invoices(text: str) -> str:
    """What invoices say. Columns: number, date, subtotal."""
    return csv(
        "Invoice Number,Invoice Date,Currency,Subtotal",
        [[number, day, "USD", subtotal] for number, day, subtotal in table(text)],
    )


def cost_centers(sales: str = "Sales", market: str = "Market") -> str:
    return csv(
        "Cost Center ID,Organization,Name,Is Default",
        [
            ["default", "alder", "Default", "true"],
            ["sales", "alder", sales, "false"],
            ["market", "alder", market, "false"],
        ],
    )


def organizations(name: str = "Alder & Birch", refund_policy: str = "as_documented") -> str:
    return csv("Organization,Name,Refund Policy", [["alder", name, refund_policy]])


def land(company: Company, name: str, content: str | bytes, written: int) -> Path:
    """Drop a file, written so many hours after 2025-01-01."""
    path = company.drop(name, content)
    moment = 1_735_689_600 + 3600 * written
    os.utime(path, (moment, moment))
    return path


# --- what comes of it ---------------------------------------------------------------------------


def close(company: Company, period: str, reason: str | None = None) -> Posting:
    return closing.close(company.data, period, reason)


def chapter(company: Company, name: str) -> Company:
    """A copy of the company as it is now, to look at later."""
    root = company.data.root
    copy = Company(DataFolder(root.with_name(f"{root.name} {name}")), company.failures)
    copy.data.root.mkdir()
    shutil.copy(company.data.warehouse, copy.data.warehouse)
    if company.data.ledger.is_dir():
        shutil.copytree(company.data.ledger, copy.data.ledger)
    return copy


def plain(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    return "-" if value is None else str(value)


def book(text: str) -> list[str]:
    """Expected rows: a table, sorted, with one space between words."""
    return sorted(" ".join(row) for row in table(text))


def report(company: Company, columns: str, where: str = "true") -> list[str]:
    """Rows of the report that are about something, as words, sorted."""
    rows = company.query(
        f"""
        select {columns} from marts.billing_report
        where (total_cost <> 0 or quantity <> 0) and {where}
        """
    )
    return sorted(" ".join(map(plain, row)) for row in rows)


def total(company: Company, where: str = "true", measure: str = "total_cost") -> Decimal:
    ((found,),) = company.query(
        f"select coalesce(sum({measure}), 0) from marts.billing_report where {where}"
    )
    return Decimal(found)


def charged(company: Company, mart: str, period: str) -> list[str]:
    """What each cost center has of each product in a period: quantity, cost, sales."""
    rows = company.query(
        f"""
        select product_name, cost_center_id, sum(quantity), sum(total_cost), sum(total_sales)
        from marts.{mart}
        where billing_period = $period
        group by all
        having sum(quantity) <> 0 or sum(total_cost) <> 0
        """,
        {"period": period},
    )
    return sorted(" ".join(map(plain, row)) for row in rows)


def as_corrected(company: Company, period: str) -> list[str]:
    return charged(company, "chargeback_as_corrected", period)


def as_billed(company: Company, period: str) -> list[str]:
    return charged(company, "chargeback", period)


def frozen(company: Company, period: str) -> list[tuple]:
    """All rows of a period, with all their columns, in one order."""
    return company.query(
        "select * from marts.billing_report where billing_period = $period order by all",
        {"period": period},
    )


def ledger_bytes(company: Company) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in company.data.ledger.iterdir()}


def all_marts(company: Company) -> dict[str, list[tuple]]:
    names = company.query(
        "select table_name from information_schema.tables where table_schema = 'marts'"
    )
    return {name: company.query(f'select * from marts."{name}" order by all') for (name,) in names}


# --- closing refuses ----------------------------------------------------------------------------


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


def refusal(company: Company, period: str, reason: str | None = None) -> str:
    """The message with which closing refuses; nothing of the ledger is written."""
    before = ledger_bytes(company) if company.data.ledger.exists() else {}
    with pytest.raises(ClosingRefused) as refused:
        close(company, period, reason)
    assert (ledger_bytes(company) if company.data.ledger.exists() else {}) == before
    return str(refused.value)


@pytest.mark.parametrize("period", ["2024-12", "2025-04", "0000-01"])
def test_a_period_without_lines_is_refused(refusals: Refusals, period: str) -> None:
    message = refusal(refusals.billed, period, "because")
    assert f"{period} has no billing lines" in message
    assert "2025-01, 2025-02, 2025-03" in message


@pytest.mark.parametrize(
    "period",
    ["2025-13", "2025-00", "2025-1", "January", "", "2025-01 ", "2025-01\n", "2025-01-01", "2025"],
)
def test_what_is_no_month_is_refused(refusals: Refusals, period: str) -> None:
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
    # The marts still say "open" here: two clicks on the web UI's close_period, or two people.
    company = chapter(refusals.billed, "closed twice")
    close(company, "2025-01")
    assert "2025-01 is closed already" in refusal(company, "2025-01")


def test_money_in_quarantine_is_refused_and_named(refusals: Refusals) -> None:
    message = refusal(refusals.january_closed, "2025-02")
    assert "1 row(s) of billing_lines/bad row.csv are in quarantine, 12.5" in message


@pytest.mark.parametrize("reason", ["", " ", "\t\n"], ids=repr)
def test_a_blank_reason_is_no_reason(refusals: Refusals, reason: str) -> None:
    # Closed in a copy, in case it is closed.
    company = chapter(refusals.january_closed, f"blank reason {len(reason)}")
    assert "quarantine" in refusal(company, "2025-02", reason)


def test_bad_rows_of_another_period_are_no_obstacle(refusals: Refusals) -> None:
    # The fixture closed January without a reason although February's row was there already.
    assert refusals.billed.query(
        "select count(*) from marts.quarantined_rows where billing_date = '2025-02-07'"
    ) == [(1,)]
    assert refusals.january_closed.query(
        "select distinct status, override_reason from marts.billing_periods"
        " where billing_period = '2025-01'"
    ) == [("closed", None)]


def test_an_invoice_that_does_not_tie_is_refused_with_the_difference(refusals: Refusals) -> None:
    # By head: the invoice says 100.5, its line is 90.
    message = refusal(refusals.february_closed, "2025-03")
    assert "invoice G3 does not tie: USD 10.5" in message


def test_an_invoice_of_which_nothing_landed_is_refused(refusals: Refusals) -> None:
    assert "invoice G4 does not tie: USD 70" in refusal(refusals.february_closed, "2025-03")


def test_a_file_that_cannot_be_read_may_hold_money_of_any_period(refusals: Refusals) -> None:
    message = refusal(refusals.february_closed, "2025-03")
    assert "1 row(s) of billing_lines/torn.csv.gz are in quarantine, amount unknown" in message


def test_what_is_not_allocated_is_refused(refusals: Refusals) -> None:
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


def test_who_closed_and_when_is_shown_with_the_period(refusals: Refusals) -> None:
    postings = read_postings(refusals.february_closed.data.ledger)
    assert refusals.february_closed.query(
        """
        select closed_at, closed_by
        from marts.billing_periods
        where status = 'closed'
        order by billing_period
        """
    ) == [(datetime.fromisoformat(each.closed_at), each.closed_by) for each in postings]


# --- closing freezes ----------------------------------------------------------------------------

JANUARY = "2025-01"

FREEZE_INVOICE = """
writer  cycleCharge  10  100   2024-12-10  2025-01-09
# Never split: it is Default's, but not for want of a split that comes too late.
reader  new           3   10   2024-12-20  2025-01-19
"""
FREEZE_REPORT = "2025-01-08  project  3  10  20"
FREEZE_SPLITS = """
writer   2024-12-01T08:00:00Z  6  4
project  2024-12-01T08:00:00Z  1  2
"""
BACKDATED_SPLITS = """
writer   2024-12-05T08:00:00Z  1  9
reader   2024-12-05T08:00:00Z  3  0
project  2024-12-05T08:00:00Z  3  0
"""
LATE_SPLITS = """
writer   2025-01-20T08:00:00Z  0  10
project  2025-02-01T08:00:00Z  0  3
"""


@dataclass(frozen=True)
class Freeze:
    """One January, closed, and what was done to it afterwards; a twin that stayed open."""

    before: Company
    closed: Company
    after: Mapping[str, Company]
    open_twin: Company
    ledger_when_closed: Mapping[str, bytes]


PROVOCATIONS = (
    "backdated and late splits",
    "renamed cost centers and organization",
    "same file sent again, all files touched",
    "warehouse deleted",
    "landing files of the period archived",
    "all of landing and the warehouse deleted",
)


def land_january(company: Company) -> None:
    land(company, "organizations/organizations.csv", organizations(), 1)
    land(company, "cost_centers/cost_centers.csv", cost_centers(), 1)
    land(company, "split_history/splits.csv", splits(FREEZE_SPLITS), 1)
    land(company, "billing_lines/2025-01/g1.csv", invoice("G1", FREEZE_INVOICE), 1)
    land(company, "billing_lines/2025-01/broker.csv", broker_report(FREEZE_REPORT), 1)
    land(company, "invoices/2025-01.csv", invoices("G1  2025-01-07  110"), 1)


def rename_everybody(company: Company) -> None:
    land(company, "cost_centers/cost_centers.csv", cost_centers("Revenue", "Brand"), 20)
    land(company, "organizations/organizations.csv", organizations("Alder Group"), 20)


@pytest.fixture(scope="module")
def freeze(new_company: NewCompany) -> Freeze:
    company = new_company()
    land_january(company)
    company.build()
    before = chapter(company, "before")
    close(company, JANUARY)
    ledger_when_closed = ledger_bytes(company)
    company.build()
    closed = chapter(company, "closed")
    after: dict[str, Company] = {}

    def go_on(provocation: str) -> None:
        company.build()
        after[provocation] = chapter(company, provocation)

    land(company, "split_history/backdated.csv", splits(BACKDATED_SPLITS), 10)
    land(company, "split_history/late.csv", splits(LATE_SPLITS), 11)
    go_on("backdated and late splits")
    rename_everybody(company)
    go_on("renamed cost centers and organization")
    zipped = gzip.compress(invoice("G1", FREEZE_INVOICE).encode())
    land(company, "billing_lines/2025-01/g1 (1).csv", invoice("G1", FREEZE_INVOICE), 30)
    land(company, "billing_lines/again/a.csv.gz", zipped, 31)
    files = sorted(path for path in company.data.landing.rglob("*") if path.is_file())
    for number, path in enumerate(reversed(files)):
        os.utime(path, (1_750_000_000 + number, 1_750_000_000 + number))
    go_on("same file sent again, all files touched")
    company.data.warehouse.unlink()
    go_on("warehouse deleted")
    shutil.rmtree(company.data.landing / "billing_lines")
    shutil.rmtree(company.data.landing / "invoices")
    go_on("landing files of the period archived")
    shutil.rmtree(company.data.landing)
    company.data.warehouse.unlink()
    go_on("all of landing and the warehouse deleted")

    twin = new_company()
    land_january(twin)
    land(twin, "split_history/backdated.csv", splits(BACKDATED_SPLITS), 10)
    rename_everybody(twin)
    twin.build()
    return Freeze(before, closed, after, twin, ledger_when_closed)


def test_what_is_closed_is_what_was_computed(freeze: Freeze) -> None:
    # Three rows by head. The invoice bills 10 writer seats for 100; sales has 6 of them, so 60,
    # market has 4, so 40. The broker bills 3 project seats for cost 10 and sales 20; market,
    # first in the alphabet, has 2: 2/3 of 10 is 6.666667 in millionths, 2/3 of 20 is 13.333333,
    # and what is left, 3.333333 and 6.666667, is sales'.
    assert report(
        freeze.closed, "subscription_id, cost_center_id, quantity, total_cost, total_sales"
    ) == book(
        """
        writer   sales    6  60        -
        writer   market   4  40        -
        project  market   2  6.666667  13.333333
        project  sales    1  3.333333  6.666667
        reader   default  3  10        -
        """
    )


def test_right_after_closing_every_number_is_as_right_before(freeze: Freeze) -> None:
    columns = "* exclude (is_posted)"
    sql = f"select {columns} from marts.billing_report order by all"
    assert freeze.before.query(sql) == freeze.closed.query(sql)
    is_posted = "select distinct is_posted from marts.billing_report"
    assert freeze.before.query(is_posted) == [(False,)]
    assert freeze.closed.query(is_posted) == [(True,)]


@pytest.mark.parametrize("mart", ["chargeback", "chargeback_as_corrected", "billing_summary"])
def test_right_after_closing_every_sum_is_as_right_before(freeze: Freeze, mart: str) -> None:
    assert all_marts(freeze.closed)[mart] == all_marts(freeze.before)[mart] != []


@pytest.mark.parametrize("provocation", PROVOCATIONS)
def test_nothing_changes_a_row_of_a_closed_period(freeze: Freeze, provocation: str) -> None:
    assert frozen(freeze.after[provocation], JANUARY) == frozen(freeze.closed, JANUARY) != []


@pytest.mark.parametrize("provocation", PROVOCATIONS)
def test_nothing_changes_a_byte_of_the_ledger(freeze: Freeze, provocation: str) -> None:
    assert ledger_bytes(freeze.after[provocation]) == freeze.ledger_when_closed


@pytest.mark.parametrize("provocation", PROVOCATIONS)
def test_none_of_it_makes_a_correction(freeze: Freeze, provocation: str) -> None:
    periods = "select distinct billing_period, charge_class from marts.billing_report"
    assert freeze.after[provocation].query(periods) == [(JANUARY, None)]


@pytest.mark.parametrize("provocation", PROVOCATIONS)
def test_the_invoice_still_ties_to_the_closed_period(freeze: Freeze, provocation: str) -> None:
    found = freeze.after[provocation].query(
        """
        select lines_total, allocated_total
        from marts.invoice_reconciliation
        where invoice_number = 'G1'
        """
    )
    assert found == [(Decimal("110"), Decimal("110"))]


def test_the_same_provocations_do_change_an_open_period(freeze: Freeze) -> None:
    # Else the tests above would say nothing.
    assert report(
        freeze.open_twin, "subscription_id, cost_center_name, total_cost, organization_name"
    ) == book(
        """
        writer   Revenue  10  Alder Group
        writer   Brand    90  Alder Group
        reader   Revenue  10  Alder Group
        project  Revenue  10  Alder Group
        """
    )


def test_only_names_of_now_are_in_no_row_of_the_closed_period(freeze: Freeze) -> None:
    # The rename did arrive: the history of splits, which is open, shows the new name.
    after = freeze.after["renamed cost centers and organization"]
    assert after.query(
        "select distinct cost_center_name from marts.cost_center_history"
        " where cost_center_id = 'sales'"
    ) == [("Revenue",)]
    assert after.query(
        "select distinct cost_center_name, organization_name from marts.billing_report"
        " where cost_center_id = 'sales'"
    ) == [("Sales", "Alder & Birch")]


# --- corrections --------------------------------------------------------------------------------

SPLITS = """
writer   2024-12-01T08:00:00Z  6  4
reader   2024-12-01T08:00:00Z  4  0
viewer   2024-12-01T08:00:00Z  2  3
planner  2024-12-01T08:00:00Z  1  2
project  2024-12-01T08:00:00Z  4  4
"""
FIRST_BILL = """
writer   cycleCharge  10  100  2024-12-10  2025-01-09
reader   cycleCharge   4   20  2024-12-10  2025-01-09
viewer   cycleCharge   5   30  2024-12-10  2025-01-09
"""
# Reader's price was wrong, viewer should not be there, planner was forgotten.
SECOND_BILL = """
writer   cycleCharge  10  100  2024-12-10  2025-01-09
reader   cycleCharge   4   24  2024-12-10  2025-01-09
planner  cycleCharge   3    9  2024-12-10  2025-01-09
"""
THIRD_BILL = """
writer   cycleCharge  10  100  2024-12-10  2025-01-09
reader   cycleCharge   4   26  2024-12-10  2025-01-09
planner  cycleCharge   3    9  2024-12-10  2025-01-09
"""
# The first bill again; its lines in another order, since the very same file would add nothing.
FOURTH_BILL = """
viewer   cycleCharge   5   30  2024-12-10  2025-01-09
reader   cycleCharge   4   20  2024-12-10  2025-01-09
writer   cycleCharge  10  100  2024-12-10  2025-01-09
"""
FEBRUARY_BILL = "writer  cycleCharge  10  100  2025-01-10  2025-02-09"

FIRST_CORRECTION = """
writer  2025-01  sales   5
writer  2025-01  market  5
"""
SECOND_CORRECTION = """
writer  2025-01  sales   3
writer  2025-01  market  7
"""
CORRECTION_COLUMNS = (
    "original_billing_period, subscription_id, cost_center_id, quantity, total_cost"
)


@dataclass(frozen=True)
class Story:
    """January is billed and closed; then it turns out that it was not right."""

    company: Company
    billed: Company
    late: Company
    late_again: Company
    february: Company
    february_closed: Company
    third_bill: Company


@pytest.fixture(scope="module")
def story(new_company: NewCompany) -> Story:
    company = new_company()
    land(company, "organizations/organizations.csv", organizations(), 1)
    land(company, "cost_centers/cost_centers.csv", cost_centers(), 1)
    land(company, "split_history/splits.csv", splits(SPLITS), 1)
    land(company, "billing_lines/g1.csv", invoice("G1", FIRST_BILL), 1)
    land(company, "billing_lines/broker.csv", broker_report("2025-01-08  project  8  80  120"), 1)
    land(company, "invoices/1.csv", invoices("G1  2025-01-07  150"), 1)
    company.build()
    billed = chapter(company, "billed")
    close(company, "2025-01")

    land(company, "billing_lines/g1 version 2.csv", invoice("G1", SECOND_BILL), 2)
    land(company, "invoices/2.csv", invoices("G1  2025-01-07  133"), 2)
    land(company, "corrections/first.csv", corrections(FIRST_CORRECTION), 2)
    late_lines = "2025-01-08  project  2  20  30\n2024-12-08  project  4  8  12"
    land(company, "billing_lines/broker, late.csv", broker_report(late_lines), 2)
    company.build()
    late = chapter(company, "late")
    company.build()
    late_again = chapter(company, "late again")

    land(company, "billing_lines/g2.csv", invoice("G2", FEBRUARY_BILL), 3)
    land(company, "invoices/3.csv", invoices("G2  2025-02-07  100"), 3)
    company.build()
    february = chapter(company, "february")
    close(company, "2025-02")
    company.build()
    february_closed = chapter(company, "february closed")

    # The older versions went to the archive.
    (company.data.landing / "billing_lines/g1.csv").unlink()
    (company.data.landing / "billing_lines/g1 version 2.csv").unlink()
    land(company, "billing_lines/g1 version 3.csv", invoice("G1", THIRD_BILL), 4)
    land(company, "invoices/4.csv", invoices("G1  2025-01-07  135"), 4)
    land(company, "corrections/second.csv", corrections(SECOND_CORRECTION), 4)
    company.build()
    return Story(
        company,
        billed,
        late,
        late_again,
        february,
        february_closed,
        chapter(company, "third bill"),
    )


@dataclass(frozen=True)
class StoryEnd:
    """March is closed, the fourth bill is as the first, April is closed too."""

    fourth_bill: Company
    april_closed: Company
    published: Mapping[str, list[tuple]]
    rebuilt: Company
    published_again: Mapping[str, list[tuple]]


@pytest.fixture(scope="module")
def story_end(story: Story) -> StoryEnd:
    company = story.company
    close(company, "2025-03")
    land(company, "billing_lines/g1 version 4.csv", invoice("G1", FOURTH_BILL), 5)
    # Other bytes than the first list: a copy of it would count as that old.
    land(company, "invoices/5.csv", invoices("G1  2025-01-07  150.00"), 5)
    company.build()
    fourth_bill = chapter(company, "fourth bill")
    close(company, "2025-04")
    company.build()
    april_closed = chapter(company, "april closed")
    first_time = published(company)
    company.data.warehouse.unlink()
    shutil.rmtree(company.data.published)
    company.build()
    rebuilt = chapter(company, "rebuilt")
    return StoryEnd(fourth_bill, april_closed, first_time, rebuilt, published(company))


def published(company: Company) -> dict[str, list[tuple]]:
    """Every table that BI reads, after publishing it."""
    manifest = dbt_runner.read_manifest()
    publish.publish(company.data, manifest, "state")
    with duckdb.connect(str(company.data.published_database), read_only=True) as connection:
        names = connection.execute("select table_name from duckdb_tables()").fetchall()
        return {
            name: connection.execute(f'select * from marts."{name}"').fetchall()
            for (name,) in names
        }


def test_late_lines_a_reissue_and_a_correction_come_in_the_month_after(story: Story) -> None:
    # By head. reader is sales' alone: its 20 go back, 24 come. viewer is taken back: 2 of 5
    # seats and 12 of 30 from sales, 3 and 18 from market. planner's 9 are 3 for sales' one seat
    # and 6 for market's two. The late project lines are split in halves. writer was 60 to 40 and
    # should be half and half: sales gives 10, market takes 10.
    assert report(story.late, CORRECTION_COLUMNS, "billing_period = '2025-02'") == book(
        """
        2025-01  reader   sales   -4  -20
        2025-01  reader   sales    4   24
        2025-01  viewer   sales   -2  -12
        2025-01  viewer   market  -3  -18
        2025-01  planner  sales    1    3
        2025-01  planner  market   2    6
        2025-01  project  sales    1   10
        2025-01  project  market   1   10
        2024-12  project  sales    2    4
        2024-12  project  market   2    4
        2025-01  writer   sales   -1  -10
        2025-01  writer   market   1   10
        """
    )


def test_corrections_are_marked_as_such_and_say_why(story: Story) -> None:
    assert report(
        story.late, "distinct charge_class, split_reason", "billing_period = '2025-02'"
    ) == book(
        """
        Correction  snapshot
        Correction  reversed
        Correction  corrected
        """
    )
    assert story.late.query(
        "select count(*) from marts.billing_report"
        " where charge_class is not null and billing_period = '2025-01'"
    ) == [(0,)]


def test_what_is_taken_back_or_corrected_points_at_the_posted_line(story: Story) -> None:
    found = story.late.query(
        """
        select correction.split_reason, posted.billing_period, posted.is_posted,
            posted.subscription_id, correction.cost_center_id, posted.total_cost
        from marts.billing_report as correction
        inner join marts.billing_report as posted
            on correction.corrects_line_id = posted.line_id
            and correction.cost_center_id = posted.cost_center_id
        where correction.total_cost <> 0
        """
    )
    assert sorted(" ".join(map(plain, row)) for row in found) == book(
        """
        corrected  2025-01  True  writer  sales   60
        corrected  2025-01  True  writer  market  40
        reversed   2025-01  True  reader  sales   20
        reversed   2025-01  True  viewer  sales   12
        reversed   2025-01  True  viewer  market  18
        """
    )
    assert report(
        story.late,
        "distinct subscription_id",
        "charge_class = 'Correction' and corrects_line_id is null",
    ) == ["planner", "project", "reader"]


def test_corrections_change_nothing_of_the_closed_periods(
    story: Story, story_end: StoryEnd
) -> None:
    columns = "* exclude (is_posted)"
    january, february = (
        f"""
        select {columns} from marts.billing_report
        where billing_period = '{period}'
        order by all
        """
        for period in ("2025-01", "2025-02")
    )
    assert story.billed.query(january) != [] != story.february.query(february)
    for later in (story.late, story.february_closed, story.third_bill, story_end.april_closed):
        assert later.query(january) == story.billed.query(january)
    for later in (story.february_closed, story.third_bill, story_end.april_closed):
        assert later.query(february) == story.february.query(february)


def test_the_period_as_corrected_is_what_the_corrected_bill_says(
    story: Story, new_company: NewCompany
) -> None:
    # A company that was in no hurry to close and got the right bill and the right split at once.
    twin = new_company()
    land(twin, "organizations/organizations.csv", organizations(), 1)
    land(twin, "cost_centers/cost_centers.csv", cost_centers(), 1)
    right_splits = SPLITS.replace("6  4", "5  5")
    assert right_splits != SPLITS
    land(twin, "split_history/splits.csv", splits(right_splits), 1)
    land(twin, "billing_lines/g1.csv", invoice("G1", SECOND_BILL), 1)
    lines = "2025-01-08  project  8  80  120\n2025-01-08  project  2  20  30"
    land(twin, "billing_lines/broker.csv", broker_report(lines), 1)
    land(twin, "invoices/1.csv", invoices("G1  2025-01-07  133"), 1)
    twin.build()
    assert as_corrected(story.late, "2025-01") == as_billed(twin, "2025-01") != []


@pytest.mark.parametrize("moment", ["late", "february", "february_closed"])
def test_the_period_as_corrected_stays_so_when_corrections_are_posted(
    story: Story, moment: str
) -> None:
    # By head: writer 100 in halves, reader 24, viewer gone, planner 9 in thirds, project 100 of
    # cost and 150 of sales in halves.
    assert as_corrected(getattr(story, moment), "2025-01") == book(
        """
        writer license   sales   5  50  -
        writer license   market  5  50  -
        reader license   sales   4  24  -
        planner license  sales   1   3  -
        planner license  market  2   6  -
        project license  sales   5  50  75
        project license  market  5  50  75
        """
    )


@pytest.mark.parametrize(
    ("moment", "money"),
    [
        # The invoice of January, the broker's 80, his late 20 and 8, the invoice of February.
        ("billed", 150 + 80),
        ("late", 133 + 80 + 20 + 8),
        ("late_again", 133 + 80 + 20 + 8),
        ("february", 133 + 80 + 20 + 8 + 100),
        ("february_closed", 133 + 80 + 20 + 8 + 100),
        ("third_bill", 135 + 80 + 20 + 8 + 100),
    ],
)
def test_all_periods_together_hold_all_the_money(story: Story, moment: str, money: int) -> None:
    company: Company = getattr(story, moment)
    assert total(company) == money
    for mart in ("chargeback", "chargeback_as_corrected", "billing_periods"):
        assert company.query(f"select sum(total_cost) from marts.{mart}") == [(money,)]


@pytest.mark.parametrize("moment", ["late", "february_closed", "third_bill"])
def test_an_approved_correction_moves_money_and_makes_none(story: Story, moment: str) -> None:
    corrected = getattr(story, moment).query(
        """
        select corrects_line_id, sum(quantity), sum(total_cost)
        from marts.billing_report
        where split_reason = 'corrected'
        group by billing_period, corrects_line_id
        """
    )
    assert corrected != []
    assert {(quantity, cost) for _, quantity, cost in corrected} == {(0, 0)}


def test_running_again_changes_nothing(story: Story) -> None:
    assert all_marts(story.late_again) == all_marts(story.late)


def test_the_bill_of_the_open_period_stands_beside_the_corrections(story: Story) -> None:
    # The correction was of January alone: February's writer seats are 60 to 40 again.
    assert report(
        story.february,
        CORRECTION_COLUMNS,
        "billing_period = '2025-02' and charge_class is null",
    ) == book(
        """
        2025-02  writer  sales   6  60
        2025-02  writer  market  4  40
        """
    )
    february = "billing_period = '2025-02' and charge_class = 'Correction'"
    assert report(story.february, CORRECTION_COLUMNS, february) == report(
        story.late, CORRECTION_COLUMNS, february
    )


def test_closing_posts_the_corrections_with_the_bill(story: Story) -> None:
    columns = "* exclude (is_posted)"
    sql = f"select {columns} from marts.billing_report where billing_period = '2025-02'"
    assert sorted(story.february.query(sql), key=str) == sorted(
        story.february_closed.query(sql), key=str
    )
    assert report(story.february_closed, "distinct is_posted") == ["True"]


def test_corrections_that_are_posted_do_not_come_again(story: Story) -> None:
    assert report(story.february_closed, "distinct billing_period") == ["2025-01", "2025-02"]


def test_a_second_reissue_is_corrected_against_the_first(story: Story) -> None:
    # reader was corrected to 24 and is 26 now; all else is as it was. writer is corrected from
    # 50 to 30, not from the 60 that January's bill said.
    assert report(story.third_bill, CORRECTION_COLUMNS, "billing_period = '2025-03'") == book(
        """
        2025-01  reader  sales   -4  -24
        2025-01  reader  sales    4   26
        2025-01  writer  sales   -2  -20
        2025-01  writer  market   2   20
        """
    )


def test_what_a_second_reissue_takes_back_is_the_first_ones_line(story: Story) -> None:
    assert report(
        story.third_bill,
        "subscription_id, corrects_line_id",
        "billing_period = '2025-03' and split_reason = 'reversed'",
    ) == report(
        story.february_closed,
        "subscription_id, line_id",
        "billing_period = '2025-02' and total_cost = 24",
    )


def test_after_the_second_correction_the_period_as_corrected_says_so(story: Story) -> None:
    assert as_corrected(story.third_bill, "2025-01") == book(
        """
        writer license   sales   3  30  -
        writer license   market  7  70  -
        reader license   sales   4  26  -
        planner license  sales   1   3  -
        planner license  market  2   6  -
        project license  sales   5  50  75
        project license  market  5  50  75
        """
    )


@pytest.mark.parametrize("moment", ["late", "february_closed", "third_bill"])
def test_the_reissued_invoice_ties_with_its_corrections(story: Story, moment: str) -> None:
    found = getattr(story, moment).query(
        """
        select invoice_number, invoice_total - lines_total, invoice_total - allocated_total, status
        from marts.invoice_reconciliation
        where invoice_number = 'G1'
        """
    )
    assert found == [("G1", 0, 0, "reconciled")]


def test_a_reissue_that_goes_back_to_the_first_version_undoes_the_others(
    story_end: StoryEnd,
) -> None:
    # Back from 26 to 20 and no planner; viewer's line of January, taken back in February, counts
    # again. writer's corrections have nothing to do with it.
    assert report(story_end.fourth_bill, CORRECTION_COLUMNS, "billing_period = '2025-04'") == book(
        """
        2025-01  reader   sales   -4  -26
        2025-01  reader   sales    4   20
        2025-01  planner  sales   -1   -3
        2025-01  planner  market  -2   -6
        2025-01  viewer   sales    2   12
        2025-01  viewer   market   3   18
        """
    )
    assert as_corrected(story_end.fourth_bill, "2025-01") == book(
        """
        writer license   sales   3  30  -
        writer license   market  7  70  -
        reader license   sales   4  20  -
        viewer license   sales   2  12  -
        viewer license   market  3  18  -
        project license  sales   5  50  75
        project license  market  5  50  75
        """
    )
    assert total(story_end.fourth_bill) == 150 + 80 + 20 + 8 + 100


def test_a_line_that_came_back_is_posted_once_and_stays(story_end: StoryEnd) -> None:
    assert report(story_end.april_closed, "distinct billing_period") == [
        "2025-01",
        "2025-02",
        "2025-03",
        "2025-04",
    ]
    assert total(story_end.april_closed) == 150 + 80 + 20 + 8 + 100


def test_landing_and_ledger_rebuild_every_mart(story_end: StoryEnd) -> None:
    before, after = all_marts(story_end.april_closed), all_marts(story_end.rebuilt)
    assert set(before) == set(after) and len(before) >= 9
    for mart in before:
        assert before[mart] == after[mart], mart
    assert before["billing_report"] != []


def test_what_is_published_is_rebuilt_too(story_end: StoryEnd) -> None:
    assert set(story_end.published) == set(all_marts(story_end.april_closed))
    assert story_end.published_again == story_end.published


def test_a_line_keeps_its_id_for_good(story: Story) -> None:
    # Ledgers hold these ids for years. A version that computes others would take back every
    # line of every closed period that still lies in landing, and post it anew.
    assert report(
        story.billed,
        "distinct subscription_id, line_id",
        "subscription_id in ('writer', 'project')",
    ) == book(
        """
        project  350640338a5be4acfdbff09e8fcc3d1b
        writer   481ccffc973d6f532c991e8a75c599ad
        """
    )


# --- corrections that are not quite right -------------------------------------------------------


@pytest.fixture(scope="module")
def oddities(new_company: NewCompany) -> Company:
    """January is closed; then odd corrections, a bad re-issue and new names come at once."""
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
    # The lines are 133, the invoice says 140.
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
            # All of it to a cost center that had nothing, and that is in no list.
            writer   2025-01  legal   7
            # Three that get a third each.
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


def test_a_correction_to_a_cost_center_that_had_nothing_takes_all(oddities: Company) -> None:
    # Three lines of writer: 100 and 150, back 30 and 60, and the invoice's 100 without sales.
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


def test_corrections_of_nothing_and_of_open_periods_are_findings(oddities: Company) -> None:
    assert oddities.query(
        """
        select subscription_id, billing_period
        from marts.findings
        where kind = 'correction_not_applied' and subscription_id in ('nobody', 'writer')
        order by subscription_id
        """
    ) == [("nobody", "2025-01"), ("writer", "2025-02")]


def test_half_of_a_correction_of_a_closed_bill_is_not_posted(oddities: Company) -> None:
    # February takes what is corrected of January: what is bad there is an obstacle here.
    message = refusal(oddities, "2025-02")
    assert "late and bad.csv are in quarantine, 12.5" in message
    assert "invoice G1 does not tie: USD 7" in message


def test_what_is_taken_back_says_whose_it_was(oddities: Company) -> None:
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


def test_a_corrected_row_says_whose_it_is(oddities: Company) -> None:
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
def test_a_new_name_makes_no_second_row_of_a_cost_center(oddities: Company, mart: str) -> None:
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
    """A correction is approved by which nobody has a seat: there is no such split."""
    company = new_company()
    land(company, "split_history/splits.csv", splits(SPLITS), 1)
    land(company, "billing_lines/broker.csv", broker_report("2025-01-07  project  8  80  120"), 1)
    company.build()
    close(company, "2025-01")
    nobody = "project  2025-01  sales  0\nproject  2025-01  market  0"
    land(company, "corrections/corrections.csv", corrections(nobody), 2)
    return chapter(company.build(expect_success=False), "after")


def test_a_correction_without_seats_takes_no_money_away(no_seats: Company) -> None:
    assert total(no_seats) == 80
    assert total(no_seats, measure="total_sales") == 120


def test_a_correction_without_seats_does_not_stop_a_build(no_seats: Company) -> None:
    assert no_seats.failures == ()


# --- invoices that move to another month --------------------------------------------------------


@dataclass(frozen=True)
class MovedInvoices:
    """January is closed; then it turns out that its invoices are dated in February."""

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
    # G1 comes again with one line more, of January, so 6 February is assumed for all of it.
    longer = FIRST_BILL + "planner  addQuantity  3  9  2025-01-03  2025-01-09\n"
    land(company, "billing_lines/g1 version 2.csv", invoice("G1", longer), 2)
    # G5 gets into the list of invoices.
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


def test_all_money_is_there_once_when_invoices_move(moved_invoices: MovedInvoices) -> None:
    assert moved_invoices.moved.failures == ()
    assert total(moved_invoices.moved) == 150 + 80 + 9
    assert total(moved_invoices.moved, "billing_period = '2025-01'") == 150 + 80


# --- refunds of what was charged in a closed period ---------------------------------------------

CHARGES = """
writer  new  10  100  2024-12-15  2025-01-14
reader  new   4   40  2024-12-15  2025-01-14
"""
# writer: half a month of the old seats comes back. reader: canceled, all of it comes back.
REFUNDS = """
writer  addQuantity      10  -50  2025-01-05  2025-01-14
reader  cancelImmediate   4  -40  2024-12-15  2025-01-14
"""
CHARGED_SPLITS = """
writer  2024-12-15T09:00:00Z  6  4
reader  2024-12-15T09:00:00Z  1  3
"""
SPLITS_TOLD_TOO_LATE = """
writer  2024-12-15T20:00:00Z  10  0
reader  2024-12-15T20:00:00Z   4  0
"""


@dataclass(frozen=True)
class Refunds:
    """Charges in January, refunds in February, the policy mirror_original."""

    closed_january: Company
    january_archived: Company
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
        land(company, "split_history/late.csv", splits(SPLITS_TOLD_TOO_LATE), 2)
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
    twin = new_company()
    charge(twin)
    refund(twin)
    return Refunds(closed_january, chapter(company, "archived"), twin)


REFUND_COLUMNS = "subscription_id, split_reason, cost_center_id, quantity, total_cost"
REFUNDS_AS_CHARGED = """
# 60 to 40 of 50, and all of the 10 and 30 that were charged.
writer  mirror_original  sales   6  -30
writer  mirror_original  market  4  -20
reader  full_reversal    sales   1  -10
reader  full_reversal    market  3  -30
"""


def test_a_refund_of_a_closed_charge_takes_the_split_that_was_posted(refunds: Refunds) -> None:
    found = report(refunds.closed_january, REFUND_COLUMNS, "billing_period = '2025-02'")
    assert found == book(REFUNDS_AS_CHARGED)


def test_a_refund_of_an_open_charge_takes_the_split_that_was_told_late(refunds: Refunds) -> None:
    # Else the test above would say nothing.
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


# --- which split a late line takes, and where it is posted --------------------------------------


@pytest.fixture(scope="module")
def late_extra(new_company: NewCompany) -> Company:
    """Seats added from 2 to 31 January, billed on the 6th, told after closing on the 20th.

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


def test_a_late_line_takes_the_last_split_before_its_period_was_closed(
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


def test_a_late_line_is_posted_in_the_oldest_open_period_that_has_a_bill(
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
