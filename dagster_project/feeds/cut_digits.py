"""Ids that a spreadsheet program stored as numbers, with digits lost.

Excel keeps 15 digits of a number: 1234567890123456789 becomes 1234567890123450000, and CSV saved by
it shows 1.23457E+18. What the id was is unknown, so the value stays and a finding names it.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.feeds.formats import FileFormat
from dagster_project.feeds.readers import LandedRows

LAST_WORDS_OF_IDS = frozenset({"id", "number", "sku"})
SCIENTIFIC = r"^\d(?:[.,]\d+)?[eE]\+\d+$"


def note_on_ids(
    rows: LandedRows, file_format: FileFormat, subscription_header: str | None = None
) -> str | None:
    """One sentence on the ids with lost digits, with the first cell and its value; None without.

    The value is left out for people.
    """
    assigned, _ = file_format.assign(rows.headers)
    headers = {
        header
        for column, header in assigned.items()
        if column.rpartition("_")[2] in LAST_WORDS_OF_IDS
    }
    if subscription_header is not None:
        headers.add(subscription_header)
    found = sorted((at, header) for header in headers for at in _places(rows, header))
    if not found:
        return None
    at, header = found[0]
    row_number = rows.row_numbers[at].as_py()
    place = (
        f"sheet {rows.sheet}, cell {rows.column_letters[header]}{row_number}"
        if rows.sheet and header in rows.column_letters
        else f"row {row_number}"
    )
    shown = "" if file_format.feed == "directory" else f" is {rows.table[header][at].as_py()}"
    more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
    return (
        f"{place}, {header}{shown}{more}: a spreadsheet program stored the id as a number and cut"
        " its digits; format the column as text and enter the ids again, or land the file as it was"
        " downloaded"
    )


def _places(rows: LandedRows, header: str) -> list[int]:
    """The rows of the table whose value in the column has lost digits."""
    values = rows.table[header].combine_chunks()
    lost = pc.fill_null(pc.match_substring_regex(values, SCIENTIFIC), False)
    if numbers := rows.long_numbers.get(header):
        is_number = pc.is_in(rows.row_numbers, pa.array(sorted(numbers), pa.int64()))
        lost = pc.or_(lost, is_number)
    return np.flatnonzero(lost.to_numpy(zero_copy_only=False)).tolist()
