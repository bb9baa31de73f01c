"""Builds of test companies: by dbt, or from statements that dbt compiled once.

dbt takes ten seconds to build a company of ten lines, most of them to render some 350 templates.
DuckDB takes two seconds for the statements, and the statements do not depend on the data. So dbt
builds an empty company whenever the project changes. Its statements, in their order, and its
seeds are the recording, which every other company repeats.

A recorded build can only succeed. If a statement or a data test fails, it leaves no trace, and dbt
builds the company, so that failures are dbt's own.
"""

import gc
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import filelock

from dagster_project import dbt_runner
from dagster_project.feeds.declarations import read_declarations
from dagster_project.landing.sync import LandingReport, sync
from dagster_project.ledger.postings import load_postings
from dagster_project.settings import DataFolder

MODELS_ONLY = ("--exclude-resource-type", "test")
"""Arguments of a build without data tests."""

RECORDING = dbt_runner.PARSED_FOLDER / "recorded_build"


class NotRecordable(Exception):
    """The project configures a node in a way that recorded builds do not support."""


def ingest(data: DataFolder) -> LandingReport:
    """Landing and ledger to raw tables."""
    data.landing.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(data.warehouse)) as connection:
        load_postings(data.ledger, connection)
        return sync(data.landing, connection, declarations=read_declarations(data.declarations))


def build(data: DataFolder, arguments: Sequence[str] = ()) -> tuple[str, ...]:
    """Raw tables to marts; the messages of models and data tests that failed.

    `arguments` are dbt's. A selection of models is always built by dbt.
    """
    prepare()
    if tuple(arguments) in ((), MODELS_ONLY) and build_as_recorded(data, arguments != MODELS_ONLY):
        return ()
    return build_with_dbt(data, arguments).failures


@cache
def prepare() -> None:
    """Parse the dbt project once; otherwise every build would, in a third of its time."""
    dbt_runner.prepared_manifest()
    # Loaded modules stay: a build takes a tenth less if they are not searched for garbage.
    gc.freeze()


def build_with_dbt(
    data: DataFolder, arguments: Sequence[str] = (), *, writes_results: bool = False
) -> dbt_runner.DbtOutcome:
    """Build models and run data tests with dbt itself."""
    writing = () if writes_results else ("--no-write-json",)
    return dbt_runner.invoke(
        ["build", *writing, "--exclude-resource-type", "unit_test", *arguments],
        data,
        data.run_folder / "dbt",
    )


def build_as_recorded(data: DataFolder, with_tests: bool = True, threads: int = 1) -> bool:
    """Build everything from the recording; false, and no model changed, if anything fails."""
    recording = recorded()
    with duckdb.connect(str(data.warehouse), config={"threads": threads}) as connection:
        connection.execute(f"attach '{recording.warehouse}' as recorded (read_only)")
        for step in recording.seeds:
            repeat(step, connection)
        connection.execute("detach recorded")
        connection.begin()
        try:
            succeeded = all(
                repeat(step, connection)
                for step in recording.steps
                if with_tests or step.kind != "test"
            )
        except duckdb.Error:
            succeeded = False
        if succeeded:
            connection.commit()
        else:
            connection.rollback()
    return succeeded


