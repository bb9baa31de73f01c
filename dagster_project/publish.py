"""The marts for BI: a folder per version, switched in one step.

    published/versions/000012-3f9a51c0/   apportion.duckdb, marts/*.parquet, state.json
    published/current                     a link to the published version
    published/apportion.duckdb, marts     links through `current`
    published/organizations               a link to the customers' databases of the version that was
                                          exported last

A reader keeps the version that it has opened. A reader that resolves `published/marts` once reads
one version, even while the next one is published. A run that fails before the switch leaves the
published version unchanged. A replaced version is removed by the first publication that is at least
KEPT_SECONDS later, except the one with the customers' databases.
"""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from dagster_project import database
from dagster_project.files import replaced_at_once
from dagster_project.quoting import sql_identifier, sql_literal
from dagster_project.settings import DataFolder

STORAGE_VERSION = "v1.0.0"
"""DuckDB clients since 1.0 of June 2024 read files of this version."""


KEPT_SECONDS = 3600
"""Seconds that a replaced version is kept for readers that have resolved its path."""

FIRST_IN_ORDER = (
    "billing_period",
    "x_BillingPeriod",
    "month",
    "organization_id",
    "x_OrganizationId",
    "subscription_id",
    "SubAccountId",
)
"""Columns by which a table is ordered before its key, so that a reader of one period or one
organization reads a part of the file."""

SUPERSEDED = "superseded"
STATE = "state.json"


@dataclass(frozen=True)
class PublishedMart:
    """A published table and its row count."""

    name: str
    row_count: int


def publish(
    data: DataFolder,
    manifest: Mapping[str, Any],
    state_id: str,
    on_mart: Callable[[PublishedMart], None] = lambda mart: None,
) -> tuple[PublishedMart, ...]:
    """Publish the warehouse's marts as a new version: one DuckDB file and a Parquet file per mart.

    `manifest` is dbt's; its descriptions become comments on tables and columns. `state_id` names
    the state of landing, ledger and rules that the marts were built from. `on_mart` is called for
    each mart when it is written.
    """
    versions = data.published / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    for leftover in versions.glob(".building*"):
        shutil.rmtree(leftover)
    building = versions / ".building"
    marts = _write_version(building, data, manifest, on_mart)
    (building / STATE).write_text(json.dumps({"state_id": state_id}) + "\n", encoding="ascii")
    numbers = [int(path.name[:6]) for path in versions.iterdir() if path.name[:6].isdigit()]
    version = versions / f"{max(numbers, default=0) + 1:06d}-{state_id[:8]}"
    building.rename(version)
    _switch(data, version)
    _remove_superseded(versions, version)
    return marts


