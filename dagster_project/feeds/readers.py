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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from dagster_project.errors import EmptyFile, TooLarge, TooManyBadRows, UnreadableText
from dagster_project.feeds.declarations import NOTHING_DECLARED, Declaration
from dagster_project.feeds.formats import TEXT
from dagster_project.feeds.json_records import JsonRecord, read_records

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

BLOCK_BYTES = 8 * 1024**2
"""Text is read in blocks, so that the memory for it does not grow with the file."""
ARROW_BLOCK_BYTES = 1024**2
"""Arrow parses blocks that fit into a processor's cache several times as fast as large ones."""

LINE_LIMIT = 10_000_000
COLUMN_LIMIT = 4_096
HEADER_LIMIT = 500
BATCH_RECORDS = 5_000
CELL_LIMIT = 50_000_000
"""Rows times columns of JSON, where a row need not name every column."""

VALUE_LIMIT = 100_000
"""Characters of a value; a longer one rejects its row. A spreadsheet cell has up to 32,767."""

SHOWN_LIMIT = 1_000
"""Characters of a value, a name or a reason that a message or the quarantine shows."""

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
    long_numbers: dict[str, frozenset[int]] = field(default_factory=dict)
    """For a workbook: by header, the rows whose cell holds a number of more than 15 digits that
    ends with zeros, as a program writes that keeps 15."""
    next_page: str | None = None
    """For the response of an API: the link to a page that is not in the file."""
    encoding: str | None = None
    """For text: the encoding that it was decoded from."""
    delimiter: str | None = None
    """For delimited text: the column separator."""


def read_rows(content: bytes | BinaryIO, declared: Declaration = NOTHING_DECLARED) -> LandedRows:
    """The rows of a file's unpacked content, whether JSON or delimited text.

    A stream is read once, from where it stands. Raises EmptyFile, TooLarge, or UnreadableText where
    it is neither.
    """
    source = io.BytesIO(content) if isinstance(content, bytes) else content
    beginning = source.read(BLOCK_BYTES)
    encoding = "utf-16" if beginning.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    if declared.encoding and encoding == "utf-8-sig":
        encoding = declared.encoding
    blocks = _decoded(beginning, source, encoding)
    first = next(blocks)
    start = first[:65536].lstrip()
    if not start:
        raise EmptyFile("the file is empty")
    if "\x00" in start:
        raise UnreadableText("not text: the file has zero bytes; save it as CSV UTF-8")
    has_undecodable = False

    def marked() -> Iterator[str]:
        nonlocal has_undecodable
        for block in chain((first,), blocks):
            block = block.replace("\x00", UNDECODABLE)
            has_undecodable = has_undecodable or UNDECODABLE in block
            yield block

    if start.startswith(("{", "[")):
        rows = _read_json("".join(marked()))
        # An escape in a JSON text can be the character too.
        has_undecodable = True
    else:
        rows = _read_delimited(marked(), declared)
    rows = replace(rows, encoding=encoding)
    return _reject_undecodable(rows) if has_undecodable else rows


def _decoded(beginning: bytes, source: BinaryIO, encoding: str) -> Iterator[str]:
    """The text in blocks, with `\\n` at the end of every line; at least one block."""
    decoder = io.IncrementalNewlineDecoder(
        codecs.getincrementaldecoder(encoding)(errors="apportion_mark"), translate=True
    )
    block = beginning
    while block:
        yield decoder.decode(block)
        block = source.read(BLOCK_BYTES)
    yield decoder.decode(b"", final=True)


def within_limits(rows: LandedRows) -> LandedRows:
    """The rows without those that have a value of more than VALUE_LIMIT bytes.

    What is shown of rejected rows is cut to SHOWN_LIMIT. Raises TooLarge for a column name or a
    number of columns over its limit.
    """
    _require_header(rows.headers)
    rejected = list(rows.rejected)
    too_long: dict[int, str] = {}
    # By place: two columns may have one name until the format is known.
    for header, column in zip(rows.headers, rows.table.columns, strict=True):
        lengths = pc.binary_length(column)
        if (pc.max(lengths).as_py() or 0) > VALUE_LIMIT:
            found = pc.greater(lengths, VALUE_LIMIT).fill_null(False).combine_chunks()
            for index in np.flatnonzero(found.to_numpy(zero_copy_only=False)):
                too_long.setdefault(int(index), header)
    for at, header in sorted(too_long.items()):
        values = _row_at(rows, at)
        value = values[header] or ""
        rejected.append(
            RejectedRow(
                row_number=rows.row_numbers[at].as_py(),
                reason=f"has {len(value):,} characters, over the limit of {VALUE_LIMIT:,} bytes",
                raw_row=json.dumps(
                    {name: each and each[:SHOWN_LIMIT] for name, each in values.items()},
                    ensure_ascii=False,
                ),
                column_name=header,
                value=value,
                known_values={
                    name: each for name, each in values.items() if each and name != header
                },
            )
        )
        require_few(rejected)
    rows = replace(rows, rejected=tuple(map(_shortened, rejected)))
    if not too_long:
        return rows
    keep = np.ones(rows.table.num_rows, dtype=bool)
    keep[list(too_long)] = False
    return replace(
        rows,
        table=rows.table.filter(pa.array(keep)),
        row_numbers=rows.row_numbers.filter(pa.array(keep)),
        rejected=tuple(sorted(rows.rejected, key=lambda row: row.row_number)),
    )


