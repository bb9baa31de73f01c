"""Workbooks to rows: what people do to their sheets, and what hostile files try.

Landed rows are written as (row number of the sheet, value, value, ...). `raw_book` makes a
workbook from XML where no library would write what some program writes.
"""

import io
import os
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from xml.sax.saxutils import escape

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given, note, seed, settings
from hypothesis import strategies as st
from openpyxl.styles import Font
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from openpyxl.worksheet.worksheet import Worksheet

from dagster_project.errors import (
    BrokenArchive,
    EmptyFile,
    RefusedFile,
    TooLarge,
    UnreadableText,
    WrongMapping,
)
from dagster_project.feeds import workbooks
from dagster_project.feeds.archives import ENTRY_LIMIT
from dagster_project.feeds.declarations import NOTHING_DECLARED, Declaration
from dagster_project.feeds.workbooks import (
    CELL_LIMIT,
    SeveralTables,
    WorkbookRows,
    is_workbook,
    read_workbook,
)

SEED = int(os.environ.get("APPORTION_TEST_SEED", "20260106"))
LIMIT = 100_000_000


def read(content: bytes, declared: Declaration = NOTHING_DECLARED) -> WorkbookRows:
    return read_workbook(content, LIMIT, declared)


def landed(book: WorkbookRows) -> list[tuple[object, ...]]:
    columns = [column.to_pylist() for column in book.rows.table.columns]
    return list(zip(book.rows.row_numbers.to_pylist(), *columns, strict=True))


