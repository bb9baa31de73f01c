"""Bytes to rows: delimited text and JSON become a table of text, bad rows apart.

A row's number is the one a person sees: in delimited text the header is row 1, as in a
spreadsheet; in JSON lines it is the line. Every value stays the text that stood in the file;
JSON numbers too, so that no amount ever passes through a binary float.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from dagster_project.errors import (
    BrokenArchive,
    EmptyFile,
    TooLarge,
    UnreadableText,
)

GZIP_MAGIC = b"\x1f\x8b"
DELIMITERS = (",", ";", "\t", "|")
UNDECODABLE = "\N{REPLACEMENT CHARACTER}"
RAW_ROW_LIMIT = 10_000
"""Characters of a bad row that are kept; a row is longer only when its file is damaged."""


@dataclass(frozen=True)
class RejectedRow:
    """A row that is no row of its file's table."""

    row_number: int
    reason: str
    raw_row: str
    column_name: str | None = None
    value: str | None = None
    known_values: dict[str, str] = field(default_factory=dict)
    """Header to value where the row's beginning can still be read, so that its money shows."""


@dataclass(frozen=True)
class LandedRows:
    """The rows of one file: `table` has a text column per header, in the header's order."""

    headers: tuple[str, ...]
    table: pa.Table
    row_numbers: pa.Array
    rejected: tuple[RejectedRow, ...]


def unpack(data: bytes, limit: int) -> bytes:
    """The content of a gzip file of any number of members, or `data` itself if it is none.

    Raises BrokenArchive where it is cut or damaged, TooLarge where it unpacks to over `limit`
    bytes.
    """
    if not data.startswith(GZIP_MAGIC):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as archive:
            unpacked = archive.read(limit + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise BrokenArchive(f"the gzip file is cut or damaged ({error})") from error
    if len(unpacked) > limit:
        raise TooLarge(f"the gzip file unpacks to more than the limit of {limit:,} bytes")
    return unpacked


def read_rows(content: bytes) -> LandedRows:
    """The rows of a file's unpacked content, whether JSON or delimited text.

    Raises EmptyFile, or UnreadableText where it is neither.
    """
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    # What cannot be decoded becomes a mark; rows that hold the mark are rejected further on.
    text = content.decode(encoding, errors="replace")
    beginning = text[:65536].lstrip()
    if not beginning:
        raise EmptyFile("the file is empty")
    if "\x00" in beginning:
        raise UnreadableText("not text: the file has zero bytes (a workbook or a program?)")
    rows = _read_json(text) if beginning.startswith(("{", "[")) else _read_delimited(text)
    if UNDECODABLE in text and UNDECODABLE.encode() not in content:
        return _reject_undecodable(rows)
    return rows


def _reject_undecodable(rows: LandedRows) -> LandedRows:
    rejected = []
    for index, row in enumerate(rows.table.to_pylist()):
        for header, value in row.items():
            if UNDECODABLE in (value or ""):
                rejected.append(
                    RejectedRow(
                        row_number=rows.row_numbers[index].as_py(),
                        reason="not UTF-8 text; save the file as CSV UTF-8",
                        raw_row=json.dumps(row, ensure_ascii=False)[:RAW_ROW_LIMIT],
                        column_name=header,
                        value=value,
                        known_values={key: each or "" for key, each in row.items()},
                    )
                )
                break
    numbers = {each.row_number for each in rejected}
    keep = pa.array([number.as_py() not in numbers for number in rows.row_numbers], pa.bool_())
    return replace(
        rows,
        table=rows.table.filter(keep),
        row_numbers=rows.row_numbers.filter(keep),
        rejected=(*rows.rejected, *rejected),
    )


# --- delimited text --------------------------------------------------------------------


@dataclass(frozen=True)
class _Records:
    """Records of the header's width, with the row number of each."""

    table: pa.Table
    row_numbers: pa.Array


def _read_delimited(text: str) -> LandedRows:
    first_line, _, rest = text.partition("\n")
    row_number = 1
    delimiter = max(DELIMITERS, key=first_line.count)
    if first_line.strip().lower().startswith("sep=") and rest:
        # Spreadsheet programs write this line to name the delimiter.
        delimiter = first_line.strip()[4:5] or delimiter
        text, row_number = rest, 2
        first_line = text.partition("\n")[0]
    width = len(next(csv.reader([first_line], delimiter=delimiter)))
    parts = list(_split_records(text, delimiter, row_number, width))
    tables = [each.table for each in parts if isinstance(each, _Records)]
    table = pa.concat_tables(tables)
    row_numbers = pa.concat_arrays(
        [each.row_numbers for each in parts if isinstance(each, _Records)]
    )
    headers = [str(column[0]).strip() for column in table.columns]
    table, row_numbers = table.slice(1), row_numbers.slice(1)
    filled = _rows_with_values(table)
    table, row_numbers = table.filter(filled), row_numbers.filter(filled)
    while headers and not headers[-1] and not any(map(str, table.columns[-1])):
        # The delimiters that spreadsheet programs leave behind the last column.
        headers.pop()
        table = table.remove_column(table.num_columns - 1)
    if not any(headers):
        raise EmptyFile("the header is empty")
    headers = [header or f"column {index}" for index, header in enumerate(headers, start=1)]
    rejected = [
        replace(each, known_values=dict(zip(headers, each.known_values.values(), strict=False)))
        for each in parts
        if isinstance(each, RejectedRow)
    ]
    return LandedRows(tuple(headers), table.rename_columns(headers), row_numbers, tuple(rejected))


def _split_records(
    text: str, delimiter: str, first_row_number: int, width: int
) -> Iterator[_Records | RejectedRow]:
    """Records of `width` columns, and rejected rows for those of another width.

    A quote that is never closed makes one record of everything behind it. Such a record is cut
    at its first line and the lines behind it are read again, so one damaged row costs one row.
    """
    invalid: list[pyarrow.csv.InvalidRow] = []

    def keep_invalid(row: pyarrow.csv.InvalidRow) -> str:
        invalid.append(row)
        return "skip"

    content = text.encode()
    names = [f"column {index}" for index in range(width)]
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(content),
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, column_names=names, block_size=min(len(content) + 1, 2**30)
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=keep_invalid,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                strings_can_be_null=False, column_types=dict.fromkeys(names, pa.string())
            ),
        )
    except pa.ArrowInvalid as error:
        raise UnreadableText(f"not delimited text: {error}") from error

    record_numbers = np.arange(1, table.num_rows + len(invalid) + 1)
    good = np.isin(record_numbers, [row.number for row in invalid], invert=True)
    yield _Records(table, pa.array(record_numbers[good] + first_row_number - 1, pa.int64()))
    for row in invalid:
        row_number = first_row_number + row.number - 1
        line, _, lines_behind = row.text.partition("\n")
        if lines_behind.strip():
            yield RejectedRow(
                row_number, "a quote is opened and never closed", line[:RAW_ROW_LIMIT]
            )
            yield from _split_records(lines_behind, delimiter, row_number + 1, width)
            continue
        # A row that is too short is cut at its end: what stands in it stands in its place.
        # In one that is too long nothing can be trusted to stand in its place.
        is_short = row.actual_columns < width
        values = next(csv.reader([row.text], delimiter=delimiter), []) if is_short else []
        yield RejectedRow(
            row_number,
            f"the row has {row.actual_columns} columns, the header has {width}",
            row.text[:RAW_ROW_LIMIT],
            known_values=dict(zip(names, values, strict=False)),
        )