def published_state(data: DataFolder) -> str | None:
    """The id of the state that the published version was built from; None if nothing is."""
    try:
        state = json.loads((data.published / "current" / STATE).read_text(encoding="ascii"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return str(state["state_id"])


def _write_version(
    folder: Path,
    data: DataFolder,
    manifest: Mapping[str, Any],
    on_mart: Callable[[PublishedMart], None],
) -> tuple[PublishedMart, ...]:
    """Write the marts of the warehouse into a new folder."""
    (folder / "marts").mkdir(parents=True)
    # Sorting can need more than the memory. The default is a folder where the process started.
    with database.connect(
        folders=(data.root,), spill_folder=data.run_folder / "temporary"
    ) as connection:
        connection.execute(f"attach {sql_literal(data.warehouse)} as warehouse (read_only)")
        connection.execute(
            f"attach {sql_literal(folder / 'apportion.duckdb')} as published"
            f" (storage_version '{STORAGE_VERSION}')"
        )
        # One transaction: each of about a thousand comments would wait for the disk otherwise.
        connection.begin()
        connection.execute("create schema published.marts")
        names = [
            name
            for (name,) in connection.execute(
                """
                select table_name from duckdb_tables()
                where database_name = 'warehouse' and schema_name = 'marts'
                order by table_name
                """
            ).fetchall()
        ]
        keys = _keys(manifest)
        marts = []
        for name in names:
            published_table = sql_identifier("published", "marts", name)
            connection.execute(
                f"create table {published_table} as"
                f" select * from {sql_identifier('warehouse', 'marts', name)}"
                f" order by {_order(connection, name, keys.get(name))}"
            )
            connection.execute(
                f"copy {published_table} to {sql_literal(folder / 'marts' / f'{name}.parquet')}"
                " (format parquet, compression zstd)"
            )
            row = connection.execute(f"select count(*) from {published_table}").fetchone()
            marts.append(PublishedMart(name, row[0] if row else 0))
            on_mart(marts[-1])
        _describe(connection, manifest, set(names))
        connection.commit()
        connection.execute("checkpoint published")
        connection.execute("detach published")
    return tuple(marts)


def _keys(manifest: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The key columns of each mart by its name, as the data tests of the key name them.

    Only a test that blocks publishing, and that tests all rows, proves a key.
    """
    keys: dict[str, tuple[str, ...]] = {}
    filled: set[tuple[str, str]] = set()
    unique: dict[str, str] = {}
    for node in manifest["nodes"].values():
        test = node.get("test_metadata")
        if not test or node["config"].get("where"):
            continue
        if node["config"].get("severity", "error").lower() != "error":
            continue
        mart = manifest["nodes"].get(node.get("attached_node"), {}).get("name")
        match test["name"]:
            case "unique_combination":
                keys.setdefault(mart, tuple(test["kwargs"]["columns"]))
            case "unique":
                unique.setdefault(mart, test["kwargs"]["column_name"])
            case "not_null":
                filled.add((mart, test["kwargs"]["column_name"]))
    # dbt's test `unique` passes over nulls.
    return {mart: (column,) for mart, column in unique.items() if (mart, column) in filled} | keys


def _order(connection: duckdb.DuckDBPyConnection, name: str, key: tuple[str, ...] | None) -> str:
    """The order of a mart's rows, which must not depend on threads: total by the key.

    Sorting by all columns would give a total order too, at several times the cost for wide tables.
    """
    if key is None:
        return "all"
    columns = {
        column
        for (column,) in connection.execute(
            "select column_name from duckdb_columns()"
            " where database_name = 'warehouse' and schema_name = 'marts' and table_name = ?",
            [name],
        ).fetchall()
    }
    first = [column for column in FIRST_IN_ORDER if column in columns]
    return ", ".join(map(sql_identifier, dict.fromkeys([*first, *key])))


def _switch(data: DataFolder, version: Path) -> None:
    """Make `version` the published one. If the links exist, this is a single rename."""
    current = data.published / "current"
    before = current.resolve() if current.is_symlink() else None
    if current.exists() and before is None:
        # A copy of a data folder may contain folders and files instead of links.
        shutil.rmtree(current)
    _link(current, Path("versions") / version.name)
    for path, target in (
        (data.published_database, Path("current") / "apportion.duckdb"),
        (data.published / "marts", Path("current") / "marts"),
    ):
        if not path.is_symlink():
            # Apportion 0.1.0 published plain files; such a copy has them too.
            if path.is_dir():
                shutil.rmtree(path)
            _link(path, target)
    if before is not None and before.is_dir() and before != version.resolve():
        (before / SUPERSEDED).touch()


def _link(path: Path, target: Path) -> None:
    """Create or replace a link in one step."""
    with replaced_at_once(path, is_flushed=False) as building:
        building.symlink_to(target)


def _remove_superseded(versions: Path, current: Path) -> None:
    customers = (versions.parent / "organizations").resolve()
    for version in versions.iterdir():
        replaced = version / SUPERSEDED
        if version == current or not version.name[:6].isdigit():
            continue
        if customers.is_relative_to(version.resolve()):
            continue
        # A version without the mark was never published, or the run that replaced it was
        # interrupted.
        if not replaced.exists():
            replaced.touch()
        elif time.time() - replaced.stat().st_mtime >= KEPT_SECONDS:
            shutil.rmtree(version)


def _describe(
    connection: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any], names: set[str]
) -> None:
    for node in manifest["nodes"].values():
        if node["resource_type"] != "model" or node["name"] not in names:
            continue
        table = sql_identifier("published", "marts", node["name"])
        connection.execute(
            f"comment on table {table} is {sql_literal(node['description'].strip())}"
        )
        for column in node["columns"].values():
            connection.execute(
                f"comment on column {table}.{sql_identifier(column['name'])}"
                f" is {sql_literal(column['description'].strip())}"
            )
