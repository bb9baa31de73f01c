"""Pages of a dataset, all of one published version.

Belongs here: versions, cursors, and the query of a page. Does not: formats (formats), HTTP
(service).

A published version never changes, so the number of a row in its table is a key that needs no
order, and the pages of one read have the version of the first page. Organizations get the number
of the row among their own, which reveals nothing about the rows of others.
"""

import base64
import binascii
import hashlib
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from dagster_project import database
from dagster_project.api.datasets import (
    ORGANIZATION_COLUMNS,
    PERIOD_COLUMNS,
    Dataset,
    reading,
)
from dagster_project.api.tokens import Token
from dagster_project.quoting import sql_identifier, sql_literal
from dagster_project.settings import DataFolder

ROW = "row number of the published table"
QUERY_SECONDS = 30
MOST_OPEN = 4
"""Versions that are open at once."""

VERSION_NAME = re.compile(r"[0-9A-Za-z.-]{1,64}")


class NothingIsPublished(Exception):
    """There is no published version yet."""


class VersionIsGone(Exception):
    """The version of a cursor has been removed."""


class UnusableRequest(Exception):
    """A parameter cannot be used."""


class TooSlow(Exception):
    """The query exceeded QUERY_SECONDS."""


@dataclass(frozen=True)
class Filters:
    """The rows asked for: periods from first to last like 2026-01, and one organization."""

    first_period: str | None = None
    last_period: str | None = None
    organization_id: str | None = None


@dataclass(frozen=True)
class Cursor:
    """The place after a page: the version, the last row read, and the query it belongs to."""

    version: str
    after: int
    query: str

    def text(self) -> str:
        """The cursor for an address."""
        content = json.dumps([self.version, self.after, self.query]).encode()
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    @classmethod
    def from_text(cls, text: str) -> "Cursor":
        """The cursor of an address. Raises UnusableRequest."""
        try:
            content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            version, after, query = json.loads(content)
        except (binascii.Error, ValueError, TypeError) as error:
            raise UnusableRequest("the cursor is damaged; start without one") from error
        if not (
            isinstance(version, str)
            and VERSION_NAME.fullmatch(version)
            and isinstance(after, int)
            and 0 <= after < 2**62
            and isinstance(query, str)
        ):
            raise UnusableRequest("the cursor is damaged; start without one")
        return cls(version, after, query)


@dataclass(frozen=True)
class Page:
    """Rows of a dataset, the version they are of, and the cursor of the next page, if any."""

    version: str
    rows: pa.Table
    next: str | None


def current_version(data: DataFolder) -> str:
    """The name of the version that is published now. Raises NothingIsPublished."""
    if not data.published_database.exists():
        raise NothingIsPublished("nothing is published yet: run make run first")
    return data.published_database.resolve().parent.name


