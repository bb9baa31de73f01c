"""dbt in the process of the run: a process of its own takes seconds for its imports alone.

Belongs here: the manifest, one invocation and its events. Does not: their conversion to events of
Dagster (assets/warehouse.py).
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import filelock

from dagster_project import wording
from dagster_project.private_interfaces import read_parsed_project, release_warehouse
from dagster_project.settings import DBT_FOLDER, DataFolder

# Not dbt/target, into which dbt on the command line writes: a run must not build a model from an
# experiment that was reverted.
PARSED_FOLDER = DBT_FOLDER / "target" / "apportion"
MANIFEST = PARSED_FOLDER / "manifest.json"
PARSED = PARSED_FOLDER / "partial_parse.msgpack"
FINGERPRINT = PARSED_FOLDER / "manifest.fingerprint"

DbtEvent = dict[str, Any]

RESULTS = frozenset({"LogSeedResult", "LogModelResult", "LogSnapshotResult", "LogTestResult"})
"""The events with the result of a node."""


@dataclass(frozen=True)
class DbtOutcome:
    """The outcome of a dbt invocation: `failures` has a message for each failed node."""

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
    """The path of the project's manifest. Parses the project if it has changed."""
    PARSED_FOLDER.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(PARSED_FOLDER / "manifest.lock"):
        _parse_if_changed()
    return MANIFEST


def parsed_fingerprint() -> str:
    """A hash of what the parsed project depends on: its files and the version of dbt."""
    return f"{version('dbt-core')} {version('dbt-duckdb')} {project_fingerprint()}"


def _parse_if_changed() -> None:
    fingerprint = parsed_fingerprint()
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
        # A run has about ten thousand messages; converting all of them takes a second.
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
            # A log at debug level takes as long as the models.
            "--log-level-file",
            "info",
            # Failures are part of the outcome; the caller prints them.
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
        if node.status == "fail" and node.node.resource_type == "test":
            failures.append(failed_check(node.node.name, node.failures))
        elif node.status in ("error", "fail", "runtime error"):
            failures.append(f"{node.node.name}: {(node.message or '').strip()}")
    return DbtOutcome(is_success=result.success, failures=tuple(failures))


def failed_check(name: str, failing_rows: int) -> str:
    """The message of a data test that found rows."""
    return f"{name} found {wording.counted(failing_rows, 'row')}"


def _parsed_project(arguments: Sequence[str]) -> Any:
    """The parsed project, if the project has not changed since: parsing takes seconds.

    dbt changes the manifest that it is given, so each invocation reads its own.
    """
    # `parse` is meant to parse again, and variables can change the result.
    if arguments[0] == "parse" or any(each.startswith("--vars") for each in arguments):
        return None
    if not PARSED.exists() or not FINGERPRINT.exists():
        return None
    if FINGERPRINT.read_text() != parsed_fingerprint():
        return None
    return read_parsed_project(PARSED)


def read_manifest() -> dict[str, Any]:
    """The manifest as parsed JSON."""
    manifest: dict[str, Any] = json.loads(prepared_manifest().read_text())
    return manifest
