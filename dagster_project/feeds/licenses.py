"""License columns of a list of users: whether a file says which licenses its users have.

Belongs here: telling licenses from what programs write in their place. Does not: which product a
license is (int_license_names).
"""

import json
import re
from dataclasses import replace

import pyarrow as pa

from dagster_project.errors import UnreadableLicenses
from dagster_project.feeds.formats import FileFormat
from dagster_project.feeds.readers import LandedRows

LICENSE_COLUMNS = ("licenses", "assigned_licenses")
SHOWN_VALUES = 60

NO_LICENSE = re.compile(
    r"""
    | \[object\ Object\]                                    # JavaScript's text of any object
    | (?:Deserialized\.)?(?:System|Microsoft)\.[\w.`\[\]]+  # the name of a .NET type
    | \[\] | \{\}
    """,
    re.VERBOSE,
)


SKU_ID = re.compile(r"skuId=([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE)
"""PowerShell writes a license as `@{disabledPlans=System.Object[]; skuId=cbdc14ab...}`."""


def with_ids(file_format: FileFormat, rows: LandedRows) -> LandedRows:
    """The rows, with the ids alone where PowerShell wrote licenses as objects."""
    headers, _ = file_format.assign(rows.headers)
    header = headers.get("assigned_licenses") if file_format.feed == "directory" else None
    if header is None:
        return rows
    values = rows.table.column(header).to_pylist()
    if not any(value and SKU_ID.search(value) for value in values):
        return rows
    ids = [",".join(SKU_ID.findall(value or "")) or value for value in values]
    at = rows.table.schema.get_field_index(header)
    return replace(rows, table=rows.table.set_column(at, header, pa.array(ids, pa.string())))


def require_licenses(file_format: FileFormat, rows: LandedRows) -> None:
    """Raise UnreadableLicenses where a license column holds no license in any row.

    Such a file would count as a list of users without licenses, and their departments would be
    counted with the licenses of another day.
    """
    headers, _ = file_format.assign(rows.headers)
    for column in LICENSE_COLUMNS if file_format.feed == "directory" else ():
        if column not in headers or not rows.table.num_rows:
            continue
        values = distinct(rows.table.column(headers[column]))
        if any(holds_license(value) for value in values):
            continue
        shown = next((value for value in sorted(values) if value), None)
        found = f"the first value is {shown[:SHOWN_VALUES]}" if shown else "every row is empty"
        raise UnreadableLicenses(
            f"{headers[column]} holds no license in any of {rows.table.num_rows:,} rows ({found});"
            " export it with the ids or names of the licenses, or remove the column if the"
            " licenses are in another file"
        )


def distinct(values: pa.ChunkedArray) -> list[str]:
    """The values that occur, empty where there is none."""
    return [value or "" for value in values.unique().to_pylist()]


def holds_license(value: str) -> bool:
    """Whether a value names a license, or says that its user has none."""
    try:
        listed = json.loads(value)
    except ValueError:
        listed = None
    if isinstance(listed, list):
        return any(
            bool(each.get("skuId")) if isinstance(each, dict) else bool(each) for each in listed
        )
    return any(NO_LICENSE.fullmatch(word.strip()) is None for word in re.split(r"[+,;\n]", value))
