"""The models of a run built by Apache Spark, and what the run needs of them.

Landing and publishing stay with DuckDB in the run's process. `worker`, in a process with
Spark's packages, gets raw tables and seeds and returns the marts and the relations that Python
reads. They replace those of the warehouse, so that publishing, closing and exports are the same for
both engines.

Belongs here: the process, and its tables in the warehouse. Does not: anything that needs Spark's
packages.
"""

import hashlib
import json
import os
import shutil
import subprocess  # nosec B404
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dagster_project import database, dbt_runner, relations
from dagster_project.dbt_runner import DbtEvent, DbtOutcome
from dagster_project.errors import BadSetting
from dagster_project.quoting import sql_identifier, sql_literal
from dagster_project.settings import PROJECT_ROOT, DataFolder

LOG = "spark.log"
MOST_OF_THE_LOG = 400
"""Characters of the end of the log that a message shows."""


def returned(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The nodes whose tables come back to the warehouse, by `schema.table`."""
    named = {
        f"{node['schema']}.{node['name']}": node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }
    return {
        name: node
        for name, node in named.items()
        if node["schema"] == "marts" or name in relations.RELATIONS
    }


def python_with_spark() -> str:
    """The Python with Spark's packages; raises BadSetting."""
    named = os.environ.get("APPORTION_SPARK_PYTHON", "").strip()
    python = Path(named) if named else PROJECT_ROOT / ".venv-spark" / "bin" / "python"
    if not python.exists():
        raise BadSetting(
            f"APPORTION_ENGINE is spark, but there is no {python}; install Spark's packages with"
            " `make spark`, or set APPORTION_SPARK_PYTHON"
        )
    if not os.environ.get("SPARK_REMOTE") and not (
        shutil.which("java") or os.environ.get("JAVA_HOME")
    ):
        raise BadSetting(
            "APPORTION_ENGINE is spark, but Java 17 is missing; on Debian:"
            " apt-get install openjdk-17-jre-headless"
        )
    return str(python)


def build(data: DataFolder, on_event: Callable[[DbtEvent], None]) -> DbtOutcome:
    """Build and test all models on Apache Spark; every result goes to `on_event`.

    The warehouse changes only if nothing failed. Raises BadSetting if Spark cannot be started.
    """
    python = python_with_spark()
    folder = shared_folder(data)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        seeded = dbt_runner.invoke(["seed"], data, data.run_folder / "dbt", on_event)
        if not seeded.is_success:
            return seeded
        manifest = dbt_runner.read_manifest()
        with (data.run_folder / LOG).open("w", encoding="utf-8") as log:
            process = subprocess.Popen(  # nosec B603
                [python, "-m", "dagster_project.spark.worker", data.warehouse, folder],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
            )
        with process:
            try:
                return Building(data, folder, manifest, on_event).follow(process)
            finally:
                process.kill()
    finally:
        # The copies hold the same people as the raw tables.
        shutil.rmtree(folder, ignore_errors=True)


class Building:
    """One build: reads the worker's messages."""

    def __init__(
        self,
        data: DataFolder,
        folder: Path,
        manifest: Mapping[str, Any],
        on_event: Callable[[DbtEvent], None],
    ) -> None:
        """Nothing is built yet; `folder` is shared with the worker."""
        self._data, self._folder = data, folder
        self._nodes, self._on_event = returned(manifest), on_event
        self._written: dict[str, Path] = {}

    def follow(self, process: "subprocess.Popen[str]") -> DbtOutcome:
        """Read messages until the last one, and load the tables."""
        assert process.stdin is not None
        assert process.stdout is not None
        print(json.dumps(sorted(self._nodes)), file=process.stdin, flush=True)
        for line in process.stdout:
            message = json.loads(line)
            if "event" in message:
                self._on_event(message["event"])
            elif "table" in message:
                self._written[message["table"]] = Path(message["path"])
            elif message["failures"]:
                return DbtOutcome(False, tuple(message["failures"]))
            else:
                self.load(self._written)
                return DbtOutcome(True, ())
        log = (self._data.run_folder / LOG).read_text(encoding="utf-8", errors="replace").strip()
        return DbtOutcome(
            False,
            (
                f"Apache Spark's process ended before the models were built; its log is"
                f" {self._data.run_folder / LOG} and ends with: {log[-MOST_OF_THE_LOG:]}",
            ),
        )

    def load(self, written: Mapping[str, Path]) -> None:
        """Replace tables of the warehouse by what Spark has written, all of them or none."""
        with database.connect(self._data.warehouse, folders=(self._folder,)) as connection:
            views = {
                f"{schema}.{name}"
                for schema, name in connection.execute(
                    "select schema_name, view_name from duckdb_views()"
                ).fetchall()
            }
            connection.begin()
            for relation, path in written.items():
                name = sql_identifier(*relation.split("."))
                rows = f"from read_parquet({sql_literal(path / '*.parquet')})"
                connection.execute(f"create schema if not exists {relation.split('.')[0]}")
                if relation in views:
                    connection.execute(f"drop view {name}")
                columns = _columns(self._nodes[relation])
                connection.execute(f"create or replace table {name} ({columns})")
                connection.execute(f"insert into {name} by name {rows}")
            connection.commit()


def _columns(node: Mapping[str, Any]) -> str:
    """The column definitions of a model with a contract; its types are DuckDB's."""
    return ", ".join(
        f"{sql_identifier(each['name'])} {each['data_type']}" for each in node["columns"].values()
    )


def shared_folder(data: DataFolder) -> Path:
    """The folder that the run and every process of Spark can read and write.

    Its name is of the data folder: two companies may share APPORTION_SPARK_FOLDER.
    """
    named = os.environ.get("APPORTION_SPARK_FOLDER", "").strip()
    company = hashlib.sha256(str(data.root.resolve()).encode()).hexdigest()[:12]
    return Path(named).resolve() / f"apportion-{company}" if named else data.run_folder / "spark"