def saved(book: openpyxl.Workbook) -> bytes:
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def sheet_of(*rows: Sequence[object], change: Callable[[Worksheet], object] = id) -> bytes:
    """A workbook of one sheet with these rows from A1 on, then changed."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Prices"
    for row in rows:
        sheet.append(list(row))
    change(sheet)
    return saved(book)


def sheets_of(**rows_by_name: Sequence[Sequence[object]]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in rows_by_name.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    return book


RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def raw_parts(
    sheet: str, strings: Sequence[str] = (), styles: str = "", workbook: str = "", before: str = ""
) -> dict[str, str]:
    """The parts of a workbook: `sheet` is the content of sheetData, or the whole worksheet."""
    if not sheet.startswith("<worksheet"):
        sheet = f'<worksheet xmlns="{MAIN}"><sheetData>{sheet}</sheetData></worksheet>'
    items = "".join(f"<si>{each}</si>" for each in strings)

    def related(identity: int, kind: str, target: str) -> str:
        return f'<Relationship Id="r{identity}" Type="{RELATIONSHIPS}/{kind}" Target="{target}"/>'

    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    return {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": (
            f'<Relationships xmlns="{package}">'
            f"{related(1, 'officeDocument', 'xl/workbook.xml')}</Relationships>"
        ),
        "xl/workbook.xml": (
            f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONSHIPS}">'
            f'<sheets><sheet name="Prices" sheetId="1" r:id="r1"/></sheets>{workbook}</workbook>'
        ),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{package}">{related(1, "worksheet", "worksheets/sheet1.xml")}'
            f"{related(2, 'sharedStrings', 'sharedStrings.xml')}"
            f"{related(3, 'styles', 'styles.xml')}</Relationships>"
        ),
        "xl/worksheets/sheet1.xml": before + sheet,
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{items}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}">{styles}</styleSheet>',
    }


def zipped(parts: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return content.getvalue()


def raw_book(
    sheet: str, strings: Sequence[str] = (), styles: str = "", workbook: str = "", before: str = ""
) -> bytes:
    return zipped(raw_parts(sheet, strings, styles, workbook, before))


def inline(reference: str, text: str) -> str:
    return f'<c r="{reference}" t="inlineStr"><is><t>{escape(text)}</t></is></c>'


HEADER = f'<row r="1">{inline("A1", "seat")}{inline("B1", "cost")}</row>'


def raw_cost(cell: str, styles: str = "", workbook: str = "") -> WorkbookRows:
    """The table of a sheet with columns seat and cost, whose B2 is `cell`."""
    row = f'<row r="2">{inline("A2", "1")}{cell}</row>'
    return read(raw_book(HEADER + row, styles=styles, workbook=workbook))


# --- the table on the sheet -------------------------------------------------------------------


def test_a_plain_sheet_becomes_text_with_the_sheets_own_row_numbers() -> None:
    book = read(sheet_of(["seat", "product", "cost"], [1, "E3", 10.5], [2, "E5", 20]))
    assert book.rows.headers == ("seat", "product", "cost")
    assert landed(book) == [(2, "1", "E3", "10.5"), (3, "2", "E5", "20")]
    assert book.rows.rejected == ()
    assert (book.sheet, book.ignored_sheets) == ("Prices", ())
    assert book.column_letters == {"seat": "A", "product": "B", "cost": "C"}
    assert book.cell("cost", 3) == "sheet Prices, cell C3"


def test_empty_rows_and_columns_around_and_in_the_table_are_passed_over_and_count() -> None:
    def move(sheet: Worksheet) -> None:
        sheet.move_range("A1:B3", rows=4, cols=2)
        sheet.insert_rows(7)
        sheet.insert_cols(4)

    book = read(sheet_of(["seat", "cost"], [1, 10], [2, 20], change=move))
    assert book.rows.headers == ("seat", "cost")
    assert book.column_letters == {"seat": "C", "cost": "E"}
    assert landed(book) == [(6, "1", "10"), (8, "2", "20")]


@pytest.mark.parametrize(
    "title",
    [
        [["Prices 2026"]],
        [["Prices 2026"], [], ["as of", "2026-01-01"]],
        [["Prepared by", "Anna"], ["Valid for", 2026], [None, None, "all amounts in EUR"]],
    ],
    ids=["title", "title and date", "block of pairs"],
)
def test_titles_above_the_table_are_passed_over(title: list[list[object]]) -> None:
    book = read(sheet_of(*title, ["sku", "price", "currency"], ["E3", 10, "EUR"]))
    assert book.rows.headers == ("sku", "price", "currency")
    assert landed(book) == [(len(title) + 2, "E3", "10", "EUR")]


def test_the_header_is_found_despite_notes_next_to_the_table() -> None:
    book = read(sheet_of(["Prices"], ["sku", "price", "currency"], ["E3", 10, "EUR", "ask Anna"]))
    assert book.rows.headers == ("sku", "price", "currency", "column D")
    assert landed(book) == [(3, "E3", "10", "EUR", "ask Anna")]


def test_a_name_that_is_missing_in_the_header_does_not_make_a_row_the_header() -> None:
    rows = [["seat", None, "cost", "product"], [1, 2, 10, "E3"], ["x", "y", "z", "E5"]]
    book = read(sheet_of(*rows))
    assert book.rows.headers == ("seat", "column B", "cost", "product")
    assert [row[0] for row in landed(book)] == [2, 3]


def test_a_sheet_of_numbers_only_has_its_first_row_as_header() -> None:
    assert read(sheet_of([1, 10], [2, 20])).rows.headers == ("1", "10")


def test_rows_with_gaps_below_a_full_header_are_rows() -> None:
    book = read(sheet_of(["a", "b", "c"], [1], [None, 2], ["x", None, 3]))
    assert landed(book) == [
        (2, "1", None, None),
        (3, None, "2", None),
        (4, "x", None, "3"),
    ]


def test_cells_that_are_formatted_but_empty_make_neither_rows_nor_columns() -> None:
    def paint(sheet: Worksheet) -> None:
        for row in sheet["A1:J40"]:
            for cell in row:
                cell.font = Font(bold=True)
        sheet["A30"] = "   "

    book = read(sheet_of(["seat", "cost"], [1, 10], change=paint))
    assert book.rows.headers == ("seat", "cost")
    assert landed(book) == [(2, "1", "10")]


def test_an_unnamed_column_with_values_is_named_by_its_letter() -> None:
    book = read(sheet_of(["seat", None, "cost"], [1, None, 10], [2, "x", 20]))
    assert book.rows.headers == ("seat", "column B", "cost")
    assert landed(book) == [(2, "1", None, "10"), (3, "2", "x", "20")]
    assert book.cell("column B", 3) == "sheet Prices, cell B3"


def test_a_column_that_begins_only_after_many_thousand_rows_is_kept() -> None:
    rows = [[1, 10] for _ in range(2 * workbooks.CHUNK_ROWS)]
    book = read(sheet_of(["seat", "cost"], *rows, [2, 20, "late"]))
    assert book.rows.headers == ("seat", "cost", "column C")
    assert landed(book)[-1] == (len(rows) + 2, "2", "20", "late")
    assert book.rows.table.column(2).null_count == len(rows)


def test_a_repeated_header_keeps_both_columns_for_refusal_by_the_format() -> None:
    book = read(sheet_of(["cost", "cost"], [1, 10]))
    assert book.rows.headers == ("cost", "cost")
    assert landed(book) == [(2, "1", "10")]


def test_hidden_and_filtered_rows_and_columns_are_read() -> None:
    def hide(sheet: Worksheet) -> None:
        sheet.auto_filter.ref = "A1:B3"
        sheet.row_dimensions[2].hidden = True
        sheet.column_dimensions["B"].hidden = True

    book = read(sheet_of(["seat", "cost"], [1, 10], [2, 20], change=hide))
    assert landed(book) == [(2, "1", "10"), (3, "2", "20")]


def test_an_empty_table_is_a_table() -> None:
    book = read(sheet_of(["seat", "cost"]))
    assert book.rows.headers == ("seat", "cost")
    assert landed(book) == []


def test_cells_and_rows_without_a_reference_are_counted() -> None:
    cells = "<row><c><v>1</v></c><c/><c><v>3</v></c></row>"
    book = read(raw_book(f'<row r="4">{cells[5:]}{cells}'))
    assert (book.rows.headers, landed(book)) == (("1", "3"), [(5, "1", "3")])
    assert book.column_letters == {"1": "A", "3": "C"}


# --- sheets -----------------------------------------------------------------------------------

TABLE = [["seat", "cost"], [1, 10]]


def test_the_first_visible_sheet_with_a_table_is_read_and_the_others_are_named() -> None:
    book = sheets_of(
        Old=[["seat", "cost"], [7, 70]],
        Empty=[],
        Readme=[["How to fill this in:"], ["one row per seat"]],
        Seats=TABLE,
        Lists=[["E3", "E5"]],
    )
    book["Old"].sheet_state = "hidden"
    read_book = read(saved(book))
    assert read_book.sheet == "Seats"
    assert landed(read_book) == [(2, "1", "10")]
    assert read_book.ignored_sheets == ("Readme", "Lists")


def test_very_hidden_sheets_and_charts_are_passed_over() -> None:
    book = sheets_of(Old=[["seat", "cost"], [7, 70]], Seats=TABLE)
    book["Old"].sheet_state = "veryHidden"
    book.create_chartsheet("Chart", 0)
    assert read(saved(book)).sheet == "Seats"


def test_two_sheets_of_one_table_are_refused_so_that_no_rows_are_lost() -> None:
    book = sheets_of(Jan=TABLE, Feb=[["Budget"], ["COST ", "Seat"], [20, 2]])
    with pytest.raises(SeveralTables, match="Jan and Feb"):
        read(saved(book))


def test_one_column_is_read_where_no_sheet_has_two() -> None:
    book = read(saved(sheets_of(Empty=[], List=[["seat"], [1]])))
    assert (book.sheet, landed(book)) == ("List", [(2, "1")])


def test_a_workbook_without_anything_visible_is_empty_and_the_hidden_sheets_are_named() -> None:
    book = sheets_of(Empty=[], Old=TABLE)
    book["Old"].sheet_state = "hidden"
    with pytest.raises(EmptyFile, match="Old"):
        read(saved(book))


# --- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("0.30000000000000004", "0.3"),
        ("1.1000000000000001", "1.1"),
        ("10", "10"),
        ("10.0", "10"),
        ("100.50", "100.5"),
        ("-97.1", "-97.1"),
        ("0", "0"),
        ("-0", "0"),
        ("0.0", "0"),
        ("1E-7", "0.0000001"),
        ("1.2345E3", "1234.5"),
        ("1.2345678901234568E+16", "12345678901234600"),
        ("12345678901234567", "12345678901234567"),
        ("1234567.8912345678", "1234567.89123457"),
        ("1E+300", "1E+300"),
        (".5", "0.5"),
        ("+5", "5"),
        ("007", "7"),
    ],
)
def test_a_number_is_the_text_a_person_sees(stored: str, text: str) -> None:
    assert landed(raw_cost(f'<c r="B2"><v>{stored}</v></c>')) == [(2, "1", text)]


@pytest.mark.parametrize("stored", ["abc", "NaN", "INF", "1_000", "1e99999", "٣", "1,5", "--1"])
def test_an_invalid_number_rejects_only_its_row(stored: str) -> None:
    (bad,) = raw_cost(f'<c r="B2"><v>{stored}</v></c>').rows.rejected
    assert (bad.row_number, bad.column_name, bad.value) == (2, "cost", stored)
    assert bad.known_values == {"seat": "1"}


@seed(SEED)
@settings(max_examples=300, deadline=None)
@given(st.decimals(-(10**9), 10**9, places=6, allow_nan=False))
def test_an_amount_survives_a_spreadsheet_round_trip(amount: Decimal) -> None:
    note(f"APPORTION_TEST_SEED={SEED}")
    ((_, _, text),) = landed(raw_cost(f'<c r="B2"><v>{float(amount)!r}</v></c>'))
    assert Decimal(str(text)) == amount
    assert "E" not in str(text)


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (0.15, "0%", "15%"),
        (0.1525, "0%", "15.25%"),
        (0.07, "0.00%", "7%"),
        (1, "0%", "100%"),
        (0, "0%", "0%"),
        (-0.035, "0.0%;[Red]-0.0%", "-3.5%"),
        (15, '0"%"', "15"),
        (15, "0\\%", "15"),
        (12.5, '#,##0.00\\ [$EUR];[Red]-#,##0.00\\ "days"', "12.5"),
        (12.5, '_-* #,##0.00\\ "days"_-', "12.5"),
        (1234567, "0.00E+00", "1234567"),
        (42, "0000", "0042"),
        (42, "0", "42"),
        (-42, "0000", "-42"),
        (42.5, "0000", "42.5"),
        (12345, "0000", "12345"),
        (True, "General", "true"),
        (False, "General", "false"),
        ("0042", "@", "0042"),
        ("10.50", "General", "10.50"),
        ("2026-01-31", "General", "2026-01-31"),
        ("06/01/2026", "General", "06/01/2026"),
        (" E3 ", "General", " E3 "),
        ("a\nb", "General", "a\nb"),
        ("#REF!", "@", "#REF!"),
        (date(2026, 1, 31), "yyyy-mm-dd", "2026-01-31"),
        (datetime(2026, 1, 31), "dd/mm/yyyy hh:mm", "2026-01-31"),
        (datetime(2026, 1, 31, 9, 30), "dd/mm/yyyy", "2026-01-31T09:30:00"),
        (datetime(2026, 1, 31, 23, 59, 59), "[$-409]d-mmm-yy;@", "2026-01-31T23:59:59"),
        (datetime(2026, 1, 31, 9, 30, 15, 250_000), "yyyy", "2026-01-31T09:30:15.250"),
        (date(1900, 1, 1), "yyyy-mm-dd", "1900-01-01"),
        (time_of_day(9, 30), "hh:mm", "09:30:00"),
        (timedelta(hours=36, minutes=5), "[h]:mm", "36:05:00"),
        (46053, "[$-F800]dddd\\,\\ mmmm\\ dd\\,\\ yyyy", "2026-01-31"),
    ],
)
def test_a_value_keeps_what_its_format_means(value: object, number_format: str, text: str) -> None:
    def fill(sheet: Worksheet) -> None:
        sheet["B2"] = value
        sheet["B2"].data_type = "s" if isinstance(value, str) else sheet["B2"].data_type
        sheet["B2"].number_format = number_format

    assert landed(read(sheet_of(["seat", "cost"], [1], change=fill))) == [(2, "1", text)]


def test_dates_of_a_workbook_that_counts_from_1904_are_the_same_dates() -> None:
    book = sheets_of(Seats=[["seat", "from"]])
    book.epoch = CALENDAR_MAC_1904
    book["Seats"].append([1, datetime(2026, 1, 31, 9, 30)])
    content = saved(book)
    assert b"date1904" in zipfile.ZipFile(io.BytesIO(content)).read("xl/workbook.xml")
    assert landed(read(content)) == [(2, "1", "2026-01-31T09:30:00")]


def test_iso_dates_and_their_times_are_read() -> None:
    book = openpyxl.Workbook(iso_dates=True)
    book.worksheets[0].append(["day", "instant"])
    book.worksheets[0].append([date(2026, 1, 31), datetime(2026, 1, 31, 9, 30)])
    content = saved(book)
    assert b't="d"' in zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml")
    assert landed(read(content)) == [(2, "2026-01-31", "2026-01-31T09:30:00")]


@pytest.mark.parametrize("kind", [27, 30, 36, 50, 57])
def test_undefined_formats_of_east_asian_programs_are_dates(kind: int) -> None:
    styles = f'<cellXfs><xf numFmtId="0"/><xf numFmtId="{kind}"/></cellXfs>'
    book = raw_cost('<c r="B2" s="1"><v>46053</v></c>', styles=styles)
    assert landed(book) == [(2, "1", "2026-01-31")]


@pytest.mark.parametrize("stored", ["-5", "1E12", "99999999"])
def test_an_invalid_date_rejects_only_its_row(stored: str) -> None:
    styles = '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
    (bad,) = raw_cost(f'<c r="B2" s="1"><v>{stored}</v></c>', styles=styles).rows.rejected
    assert "sheet Prices, cell B2" in bad.reason
    assert "date" in bad.reason


def test_rich_text_is_its_letters_without_the_reading_aids() -> None:
    strings = [
        "<t>seat</t>",
        "<t>city</t>",
        "<r><t>Tok</t></r><r><rPr><b/></rPr><t>yo</t></r><rPh sb='0' eb='1'><t>to</t></rPh>",
        "<t>a_x000D__x005F_x000D_b_xD800__x0000_</t>",
    ]
    rows = "".join(
        f'<row r="{at}"><c r="A{at}" t="s"><v>{at * 2 - 2}</v></c>'
        f'<c r="B{at}" t="s"><v>{at * 2 - 1}</v></c></row>'
        for at in (1, 2)
    )
    book = read(raw_book(rows, strings))
    assert landed(book) == [(2, "Tokyo", "a\r_x000D_b_xD800__x0000_")]


# --- declared sheets and headers ----------------------------------------------------------------


def test_a_declared_sheet_is_read_also_where_others_hold_the_same_table() -> None:
    book = sheets_of(January=[["seat", "cost"], [1, 10]], February=[["seat", "cost"], [2, 20]])
    found = read(saved(book), Declaration(sheet="february "))
    assert landed(found) == [(2, "2", "20")]
    assert found.ignored_sheets == ("January",)


def test_a_declared_sheet_may_be_hidden() -> None:
    book = sheets_of(Summary=[["total", "cost"], [1, 10]], Data=[["seat", "cost"], [2, 20]])
    book["Data"].sheet_state = "hidden"
    assert landed(read(saved(book), Declaration(sheet="Data"))) == [(2, "2", "20")]


def test_a_declared_sheet_that_does_not_exist_is_an_error_with_the_names() -> None:
    book = saved(sheets_of(Summary=[["a", "b"]], Data=[["a", "b"]]))
    with pytest.raises(WrongMapping, match="its sheets are Summary, Data"):
        read(book, Declaration(sheet="Rechnung"))


def test_a_declared_sheet_without_content_is_an_error_that_names_it() -> None:
    book = saved(sheets_of(Summary=[["a", "b"], [1, 2]], Data=[]))
    with pytest.raises(EmptyFile, match=r"the sheet Data, which .* names, is empty"):
        read(book, Declaration(sheet="Data"))


def test_everything_above_a_declared_header_row_is_ignored() -> None:
    titles = [["Bill of", "Vet Clinic", "in", "Berlin"]] * 59
    book = sheet_of(*titles, ["seat", "cost"], [1, 10])
    assert landed(read(book, Declaration(header_row=60))) == [(61, "1", "10")]
    with pytest.raises(EmptyFile, match="header_row = 62, but the sheet Prices ends above it"):
        read(book, Declaration(header_row=62))


def test_declared_separators_are_about_text_so_cells_of_numbers_are_marked() -> None:
    book = sheet_of(["seat", "cost"], [1, 1.234], [2, "1.234"])
    assert read(book, Declaration(thousands="point", decimals="comma")).rows.typed_cells == {
        "seat": {2, 3},
        "cost": {2},
    }


# --- cells without a value --------------------------------------------------------------------


@pytest.mark.parametrize("error", ["#REF!", "#N/A", "#DIV/0!", "#VALUE!", "#NAME?"])
def test_an_error_rejects_only_its_row_and_the_reason_names_the_cell(error: str) -> None:
    book = read(sheet_of(["seat", "product", "cost"], [1, "E3", error], [2, "E5", 20]))
    assert landed(book) == [(3, "2", "E5", "20")]
    (bad,) = book.rows.rejected
    assert (bad.row_number, bad.column_name, bad.value) == (2, "cost", error)
    assert bad.reason.startswith(f"sheet Prices, cell C2 shows the error {error}")
    assert bad.known_values == {"seat": "1", "product": "E3"}
    assert f'"cost": "{error}"' in bad.raw_row


def test_an_error_that_a_formula_gave_is_an_error() -> None:
    (bad,) = raw_cost('<c r="B2" t="e"><f>1/0</f><v>#DIV/0!</v></c>').rows.rejected
    assert bad.value == "#DIV/0!"


def test_a_formula_has_the_value_it_was_saved_with() -> None:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["seat", "cost", "dear"])
        sheet.write_number(1, 0, 1)
        sheet.write_formula(1, 1, "=A2*10.1", None, 10.1)
        sheet.write_formula(1, 2, "=B2>5", None, True)
    book_rows = read(content.getvalue())
    assert landed(book_rows) == [(2, "1", "10.1", "true")]
    assert book_rows.rows.rejected == ()


def test_a_formula_with_empty_text_is_an_empty_cell() -> None:
    book = raw_cost('<c r="B2" t="str"><f>IF(A2&gt;1,"x","")</f><v></v></c>')
    assert landed(book) == [(2, "1", None)]
    assert book.rows.rejected == ()


def test_a_formula_without_a_saved_result_rejects_only_its_row() -> None:
    book = read(sheet_of(["seat", "cost", "sales"], [1, "=A2*10", 99], [2, 20, 88]))
    assert landed(book) == [(3, "2", "20", "88")]
    (bad,) = book.rows.rejected
    assert (bad.column_name, bad.value) == ("cost", "=A2*10")
    assert bad.reason.startswith("sheet Prices, cell B2 holds a formula without a saved result")
    assert "save" in bad.reason
    assert bad.known_values == {"seat": "1", "sales": "99"}


def test_the_zero_of_a_program_that_does_not_calculate_is_not_a_result() -> None:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        sheet = book.add_worksheet("Prices")
        sheet.write_row(0, 0, ["seat", "cost"])
        sheet.write_row(1, 0, [1])
        sheet.write_formula(1, 1, "=A2*10")
        sheet.write_row(2, 0, [2, 0])
    book_rows = read(content.getvalue())
    assert landed(book_rows) == [(3, "2", "0")]
    assert "saved result" in book_rows.rows.rejected[0].reason


def test_a_formula_with_result_zero_is_zero() -> None:
    book = raw_cost('<c r="B2"><f>A2-1</f><v>0</v></c>', workbook='<calcPr calcId="191029"/>')
    assert landed(book) == [(2, "1", "0")]


@pytest.mark.parametrize(
    "cell",
    [
        '<c r="B2" t="str"><f>x</f></c>',
        '<c r="B2"><f>x</f><v></v></c>',
        '<c r="B2"><f t="shared" si="0"/></c>',
        '<c r="B2"><f/></c>',
    ],
)
def test_every_formula_without_a_result_is_distinguished_from_an_empty_cell(cell: str) -> None:
    assert "saved result" in raw_cost(cell).rows.rejected[0].reason


def test_a_formula_without_a_result_in_the_header_refuses_the_file_by_its_cell() -> None:
    with pytest.raises(UnreadableText, match="sheet Prices, cell B1, in the header"):
        read(sheet_of(["seat", "=A1", "cost"], [1, 2, 3]))


def test_errors_outside_of_the_table_are_ignored() -> None:
    book = read(sheet_of(["seat", "cost"], [1, 10, "#N/A"], [2, 20, "=A2"]))
    assert landed(book) == [(2, "1", "10", "#N/A"), (3, "2", "20", "=A2")]
    assert book.rows.rejected == ()


def test_thousands_of_bad_rows_are_rejected_and_valid_rows_keep_their_numbers() -> None:
    count = workbooks.CHUNK_ROWS + 10
    book = read(
        sheet_of(["seat", "cost"], *([at, "#N/A" if at % 2 else at] for at in range(count)))
    )
    assert [each.row_number for each in book.rows.rejected] == list(range(3, count + 2, 2))
    assert landed(book) == [(at + 2, str(at), str(at)) for at in range(0, count, 2)]


def test_a_row_with_several_errors_is_rejected_once() -> None:
    book = read(sheet_of(["a", "b", "c"], [1, "#N/A", "=A2"]))
    (bad,) = book.rows.rejected
    assert bad.column_name == "b"
    assert bad.known_values == {"a": "1"}


# --- merged cells -----------------------------------------------------------------------------


def merged(*ranges: str) -> Callable[[Worksheet], None]:
    def merge(sheet: Worksheet) -> None:
        for each in ranges:
            sheet.merge_cells(each)

    return merge


def rejected_cells(book: WorkbookRows) -> list[str]:
    return [each.reason.partition(" is merged")[0] for each in book.rows.rejected]


def test_a_value_merged_over_rows_is_its_first_rows_and_the_others_are_rejected() -> None:
    rows = [["product", "seat", "cost"], ["E3", 1, 10], ["", 2, 20], ["", 3, 30], ["E5", 4, 40]]
    book = read(sheet_of(*rows, change=merged("A2:A4")))
    assert landed(book) == [(2, "E3", "1", "10"), (5, "E5", "4", "40")]
    assert rejected_cells(book) == ["sheet Prices, cell A3", "sheet Prices, cell A4"]
    bad = book.rows.rejected[0]
    assert (bad.row_number, bad.column_name, bad.value) == (3, "product", None)
    assert "A2" in bad.reason
    assert bad.known_values == {"seat": "2", "cost": "20"}


def test_a_value_merged_over_columns_costs_its_row() -> None:
    rows = [["product", "seat", "cost"], ["E3", 1, 10], ["E5", 2, 20]]
    book = read(sheet_of(*rows, change=merged("A2:B2")))
    assert landed(book) == [(3, "E5", "2", "20")]
    assert rejected_cells(book) == ["sheet Prices, cell B2"]


def test_merged_cells_without_a_value_or_outside_of_the_table_are_ignored() -> None:
    rows = [["Prices", "", ""], ["product", "seat", "cost"], ["E3", 1, 10], ["E5", 2, 20]]

    def change(sheet: Worksheet) -> None:
        sheet["A5"], sheet["B5"] = "F1", 3
        sheet["E3"] = "a note"
        merged("A1:C1", "C5:C9", "E3:E5", "G3:H5")(sheet)

    book = read(sheet_of(*rows, change=change))
    assert book.rows.rejected == ()
    assert [row[0] for row in landed(book)] == [3, 4, 5]


def test_the_second_line_of_a_header_merged_over_two_rows_is_no_row() -> None:
    rows = [["product", "seat", "cost"], ["", "", "EUR"], ["E3", 1, 10]]
    book = read(sheet_of(*rows, change=merged("A1:A2", "B1:B2")))
    assert landed(book) == [(3, "E3", "1", "10")]
    assert [each.row_number for each in book.rows.rejected] == [2]


def test_adjacent_and_overlapping_merges_are_all_found() -> None:
    row = "".join(inline(f"{letter}{{0}}", "x") for letter in "ABCD")
    rows = "".join(f'<row r="{at}">{row.format(at)}</row>' for at in range(1, 8))
    merges = "".join(f'<mergeCell ref="{ref}"/>' for ref in ("F2:F7", "A3:A4", "C3:D3", "A3:A5"))
    content = raw_book(
        f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData>'
        f"<mergeCells>{merges}</mergeCells></worksheet>"
    )
    assert [each.row_number for each in read(content).rows.rejected] == [3, 4, 5]


# --- files of another kind, damaged and hostile ones ------------------------------------------

BOOK = sheet_of(["seat", "cost"], [1, 10], [2, 20.5], [3, "=B2"])


def ole(stream: str) -> bytes:
    return workbooks.OLE_MAGIC + bytes(504) + stream.encode("utf-16-le") + bytes(512)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (ole("EncryptedPackage"), "password.*save it without one"),
        (ole("Workbook"), r"\.xls .*save it as \.xlsx"),
        (zipped({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}), r"\.ods"),
        (
            zipped(
                raw_parts("")
                | {"_rels/.rels": raw_parts("")["_rels/.rels"].replace("book.xml", "book.bin")}
            ),
            r"\.xlsb",
        ),
        (
            zipped(
                raw_parts("")
                | {
                    "xl/workbook.xml": '<workbook xmlns="http://purl.oclc.org/ooxml/'
                    'spreadsheetml/main"/>'
                }
            ),
            "Strict",
        ),
        (zipped(raw_parts("") | {"xl/workbook.xml": "<document/>"}), "another Office file"),
    ],
    ids=["encrypted", "xls", "ods", "xlsb", "strict", "word"],
)
def test_a_file_of_another_kind_is_refused_with_advice(content: bytes, words: str) -> None:
    assert is_workbook(content)
    with pytest.raises(UnreadableText, match=words):
        read(content)


def test_a_zip_archive_with_a_password_is_refused_with_advice() -> None:
    content = bytearray(raw_book(HEADER))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UnreadableText, match="password"):
        read(bytes(content))


def test_text_other_archives_and_empty_content_are_not_workbooks() -> None:
    assert not is_workbook(b"seat,cost\n")
    assert not is_workbook(zipped({"bill.csv": "seat,cost\n"}))
    assert not is_workbook(b"")


def test_macros_are_not_run_and_not_in_the_way() -> None:
    parts = raw_parts(HEADER + f'<row r="2">{inline("A2", "1")}</row>')
    assert landed(read(zipped(parts | {"xl/vbaProject.bin": "Sub AutoOpen()"}))) == [(2, "1", None)]


@pytest.mark.parametrize(
    "cut",
    [30, 200, len(BOOK) // 2, len(BOOK) - 30, len(BOOK) - 10],
    ids=["header", "first part", "half", "last entry", "end"],
)
def test_a_truncated_workbook_is_refused(cut: int) -> None:
    with pytest.raises(BrokenArchive, match="truncated or damaged"):
        read(BOOK[:cut])


def test_a_byte_that_changed_inside_the_sheet_is_noticed() -> None:
    with zipfile.ZipFile(io.BytesIO(BOOK)) as archive:
        at = archive.getinfo("xl/worksheets/sheet1.xml").header_offset + 120
    with pytest.raises(RefusedFile):
        read(BOOK[:at] + bytes([BOOK[at] ^ 0xFF]) + BOOK[at + 1 :])


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_is_detected_with_any_compression(method: int) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, text in raw_parts(HEADER).items():
            archive.writestr(name, text)
    assert read(content.getvalue()).rows.headers == ("seat", "cost")
    damaged = bytearray(content.getvalue())
    at = damaged.index(b"_rels/.rels") + len("_rels/.rels") + 20
    damaged[at : at + 8] = bytes(8)
    with pytest.raises(BrokenArchive, match="truncated or damaged"):
        read(bytes(damaged))


@pytest.mark.parametrize(
    "damage",
    [
        {"xl/worksheets/sheet1.xml": "<worksheet><sheetData><row"},
        {"xl/workbook.xml": "no XML"},
        {"xl/sharedStrings.xml": "<sst"},
        {"xl/styles.xml": "<styleSheet"},
        {"_rels/.rels": "<Relationships xmlns='x'/>"},
        {"xl/_rels/workbook.xml.rels": "<Relationships/>"},
    ],
    ids=lambda damage: next(iter(damage)),
)
def test_a_damaged_part_is_refused_with_advice(damage: dict[str, str]) -> None:
    with pytest.raises(UnreadableText, match=r"save it as \.xlsx"):
        read(zipped(raw_parts(HEADER) | damage))


@pytest.mark.parametrize(
    "rows",
    [
        HEADER + '<row r="1"><c r="A1"><v>1</v></c></row>',
        '<row r="5"><c r="A5"><v>1</v></c></row>' + HEADER,
        '<row r="1048577"><c><v>1</v></c></row>',
        '<row r="-1"><c><v>1</v></c></row>',
        '<row r="1"><c r="XFE1"><v>1</v></c></row>',
        '<row r="1"><c r="A1"><v>1</v></c><c r="A1"><v>2</v></c></row>',
        '<row r="1"><c r="A1" t="s"><v>9</v></c></row>',
        '<row r="1"><c r="A1" t="s"><v>-1</v></c></row>',
        '<row r="1"><c r="A1" s="9"><v>1</v></c></row>',
        '<row r="1"><c r="A1" t="z"><v>1</v></c></row>',
    ],
)
def test_cells_with_impossible_references_refuse_the_file(rows: str) -> None:
    with pytest.raises(UnreadableText, match="damaged"):
        read(raw_book(rows, ["<t>one</t>"]))


def test_a_workbook_may_unpack_to_the_limit_and_not_a_byte_more() -> None:
    size = sum(entry.file_size for entry in zipfile.ZipFile(io.BytesIO(BOOK)).infolist())
    assert landed(read_workbook(BOOK, size))
    with pytest.raises(TooLarge, match=f"{size:,}"):
        read_workbook(BOOK, size - 1)


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    parts = raw_parts(HEADER) | {"xl/media/image1.png": "0" * (LIMIT + 1)}
    content = zipped(parts)
    tracemalloc.start()
    with pytest.raises(TooLarge):
        read(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml"])
def test_a_part_that_unpacks_to_more_than_it_declares_uses_no_extra_memory(part: str) -> None:
    parts = raw_parts(HEADER)
    parts[part] += " " * LIMIT
    content = bytearray(zipped(parts))
    size = len(parts[part].encode())
    assert content.count(size.to_bytes(4, "little")) == 2
    content = content.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    tracemalloc.start()
    with pytest.raises(RefusedFile):
        read(bytes(content))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_an_archive_of_too_many_entries_is_refused() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for at in range(ENTRY_LIMIT + 1):
            archive.writestr(str(at), "")
    with pytest.raises(TooLarge, match="entries"):
        read(content.getvalue())


LAUGHS = (
    "<!DOCTYPE x [<!ENTITY a0 'ha'>"
    + "".join(f"<!ENTITY a{at} '{f'&a{at - 1};' * 10}'>" for at in range(1, 12))
    + "]>"
)


@pytest.mark.parametrize("padding", ["", "<!--" + "x" * 100_000 + "-->"], ids=["plain", "far"])
@pytest.mark.parametrize(
    "part",
    ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/sharedStrings.xml", "_rels/.rels"],
)
def test_entities_that_grow_without_end_are_refused_at_once(part: str, padding: str) -> None:
    parts = raw_parts(HEADER.replace("cost", "&a11;"))
    parts[part] = padding + LAUGHS + parts[part]
    began = time.process_time()
    with pytest.raises(UnreadableText, match="document type"):
        read(zipped(parts))
    assert time.process_time() - began < 1


def test_entities_in_a_part_of_another_encoding_are_refused_too() -> None:
    parts = raw_parts(HEADER)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in parts.items():
            hostile = (LAUGHS + text).encode("utf-16")
            archive.writestr(name, hostile if "sheet1" in name else text)
    with pytest.raises(UnreadableText, match="document type"):
        read(content.getvalue())


def test_a_file_outside_the_workbook_is_not_read_through_xml() -> None:
    parts = raw_parts(HEADER.replace("cost", "&secret;"))
    name = "xl/worksheets/sheet1.xml"
    parts[name] = '<!DOCTYPE x [<!ENTITY secret SYSTEM "file:///etc/hostname">]>' + parts[name]
    with pytest.raises(UnreadableText, match="document type"):
        read(zipped(parts))


def test_a_sheet_with_a_wrong_declared_size_is_read_quickly() -> None:
    rows = HEADER + "".join(
        f'<row r="{at}" spans="1:16384">{inline(f"A{at}", "1")}</row>' for at in (2, 3)
    )
    content = raw_book(
        f'<worksheet xmlns="{MAIN}"><dimension ref="A1:XFD1048576"/>'
        f"<sheetData>{rows}</sheetData></worksheet>"
    )
    began = time.process_time()
    assert landed(read(content)) == [(2, "1", None), (3, "1", None)]
    assert time.process_time() - began < 1


def test_a_gap_to_the_last_row_and_column_is_read_quickly() -> None:
    last = '<row r="1048576"><c r="XFD1048576"><v>7</v></c></row>'
    began = time.process_time()
    book = read(raw_book(HEADER + f'<row r="2">{inline("A2", "1")}</row>' + last))
    assert landed(book) == [(2, "1", None, None), (1048576, None, None, "7")]
    assert book.rows.headers == ("seat", "cost", "column XFD")
    assert time.process_time() - began < 1


def test_a_small_file_of_a_huge_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "CELL_LIMIT", 1000)
    header = "".join(inline(f"{letter}1", letter) for letter in "ABCDEFGHIJ")
    rows = "".join(f'<row r="{at}"><c r="A{at}"><v>1</v></c></row>' for at in range(2, 103))
    with pytest.raises(TooLarge, match="cells"):
        read(raw_book(f'<row r="1">{header}</row>{rows}'))
    assert CELL_LIMIT >= 1_048_576 * 40


def test_deeply_nested_xml_does_not_crash() -> None:
    deep = "<x>" * 200_000 + "</x>" * 200_000
    for name in ("xl/worksheets/sheet1.xml", "xl/workbook.xml"):
        parts = raw_parts(HEADER)
        parts[name] = parts[name].replace("><s", f">{deep}<s", 1)
        assert deep in parts[name]
        assert read(zipped(parts)).rows.headers == ("seat", "cost")


@pytest.mark.parametrize("count", [1, 200_000])
def test_merges_over_the_whole_sheet_are_reported_quickly(count: int) -> None:
    rows = HEADER + "".join(f'<row r="{at}">{inline(f"A{at}", "1")}</row>' for at in range(2, 1002))
    merges = '<mergeCell ref="A2:XFD1048576"/>' * count
    content = raw_book(
        f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData>'
        f"<mergeCells>{merges}</mergeCells></worksheet>"
    )
    began = time.process_time()
    assert len(read(content).rows.rejected) == 1000
    assert time.process_time() - began < 20


PARTS = raw_parts(
    HEADER
    + '<row r="2"><c r="A2" t="s"><v>0</v></c><c r="B2" s="1"><v>0.5</v></c></row>'
    + '<row r="3"><c r="A3" t="b"><v>1</v></c><c r="B3" s="2"><f>A2</f><v>46053.5</v></c></row>',
    ["<t>one</t>"],
    '<numFmts><numFmt numFmtId="165" formatCode="yyyy"/></numFmts>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="9"/><xf numFmtId="165"/></cellXfs>',
    '<workbookPr date1904="0"/><calcPr fullCalcOnLoad="1"/>',
)


@pytest.mark.filterwarnings("ignore:.*invalid dependency definitions")
@seed(SEED)
@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(sorted(PARTS)),
    st.integers(0, 2000),
    st.integers(0, 6),
    st.sampled_from(("", "<", ">", '"', "9", "-1", "A", " ", "&#1;", "é", "e", "x" * 50, "\x00")),
)
def test_random_workbooks_do_not_crash_the_reader(
    part: str, at: int, length: int, put: str
) -> None:
    note(f"APPORTION_TEST_SEED={SEED}")
    text = PARTS[part]
    at %= len(text)
    try:
        book = read(zipped(PARTS | {part: text[:at] + put + text[at + length :]}))
    except RefusedFile:
        return
    numbers = [row[0] for row in landed(book)] + [each.row_number for each in book.rows.rejected]
    assert len(numbers) == len(set(numbers))


@seed(SEED)
@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(BOOK) - 1), st.binary(max_size=8))
def test_random_bytes_do_not_crash_the_reader(at: int, put: bytes) -> None:
    note(f"APPORTION_TEST_SEED={SEED}")
    try:
        read(BOOK[:at] + put + BOOK[at + len(put) :])
    except RefusedFile:
        return
