"""A run that somebody asked for in the app: `python -m app.asked_run FOLDER` is its process.

Belongs here: starting the process, and its state and output, which every session of the app can
read. Does not: the run itself, which is the command `apportion run`; Streamlit.

The process holds a lock as long as it lives. It outlives the session that asked, and the app.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

import filelock

from dagster_project import records
from dagster_project.errors import ApportionError, WarehouseBusy
from dagster_project.files import replaced_at_once
from dagster_project.records import Person
from dagster_project.settings import PROJECT_ROOT, DataFolder, Limits
from dagster_project.writer import only_writer

State = Literal["running", "succeeded", "failed", "interrupted"]

START_SECONDS = 20
"""The longest time until the process holds its lock."""

SHOWN_LINES = 200


class RunRefused(ApportionError):
    """No run was started."""


@dataclass(frozen=True)
class AskedRun:
    """The last run that somebody asked for."""

    by: str
    at: datetime
    state: State
    lines: tuple[str, ...]
    """The last lines of its output."""

    @property
    def step(self) -> str:
        """The last line that states how far it is."""
        return next((line for line in reversed(self.lines) if re.match(r"\S+ {2,}", line)), "")

    @property
    def part_done(self) -> float | None:
        """How much of the step is done, 0 to 1; None if the step does not say."""
        found = re.search(r"([\d,]+) of ([\d,]+) ", self.step)
        if found is None:
            return None
        done, total = (int(number.replace(",", "")) for number in found.groups())
        return min(done / total, 1.0) if total else None


def _folder(data: DataFolder) -> Path:
    return data.run_folder / "asked_run"


def _lock(data: DataFolder) -> filelock.FileLock:
    # Two sessions that look at once hold it for an instant.
    return filelock.FileLock(_folder(data) / "lock", timeout=0.1, poll_interval=0.01)


def _is_running(data: DataFolder) -> bool:
    try:
        with _lock(data):
            return False
    except filelock.Timeout:
        return True


def latest(data: DataFolder) -> AskedRun | None:
    """The last run that somebody asked for; None if nobody did."""
    folder = _folder(data)
    try:
        asked = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
        by, at = str(asked["by"]), records.instant_of(asked["at"])
        lines = (folder / "output.txt").read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError, KeyError, TypeError):
        return None
    state: State
    if _is_running(data):
        state = "running"
    else:
        try:
            code = (folder / "exit_code").read_text(encoding="ascii").strip()
            state = "succeeded" if code == "0" else "failed"
        except OSError:
            state = "interrupted"
    return AskedRun(by, at, state, tuple(lines.splitlines()[-SHOWN_LINES:]))


def ask(data: DataFolder, person: Person) -> None:
    """Start a run in a process of its own. Raises RunRefused if a run is writing already."""
    folder = _folder(data)
    folder.mkdir(parents=True, exist_ok=True)
    with records.held(data, folder):
        if _is_running(data):
            raise RunRefused("a run is in progress; ask again when it has ended")
        try:
            with only_writer(data, replace(Limits.from_environment(), lock_wait_seconds=0)):
                pass
        except WarehouseBusy as error:
            raise RunRefused(
                "another run is writing; it may have begun before your change. Ask again when it"
                " has ended"
            ) from error
        for name in ("exit_code", "asked.json"):
            (folder / name).unlink(missing_ok=True)
        with (folder / "output.txt").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "app.asked_run", str(data.root)],
                cwd=PROJECT_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "PYTHONUTF8": "1", "APPORTION_LOCK_WAIT_SECONDS": "0"},
            )
        # Waits for the process, so that none is left when it has ended.
        threading.Thread(target=process.wait, daemon=True).start()
        with replaced_at_once(folder / "asked.json") as building:
            asked = {"by": person.name, "at": records.stamp(records.now())}
            building.write_text(json.dumps(asked), encoding="utf-8")
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and not _is_running(data):
            if time.monotonic() > deadline:
                raise RunRefused("the run does not start")
            time.sleep(0.05)


def _run(root: str) -> int:
    """The process: hold the lock, run, and leave the exit code."""
    data = DataFolder(Path(root))
    deadline = time.monotonic() + START_SECONDS
    lock = _lock(data)
    # A session that looks whether a run is in progress holds the lock for an instant.
    while not lock.is_locked:
        with contextlib.suppress(filelock.Timeout):
            lock.acquire()
        if time.monotonic() > deadline:
            return 1
    from dagster_project.cli import main

    code = 1
    try:
        code = main(["run", "--data", root])
    finally:
        with replaced_at_once(_folder(data) / "exit_code") as building:
            building.write_text(str(code), encoding="ascii")
    return code


if __name__ == "__main__":
    sys.exit(_run(sys.argv[1]))
