"""Each condition of closing alone, on a warehouse with a few rows and without a build.

test_closing_refusals.py has the same conditions on companies that are built.
"""

import getpass
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from test_postings import BILLS, Books

from dagster_project import run_state
from dagster_project.errors import ClosingRefused, NotAPeriodToClose
from dagster_project.ledger import closing
from dagster_project.ledger.postings import Posting, read_postings
from dagster_project.settings import DataFolder

TABLES = """
create schema raw;
create schema marts;
create table raw.ledger_postings (posting_number bigint);
create table marts.billing_periods (billing_period varchar, currency varchar, status varchar);
create table marts.billing_report (
    billing_period varchar, billing_date date, invoice_number varchar, provider varchar
);
create table marts.invoice_reconciliation (
    invoice_number varchar, billing_date date, currency varchar, variance decimal(28, 10),
    invoice_total_with_tax decimal(28, 10), status varchar, provider varchar
);
create table marts.quarantined_rows (
    file varchar, feed varchar, invoice_number varchar, billing_date date, currency varchar,
    total_cost decimal(28, 10), is_superseded boolean default false
);
create table marts.findings (
    kind varchar, severity varchar, organization_id varchar, billing_period varchar,
    message varchar
);
"""


@dataclass
class Desk:
    """A warehouse with bills of January to March, all open and without an obstacle."""

    data: DataFolder

    def add(self, table: str, **values: Any) -> None:
        with duckdb.connect(str(self.data.warehouse)) as connection:
            marks = ", ".join("?" for _ in values)
            connection.execute(
                f"insert into {table} ({', '.join(values)}) values ({marks})", list(values.values())
            )

    def execute(self, sql: str) -> None:
        with duckdb.connect(str(self.data.warehouse)) as connection:
            connection.execute(sql)

    def close(self, period: str = "2025-01", reason: str | None = None) -> Posting:
        return closing.close(self.data, period, reason)

    def refusal(self, period: str = "2025-01", reason: str | None = None) -> str:
        with pytest.raises(ClosingRefused) as refused:
            self.close(period, reason)
        assert not self.data.ledger.exists()
        return str(refused.value)

    def quarantine(self, **values: Any) -> None:
        row = {
            "file": "billing_lines/bad.csv",
            "feed": "billing_lines",
            "currency": "USD",
            "total_cost": Decimal("12.50"),
        }
        self.add("marts.quarantined_rows", **(row | values))

    def invoice(self, number: str, date: str, status: str, **values: Any) -> None:
        self.add(
            "marts.invoice_reconciliation",
            invoice_number=number, billing_date=date, status=status, currency="USD", **values,
        )  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("desk") / "warehouse.duckdb"
    books = Books(path.parent / "ledger", path)
    books.connection.execute(TABLES)
    periods = dict.fromkeys(line.split()[0] for line in BILLS.strip().splitlines())
    for month, period in enumerate(periods, start=1):
        for currency in ("EUR", "USD"):
            books.connection.execute(
                "insert into marts.billing_periods values (?, ?, 'open')", [period, currency]
            )
        books.connection.execute(
            "insert into marts.billing_report values (?, ?, ?, 'partner')",
            [period, f"2025-0{month}-07", f"G{month}"],
        )
    books.connection.close()
    return path


@pytest.fixture
def desk(warehouse: Path, tmp_path: Path) -> Desk:
    data = DataFolder(tmp_path / "data")
    data.root.mkdir()
    shutil.copyfile(warehouse, data.warehouse)
    return Desk(data)


# --- what is posted -----------------------------------------------------------------------------


def test_a_period_without_obstacles_is_posted_with_its_closer(desk: Desk) -> None:
    before = datetime.now(UTC).replace(tzinfo=None)
    posting = desk.close(reason=" no obstacle needs it ")
    assert posting.override_reason is None
    assert (posting.posting_number, posting.row_count) == (1, 3)
    assert posting.closed_by == getpass.getuser()
    # UTC to the second, without a zone.
    assert len(posting.closed_at) == len("2025-01-01T00:00:00")
    closed_at = datetime.fromisoformat(posting.closed_at)
    assert abs(closed_at - before) < timedelta(seconds=30)
    assert (posting.state_id, posting.signature) == (None, None)


