"""Bytes to rows: delimited text and JSON become a table of text, with unusable rows separate.

Row numbers are those that a user sees: in delimited text the header is row 1, as in a
spreadsheet; in JSON lines it is the line. Every value keeps its text in the file, JSON numbers
too, so that no amount passes through a binary float. In delimited text an unquoted NULL is null;
a quoted one is text.
"""

import codecs
import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from dagster_project.errors import EmptyFile, TooManyBadRows, UnreadableText
from dagster_project.feeds.declarations import NOTHING_DECLARED, Declaration
from dagster_project.feeds.formats import TEXT
from dagster_project.feeds.json_records import read_records

DELIMITERS = (",", ";", "\t", "|")
UNDECODABLE = "\ufdd0"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""Shown in place of bytes that cannot be decoded."""
NO_VALUE = ("NULL", "null", "\\N")
"""Databases write these words, unquoted, for null."""
MAX_LINES_OF_A_RECORD = 1000
RAW_ROW_LIMIT = 10_000
"""Characters of an unusable row that are kept; only rows of damaged files are longer."""

REJECTED_ROW_LIMIT = 10_000
"""A file with more bad rows has another delimiter or header than it seems to have."""

csv.field_size_limit(2**31 - 1)


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return UNDECODABLE, error.end


# No text contains this character, so rows that contain it are detected and rejected.
codecs.register_error("apportion_mark", _mark_undecodable)


@dataclass(frozen=True)
class RejectedRow:
    """A row that does not fit its file's table."""

    row_number: int
    reason: str
    raw_row: str
    column_name: str | None = None
    value: str | None = None
    known_values: dict[str, str] = field(default_factory=dict)
    """Header to value if the beginning of the row is readable, so that its amount is reported."""


@dataclass(frozen=True)
class LandedRows:
    """The rows of one file: `table` has a text column per header, in the header's order."""

    headers: tuple[str, ...]
    table: pa.Table
    row_numbers: pa.Array
    rejected: tuple[RejectedRow, ...]
    container: str = TEXT
    sheet: str | None = None
    column_letters: dict[str, str] = field(default_factory=dict)
    """For a workbook: the sheet, and each header's column letter, so that errors name the cell."""
    typed_cells: dict[str, frozenset[int]] = field(default_factory=dict)
    """For a workbook: by header, the rows whose cell holds a number and no text. Declared
    separators are about text."""
    next_page: str | None = None
    """For the response of an API: the link to a page that is not in the file."""
    encoding: str | None = None
    """For text: the encoding that it was decoded from."""
    delimiter: str | None = None
    """For delimited text: the column separator."""


def read_rows(content: bytes, declared: Declaration = NOTHING_DECLARED) -> LandedRows:
    """The rows of a file's unpacked content, whether JSON or delimited text.

    Raises EmptyFile, or UnreadableText where it is neither.
    """
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    if declared.encoding and encoding == "utf-8-sig":
        encoding = declared.encoding
    text = content.decode(encoding, errors="apportion_mark")
    beginning = text[:65536].lstrip()
    if not beginning:
        raise EmptyFile("the file is empty")
    if "\x00" in beginning:
        raise UnreadableText("not text: the file has zero bytes; save it as CSV UTF-8")
    text = text.replace("\x00", UNDECODABLE)
    rows = _read_json(text) if beginning.startswith(("{", "[")) else _read_delimited(text, declared)
    rows = replace(rows, encoding=encoding)
    return _reject_undecodable(rows) if UNDECODABLE in text else rows


def _require_few(rejected: Sequence[RejectedRow]) -> None:
    """Raise TooManyBadRows where a file has more rejected rows than the limit."""
    if len(rejected) > REJECTED_ROW_LIMIT:
        first = min(rejected, key=lambda row: row.row_number)
        raise TooManyBadRows(
            f"more than {REJECTED_ROW_LIMIT:,} rows cannot be read, the first is row"
            f" {first.row_number:,}: {first.reason}; check the header and the delimiter, or declare"
            " them in apportion.toml"
        )


def _reject_undecodable(rows: LandedRows) -> LandedRows:
    headers = tuple(each.replace(UNDECODABLE, REPLACEMENT) for each in rows.headers)
    rows = replace(rows, headers=headers, table=rows.table.rename_columns(list(headers)))
    rejected = []
    keep = np.ones(rows.table.num_rows, dtype=bool)
    for index, row in enumerate(rows.table.to_pylist()):
        shown = {
            header: (value or "").replace(UNDECODABLE, REPLACEMENT) for header, value in row.items()
        }
        bad = next((header for header, value in row.items() if UNDECODABLE in (value or "")), None)
        if bad is not None:
            keep[index] = False
            rejected.append(
                RejectedRow(
                    row_number=rows.row_numbers[index].as_py(),
                    reason="not UTF-8 text; save the file as CSV UTF-8, or state its encoding in"
                    " apportion.toml",
                    raw_row=json.dumps(shown, ensure_ascii=False)[:RAW_ROW_LIMIT],
                    column_name=bad,
                    value=shown[bad],
                    known_values={
                        header: value for header, value in shown.items() if header != bad
                    },
                )
            )
            _require_few(rejected)
    mask = pa.array(keep)
    return replace(
        rows,
        table=rows.table.filter(mask),
        row_numbers=rows.row_numbers.filter(mask),
        rejected=(*rows.rejected, *rejected),
    )