def _rows_with_values(table: pa.Table) -> pa.Array:
    """A mask that leaves out blank lines."""
    filled = pa.array(np.zeros(table.num_rows, dtype=bool))
    for column in table.columns:
        filled = pc.or_(filled, pc.greater(pc.binary_length(column.combine_chunks()), 0))
        if pc.all(filled).as_py():
            break
    return filled


# --- JSON ------------------------------------------------------------------------------


def _read_json(text: str) -> LandedRows:
    rejected: list[RejectedRow] = []
    records: list[tuple[int, dict[str, str | None]]] = []
    for row_number, record, raw_row in _json_records(text):
        if isinstance(record, dict):
            records.append((row_number, {key: _json_text(record[key]) for key in record}))
        else:
            rejected.append(RejectedRow(row_number, str(record), raw_row[:RAW_ROW_LIMIT]))
    if not records:
        raise UnreadableText(
            f"no JSON object in the file ({rejected[0].reason})" if rejected else "no JSON object"
        )
    headers = tuple(dict.fromkeys(key for _, record in records for key in record))
    table = pa.table(
        {
            header: pa.array([record.get(header) for _, record in records], pa.string())
            for header in headers
        }
    )
    numbers = pa.array([number for number, _ in records], pa.int64())
    return LandedRows(headers, table, numbers, tuple(rejected))


def _json_records(text: str) -> Iterator[tuple[int, dict[str, object] | str, str]]:
    """(row number, the object or what is wrong, the text) of JSON lines or of one JSON array."""
    if text.lstrip().startswith("["):
        try:
            array = json.loads(text, parse_float=str, parse_int=str)
        except ValueError as error:
            raise UnreadableText(f"the JSON array is cut or damaged ({error})") from error
        for index, record in enumerate(array, start=1):
            good = isinstance(record, dict)
            yield index, record if good else "not a JSON object", json.dumps(record)
        return
    for row_number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, parse_float=str, parse_int=str)
        except ValueError as error:
            yield row_number, f"the line is no JSON ({error})", line
            continue
        good = isinstance(record, dict)
        yield row_number, record if good else "not a JSON object", line


def _json_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False)
