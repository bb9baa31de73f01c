"""Landing to marts with bad input: every bad cell is shown, every good row and every cent counts.

One build holds one bad cell per row for every column that is checked, plus files that are
damaged in ways of their own, each under a bill of its own. Two smaller builds hold numbers
beyond all measure and invoices that were issued again.
"""

import csv
import gzip
import io
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import openpyxl
import pytest
from builds import MODELS_ONLY
from conftest import Company

from dagster_project.feeds.formats import snake_case

NewCompany = Callable[[], Company]
Row = Mapping[str, str]

GOOD: dict[str, dict[str, str]] = {
    "broker": {
        "Subscription ID": "S1",
        "ProductName": "Microsoft 365 E3",
        "Quantity": "10",
        "TotalCost": "7.25",
        "TotalSales": "9",
        "TotalMargin": "1.75",
        "ChargeStartDate": "28 Dec 2025",
        "BillingDate": "6 Jan 2026",
        "BillingLineDetails": "cycleCharge. From 28 Dec 2025 to 27 Jan 2026 (31 days)",
        "Organization": "Alder",
        "Currency": "USD",
    },
    "partner_center": {
        "InvoiceNumber": "G1",
        "CustomerId": "Alder",
        "SubscriptionId": "S1",
        "ProductId": "P1",
        "SkuId": "0001",
        "ProductName": "Microsoft 365 E3",
        "ChargeType": "cycleCharge",
        "UnitPrice": "0.5",
        "Quantity": "10",
        "Subtotal": "5",
        "Currency": "USD",
        "ChargeStartDate": "2025-12-28",
        "ChargeEndDate": "2026-01-27",
        "ReferenceId": "R1",
    },
    "split_history": {
        "Subscription ID": "X1",
        "Event": "Cost center split adjusted",
        "Datetime": "2025-12-15",
        "Total Quantity": "15",
        "Cost Center": "Sales",
        "Allocated Quantity": "10",
        "Recorded At": "2025-12-15",
        "Sequence": "1",
    },
    "cost_centers": {
        "Cost Center ID": "CC1",
        "Organization": "Alder",
        "Name": "Sales",
        "Is Default": "no",
        "Is Shared": "",
        "Valid From": "2025-01-01",
        "Valid To": "",
    },
    "organizations": {"Organization": "Alder", "Name": "Alder Inc.", "Refund Policy": ""},
    "invoices": {
        "Invoice Number": "G7",
        "Invoice Date": "2026-01-06",
        "Currency": "USD",
        "Subtotal": "1",
        "Tax Total": "0",
        "Total": "1",
    },
    "corrections": {
        "Subscription ID": "S1",
        "Billing Period": "2026-01",
        "Cost Center ID": "CC1",
        "Allocated Quantity": "1",
        "Approved By": "Ada",
        "Reason": "typo",
    },
}
FOLDERS = {"broker": "billing_lines", "partner_center": "billing_lines"}
COST_COLUMN = {"broker": "TotalCost", "partner_center": "Subtotal"}

NUMBER_COLUMNS = {
    "broker": ("Quantity", "TotalCost", "TotalSales", "TotalMargin"),
    "partner_center": ("Quantity", "UnitPrice", "Subtotal"),
    "split_history": ("Total Quantity", "Allocated Quantity", "Sequence"),
    "invoices": ("Subtotal", "Tax Total", "Total"),
    "corrections": ("Allocated Quantity",),
}
NO_NUMBERS = (
    "abc",
    "1,234.56",
    "1.234,56",
    "12,5",
    "1 234",
    "$12",
    "12 EUR",
    "12%",
    "(12.5)",
    "1e400",
    "NaN1",
    "Infinity",
    "--5",
    "5-",
    "1_000",
    "0x1F",
    "5.5.5",
    "'",
    "#REF!",
    "\uff11\uff12",  # full-width digits
    "\u221212",  # the minus sign of typesetters
)
DATE_COLUMNS = {
    "broker": ("ChargeStartDate", "BillingDate"),
    "partner_center": ("ChargeStartDate", "ChargeEndDate"),
    "split_history": ("Datetime", "Recorded At"),
    "cost_centers": ("Valid From", "Valid To"),
    "invoices": ("Invoice Date",),
}
NO_DATES = (
    "31 Feb 2026",
    "2026-02-30",
    "2025-02-29",
    "17/12/2025",
    "12/17/2025",
    "17.12.2025",
    "46008",
    "20251332",
    "2025-13-01",
    "2025-12",
    "17 Dez 2025",
    "17 Dec 202",
    "2025-12-17T25:00:00Z",
    "2025-12-17T10:00:00+99:00",
    "2025-12-17 oops",
    "yesterday",
)
NEEDED_TEXTS = {
    "broker": ("Subscription ID", "ProductName"),
    "partner_center": ("InvoiceNumber", "ChargeType", "Currency"),
    "split_history": ("Subscription ID", "Event", "Cost Center"),
    "cost_centers": ("Cost Center ID", "Organization", "Name"),
    "organizations": ("Organization", "Name"),
    "invoices": ("Invoice Number", "Currency"),
    "corrections": ("Subscription ID", "Cost Center ID", "Approved By", "Reason"),
}


