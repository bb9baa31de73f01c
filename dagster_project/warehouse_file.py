"""The warehouse file: disposable, so a damaged one is set aside and built again.

Belongs here: recognizing damage and moving the file away. Does not: what is in the warehouse.
"""

from collections.abc import Callable

import duckdb

from dagster_project import database
from dagster_project.errors import WarehouseBusy
from dagster_project.quoting import sql_identifier
from dagster_project.settings import DataFolder

Progress = Callable[[str], None]

DAMAGED = ".damaged"


def make_usable(data: DataFolder, progress: Progress = lambda message: None) -> None:
    """Set a warehouse aside that DuckDB cannot open, so that the run builds a new one.

    The caller holds the writer's lock. Raises WarehouseBusy where another program has it open.
    """
    if data.warehouse.is_dir():
        _set_aside(data, progress, "it is a folder")
        return
    if not data.warehouse.exists():
        _remove_write_ahead_log(data)
        return
    try:
        with database.connect(data.warehouse) as connection:
            connection.execute("select count(*) from duckdb_tables()").fetchall()
    except duckdb.Error as error:
        if _is_held_elsewhere(error):
            raise WarehouseBusy(
                f"{data.warehouse} is open in another program; close it and try again"
                f" ({_first_line(error)})"
            ) from error
        _set_aside(data, progress, _first_line(error))


def remove(data: DataFolder) -> None:
    """Remove the warehouse, so that the run builds it from landing and ledger.

    The caller holds the writer's lock.
    """
    data.warehouse.unlink(missing_ok=True)
    _remove_write_ahead_log(data)


def set_aside_if_damaged(data: DataFolder, progress: Progress = lambda message: None) -> bool:
    """Read every table after a run failed; set the warehouse aside if one cannot be read.

    Returns whether it was damaged. DuckDB checks a block only when it is read.
    """
    if not data.warehouse.exists():
        return False
    try:
        with database.connect(data.warehouse, is_read_only=True) as connection:
            tables = connection.execute(
                "select schema_name, table_name, list(column_name) from duckdb_columns()"
                " where not internal and (schema_name, table_name) in"
                " (select (schema_name, table_name) from duckdb_tables()) group by all"
            ).fetchall()
            for schema, table, columns in tables:
                counts = ", ".join(f"count({sql_identifier(column)})" for column in columns)
                hashes = ", ".join(f"bit_xor(hash({sql_identifier(name)}))" for name in columns)
                connection.execute(
                    f"select {counts}, {hashes} from {sql_identifier(schema, table)}"
                ).fetchall()
    except duckdb.OutOfMemoryException:
        return False
    except duckdb.Error as error:
        if _is_held_elsewhere(error):
            return False
        _set_aside(data, progress, _first_line(error))
        return True
    return False


def _is_held_elsewhere(error: duckdb.Error) -> bool:
    """Whether another program holds the file, which says nothing about its content."""
    return "could not set lock" in str(error).lower()


def _set_aside(data: DataFolder, progress: Progress, reason: str) -> None:
    aside = data.warehouse.with_name(data.warehouse.name + DAMAGED)
    if aside.is_dir():
        # A folder can only be here if one was at the path of the warehouse.
        aside = aside.with_name(aside.name + ".folder")
    data.warehouse.replace(aside)
    _remove_write_ahead_log(data)
    progress(
        f"{data.warehouse} is damaged ({reason}). It is kept as {aside.name} and built again from"
        " landing and ledger; nothing is lost"
    )


def _remove_write_ahead_log(data: DataFolder) -> None:
    """Remove the write-ahead log, which would otherwise be replayed into another warehouse file."""
    data.warehouse.with_name(data.warehouse.name + ".wal").unlink(missing_ok=True)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
