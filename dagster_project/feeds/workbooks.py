"""Workbooks to rows: the table that people keep in a spreadsheet becomes a table of text.

Here is what a workbook has beyond text: sheets, cells, formats, formulas, merged cells, and what
a hostile one may bring. Which columns a table needs, and how its text becomes numbers and dates,
is said elsewhere. openpyxl knows the workbook; the cells are read here, because openpyxl turns
numbers into binary floats, does not tell a formula without a result from an empty cell, and
makes up a cell for every gap.

The rules, in the order a person meets them:

* The sheet is the first visible one with a table, which is a row of two or more filled cells;
  where there is none, the first visible one with anything in it. Other visible sheets are named
  in `ignored_sheets`; one that has the same header is refused, for its rows would be lost.
* The header is the first row with words in more than two thirds as many cells as the row that
  has most of them, among the first 50 filled rows. So titles and notes above the table are
  passed over; empty rows and columns are too. A column without a name that holds anything is
  called "column C".
* Every filled row below is a row, hidden and filtered ones too, under the sheet's own number.
* Text stays as it is. Numbers have at most 15 significant digits, as spreadsheet programs show
  them, and no exponent. Percentages keep their sign (15%), dates and times are ISO 8601, numbers
  shown with leading zeros (format 0000) keep these, yes and no are true and false.
* A row with an error (#REF!), a formula without a saved result or a merged cell in a named
  column is rejected, whole, and the reason names the cell: a merged cell's value stands in its
  first cell alone, and whether it was meant for the others cannot be known.
"""

import io
import json
import re
import struct
import xml.etree.ElementTree as ET
import zipfile
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal
from enum import Enum
from functools import cache
from itertools import chain, islice
from typing import IO, NamedTuple
from xml.parsers import expat

import numpy as np
import pyarrow as pa
from openpyxl.packaging.relationship import get_dependents, get_rels_path
from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format
from openpyxl.utils import column_index_from_string, get_column_letter
from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH, from_excel, from_ISO8601
from openpyxl.xml.constants import ARC_ROOT_RELS, REL_NS, SHEET_MAIN_NS

from dagster_project.errors import (
    BrokenArchive,
    EmptyFile,
    RefusedFile,
    TooLarge,
    UnreadableText,
)
from dagster_project.feeds.formats import match_key
from dagster_project.feeds.readers import RAW_ROW_LIMIT, LandedRows, RejectedRow

