"""The process that builds the models on Apache Spark; `engine` starts it and reads its messages.

    python -m dagster_project.spark.worker WAREHOUSE FOLDER

It reads raw tables and seeds from the warehouse, runs dbt, and writes each table that the run
publishes or reads as Parquet. Messages are lines of JSON on the standard output.

Belongs here: Spark's tables and dbt's invocations on Spark. Does not: the warehouse, which this
process only reads.
"""

import json
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from dagster_project import database
from dagster_project.quoting import sql_identifier, sql_literal
from dagster_project.settings import DBT_FOLDER
from dagster_project.spark import session as spark_session

GIVEN = ("raw", "rules")
COMPUTED = ("staging", "intermediate", "marts")
FAILED = ("error", "fail", "runtime error", "skipped")

RESULTS = frozenset({"LogModelResult", "LogTestResult"})
"""The events with the result of a node."""


class Tables:
    """The tables of a company on Spark: given by its warehouse, or computed by dbt."""

    def __init__(self, session: Any, warehouse: duckdb.DuckDBPyConnection, folder: Path) -> None:
        """Nothing is given yet. `folder` must be readable by every process of the session."""
        self._session = session
        self._warehouse = warehouse
        self._folder = folder

    def create_schemas(self) -> None:
        """Create the schemas of all layers."""
        for schema in (*GIVEN, *COMPUTED):
            self._session.sql(f"create schema if not exists {schema}")

    def give_raw_tables_and_seeds(self) -> None:
        """Give Spark the raw tables and the seeds, by the names that dbt has for them."""
        for schema, table in self._warehouse.execute(
            "select schema_name, table_name from duckdb_tables()"
            " where schema_name in (select unnest(?)) order by all",
            [GIVEN],
        ).fetchall():
            self.give(schema, table)

    def give(self, schema: str, table: str) -> None:
        """Give Spark a table of the warehouse."""
        path = self._folder / "given" / f"{schema}.{table}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = sql_identifier(schema, table)
        self._warehouse.execute(f"copy {rows} to {sql_literal(path)} (format parquet)")
        self._session.catalog.createTable(f"{schema}.{table}", path=str(path), source="parquet")

    def write(self, relation: str) -> Path:
        """Write a table or view, named `schema.table`, as a folder of Parquet files."""
        path = self._folder / "computed" / f"{relation}.parquet"
        self._session.table(relation).write.mode("overwrite").parquet(str(path))
        return path


class Dbt:
    """dbt with the target `spark`, in this process."""

    def __init__(self, folder: Path, on_event: Callable[[Mapping[str, Any]], None]) -> None:
        """`folder` is for dbt's files; `on_event` receives each result of a node."""
        self._options = [
            *("--target", "spark", "--log-level", "none", "--log-level-file", "info"),
            *("--project-dir", str(DBT_FOLDER), "--profiles-dir", str(DBT_FOLDER)),
            *("--target-path", str(folder / "target"), "--log-path", str(folder / "logs")),
        ]
        self._on_event = on_event

    def invoke(self, *arguments: str) -> list[str]:
        """Run one command; returns a message for each node that failed."""
        from dbt.cli.main import dbtRunner

        result = dbtRunner(callbacks=[self._report]).invoke([*arguments, *self._options])
        if result.exception:
            return [str(result.exception)]
        if not result.result:
            return ["dbt had nothing to do"]
        return [
            f"{each.node.name}: {' '.join(str(each.message).split()[:60])}"
            for each in result.result
            if each.status in FAILED
        ]

    def _report(self, message: Any) -> None:
        from google.protobuf.json_format import MessageToDict

        if message.info.name in RESULTS:
            self._on_event(MessageToDict(message, preserving_proto_field_name=True))


def build(
    warehouse: Path,
    folder: Path,
    wanted: Collection[str],
    send: Callable[[Mapping[str, Any]], None],
) -> Sequence[str]:
    """Build and test all models; returns a message for each node that failed.

    The wanted tables, named `schema.table`, are written as Parquet and sent by name and path.
    """
    session = spark_session.start(folder)
    try:
        dbt = Dbt(folder, on_event=lambda event: send({"event": event}))
        with database.connect(warehouse, folders=(folder,), is_read_only=True) as connection:
            tables = Tables(session, connection, folder)
            tables.create_schemas()
            tables.give_raw_tables_and_seeds()
        failures = dbt.invoke("run") or dbt.invoke("test", "--exclude-resource-type", "unit_test")
        # dbt-spark may have changed the session.
        spark_session.check_session(session)
        if not failures:
            for relation in sorted(wanted):
                send({"table": relation, "path": str(tables.write(relation))})
        return failures
    finally:
        session.stop()


def main(warehouse: Path, folder: Path) -> None:
    """Build what the first line of the standard input asks for."""
    # What libraries print is for the log, which is the standard error.
    messages = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def send(message: Mapping[str, Any]) -> None:
        print(json.dumps(message), file=messages, flush=True)

    wanted = json.loads(sys.stdin.readline())
    try:
        failures = build(warehouse, folder, wanted, send)
    except spark_session.WrongSparkSetting as error:
        failures = [str(error)]
    send({"failures": failures})


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
