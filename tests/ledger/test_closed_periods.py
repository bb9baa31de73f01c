"""Nothing that lands later changes a row of a closed period or a byte of the ledger."""

import gzip
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import pytest
from conftest import Company, NewCompany
from ledger_stories import (
    all_marts,
    broker_report,
    chapter,
    close,
    cost_centers,
    frozen,
    invoice,
    invoices,
    land,
    ledger_bytes,
    organizations,
    rename_everybody,
    report,
    splits,
)
from written_tables import book

JANUARY = "2025-01"

FREEZE_INVOICE = """
writer  cycleCharge  10  100   2024-12-10  2025-01-09
# Never split: it is in Default, and a later split must not change that.
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
    """A closed January, copies of it after each change, and an equal company that stays open."""

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


def test_closed_rows_equal_the_computed_rows(freeze: Freeze) -> None:
    # Three rows by hand. The invoice bills 10 writer seats for 100; sales has 6 of them, so 60,
    # market has 4, so 40. The broker bills 3 project seats for cost 10 and sales 20; market,
    # first in the alphabet, has 2: 2/3 of 10 is 6.666667 in millionths, 2/3 of 20 is 13.333333,
    # and the remainder, 3.333333 and 6.666667, goes to sales.
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
def test_none_of_the_changes_creates_a_correction(freeze: Freeze, provocation: str) -> None:
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
    # Otherwise the tests above would prove nothing.
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


def test_current_names_are_in_no_row_of_the_closed_period(freeze: Freeze) -> None:
    # The rename was read: the history of splits, which is not closed, shows the new name.
    after = freeze.after["renamed cost centers and organization"]
    assert after.query(
        "select distinct cost_center_name from marts.cost_center_history"
        " where cost_center_id = 'sales'"
    ) == [("Revenue",)]
    assert after.query(
        "select distinct cost_center_name, organization_name from marts.billing_report"
        " where cost_center_id = 'sales'"
    ) == [("Sales", "Alder & Birch")]
