"""One company, run with DuckDB and with Apache Spark: equal marts, and equal bytes in the ledger.

`make test-spark` starts this after both runs.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import duckdb

from dagster_project.ledger import closing
from dagster_project.settings import DataFolder

PERIOD = "2026-01"


def differences(ours: DataFolder, theirs: DataFolder) -> Iterator[str]:
    """The published tables that differ, and how."""
    connection = duckdb.connect()
    for alias, data in (("ours", ours), ("theirs", theirs)):
        connection.execute(f"attach '{data.published_database}' as {alias} (read_only)")
    columns = "select table_name, column_name, data_type, column_index from duckdb_columns()"
    for one, other in (("ours", "theirs"), ("theirs", "ours")):
        for (table,) in connection.execute(
            f"select distinct table_name from ({columns} where database_name = ?"
            f" except {columns} where database_name = ?) order by all",
            [one, other],
        ).fetchall():
            yield f"{table} has other columns than in {other}"
    for (table,) in connection.execute(
        "select table_name from duckdb_tables() where database_name = 'ours' order by all"
    ).fetchall():
        for one, other in (("ours", "theirs"), ("theirs", "ours")):
            rows = connection.execute(
                f"from {one}.marts.{table} except all from {other}.marts.{table}"
            ).fetchall()
            if rows:
                yield f"{table}: {len(rows)} rows are only in {one}, for example {rows[0]}"


def posted(data: DataFolder) -> bytes:
    """The bytes of the posting of a period, closed at a fixed time."""
    with mock.patch.object(closing, "datetime") as clock:
        clock.now.return_value = datetime(2026, 5, 1, tzinfo=UTC)
        posting = closing.close_published(data, PERIOD, "a comparison of engines")
    return (data.ledger / posting.file).read_bytes()


def main(ours: DataFolder, theirs: DataFolder) -> int:
    found = list(differences(ours, theirs))
    if posted(ours) != posted(theirs):
        found.append(f"the postings of {PERIOD} have other bytes")
    print(f"          published tables and posting: {len(found) or 'no'} differences")
    for each in found:
        print(f"          {each}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(*(DataFolder(Path(each).resolve()) for each in sys.argv[1:])))
