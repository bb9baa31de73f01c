"""Dates and numbers as people write them, converted to the forms that staging reads.

Staging reads ISO dates and numbers with a decimal point, and never guesses. This module
converts a value in another convention if the convention is known: declared in apportion.toml,
defined by the format's publisher, or the only one that fits every value of its column. A value that
contradicts a declared convention rejects its row.
"""

import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.feeds.declarations import DateOrder, Declaration
from dagster_project.feeds.formats import FileFormat
from dagster_project.feeds.readers import RAW_ROW_LIMIT, LandedRows, RejectedRow, require_few

NUMERIC_DATE = re.compile(
    r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})"
    r"(?:[ T](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?: ?([AaPp])\.?[Mm]\.?)?)?"
)
ODATA_DATE = re.compile(r"/Date\((-?\d{1,15})(?:[+-]\d{1,4})?\)/")
"""Milliseconds since 1970 in UTC, as OData before version 4 writes an instant."""
KANJI_DATE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日")
LOCAL_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?|\d{8}T\d{4}(?:\d{2})?"
)
ORDER_IN_WORDS: dict[DateOrder, str] = {
    "DMY": "day/month/year",
    "MDY": "month/day/year",
    "YMD": "year/month/day",
}
SEPARATORS = {"comma": ",", "point": ".", "space": " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"}
SEPARATORS["apostrophe"] = "'\N{RIGHT SINGLE QUOTATION MARK}"


class _Contradiction(Exception):
    """The value does not fit the convention; the message says why."""


@dataclass(frozen=True)
class ConvertedRows:
    """Rows in the forms that staging reads, and the decisions made for them."""

    rows: LandedRows
    notes: tuple[str, ...]
    """One sentence per column whose convention follows from its values alone."""


def convert(rows: LandedRows, file_format: FileFormat, declared: Declaration) -> ConvertedRows:
    """Convert the format's date and number columns; all other columns stay as they are.

    Rows with a value that contradicts a declared convention are rejected with row, column and
    value; the others keep their order.
    """
    headers, _ = file_format.assign(rows.headers)
    date_headers = [headers[each] for each in file_format.date_columns if each in headers]
    conventions: dict[str, Convention] = {}
    notes: list[str] = []
    zone = ZoneInfo(declared.time_zone) if declared.time_zone else None
    distinct = {header: _distinct(rows.table.column(header)) for header in date_headers}
    for header, order in date_orders(distinct, file_format, declared).items():
        conventions[header] = _dates_in(order, zone)
        if order is not None and order.note:
            notes.append(f"dates of {header} are read as {order.in_words}: {order.note}")
    if declared.decimals is not None or declared.thousands is not None:
        for column in file_format.number_columns:
            if column in headers:
                conventions[headers[column]] = _numbers_in(declared)
    table = rows.table
    faults: dict[int, tuple[str, str]] = {}
    for header, convention in conventions.items():
        values = table.column(header)
        converted, wrong = _apply(values, convention)
        if typed := rows.typed_cells.get(header):
            is_typed = pc.is_in(rows.row_numbers, pa.array(sorted(typed), pa.int64()))
            converted = pc.if_else(is_typed, values.combine_chunks(), converted)
            wrong = {at: reason for at, reason in wrong.items() if not is_typed[at].as_py()}
        table = table.set_column(table.schema.get_field_index(header), header, converted)
        for index, reason in wrong.items():
            faults.setdefault(index, (header, reason))
    rejected = tuple(_convert_known(each, conventions, rows.typed_cells) for each in rows.rejected)
    converted_rows = replace(rows, table=table, rejected=rejected)
    return ConvertedRows(_without_faults(converted_rows, rows, faults), tuple(notes))


@dataclass(frozen=True)
class Order:
    """An order of numeric dates and the reason to read a column by it."""

    order: DateOrder
    source: str
    note: str = ""

    @property
    def in_words(self) -> str:
        """The order as a person writes it."""
        return ORDER_IN_WORDS[self.order]


