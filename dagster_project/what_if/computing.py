"""The pipeline on a copy of the data folder, with and without the files of a scenario.

Belongs here: the copy, and ingestion and dbt on it in a separate process
(`python -m dagster_project.what_if FOLDER`). Does not: the comparison of the results (effects).

The copy is inside the data folder and has the same access rights; it is always removed. Landed
files are hard links where the file system supports them, with the same content and modification
time, which decides between two versions of an invoice.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import duckdb

from dagster_project import copies, database, run_state
from dagster_project.errors import ApportionError
from dagster_project.files import link_or_copy
from dagster_project.landing.folder import list_landing, require_landing
from dagster_project.quoting import sql_literal
from dagster_project.settings import PROJECT_ROOT, DataFolder, Limits
from dagster_project.what_if.scenario import Scenario
from dagster_project.writer import only_writer

Progress = Callable[[str], None]

PROGRESS_SECONDS = 10
BEFORE = "before.duckdb"
PENDING = "pending"
MODELS = (
    "chargeback",
    "committed_spend",
    "cost_center_history",
    "findings",
    "quarantined_rows",
)
LAYERS = ("marts",)
PROGRESS = "progress: "
"""The prefix of a line of the process that reports its progress."""


class NotComputed(ApportionError):
    """The pipeline failed on the copy."""


@contextmanager
def computed(
    data: DataFolder,
    scenarios: Mapping[str, Scenario],
    limits: Limits,
    progress: Progress,
) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """A connection to the databases `before` and `after` the scenarios, and the id of the state.

    `before` has the marts, `after` the whole warehouse; both are removed afterwards. The published
    marts are `before` if they were made from the current landing files. Raises NoLandingFolder,
    NotComputed, and WarehouseBusy while a run is writing.
    """
    require_landing(data.landing)
    with copies.temporary_folder(data) as root:
        copy = DataFolder(root)
        with only_writer(data, limits, progress):
            progress("Copying the data folder")
            state_id = _fill(copy, data)
        if not (copy.root / BEFORE).exists():
            progress("Landing or the rules changed since the last run: computing the current state")
            _compute(copy, progress)
            shutil.copyfile(copy.warehouse, copy.root / BEFORE)
        _land(scenarios, copy)
        progress("Computing the bills with the scenario")
        _compute(copy, progress)
        progress("Comparing")
        with database.connect(folders=(copy.root,)) as connection:
            connection.execute(f"attach {sql_literal(copy.root / BEFORE)} as before (read_only)")
            connection.execute(f"attach {sql_literal(copy.warehouse)} as after (read_only)")
            yield connection, state_id


def _fill(copy: DataFolder, data: DataFolder) -> str:
    """Copy what a run needs, with the published marts if they are current; returns the state id."""
    copy.landing.mkdir()
    for path in list_landing(data.landing):
        try:
            landed = copy.landing / path.relative_to(data.landing)
            landed.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(path, landed)
        except (PermissionError, FileNotFoundError, IsADirectoryError):
            # Runs cannot read the file either.
            continue
    if data.ledger.exists():
        shutil.copytree(data.ledger, copy.ledger)
    # Files that were read already are not read again.
    for path in (data.warehouse, data.forgotten_users, data.declarations):
        if path.exists():
            shutil.copy2(path, copy.root / path.name)
    state_id = run_state.current(copy)
    if run_state.is_published(data, state_id):
        link_or_copy(data.published_database.resolve(), copy.root / BEFORE)
    return state_id


def _land(scenarios: Mapping[str, Scenario], copy: DataFolder) -> None:
    """Write the scenarios with increasing modification times: the file written last counts."""
    written_at = time.time_ns()
    for number, (name, scenario) in enumerate(scenarios.items()):
        path = copy.landing / name
        path.parent.mkdir(parents=True)
        # Never overwrite: an existing file is a link to a file of the data folder.
        with path.open("xb") as file:
            file.write(scenario.content)
        instant = written_at + number * 1_000_000
        os.utime(path, ns=(instant, instant))


def _compute(copy: DataFolder, progress: Progress) -> None:
    """Run the pipeline on the copy in a separate process, which ends with this one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster_project.what_if", str(copy.root)],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    last = ""
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(PROGRESS):
                progress(line.removeprefix(PROGRESS).rstrip())
            else:
                last = line.strip() or last
        process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode:
        raise NotComputed(f"the pipeline failed: {last or process.returncode}")


def build(copy: DataFolder) -> bool:
    """Build the models that are compared, without tests. Returns whether it succeeded."""
    from dagster_project import compiled_build, dbt_runner
    from dagster_project.feeds.declarations import read_declarations
    from dagster_project.landing import forgetting
    from dagster_project.landing.sync import sync
    from dagster_project.ledger.postings import load_postings

    progress = _progress_printer()
    try:
        with database.connect(
            copy.warehouse, memory_bytes=database.LOADING_MEMORY_BYTES
        ) as connection:
            load_postings(copy.ledger, connection)
            forgotten = forgetting.read_list(copy.forgotten_users)
            declarations = read_declarations(copy.declarations)
            sync(copy.landing, connection, forgotten=forgotten, declarations=declarations)
            for layer in LAYERS:
                # A table that is not rebuilt must not be taken for a result.
                connection.execute(f"drop schema if exists {layer} cascade")
    except ApportionError as error:
        print(error)
        return False
    if compiled_build.build_models(copy.warehouse, MODELS, progress):
        return True
    outcome = dbt_runner.invoke(
        [
            *("build", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"),
            *("--select", *(f"+{name}" for name in MODELS)),
        ],
        copy,
        copy.run_folder / "dbt",
        on_event=lambda event: progress(event["data"]["index"], event["data"]["total"]),
    )
    for failure in outcome.failures:
        print(" ".join(failure.split()))
    return outcome.is_success


def _progress_printer() -> Callable[[int, int], None]:
    """A function that prints the number of built models every PROGRESS_SECONDS."""
    printed_at = time.monotonic()

    def print_progress(done: int, total: int) -> None:
        nonlocal printed_at
        if time.monotonic() - printed_at >= PROGRESS_SECONDS:
            printed_at = time.monotonic()
            print(f"{PROGRESS}{done} of {total} tables", flush=True)

    return print_progress