@dataclass(frozen=True)
class BadCell:
    """A row that is good but for the value of one column, and words of the expected reason."""

    format: str
    column: str
    value: str
    reason: str

    @property
    def row(self) -> dict[str, str]:
        return {**GOOD[self.format], self.column: self.value, "Note": f"about {self.column}"}

    @property
    def file(self) -> str:
        return f"{FOLDERS.get(self.format, self.format)}/bad {self.format}.csv"

    def __str__(self) -> str:
        return f"{self.format} {self.column} {self.value}"[:70]


BAD_CELLS = [
    *(
        BadCell(form, column, value, "is not a number")
        for form, columns in NUMBER_COLUMNS.items()
        for column in columns
        for value in NO_NUMBERS
    ),
    *(
        BadCell(form, column, value, "is not a date")
        for form, columns in DATE_COLUMNS.items()
        for column in columns
        for value in NO_DATES
    ),
    *(
        BadCell(form, column, value, "is empty")
        for form, columns in NEEDED_TEXTS.items()
        for column in columns
        for value in ("", "  ")
    ),
    BadCell("broker", "Quantity", "", "is empty"),
    BadCell("broker", "TotalCost", "", "is empty"),
    BadCell("broker", "BillingDate", "", "is empty"),
    BadCell("partner_center", "Subtotal", "", "is empty"),
    BadCell("partner_center", "ChargeEndDate", "", "is empty"),
    BadCell("partner_center", "ChargeEndDate", "NaN", "is empty"),
    BadCell("partner_center", "ChargeEndDate", "2025-12-27", "ends before ChargeStartDate"),
    BadCell("broker", "BillingLineDetails", "", "does not contain a charge type and period"),
    BadCell(
        "broker", "BillingLineDetails", "addQuantity", "does not contain a charge type and period"
    ),
    BadCell(
        "broker",
        "BillingLineDetails",
        "From 28 Dec 2025 to 27 Jan 2026 (31 days)",
        "does not contain a charge type and period",
    ),
    BadCell(
        "broker",
        "BillingLineDetails",
        "cycleCharge. From 28 Dec 2025",
        "does not contain a charge type and period",
    ),
    BadCell(
        "broker",
        "BillingLineDetails",
        "cycleCharge. From 28 Dec 2025 to 31 Feb 2026 (66 days)",
        "is not a date",
    ),
    BadCell(
        "broker",
        "BillingLineDetails",
        "cycleCharge. From 28/12/2025 to 27 Jan 2026 (31 days)",
        "is not a date",
    ),
    BadCell(
        "broker",
        "BillingLineDetails",
        "cycleCharge. From 28 Dec 2025 to 27 Dec 2025 (0 days)",
        "ends before ChargeStartDate",
    ),
    BadCell("split_history", "Datetime", "", "is empty"),
    BadCell("split_history", "Allocated Quantity", "-1", "is negative"),
    BadCell("split_history", "Total Quantity", "-15", "is negative"),
    BadCell("cost_centers", "Is Default", "maybe", "is neither yes nor no"),
    BadCell("cost_centers", "Is Shared", "2", "is neither yes nor no"),
    BadCell("organizations", "Refund Policy", "mirror-original", "is neither as_documented nor"),
    BadCell("organizations", "Refund Policy", "mirrored", "is neither as_documented nor"),
    BadCell("corrections", "Billing Period", "January", "is not a month"),
    BadCell("corrections", "Billing Period", "2026-13", "is not a month"),
    BadCell("corrections", "Billing Period", "", "is empty"),
    BadCell("corrections", "Allocated Quantity", "-1", "is negative"),
]

BEYOND = "1000000000000000000"
"""One digit more than a measure, DECIMAL(28, 10), holds before its point."""

ABSURD_CELLS = [
    *(
        BadCell(form, column, BEYOND, column)
        for form, columns in NUMBER_COLUMNS.items()
        for column in columns
        if column != "Sequence"
    ),
    BadCell("split_history", "Sequence", "1e19", "Sequence"),
]

