"""Versions of the tables in a warehouse: a build leaves out what would give the same rows again.

The version of a table is the number and the hash of its rows. A result is made of its statement and
of the versions of its inputs. If both are those that it was built from, it is up to date. If a
table is built again and has the same rows, it keeps its version, and what is made of it is up to
date too. The same holds for each partition of a table, such as the rows of a billing period.

The record of a table is its comment. It is written in the transaction of the table and disappears
with it: a table that dbt or a person creates has none and is built again.

Belongs here: versions, records and their comparison. Does not: statements and their order
(compiled_build).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from types import MappingProxyType

import duckdb

from dagster_project.quoting import sql_identifier, sql_literal


@dataclass(frozen=True)
class Record:
    """What a table was built from, and its version.

    `partitions` has the same two values for each partition: what it is made of, and its version.
    """

    made_of: str
    version: str
    partitions: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, comment: str) -> "Record | None":
        """The record in a table's comment; None if the comment is somebody else's."""
        try:
            parsed = json.loads(comment)
            return cls(
                str(parsed["made_of"]),
                str(parsed["version"]),
                {
                    str(value): (str(made_of), str(version))
                    for value, (made_of, version) in parsed["partitions"].items()
                },
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


class TableVersions:
    """The versions of the tables that a build reads and writes, and the records of earlier builds.

    `relations` are the quoted names of all tables and views by their unique ids, `columns` those by
    which others are partitioned.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        relations: Mapping[str, str],
        columns: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> None:
        """Read all records of the warehouse."""
        self._columns = columns
        self._connection = connection
        self._relations = dict(relations)
        self._versions: dict[str, str] = {}
        self._partitions: dict[tuple[str, str], dict[str, str]] = {}
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
        self._tested: dict[str, tuple[str, int]] = {}

    def made_of(self, statement: str, inputs: Sequence[str]) -> str:
        """A hash of a statement and of the versions of its inputs, given by their unique ids."""
        versions = [f"{each} {self.version(each)}" for each in sorted(inputs)]
        return sha256("\0".join([statement, *versions]).encode()).hexdigest()

    def is_table_current(self, unique_id: str, made_of: str) -> bool:
        """Whether the table was built from this; if so, its version is known from its record."""
        record = self._record(unique_id)
        if record is None or record.made_of != made_of:
            return False
        self._versions[unique_id] = record.version
        return True

    def table_built(self, unique_id: str, made_of: str) -> bool:
        """Record what a table was built from; returns whether it has the rows that it had."""
        return self._write(unique_id, Record(made_of, self._rows_version(unique_id)))

    # --- partitions -----------------------------------------------------------------------------

    def of_partitions(self, unique_id: str, column: str) -> dict[str, str]:
        """The version of the rows of a table or view with each value of a column."""
        if (unique_id, column) not in self._partitions:
            # A view is evaluated once for all columns by which it is read.
            columns = sorted({column, *self._columns.get(unique_id, ())})
            names = ", ".join(f"coalesce({sql_identifier(each)}, '')" for each in columns)
            counted = self._connection.execute(
                f"select {names}, {_COUNT}, {_HASHES} from {self._relations[unique_id]}"
                " group by all"
            ).fetchall()
            for at, each in enumerate(columns):
                totals: dict[str, tuple[int, int]] = {}
                for *values, count, hashes in counted:
                    before = totals.get(values[at], (0, 0))
                    totals[values[at]] = before[0] + count, before[1] + hashes
                self._partitions.setdefault(
                    (unique_id, each),
                    {value: f"{count}:{hashes}" for value, (count, hashes) in totals.items()},
                )
        return self._partitions[unique_id, column]

    def stale_partitions(self, unique_id: str, wanted: Mapping[str, str]) -> Collection[str] | None:
        """The partitions that are not built from what is wanted; None if that is most of them."""
        record = self._record(unique_id)
        if record is None:
            return None
        made_of = {value: each for value, (each, _) in record.partitions.items()}
        return changed_partitions(wanted, made_of)

    def partitions_built(
        self,
        unique_id: str,
        made_of: str,
        column: str,
        wanted: Mapping[str, str],
        stale: Collection[str] | None,
    ) -> bool:
        """Record what a table and its partitions were built from; only the stale ones are read.

        Returns whether the table has the rows that it had.
        """
        record = self._record(unique_id)
        kept = {}
        if stale is not None and record is not None:
            kept = {
                value: version
                for value, (_, version) in record.partitions.items()
                if value in wanted and value not in stale
            }
        versions = kept | self._count_partitions(unique_id, column, stale)
        if not versions.keys() <= wanted.keys():
            raise duckdb.InvalidInputException(
                f"{unique_id} has rows of {sorted(versions.keys() - wanted.keys())}, which its"
                " partitioned inputs do not have"
            )
        self._partitions[unique_id, column] = versions
        version = sha256(json.dumps(sorted(versions.items())).encode()).hexdigest()
        return self._write(
            unique_id,
            Record(
                made_of,
                version,
                {value: (wanted[value], versions.get(value, "0")) for value in wanted},
            ),
        )

    def _count_partitions(
        self, unique_id: str, column: str, values: Collection[str] | None = None
    ) -> dict[str, str]:
        only = "" if values is None else f" where {is_in(column, values)}"
        return dict(
            self._connection.execute(
                f"select coalesce({sql_identifier(column)}, ''), {ROWS_VERSION}"
                f" from {self._relations[unique_id]}{only} group by 1"
            ).fetchall()
        )

    # --- views and tests ------------------------------------------------------------------------

    def is_view_current(self, unique_id: str, definition: str) -> bool:
        """Whether the view has this definition."""
        return self._comments.get(self._relations[unique_id]) == definition

    def view_built(self, unique_id: str, definition: str) -> None:
        """Record the definition of a view."""
        self._connection.execute(
            f"comment on view {self._relations[unique_id]} is {sql_literal(definition)}"
        )

    def view_reads(self, unique_id: str, made_of: str) -> None:
        """The version of a view is what it is made of, since it has no rows of its own."""
        self._versions[unique_id] = made_of

    def failing_rows(self, unique_id: str, made_of: str) -> int | None:
        """The result of a test of the same tables; None if they have changed."""
        tested, failing_rows = self._tests.get(unique_id, ("", 0))
        return failing_rows if tested == made_of else None

    def tested(self, unique_id: str, made_of: str, failing_rows: int) -> None:
        """Keep the result of a test for `record_tests`."""
        self._tested[unique_id] = (made_of, failing_rows)

    def record_tests(self) -> None:
        """Record the results of all tests at once: each on its own takes longer than a small test.

        A test whose result is lost, because the run is killed before, is run again.
        """
        if self._tested:
            made_of, failing_rows = zip(*self._tested.values(), strict=True)
            self._connection.execute(
                "insert or replace into run.test_results select unnest($1), unnest($2), unnest($3)",
                [list(self._tested), list(made_of), list(failing_rows)],
            )
            self._tested.clear()

    def version(self, unique_id: str) -> str:
        """The version of a source, or of a table or view that the build has come to."""
        if unique_id not in self._versions:
            # A source; what the build makes itself is recorded before.
            self._versions[unique_id] = self._rows_version(unique_id)
        return self._versions[unique_id]

    def _rows_version(self, unique_id: str) -> str:
        row = self._connection.execute(
            f"select {ROWS_VERSION} from {self._relations[unique_id]}"
        ).fetchone()
        assert row is not None
        return str(row[0])

    def _record(self, unique_id: str) -> Record | None:
        return Record.read(self._comments.get(self._relations[unique_id], ""))

    def _write(self, unique_id: str, record: Record) -> bool:
        """Write the record of a table; returns whether it has the version that it had."""
        before = self._record(unique_id)
        self._versions[unique_id] = record.version
        self._connection.execute(
            f"comment on table {self._relations[unique_id]}"
            f" is {sql_literal(json.dumps(asdict(record)))}"
        )
        return before is not None and before.version == record.version


def changed_partitions(now: Mapping[str, str], before: Mapping[str, str]) -> set[str] | None:
    """The partitions that are new, gone or not as before; None if less than half is as before."""
    changed = {value for value in now.keys() | before.keys() if now.get(value) != before.get(value)}
    return changed if now and before and 2 * len(changed) <= len(now) else None


def is_in(column: str, values: Collection[str]) -> str:
    """The condition that a row is in one of these partitions; rows without a value are in `''`."""
    name = sql_identifier(column)
    listed = ", ".join(map(sql_literal, sorted(values))) or "null"
    return f"coalesce({name}, '') in ({listed})" if "" in values else f"{name} in ({listed})"


_COUNT, _HASHES = "count(*)", "coalesce(sum(hash(*columns(*))), 0)"
ROWS_VERSION = f"{_COUNT} || ':' || {_HASHES}"
"""The number of rows and the sum of their 64-bit hashes: neither depends on the order of rows."""
