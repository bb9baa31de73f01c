"""The raw tables: their columns, and inserting and deleting rows."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from dagster_project.feeds import formats, readers
from dagster_project.feeds.declarations import NO_DECLARATIONS, Declarations
from dagster_project.feeds.formats import FORMATS, FileFormat, match_key
from dagster_project.landing import forgetting
from dagster_project.landing.forgetting import ForgottenIdentifier
from dagster_project.landing.registry import LandedFile, newest_files
from dagster_project.quoting import sql_identifier

BATCH_ROWS = 50_000


def reader_version(
    forgotten: Sequence[ForgottenIdentifier] = (), declarations: Declarations = NO_DECLARATIONS
) -> str:
    """A hash of the readers, declarations and forgotten people. A change reads all files again.

    The form of figures and the reporting currency change nothing that is read.
    """
    digest = hashlib.sha256(repr(forgotten).encode())
    digest.update(declarations.model_dump_json(exclude={"display", "reporting"}).encode())
    for package in (Path(__file__).parent, Path(formats.__file__).parent):
        for module in sorted(package.glob("*.py")):
            digest.update(module.read_bytes())
    return digest.hexdigest()


def create_tables(
    connection: duckdb.DuckDBPyConnection, reading_version: str, declarations: Declarations
) -> None:
    """Create missing raw tables, or all of them again after a change of the reading version."""
    connection.execute("create schema if not exists raw")
    connection.execute("create table if not exists raw.reader_version (version varchar)")
    version = connection.execute("select version from raw.reader_version").fetchone()
    if version != (reading_version,):
        for (table,) in connection.execute(
            """
            select table_name from information_schema.tables
            where table_schema = 'raw' and table_name not like 'ledger%'
            """
        ).fetchall():
            connection.execute(f"drop table {sql_identifier('raw', table)}")
        connection.execute("create table raw.reader_version (version varchar)")
        connection.execute("insert into raw.reader_version values (?)", [reading_version])
    # The settings of apportion.toml that figures depend on, in one row.
    connection.execute(
        """
        create or replace table raw.declared_settings (
            fiscal_year_first_month bigint, equal_lines varchar, reporting_currency varchar
        )
        """
    )
    connection.execute(
        "insert into raw.declared_settings values (?, ?, ?)",
        [
            declarations.fiscal_year.first_month,
            declarations.reports.equal_lines,
            declarations.reporting.currency,
        ],
    )
    connection.execute(
        """
        create table if not exists raw.landed_files (
            file varchar, feed varchar, format varchar, status varchar, reason varchar,
            file_hash varchar, content_hash varchar, size_bytes bigint, modified_at timestamp,
            row_count bigint, rejected_count bigint, unknown_columns varchar, sheet varchar,
            column_letters varchar, known_columns varchar, part varchar, delivery varchar,
            has_manifest boolean, series varchar, run_group varchar, delivered_at timestamp,
            run_number bigint, is_whole_period boolean, base_name varchar, is_blocking boolean,
            missing_parts varchar, notes varchar
        )
        """
    )
    connection.execute(
        """
        create table if not exists raw.rejected_rows (
            file varchar, content_hash varchar, feed varchar, format varchar, row_number bigint,
            column_name varchar, value varchar, reason varchar, raw_row varchar,
            known_values varchar
        )
        """
    )
    for each in FORMATS:
        declared = ("declared_subscription_id",) if each.feed == "billing_lines" else ()
        columns = ", ".join(
            f"{sql_identifier(column)} varchar" for column in (*declared, *each.columns)
        )
        connection.execute(
            f"create table if not exists {sql_identifier('raw', each.name)} "
            "(file varchar, row_number bigint, "
            f"content_hash varchar, loaded_at timestamp, other_columns varchar, {columns})"
        )


def insert(
    connection: duckdb.DuckDBPyConnection,
    landed: LandedFile,
    file_format: FileFormat,
    rows: readers.LandedRows,
    forgotten: Sequence[ForgottenIdentifier],
    subscription_header: str | None = None,
) -> None:
    """Insert the rows of one content into its raw table, and rejected rows into rejected_rows.

    `subscription_header` is the column that apportion.toml declares to hold the subscription.
    """
    loaded_at = datetime.now(UTC).replace(tzinfo=None)
    header_by_column, unknown = file_format.assign(rows.headers)
    header_by_column = {
        column: header_by_column[column]
        for column in file_format.columns
        if column in header_by_column
    }
    if subscription_header is not None:
        header_by_column["declared_subscription_id"] = subscription_header

    def batch_at(first: int) -> pa.Table:
        part = rows.table.slice(first, BATCH_ROWS)
        count = part.num_rows
        columns = {
            "file": pa.repeat(pa.scalar(landed.file, pa.string()), count),
            "row_number": rows.row_numbers.slice(first, BATCH_ROWS),
            "content_hash": pa.repeat(pa.scalar(landed.content_hash, pa.string()), count),
            "loaded_at": pa.repeat(pa.scalar(loaded_at, pa.timestamp("us")), count),
            "other_columns": _other_columns(part, unknown),
        } | {column: part.column(header) for column, header in header_by_column.items()}
        new_rows = pa.table(columns)
        return forgetting.erase(new_rows, forgotten) if is_personal else new_rows

    is_personal = file_format.feed == "directory"
    beginning = batch_at(0)
    batches = (
        batch
        for first in range(0, rows.table.num_rows, BATCH_ROWS)
        for batch in (batch_at(first) if first else beginning).to_batches()
    )
    # In batches, so that the rows are not held twice.
    connection.register("new_rows", pa.RecordBatchReader.from_batches(beginning.schema, batches))
    connection.execute(
        f"insert into {sql_identifier('raw', file_format.name)} by name select * from new_rows"
    )
    connection.unregister("new_rows")
    if not rows.rejected:
        return
    # One insert of a table: row by row, 20,000 rows take fourteen seconds.
    connection.register("new_rejected", _as_table(landed, file_format, rows.rejected))
    connection.execute("insert into raw.rejected_rows by name select * from new_rejected")
    connection.unregister("new_rejected")


def _other_columns(table: pa.Table, names: Sequence[str]) -> pa.Array:
    """The filled values under these headers, one JSON object per row; null without headers."""
    if not names:
        # Most files: to build a million empty objects would take ten seconds.
        return pa.nulls(table.num_rows, pa.string())
    return pa.array(
        [
            json.dumps({key: value for key, value in row.items() if value}, ensure_ascii=False)
            for row in table.select(list(names)).to_pylist()
        ],
        pa.string(),
    )


def _as_table(
    landed: LandedFile, file_format: FileFormat, rejected: Sequence[readers.RejectedRow]
) -> pa.Table:
    """The rows of `raw.rejected_rows` for one content.

    A damaged row cannot be searched for a person's name, so values of the directory are not kept.
    """
    is_personal = file_format.feed == "directory"
    count = len(rejected)

    def texts(values: Iterable[str | None]) -> pa.Array:
        return pa.array([None if is_personal else value for value in values], pa.string())

    def repeated(value: str | None) -> pa.Array:
        return pa.array([value] * count, pa.string())

    return pa.table(
        {
            "file": repeated(landed.file),
            "content_hash": repeated(landed.content_hash),
            "feed": repeated(landed.feed),
            "format": repeated(landed.format),
            "row_number": pa.array([each.row_number for each in rejected], pa.int64()),
            "column_name": pa.array([each.column_name for each in rejected], pa.string()),
            "value": texts(each.value for each in rejected),
            "reason": pa.array([each.reason for each in rejected], pa.string()),
            "raw_row": texts(each.raw_row for each in rejected),
            "known_values": texts(
                json.dumps(
                    {
                        file_format.column_by_key[match_key(header)]: value
                        for header, value in each.known_values.items()
                        if match_key(header) in file_format.column_by_key
                    },
                    ensure_ascii=False,
                )
                for each in rejected
            ),
        }
    )


def delete_content(connection: duckdb.DuckDBPyConnection, content_hash: str | None) -> None:
    """Remove the rows of one content."""
    for table in [*(each.name for each in FORMATS), "rejected_rows"]:
        connection.execute(
            f"delete from {sql_identifier('raw', table)} where content_hash = ?", [content_hash]
        )


def withdraw_missing(connection: duckdb.DuckDBPyConnection, files: list[LandedFile]) -> int:
    """Delete the rows of contents that are no longer in landing, and update file names.

    Returns the number of deleted rows. The result is the same as on a new warehouse.
    """
    newest = newest_files(files)
    current = pa.table(
        {"content_hash": list(newest), "file": list(newest.values())},
        schema=pa.schema([("content_hash", pa.string()), ("file", pa.string())]),
    )
    connection.register("current_contents", current)
    withdrawn = 0
    for table in [*(each.name for each in FORMATS), "rejected_rows"]:
        row = connection.execute(
            f"""
            delete from {sql_identifier("raw", table)}
            where content_hash not in (select content_hash from current_contents)
            """
        ).fetchone()
        withdrawn += row[0] if row else 0
        connection.execute(
            f"""
            update {sql_identifier("raw", table)} as landed
            set file = current_contents.file
            from current_contents
            where landed.content_hash = current_contents.content_hash
                and landed.file <> current_contents.file
            """
        )
    connection.unregister("current_contents")
    return withdrawn


def count_rows(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """The row count of a raw table."""
    row = connection.execute(f"select count(*) from {sql_identifier('raw', table)}").fetchone()
    return int(row[0]) if row else 0