class Published:
    """The published versions of a data folder, opened once each."""

    def __init__(self, data: DataFolder) -> None:
        """Opens nothing yet."""
        self.data = data
        self._lock = threading.Lock()
        self._open: OrderedDict[str, duckdb.DuckDBPyConnection] = OrderedDict()

    @contextmanager
    def opened(self, version: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection to a version as `published`. Raises VersionIsGone."""
        with self._lock:
            connection = self._connection(version).cursor()
        try:
            yield connection
        finally:
            connection.close()

    def _connection(self, version: str) -> duckdb.DuckDBPyConnection:
        path = _database(self.data, version)
        if not path.is_file():
            self._open.pop(version, None)
            raise VersionIsGone(
                f"the version {version} is no longer available; start again without a cursor"
            )
        known = self._open.pop(version, None)
        if known is None:
            known = database.connect(folders=[path.parent])
            known.execute(f"attach {sql_literal(path)} as published (read_only)")
        self._open[version] = known
        while len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        return known


def _database(data: DataFolder, version: str) -> Path:
    if version == current_version(data):
        return data.published_database.resolve()
    return data.published / "versions" / version / "apportion.duckdb"


def query_id(dataset: Dataset, token: Token, filters: Filters) -> str:
    """A hash of all that determines the rows, apart from the version."""
    parts = [dataset.name, token.organization_id, token.scope, *vars(filters).values()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def read_page(
    versions: Published,
    dataset: Dataset,
    token: Token,
    filters: Filters,
    *,
    limit: int,
    cursor: str | None = None,
    line_salt: str = "",
) -> Page:
    """At most `limit` rows of a dataset, from the cursor on.

    Raises NothingIsPublished, VersionIsGone, UnusableRequest, NotReadable (datasets) and TooSlow.
    """
    query = query_id(dataset, token, filters)
    at = Cursor.from_text(cursor) if cursor else Cursor(current_version(versions.data), 0, query)
    if at.query != query:
        raise UnusableRequest("the cursor belongs to another query; start without one")
    with versions.opened(at.version) as connection:
        connection.execute("set variable line_salt = $salt", {"salt": line_salt})
        sql, parameters = _query(connection, dataset, token, filters, at.after, limit)
        rows = _within_time(connection, sql, parameters)
    has_more = rows.num_rows > limit
    rows = rows.slice(0, limit)
    last = at.after + rows.num_rows
    if token.organization_id is None and rows.num_rows:
        # The first row has the number 0, and `after` 0 is before it.
        last = rows.column(ROW)[-1].as_py() + 1
    return Page(
        at.version,
        rows.drop_columns([ROW]),
        Cursor(at.version, last, query).text() if has_more else None,
    )


def _query(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    token: Token,
    filters: Filters,
    after: int,
    limit: int,
) -> tuple[str, dict[str, object]]:
    published = columns_of(connection, dataset.mart)
    if not published:
        raise UnusableRequest(f"{dataset.name} is not in the published version: run make run")
    readable = reading(dataset, token, published)
    conditions, parameters = [f"({readable.rows})"], dict[str, object]()
    period = next((sql for name, sql in PERIOD_COLUMNS.items() if name in published), None)
    for name, sign, value in (
        ("first", ">=", filters.first_period),
        ("last", "<=", filters.last_period),
    ):
        if value is not None:
            if period is None:
                raise UnusableRequest(f"{dataset.name} has no periods to filter by")
            conditions.append(f"{period} {sign} ${name}")
            parameters[name] = value
    if token.organization_id is not None:
        connection.execute("set variable organization = $id", {"id": token.organization_id})
    elif filters.organization_id is not None:
        column = next((name for name in ORGANIZATION_COLUMNS if name in published), None)
        if column is None:
            raise UnusableRequest(f"{dataset.name} has no organizations to filter by")
        conditions.append(f"{sql_identifier(column)} = $organization")
        parameters["organization"] = filters.organization_id
    selected = ", ".join(
        f"{value} as {sql_identifier(name)}" for name, value in readable.columns.items()
    )
    if token.organization_id is None:
        conditions.append("rowid >= $after")
        offset = ""
    else:
        offset = " offset $after"
    parameters["after"] = after
    return (
        f"select {selected}, rowid as {sql_identifier(ROW)}"
        f" from published.marts.{sql_identifier(dataset.mart)}"
        f" where {' and '.join(conditions)} order by rowid limit {limit + 1:d}{offset}",
        parameters,
    )


def _within_time(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object]
) -> pa.Table:
    timer = threading.Timer(QUERY_SECONDS, connection.interrupt)
    timer.start()
    try:
        return connection.execute(sql, dict(parameters)).to_arrow_table()
    except duckdb.InterruptException as error:
        raise TooSlow("the query takes too long; ask for fewer rows or periods") from error
    finally:
        timer.cancel()


def columns_of(connection: duckdb.DuckDBPyConnection, mart: str) -> dict[str, str]:
    """The columns of a published mart with their types; empty if it is not published."""
    return dict(
        connection.execute(
            """
            select column_name, data_type from duckdb_columns()
            where database_name = 'published' and schema_name = 'marts' and table_name = $mart
            order by column_index
            """,
            {"mart": mart},
        ).fetchall()
    )
