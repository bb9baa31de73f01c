"""The formats of answers: JSON, CSV, Arrow and Parquet.

Belongs here: rows to bytes. Does not: which rows (pages).

JSON and CSV have amounts as text with all decimals, because JSON numbers are binary floats in most
readers.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from dagster_project.wording import plain_decimal


@dataclass(frozen=True)
class Format:
    """A format: its name in the address, its media type, and how a page is written.

    `write` takes the rows, the version, and the address of the next page.
    """

    name: str
    media_type: str
    write: Callable[[pa.Table, str, str | None], bytes]


def _json(rows: pa.Table, version: str, next_page: str | None) -> bytes:
    names = rows.column_names
    values = [[_json_value(value) for value in column.to_pylist()] for column in rows.columns]
    data = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
    content = {"version": version, "data": data, "next": next_page}
    return json.dumps(content, ensure_ascii=False, default=str).encode()


def _csv(rows: pa.Table, version: str, next_page: str | None) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(rows.column_names)
    values = [[_csv_value(value) for value in column.to_pylist()] for column in rows.columns]
    writer.writerows(zip(*values, strict=True))
    return text.getvalue().encode()


def _arrow(rows: pa.Table, version: str, next_page: str | None) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return sink.getvalue()


def _parquet(rows: pa.Table, version: str, next_page: str | None) -> bytes:
    sink = io.BytesIO()
    pa.parquet.write_table(rows, sink, compression="zstd")
    return sink.getvalue()


def _json_value(value: Any) -> Any:
    match value:
        case Decimal():
            return plain_decimal(value)
        case datetime() | date():
            return value.isoformat()
        case _:
            return value


def _csv_value(value: Any) -> Any:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list() | dict():
            return json.dumps(value, default=str)
        case _:
            return _json_value(value)


FORMATS: Mapping[str, Format] = {
    each.name: each
    for each in (
        Format("json", "application/json", _json),
        Format("csv", "text/csv; charset=utf-8", _csv),
        Format("arrow", "application/vnd.apache.arrow.stream", _arrow),
        Format("parquet", "application/vnd.apache.parquet", _parquet),
    )
}


def format_for(name: str | None, accept: str) -> Format:
    """The format named in the address, else the first one that the header Accept lists, else JSON.

    Raises KeyError for an unknown name.
    """
    if name is not None:
        return FORMATS[name]
    wanted = [each.split(";")[0].strip().lower() for each in accept.split(",")]
    by_type = {each.media_type.split(";")[0]: each for each in FORMATS.values()}
    return next((by_type[each] for each in wanted if each in by_type), FORMATS["json"])