def date_orders(
    values: dict[str, list[str]], file_format: FileFormat, declared: Declaration
) -> dict[str, Order | None]:
    """The order of each date column: declared, else the publisher's, else the only possible one.

    `values` has the values of each column by its header. A column whose order stays open has None.

    The publisher's order counts if every numeric date of the file is a date in it. A file that was
    saved again in another order must not be read in two orders.
    """
    if declared.date_order is not None:
        return dict.fromkeys(values, Order(declared.date_order, "apportion.toml"))
    published = file_format.date_order
    if published and all(_fits(each, published) for texts in values.values() for each in texts):
        return dict.fromkeys(values, Order(published, f"the format {file_format.name}"))
    found = {header: only_order(texts) for header, texts in values.items()}
    if len({order for order in found.values() if order}) > 1:
        return dict.fromkeys(values)
    source, reason = "the column itself", "no value allows another order"
    return {header: order and Order(order, source, reason) for header, order in found.items()}


def _fits(value: str, order: DateOrder) -> bool:
    if NUMERIC_DATE.fullmatch(value.strip()) is None:
        return True
    try:
        iso_date(value, order)
    except ValueError:
        return False
    return True


def only_order(values: Iterable[str]) -> DateOrder | None:
    """The order of a column's numeric dates if each value allows one order, the same for all.

    None if the column has no numeric date, or one that allows two orders, or two values that
    contradict each other: 01/02/2026 may be in January or in February. 03/03/2026 is unambiguous.
    """
    needed: set[DateOrder] = set()
    for value in values:
        match = NUMERIC_DATE.fullmatch(value.strip())
        if match is None or len(match[1]) == 4:
            continue
        first, second = int(match[1]), int(match[3])
        if first == second:
            continue
        if first > 12 >= second:
            needed.add("DMY")
        elif second > 12 >= first:
            needed.add("MDY")
        else:
            return None
    return needed.pop() if len(needed) == 1 else None


def is_open_date(value: str) -> bool:
    """Whether a value is a date in digits that does not begin with the year."""
    match = NUMERIC_DATE.fullmatch(value.strip())
    return match is not None and len(match[1]) != 4


def iso_date(value: str, order: DateOrder) -> str:
    """A numeric date in ISO form, with its time of day if it has one.

    Raises ValueError if there is no such day or time.
    """
    match = NUMERIC_DATE.fullmatch(value.strip())
    if match is None:
        raise ValueError("not a date of digits")
    numbers = (match[1], match[3], match[4])
    if len(match[1]) == 4:
        order = "YMD"
    year, month, day = (numbers[order.index(part)] for part in "YMD")
    if len(year) not in (2, 4) or len(day) > 2:
        raise ValueError("the year has neither two nor four digits")
    # Bills and splits are of this century; a two-digit year is one of it.
    on = date(int(year) + (2000 if len(year) == 2 else 0), int(month), int(day))
    if match[5] is None:
        return on.isoformat()
    hour = int(match[5])
    if match[9]:
        if not 1 <= hour <= 12:
            raise ValueError("the hour does not fit AM or PM")
        hour = hour % 12 + (12 if match[9] in "Pp" else 0)
    at = time(hour, int(match[6]), int(match[7] or 0), int((match[8] or "")[:6].ljust(6, "0")))
    return datetime.combine(on, at).isoformat()


def plain_number(value: str, declared: Declaration) -> str:
    """A number with a decimal point and no thousands separators.

    Raises ValueError if the text is not a number in the declared convention.
    """
    text = value.strip()
    decimal = SEPARATORS[declared.decimals or "point"]
    grouping = SEPARATORS.get(declared.thousands or "none", "")
    if grouping:
        group = f"[{re.escape(grouping)}]"
        whole = rf"\d{{1,3}}(?:{group}\d{{3}})+|\d+"
    else:
        group, whole = None, r"\d+"
    pattern = rf"'?([-+]?)({whole})?(?:{re.escape(decimal)}(\d*))?((?:[eE][-+]?\d+)?)"
    match = re.fullmatch(pattern, text)
    if match is None or not (match[2] or match[3]):
        raise ValueError("not a number in this convention")
    digits = re.sub(group, "", match[2] or "0") if group else match[2] or "0"
    return f"{match[1]}{digits}{'.' + match[3] if match[3] else ''}{match[4]}"


Convention = Callable[[str], str]


