"""Columns of a file named as its format names them, as `apportion.toml` states.

Belongs here: renamed columns, columns with one value for all rows, and rows to skip. Does not: the
settings themselves (declarations.py) or the form of values (conventions.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from dagster_project.errors import WrongMapping, did_you_mean
from dagster_project.feeds.declarations import Declaration
from dagster_project.feeds.formats import FileFormat, match_key
from dagster_project.feeds.readers import LandedRows

BATCH_ROWS = 10_000


@dataclass(frozen=True)
class MappedRows:
    """Rows under the format's column names, and how many rows were skipped as declared."""

    rows: LandedRows
    skipped_count: int


def mapped(rows: LandedRows, declared: Declaration) -> MappedRows:
    """Skip, rename and add columns as declared. Raises WrongMapping with the column at fault."""
    rows, skipped_count = _without_skipped(rows, declared.skip_rows)
    renamed = _renamed(rows, declared.columns)
    return MappedRows(_with_values(renamed, declared.values), skipped_count)


def require_known_columns(declared: Declaration, file_format: FileFormat) -> None:
    """Raise WrongMapping where a column is mapped to one that the format does not have."""
    for target in (*declared.columns.values(), *declared.values):
        if match_key(target) not in file_format.column_by_key:
            raise WrongMapping(
                f"apportion.toml names the column {target!r}, which {file_format.name} does not"
                f" have{_nearest(target, file_format.headers)}"
            )


def subscription_header(rows: LandedRows, declared: Declaration) -> str | None:
    """The column that is declared to hold the subscription. Raises WrongMapping without it."""
    if declared.subscription_id is None:
        return None
    wanted = match_key(declared.subscription_id)
    for header in rows.headers:
        if match_key(header) == wanted:
            return header
    raise WrongMapping(
        f"apportion.toml states subscription_id = {declared.subscription_id!r}, a column that the"
        f" file does not have{_nearest(declared.subscription_id, rows.headers)}"
    )


def _without_skipped(rows: LandedRows, beginnings: tuple[str, ...]) -> tuple[LandedRows, int]:
    if not beginnings:
        return rows, 0
    wanted = tuple(each.strip().casefold() for each in beginnings)
    keep = np.array(
        [
            not _begins_with(wanted, row.values())
            for batch in rows.table.to_batches(BATCH_ROWS)
            for row in batch.to_pylist()
        ],
        dtype=bool,
    )
    mask = pa.array(keep)
    kept = replace(rows, table=rows.table.filter(mask), row_numbers=rows.row_numbers.filter(mask))
    # A total is often a merged cell, or a row of fewer columns.
    rejected = tuple(
        each
        for each in rows.rejected
        if not _begins_with(wanted, each.known_values.values() or _cells(each.raw_row, rows))
    )
    skipped_count = int((~keep).sum()) + len(rows.rejected) - len(rejected)
    return replace(kept, rejected=rejected), skipped_count


def _begins_with(beginnings: tuple[str, ...], values: Iterable[str | None]) -> bool:
    """Whether the first filled cell of a row begins with one of the beginnings."""
    first = next((value for value in values if value and value.strip()), "")
    return first.strip().casefold().startswith(beginnings)


def _cells(raw_row: str, rows: LandedRows) -> list[str]:
    return [each.strip(' "') for each in raw_row.split(rows.delimiter or "\n")]


def _renamed(rows: LandedRows, columns: dict[str, str]) -> LandedRows:
    if not columns:
        return rows
    by_key = {match_key(header) or header: header for header in rows.headers}
    targets: dict[str, str] = {}
    for source, target in columns.items():
        header = by_key.get(match_key(source) or source)
        if header is None:
            raise WrongMapping(
                f"apportion.toml maps the column {source!r}, which the file does not have"
                f"{_nearest(source, rows.headers)}"
            )
        targets[header] = target
    headers = tuple(targets.get(header, header) for header in rows.headers)
    keys = [match_key(header) or header for header in headers]
    for header, key in zip(headers, keys, strict=True):
        if keys.count(key) > 1 and header in targets.values():
            raise WrongMapping(
                f"apportion.toml maps two columns to {header!r}, or maps one to it while the file"
                " has a column of that name; map the other column to a name of its own"
            )
    return replace(
        rows,
        headers=headers,
        table=rows.table.rename_columns(list(headers)),
        rejected=tuple(
            replace(
                each,
                column_name=each.column_name and targets.get(each.column_name, each.column_name),
                known_values={
                    targets.get(header, header): value
                    for header, value in each.known_values.items()
                },
            )
            for each in rows.rejected
        ),
        column_letters={
            targets.get(header, header): letters for header, letters in rows.column_letters.items()
        },
        typed_cells={
            targets.get(header, header): cells for header, cells in rows.typed_cells.items()
        },
        long_numbers={
            targets.get(header, header): cells for header, cells in rows.long_numbers.items()
        },
    )


def _with_values(rows: LandedRows, values: dict[str, str]) -> LandedRows:
    present = {match_key(header) for header in rows.headers}
    for header, value in values.items():
        if match_key(header) in present:
            raise WrongMapping(
                f"apportion.toml gives all rows {header} = {value!r}, but the file has a column"
                f" {header}; remove the setting, or map the column to another name"
            )
        column = pa.array([value] * rows.table.num_rows, pa.string())
        rows = replace(
            rows,
            headers=(*rows.headers, header),
            table=rows.table.append_column(header, column),
            rejected=tuple(
                replace(each, known_values=each.known_values | {header: value})
                for each in rows.rejected
            ),
        )
    return rows


def _nearest(name: str, headers: tuple[str, ...]) -> str:
    return did_you_mean(name, headers, otherwise=f"; its columns are {', '.join(headers)}")
