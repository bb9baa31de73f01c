"""Builds of test companies: by dbt, or from the statements that dbt compiled.

The statements are kept by dbt's build of the sample company, once for each state of the project;
see dagster_project/compiled_build.py. The warehouse of an empty company is kept too: a company that
begins with it builds only what its files change, as every run after the first does. Tests build in
one transaction. If a statement fails, the build leaves no trace, and dbt builds the company.
"""

import gc
import shutil
import tempfile
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path

import duckdb
import filelock

from dagster_project import compiled_build, dbt_runner
from dagster_project.feeds.declarations import read_declarations
from dagster_project.landing.sync import LandingReport, sync
from dagster_project.ledger.postings import load_postings
from dagster_project.quoting import sql_literal
from dagster_project.settings import PROJECT_ROOT, DataFolder

SAMPLE = PROJECT_ROOT / "data" / "sample"

EMPTY_COMPANY = "empty_company.duckdb"
SAMPLE_OF_DBT = "sample_of_dbt"

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


def build(
    data: DataFolder, arguments: Sequence[str] = (), models: Collection[str] = ()
) -> tuple[str, ...]:
    """Raw tables to marts; the messages of models and data tests that failed.

    `models` are built alone, with what they are made of and the tests that read nothing else.
    `arguments` are dbt's. A selection of models in them is always built by dbt.
    """
    prepare()
    if models:
        failures = _build(_selected(compiled_once(), models), data)
        assert failures is not None, f"a statement fails; dbt build tells which: {data.root}"
        return failures
    failures = None
    if tuple(arguments) == MODELS_ONLY:
        failures = _build(compiled_once().without_tests(), data)
    elif not arguments:
        failures = _build(compiled_once(), data)
    return build_with_dbt(data, arguments).failures if failures is None else failures


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


def _selected(
    compiled: compiled_build.CompiledBuild, models: Collection[str]
) -> compiled_build.CompiledBuild:
    """The build of some models, by their names; dbt calls its selection of tests cautious."""
    built = {each.unique_id for each in compiled.models_for(models).statements}
    assert built.issuperset(f"model.apportion.{name}" for name in models), models
    return compiled.only(
        [
            each.unique_id
            for each in compiled.statements
            if each.unique_id in built or (each.kind == "test" and built.issuperset(each.inputs))
        ]
    )


def build_as_compiled(data: DataFolder, threads: int = 1) -> tuple[str, ...] | None:
    """Build everything as dbt compiled it; None, and no model changed, if a statement fails."""
    return _build(compiled_once(), data, threads)


def _build(
    compiled: compiled_build.CompiledBuild, data: DataFolder, threads: int = 1
) -> tuple[str, ...] | None:
    """The messages of data tests that fail; None, and no model changed, if a statement does."""
    with duckdb.connect(str(data.warehouse), config={"threads": threads}) as connection:
        connection.begin()
        try:
            failures = [each.failure for each in compiled.execute(connection) if each.failure]
        except compiled_build.DbtNeeded:
            connection.rollback()
            return None
        connection.commit()
    return tuple(failures)


@cache
def compiled_once() -> compiled_build.CompiledBuild:
    """The build of the current project as dbt compiled it, which dbt does after any change."""
    dbt_runner.prepared_manifest()
    compiled_build.KEPT_FOLDER.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(compiled_build.KEPT_FOLDER / "tests.lock"):
        if (kept := compiled_build.kept()) is None or not _of_dbt(kept).exists():
            kept = _build_sample_with_dbt()
        if not (path := kept.seeds.with_name(EMPTY_COMPANY)).exists():
            with tempfile.TemporaryDirectory() as folder:
                empty = DataFolder(Path(folder))
                ingest(empty)
                assert _build(kept, empty) == ()
                _copy_in_small_blocks(empty.warehouse, path)
    return kept


def sample_of_dbt() -> Path:
    """The warehouse of the sample company as dbt builds it."""
    return _of_dbt(compiled_once())


def _of_dbt(kept: compiled_build.CompiledBuild) -> Path:
    # Views name their database, which has the name of its file.
    return kept.seeds.with_name(SAMPLE_OF_DBT) / "warehouse.duckdb"


def _build_sample_with_dbt() -> compiled_build.CompiledBuild:
    with tempfile.TemporaryDirectory() as folder:
        data = DataFolder(Path(folder))
        shutil.copytree(SAMPLE / "landing", data.landing)
        ingest(data)
        outcome = build_with_dbt(data, writes_results=True)
        assert outcome.is_success, "\n".join(outcome.failures)
        compiled_build.keep(data, data.run_folder / "dbt" / "run_results.json")
        kept = compiled_build.kept()
        assert kept is not None
        _of_dbt(kept).parent.mkdir()
        shutil.copyfile(data.warehouse, _of_dbt(kept))
    return kept


def _copy_in_small_blocks(warehouse: Path, path: Path) -> None:
    """Copy a warehouse of small tables: each has blocks of its own, 16 times as large otherwise."""
    with duckdb.connect() as connection:
        connection.execute(f"attach {sql_literal(warehouse)} as original (read_only)")
        connection.execute(
            f"attach {sql_literal(path)} as copy (block_size 16384, storage_version 'latest')"
        )
        connection.execute("copy from database original to copy")
