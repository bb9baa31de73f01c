"""Folders in `.run` for copies of landed data, which a killed program leaves behind.

Belongs here: making such a folder and removing those of programs that have ended. Does not: what is
copied (what_if, inspection), and the removal of all copies of a person (landing/forgetting).
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from dagster_project.settings import DataFolder

PREFIX = "copy-"
IN_USE = "in_use.lock"
STARTING_SECONDS = 60
"""Age below which a folder is kept: its program may not have locked it yet."""


@contextmanager
def temporary_folder(data: DataFolder) -> Iterator[Path]:
    """A folder that is removed at the end; those that killed programs left are removed first.

    The program holds a lock of the operating system on its folder, which ends with the program.
    """
    data.run_folder.mkdir(parents=True, exist_ok=True)
    remove_abandoned(data)
    with (
        tempfile.TemporaryDirectory(
            dir=data.run_folder, prefix=PREFIX, ignore_cleanup_errors=True
        ) as folder,
        filelock.FileLock(Path(folder, IN_USE)),
    ):
        yield Path(folder)


def remove_abandoned(data: DataFolder) -> None:
    """Remove the folders of programs that have ended."""
    for folder in data.run_folder.glob(f"{PREFIX}*"):
        try:
            if time.time() - folder.stat().st_mtime < STARTING_SECONDS:
                continue
            with filelock.FileLock(folder / IN_USE, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
        except (filelock.Timeout, FileNotFoundError):
            # In use, or another program is removing it.
            continue
