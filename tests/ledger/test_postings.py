"""The files of the ledger alone: append, read, verify, interruption."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest
from conftest import Company

from dagster_project import run_state
from dagster_project.errors import LedgerBroken
from dagster_project.ledger import anchors
from dagster_project.ledger import postings as ledger
from dagster_project.ledger.postings import Posting
from dagster_project.settings import PROJECT_ROOT, DataFolder

# period    line         cost center  cost             sales
BILLS = """
2025-01     seats        marketing    40               50
2025-01     seats        sales        60               75
2025-01     support      sales        12.345678        15
2025-02     seats        marketing    40               50
2025-02     seats        sales        60               75
2025-02     seats back   sales        -0.0000000001    -
2025-03     seats        sales        123456789012345678.0123456789  -
"""
CLOSED_AT = {
    "2025-01": "2025-02-09T08:00:00",
    "2025-02": "2025-03-09T08:00:00",
    "2025-03": "2025-04-09T08:00:00",
}


LEDGER_0_1_0 = Path(__file__).parents[1] / "golden" / "ledger_0_1_0"
LEDGER_0_1_0_TOTALS = [
    ("2026-01", 101, Decimal("15621.4000000000")),
    ("2026-02", 182, Decimal("11123.6600000000")),
]


class Books:
    """A ledger folder and the warehouse rows that it is fed from."""

    def __init__(self, folder: Path, warehouse: Path | str = ":memory:") -> None:
        self.folder = folder
        self.chain = folder / "chain.jsonl"
        self.connection = duckdb.connect(str(warehouse))
        self.connection.execute("create schema intermediate")
        columns = ", ".join(f"{name} {kind}" for name, kind in ledger.LINE_TYPES.items())
        self.connection.execute(f"create table intermediate.int_report_rows ({columns})")
        self.connection.execute(
            """
            create table intermediate.int_shared_costs (
                billing_period varchar, organization_id varchar, organization_name varchar,
                currency varchar, step integer, source_kind varchar, source_id varchar,
                source_name varchar, method varchar, from_cost_center_id varchar,
                from_cost_center_name varchar, to_cost_center_id varchar,
                to_cost_center_name varchar, product_name varchar, share decimal(18, 10),
                sales_share decimal(18, 10), shared_cost decimal(28, 10),
                shared_sales decimal(28, 10), explanation varchar
            )
            """
        )
        for bill in BILLS.strip().splitlines():
            self.bill(*(word.strip() for word in bill.split("  ") if word.strip()))

    @classmethod
    def of_two_months(cls, folder: Path) -> "Books":
        """January and February are posted."""
        books = cls(folder)
        books.post("2025-01")
        books.post("2025-02")
        return books

    def bill(self, period: str, line: str, cost_center: str, cost: str, sales: str = "-") -> None:
        """Put one row into the report that periods are posted from."""
        self.connection.execute(
            """
            insert into intermediate.int_report_rows by name
            select
                $period as billing_period, $line as line_id, $cost_center as cost_center_id,
                cast($cost as decimal(28, 10)) as total_cost,
                cast(nullif($sales, '-') as decimal(28, 10)) as total_sales
            """,
            {
                "period": period,
                "line": line,
                "cost_center": cost_center,
                "cost": cost,
                "sales": sales,
            },
        )

    def post(self, period: str, reason: str | None = None) -> Posting:
        return ledger.append_posting(
            self.folder, self.connection, period, CLOSED_AT[period], "ada", reason
        )

    def read(self) -> tuple[Posting, ...]:
        return ledger.read_postings(self.folder)

    def load(self) -> tuple[Posting, ...]:
        return ledger.load_postings(self.folder, self.connection)

    def rows(self, sql: str) -> list[tuple]:
        return self.connection.execute(sql).fetchall()

    def lines(self) -> list[str]:
        return self.chain.read_text(encoding="utf-8").splitlines()

    def write_lines(self, lines: list[str]) -> None:
        self.chain.write_text("".join(line + "\n" for line in lines), encoding="utf-8")

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def contents(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """An empty ledger, and three months of rows that can be posted."""
    made = Books(tmp_path / "ledger")
    yield made
    made.connection.close()


@pytest.fixture
def closed_books(books: Books) -> Books:
    """January, February and March are posted."""
    for period in CLOSED_AT:
        books.post(period)
    assert len(books.read()) == 3
    return books


# --- posted rows --------------------------------------------------------------------------------


def test_without_a_folder_nothing_is_posted_yet(books: Books) -> None:
    assert books.load() == ()
    assert books.rows("select * from raw.ledger_lines") == []
    assert books.rows("select * from raw.ledger_postings") == []
    assert not books.folder.exists()


def test_a_posting_contains_exactly_the_rows_of_its_period(books: Books) -> None:
    books.post("2025-02")
    books.load()
    assert books.rows(
        """
        select posting_number, billing_period, line_id, cost_center_id, total_cost, total_sales
        from raw.ledger_lines
        """
    ) == [
        (1, "2025-02", "seats", "marketing", Decimal("40"), Decimal("50")),
        (1, "2025-02", "seats", "sales", Decimal("60"), Decimal("75")),
        (1, "2025-02", "seats back", "sales", Decimal("-0.0000000001"), None),
    ]


def test_every_column_is_restored_as_posted(books: Books) -> None:
    books.connection.execute(
        """
        update intermediate.int_report_rows set
            billing_date = date '2025-02-06', provider = 'Microsoft', invoice_number = 'G1',
            organization_id = 'alder',
            organization_name = 'Alder & Birch', subscription_id = 's', product_name = 'E3',
            sku_id = '0001', charge_type = 'new', charge_kind = 'cycle',
            charge_start_date = date '2025-01-01', charge_end_date = date '2025-01-31',
            billing_line_details = 'new. From 1 Jan', cost_center_name = 'Büro "Süd", 1st',
            quantity = 0.3333333333, total_margin = 0.0000000001, currency = 'EUR',
            share = 0.6666666667, snapshot_effective_at = timestamp '2025-01-01 09:30:00.123456',
            split_reason = 'snapshot', is_unallocated = true, refund_of_line_id = 'earlier',
            charge_class = 'Correction', explanation = 'because', cost_center_name_then = 'then',
            original_billing_period = '2024-12', corrects_line_id = 'late', file = 'a.csv',
            source_format = 'broker_report', row_number = 9007199254740993,
            snapshot_id = 'split', allocated_quantity = 2.5, product_id = 'CFQ7', unit_price = 12.5,
                price_source = 'offer', price_explanation = 'offer from 2025-01-01',
                proration_rule = 'line_cut', is_default = true, quantity_unit = 'Hours',
                    billed_cost = 0.000000000000000001, effective_cost = 14.97651418586,
                    list_cost = 440, contracted_cost = 20.52,
                    billing_period_start = timestamp '2024-09-01',
                    billing_period_end = timestamp '2024-10-01'
        """
    )
    posted = "select * replace (1 as posting_number) from intermediate.int_report_rows"
    expected = books.rows(f"{posted} where billing_period = '2025-01' order by all")
    assert all(value is not None for row in expected for value in row), "a column is not tested"
    books.post("2025-01")
    books.load()
    lines = ", ".join(ledger.LINE_TYPES)
    assert books.rows(f"select {lines} from raw.ledger_lines order by all") == expected
    others = ", ".join(ledger.SHARED_COST_TYPES)
    assert {row for row in books.rows(f"select {others} from raw.ledger_lines")} == {
        (None,) * len(ledger.SHARED_COST_TYPES)
    }


def test_shared_costs_are_posted_beside_the_lines_and_add_nothing_to_them(books: Books) -> None:
    books.connection.execute(
        """
        insert into intermediate.int_shared_costs values
            ('2025-01', 'alder', 'Alder & Birch', 'USD', 2, 'cost_center', 'it', 'IT Services',
             'even', 'it', 'IT', 'sales', 'Sales', 'E3', 0.3333333333, 0.25, 13.333333,
             15.0000000001, 'IT passes on'),
            ('2025-02', 'alder', 'Alder & Birch', 'USD', 1, 'product', 'E3', 'E3', 'percent',
             'it', 'IT', 'sales', 'Sales', null, 1, 1, 7, null, 'IT passes on')
        """
    )
    posting = books.post("2025-01")
    books.load()
    assert posting.row_count == 4
    assert Decimal(posting.total_cost) == Decimal("112.345678")
    shared = [
        "billing_period", "organization_id", "organization_name", "currency", "shared_step",
        "shared_source_kind", "shared_source_id", "shared_source_name", "shared_method",
        "cost_center_id", "cost_center_name", "receiving_cost_center_id",
        "receiving_cost_center_name", "product_name", "share", "sales_share", "shared_cost",
        "shared_sales", "explanation",
    ]  # fmt: skip
    assert books.rows(
        f"select {', '.join(shared)} from raw.ledger_lines where shared_source_kind is not null"
    ) == books.rows("from intermediate.int_shared_costs where billing_period = '2025-01'")
    rest = [name for name in ledger.ROW_TYPES if name not in ("posting_number", *shared)]
    assert books.rows(
        f"select {', '.join(rest)} from raw.ledger_lines where shared_source_kind is not null"
    ) == [(None,) * len(rest)]


def test_the_largest_and_the_smallest_amount_keep_their_last_decimal(closed_books: Books) -> None:
    closed_books.load()
    assert closed_books.rows("select min(total_cost), max(total_cost) from raw.ledger_lines") == [
        (Decimal("-0.0000000001"), Decimal("123456789012345678.0123456789"))
    ]


def test_counts_and_sums_in_the_chain_are_those_of_the_files(closed_books: Books) -> None:
    # January by hand: 40 + 60 + 12.345678 = 112.345678.
    assert Decimal(closed_books.read()[0].total_cost) == Decimal("112.345678")
    for posting in closed_books.read():
        path = closed_books.folder / posting.file
        found = closed_books.connection.execute(
            "select count(*), sum(total_cost), any_value(billing_period) from read_parquet(?)",
            [str(path)],
        ).fetchone()
        assert found == (posting.row_count, Decimal(posting.total_cost), posting.billing_period)
        assert posting.file_hash == sha256(path.read_bytes()).hexdigest()


def test_every_entry_contains_the_hash_of_the_previous_entry(closed_books: Books) -> None:
    postings = closed_books.read()
    assert [posting.posting_number for posting in postings] == [1, 2, 3]
    assert [posting.previous_hash for posting in postings] == [
        "0" * 64,
        postings[0].entry_hash,
        postings[1].entry_hash,
    ]
    assert len({posting.entry_hash for posting in postings}) == 3
    assert [json.loads(line)["posting_number"] for line in closed_books.lines()] == [1, 2, 3]


def test_the_posting_keeps_account_instant_and_reason_of_closing(books: Books) -> None:
    books.post("2025-01", reason="invoice is disputed, ticket 7")
    books.load()
    assert books.rows(
        """
        select
            billing_period, cast(closed_at as varchar), closed_by, override_reason, row_count
        from raw.ledger_postings
        """
    ) == [("2025-01", "2025-02-09 08:00:00", "ada", "invoice is disputed, ticket 7", 3)]


@pytest.mark.parametrize(
    "reason",
    [
        'Müller said "go"; 100 %\\n',
        "two\nlines\r\nof text",
        "pasted from a web page:\u2028next line",
        "pasted from a mainframe:\x85next line",
        "form\x0cfeed, file\x1cseparator, null\x00",
        "借方 🧾",
    ],
    ids=["quotes", "newlines", "line separator", "next line", "control characters", "unicode"],
)
def test_a_reason_in_any_characters_leaves_the_ledger_readable(books: Books, reason: str) -> None:
    books.post("2025-01", reason=reason)
    books.post("2025-02")
    assert [posting.override_reason for posting in books.read()] == [reason, None]


def test_posting_again_rewrites_nothing_that_was_posted_before(books: Books) -> None:
    books.post("2025-01")
    before = books.contents()
    books.post("2025-02")
    after = books.contents()
    assert after["000001-2025-01.parquet"] == before["000001-2025-01.parquet"]
    assert after["chain.jsonl"].startswith(before["chain.jsonl"])
    assert len(after["chain.jsonl"]) > len(before["chain.jsonl"])


def test_many_postings_keep_their_order(books: Books) -> None:
    periods = [f"{year}-{month:02d}" for year in (2020, 2021) for month in range(1, 13)]
    for number, period in enumerate(periods):
        books.bill(period, "seats", "sales", str(number))
        ledger.append_posting(
            books.folder, books.connection, period, "2025-02-09T08:00:00", "ada", None
        )
    assert [posting.billing_period for posting in books.load()] == periods
    assert books.rows(
        "select posting_number, billing_period, total_cost from raw.ledger_lines"
    ) == [(number + 1, period, Decimal(number)) for number, period in enumerate(periods)]


def test_loading_twice_loads_once(closed_books: Books) -> None:
    closed_books.load()
    closed_books.load()
    assert closed_books.rows("select count(*) from raw.ledger_lines") == [(7,)]
    assert closed_books.rows("select count(*) from raw.ledger_postings") == [(3,)]


def test_rows_that_are_loaded_stay_and_new_postings_are_added(books: Books) -> None:
    books.post("2025-01")
    books.load()
    # A mark that only a table that is not created again keeps.
    books.connection.execute("alter table raw.ledger_lines alter posting_number set default 7")
    for period in ("2025-02", "2025-03"):
        books.post(period)
        assert books.load()[-1].billing_period == period
    assert books.rows(
        "select posting_number, count(*) from raw.ledger_lines group by all order by 1"
    ) == [(1, 3), (2, 3), (3, 1)]
    assert books.rows(
        "select column_default from duckdb_columns()"
        " where table_name = 'ledger_lines' and column_name = 'posting_number'"
    ) == [("7",)]


@pytest.mark.parametrize(
    "damage",
    [
        "delete from raw.ledger_lines where posting_number = 2",
        "delete from raw.ledger_postings where posting_number = 2",
        "delete from raw.ledger_postings where posting_number = 3",
        "insert into raw.ledger_lines select * from raw.ledger_lines where posting_number = 1",
        "update raw.ledger_postings set entry_hash = 'of another ledger' where posting_number = 2",
        "alter table raw.ledger_lines drop column file",
        "alter table raw.ledger_postings drop column entry_hash",
        "drop table raw.ledger_lines",
        "update raw.ledger_lines set total_cost = total_cost + 1 where posting_number = 1",
        "update raw.ledger_lines set cost_center_id = 'sales' where cost_center_id = 'marketing'",
        "comment on table raw.ledger_lines is null",
    ],
)
def test_a_damaged_or_interrupted_load_is_repeated(closed_books: Books, damage: str) -> None:
    closed_books.load()
    loaded = closed_books.rows("select * from raw.ledger_lines order by all")
    closed_books.connection.execute(damage)
    closed_books.load()
    assert closed_books.rows("select * from raw.ledger_lines order by all") == loaded
    assert closed_books.rows("select count(*) from raw.ledger_postings") == [(3,)]


def test_an_older_copy_of_the_ledger_replaces_what_was_loaded(closed_books: Books) -> None:
    closed_books.load()
    (closed_books.folder / "000003-2025-03.parquet").unlink()
    closed_books.write_lines(closed_books.lines()[:2])
    closed_books.load()
    assert closed_books.rows("select distinct posting_number from raw.ledger_lines order by 1") == [
        (1,),
        (2,),
    ]


def test_reading_changes_no_byte(closed_books: Books) -> None:
    before = closed_books.contents()
    closed_books.load()
    assert closed_books.contents() == before


def test_a_posting_of_an_older_version_has_null_in_newer_columns(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = {
        name: kind
        for name, kind in ledger.ROW_TYPES.items()
        if name not in ("allocated_quantity", "snapshot_id", *ledger.SHARED_COST_TYPES)
    }
    books.connection.execute("update intermediate.int_report_rows set allocated_quantity = 5")
    with monkeypatch.context() as years_ago:
        years_ago.setattr(ledger, "ROW_TYPES", older)
        books.post("2025-01")
    books.post("2025-02")
    books.load()
    assert books.rows(
        """
        select distinct posting_number, allocated_quantity, snapshot_id, shared_source_kind
        from raw.ledger_lines
        order by posting_number
        """
    ) == [(1, None, None, None), (2, Decimal("5"), None, None)]


def test_a_ledger_of_version_0_1_0_still_loads(tmp_path: Path) -> None:
    # As Apportion 0.1.0 wrote it, with the hashes of that version.
    folder = tmp_path / "ledger"
    shutil.copytree(LEDGER_0_1_0, folder)
    books = Books(folder)
    assert [(each.billing_period, each.schema_version) for each in books.load()] == [
        ("2026-01", 1),
        ("2026-02", 1),
    ]
    assert (
        books.rows(
            "select billing_period, count(*), sum(total_cost) from raw.ledger_lines"
            " where line_id is not null group by billing_period order by billing_period"
        )
        == LEDGER_0_1_0_TOTALS
    )
    before = (LEDGER_0_1_0 / "chain.jsonl").read_text()
    posted = books.post("2025-03")
    assert (posted.posting_number, posted.schema_version) == (3, ledger.SCHEMA_VERSION)
    assert books.chain.read_text().startswith(before), "an old entry must never be rewritten"


LEDGER_0_2_0 = LEDGER_0_1_0.with_name("ledger_0_2_0")


def test_a_ledger_of_version_0_2_loads_and_grows(books: Books) -> None:
    """Signed, closed with a reason, with shared costs and the state that was posted."""
    shutil.copytree(LEDGER_0_2_0, books.folder)
    first, second = books.load()
    assert first == Posting(
        posting_number=1,
        billing_period="2025-01",
        closed_at="2025-02-09T08:00:00",
        closed_by="ada",
        override_reason="ticket 7",
        file="000001-2025-01.parquet",
        row_count=4,
        total_cost="112.3456780000",
        file_hash="5b0008dd148aaf459cf6a69eeac0c2e33965dcacc3389e97a8b651cfceec078a",
        previous_hash="0" * 64,
        schema_version=2,
        state_id="5" * 64,
        signature="b9ff271ff70f57641addc3c75ea0bb2fb76b5334b8bd5a794ce955985fcf12bb",
    )
    assert (second.billing_period, second.schema_version, second.override_reason) == (
        ("2025-02", 2, None)
    )
    assert anchors.require_signatures((first, second), b"k" * 32) == 2
    assert books.rows(
        "select billing_period, shared_cost, shared_sales, share, sales_share"
        " from raw.ledger_lines where shared_cost is not null"
    ) == [("2025-01", 10, 12, Decimal("0.5"), Decimal("0.25"))]
    before = books.chain.read_text()
    assert books.post("2025-03").posting_number == 3
    assert books.chain.read_text().startswith(before), "an old entry must never be rewritten"


def test_a_folder_that_another_name_matches_as_a_pattern_is_not_read(tmp_path: Path) -> None:
    other = Books(tmp_path / "g1" / "ledger")
    other.post("2025-01")
    other.post("2025-02")
    own = Books(tmp_path / "g[1]" / "ledger")
    own.post("2025-01")
    own.load()
    assert own.rows("select distinct billing_period from raw.ledger_lines") == [("2025-01",)]


@pytest.mark.parametrize("name", ["Chargeback [EU]", "it's ours", "100 %", "año * 2025"])
def test_the_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    books = Books(tmp_path / name / "ledger")
    books.post("2025-01")
    assert len(books.load()) == 1
    assert books.rows("select count(*) from raw.ledger_lines") == [(3,)]


# --- changed postings ---------------------------------------------------------------------------

FILES = ("000001-2025-01.parquet", "000002-2025-02.parquet", "000003-2025-03.parquet")


def assert_broken(books: Books, named: str) -> None:
    """Reading, loading and posting all stop with an error that names the file."""
    attempts: tuple[Callable[[], object], ...] = (
        books.read,
        books.load,
        lambda: books.post("2025-01"),
    )
    for attempt in attempts:
        with pytest.raises(LedgerBroken) as broken:
            attempt()
        assert str(books.folder / named) in str(broken.value)


@pytest.mark.parametrize("file", FILES)
def test_one_flipped_bit_of_a_posting_is_detected(closed_books: Books, file: str) -> None:
    path = closed_books.folder / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert_broken(closed_books, file)


@pytest.mark.parametrize("file", FILES)
def test_a_posting_rewritten_with_other_amounts_is_detected(closed_books: Books, file: str) -> None:
    path = closed_books.folder / file
    closed_books.connection.execute(
        f"create table cheaper as select * replace (1 as total_cost) from '{path}'"
    )
    closed_books.connection.execute(f"copy cheaper to '{path}' (format parquet)")
    assert_broken(closed_books, file)


@pytest.mark.parametrize("file", FILES)
def test_a_missing_posting_is_found(closed_books: Books, file: str) -> None:
    (closed_books.folder / file).unlink()
    assert_broken(closed_books, file)


def test_an_emptied_posting_is_found(closed_books: Books) -> None:
    (closed_books.folder / FILES[1]).write_bytes(b"")
    assert_broken(closed_books, FILES[1])


def test_two_swapped_postings_are_found(closed_books: Books) -> None:
    first, second = (closed_books.folder / file for file in FILES[:2])
    aside = first.with_suffix(".aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    assert_broken(closed_books, FILES[0])


@pytest.mark.parametrize(
    "added", ["000004-2025-04.parquet", "000001-2025-01 (1).parquet", "chain.jsonl.bak", "notes"]
)
def test_a_file_that_was_added_is_found(closed_books: Books, added: str) -> None:
    shutil.copy(closed_books.folder / FILES[0], closed_books.folder / added)
    assert_broken(closed_books, added)


def test_hidden_files_of_the_operating_system_are_ignored(closed_books: Books) -> None:
    (closed_books.folder / ".DS_Store").write_bytes(b"Finder was here")
    assert len(closed_books.read()) == 3
    assert (closed_books.folder / ".DS_Store").exists()


# --- a chain that is not what it was ------------------------------------------------------------

EDITS: dict[str, object] = {
    "posting_number": 7,
    "billing_period": "2025-12",
    "closed_at": "2025-01-01T00:00:00",
    "closed_by": "somebody else",
    "override_reason": "all was well",
    "file": "000009-2025-09.parquet",
    "row_count": 99,
    "total_cost": "0",
    "file_hash": "f" * 64,
    "previous_hash": "f" * 64,
    "schema_version": 1,
    "state_id": "another",
    "signature": "f" * 64,
}


def test_every_field_of_an_entry_is_edited_by_the_tests_below() -> None:
    assert set(EDITS) == {each.name for each in dataclasses.fields(Posting)}


@pytest.mark.parametrize("line", [0, 1, 2], ids=["first entry", "middle entry", "last entry"])
@pytest.mark.parametrize("edited", EDITS)
def test_an_edited_entry_is_found(closed_books: Books, edited: str, line: int) -> None:
    lines = closed_books.lines()
    entry = json.loads(lines[line])
    assert entry[edited] != EDITS[edited]
    entry[edited] = EDITS[edited]
    lines[line] = json.dumps(entry, sort_keys=True)
    closed_books.write_lines(lines)
    with pytest.raises(LedgerBroken) as broken:
        closed_books.read()
    # A wrong file or hash in the chain may also be reported for the file.
    assert str(closed_books.folder) in str(broken.value)


@pytest.mark.parametrize("number", [1, 3])
def test_an_entry_with_the_number_of_another_place_is_found(books: Books, number: int) -> None:
    books.post("2025-01")
    books.post("2025-02")
    second = dataclasses.replace(books.read()[1], posting_number=number)
    books.write_lines([books.lines()[0], second.as_line()])
    with pytest.raises(LedgerBroken, match=r"line 2 does not follow from the line before"):
        books.read()


@pytest.mark.parametrize("is_greater", [True, False], ids=["greater hash", "smaller hash"])
def test_an_entry_rewritten_with_its_own_hash_does_not_fit_the_next_one(
    books: Books, is_greater: bool
) -> None:
    books.post("2025-01")
    books.post("2025-02")
    first, second = books.read()
    names = (f"somebody else {number}" for number in range(1000))
    forged = (dataclasses.replace(first, closed_by=name) for name in names)
    found = next(each for each in forged if (each.entry_hash > first.entry_hash) == is_greater)
    books.write_lines([found.as_line(), second.as_line()])
    with pytest.raises(LedgerBroken, match=r"line 2 does not follow from the line before"):
        books.read()


def test_the_only_entry_of_a_ledger_is_protected_too(books: Books) -> None:
    books.post("2025-01")
    entry = json.loads(books.lines()[0]) | {"closed_at": "2030-01-01T00:00:00"}
    books.write_lines([json.dumps(entry, sort_keys=True)])
    assert_broken(books, "chain.jsonl")


@pytest.mark.parametrize(
    "order",
    [(1, 0, 2), (0, 2, 1), (2, 1, 0), (1, 2), (0, 2), (0, 1, 1, 2), (0, 0, 1, 2)],
    ids=str,
)
def test_a_reordered_repeated_or_cut_chain_is_found(
    closed_books: Books, order: tuple[int, ...]
) -> None:
    lines = closed_books.lines()
    closed_books.write_lines([lines[index] for index in order])
    assert_broken(closed_books, "chain.jsonl")


def test_a_truncated_chain_leaves_an_unknown_posting(closed_books: Books) -> None:
    closed_books.write_lines(closed_books.lines()[:2])
    assert_broken(closed_books, FILES[2])


def test_a_missing_chain_leaves_unknown_postings(closed_books: Books) -> None:
    closed_books.chain.unlink()
    with pytest.raises(LedgerBroken, match=r"chain\.jsonl is missing.*restore it from a backup"):
        closed_books.read()


@pytest.mark.parametrize(
    "content",
    [
        b"no json\n",
        b"[1, 2]\n",
        b"7\n",
        b"null\n",
        b"{}\n",
        b'{"posting_number": 1}\n',
        b"\n",
        b"\xff\xfe\x00",
        b"\x89PNG\r\n",
    ],
    ids=str,
)
def test_an_invalid_chain_is_detected(closed_books: Books, content: bytes) -> None:
    closed_books.chain.write_bytes(content)
    assert_broken(closed_books, "chain.jsonl")


@pytest.mark.parametrize("bit", [0x01, 0x80], ids=["another letter", "no letter at all"])
def test_one_flipped_bit_anywhere_in_the_chain_is_detected(closed_books: Books, bit: int) -> None:
    content = closed_books.chain.read_bytes()
    unnoticed = []
    for place in range(0, len(content), 37):
        flipped = bytearray(content)
        flipped[place] ^= bit
        closed_books.chain.write_bytes(flipped)
        try:
            closed_books.read()
        except LedgerBroken as broken:
            assert str(closed_books.folder) in str(broken)
        else:
            unnoticed.append((place, bytes(flipped[max(0, place - 20) : place + 20])))
    assert unnoticed == []


def test_an_edit_that_keeps_size_and_time_is_detected(tmp_path: Path) -> None:
    # A disk error changes neither. A run must not report that nothing changed.
    company = Company(DataFolder(tmp_path))
    company.data.landing.mkdir()
    books = Books(company.data.ledger)
    books.post("2025-01")
    before = run_state.current(company.data)
    path = books.folder / FILES[0]
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    try:
        after = run_state.current(company.data)
    except LedgerBroken:
        return
    assert after != before


# --- interruption -------------------------------------------------------------------------------


class PowerCut(BaseException):
    """The process ends here."""


@pytest.fixture
def cut_power(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the process end just before a file of this name gets its final name."""

    def before(name: str) -> None:
        def replace(source: Path, target: Path) -> None:
            if Path(target).name == name:
                raise PowerCut
            Path(source).rename(target)

        monkeypatch.setattr(os, "replace", replace)

    return before