def _row_at(rows: LandedRows, index: int) -> dict[str, str | None]:
    return {
        header: column[index].as_py()
        for header, column in zip(rows.headers, rows.table.columns, strict=True)
    }


def _require_header(headers: Sequence[str]) -> None:
    if len(headers) > COLUMN_LIMIT:
        raise TooLarge(f"{len(headers):,} columns, over the limit of {COLUMN_LIMIT:,}")
    for place, header in enumerate(headers, start=1):
        if len(header) > HEADER_LIMIT:
            raise TooLarge(
                f"the name of column {place} has {len(header):,} characters, over the limit of"
                f" {HEADER_LIMIT}; it begins with {header[:40]!r}"
            )


def _shortened(row: RejectedRow) -> RejectedRow:
    return replace(
        row,
        reason=shown(row.reason),
        raw_row=row.raw_row[:RAW_ROW_LIMIT],
        value=row.value and shown(row.value),
        known_values={
            name: value for name, value in row.known_values.items() if len(value) <= VALUE_LIMIT
        },
    )


def shown(text: str) -> str:
    """The text, or its beginning and its length if it is longer than SHOWN_LIMIT."""
    if len(text) <= SHOWN_LIMIT:
        return text
    return f"{text[:SHOWN_LIMIT]} ... ({len(text):,} characters)"


def require_few(rejected: Sequence[RejectedRow]) -> None:
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
    bad = np.zeros(rows.table.num_rows, dtype=bool)
    for column in rows.table.columns:
        found = pc.match_substring(column, UNDECODABLE).fill_null(False).combine_chunks()
        bad |= np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)
    if headers != rows.headers:
        rows = replace(rows, headers=headers, table=rows.table.rename_columns(list(headers)))
    if not bad.any():
        return rows
    rejected = []
    for index in np.flatnonzero(bad):
        row = _row_at(rows, int(index))
        texts = {
            header: (value or "").replace(UNDECODABLE, REPLACEMENT) for header, value in row.items()
        }
        first = next(header for header, value in row.items() if UNDECODABLE in (value or ""))
        rejected.append(
            RejectedRow(
                row_number=rows.row_numbers[int(index)].as_py(),
                reason="not UTF-8 text; save the file as CSV UTF-8, or state its encoding in"
                " apportion.toml",
                raw_row=json.dumps(texts, ensure_ascii=False)[:RAW_ROW_LIMIT],
                column_name=first,
                value=texts[first],
                known_values={header: value for header, value in texts.items() if header != first},
            )
        )
        require_few(rejected)
    mask = pa.array(~bad)
    return replace(
        rows,
        table=rows.table.filter(mask),
        row_numbers=rows.row_numbers.filter(mask),
        rejected=(*rows.rejected, *rejected),
    )


# --- delimited text --------------------------------------------------------------------


def _read_delimited(blocks: Iterator[str], declared: Declaration) -> LandedRows:
    lines = _Lines(blocks)
    above = (declared.header_row or 1) - 1
    first = lines.next_filled(above)
    if first is None:
        raise EmptyFile(
            f"apportion.toml states header_row = {declared.header_row}, but the file has fewer rows"
        )
    named_delimiter = None
    # Spreadsheet programs name the delimiter in a line above the header, Windows PowerShell the
    # type of its objects. A program that saves the file again may quote the line.
    while named := re.match(r'[\s"]*(?:sep=(.?)|#type )', lines.read[first], re.IGNORECASE):
        behind = lines.next_filled(first + 1)
        if behind is None:
            break
        first = behind
        named_delimiter = named[1] if named[1] in DELIMITERS else named_delimiter
    delimiter = (
        named_delimiter or declared.delimiter or max(DELIMITERS, key=lines.read[first].count)
    )
    lines.read_to(first + MAX_LINES_OF_A_RECORD)
    records = _Records(delimiter)
    lines.drop(records.add_header(lines.read, first))
    while True:
        lines.drop(records.add_rows(lines.read, is_last=lines.is_complete))
        records.close_block()
        if lines.is_complete:
            return records.finish()
        lines.read_more()