def test_the_state_and_the_key_reach_the_posting(desk: Desk) -> None:
    posting = closing.close(desk.data, "2025-01", None, "the state", b"k" * 32)
    assert posting.state_id == "the state" and posting.signature is not None


def test_an_account_without_a_name_is_named_by_its_number(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    monkeypatch.setattr(closing.os, "getuid", lambda: 4711)
    assert desk.close().closed_by == "uid 4711"


# --- which period -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "period", ["2025-13", "2025-00", "2025-1", "x2025-01", "2025-01x", "205-01", "2025/01", ""]
)
def test_only_a_month_can_be_closed(desk: Desk, period: str) -> None:
    assert desk.refusal(period, "because") == f"{period!r} is not a month like 2026-01"


@pytest.mark.parametrize("month", ["01", "09", "10", "12"])
def test_every_month_has_its_number(desk: Desk, month: str) -> None:
    assert f"2024-{month} has no billing lines" in desk.refusal(f"2024-{month}")


def test_open_periods_are_named_in_order(desk: Desk) -> None:
    message = "2024-12 has no billing lines; open periods are: 2025-01, 2025-02, 2025-03"
    assert desk.refusal("2024-12", "because") == message
    desk.execute("update marts.billing_periods set status = 'closed'")
    assert desk.refusal("2024-12").endswith("open periods are: none")


def test_the_oldest_open_period_is_next(desk: Desk) -> None:
    expected = "2025-01 is still open and comes before 2025-03; close it first"
    assert desk.refusal("2025-03", "because") == expected
    desk.execute("update marts.billing_periods set status = 'closed' where currency = 'EUR'")
    # A period with an open currency is open.
    assert desk.refusal("2025-02") == expected.replace("2025-03", "2025-02")


def test_a_closed_period_never_changes(desk: Desk) -> None:
    desk.close()
    with pytest.raises(NotAPeriodToClose) as refused:
        desk.close(reason="because")
    assert str(refused.value) == "2025-01 is closed already; closed periods never change"


def test_a_closed_period_that_the_ledger_has_lost_is_not_closed_again(desk: Desk) -> None:
    desk.execute(
        "update marts.billing_periods set status = 'closed' where billing_period = '2025-01'"
    )
    expected = "2025-01 is closed in the results, and the ledger has no posting of it"
    assert desk.refusal(reason="because").startswith(expected)
    desk.execute("update marts.billing_periods set status = 'closed'")
    assert desk.refusal(reason="because").startswith(expected)


def test_a_ledger_that_the_warehouse_does_not_have_is_refused(desk: Desk) -> None:
    desk.close()
    expected = "the ledger has changed since the last run; run again first"
    with pytest.raises(ClosingRefused, match=expected):
        desk.close("2025-02", "because")
    desk.add("raw.ledger_postings", posting_number=1)
    desk.execute(
        "update marts.billing_periods set status = 'closed' where billing_period like '%1'"
    )
    assert desk.close("2025-02").posting_number == 2
    # A warehouse of a longer ledger, which was restored from a backup since.
    desk.execute("insert into raw.ledger_postings values (2), (3), (4)")
    with pytest.raises(ClosingRefused, match=expected):
        desk.close("2025-03", "because")


def test_no_reason_closes_lines_that_are_not_allocated(desk: Desk) -> None:
    # Of any period: the results as a whole are wrong.
    desk.invoice("G9", "2025-03-07", "not_allocated")
    expected = "some lines are not fully allocated; the checks of a run name them"
    assert desk.refusal(reason="because") == expected


# --- obstacles ----------------------------------------------------------------------------------


