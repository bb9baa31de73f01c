"""The tables of a published version, made from those of the version before.

A table with the same rows is kept, and its Parquet file is linked. Of a table that is built by
partitions, such as billing periods, only the changed ones are written again. Everything else is
written from the warehouse.

Belongs here: the tables of one version. Does not: versions and their switch (publish).
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.files import link_or_copy
from dagster_project.quoting import sql_identifier, sql_literal
from dagster_project.table_versions import Record, changed_partitions, is_in

STATE = "state.json"
DATABASE = "apportion.duckdb"
MOST_GROWTH = 2
"""A database that has grown by this factor since it was written afresh is written afresh again:
DuckDB uses the space of replaced rows again, and does not return it."""


@dataclass(frozen=True)
class Written:
    """What a published table was written from: `layout` is a hash of everything but its rows.

    `version` is that of the rows, `partitions` those of the rows by partition. A table without a
    version is written in each publication.
    """

    layout: str
    version: str | None = None
    partitions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Before:
    """The version that is published now, with what its tables were written from."""

    folder: Path | None = None
    tables: Mapping[str, Written] = field(default_factory=dict)
    fresh_bytes: int = 0

    @classmethod
    def read(cls, folder: Path) -> "Before":
        """The version in a folder; nothing if it is not as it was published."""
        try:
            if not is_as_published(folder):
                return cls()
            state = json.loads((folder / STATE).read_text(encoding="utf-8"))
            fresh_bytes = int(state["fresh_bytes"])
            tables = {name: Written(**each) for name, each in state["tables"].items()}
            if (folder / DATABASE).stat().st_size > MOST_GROWTH * fresh_bytes:
                return cls()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()
        return cls(folder.resolve(), tables, fresh_bytes)

    def state(self, folder: Path, written: Mapping[str, Written]) -> dict[str, Any]:
        """What the next publication needs to know of the version in `folder`."""
        return {
            "fresh_bytes": self.fresh_bytes or (folder / DATABASE).stat().st_size,
            "tables": {name: asdict(each) for name, each in written.items()},
        }


def is_as_published(folder: Path) -> bool:
    """Whether a version has all of its files and nobody has changed one. Raises OSError."""
    state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    names = {f"{name}.parquet" for name in state.get("tables", ())}
    marts = list((folder / "marts").iterdir())
    # The state is written last. A file that is newer was changed by somebody else.
    published_at = (folder / STATE).stat().st_mtime_ns
    return names <= {each.name for each in marts} and all(
        each.stat().st_mtime_ns <= published_at for each in (folder / DATABASE, *marts)
    )


def layout(*parts: object) -> str:
    """A hash of what a table looks like besides its rows."""
    return sha256(json.dumps([duckdb.__version__, *parts]).encode()).hexdigest()


def versions(connection: duckdb.DuckDBPyConnection) -> dict[str, Record]:
    """The records of the marts in the attached `warehouse`, by name."""
    found = {
        name: Record.read(comment or "")
        for name, comment in connection.execute(
            "select table_name, comment from duckdb_tables()"
            " where database_name = 'warehouse' and schema_name = 'marts'"
        ).fetchall()
    }
    return {name: record for name, record in found.items() if record is not None}


@dataclass(frozen=True)
class Table:
    """A mart to be written: `order` are the columns of its order; none orders by all.

    `partition_column` is the column by which the mart is built, if that is the first of its order.
    """

    name: str
    order: tuple[str, ...]
    partition_column: str | None
    wanted: Written

    @property
    def published(self) -> str:
        """The quoted name in the attached database `published`."""
        return sql_identifier("published", "marts", self.name)

    def write(self, connection: duckdb.DuckDBPyConnection, folder: Path, before: Before) -> bool:
        """Write the table into `folder`; returns whether it is a new one without comments."""
        earlier = before.tables.get(self.name)
        parquet = folder / "marts" / f"{self.name}.parquet"
        if earlier is not None and before.folder is not None:
            if self.wanted.version is not None and self.wanted == earlier:
                link_or_copy(before.folder / "marts" / parquet.name, parquet)
                return False
            stale = self._stale(earlier)
            if stale is not None:
                self._replace(connection, stale, parquet)
                return False
        connection.execute(f"drop table if exists {self.published}")
        connection.execute(f"create table {self.published} as {self._rows()}")
        _copy(connection, f"from {self.published}", parquet)
        return True

    def _stale(self, earlier: Written) -> Collection[str] | None:
        """The partitions to be replaced; None if the whole table is."""
        partitions = self.wanted.partitions
        if (
            self.partition_column is None
            or earlier.layout != self.wanted.layout
            or "" in partitions.keys() | earlier.partitions.keys()
        ):
            return None
        return changed_partitions(partitions, earlier.partitions)

    def _replace(
        self, connection: duckdb.DuckDBPyConnection, stale: Collection[str], parquet: Path
    ) -> None:
        """Replace partitions; the Parquet file has all in their order."""
        assert self.partition_column is not None
        connection.execute(
            f"delete from {self.published} where {is_in(self.partition_column, stale)}"
        )
        for each in sorted(stale):
            connection.execute(f"insert into {self.published} {self._rows(each)}")
        in_order = (
            f"(from {self.published} where {is_in(self.partition_column, [each])})"
            for each in sorted(self.wanted.partitions)
        )
        _copy(connection, " union all ".join(in_order), parquet)

    def _rows(self, partition: str | None = None) -> str:
        order = ", ".join(map(sql_identifier, self.order)) or "all"
        only = ""
        if partition is not None and self.partition_column is not None:
            only = f" where {is_in(self.partition_column, [partition])}"
        return f"from {sql_identifier('warehouse', 'marts', self.name)}{only} order by {order}"


def _copy(connection: duckdb.DuckDBPyConnection, rows: str, parquet: Path) -> None:
    connection.execute(
        f"copy ({rows}) to {sql_literal(parquet)} (format parquet, compression zstd)"
    )