def _dates_in(order: Order | None, zone: ZoneInfo | None) -> Convention:
    def converted(value: str) -> str:
        if ticks := ODATA_DATE.fullmatch(value.strip()):
            return _instant_of(int(ticks[1])) or value
        text = KANJI_DATE.sub(r"\1/\2/\3", value)
        match = NUMERIC_DATE.fullmatch(text.strip())
        # A year of four digits in front leaves nothing to guess.
        if match and (order is not None or len(match[1]) == 4):
            try:
                text = iso_date(text, order.order if order else "YMD")
            except ValueError as error:
                if order is None:
                    return value
                raise _Contradiction(
                    f"is not a date as {order.in_words}, the order that {order.source} states"
                    f" ({error})"
                ) from error
        if zone is not None and LOCAL_INSTANT.fullmatch(text.strip()):
            local = datetime.fromisoformat(text.strip()).replace(tzinfo=zone)
            text = local.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return text

    return converted


def _instant_of(milliseconds: int) -> str | None:
    """An instant as ISO text; None beyond the years that a calendar has."""
    try:
        instant = datetime(1970, 1, 1) + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
    return f"{instant.isoformat()}Z"


def _numbers_in(declared: Declaration) -> Convention:
    def converted(value: str) -> str:
        if value.strip().lower() in ("", "nan", "none", "null"):
            return value
        try:
            return plain_number(value, declared)
        except ValueError as error:
            grouping = declared.thousands or "none"
            raise _Contradiction(
                f"is not a number with decimals = {declared.decimals or 'point'} and"
                f" thousands = {grouping}, as apportion.toml states"
            ) from error

    return converted


def _distinct(values: pa.ChunkedArray) -> list[str]:
    return [each for each in values.unique().to_pylist() if each is not None]


def _apply(values: pa.ChunkedArray, convention: Convention) -> tuple[pa.Array, dict[int, str]]:
    """The converted column, and the reason by index of each value that contradicts."""
    encoded = values.combine_chunks().dictionary_encode()
    converted: list[str | None] = []
    reasons: dict[int, str] = {}
    for index, value in enumerate(encoded.dictionary.to_pylist()):
        try:
            converted.append(None if value is None else convention(value))
        except _Contradiction as contradiction:
            converted.append(value)
            reasons[index] = str(contradiction)
    result = pa.array(converted, pa.string()).take(encoded.indices)
    if not reasons:
        return result, {}
    codes = encoded.indices.to_pylist()
    return result, {row: reasons[code] for row, code in enumerate(codes) if code in reasons}


def _convert_known(
    row: RejectedRow, conventions: dict[str, Convention], typed: dict[str, frozenset[int]]
) -> RejectedRow:
    """The rejected row, with the amounts that still can be read in the form that staging reads.

    A value that contradicts its convention is unknown.
    """
    known: dict[str, str] = {}
    for header, value in row.known_values.items():
        convention = conventions.get(header)
        if convention is None or row.row_number in typed.get(header, ()):
            known[header] = value
            continue
        with suppress(_Contradiction):
            known[header] = convention(value)
    return replace(row, known_values=known)


def _without_faults(
    rows: LandedRows, as_landed: LandedRows, faults: dict[int, tuple[str, str]]
) -> LandedRows:
    if not faults:
        return rows
    rejected = []
    for index, (header, reason) in sorted(faults.items()):
        row = as_landed.table.slice(index, 1).to_pylist()[0]
        converted = rows.table.slice(index, 1).to_pylist()[0]
        rejected.append(
            RejectedRow(
                row_number=rows.row_numbers[index].as_py(),
                reason=reason,
                raw_row=json.dumps(row, ensure_ascii=False)[:RAW_ROW_LIMIT],
                column_name=header,
                value=row[header],
                known_values={
                    other: value for other, value in converted.items() if value and other != header
                },
            )
        )
        require_few(rejected)
    keep = np.ones(rows.table.num_rows, dtype=bool)
    keep[list(faults)] = False
    mask = pa.array(keep)
    return replace(
        rows,
        table=rows.table.filter(mask),
        row_numbers=rows.row_numbers.filter(mask),
        rejected=tuple(sorted((*rows.rejected, *rejected), key=lambda row: row.row_number)),
    )