# How numbers may be written, with what they are worth.
NUMBERS = {
    "'22.000000000000000000": "22",
    "'0E-20": "0",
    "0E-20": "0",
    "'-3.25": "-3.25",
    "  12.5 ": "12.5",
    "12\u00a0": "12",
    "+5": "5",
    ".5": "0.5",
    "5.": "5",
    "007": "7",
    "-0": "0",
    "1E2": "100",
    "1.5e+1": "15",
    "25e-2": "0.25",
    "0.123456789012345678": "0.1234567890",
    "0.00000000005": "0",
    "0.00000000015": "0.0000000002",
}
# How days may be written. An instant belongs to its UTC day.
DAYS = {
    "2025-12-17": "2025-12-17",
    " 17 Dec 2025 ": "2025-12-17",
    "17 dec 2025": "2025-12-17",
    "17-Dec-25": "2025-12-17",
    "17-DEC-2025": "2025-12-17",
    "17 December 2025": "2025-12-17",
    "Dec 17, 2025": "2025-12-17",
    "December 17, 2025": "2025-12-17",
    "2025-12-17T00:00:00": "2025-12-17",
    "2025-12-17 23:59": "2025-12-17",
    "2025-12-17T23:59:59.9999999Z": "2025-12-17",
    "2026-01-01T00:30:00+02:00": "2025-12-31",
    "2026-01-01T00:30:00+0200": "2025-12-31",
    "2025-12-31T23:30:00-05:00": "2026-01-01",
    "2025-12-31T18:14:59-05:45": "2025-12-31",
    "2025-12-31T18:15:00-05:45": "2026-01-01",
    "2024-02-29": "2024-02-29",
}


