"""Whether a run would change anything: the state of all that results depend on."""

import hashlib
from pathlib import Path

from dagster_project import dbt_runner
from dagster_project.landing import folder, forgetting
from dagster_project.ledger.postings import read_postings
from dagster_project.settings import PROJECT_ROOT, DataFolder


def current(data: DataFolder) -> str:
    """A hash of landing, the code and the pinned packages, all as they are now."""
    folder.require_landing(data.landing)
    digest = hashlib.sha256()
    digest.update(folder.landing_fingerprint(data.landing).encode())
    # The ledger is read, not looked at: an edit may keep size and time.
    for posting in read_postings(data.ledger):
        digest.update(posting.entry_hash.encode())
    if data.declarations.exists():
        digest.update(data.declarations.read_bytes())
    digest.update(repr(forgetting.read_list(data.forgotten_users)).encode())
    digest.update(dbt_runner.project_fingerprint().encode())
    for path in sorted((PROJECT_ROOT / "dagster_project").rglob("*.py")):
        digest.update(path.read_bytes())
    digest.update((PROJECT_ROOT / "requirements" / "run.txt").read_bytes())
    return digest.hexdigest()


def is_published(data: DataFolder, state: str) -> bool:
    """Whether what is published was made from this very state and is still the file we wrote."""
    record = _record(data)
    return data.warehouse.exists() and record.exists() and record.read_text() == _entry(data, state)


def begin(data: DataFolder) -> None:
    """Keep the state that a run begins with: what changes while it goes on is for the next run."""
    _begun(data).write_text(current(data))


def remember(data: DataFolder) -> None:
    """Record that what is published now was made from the state its run began with."""
    _record(data).write_text(_entry(data, _begun(data).read_text()))


def _begun(data: DataFolder) -> Path:
    return data.run_folder / "begun_state"


def _record(data: DataFolder) -> Path:
    return data.run_folder / "published_state"


def _entry(data: DataFolder, state: str) -> str:
    try:
        status = data.published_database.stat()
    except FileNotFoundError:
        return ""
    return f"{state} {status.st_size} {status.st_mtime_ns}"