ZIP_MAGIC = b"PK\x03\x04"
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How older workbooks begin, and those that a password protects."""

ENTRY_LIMIT = 10_000
"""Parts of one workbook; a large one has some hundreds."""

CELL_LIMIT = 50_000_000
"""Rows times columns of one table; a full sheet of 1,048,576 rows may have 47 columns."""

LAST_ROW, LAST_COLUMN = 1_048_576, 16_384
SEARCHED_ROWS = 50
CHUNK_ROWS = 10_000
SAVE_AGAIN = "open it in a spreadsheet program and save it as .xlsx"


class SeveralTables(RefusedFile):
    """More than one visible sheet of a workbook holds a table with the same header."""


@dataclass(frozen=True)
class WorkbookRows:
    """The rows of a workbook's table and where they stand.

    `rows.row_numbers` are the sheet's own; `column_letters` has the letter by header.
    `ignored_sheets` are visible sheets with content that were not read, in the book's order.
    """

    rows: LandedRows
    sheet: str
    column_letters: dict[str, str]
    ignored_sheets: tuple[str, ...] = ()

    def cell(self, header: str, row_number: int) -> str:
        """Where a value stands, for a person to look: `sheet Prices, cell C7`."""
        return f"sheet {self.sheet}, cell {self.column_letters[header]}{row_number}"


def is_workbook(content: bytes) -> bool:
    """Whether the content is for `read_workbook`, if only to be refused in words that help."""
    return content.startswith((ZIP_MAGIC, OLE_MAGIC))


def read_workbook(content: bytes, limit: int) -> WorkbookRows:
    """The rows of the table in an .xlsx or .xlsm workbook, by the rules this module opens with.

    `limit` is the size in bytes that the workbook may unpack to. Macros, links to other
    workbooks, charts and pictures are not read. Raises TooLarge, BrokenArchive where the zip
    archive is damaged, EmptyFile where no visible sheet holds anything, SeveralTables, and
    UnreadableText where it is another kind of file or is damaged inside.
    """
    if content.startswith(OLE_MAGIC):
        _refuse_ole(content)
    # Counted before the archive is opened: opening reads a record per entry into memory.
    if content.count(b"PK\x01\x02") > ENTRY_LIMIT:
        raise TooLarge(f"the archive has more than the limit of {ENTRY_LIMIT:,} entries")
    try:
        with _Archive(io.BytesIO(content)) as archive:
            _check_archive(archive, limit)
            return _read_table(_Book(archive))
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise BrokenArchive(f"the workbook's archive is cut or damaged ({error})") from error
    except (
        ArithmeticError,
        AttributeError,
        ET.ParseError,
        LookupError,
        NotImplementedError,
        OSError,
        RecursionError,
        RuntimeError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        # openpyxl raises any of these on a workbook that is not as it should be.
        raise UnreadableText(f"the workbook is damaged ({error}); {SAVE_AGAIN}") from error


# --- what is no workbook, or does harm ---------------------------------------------------


class _Archive(zipfile.ZipFile):
    """An archive whose entries never unpack to more than they declare, not even for a moment."""

    def read(self, name: str | zipfile.ZipInfo, pwd: bytes | None = None) -> bytes:
        with self.open(name, pwd=pwd) as entry:
            return b"".join(iter(lambda: entry.read(65536), b""))


def _refuse_ole(content: bytes) -> None:
    if "EncryptedPackage".encode("utf-16-le") in content:
        raise UnreadableText("a password protects the workbook; save it without one, as .xlsx")
    raise UnreadableText(
        "not an .xlsx workbook but an older .xls or another Office file; save it as .xlsx"
    )


def _check_archive(archive: zipfile.ZipFile, limit: int) -> None:
    """Refuse, before anything is unpacked, what is too large, hostile or another file."""
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > limit:
        raise TooLarge(
            f"the workbook unpacks to {unpacked:,} bytes, over the limit of {limit:,} bytes"
        )
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise UnreadableText("a password protects the archive; save it without one, as .xlsx")
    names = set(archive.namelist())
    if "mimetype" in names and b"opendocument.spreadsheet" in archive.read("mimetype"):
        raise UnreadableText("an OpenDocument spreadsheet (.ods); save it as .xlsx")
    if ARC_ROOT_RELS not in names:
        raise UnreadableText(
            "a zip archive but no .xlsx workbook; unpack it and put the files here that are in it"
        )
    for entry in entries:
        with archive.open(entry) as source:
            _refuse_document_type(entry.filename, source)


class _Root(Exception):
    """The root element of a document is reached: no document type can follow."""


def _refuse_document_type(name: str, source: IO[bytes]) -> None:
    """Refuse XML that declares a document type: there entities are defined that never end."""

    def refuse(*_: object) -> None:
        raise UnreadableText(
            f"{name} in the workbook declares a document type, which no spreadsheet program "
            f"does; if you trust the workbook, {SAVE_AGAIN}"
        )

    def stop(*_: object) -> None:
        raise _Root

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = stop
    try:
        while chunk := source.read(4096):
            parser.Parse(chunk)
    except (_Root, expat.ExpatError):
        return


# --- the workbook ------------------------------------------------------------------------


class _Shown(Enum):
    """How a number's format shows it, as far as the text depends on it."""

    PLAIN = "plain"
    DATE = "date"
    DURATION = "duration"
    PERCENT = "percent"


