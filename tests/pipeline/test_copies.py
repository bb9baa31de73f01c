"""Folders for copies of landed data are removed, also those of killed programs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dagster_project import copies
from dagster_project.settings import PROJECT_ROOT, DataFolder

HOLDER = """
import sys, time
from pathlib import Path
from dagster_project import copies
from dagster_project.settings import DataFolder
with copies.temporary_folder(DataFolder(Path(sys.argv[1]))) as folder:
    (folder / "persons.csv").write_text("anna")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


def test_a_folder_is_removed_at_the_end_and_after_an_error(data: DataFolder) -> None:
    with copies.temporary_folder(data) as folder:
        assert folder.parent == data.run_folder and folder.is_dir()
    with pytest.raises(ZeroDivisionError), copies.temporary_folder(data):
        raise ZeroDivisionError
    assert list(data.run_folder.iterdir()) == []


def test_a_killed_program_leaves_no_copy_beyond_the_next_program(data: DataFolder) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data.root)],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    hour_ago = time.time() - 3600
    os.utime(folder, (hour_ago, hour_ago))
    with copies.temporary_folder(data):
        assert folder.exists(), "its program is running"
    process.send_signal(signal.SIGKILL)
    process.wait()
    copies.remove_abandoned(data)
    assert not folder.exists()


def test_a_folder_that_its_program_has_not_locked_yet_is_kept(data: DataFolder) -> None:
    new = data.run_folder / f"{copies.PREFIX}new"
    new.mkdir(parents=True)
    copies.remove_abandoned(data)
    assert new.exists()
