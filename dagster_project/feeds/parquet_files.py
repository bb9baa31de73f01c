"""Parquet files to rows: typed columns become the text that staging reads.

Values are unchanged: a decimal keeps its zeros, a float is the shortest text that reads back as the
same float, and no number of usual size has an exponent. Dates and times are ISO 8601, instants in
UTC end in Z. Lists, maps and structs are JSON with sorted keys and, as in landed JSON, numbers as
text. The meaning of columns does not belong here.
"""

import json
import uuid
from collections.abc import Iterable, Sequence
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types

from dagster_project.errors import EmptyFile, TooLarge, UnreadableText
from dagster_project.feeds.readers import (
    COLUMN_LIMIT,
    RAW_ROW_LIMIT,
    UNDECODABLE,
    LandedRows,
    RejectedRow,
    require_few,
)

MAGIC = b"PAR1"
ENCRYPTED_MAGIC = b"PARE"
BATCH_ROWS = 65_536


def is_parquet(content: bytes) -> bool:
    """Whether `read_parquet` reads the content, or refuses it with a helpful message."""
    return content.startswith((MAGIC, ENCRYPTED_MAGIC))


def read_parquet(content: bytes, limit: int) -> LandedRows:
    """The rows of a Parquet file as text; a null stays null, row 1 is the first row.

    `limit` is the maximum unpacked size in bytes, as declared by the file and as text. A row with
    bytes that are not UTF-8 is rejected. Raises TooLarge, EmptyFile for a file without columns,
    and UnreadableText for a truncated, damaged or encrypted file.
    """
    if content.startswith(ENCRYPTED_MAGIC):
        raise UnreadableText("the Parquet file is encrypted; write it without encryption")
    try:
        return _read(pa.BufferReader(content), limit)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, RecursionError, UnicodeError, ValueError) as error:
        # Arrow has no specific error type for most kinds of damage.
        what = str(error).partition("\n")[0]
        raise UnreadableText(f"the Parquet file is truncated or damaged ({what})") from error


def _read(source: pa.BufferReader, limit: int) -> LandedRows:
    metadata = pq.read_metadata(source)
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    unpacked = sum(group.total_byte_size for group in groups)
    if unpacked > limit:
        raise TooLarge(
            f"the Parquet file unpacks to {unpacked:,} bytes, over the limit of {limit:,} bytes"
        )
    if not metadata.num_columns:
        raise EmptyFile("the Parquet file has no columns")
    if metadata.num_columns > COLUMN_LIMIT:
        raise TooLarge(f"{metadata.num_columns:,} columns, over the limit of {COLUMN_LIMIT:,}")
    file = pq.ParquetFile(
        source,
        metadata=metadata,
        # A text that occurs in a million rows is held once until its size is known.
        read_dictionary=_text_columns(metadata.schema),
        coerce_int96_timestamp_unit="us",
        page_checksum_verification=True,
    )
    headers = tuple(
        name.strip() or f"column {index}"
        for index, name in enumerate(file.schema_arrow.names, start=1)
    )
    schema = pa.schema([(header, pa.string()) for header in headers])
    batches = []
    marked: set[int] = set()
    size = 0
    for batch in file.iter_batches(BATCH_ROWS):
        size += sum(map(_text_size, batch.columns))
        if size > limit:
            raise TooLarge(f"the Parquet file holds more text than the limit of {limit:,} bytes")
        columns = []
        for index, column in enumerate(batch.columns):
            try:
                columns.append(_text(column, errors="strict"))
            except UnicodeDecodeError:
                columns.append(_text(column, errors="apportion_mark"))
                marked.add(index)
        batches.append(pa.record_batch(columns, schema=schema))
    table = pa.Table.from_batches(batches, schema=schema)
    return _set_apart(headers, table, sorted(marked))


def _text_columns(schema: pq.ParquetSchema) -> list[str]:
    columns = [schema.column(index) for index in range(len(schema.names))]
    return [
        column.path
        for column in columns
        if column.physical_type == "BYTE_ARRAY"
        and column.logical_type.type in ("STRING", "NONE")
        # A text inside a list or a map is not read that way.
        and column.max_repetition_level == 0
        and column.path == column.name
    ]


def _text_size(column: pa.Array) -> int:
    """Approximate bytes of the column as text; exact if one text may occur in many rows."""
    offsets = 4 * len(column)
    if types.is_dictionary(column.type):
        lengths = pc.binary_length(column.dictionary).take(column.indices)
        return offsets + int(pc.sum(lengths.cast(pa.int64())).as_py() or 0)
    return offsets + int(column.nbytes)


def _set_apart(headers: tuple[str, ...], table: pa.Table, marked: list[int]) -> LandedRows:
    """The rows, without those in which a column of `marked` is not text."""
    row_numbers = pa.array(np.arange(1, table.num_rows + 1), pa.int64())
    if not marked:
        return LandedRows(headers, table, row_numbers, ())
    bad = np.zeros(table.num_rows, dtype=bool)
    for index in marked:
        found = pc.match_substring(table.column(index), UNDECODABLE).fill_null(False)
        bad |= found.to_numpy()
    rejected = []
    for at in np.flatnonzero(bad):
        values = [column[int(at)].as_py() for column in table.columns]
        unreadable = {index for index in marked if UNDECODABLE in (values[index] or "")}
        shown = {
            header: value.replace(UNDECODABLE, "\N{REPLACEMENT CHARACTER}")
            for header, value in zip(headers, values, strict=True)
            if value is not None
        }
        first = headers[min(unreadable)]
        rejected.append(
            RejectedRow(
                row_number=int(at) + 1,
                reason="not UTF-8 text",
                raw_row=json.dumps(shown, ensure_ascii=False)[:RAW_ROW_LIMIT],
                column_name=first,
                value=shown[first],
                known_values={
                    header: values[index]
                    for index, header in enumerate(headers)
                    if index not in unreadable and values[index] is not None
                },
            )
        )
        require_few(rejected)
    keep = pa.array(~bad)
    return LandedRows(headers, table.filter(keep), row_numbers.filter(keep), tuple(rejected))