# --- repeating ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """The work of dbt for one node.

    `kind` is schema, seed, view, table, contract, python or test. `relation` is the quoted name of
    the result, `code` the compiled code, or the columns and the code of a table with a contract.
    """

    kind: str
    relation: str
    code: str
    columns: str = ""


@dataclass(frozen=True)
class Recording:
    """The steps of a build, the seeds before all else, and the warehouse to copy seeds from."""

    seeds: tuple[Step, ...]
    steps: tuple[Step, ...]
    warehouse: Path


def repeat(step: Step, connection: duckdb.DuckDBPyConnection) -> bool:
    """Repeat a step; false if it is a data test that fails."""
    match step.kind:
        case "schema":
            connection.execute(f"create schema if not exists {step.relation}")
        case "seed":
            seed = step.relation.replace('"warehouse"', "recorded", 1)
            connection.execute(f"create or replace table {step.relation} as from {seed}")
        case "view":
            connection.execute(f"create or replace view {step.relation} as ({step.code})")
        case "table":
            connection.execute(f"create or replace table {step.relation} as ({step.code})")
        case "contract":
            connection.execute(f"create or replace table {step.relation} {step.columns}")
            connection.execute(f"insert into {step.relation} by name ({step.code})")
        case "python":
            connection.register("model_result", result_of_python_model(step.code, connection))
            connection.execute(f"create or replace table {step.relation} as from model_result")
            connection.unregister("model_result")
        case "test":
            ((failing,),) = connection.execute(f"select count(*) from ({step.code})").fetchall()
            return failing == 0
        case _:
            raise NotRecordable(step.kind)
    return True


def result_of_python_model(code: str, connection: duckdb.DuckDBPyConnection) -> Any:
    """The data frame of a Python model, called as dbt-duckdb calls it."""
    module: dict[str, Any] = {"__name__": "python_model"}
    exec(code, module)
    dbt = module["dbtObj"](lambda relation: connection.query(f"select * from {relation}"))
    return module["model"](dbt, connection)


# --- recording ----------------------------------------------------------------------------------


@cache
def recorded() -> Recording:
    """The recording of the current project, made again after any change."""
    dbt_runner.prepared_manifest()
    made_of = [dbt_runner.FINGERPRINT.read_text(), duckdb.__version__, Path(__file__).read_text()]
    fingerprint = sha256("\0".join(made_of).encode()).hexdigest()
    with filelock.FileLock(RECORDING.with_suffix(".lock")):
        known = RECORDING / fingerprint
        if not known.exists():
            shutil.rmtree(RECORDING, ignore_errors=True)
            made = record(RECORDING / "in progress")
            (RECORDING / "in progress" / "steps.json").write_text(
                json.dumps([asdict(step) for step in made])
            )
            (RECORDING / "in progress").rename(known)
    steps = [Step(**step) for step in json.loads((known / "steps.json").read_text())]
    seeds = [step for step in steps if step.kind in ("schema", "seed")]
    others = [step for step in steps if step not in seeds]
    return Recording(tuple(seeds), tuple(others), known / "warehouse.duckdb")


def record(folder: Path) -> list[Step]:
    """Build an empty company with dbt in this folder; the steps that dbt took."""
    data = DataFolder(folder)
    ingest(data)
    outcome = build_with_dbt(data, writes_results=True)
    assert outcome.is_success, "\n".join(outcome.failures)
    results = json.loads((data.run_folder / "dbt" / "run_results.json").read_text())["results"]
    nodes = dbt_runner.read_manifest()["nodes"]
    with duckdb.connect(str(data.warehouse), read_only=True) as connection:
        # "CREATE TABLE marts.findings(kind VARCHAR, ...);"
        columns = {
            f'"{database}"."{schema}"."{table}"': sql[sql.index("(") :].rstrip(";")
            for database, schema, table, sql in connection.execute(
                "select database_name, schema_name, table_name, sql from duckdb_tables()"
            ).fetchall()
        }
    built = [(nodes[each["unique_id"]], each) for each in results if each["unique_id"] in nodes]
    schemas = {node["schema"] for node, _ in built if node["resource_type"] in ("seed", "model")}
    return [
        *(Step("schema", schema, "") for schema in sorted(schemas)),
        *(step for node, result in built for step in steps_of(node, result, columns)),
    ]


def steps_of(
    node: Mapping[str, Any], result: Mapping[str, Any], columns: Mapping[str, str]
) -> Iterator[Step]:
    """The step of a node that dbt built, if it has one; `NotRecordable` if there is more to it."""
    config = node["config"]
    relation, code = result["relation_name"] or node["relation_name"], result["compiled_code"] or ""
    plain: tuple[bool, ...]
    match node["resource_type"]:
        case "seed":
            plain = (not config["pre-hook"], not config["post-hook"])
            kind = "seed"
        case "model":
            plain = (
                not config["pre-hook"],
                not config["post-hook"],
                not config["grants"],
                not config["persist_docs"],
                config["materialized"] in ("table", "view"),
            )
            kind = config["materialized"]
            if node["language"] == "python":
                kind = "python"
            elif config["contract"]["enforced"] and kind == "table":
                # A view has its contract compared by dbt and is created like any other.
                kind = "contract"
        case "test":
            plain = (
                config["fail_calc"] == "count(*)",
                config["error_if"] == "!= 0",
                config["limit"] is None,
                not config["store_failures"],
            )
            kind = "test"
            if config["severity"].lower() == "warn":
                return
        case other:
            plain, kind = (False,), other
    if not all(plain):
        raise NotRecordable(f"{node['unique_id']}: {node['config']}")
    yield Step(kind, relation, code, columns[relation] if kind == "contract" else "")