def interrupt(books: Books, period: str) -> None:
    with pytest.raises(PowerCut):
        books.post(period)


def test_a_posting_interrupted_before_its_chain_entry_does_not_exist(
    books: Books, cut_power: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = books.post("2025-01")
    before = books.contents()
    cut_power("chain.jsonl")
    interrupt(books, "2025-02")
    monkeypatch.undo()
    assert len(books.names()) > len(before), "no file was left over, so this tests nothing"
    assert books.read() == (first,)
    assert len(books.names()) > len(before), "reading must leave a closing under way alone"
    assert books.load() == (first,)
    assert books.contents() == before


def test_a_posting_interrupted_before_its_rename_is_completed(
    books: Books, cut_power: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    books.post("2025-01")
    cut_power(FILES[1])
    interrupt(books, "2025-02")
    monkeypatch.undo()
    assert FILES[1] not in books.names()
    assert [posting.billing_period for posting in books.load()] == ["2025-01", "2025-02"]
    assert books.names() == [*FILES[:2], "chain.jsonl"]
    # 112.345678 of January, 40 + 60 - 0.0000000001 of February.
    assert books.rows("select sum(total_cost) from raw.ledger_lines") == [
        (Decimal("212.3456779999"),)
    ]


def test_an_interrupted_first_posting_is_completed(
    books: Books, cut_power: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_power(FILES[0])
    interrupt(books, "2025-01")
    monkeypatch.undo()
    assert [posting.billing_period for posting in books.read()] == ["2025-01"]


@pytest.mark.parametrize("at", ["chain.jsonl", FILES[1]])
def test_closing_again_after_an_interruption_works(
    books: Books, cut_power: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    books.post("2025-01")
    cut_power(at)
    interrupt(books, "2025-02")
    monkeypatch.undo()
    next_period = "2025-02" if at == "chain.jsonl" else "2025-03"
    books.post(next_period)
    postings = books.read()
    assert [posting.posting_number for posting in postings] == list(range(1, len(postings) + 1))
    assert postings[-1].billing_period == next_period
    assert sum(posting.billing_period == "2025-02" for posting in postings) == 1


def test_a_partial_file_of_an_interrupted_posting_does_not_count(
    books: Books, cut_power: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    books.post("2025-01")
    cut_power(FILES[1])
    interrupt(books, "2025-02")
    monkeypatch.undo()
    building = books.folder / (FILES[1] + ".building")
    building.write_bytes(building.read_bytes()[:-1])
    assert_broken(books, FILES[1])
    assert building.exists(), "a file that a person could still repair was deleted"


def test_leftovers_of_interrupted_postings_are_cleaned(closed_books: Books) -> None:
    for leftover in ("000004-2025-04.parquet.building", "chain.jsonl.building"):
        (closed_books.folder / leftover).write_bytes(b"half of it")
    names = closed_books.names()
    assert len(closed_books.read()) == 3
    assert closed_books.names() == names, "a reader holds no lock and must delete nothing"
    closed_books.load()
    assert closed_books.names() == [*FILES, "chain.jsonl"]


# --- from the command line ----------------------------------------------------------------------


def test_a_run_on_a_damaged_ledger_fails_and_publishes_nothing(
    company: Company, tmp_path: Path
) -> None:
    company.drop(
        "billing_lines/january.csv",
        "Subscription ID,ProductName,Quantity,TotalCost,ChargeStartDate,BillingDate,"
        "BillingLineDetails\n"
        "s,E3,1,10,2025-01-01,2025-02-06,new. From 1 Jan 2025 to 31 Jan 2025 (31 days)\n",
    )
    books = Books(company.data.ledger)
    books.post("2025-01")
    path = books.folder / FILES[0]
    path.write_bytes(path.read_bytes() + b" ")
    home = tmp_path / "dagster"
    home.mkdir()
    outcome = subprocess.run(
        [sys.executable, "-m", "dagster_project", "run", "--data", str(company.data.root)],
        cwd=PROJECT_ROOT,
        env=os.environ | {"DAGSTER_HOME": str(home), "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    printed = outcome.stdout + outcome.stderr
    assert outcome.returncode != 0, printed
    assert f"{path} was edited after it was posted" in printed
    assert "Traceback" not in printed
    assert not company.data.published_database.exists()