class _Lines:
    """The lines of a text that is read in blocks: those in `read`, and more on request."""

    def __init__(self, blocks: Iterator[str]) -> None:
        self._blocks = blocks
        self._tail = ""
        self._dropped_count = 0
        self.read: list[str] = []
        self.is_complete = False

    def read_more(self) -> None:
        """Add the lines of the next block, or set `is_complete`. Raises TooLarge."""
        block = next(self._blocks, None)
        if block is None:
            self.read.append(self._tail)
            self.is_complete = True
            return
        *lines, self._tail = (self._tail + block).split("\n")
        self.read += lines
        longest = max(len(self._tail), *map(len, lines)) if lines else len(self._tail)
        if longest > LINE_LIMIT:
            raise TooLarge(
                f"a line after line {self._dropped_count + 1:,} has more than the limit of"
                f" {LINE_LIMIT:,} characters"
            )

    def read_to(self, count: int) -> None:
        """Read on until there are `count` lines or no more."""
        while not self.is_complete and len(self.read) < count:
            self.read_more()

    def next_filled(self, first: int) -> int | None:
        """The first line from `first` on that is not blank; None if there is none."""
        at = first
        while True:
            while at < len(self.read):
                if self.read[at].strip():
                    return at
                at += 1
            if self.is_complete:
                return None
            self.read_more()

    def drop(self, count: int) -> None:
        """Remove the first `count` lines."""
        del self.read[:count]
        self._dropped_count += count


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
        self.tables: list[pa.Table] = []
        self.numbers: list[np.ndarray] = []

    def add_header(self, lines: list[str], first: int) -> int:
        """Read the header from line `first`; returns the line after it."""
        values, behind = self._well_quoted(lines, first) or (None, first + 1)
        if values is None:
            values = next(csv.reader([lines[first]], delimiter=self.delimiter))
        if len(values) > COLUMN_LIMIT:
            raise TooLarge(f"{len(values):,} columns, over the limit of {COLUMN_LIMIT:,}")
        self.headers = [value.strip() for value in values]
        if not any(self.headers):
            raise EmptyFile("the header is empty")
        self.next_row_number = first + 2
        return behind

    def add_rows(self, lines: list[str], *, is_last: bool) -> int:
        """Sort the lines into records of one line, of several, and damaged.

        Returns the number of lines that are done: a record may go on in lines that are not read
        yet, unless these are the last.
        """
        filled = len(lines)
        while filled and not lines[filled - 1].strip():
            filled -= 1
        if are_plain(lines[:filled]):
            self.plain_lines += lines[:filled]
            self.plain_numbers += range(self.next_row_number, self.next_row_number + filled)
            self.next_row_number += len(lines)
            return len(lines)
        index = 0
        while index < len(lines):
            line = lines[index]
            row_number = self.next_row_number
            if not line or line.isspace():
                self.next_row_number += 1
                index += 1
            elif line.count('"') % 2 == 0 or not self._opens_a_quote(line):
                self.plain_lines.append(line)
                self.plain_numbers.append(row_number)
                self.next_row_number += 1
                index += 1
            else:
                if not is_last and index + MAX_LINES_OF_A_RECORD > len(lines):
                    break
                well_quoted = self._well_quoted(lines, index)
                self.next_row_number += 1
                if well_quoted is None:
                    self.reject_open_quote(line, row_number)
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
        return index

    def close_block(self) -> None:
        """Turn the records so far into a table, without rows of delimiters only."""
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
        if not filled.all():
            table, row_numbers = table.filter(pa.array(filled)), row_numbers[filled]
        self.tables.append(table)
        self.numbers.append(row_numbers)

    def finish(self) -> LandedRows:
        """The table of all usable records and the rejected ones, in order of row number."""
        table, row_numbers = pa.concat_tables(self.tables), np.concatenate(self.numbers)
        headers = list(self.headers)
        while (
            headers and not headers[-1] and not pc.any(pc.not_equal(table.columns[-1], "")).as_py()
        ):
            # Spreadsheet programs write delimiters after the last column.
            headers.pop()
            table = table.remove_column(table.num_columns - 1)
        headers = [header or f"column {at}" for at, header in enumerate(headers, start=1)]
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

        Empties both lists, so that the text is not held twice.
        """
        numbers = np.array(row_numbers, dtype=np.int64)
        row_numbers.clear()
        if not records:
            empty = pa.schema([(name, pa.string()) for name in names]).empty_table()
            return empty, numbers
        invalid: list[pyarrow.csv.InvalidRow] = []

        def keep_invalid(row: pyarrow.csv.InvalidRow) -> str:
            invalid.append(row)
            return "skip" if len(invalid) <= REJECTED_ROW_LIMIT else "error"

        # Arrow skips one byte order mark. Without an added one, the first value could lose its own.
        content = "\n".join(records).encode("utf-8-sig", "replace")
        # A small block stays in the processor's cache; a record has to fit into it.
        block_size = max(ARROW_BLOCK_BYTES, 8 * max(map(len, records)))
        records.clear()
        try:
            table = pyarrow.csv.read_csv(
                io.BytesIO(content),
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False, column_names=names, block_size=block_size
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
        if table.num_rows + len(invalid) != len(numbers):
            # A quote that a line leaves open, beside an inch mark, joined lines.
            lines = content.decode("utf-8-sig").split("\n")
            if over_lines or not any(map(self._leaves_open, lines)):
                raise UnreadableText("not delimited text: quotes join or divide its rows")
            return self._parse(*self._closed(lines, numbers.tolist()), names, over_lines=False)
        for row in invalid:
            self._reject_width(row.text, int(numbers[row.number - 1]), row.actual_columns)
        good = np.ones(len(numbers), dtype=bool)
        good[[row.number - 1 for row in invalid]] = False
        return table, numbers[good]

    def _closed(self, lines: list[str], numbers: list[int]) -> tuple[list[str], list[int]]:
        """The lines that leave no quote open, and their numbers; the others are rejected."""
        closed: tuple[list[str], list[int]] = ([], [])
        for line, number in zip(lines, numbers, strict=True):
            if self._leaves_open(line):
                self.reject_open_quote(line, number)
            else:
                closed[0].append(line)
                closed[1].append(number)
        return closed

    def _leaves_open(self, line: str) -> bool:
        """Whether a value begins with a quote that the line does not close."""
        is_inside, is_at_start = False, True
        for character in line:
            if character == '"' and (is_inside or is_at_start):
                # A doubled quote closes and opens again.
                is_inside, is_at_start = not is_inside, is_inside
            else:
                is_at_start = character == self.delimiter and not is_inside
        return is_inside

    def reject_open_quote(self, line: str, row_number: int) -> None:
        """Reject a line with an opening quote that no line closes."""
        self.rejected.append(
            RejectedRow(row_number, "an opening quote has no closing quote", line[:RAW_ROW_LIMIT])
        )
        require_few(self.rejected)

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
        require_few(self.rejected)


def are_plain(lines: list[str]) -> bool:
    """Whether no line is blank or has a quote, so that each line is one record."""
    return all(map(str.strip, lines)) and not any('"' in line for line in lines)


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
    tables: list[pa.Table] = []
    numbers: list[int] = []
    headers: dict[str, None] = {}
    for batch in _batches(found.records):
        records = []
        for row_number, record, raw_row in batch:
            if isinstance(record, dict):
                numbers.append(row_number)
                records.append({key: _json_text(record[key]) for key in record})
                headers |= dict.fromkeys(record)
            else:
                rejected.append(RejectedRow(row_number, record, raw_row[:RAW_ROW_LIMIT]))
                require_few(rejected)
        _require_header(list(headers))
        if len(numbers) * len(headers) > CELL_LIMIT:
            raise TooLarge(
                f"{len(headers):,} columns and more rows than fit into the limit of"
                f" {CELL_LIMIT:,} cells; split the file, or save it as CSV"
            )
        tables.append(
            pa.table(
                {
                    header: pa.array([record.get(header) for record in records], pa.string())
                    for header in headers
                }
            )
        )
    if not numbers and not rejected:
        raise EmptyFile("the JSON has no rows")
    if not numbers:
        first = rejected[0]
        raise UnreadableText(
            f"no JSON object in the file can be read; row {first.row_number}: {first.reason}"
        )
    # A column that an earlier batch does not have is null there.
    table = pa.concat_tables(tables, promote_options="default")
    return LandedRows(
        tuple(headers),
        table,
        pa.array(numbers, pa.int64()),
        tuple(rejected),
        next_page=found.next_page,
    )


def _batches(records: Iterable[JsonRecord]) -> Iterator[list[JsonRecord]]:
    records = iter(records)
    while batch := list(islice(records, BATCH_RECORDS)):
        yield batch


def _json_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False)
