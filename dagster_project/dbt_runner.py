"""dbt inside our own process: a process of its own would cost seconds for its imports alone.

Belongs here: the manifest, one invocation and its events. Does not: what Dagster makes of them
(assets/warehouse.py).
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dagster_project.private_interfaces import read_parsed_project, release_warehouse
from dagster_project.settings import DBT_FOLDER, DataFolder

# In a folder of our own: dbt called by hand writes what it has parsed into dbt/target, and what
# somebody tries and takes back must not be what the next run builds.
PARSED_FOLDER = DBT_FOLDER / "target" / "apportion"
MANIFEST = PARSED_FOLDER / "manifest.json"
PARSED = PARSED_FOLDER / "partial_parse.msgpack"
FINGERPRINT = PARSED_FOLDER / "manifest.fingerprint"

DbtEvent = dict[str, Any]

RESULTS = frozenset({"LogSeedResult", "LogModelResult", "LogSnapshotResult", "LogTestResult"})
"""The events that tell how a node went."""


@dataclass(frozen=True)
class DbtOutcome:
    """What one dbt invocation came to: `failures` says, per failed node, what failed."""

    is_success: bool
    failures: tuple[str, ...]


def project_files() -> Iterator[Path]:
    """The files that make up the dbt project, in order of name."""
    for path in sorted(DBT_FOLDER.rglob("*")):
        inside = path.relative_to(DBT_FOLDER).parts[0]
        if path.is_file() and inside not in ("target", "logs") and not path.name.startswith("."):
            yield path


def project_fingerprint() -> str:
    """A hash of the dbt project's files."""
    digest = hashlib.sha256()
    for path in project_files():
        digest.update(f"{path.relative_to(DBT_FOLDER)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def prepared_manifest() -> Path:
    """The path of the manifest of the project as it is now, parsed anew if anything changed."""
    # Imported here: filelock imports asyncio, and a run without changes parses nothing.
    import filelock

    PARSED_FOLDER.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(PARSED_FOLDER / "manifest.lock"):
        _parse_if_changed()
    return MANIFEST


def _parsed_fingerprint() -> str:
    """What the parsed project depends on: its files, and the dbt that reads them."""
    return f"{version('dbt-core')} {version('dbt-duckdb')} {project_fingerprint()}"


def _parse_if_changed() -> None:
    fingerprint = _parsed_fingerprint()
    known = FINGERPRINT.read_text() if FINGERPRINT.exists() else None
    if known != fingerprint or not MANIFEST.exists():
        FINGERPRINT.unlink(missing_ok=True)
        outcome = invoke(["parse"], DataFolder.from_environment(), PARSED_FOLDER)
        if not outcome.is_success:
            raise RuntimeError("dbt could not parse the project: " + "; ".join(outcome.failures))
        FINGERPRINT.write_text(fingerprint)


def invoke(
    arguments: Sequence[str],
    data: DataFolder,
    target_path: Path,
    on_event: Callable[[DbtEvent], None] = lambda event: None,
) -> DbtOutcome:
    """Run one dbt command on a data folder's warehouse; every result goes to `on_event`."""
    from dbt.cli.main import dbtRunner
    from google.protobuf.json_format import MessageToDict

    # The profile finds the warehouse by this variable.
    os.environ["APPORTION_DATA"] = str(data.root)
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"

    def translate(message: Any) -> None:
        # A run has some ten thousand messages; to take each apart would cost a second.
        if message.info.name in RESULTS:
            on_event(MessageToDict(message, preserving_proto_field_name=True))

    runner = dbtRunner(manifest=_parsed_project(arguments), callbacks=[translate])
    result = runner.invoke(
        [
            *arguments,
            "--project-dir",
            str(DBT_FOLDER),
            "--profiles-dir",
            str(DBT_FOLDER),
            "--target-path",
            str(target_path),
            "--log-path",
            str(data.run_folder / "dbt-logs"),
            # At debug level the log would cost as much time as the models.
            "--log-level-file",
            "info",
            # What failed is in the outcome, and is printed by whoever asked for it.
            "--log-level",
            "none",
            "--no-use-colors",
        ]
    )
    release_warehouse()
    failures = []
    if result.exception:
        failures.append(str(result.exception))
    for node in getattr(result.result, "results", None) or []:
        if node.status in ("error", "fail", "runtime error"):
            failures.append(f"{node.node.name}: {(node.message or '').strip()}")
    return DbtOutcome(is_success=result.success, failures=tuple(failures))


def _parsed_project(arguments: Sequence[str]) -> Any:
    """The project as it was parsed last, if it is still that: to parse it takes seconds.

    dbt writes into the manifest it works with, so each invocation gets one of its own.
    """
    # Who parses wants it done anew; variables may change what comes of it.
    if arguments[0] == "parse" or any(each.startswith("--vars") for each in arguments):
        return None
    if not PARSED.exists() or not FINGERPRINT.exists():
        return None
    if FINGERPRINT.read_text() != _parsed_fingerprint():
        return None
    return read_parsed_project(PARSED)


def read_manifest() -> dict[str, Any]:
    """The manifest as parsed JSON."""
    manifest: dict[str, Any] = json.loads(prepared_manifest().read_text())
    return manifest