def table(*rows: Row) -> str:
    """CSV of rows that share their columns."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def broker(seat: str, cost: str, billed: str, **columns: str) -> dict[str, str]:
    row = {**GOOD["broker"], "Subscription ID": seat, "TotalCost": cost, "BillingDate": billed}
    return {**row, "TotalSales": "", "TotalMargin": "", **columns}


def charge(invoice: str, seat: str, cost: str, **columns: str) -> dict[str, str]:
    row = {**GOOD["partner_center"], "InvoiceNumber": invoice, "SubscriptionId": seat}
    return {**row, "Subtotal": cost, **columns}


def invoice(number: str, subtotal: str) -> dict[str, str]:
    return {**GOOD["invoices"], "Invoice Number": number, "Subtotal": subtotal}


def bad_file(cells: list[BadCell], form: str) -> str:
    """A file that begins and ends with a good row and has a bad cell in each row between."""
    bad = [cell.row for cell in cells if cell.format == form]
    return table({**GOOD[form], "Note": "first"}, *bad, {**GOOD[form], "Note": "last"})


@dataclass(frozen=True)
class Quarantined:
    column_name: str | None
    value: str | None
    reason: str
    raw_row: str | None
    total_cost: Decimal | None
    is_superseded: bool


@dataclass(frozen=True)
class Bill:
    """A row of invoice_reconciliation, without what the tests do not look at."""

    invoice_total: Decimal | None
    lines_total: Decimal
    allocated_total: Decimal
    quarantined_total: Decimal
    variance: Decimal | None
    status: str
    line_count: int
    quarantined_row_count: int


@dataclass(frozen=True)
class Built:
    """What a build made: all the tests look at it, none changes it."""

    quarantine: dict[tuple[str, int | None], list[Quarantined]]
    """By file and row number."""
    bills: dict[str, dict[str, Bill]]
    """By invoice number, or billing date where there is none, then by currency."""
    lines: dict[str, dict[str, tuple]]
    """(total_cost, charge_start_date, snapshot_effective_at) by bill, then by subscription."""
    good_row_counts: dict[str, int]
    findings: list[tuple[str, str]]
    """(severity, message)."""

    def bill(self, name: str, currency: str = "USD") -> Bill:
        """The bill of this name, which must be the only one."""
        assert list(self.bills[name]) == [currency]
        return self.bills[name][currency]

    def quarantined(self, file: str, row_number: int | None) -> Quarantined:
        """The one entry for this row of this file."""
        (found,) = self.quarantine[file, row_number]
        return found


def built(company: Company) -> Built:
    company.build()
    quarantine: dict[tuple[str, int | None], list[Quarantined]] = {}
    for file, row_number, *rest in company.query(
        """
        select
            file, row_number, column_name, value, reason, raw_row, total_cost, is_superseded
        from marts.quarantined_rows
        """
    ):
        quarantine.setdefault((file, row_number), []).append(Quarantined(*rest))
    bills: dict[str, dict[str, Bill]] = {}
    for name, currency, *rest in company.query(
        """
        select
            coalesce(invoice_number, cast(billing_date as varchar), 'none'), currency,
            invoice_total, lines_total, allocated_total, quarantined_total, variance, status,
            line_count, quarantined_row_count
        from marts.invoice_reconciliation
        """
    ):
        assert currency not in bills.setdefault(name, {})
        bills[name][currency] = Bill(*rest)
    lines: dict[str, dict[str, tuple]] = {}
    for name, seat, *rest in company.query(
        """
        select
            coalesce(invoice_number, cast(billing_date as varchar)), subscription_id,
            sum(total_cost), min(charge_start_date), max(snapshot_effective_at)
        from marts.billing_report
        group by all
        """
    ):
        lines.setdefault(name, {})[seat] = tuple(rest)
    counts = {
        form: company.query(f"select count(*) from staging.{model} where rejected_reason is null")[
            0
        ][0]
        for form, model in (
            ("split_history", "stg_split_history__events"),
            ("cost_centers", "stg_cost_centers__cost_centers"),
            ("organizations", "stg_organizations__organizations"),
            ("invoices", "stg_invoices__invoices"),
            ("corrections", "stg_corrections__corrections"),
        )
    }
    findings = company.query("select severity, message from marts.findings")
    return Built(quarantine, bills, lines, counts, findings)


# --- one build of bad cells and damaged files -------------------------------------------------

STRUCTURE = (
    table(broker("A1", "100", "7 Jan 2026"))
    + "A2,Microsoft 365 E3,1,7.25\n"
    + "A3,Microsoft 365 E3, new,1,9,,,28 Dec 2025,7 Jan 2026,cycleCharge,Alder,USD\n"
    + "\n"
    + table(broker("A4", "3.5", "7 Jan 2026", ProductName="Café")).split("\n", 1)[1]
    + table(broker("A5", "50", "7 Jan 2026")).split("\n", 1)[1]
).encode("cp1252")

UNCLOSED = table(
    charge("Q1", "S1", "1"),
    charge("Q1", "S2", "20", ProductName="E3"),
    charge("Q1", "S3", "300"),
    charge("Q1", "S4", "4000", ProductName='"E5"'),
    charge("Q1", "S5", "50000"),
).replace(",E3,", ',"E3,')
UNCLOSED_LAST = table(
    charge("Q2", "S1", "1"),
    charge("Q2", "S2", "20", ReferenceId="oops"),
    charge("Q2", "S3", "300"),
).replace(",oops", ',"oops')

JSON_LINES = "\n".join(
    (
        json.dumps(charge("J1", "S1", "10")),
        json.dumps(charge("J1", "S2", "20"))[:-20],
        json.dumps({**charge("J1", "S3", "30"), "Quantity": "ten"}),
        json.dumps({**charge("J1", "S4", "40"), "Quantity": 2.5, "ReferenceId": None}),
        json.dumps({**charge("J1", "S5", ""), "Subtotal": None}),
        "[]",
    )
)

RE_EXPORTED = (
    broker("L1", "10", "10 Jan 2026"),
    broker("L2", "5", "10 Jan 2026", Quantity="many"),
)
REFUSED = {
    "billing_lines/empty.csv": (b"", "the file is empty"),
    "billing_lines/book.xlsx": (b"PK\x03\x04\x14\x00\x06\x00", "truncated or damaged"),
    "billing_lines/cut.csv.gz": (gzip.compress(STRUCTURE)[:-9], "truncated or damaged"),
    "billing_lines/letter.txt": (b"Dear Ada,\n", "matches no format"),
    "billing_lines/no cost.csv": (
        STRUCTURE.replace(b"TotalCost", b"Costs"),
        "missing column TotalCost ",
    ),
    "split_history/bill.csv": (STRUCTURE, "belongs in landing/billing_lines"),
    "bills/bill.csv": (STRUCTURE, "not in the folder of a feed"),
    "bill.csv": (STRUCTURE, "not in the folder of a feed"),
}


@pytest.fixture(scope="module")
def hostile(new_company: NewCompany) -> Built:
    company = new_company()
    for form in GOOD:
        company.drop(f"{FOLDERS.get(form, form)}/bad {form}.csv", bad_file(BAD_CELLS, form))

    company.drop("billing_lines/structure.csv", STRUCTURE)
    company.drop("billing_lines/structure (copy).csv", STRUCTURE)
    company.drop("billing_lines/structure.csv.gz", gzip.compress(STRUCTURE))

    company.drop("billing_lines/unclosed.csv", UNCLOSED)
    company.drop("billing_lines/unclosed last.csv", UNCLOSED_LAST)
    company.drop("billing_lines/lines.jsonl", JSON_LINES)

    without_currency = [
        {key: value for key, value in row.items() if key not in ("Currency", "Organization")}
        for row in (
            broker("B1", "10", "8 Jan 2026"),
            broker("B2", "5", "8 Jan 2026", Quantity="few"),
        )
    ]
    company.drop("billing_lines/no currency.csv", table(*without_currency))
    small = broker("C1", "10", "9 Jan 2026", Currency="usd")
    company.drop(
        "billing_lines/small currency.csv",
        table({"Currency": small.pop("Currency"), **small}) + "usd,C2,Microsoft 365 E3,1,7.25\n",
    )
    company.drop("billing_lines/exported.csv", table(*RE_EXPORTED))
    company.drop(
        "billing_lines/exported again.csv",
        table(*RE_EXPORTED, broker("L3", "20", "10 Jan 2026")),
    )

    company.drop(
        "billing_lines/numbers.csv",
        table(*(charge("N1", text, text) for text in NUMBERS)),
    )
    company.drop(
        "billing_lines/days.csv",
        table(
            *(
                charge("D1", text, "1", ChargeStartDate=text, ChargeEndDate="2026-01-27")
                for text in DAYS
            )
        ),
    )
    company.drop(
        "billing_lines/refund.csv", table(charge("D2", "R1", "-5", ChargeStartDate="2025-12-17"))
    )
    split = {**GOOD["split_history"], "Subscription ID": "R1", "Recorded At": ""}
    company.drop(
        "split_history/offsets.csv",
        table(
            {**split, "Datetime": "2025-12-17T01:00:00+02:00"},
            {**split, "Datetime": "2025-12-16T23:00:00-02:00"},
        ),
    )
    company.drop(
        "invoices/invoices.csv",
        table(invoice("J1", "120"), invoice("D1", str(len(DAYS))), invoice("D2", "-5")),
    )
    for file, (content, _) in REFUSED.items():
        company.drop(file, content)
    return built(company)


@pytest.mark.parametrize("cell", BAD_CELLS, ids=str)
def test_a_bad_cell_is_shown_with_file_row_column_value_reason_and_complete_row(
    hostile: Built, cell: BadCell
) -> None:
    same_format = [each for each in BAD_CELLS if each.format == cell.format]
    row_number = 3 + same_format.index(cell)
    found = hostile.quarantined(cell.file, row_number)
    assert (found.column_name, found.value) == (cell.column, cell.value)
    assert found.reason.startswith(f"{cell.column} ")
    assert cell.reason in found.reason
    raw = json.loads(found.raw_row or "")
    landed = {column: value for column, value in cell.row.items() if column != "Note"}
    assert {column: raw[snake_case(column)] for column in landed} == landed
    assert json.loads(raw["other_columns"]) == {"Note": f"about {cell.column}"}
    assert not found.is_superseded


@pytest.mark.parametrize("form", GOOD)
def test_the_good_rows_around_bad_ones_are_not_in_quarantine(hostile: Built, form: str) -> None:
    file = f"{FOLDERS.get(form, form)}/bad {form}.csv"
    bad = [cell for cell in BAD_CELLS if cell.format == form]
    assert sorted(number or 0 for name, number in hostile.quarantine if name == file) == list(
        range(3, 3 + len(bad))
    )


def test_the_good_rows_of_every_feed_go_through(hostile: Built) -> None:
    assert hostile.good_row_counts == {
        "split_history": 2 + 2,
        "cost_centers": 2,
        "organizations": 2,
        "invoices": 2 + 3,
        "corrections": 2,
    }


@pytest.mark.parametrize(("form", "bill"), [("broker", "2026-01-06"), ("partner_center", "G1")])
def test_readable_amounts_of_bad_rows_count_once_in_the_reconciliation(
    hostile: Built, form: str, bill: str
) -> None:
    bad = [cell for cell in BAD_CELLS if cell.format == form]
    cost = Decimal(GOOD[form][COST_COLUMN[form]])
    readable = [cell for cell in bad if cell.column != COST_COLUMN[form]]
    # A row without a readable currency has the currency of its file's bill; likewise for the date.
    found = hostile.bill(bill)
    assert found.quarantined_total == cost * len(readable)
    assert found.quarantined_row_count == len(bad)
    assert found.lines_total == found.allocated_total == 2 * cost
    assert found.line_count == 2
    assert found.status == "quarantined"


def test_an_unreadable_amount_is_unknown_and_not_zero(hostile: Built) -> None:
    for cell in BAD_CELLS:
        if cell.format in COST_COLUMN:
            same_format = [each for each in BAD_CELLS if each.format == cell.format]
            found = hostile.quarantined(cell.file, 3 + same_format.index(cell))
            expected = (
                None
                if cell.column == COST_COLUMN[cell.format]
                else Decimal(GOOD[cell.format][COST_COLUMN[cell.format]])
            )
            assert found.total_cost == expected


def test_rows_of_another_width_or_encoding_are_shown_with_their_visible_row_number(
    hostile: Built,
) -> None:
    file = "billing_lines/structure (copy).csv"
    assert sorted(number or 0 for name, number in hostile.quarantine if name == file) == [3, 4, 6]
    short, long, accent = (hostile.quarantined(file, number) for number in (3, 4, 6))
    assert short.reason == "the row has 4 columns, the header has 11"
    assert (short.raw_row, short.total_cost) == ("A2,Microsoft 365 E3,1,7.25", Decimal("7.25"))
    assert long.reason == "the row has 12 columns, the header has 11"
    assert (long.raw_row or "").startswith("A3,Microsoft 365 E3, new,1,9,")
    assert long.total_cost is None
    assert (accent.column_name, accent.total_cost) == ("ProductName", Decimal("3.5"))
    assert "UTF-8" in accent.reason


def test_amounts_of_damaged_rows_count_once_in_three_copies_of_a_file(
    hostile: Built,
) -> None:
    bill = hostile.bill("2026-01-07")
    assert bill.lines_total == bill.allocated_total == 150
    assert bill.quarantined_total == Decimal("10.75")
    assert (bill.line_count, bill.quarantined_row_count) == (2, 3)
    assert bill.status == "quarantined"


def test_an_unclosed_quote_hides_no_following_amount(hostile: Built) -> None:
    assert {seat: line[0] for seat, line in hostile.lines["Q1"].items()} == {
        "S1": 1,
        "S3": 300,
        "S4": 4000,
        "S5": 50000,
    }
    assert "quote" in hostile.quarantined("billing_lines/unclosed.csv", 3).reason
    assert hostile.bill("Q1").status == "quarantined"


def test_an_unclosed_quote_in_the_last_column_hides_no_following_amount(hostile: Built) -> None:
    assert {seat: line[0] for seat, line in hostile.lines["Q2"].items()} == {"S1": 1, "S3": 300}
    assert "quote" in hostile.quarantined("billing_lines/unclosed last.csv", 3).reason
    assert hostile.bill("Q2").status == "quarantined"


def test_json_lines_with_broken_ones_among_them_bill_the_good_ones(hostile: Built) -> None:
    file = "billing_lines/lines.jsonl"
    assert sorted(number or 0 for name, number in hostile.quarantine if name == file) == [
        2,
        3,
        5,
        6,
    ]
    assert hostile.quarantined(file, 2).raw_row == JSON_LINES.split("\n")[1]
    words = hostile.quarantined(file, 3)
    assert (words.column_name, words.value, words.total_cost) == ("Quantity", "ten", 30)
    nothing = hostile.quarantined(file, 5)
    assert (nothing.column_name, nothing.value) == ("Subtotal", None)
    bill = hostile.bill("J1")
    assert (bill.lines_total, bill.quarantined_total) == (50, 30)
    assert (bill.invoice_total, bill.variance) == (120, 70)
    assert (bill.status, bill.quarantined_row_count) == ("quarantined", 4)


def test_a_bill_without_currency_does_not_look_complete(hostile: Built) -> None:
    (bill,) = hostile.bills["2026-01-08"].values()
    assert (bill.lines_total, bill.quarantined_total) == (10, 5)
    assert bill.status == "quarantined"


def test_a_damaged_row_with_its_currency_in_small_letters_belongs_to_the_same_bill(
    hostile: Built,
) -> None:
    bill = hostile.bill("2026-01-09")
    assert (bill.lines_total, bill.quarantined_total) == (10, Decimal("7.25"))
    assert bill.status == "quarantined"


def test_a_bad_row_that_is_exported_again_counts_once(hostile: Built) -> None:
    bill = hostile.bill("2026-01-10")
    assert bill.lines_total == 30
    assert bill.quarantined_total == 5


@pytest.mark.parametrize("file", REFUSED)
def test_a_refused_file_is_in_quarantine_with_its_reason(hostile: Built, file: str) -> None:
    found = hostile.quarantined(file, None)
    assert REFUSED[file][1] in found.reason
    assert (found.column_name, found.value, found.raw_row) == (None, None, None)


def test_refused_bills_keep_the_reconciliation_from_looking_complete(hostile: Built) -> None:
    (bill,) = hostile.bills["none"].values()
    in_folder = [file for file in REFUSED if file.startswith("billing_lines/")]
    assert bill.quarantined_row_count == len(in_folder)
    assert (bill.lines_total, bill.quarantined_total) == (0, 0)
    assert bill.status == "quarantined"


def test_nothing_else_is_in_quarantine(hostile: Built) -> None:
    expected = (
        len(BAD_CELLS)
        + len(REFUSED)
        + len([3, 4, 6])  # structure
        + len([3]) * 2  # unclosed
        + len([2, 3, 5, 6])  # JSON lines
        + len(["no currency", "small currency"])
    )
    files = [
        file
        for (file, _), found in hostile.quarantine.items()
        for _ in found
        if not file.startswith("billing_lines/exported")
    ]
    assert len(files) == expected


@pytest.mark.parametrize(("text", "amount"), NUMBERS.items())
def test_a_number_is_read_with_every_spreadsheet_guard(
    hostile: Built, text: str, amount: str
) -> None:
    total, *_ = hostile.lines["N1"][text.strip()]
    assert total == Decimal(amount)


@pytest.mark.parametrize(("text", "day"), DAYS.items())
def test_a_day_is_read_without_guessing_and_an_instant_is_its_utc_day(
    hostile: Built, text: str, day: str
) -> None:
    _, start, _ = hostile.lines["D1"][text.strip()]
    assert start == date.fromisoformat(day)


def test_a_split_with_an_offset_is_in_force_from_its_utc_instant(hostile: Built) -> None:
    # 01:00 at +02:00 is the evening before, in time for a refund that starts on the 17th;
    # 23:00 at -02:00 is the 17th already.
    _, _, snapshot = hostile.lines["D2"]["R1"]
    assert snapshot == datetime(2025, 12, 16, 23)


@pytest.mark.parametrize("bill", ["D1", "D2"])
def test_bills_without_bad_rows_reconcile_despite_bills_with_bad_rows(
    hostile: Built, bill: str
) -> None:
    found = hostile.bill(bill)
    assert (found.status, found.variance, found.quarantined_row_count) == ("reconciled", 0, 0)


# --- numbers beyond all measure ---------------------------------------------------------------


@pytest.fixture(scope="module")
def absurd(new_company: NewCompany) -> Built:
    company = new_company()
    for form in NUMBER_COLUMNS:
        company.drop(f"{FOLDERS.get(form, form)}/bad {form}.csv", bad_file(ABSURD_CELLS, form))
    return built(company)


@pytest.mark.parametrize("cell", ABSURD_CELLS, ids=str)
def test_a_number_too_large_for_a_measure_is_quarantined_and_not_lost(
    absurd: Built, cell: BadCell
) -> None:
    same_format = [each for each in ABSURD_CELLS if each.format == cell.format]
    found = absurd.quarantined(cell.file, 3 + same_format.index(cell))
    assert (found.column_name, found.value) == (cell.column, cell.value)


def test_good_rows_are_used_despite_rows_with_numbers_too_large(absurd: Built) -> None:
    assert absurd.bill("2026-01-06").lines_total == Decimal("14.5")
    assert absurd.bill("G1").lines_total == 10
    assert absurd.good_row_counts["split_history"] == 2


def test_numbers_that_are_too_large_only_together_do_not_stop_the_build(company: Company) -> None:
    most = "9" * 18
    split = {**GOOD["split_history"], "Subscription ID": "S6", "Total Quantity": most}
    company.drop(
        "billing_lines/huge.csv",
        table(
            # a sum of money, and a sum of money in quarantine
            broker("S1", most, "6 Jan 2026"),
            broker("S2", most, "6 Jan 2026"),
            broker("S3", most, "6 Jan 2026", Quantity="x"),
            broker("S4", most, "6 Jan 2026", Quantity="x"),
            # a margin
            broker("S5", f"-{most}", "6 Jan 2026", TotalSales=most),
            # a sum of seats, a product of money and seats
            broker("S6", "10", "6 Jan 2026"),
            broker("S7", most, "6 Jan 2026"),
            broker("good", "10", "7 Jan 2026"),
        ),
    )
    company.drop(
        "split_history/huge.csv",
        table(
            {**split, "Allocated Quantity": most},
            {**split, "Allocated Quantity": most, "Cost Center": "Marketing"},
            {
                **split,
                "Subscription ID": "S7",
                "Total Quantity": "15.0000000001",
                "Allocated Quantity": "10.0000000001",
            },
        ),
    )
    company.build(expect_success=False)
    assert company.failures == ()
    assert company.query(
        "select total_cost from marts.billing_report where subscription_id = 'good'"
    ) == [(10,)]


# --- invoices that are issued again -----------------------------------------------------------

JANUARY, FEBRUARY, MARCH = (datetime(2026, month, 1).timestamp() for month in (1, 2, 3))


def issue(company: Company, name: str, written: float, *rows: Row, tail: str = "") -> None:
    path = company.drop(f"billing_lines/{name}.csv", table(*rows) + tail)
    os.utime(path, (written, written))


@pytest.fixture(scope="module")
def issued_company(new_company: NewCompany) -> Company:
    """A company whose older files are in the warehouse before the newer ones arrive."""
    company = new_company()
    company.drop(
        "invoices/invoices.csv",
        table(*(invoice(f"R{number}", "16") for number in range(1, 7))),
    )
    issue(
        company,
        "R1 first",
        JANUARY,
        charge("R1", "S1", "10"),
        charge("R1", "S2", "6", Quantity="x"),
    )
    issue(company, "R2 second", FEBRUARY, charge("R2", "S1", "16"))
    issue(
        company,
        "R3 first",
        JANUARY,
        charge("R3", "S1", "10"),
        charge("R3", "S2", "6", Quantity="x"),
    )
    issue(company, "R4 first", JANUARY, charge("R4", "S1", "99"))
    issue(company, "R5 first", JANUARY, charge("R5", "S1", "10"), tail="R5,Alder,S2,P1,0001\n")
    issue(company, "R6 first", JANUARY, charge("R6", "S1", "16", Quantity="x"))
    company.ingest()

    issue(company, "R1 again", FEBRUARY, charge("R1", "S1", "10"), charge("R1", "S2", "6"))
    # An older file that arrives late stays the older one.
    issue(
        company,
        "R2 arrives late",
        JANUARY,
        charge("R2", "S1", "7"),
        charge("R2", "S2", "8", Quantity="x"),
    )
    issue(
        company,
        "R3 again",
        FEBRUARY,
        charge("R3", "S2", "6", Quantity="x"),
        charge("R3", "S1", "10"),
    )
    issue(company, "R4 again", FEBRUARY, charge("R4", "S1", "16"))
    issue(company, "R4 first, copied later", MARCH, charge("R4", "S1", "99"))
    issue(company, "R5 again", FEBRUARY, charge("R5", "S1", "16"))
    issue(company, "R6 again", FEBRUARY, charge("R6", "S1", "16"))
    # The export API delivers a large invoice in several files.
    issue(company, "R7 part 1", FEBRUARY, charge("R7", "S1", "10"), charge("R7", "S2", "20"))
    issue(company, "R7 part 2", FEBRUARY + 1, charge("R7", "S3", "30"), charge("R7", "S4", "40"))
    return company


@pytest.fixture(scope="module")
def issued(issued_company: Company) -> Built:
    return built(issued_company)


@pytest.mark.parametrize("number", ["R1", "R2", "R4", "R5", "R6"])
def test_the_latest_file_of_a_reissued_invoice_counts(issued: Built, number: str) -> None:
    bill = issued.bill(number)
    assert bill.lines_total == bill.allocated_total == 16
    assert (bill.quarantined_total, bill.quarantined_row_count) == (0, 0)
    assert bill.status == "reconciled"


def test_a_row_that_is_bad_in_both_issues_counts_once(issued: Built) -> None:
    bill = issued.bill("R3")
    assert (bill.lines_total, bill.quarantined_total) == (10, 6)
    assert (bill.status, bill.quarantined_row_count) == ("quarantined", 1)


def test_both_parts_of_an_invoice_are_billed(issued: Built) -> None:
    assert issued.bill("R7").lines_total == 100


@pytest.mark.parametrize(
    ("file", "row_number", "is_superseded"),
    [
        ("R1 first", 3, True),
        ("R2 arrives late", 3, True),
        ("R3 first", 3, True),
        ("R3 again", 2, False),
        ("R5 first", 3, True),
        ("R6 first", 2, True),
    ],
)
def test_bad_rows_of_the_older_issue_are_superseded(
    issued: Built, file: str, row_number: int, is_superseded: bool
) -> None:
    found = issued.quarantined(f"billing_lines/{file}.csv", row_number)
    assert found.is_superseded == is_superseded


def test_when_the_newer_issue_is_withdrawn_the_older_one_counts_again(
    issued_company: Company, issued: Built
) -> None:
    assert issued.bill("R1").status == "reconciled"
    (issued_company.data.landing / "billing_lines/R1 again.csv").unlink()
    again = built(issued_company)
    bill = again.bill("R1")
    assert (bill.lines_total, bill.quarantined_total, bill.status) == (10, 6, "quarantined")
    assert not again.quarantined("billing_lines/R1 first.csv", 3).is_superseded
    assert again.bills["R2"] == issued.bills["R2"]


def test_an_error_in_a_column_that_is_called_by_a_sign_does_not_stop_the_run(
    company: Company,
) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    sheet.title = "Centers"
    sheet.append(["#", "Cost Center ID", "Organization", "Name"])
    sheet.append(["#REF!", "CC-1", "alder", "Sales"])
    sheet.append([2, "CC-2", "alder", "IT"])
    content = io.BytesIO()
    workbook.save(content)
    company.drop("cost_centers/centers.xlsx", content.getvalue())
    company.build(*MODELS_ONLY)
    ((row_number, column_name, cell),) = company.query(
        "select row_number, column_name, cell from marts.quarantined_rows"
    )
    assert (row_number, column_name, cell) == (2, "#", "Centers!A2")