class _Format(NamedTuple):
    shown: _Shown
    digits: int = 0
    """Digits to which a whole number is filled up with zeros."""


GENERAL = _Format(_Shown.PLAIN)

EAST_ASIAN_DATES = (*range(27, 37), *range(50, 59))
"""Formats that East Asian programs use without defining them (ECMA-376 part 1, 18.8.30)."""


def _tag(name: str) -> str:
    return f"{{{SHEET_MAIN_NS}}}{name}"


CELL, VALUE, FORMULA, INLINE, ROW, MERGE = map(_tag, ("c", "v", "f", "is", "row", "mergeCell"))
STRING, RUN, TEXT = map(_tag, ("si", "r", "t"))


class _Book:
    """What the cells of every sheet need: texts, formats, the date system."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        package = get_dependents(archive, ARC_ROOT_RELS)
        (path,) = (part.target for part in package if part.Type.endswith("/officeDocument"))
        if path.endswith(".bin"):
            raise UnreadableText("a binary workbook (.xlsb); save it as .xlsx")
        root = ET.fromstring(archive.read(path))
        if root.tag != _tag("workbook"):
            raise UnreadableText(
                "a Strict Open XML workbook; save it as .xlsx of the usual kind (Excel Workbook)"
                if root.tag.endswith("}workbook")
                else "no workbook but another Office file"
            )
        properties = root.find(_tag("workbookPr"))
        self.epoch = MAC_EPOCH if _is_set(properties, "date1904") else WINDOWS_EPOCH
        # Programs that write formulas but do not calculate ask for it by this mark, and some
        # of them put a 0 where the result belongs.
        self.is_uncalculated = _is_set(root.find(_tag("calcPr")), "fullCalcOnLoad")
        parts = {part.Id: part for part in get_dependents(archive, get_rels_path(path))}  # type: ignore[no-untyped-call]
        self.visible: list[tuple[str, str]] = []
        """Name and path of each visible worksheet."""
        self.hidden: list[str] = []
        for sheet in root.iterfind(f"{_tag('sheets')}/{_tag('sheet')}"):
            part = parts[sheet.attrib[f"{{{REL_NS}}}id"]]
            if not part.Type.endswith("/worksheet"):
                continue
            if sheet.get("state", "visible") == "visible":
                self.visible.append((sheet.attrib["name"], part.target))
            else:
                self.hidden.append(sheet.attrib["name"])
        paths = {part.Type.rpartition("/")[2]: part.target for part in parts.values()}
        self.formats = self._read_formats(paths.get("styles"))
        self.strings = self._read_strings(paths.get("sharedStrings"))

    def _read_formats(self, path: str | None) -> dict[str | None, _Format]:
        """The format by a cell's style number, which is text in the cell.

        Read here and not by openpyxl, which gives up on the whole workbook where some color or
        border of another program is not as it should be.
        """
        if path is None:
            return {None: GENERAL, "0": GENERAL}
        root = ET.fromstring(self.archive.read(path))
        codes = dict(BUILTIN_FORMATS) | dict.fromkeys(EAST_ASIAN_DATES, "yyyy-mm-dd")
        for each in root.iterfind(f"{_tag('numFmts')}/{_tag('numFmt')}"):
            codes[int(each.attrib["numFmtId"])] = each.attrib["formatCode"]
        formats: dict[str | None, _Format] = {"0": GENERAL}
        for index, style in enumerate(root.iterfind(f"{_tag('cellXfs')}/{_tag('xf')}")):
            code = codes.get(int(style.get("numFmtId", "0")), "General")
            formats[str(index)] = _format_of(code)
        # A cell without a style has the first one.
        return formats | {None: formats["0"]}

    def _read_strings(self, path: str | None) -> list[str]:
        strings: list[str] = []
        if path is None:
            return strings
        with self.archive.open(path) as source:
            for _, element in ET.iterparse(source):
                if element.tag == STRING:
                    strings.append(_text_of(element))
                    element.clear()
        return strings


def _is_set(element: ET.Element | None, name: str) -> bool:
    return element is not None and element.get(name) in ("1", "true")


def _format_of(code: str) -> _Format:
    if is_timedelta_format(code):
        return _Format(_Shown.DURATION)
    if is_date_format(code):
        return _Format(_Shown.DATE)
    literals_apart = re.sub(r'"[^"]*"|\[[^\]]*\]|\\.|_.|\*.', "", code.split(";")[0])
    if "%" in literals_apart:
        return _Format(_Shown.PERCENT)
    return _Format(_Shown.PLAIN, len(code) if re.fullmatch("0{2,}", code) else 0)


def _text_of(element: ET.Element) -> str:
    """The text of a string, rich or not, without the reading aids that East Asian text has."""
    parts = []
    for child in element:
        if child.tag == TEXT:
            parts.append(child.text or "")
        elif child.tag == RUN:
            parts.append(child.findtext(TEXT) or "")
    return _unescape("".join(parts))


def _unescape(text: str) -> str:
    """Characters that XML cannot hold: `_x000D_` is a carriage return (ECMA-376, ST_Xstring)."""
    if "_x" not in text:
        return text

    def character(escape: re.Match[str]) -> str:
        code = int(escape[1], 16)
        return escape[0] if code == 0 or 0xD800 <= code <= 0xDFFF else chr(code)

    return re.sub("_x([0-9A-Fa-f]{4})_", character, text)


# --- values ------------------------------------------------------------------------------


class _Problem(NamedTuple):
    """Why a cell has no value: what it shows, and the rest of a sentence that names the cell."""

    shown: str | None
    reason: str


NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
FIFTEEN_DIGITS = Context(prec=15)


def _decimal(raw: str) -> Decimal:
    """The number without the digits that come of binary floats; ValueError where it is none.

    Whole numbers that are written out keep all digits: they are somebody's long id.
    """
    if not NUMBER.fullmatch(raw):
        raise ValueError(f"{raw[:50]} is no number")
    if raw.lstrip("+-").isdigit():
        return Decimal(raw)
    return FIFTEEN_DIGITS.create_decimal(raw)


def _plain(number: Decimal) -> str:
    if not number:
        return "0"
    if number.as_tuple().exponent != 0 and not -20 <= number.adjusted() <= 20:
        return str(number.normalize())
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _number_text(raw: str, digits: int) -> str:
    is_whole = raw.isdigit() and raw.isascii() and (raw[0] != "0" or raw == "0")
    text = raw if is_whole else _plain(_decimal(raw))
    return text.zfill(digits) if digits and text.isdigit() else text


def _moment_text(moment: object) -> str:
    """Dates and times as ISO 8601, midnight as a date alone, durations as hours:minutes:seconds."""
    if isinstance(moment, datetime):
        if moment.time() == time():
            return moment.date().isoformat()
        return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    if isinstance(moment, time):
        return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    if isinstance(moment, timedelta):
        seconds, milliseconds = divmod(round(abs(moment) / timedelta(milliseconds=1)), 1000)
        fraction = f".{milliseconds:03}" if milliseconds else ""
        sign = "-" if moment < timedelta() else ""
        hours, minutes = seconds // 3600, seconds // 60 % 60
        return f"{sign}{hours}:{minutes:02}:{seconds % 60:02}{fraction}"
    assert isinstance(moment, date)
    return moment.isoformat()


def _iso_text(value: str) -> str | _Problem:
    try:
        return _moment_text(from_ISO8601(value))  # type: ignore[no-untyped-call]
    except (OverflowError, ValueError):
        return _Problem(value[:RAW_ROW_LIMIT], "holds no date; write it again")


# --- a sheet -----------------------------------------------------------------------------


class _Row(NamedTuple):
    """A filled row: text and problems by column, counted from 1."""

    number: int
    texts: dict[int, str]
    problems: dict[int, _Problem]

    @property
    def filled_count(self) -> int:
        """Cells that show something; spaces alone do not."""
        return len(self.problems) + sum(not text.isspace() for text in self.texts.values())

    @property
    def word_count(self) -> int:
        """Cells with a letter in them: in a table, no row has more of these than its header."""
        return sum(any(map(str.isalpha, text)) for text in self.texts.values())


class _Merge(NamedTuple):
    first_column: int
    first_row: int
    last_column: int
    last_row: int


class _Sheet:
    """The cells of one sheet as they stand in the file; `merges` is whole after the last row."""

    def __init__(self, book: _Book, name: str, path: str) -> None:
        self.book = book
        self.name = name
        self.path = path
        self.merges: list[_Merge] = []

    def rows(self) -> Iterator[_Row]:
        """Every filled row, in order. Gaps cost nothing: only what the file holds is visited."""
        last_number = 0
        self.merges.clear()
        with self.book.archive.open(self.path) as source:
            for _, element in ET.iterparse(source):
                if element.tag == ROW:
                    number = int(element.get("r", last_number + 1))
                    if not last_number < number <= LAST_ROW:
                        raise ValueError(f"sheet {self.name}: row {number} is out of order")
                    last_number = number
                    row = self._row(number, element)
                    element.clear()
                    if row.filled_count:
                        yield row
                elif element.tag == MERGE:
                    self.merges.append(_merge(element.attrib["ref"]))
                    element.clear()

    def _row(self, number: int, element: ET.Element) -> _Row:
        row = _Row(number, {}, {})
        column = 0
        seen: set[int] = set()
        for cell in element:
            if cell.tag != CELL:
                continue
            reference = cell.get("r")
            column = _column_of(reference.rstrip("0123456789")) if reference else column + 1
            if column in seen:
                raise ValueError(f"sheet {self.name}: cell {reference} stands there twice")
            if len(cell) == 0:
                continue
            seen.add(column)
            value = self._value(cell)
            if isinstance(value, _Problem):
                row.problems[column] = value
            elif value:
                row.texts[column] = value
        return row

    def _value(self, cell: ET.Element) -> str | _Problem | None:
        kind = cell.get("t", "n")
        value: str | None = None
        formula: ET.Element | None = None
        for child in cell:
            if child.tag == VALUE:
                value = child.text or ""
            elif child.tag == FORMULA:
                formula = child
            elif child.tag == INLINE and kind == "inlineStr":
                return _text_of(child)
        if kind != "str" and value is not None:
            value = value.strip()
        if formula is not None and (
            value is None
            or (not value and kind != "str")
            or (self.book.is_uncalculated and kind == "n" and not value.strip("+-.0"))
        ):
            return _Problem(
                f"={formula.text[:RAW_ROW_LIMIT]}" if formula.text else None,
                "holds a formula without a saved result; open the file in a spreadsheet program "
                "and save it",
            )
        if not value:
            return None
        match kind:
            case "s":
                if not value.isdigit():
                    raise ValueError(f"sheet {self.name}: there is no text {value[:50]}")
                return self.book.strings[int(value)]
            case "str":
                return _unescape(value)
            case "n":
                return self._number(value, cell.get("s"))
            case "b":
                return "true" if value in ("1", "true") else "false"
            case "e":
                return _Problem(value, f"shows the error {value}; mend it or write the value")
            case "d":
                return _iso_text(value)
            case _:
                raise ValueError(f"sheet {self.name}: unknown type of cell {kind[:50]}")

    def _number(self, raw: str, style: str | None) -> str | _Problem:
        shown, digits = self.book.formats[style]
        try:
            if shown is _Shown.PLAIN:
                return _number_text(raw, digits)
            number = _decimal(raw)
        except ValueError:
            return _Problem(raw[:RAW_ROW_LIMIT], "holds no number; write it again")
        if shown is _Shown.PERCENT:
            return f"{_plain(number.scaleb(2))}%"
        try:
            moment = from_excel(float(number), self.book.epoch, timedelta=shown is _Shown.DURATION)
        except (OverflowError, ValueError):
            moment = None
        if moment is None or (shown is _Shown.DATE and number < 0):
            return _Problem(
                _plain(number), "is formatted as a date but holds a number that is none"
            )
        return _moment_text(moment)


@cache
def _column_of(letters: str) -> int:
    column = column_index_from_string(letters)
    if column > LAST_COLUMN:
        raise ValueError(f"there is no column {letters}")
    return column


def _merge(reference: str) -> _Merge:
    first, _, last = reference.partition(":")
    corners = []
    for corner in (first, last or first):
        letters = corner.rstrip("0123456789")
        corners += [_column_of(letters), int(corner[len(letters) :])]
    return _Merge(*corners)


# --- the table ---------------------------------------------------------------------------


def _read_table(book: _Book) -> WorkbookRows:
    found: list[tuple[_Sheet, list[_Row]]] = []
    for name, path in book.visible:
        sheet = _Sheet(book, name, path)
        if beginning := list(islice(sheet.rows(), SEARCHED_ROWS)):
            found.append((sheet, beginning))
    if not found:
        hidden = f" (hidden sheets are not read: {', '.join(book.hidden)})" if book.hidden else ""
        raise EmptyFile(f"no visible sheet of the workbook holds anything{hidden}")
    sheet, beginning = next(
        (each for each in found if any(row.filled_count > 1 for row in each[1])), found[0]
    )
    header = _find_header(beginning)
    others = [each for each in found if each[0] is not sheet]
    for other, rows in others:
        if _names(header) and _names(header) == _names(_find_header(rows)):
            raise SeveralTables(
                f"the sheets {sheet.name} and {other.name} both hold a table with this header; "
                "put all rows into one sheet, or hide or delete the other"
            )
    landed, letters = _read_rows(sheet, header)
    return WorkbookRows(landed, sheet.name, letters, tuple(other.name for other, _ in others))


def _find_header(beginning: list[_Row]) -> _Row:
    most = max(row.word_count for row in beginning)
    return next(row for row in beginning if row.word_count * 3 >= most * 2 + (most > 0))


def _names(header: _Row) -> set[str]:
    return {match_key(text) or text.strip() for text in header.texts.values()}


class _Columns:
    """The table as it grows: the texts of each column, in chunks, so that memory stays low."""

    def __init__(self, columns: Iterable[int]) -> None:
        self.chunks: dict[int, list[pa.Array]] = {column: [] for column in columns}
        self.row_count = 0

    def add(self, texts: list[dict[int, str]]) -> None:
        columns = self.chunks.keys() | set(chain.from_iterable(texts))
        if (self.row_count + len(texts)) * len(columns) > CELL_LIMIT:
            raise TooLarge(
                f"the table has {len(columns):,} columns and more rows than fit into the limit "
                f"of {CELL_LIMIT:,} cells"
            )
        for column in columns - self.chunks.keys():
            self.chunks[column] = [pa.nulls(self.row_count, pa.string())]
        for column, chunks in self.chunks.items():
            chunks.append(pa.array([row.get(column) for row in texts], pa.string()))
        self.row_count += len(texts)

    def finish(self) -> dict[int, pa.ChunkedArray]:
        return {
            column: pa.chunked_array(self.chunks[column], pa.string())
            for column in sorted(self.chunks)
        }


def _read_rows(sheet: _Sheet, header: _Row) -> tuple[LandedRows, dict[str, str]]:
    """The rows below the header, and the column letter by header."""
    for column, problem in header.problems.items():
        place = f"sheet {sheet.name}, cell {get_column_letter(column)}{header.number}"
        raise UnreadableText(f"{place}, in the header, {problem.reason}")
    names = {column: text.strip() for column, text in header.texts.items() if text.strip()}
    columns = _Columns(names)
    numbers: list[int] = []
    problems: dict[int, dict[int, _Problem]] = {}
    """By place of the row in the table, and by column."""
    below = (row for row in sheet.rows() if row.number > header.number)
    while chunk := list(islice(below, CHUNK_ROWS)):
        texts = []
        for row in chunk:
            # What stands beside the table harms nothing.
            named = {at: problem for at, problem in row.problems.items() if at in names}
            if named:
                problems[len(numbers)] = named
            shown = {at: each.shown for at, each in row.problems.items() if each.shown}
            texts.append(row.texts | shown)
            numbers.append(row.number)
        columns.add(texts)
    table = columns.finish()
    for at, column, problem in _covered_by_merges(sheet, header, table, numbers, sorted(names)):
        problems.setdefault(at, {column: problem})
    letters = {column: get_column_letter(column) for column in table}
    headers = {column: names.get(column, f"column {letters[column]}") for column in table}
    rejected = tuple(
        _reject(
            sheet.name,
            numbers[at],
            {column: values[at].as_py() for column, values in table.items()},
            headers,
            problems[at],
        )
        for at in sorted(problems)
    )
    good = pa.Table.from_arrays(list(table.values()), names=list(headers.values()))
    row_numbers = pa.array(numbers, pa.int64())
    if problems:
        keep = np.ones(len(numbers), dtype=bool)
        keep[list(problems)] = False
        good, row_numbers = good.filter(pa.array(keep)), row_numbers.filter(pa.array(keep))
    landed = LandedRows(tuple(headers.values()), good, row_numbers, rejected)
    return landed, {headers[column]: letters[column] for column in table}


def _reject(
    sheet: str,
    row_number: int,
    values: dict[int, str | None],
    headers: dict[int, str],
    problems: dict[int, _Problem],
) -> RejectedRow:
    """The row with the first of its problems; `values` and `headers` are by column."""
    column, problem = min(problems.items())
    shown = {at: value for at, value in values.items() if value is not None}
    return RejectedRow(
        row_number=row_number,
        reason=f"sheet {sheet}, cell {get_column_letter(column)}{row_number} {problem.reason}",
        raw_row=json.dumps({headers[at]: value for at, value in shown.items()}, ensure_ascii=False)[
            :RAW_ROW_LIMIT
        ],
        column_name=headers[column],
        value=problem.shown,
        known_values={headers[at]: value for at, value in shown.items() if at not in problems},
    )


def _covered_by_merges(
    sheet: _Sheet,
    header: _Row,
    table: dict[int, pa.ChunkedArray],
    numbers: list[int],
    names: list[int],
) -> Iterator[tuple[int, int, _Problem]]:
    """(place of the row, column, problem) where a merged cell with a value covers a named column.

    Each row is told once per merge that begins in it, and once for all that began above it.
    """
    visited_to = 0
    for merge in sorted(sheet.merges, key=lambda each: each.first_row):
        first = bisect_left(numbers, merge.first_row)
        below = bisect_right(numbers, merge.first_row)
        behind = bisect_right(numbers, merge.last_row)
        if merge.first_row > header.number and not (
            first < below
            and merge.first_column in table
            and table[merge.first_column][first].as_py()
        ):
            # Nothing stands in it, so that it hides nothing.
            continue
        corner = f"{get_column_letter(merge.first_column)}{merge.first_row}"
        problem = _Problem(
            None,
            f"is merged with {corner}; unmerge the cells and write the value into every cell it "
            "is meant for",
        )
        beside = bisect_right(names, merge.first_column)
        if first < below and beside < len(names) and names[beside] <= merge.last_column:
            yield first, names[beside], problem
        under = bisect_left(names, merge.first_column)
        if under < len(names) and names[under] <= merge.last_column:
            for at in range(max(below, visited_to), behind):
                yield at, names[under], problem
            visited_to = max(visited_to, behind)