def test_all_obstacles_are_listed_and_a_reason_overrides_them(desk: Desk) -> None:
    desk.quarantine(invoice_number="G1")
    desk.invoice("G1", "2025-01-07", "variance", variance=Decimal("1234.5"), provider="partner")
    desk.add(
        "marts.findings", kind="shared_cost_circle", severity="error", organization_id="alder",
        billing_period="2025-01", message="A and B share with each other",
    )  # fmt: skip
    assert desk.refusal() == (
        "2025-01 is not closed:\n"
        "  - 1 row(s) of billing_lines/bad.csv are in quarantine, 12.5 USD\n"
        "  - invoice G1 does not tie: USD 1,234.5 is missing\n"
        "  - alder: A and B share with each other\n"
        'Fix it, or close anyway with REASON="why" (the reason is recorded)'
    )
    assert desk.refusal(reason=" \n") == desk.refusal()
    assert desk.close(reason=" ticket 7 ").override_reason == "ticket 7"


IN_JANUARY = {"invoice_number": None, "billing_date": "2025-01-07"}


@pytest.mark.parametrize(
    ("row", "is_named"),
    [
        # By the number of an invoice in the period, whatever the row's own date.
        ({"invoice_number": "G1"}, True),
        ({"invoice_number": "G1", "billing_date": "2025-02-07"}, True),
        ({"invoice_number": "G2"}, False),
        ({"invoice_number": "G2", "billing_date": "2025-01-07"}, False),
        # An invoice that no row names: known by its date alone, or not at all.
        ({"invoice_number": "G9"}, True),
        ({"invoice_number": "G9", "billing_date": "2025-02-07"}, False),
        # Without a number: the date of a bill without one.
        ({"invoice_number": None}, True),
        (IN_JANUARY, False),
        (IN_JANUARY | {"billing_date": "2025-01-20"}, True),
        (IN_JANUARY | {"billing_date": "2025-02-20"}, False),
        # Replaced rows, and rows of other feeds, are in no bill.
        ({"invoice_number": "G1", "is_superseded": True}, False),
        ({"invoice_number": "G1", "feed": "price_list"}, False),
    ],
)
def test_quarantined_rows_of_the_periods_bills_are_an_obstacle(
    desk: Desk, row: dict[str, Any], is_named: bool
) -> None:
    desk.invoice("G2", "2025-02-07", "tied")
    desk.add("marts.billing_report", billing_period="2025-01", billing_date="2025-01-20")
    desk.add("marts.billing_report", billing_period="2025-02", billing_date="2025-02-20")
    desk.quarantine(**row)
    if is_named:
        assert "1 row(s) of billing_lines/bad.csv are in quarantine, 12.5 USD" in desk.refusal()
    else:
        assert desk.close().override_reason is None


def test_an_invoice_of_the_period_without_lines_counts_as_its_bill(desk: Desk) -> None:
    desk.invoice("G5", "2025-01-31", "quarantined")
    desk.quarantine(invoice_number="G5")
    assert "in quarantine" in desk.refusal()


def test_quarantined_amounts_are_summed_by_file_and_currency(desk: Desk) -> None:
    for file, currency, cost in (
        ("b.csv", "USD", "1000.10"),
        ("b.csv", "EUR", "7"),
        ("b.csv", "USD", "234.4"),
        ("a.csv", None, "3"),
        ("c.csv", "USD", None),
    ):
        desk.quarantine(file=file, invoice_number="G1", currency=currency, total_cost=cost)
    assert desk.refusal().splitlines()[1:-1] == [
        "  - 1 row(s) of a.csv are in quarantine, 3",
        "  - 1 row(s) of b.csv are in quarantine, 7 EUR",
        "  - 2 row(s) of b.csv are in quarantine, 1,234.5 USD",
        "  - 1 row(s) of c.csv are in quarantine, amount unknown",
    ]


@pytest.mark.parametrize(
    ("number", "date", "status", "provider", "is_named"),
    [
        ("G1", "2025-01-07", "variance", "partner", True),
        ("G1", "2025-01-07", "no_lines", "partner", True),
        ("G1", "2025-01-07", "tied", "partner", False),
        ("G1", "2025-01-07", "no_invoice", "partner", False),
        # Another provider's invoice of the same number in another period.
        ("G1", "2025-02-07", "variance", "other", False),
        ("G1", "2025-02-07", "variance", None, False),
        # An older bill with a correction in the period.
        ("G1", "2024-11-07", "variance", "partner", True),
        # Without lines in the period, by its own date.
        ("G7", "2025-01-31", "no_lines", None, True),
        ("G7", "2025-02-01", "no_lines", None, False),
        ("G2", "2025-02-07", "variance", "partner", False),
    ],
)
def test_invoices_of_the_period_that_do_not_tie_are_an_obstacle(
    desk: Desk, number: str, date: str, status: str, provider: str | None, is_named: bool
) -> None:
    desk.invoice(number, date, status, provider=provider, variance=Decimal("-0.10"))
    if is_named:
        assert f"invoice {number} does not tie: USD -0.1 is missing" in desk.refusal()
    else:
        assert desk.close().override_reason is None