# --- delimited text --------------------------------------------------------------------


def _read_delimited(text: str, declared: Declaration) -> LandedRows:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    above = (declared.header_row or 1) - 1
    first = next((index for index, line in enumerate(lines) if index >= above and line.strip()), -1)
    if first < 0:
        raise EmptyFile(
            f"apportion.toml states header_row = {declared.header_row}, but the file has fewer rows"
        )
    named_delimiter = None
    # Spreadsheet programs name the delimiter in a line above the header, Windows PowerShell the
    # type of its objects.
    while named := re.match(r"\s*(?:sep=(.?)|#type )", lines[first], re.IGNORECASE):
        behind = next((at for at, line in enumerate(lines) if at > first and line.strip()), None)
        if behind is None:
            break
        first = behind
        named_delimiter = named[1] if named[1] in DELIMITERS else named_delimiter
    delimiter = named_delimiter or declared.delimiter or max(DELIMITERS, key=lines[first].count)
    records = _Records(delimiter)
    after_header = records.add_header(lines, first)
    records.add_rows(lines, after_header)
    return records.finish()


class _Records:
    """The records of a file as they are read, in order; each takes one row number.

    A quoted record may have several lines. An unclosed quote would absorb all following lines, so a
    record of several lines must be quoted correctly. If it is not, its first line is a damaged row
    and the following lines are read separately.
    """

    def __init__(self, delimiter: str) -> None:
        self.delimiter = delimiter
        self.headers: list[str] = []
        self.next_row_number = 1
        self.plain_lines: list[str] = []
        self.plain_numbers: list[int] = []
        self.quoted_records: list[str] = []
        self.quoted_numbers: list[int] = []
        self.rejected: list[RejectedRow] = []

    def add_header(self, lines: list[str], first: int) -> int:
        """Read the header from line `first`; returns the line after it."""
        values, behind = self._well_quoted(lines, first) or (None, first + 1)
        if values is None:
            values = next(csv.reader([lines[first]], delimiter=self.delimiter))
        self.headers = [value.strip() for value in values]
        if not any(self.headers):
            raise EmptyFile("the header is empty")
        self.next_row_number = first + 2
        return behind

    def add_rows(self, lines: list[str], first: int) -> None:
        """Sort the lines from `first` on into records of one line, of several, and damaged."""
        index = first
        while index < len(lines):
            line = lines[index]
            row_number = self.next_row_number
            self.next_row_number += 1
            if not line or line.isspace():
                index += 1
            elif line.count('"') % 2 == 0 or not self._opens_a_quote(line):
                self.plain_lines.append(line)
                self.plain_numbers.append(row_number)
                index += 1
            else:
                well_quoted = self._well_quoted(lines, index)
                if well_quoted is None:
                    self.rejected.append(
                        RejectedRow(
                            row_number,
                            "an opening quote has no closing quote",
                            line[:RAW_ROW_LIMIT],
                        )
                    )
                    _require_few(self.rejected)
                    index += 1
                    continue
                values, behind = well_quoted
                record = "\n".join(lines[index:behind])
                if len(values) == len(self.headers):
                    self.quoted_records.append(record)
                    self.quoted_numbers.append(row_number)
                else:
                    self._reject_width(record, row_number, len(values))
                index = behind

    def finish(self) -> LandedRows:
        """The table of all usable records and the rejected ones, in order of row number."""
        names = [f"column {index}" for index in range(1, len(self.headers) + 1)]
        table, row_numbers = self._parse(
            self.plain_lines, self.plain_numbers, names, over_lines=False
        )
        if self.quoted_records:
            quoted, quoted_numbers = self._parse(
                self.quoted_records, self.quoted_numbers, names, over_lines=True
            )
            numbers = np.concatenate([row_numbers, quoted_numbers])
            order = np.argsort(numbers, kind="stable")
            table = pa.concat_tables([table, quoted]).take(pa.array(order))
            row_numbers = numbers[order]
        filled = _rows_with_values(table)
        table, row_numbers = table.filter(pa.array(filled)), row_numbers[filled]
        headers = list(self.headers)
        while (
            headers and not headers[-1] and not pc.any(pc.not_equal(table.columns[-1], "")).as_py()
        ):
            # Spreadsheet programs write delimiters after the last column.
            headers.pop()
            table = table.remove_column(table.num_columns - 1)
        headers = [header or name for header, name in zip(headers, names, strict=False)]
        return LandedRows(
            tuple(headers),
            table.rename_columns(headers),
            pa.array(row_numbers, pa.int64()),
            tuple(sorted(self.rejected, key=lambda row: row.row_number)),
            delimiter=self.delimiter,
        )

    def _parse(
        self, records: list[str], row_numbers: list[int], names: list[str], *, over_lines: bool
    ) -> tuple[pa.Table, np.ndarray]:
        """Correctly quoted records as a table of text, without those of another width, and numbers.

        Empties `records`, so that the text is not held twice.
        """
        numbers = np.array(row_numbers, dtype=np.int64)
        if not records:
            empty = pa.schema([(name, pa.string()) for name in names]).empty_table()
            return empty, numbers
        invalid: list[pyarrow.csv.InvalidRow] = []

        def keep_invalid(row: pyarrow.csv.InvalidRow) -> str:
            invalid.append(row)
            return "skip" if len(invalid) <= REJECTED_ROW_LIMIT else "error"

        # Arrow skips one byte order mark. Without an added one, the first value could lose its own.
        content = "\n".join(records).encode("utf-8-sig", "replace")
        records.clear()
        try:
            table = pyarrow.csv.read_csv(
                io.BytesIO(content),
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False, column_names=names, block_size=min(len(content) + 1, 2**30)
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=self.delimiter,
                    newlines_in_values=over_lines,
                    ignore_empty_lines=False,
                    invalid_row_handler=keep_invalid,
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    null_values=NO_VALUE,
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                    column_types=dict.fromkeys(names, pa.string()),
                ),
            )
        except pa.ArrowInvalid as error:
            for row in invalid:
                self._reject_width(row.text, int(numbers[row.number - 1]), row.actual_columns)
            raise UnreadableText(f"not delimited text: {error}") from error
        for row in invalid:
            self._reject_width(row.text, int(numbers[row.number - 1]), row.actual_columns)
        good = np.ones(len(numbers), dtype=bool)
        good[[row.number - 1 for row in invalid]] = False
        return table, numbers[good]

    def _opens_a_quote(self, line: str) -> bool:
        """Whether any value begins with a quote; inside a value it is an inch mark."""
        return line.startswith('"') or f'{self.delimiter}"' in line

    def _well_quoted(self, lines: list[str], first: int) -> tuple[list[str], int] | None:
        """The values of the record that begins at line `first`, and the line after it.

        None if it is quoted incorrectly: text after a closing quote, or no closing quote.
        """
        quotes = 0
        for behind in range(first, min(len(lines), first + MAX_LINES_OF_A_RECORD)):
            quotes += lines[behind].count('"')
            if quotes % 2 == 0:
                record = "\n".join(lines[first : behind + 1])
                try:
                    values = list(
                        csv.reader(io.StringIO(record), delimiter=self.delimiter, strict=True)
                    )
                except csv.Error:
                    return None
                return (values[0], behind + 1) if len(values) == 1 else None
        return None

    def _reject_width(self, text: str, row_number: int, width: int) -> None:
        # A row that is too short is truncated, so its values are in their columns. In a row that is
        # too long, or that has quotes, a value may be in another column.
        is_cut = width < len(self.headers) and '"' not in text
        values = text.split(self.delimiter) if is_cut else []
        self.rejected.append(
            RejectedRow(
                row_number,
                f"the row has {width} columns, the header has {len(self.headers)}",
                text[:RAW_ROW_LIMIT],
                known_values={
                    header: value
                    for header, value in zip(self.headers, values, strict=False)
                    if value not in NO_VALUE
                },
            )
        )
        _require_few(self.rejected)


