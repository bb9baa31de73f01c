"""Versions of the tables in a warehouse: a build leaves out what would give the same rows again.

The version of a table is the number and the hash of its rows. A result is made of its statement and
of the versions of its inputs. If both are those that it was built from, it is up to date. If a
table is built again and has the same rows, it keeps its version, and what is made of it is up to
date too.

The record of a table is its comment. It is written in the transaction of the table and disappears
with it: a table that dbt or a person creates has none and is built again.

Belongs here: versions, records and their comparison. Does not: statements and their order
(compiled_build).
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import duckdb

from dagster_project.quoting import sql_literal


class TableVersions:
    """The versions of the tables that a build reads and writes, and the records of earlier builds.

    `sources` are the quoted names of the tables that the build reads only, by their unique ids.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, sources: Mapping[str, str] | None = None
    ) -> None:
        """Read all records of the warehouse."""
        self._connection = connection
        self._sources = dict(sources or {})
        self._versions: dict[str, str] = {}
        self._comments: dict[str, str] = {
            f'"{database}"."{schema}"."{name}"': comment
            for database, schema, name, comment in connection.execute(
                """
                select database_name, schema_name, table_name, comment from duckdb_tables()
                union all
                select database_name, schema_name, view_name, comment from duckdb_views()
                """
            ).fetchall()
            if comment
        }
        connection.execute("create schema if not exists run")
        connection.execute(
            """
            create table if not exists run.test_results (
                unique_id varchar primary key, made_of varchar, failing_rows bigint
            )
            """
        )
        self._tests: dict[str, tuple[str, int]] = {
            unique_id: (made_of, failing_rows)
            for unique_id, made_of, failing_rows in connection.execute(
                "select unique_id, made_of, failing_rows from run.test_results"
            ).fetchall()
        }

    def made_of(self, statement: str, inputs: Sequence[str]) -> str:
        """A hash of a statement and of the versions of its inputs, given by their unique ids."""
        versions = [f"{each} {self._version(each)}" for each in sorted(inputs)]
        return sha256("\0".join([statement, *versions]).encode()).hexdigest()

    def is_table_current(self, unique_id: str, relation: str, made_of: str) -> bool:
        """Whether the table was built from this; if so, its version is known from its record."""
        record = self._record(relation)
        if record is None or record["made_of"] != made_of:
            return False
        self._versions[unique_id] = record["version"]
        return True

    def table_built(self, unique_id: str, relation: str, made_of: str) -> None:
        """Record what a table was built from."""
        self._versions[unique_id] = version = _version_of(self._connection, relation)
        record = json.dumps({"made_of": made_of, "version": version})
        self._connection.execute(f"comment on table {relation} is {sql_literal(record)}")

    def is_view_current(self, relation: str, definition: str) -> bool:
        """Whether the view has this definition."""
        return self._comments.get(relation) == definition

    def view_built(self, relation: str, definition: str) -> None:
        """Record the definition of a view."""
        self._connection.execute(f"comment on view {relation} is {sql_literal(definition)}")

    def view_reads(self, unique_id: str, made_of: str) -> None:
        """The version of a view is what it is made of, since it has no rows of its own."""
        self._versions[unique_id] = made_of

    def failing_rows(self, unique_id: str, made_of: str) -> int | None:
        """The result of a test of the same tables; None if they have changed."""
        tested, failing_rows = self._tests.get(unique_id, ("", 0))
        return failing_rows if tested == made_of else None

    def tested(self, unique_id: str, made_of: str, failing_rows: int) -> None:
        """Record the result of a test."""
        self._connection.execute(
            "insert or replace into run.test_results values (?, ?, ?)",
            [unique_id, made_of, failing_rows],
        )

    def _version(self, unique_id: str) -> str:
        if unique_id not in self._versions:
            # A source; inputs that the build makes itself are recorded before.
            relation = self._sources[unique_id]
            self._versions[unique_id] = _version_of(self._connection, relation)
        return self._versions[unique_id]

    def _record(self, relation: str) -> dict[str, str] | None:
        try:
            record: Any = json.loads(self._comments.get(relation, ""))
            return {"made_of": str(record["made_of"]), "version": str(record["version"])}
        except (ValueError, KeyError, TypeError):
            # A comment of somebody else.
            return None


def _version_of(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    """The number of rows, and the sum of their 64-bit hashes, which does not depend on order."""
    row = connection.execute(
        f"select count(*) || ':' || sum(hash(*columns(*))) from {relation}"
    ).fetchone()
    return str(row[0]) if row and row[0] is not None else "0"
