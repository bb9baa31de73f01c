"""DuckDB connections that cannot leave their data, whatever text or statement reaches them.

Belongs here: opening a connection and locking it. Does not: statements. No other module opens a
connection; a test holds this.

A locked connection reads and writes its own database and files in `folders`, and nothing else: no
other path, no address, no extension that is not part of DuckDB. Memory and disk space for
intermediate results are limited. No later statement can change any of this.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import duckdb

from dagster_project.quoting import sql_literal

MEMORY_BYTES = 4 * 1024**3
MEMORY_SHARE = 0.8
"""Of the machine's memory, where that is less; DuckDB's own default."""
LOADING_MEMORY_BYTES = 600_000_000
"""Rows of a file in one transaction, which DuckDB would otherwise keep in memory."""
SPILL_BYTES = 32 * 1024**3
"""Disk space for intermediate results that do not fit into memory."""

WITHOUT_EXTENSIONS = {
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
"""Settings with which a database is opened. Two connections to one file need the same ones."""


def connect(
    path: Path | None = None,
    *,
    folders: Iterable[Path] = (),
    is_read_only: bool = False,
    memory_bytes: int = MEMORY_BYTES,
    spill_folder: Path | None = None,
) -> duckdb.DuckDBPyConnection:
    """A locked connection to the database at `path`, or to one in memory.

    `folders` are what its statements may read and write besides: to attach another database, to
    write a file. They need not exist yet. `spill_folder` is for what does not fit into memory;
    without it, that is a folder beside the database. A new database has the newest storage format.
    """
    if path is not None and not is_read_only and not path.exists():
        _create(path)
    connection = duckdb.connect(
        str(path) if path else ":memory:",
        read_only=is_read_only,
        config=dict[str, str | bool | int | float | list[str]](WITHOUT_EXTENSIONS),
    )
    if spill_folder is not None:
        connection.execute(f"set temp_directory = {sql_literal(spill_folder)}")
    lock(connection, folders, memory_bytes)
    return connection


def _create(path: Path) -> None:
    """Create a database in the newest storage format.

    DuckDB's default is a format that older clients read. Writing it takes a third longer, and
    nobody else reads a warehouse.
    """
    config = dict[str, str | bool | int | float | list[str]](WITHOUT_EXTENSIONS)
    duckdb.connect(str(path), config={**config, "storage_compatibility_version": "latest"}).close()


def connect_for_loading(path: Path) -> duckdb.DuckDBPyConnection:
    """A locked connection to the warehouse for reading landing into it."""
    return connect(path, memory_bytes=LOADING_MEMORY_BYTES)


def lock(
    connection: duckdb.DuckDBPyConnection,
    folders: Iterable[Path],
    memory_bytes: int = MEMORY_BYTES,
) -> None:
    """Limit a connection to its database and the folders, for good."""
    allowed = ", ".join(sql_literal(folder.absolute()) for folder in folders)
    for setting in (
        f"memory_limit = '{min(memory_bytes, _most_memory())}B'",
        f"max_temp_directory_size = '{SPILL_BYTES}B'",
        f"allowed_directories = [{allowed}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"set {setting}")


def _most_memory() -> int:
    try:
        physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return MEMORY_BYTES
    return int(physical * MEMORY_SHARE)
