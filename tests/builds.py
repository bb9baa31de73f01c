"""Builds of test companies: by dbt, or from the statements that dbt compiled.

The statements are kept by a build of an empty company, once for each state of the project; see
dagster_project/compiled_build.py. Its warehouse is kept too: a company that begins with it builds
only what its files change, as every run after the first does. Tests build in one transaction. If
a data test fails, its message and the models skipped after it are those of dbt, which
tests/dbt_project/test_builds.py compares. If a statement fails, the build leaves no trace, and dbt
builds the company.
"""

import gc
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence, Set
from functools import cache, partial
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


def _made_of(compiled: compiled_build.CompiledBuild) -> Mapping[str, Set[str]]:
    """Everything that each node is made of, directly or not, by their unique ids."""
    inputs = {each.unique_id: each.inputs for each in compiled.statements}

    @cache
    def made_of(node: str) -> frozenset[str]:
        direct = inputs.get(node, ())
        return frozenset(direct).union(*map(made_of, direct))

    return {node: made_of(node) for node in inputs}


def _selected(
    compiled: compiled_build.CompiledBuild, models: Collection[str]
) -> compiled_build.CompiledBuild:
    """The build of some models, by their names; dbt calls its selection of tests cautious."""
    made_of = _made_of(compiled)
    chosen = [node for node in made_of if node.startswith("model.") and node[16:] in models]
    assert len(chosen) == len(models), models
    built = set(chosen).union(*map(made_of.__getitem__, chosen))
    return compiled.only(
        [
            each.unique_id
            for each in compiled.statements
            if each.unique_id in built or (each.kind == "test" and built.issuperset(each.inputs))
        ]
    )


def build_as_compiled(data: DataFolder, threads: int = 1) -> bool:
    """Build everything as dbt compiled it; false, and no model changed, if anything fails."""
    with duckdb.connect(str(data.warehouse), config={"threads": threads}) as connection:
        connection.begin()
        try:
            for _ in compiled_once().execute(connection):
                pass
        except compiled_build.DbtNeeded:
            connection.rollback()
            return False
        connection.commit()
    return True


def _build(compiled: compiled_build.CompiledBuild, data: DataFolder) -> tuple[str, ...] | None:
    """The messages of data tests that fail; None, and no model changed, if a statement does."""
    failures = []
    with duckdb.connect(str(data.warehouse), config={"threads": 1}) as connection:
        connection.begin()
        results = compiled.execute(connection)
        while True:
            try:
                for _ in results:
                    pass
                break
            except compiled_build.DbtNeeded as reason:
                if not reason.failing_rows:
                    connection.rollback()
                    return None
                failures.append(_message(reason))
                compiled = _without_dependents(compiled, reason.unique_id)
                # What is built already is up to date and left out.
                execute = partial(compiled_build.execute_statement, connection)
                results = compiled.results(connection, execute)
        connection.commit()
    return tuple(failures)


def _message(reason: compiled_build.DbtNeeded) -> str:
    """The message of a failing test in the words of dbt."""
    name = reason.unique_id.split(".")[2]
    noun = "result" if reason.failing_rows == 1 else "results"
    return f"{name}: Got {reason.failing_rows} {noun}, configured to fail if != 0"


def _without_dependents(
    compiled: compiled_build.CompiledBuild, test: str
) -> compiled_build.CompiledBuild:
    """The build without a failing test and without what dbt skips after it.

    dbt skips a model that is made of everything that the test reads, and the tests of this model.
    """
    (read,) = (set(each.inputs) for each in compiled.statements if each.unique_id == test)
    made_of = _made_of(compiled)
    skipped = {
        each.unique_id
        for each in compiled.statements
        if each.kind != "test" and read <= made_of[each.unique_id]
    }
    return compiled.only(
        [
            each.unique_id
            for each in compiled.statements
            if each.unique_id != test
            and each.unique_id not in skipped
            and skipped.isdisjoint(each.inputs)
        ]
    )


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
                assert _build(kept, empty) == ()
                shutil.copyfile(empty.warehouse, path)
    return kept
