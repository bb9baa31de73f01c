"""Builds of test companies: by dbt, or from the statements that dbt compiled.

The statements are kept by a build of an empty company, once for each state of the project; see
dagster_project/compiled_build.py. Its warehouse is kept too: a company that begins with it builds
only what its files change, as every run after the first does. Tests build in one transaction, so
that a build that fails leaves no trace, and dbt builds the company: failures are dbt's own.
"""

import gc
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import duckdb
import filelock

from dagster_project import compiled_build, dbt_runner
from dagster_project.feeds.declarations import read_declarations
from dagster_project.landing.sync import LandingReport, sync
from dagster_project.ledger.postings import load_postings
from dagster_project.settings import DataFolder

EMPTY_COMPANY = "empty_company.duckdb"

MODELS_ONLY = ("--exclude-resource-type", "test")
"""Arguments of a build without data tests."""


def begin(data: DataFolder) -> None:
    """Begin a new company with the warehouse of an empty one."""
    if not data.warehouse.exists():
        data.root.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(compiled_once().seeds.with_name(EMPTY_COMPANY), data.warehouse)


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
    if tuple(arguments) in ((), MODELS_ONLY) and build_as_compiled(data, arguments != MODELS_ONLY):
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


def build_as_compiled(data: DataFolder, with_tests: bool = True, threads: int = 1) -> bool:
    """Build everything as dbt compiled it; false, and no model changed, if anything fails."""
    compiled = compiled_once()
    return _build(compiled if with_tests else compiled.without_tests(), data, threads)


def _build(compiled: compiled_build.CompiledBuild, data: DataFolder, threads: int = 1) -> bool:
    with duckdb.connect(str(data.warehouse), config={"threads": threads}) as connection:
        connection.begin()
        try:
            for _ in compiled.execute(connection):
                pass
        except compiled_build.DbtNeeded:
            connection.rollback()
            return False
        connection.commit()
    return True


@cache
def compiled_once() -> compiled_build.CompiledBuild:
    """The build of the current project as dbt compiled it, which dbt does after any change."""
    dbt_runner.prepared_manifest()
    compiled_build.KEPT_FOLDER.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(compiled_build.KEPT_FOLDER / "tests.lock"):
        if (kept := compiled_build.kept()) is None:
            with tempfile.TemporaryDirectory() as folder:
                empty = DataFolder(Path(folder))
                ingest(empty)
                outcome = build_with_dbt(empty, writes_results=True)
                assert outcome.is_success, "\n".join(outcome.failures)
                compiled_build.keep(empty, empty.run_folder / "dbt" / "run_results.json")
            kept = compiled_build.kept()
            assert kept is not None
        if not (path := kept.seeds.with_name(EMPTY_COMPANY)).exists():
            with tempfile.TemporaryDirectory() as folder:
                empty = DataFolder(Path(folder))
                ingest(empty)
                assert _build(kept, empty)
                shutil.copyfile(empty.warehouse, path)
    return kept
