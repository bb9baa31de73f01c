"""The marts for BI: a folder per version, switched in one step.

    published/versions/000012-3f9a51c0/   apportion.duckdb, marts/*.parquet, state.json
    published/current                     a link to the published version
    published/apportion.duckdb, marts     links through `current`
    published/organizations               a link to the customers' databases of the version that was
                                          exported last

A version begins with the tables of the one before; see published_tables.

A reader keeps the version that it has opened. A reader that resolves `published/marts` once reads
one version, even while the next one is published. A run that fails before the switch leaves the
published version unchanged. A replaced version is removed by the first publication that is at least
KEPT_SECONDS later, except the one with the customers' databases.
"""

import json
import shutil
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from dagster_project import database, published_tables
from dagster_project.files import replaced_at_once
from dagster_project.ledger.anchors import Head
from dagster_project.ledger.postings import read_postings
from dagster_project.published_tables import DATABASE, STATE, Before, Table, Written
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
    before = Before.read(data.published / "current")
    marts, written = _write_version(building, data, manifest, before, on_mart)
    head = [asdict(Head.of(posting)) for posting in read_postings(data.ledger)[-1:]]
    state = {"state_id": state_id, "ledger_head": head, **before.state(building, written)}
    (building / STATE).write_text(json.dumps(state) + "\n", encoding="utf-8")
    numbers = [int(path.name[:6]) for path in versions.iterdir() if path.name[:6].isdigit()]
    version = versions / f"{max(numbers, default=0) + 1:06d}-{state_id[:8]}"
    building.rename(version)
    _switch(data, version)
    _remove_superseded(versions, version)
    return marts


def published_state(data: DataFolder) -> str | None:
    """The id of the state that the published version was built from; None if nothing is."""
    try:
        state = json.loads((data.published / "current" / STATE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return str(state["state_id"])


def _write_version(
    folder: Path,
    data: DataFolder,
    manifest: Mapping[str, Any],
    before: Before,
    on_mart: Callable[[PublishedMart], None],
) -> tuple[tuple[PublishedMart, ...], dict[str, Written]]:
    """Write the marts of the warehouse into a new folder, beginning with the version before."""
    (folder / "marts").mkdir(parents=True)
    if before.folder is not None:
        shutil.copyfile(before.folder / DATABASE, folder / DATABASE)
    # Sorting can need more than the memory. The default is a folder where the process started.
    with database.connect(
        folders=(data.root,), spill_folder=data.run_folder / "temporary"
    ) as connection:
        connection.execute(f"attach {sql_literal(data.warehouse)} as warehouse (read_only)")
        connection.execute(
            f"attach {sql_literal(folder / DATABASE)} as published"
            f" (storage_version '{STORAGE_VERSION}')"
        )
        # One transaction: each of about a thousand comments would wait for the disk otherwise.
        connection.begin()
        connection.execute("create schema if not exists published.marts")
        tables = _tables(connection, manifest)
        for name in before.tables.keys() - {each.name for each in tables}:
            connection.execute(f"drop table {sql_identifier('published', 'marts', name)}")
        marts, new = [], set()
        for table in tables:
            if table.write(connection, folder, before):
                new.add(table.name)
            row = connection.execute(f"select count(*) from {table.published}").fetchone()
            marts.append(PublishedMart(table.name, row[0] if row else 0))
            on_mart(marts[-1])
        _describe(connection, manifest, new)
        connection.commit()
        connection.execute("checkpoint published")
        connection.execute("detach published")
    return tuple(marts), {each.name: each.wanted for each in tables}


def _tables(
    connection: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any]
) -> tuple[Table, ...]:
    """The marts of the attached `warehouse` in order of name."""
    columns: dict[str, dict[str, str]] = {}
    for name, column, kind in connection.execute(
        """
        select table_name, column_name, data_type from duckdb_columns()
        where database_name = 'warehouse' and schema_name = 'marts'
        order by table_name, column_index
        """
    ).fetchall():
        columns.setdefault(name, {})[column] = kind
    models = {
        node["name"]: node for node in manifest["nodes"].values() if node["schema"] == "marts"
    }
    keys, records = _keys(manifest), published_tables.versions(connection)
    source = Path(__file__).read_text(encoding="utf-8")
    tables = []
    for name, types in columns.items():
        model, record = models.get(name, {}), records.get(name)
        order = _order(types, keys.get(name))
        partition_column = model.get("config", {}).get("meta", {}).get("partition_column")
        descriptions = [model.get("description"), model.get("columns")]
        wanted = Written(published_tables.layout(types, order, descriptions, source))
        if record is not None:
            of_partitions = {value: version for value, (_, version) in record.partitions.items()}
            wanted = replace(wanted, version=record.version, partitions=of_partitions)
        tables.append(
            Table(name, order, partition_column if partition_column in order[:1] else None, wanted)
        )
    return tuple(tables)


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


def _order(columns: Collection[str], key: tuple[str, ...] | None) -> tuple[str, ...]:
    """The order of a mart's rows, which must not depend on threads: total by the key.

    Sorting by all columns would give a total order too, at several times the cost for wide tables;
    nothing stands for it.
    """
    if key is None:
        return ()
    first = [column for column in FIRST_IN_ORDER if column in columns]
    return tuple(dict.fromkeys([*first, *key]))


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