# --- a column as text --------------------------------------------------------------------


def _text(array: pa.Array, errors: str) -> pa.Array:
    """The column as text. `errors` handles bytes that are not UTF-8, as in decode()."""
    kind = array.type
    if isinstance(kind, pa.UuidType):
        values = array.storage.to_pylist()
        return _of(None if value is None else str(uuid.UUID(bytes=value)) for value in values)
    if isinstance(kind, pa.BaseExtensionType):
        return _text(array.storage, errors)
    if types.is_dictionary(kind):
        return _text(array.dictionary, errors).take(array.indices)
    if types.is_nested(kind):
        return _of(
            None if value is None else json.dumps(value, sort_keys=True, ensure_ascii=False)
            for value in _objects(array, errors)
        )
    if _is_bytes(kind):
        return _decode(array, errors)
    if types.is_timestamp(kind):
        return _timestamp_text(array)
    if types.is_time(kind):
        text = array.cast(pa.string())
        return _trim_fraction(text) if kind.unit != "s" else text
    if types.is_floating(kind):
        return _without_exponents(array.cast(pa.string()), largest_exponent=20)
    if types.is_decimal(kind):
        return _without_exponents(array.cast(pa.string()), largest_exponent=1000)
    if types.is_integer(kind) or types.is_boolean(kind) or types.is_date(kind):
        return array.cast(pa.string())
    # Durations and the like, which no bill has.
    return _of(None if value is None else str(value) for value in array.to_pylist())


def _of(values: Iterable[str | None]) -> pa.Array:
    return pa.array(list(values), pa.string())


def _is_bytes(kind: pa.DataType) -> bool:
    return any(
        check(kind)
        for check in (
            types.is_string,
            types.is_large_string,
            types.is_string_view,
            types.is_binary,
            types.is_large_binary,
            types.is_binary_view,
            types.is_fixed_size_binary,
        )
    )


def _decode(array: pa.Array, errors: str) -> pa.Array:
    try:
        text = array.cast(pa.string())
        # The cast does not check a column whose type is text already.
        text.validate(full=True)
    except pa.ArrowInvalid:
        values = array.cast(pa.binary()).to_pylist()
        return _of(None if value is None else value.decode("utf-8", errors) for value in values)
    return text


def _timestamp_text(array: pa.Array) -> pa.Array:
    kind = array.type
    # Without its zone, an instant is the UTC time.
    instants = array.cast(pa.timestamp(kind.unit))
    try:
        text = instants.cast(pa.timestamp("s")).cast(pa.string())
    except pa.ArrowInvalid:
        # Some have a fraction of a second.
        text = _trim_fraction(instants.cast(pa.string()))
    text = pc.replace_substring(text, " ", "T", max_replacements=1)
    return pc.binary_join_element_wise(text, "Z", "") if kind.tz else text


def _trim_fraction(text: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(text, r"\.?0+$", "")


def _without_exponents(text: pa.Array, largest_exponent: int) -> pa.Array:
    """Arrow writes small numbers, and a zero of many places too, as 0E-10."""
    has_exponent = pc.match_substring(text, "e", ignore_case=True)
    if not pc.any(has_exponent).as_py():
        return text
    found = text.filter(has_exponent).dictionary_encode()
    plain = _of(
        f"{number:f}" if abs(number.adjusted()) <= largest_exponent else str(number)
        for number in map(Decimal, found.dictionary.to_pylist())
    )
    return pc.replace_with_mask(text, has_exponent, plain.take(found.indices))


def _objects(array: pa.Array, errors: str) -> list[object]:
    """The JSON form of each value: text, true, false, null, lists and objects of these."""
    kind = array.type
    if types.is_struct(kind):
        names = [kind.field(index).name for index in range(kind.num_fields)]
        fields = [_objects(field, errors) for field in array.flatten()]
        rows = zip(*fields, strict=True) if fields else ((),) * len(array)
        return [
            dict(zip(names, values, strict=True)) if valid else None
            for valid, values in zip(array.is_valid().to_pylist(), rows, strict=True)
        ]
    if types.is_map(kind):
        keys, items = _objects(array.keys, errors), _objects(array.items, errors)
        offsets = array.offsets.to_pylist()
        return [
            _mapping(keys[first:behind], items[first:behind]) if valid else None
            for valid, first, behind in zip(
                array.is_valid().to_pylist(), offsets[:-1], offsets[1:], strict=True
            )
        ]
    if types.is_nested(kind):
        values = iter(_objects(array.flatten(), errors))
        lengths = pc.list_value_length(array).to_pylist()
        return [
            None if length is None else [next(values) for _ in range(length)] for length in lengths
        ]
    if types.is_boolean(kind):
        return list(array.to_pylist())
    return list(_text(array, errors).to_pylist())


def _mapping(keys: Sequence[object], items: Sequence[object]) -> object:
    """The map as an object; as a list of pairs where a key stands there twice, to lose none."""
    names = [key if isinstance(key, str) else json.dumps(key, sort_keys=True) for key in keys]
    if len(set(names)) < len(names):
        return [[name, item] for name, item in zip(names, items, strict=True)]
    return dict(zip(names, items, strict=True))
