"""The cells of a workbook as text: package, sheets, strings, number formats and formulas.

Belongs here: the text of one cell. Does not: which cells are a table (`workbooks`).

openpyxl supplies the relationships of the package's parts, the meaning of number formats, dates
and cell references. The cells are read from the XML; DECISIONS.md, "Workbooks", lists the losses of
the cell readers of openpyxl and python-calamine.

* Text stays as it is. Numbers have at most 15 significant digits, as spreadsheet programs show
  them, and no exponent. Percentages keep their sign (15%), dates and times are ISO 8601, numbers
  shown with leading zeros (format 0000) keep them, booleans are true and false.
* An error (#REF!), a formula without a saved result and an invalid number are problems.
"""

import re
import xml.etree.ElementTree as ET  # nosec B405
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal
from functools import cache
from typing import IO, NamedTuple
from xml.parsers import expat

from openpyxl.packaging.relationship import get_dependents, get_rels_path
from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format
from openpyxl.utils import column_index_from_string, range_boundaries
from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH, from_excel, from_ISO8601
from openpyxl.xml.constants import ARC_ROOT_RELS, REL_NS, SHEET_MAIN_NS

from dagster_project.errors import UnreadableText
from dagster_project.feeds.readers import RAW_ROW_LIMIT

LAST_ROW, LAST_COLUMN = 1_048_576, 16_384
SAVE_AGAIN = "open it in a spreadsheet program and save it as .xlsx"

EAST_ASIAN_DATES = dict.fromkeys((*range(27, 37), *range(50, 59)), "yyyy-mm-dd")
"""Formats that East Asian programs use without defining them (ECMA-376 part 1, 18.8.30)."""


def _tag(name: str) -> str:
    return f"{{{SHEET_MAIN_NS}}}{name}"


CELL, VALUE, FORMULA, INLINE, ROW, MERGE = map(_tag, ("c", "v", "f", "is", "row", "mergeCell"))
STRING, RUN, TEXT = map(_tag, ("si", "r", "t"))


class Problem(NamedTuple):
    """Why a cell has no value: what it shows, and the rest of a sentence that names the cell."""

    shown: str | None
    reason: str


class Row(NamedTuple):
    """A filled row: text and problems by column, counted from 1."""

    number: int
    texts: dict[int, str]
    problems: dict[int, Problem]
    typed: set[int]
    """Columns that hold a number or a date, not text: their text is the same in every country."""

    @property
    def filled_count(self) -> int:
        """Cells that show something; spaces alone do not."""
        return len(self.problems) + sum(not text.isspace() for text in self.texts.values())

    @property
    def word_count(self) -> int:
        """Cells with a letter in them: in a table, no row has more of these than its header."""
        return sum(any(map(str.isalpha, text)) for text in self.texts.values())


# --- the package -------------------------------------------------------------------------