def test_a_total_with_tax_only_is_shown_where_the_variance_is_unknown(desk: Desk) -> None:
    desk.invoice("G8", "2025-01-02", "no_lines", invoice_total_with_tax=Decimal("119"))
    desk.invoice("G7", "2025-01-02", "no_lines", variance=1, invoice_total_with_tax=2)
    desk.invoice("G6", "2025-01-02", "no_lines")
    assert desk.refusal().splitlines()[1:-1] == [
        "  - invoice G6 does not tie: USD amount unknown is missing",
        "  - invoice G7 does not tie: USD 1 is missing",
        "  - invoice G8 does not tie: USD 119 is missing",
    ]


@pytest.mark.parametrize(
    ("values", "is_named"),
    [
        ({"kind": "shared_rule_unusable"}, True),
        ({"kind": "shared_cost_circle"}, True),
        ({"kind": "shared_cost_third_step"}, True),
        ({"kind": "no_split"}, False),
        ({"kind": "shared_cost_circle", "severity": "warning"}, False),
        ({"kind": "shared_cost_circle", "billing_period": "2025-02"}, False),
    ],
)
def test_shared_costs_that_cannot_be_passed_on_are_an_obstacle(
    desk: Desk, values: dict[str, Any], is_named: bool
) -> None:
    row = {"severity": "error", "billing_period": "2025-01"} | values
    for organization, message in (("birch", "b"), ("alder", "z"), ("alder", "a"), ("alder", "a")):
        desk.add("marts.findings", organization_id=organization, message=message, **row)
    if is_named:
        assert desk.refusal().splitlines()[1:-1] == ["  - alder: a", "  - alder: z", "  - birch: b"]
    else:
        assert desk.close().override_reason is None


# --- before anything is computed ----------------------------------------------------------------


@pytest.fixture
def published(desk: Desk) -> Desk:
    desk.data.landing.mkdir()
    current = desk.data.published / "current"
    (current / "marts").mkdir(parents=True)
    shutil.copyfile(desk.data.warehouse, current / "apportion.duckdb")
    desk.data.published_database.symlink_to(current / "apportion.duckdb")
    (current / "state.json").write_text('{"state_id": "of no run"}')
    return desk


def test_the_published_results_show_at_once_what_cannot_be_closed(published: Desk) -> None:
    data = published.data
    closing.require_closable(data, "2025-01")
    for period, message in (
        ("2025-02", "2025-01 is still open and comes before 2025-02"),
        ("2025-2", "is not a month"),
    ):
        with pytest.raises(NotAPeriodToClose, match=message):
            closing.require_closable(data, period)
    # Landing has changed since, or it was never published: a file may have lines of the period.
    closing.require_closable(data, "2025-09")
    published.close()
    with pytest.raises(NotAPeriodToClose, match="2025-01 is closed already"):
        closing.require_closable(data, "2025-01")


def test_without_new_files_a_period_without_lines_is_refused_at_once(published: Desk) -> None:
    run_state.begin(published.data)
    published.data.run_folder.mkdir()
    run_state.remember(published.data)
    with pytest.raises(NotAPeriodToClose, match="2025-09 has no billing lines"):
        closing.require_closable(published.data, "2025-09")


def test_without_published_results_only_month_and_ledger_are_checked(desk: Desk) -> None:
    closing.require_closable(desk.data, "2025-03")
    desk.close()
    with pytest.raises(NotAPeriodToClose, match="closed already"):
        closing.require_closable(desk.data, "2025-01")
    assert [each.billing_period for each in read_postings(desk.data.ledger)] == ["2025-01"]