def _rows_with_values(table: pa.Table) -> np.ndarray:
    """A mask that excludes rows of delimiters only."""
    filled = np.zeros(table.num_rows, dtype=bool)
    for column in table.columns:
        lengths = pc.binary_length(column.combine_chunks()).fill_null(0)
        filled |= np.asarray(pc.greater(lengths, 0).to_numpy(zero_copy_only=False), dtype=bool)
        if filled.all():
            break
    return filled


# --- JSON ------------------------------------------------------------------------------


def _read_json(text: str) -> LandedRows:
    found = read_records(text)
    rejected: list[RejectedRow] = []
    records: list[tuple[int, dict[str, str | None]]] = []
    for row_number, record, raw_row in found.records:
        if isinstance(record, dict):
            records.append((row_number, {key: _json_text(record[key]) for key in record}))
        else:
            rejected.append(RejectedRow(row_number, record, raw_row[:RAW_ROW_LIMIT]))
            _require_few(rejected)
    if not records and not rejected:
        raise EmptyFile("the JSON has no rows")
    if not records:
        first = rejected[0]
        raise UnreadableText(
            f"no JSON object in the file can be read; row {first.row_number}: {first.reason}"
        )
    headers = tuple(dict.fromkeys(key for _, record in records for key in record))
    table = pa.table(
        {
            header: pa.array([record.get(header) for _, record in records], pa.string())
            for header in headers
        }
    )
    numbers = pa.array([number for number, _ in records], pa.int64())
    return LandedRows(headers, table, numbers, tuple(rejected), next_page=found.next_page)


def _json_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False)