class Workbook:
    """The worksheets of a workbook, and the texts and formats that their cells refer to."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        """Raises UnreadableText for another kind of file.

        On damage raises LookupError, SyntaxError, TypeError or ValueError, as `Sheet.rows` does.
        """
        self.archive = archive
        path = self._find_main_part()
        root = ET.fromstring(archive.read(path))  # nosec B314
        if root.tag != _tag("workbook"):
            is_strict = root.tag.endswith("}workbook")
            kind = "a Strict Open XML workbook" if is_strict else "another Office file"
            raise UnreadableText(f"{kind}; save it as .xlsx (Excel Workbook)")
        self.epoch = MAC_EPOCH if _is_set(root, "workbookPr", "date1904") else WINDOWS_EPOCH
        # Programs that write formulas without calculating them set this mark, and some of them
        # write a 0 in place of the result.
        self.is_uncalculated = _is_set(root, "calcPr", "fullCalcOnLoad")
        parts = {part.Id: part for part in get_dependents(archive, get_rels_path(path))}  # type: ignore[no-untyped-call]
        self.visible: list[Sheet] = []
        self.hidden: list[Sheet] = []
        for each in root.iterfind(f"{_tag('sheets')}/{_tag('sheet')}"):
            part = parts[each.attrib[f"{{{REL_NS}}}id"]]
            is_visible = each.get("state", "visible") == "visible"
            if part.Type.endswith("/worksheet"):
                sheet = Sheet(self, each.attrib["name"], part.target)
                (self.visible if is_visible else self.hidden).append(sheet)
        paths = {part.Type.rpartition("/")[2]: part.target for part in parts.values()}
        self.formats = self._read_formats(paths.get("styles"))
        self.strings = list(self._read_strings(paths.get("sharedStrings")))

    def _find_main_part(self) -> str:
        names = self.archive.namelist()
        if "mimetype" in names and b"opendocument.spreadsheet" in self.archive.read("mimetype"):
            raise UnreadableText("an OpenDocument spreadsheet (.ods); save it as .xlsx")
        if ARC_ROOT_RELS not in names:
            raise UnreadableText(f"the workbook has no {ARC_ROOT_RELS}; {SAVE_AGAIN}")
        for name in names:
            with self.archive.open(name) as source:
                _refuse_document_type(name, source)
        package = get_dependents(self.archive, ARC_ROOT_RELS)
        (path,) = (part.target for part in package if part.Type.endswith("/officeDocument"))
        if path.endswith(".bin"):
            raise UnreadableText("a binary workbook (.xlsb); save it as .xlsx")
        return str(path)

    def _read_formats(self, path: str | None) -> dict[str, str]:
        """The format code by a cell's style number, which is text in the cell."""
        if path is None:
            return {"0": "General"}
        root = ET.fromstring(self.archive.read(path))  # nosec B314
        codes = BUILTIN_FORMATS | EAST_ASIAN_DATES
        for each in root.iterfind(f"{_tag('numFmts')}/{_tag('numFmt')}"):
            codes[int(each.attrib["numFmtId"])] = each.attrib["formatCode"]
        styles = root.iterfind(f"{_tag('cellXfs')}/{_tag('xf')}")
        numbers = [int(style.get("numFmtId", "0")) for style in styles] or [0]
        return {str(at): codes.get(number, "General") for at, number in enumerate(numbers)}

    def _read_strings(self, path: str | None) -> Iterator[str]:
        if path is None:
            return
        with self.archive.open(path) as source:
            for _, element in ET.iterparse(source):  # nosec B314
                if element.tag == STRING:
                    yield _text_of(element)
                    element.clear()


def _refuse_document_type(name: str, source: IO[bytes]) -> None:
    """Refuse XML that declares a document type: it may define entities that never end.

    So the warnings of bandit about XML from strangers (B314, B405) do not apply in this module.
    """

    def refuse(*_: object) -> None:
        raise UnreadableText(
            f"{name} in the workbook declares a document type, which no spreadsheet program "
            f"does; if you trust the workbook, {SAVE_AGAIN}"
        )

    def stop(*_: object) -> None:
        raise StopIteration

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = stop
    with suppress(StopIteration, expat.ExpatError):
        while chunk := source.read(4096):
            parser.Parse(chunk)


def _is_set(root: ET.Element, tag: str, name: str) -> bool:
    element = root.find(_tag(tag))
    return element is not None and element.get(name) in ("1", "true")


# --- a sheet -----------------------------------------------------------------------------


@dataclass(eq=False)
class Sheet:
    """The cells of one sheet; `merges` is complete after the last row.

    A merge is (first row, first column, last row, last column).
    """

    book: Workbook
    name: str
    path: str
    merges: list[tuple[int, int, int, int]] = field(default_factory=list)

    def rows(self) -> Iterator[Row]:
        """Every filled row, in order. Gaps cost nothing: only cells in the file are visited."""
        last_number = 0
        self.merges.clear()
        with self.book.archive.open(self.path) as source:
            for _, element in ET.iterparse(source):  # nosec B314
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

    def _row(self, number: int, element: ET.Element) -> Row:
        row = Row(number, {}, {}, set())
        column = 0
        seen: set[int] = set()
        for cell in element.iterfind(CELL):
            letters = cell.get("r", "").rstrip("0123456789")
            column = column_index_from_string(letters) if letters else column + 1
            if column in seen or column > LAST_COLUMN:
                raise ValueError(
                    f"sheet {self.name}: cell {letters}{number} is repeated or out of range"
                )
            if not len(cell):
                continue
            seen.add(column)
            value = self._value(cell)
            if isinstance(value, Problem):
                row.problems[column] = value
            elif value:
                row.texts[column] = value
                if cell.get("t", "n") == "n":
                    row.typed.add(column)
        return row

    def _value(self, cell: ET.Element) -> str | Problem | None:
        kind, value, formula = cell.get("t", "n"), cell.findtext(VALUE), cell.find(FORMULA)
        if kind == "inlineStr" and (inline := cell.find(INLINE)) is not None:
            return _text_of(inline)
        if kind != "str" and value is not None:
            value = value.strip()
        if formula is not None and (
            value is None
            or (not value and kind != "str")
            or (self.book.is_uncalculated and kind == "n" and not value.strip("+-.0"))
        ):
            return Problem(
                f"={formula.text[:RAW_ROW_LIMIT]}" if formula.text else None,
                "holds a formula without a saved result; open the file in a spreadsheet program "
                "and save it",
            )
        if not value:
            return None
        match kind:
            case "s":
                if not value.isdigit():
                    raise ValueError(f"sheet {self.name}: there is no shared string {value[:50]}")
                return self.book.strings[int(value)]
            case "str":
                return _unescape(value)
            case "n":
                code = self.book.formats[cell.get("s", "0")]
                return _number_text(value, code, self.book.epoch)
            case "b":
                return "true" if value in ("1", "true") else "false"
            case "e":
                return Problem(value, f"shows the error {value}; fix it or write the value")
            case "d":
                with suppress(OverflowError, ValueError):
                    return _moment_text(from_ISO8601(value))  # type: ignore[no-untyped-call]
                return Problem(value[:RAW_ROW_LIMIT], "is not a date; enter it again")
        raise ValueError(f"sheet {self.name}: unknown type of cell {kind[:50]}")


