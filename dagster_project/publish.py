"""The marts for BI: built beside what is published, then switched in one step.

A reader that has the published file open keeps reading the old one; whoever opens it next gets
the new one. A run that fails before the switch leaves what was published as it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from dagster_project.quoting import sql_identifier, sql_literal
from dagster_project.settings import DataFolder

STORAGE_VERSION = "v1.0.0"
"""DuckDB clients since 1.0 of June 2024 read files of this version."""


@dataclass(frozen=True)
class PublishedMart:
    """One published table and how many rows it has."""

    name: str
    row_count: int


def publish(data: DataFolder, manifest: Mapping[str, Any]) -> tuple[PublishedMart, ...]:
    """Copy the warehouse's marts to `published/`: one DuckDB file and a Parquet file per mart.

    `manifest` is dbt's; its descriptions become comments on tables and columns.
    """
    parquet_folder = data.published / "marts"
    parquet_folder.mkdir(parents=True, exist_ok=True)
    building = data.published_database.with_suffix(".duckdb.building")
    for leftover in data.published.rglob("*.building*"):
        leftover.unlink()
    with duckdb.connect() as connection:
        connection.execute(f"attach {sql_literal(data.warehouse)} as warehouse (read_only)")
        connection.execute(
            f"attach {sql_literal(building)} as published (storage_version '{STORAGE_VERSION}')"
        )
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
        marts = []
        for name in names:
            published_table = sql_identifier("published", "marts", name)
            # In one order on every machine, whatever the threads did.
            connection.execute(
                f"create table {published_table} as"
                f" select * from {sql_identifier('warehouse', 'marts', name)} order by all"
            )
            connection.execute(
                f"copy {published_table} to"
                f" {sql_literal(parquet_folder / f'{name}.parquet.building')}"
                " (format parquet, compression zstd)"
            )
            row = connection.execute(f"select count(*) from {published_table}").fetchone()
            marts.append(PublishedMart(name, row[0] if row else 0))
        _describe(connection, manifest, set(names))
        connection.execute("checkpoint published")
        connection.execute("detach published")

    building.replace(data.published_database)
    for name in names:
        target = parquet_folder / f"{name}.parquet"
        target.with_suffix(".parquet.building").replace(target)
    for path in parquet_folder.glob("*.parquet"):
        if path.stem not in names:
            path.unlink()
    return tuple(marts)


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
