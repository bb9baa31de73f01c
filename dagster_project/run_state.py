"""Whether a run would change anything: the state of all inputs of the results."""

import hashlib
from pathlib import Path

import duckdb

from dagster_project import database, dbt_runner
from dagster_project.errors import NotOneState
from dagster_project.files import replaced_at_once
from dagster_project.landing import folder, forgetting
from dagster_project.ledger.postings import read_postings
from dagster_project.publish import published_state
from dagster_project.published_tables import is_as_published
from dagster_project.settings import PROJECT_ROOT, DataFolder


def current(data: DataFolder) -> str:
    """A hash of the current landing files, ledger, settings, code and pinned packages."""
    folder.require_landing(data.landing)
    digest = hashlib.sha256()
    digest.update(folder.landing_fingerprint(data.landing).encode())
    # The ledger is read completely, because an edit can keep size and time.
    for posting in read_postings(data.ledger):
        digest.update(posting.entry_hash.encode())
    if data.declarations.exists():
        digest.update(data.declarations.read_bytes())
    digest.update(repr(forgetting.read_list(data.forgotten_users)).encode())
    digest.update(dbt_runner.project_fingerprint().encode())
    digest.update(package_fingerprint().encode())
    return digest.hexdigest()


def package_fingerprint() -> str:
    """A hash of the package's modules and of the pinned versions of what they use."""
    digest = hashlib.sha256((PROJECT_ROOT / "requirements" / "run.txt").read_bytes())
    for path in sorted((PROJECT_ROOT / "dagster_project").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_published(data: DataFolder, state: str) -> bool:
    """Whether the published files were built from this state and have not changed since."""
    record = _record(data)
    if not (data.warehouse.exists() and record.exists()):
        return False
    if record.read_text() != _entry(data, state):
        return False
    try:
        return is_as_published(data.published / "current")
    except (OSError, ValueError):
        return False


def begin(data: DataFolder) -> None:
    """Begin a run: mark the warehouse as unpublished, and record the current state.

    Changes after this point are for the next run.
    """
    _record(data).unlink(missing_ok=True)
    with database.connect(data.warehouse) as connection:
        connection.execute("create schema if not exists run")
        connection.execute(
            "create or replace table run.state as"
            " select cast($state as varchar) as state_id, false as is_published",
            {"state": current(data)},
        )


def begun(data: DataFolder) -> str:
    """The id of the state that the warehouse was built from."""
    with database.connect(data.warehouse, is_read_only=True) as connection:
        return _warehouse_state(connection)[0]


def remember(data: DataFolder) -> None:
    """Record that the published version was built from the state with which its run began."""
    with database.connect(data.warehouse) as connection:
        connection.execute("update run.state set is_published = true")
        state, _ = _warehouse_state(connection)
    with replaced_at_once(_record(data)) as building:
        building.write_text(_entry(data, state))


def require_one_state(data: DataFolder) -> str:
    """The id of the common state of landing, warehouse and published tables.

    The caller holds the writer's lock. Raises NotOneState, with advice, if they differ.
    """
    state = current(data)
    advice = "Nothing was changed. Run `make run`, look at the result, then try again"
    published = published_state(data)
    if published is None:
        raise NotOneState(f"nothing is published yet. {advice}")
    if published != state:
        raise NotOneState(
            "landing, the ledger, settings or rules have changed since the published run"
            f" ({published[:8]}, now {state[:8]}). {advice}"
        )
    if not data.warehouse.exists():
        raise NotOneState(f"{data.warehouse} is missing. {advice}")
    with database.connect(data.warehouse, is_read_only=True) as connection:
        built, is_built_published = _warehouse_state(connection)
    if built != state or not is_built_published or not is_published(data, state):
        raise NotOneState(
            "a later run changed the warehouse and did not publish it; the published state"
            f" ({published[:8]}) is not that of the warehouse ({built[:8]}). {advice}"
        )
    return state


def _warehouse_state(connection: duckdb.DuckDBPyConnection) -> tuple[str, bool]:
    try:
        row = connection.execute("select state_id, is_published from run.state").fetchone()
    except duckdb.CatalogException:
        row = None
    return row or ("none", False)


def _record(data: DataFolder) -> Path:
    return data.run_folder / "published_state"


def _entry(data: DataFolder, state: str) -> str:
    try:
        status = data.published_database.stat()
    except FileNotFoundError:
        return ""
    return f"{state} {status.st_size} {status.st_mtime_ns}"