def _merge(reference: str) -> tuple[int, int, int, int]:
    left, top, right, bottom = range_boundaries(reference)
    if left is None or top is None or right is None or bottom is None:
        raise ValueError(f"{reference[:50]} is not a range of cells")
    return top, left, bottom, right


# --- a value -----------------------------------------------------------------------------


def _text_of(element: ET.Element) -> str:
    """The text of a string, rich or not, without the phonetic guides of East Asian text."""
    texts = (
        each.text if each.tag == TEXT else each.findtext(TEXT)
        for each in element
        if each.tag in (TEXT, RUN)
    )
    return _unescape("".join(text or "" for text in texts))


def _unescape(text: str) -> str:
    # `_x000D_` is a carriage return (ECMA-376, ST_Xstring); zero and surrogates are not characters.
    escape = r"_x(?!0000|[dD][89a-fA-F])([0-9A-Fa-f]{4})_"
    return re.sub(escape, lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
FIFTEEN_DIGITS = Context(prec=15)


@cache
def _kind_of(code: str) -> str:
    """The kind of a number by its format: a duration, a date, a percentage or a plain number."""
    if is_timedelta_format(code):
        return "duration"
    if is_date_format(code):
        return "date"
    without_literals = re.sub(r'"[^"]*"|\[[^\]]*\]|\\.|_.|\*.', "", code.split(";")[0])
    return "percentage" if "%" in without_literals else "number"


def _number_text(raw: str, code: str, epoch: datetime) -> str | Problem:
    """A number as its format shows it, as far as the format changes the meaning.

    Digits after the fifteenth come from binary floats and are rounded away. Whole numbers without
    an exponent keep all digits: they are long ids.
    """
    if not NUMBER.fullmatch(raw):
        return Problem(raw[:RAW_ROW_LIMIT], "is not a number; enter it again")
    is_whole = raw.lstrip("+-").isdigit()
    number = Decimal(raw) if is_whole else FIFTEEN_DIGITS.create_decimal(raw)
    kind = _kind_of(code)
    if kind == "number":
        text = _plain(number)
        return text.zfill(len(code)) if not code.strip("0") and text.isdigit() else text
    if kind == "percentage":
        return f"{_plain(number.scaleb(2))}%"
    with suppress(OverflowError, ValueError):
        if kind == "duration" or number >= 0:
            return _moment_text(from_excel(float(number), epoch, timedelta=kind == "duration"))
    return Problem(_plain(number), "is formatted as a date but its number is not a date")


def _plain(number: Decimal) -> str:
    if number.as_tuple().exponent and not -20 <= number.adjusted() <= 20:
        return str(number.normalize())
    text = f"{number:f}" if number else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _moment_text(moment: date | time | timedelta) -> str:
    """Dates and times as ISO 8601, midnight as a date alone, durations as hours:minutes:seconds."""
    if isinstance(moment, timedelta):
        seconds, milliseconds = divmod(round(abs(moment) / timedelta(milliseconds=1)), 1000)
        fraction = f".{milliseconds:03}" if milliseconds else ""
        sign = "-" if moment < timedelta() else ""
        hours, minutes = seconds // 3600, seconds // 60 % 60
        return f"{sign}{hours}:{minutes:02}:{seconds % 60:02}{fraction}"
    if isinstance(moment, datetime) and moment.time() == time():
        return moment.date().isoformat()
    if isinstance(moment, datetime | time):
        return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return moment.isoformat()
