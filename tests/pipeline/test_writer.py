"""One writer at a time: waiting, timing out, and the lock of a killed writer."""

import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from dagster_project import commands
from dagster_project.errors import WarehouseBusy
from dagster_project.settings import DataFolder, Limits
from dagster_project.writer import only_writer


def hold_the_lock(root: Path, held: Event, release: Event) -> None:
    with only_writer(DataFolder(root), Limits()):
        held.set()
        release.wait(30)


def test_a_second_writer_waits_with_a_message_and_times_out(tmp_path: Path) -> None:
    held, release = multiprocessing.Event(), multiprocessing.Event()
    other = multiprocessing.Process(target=hold_the_lock, args=(tmp_path, held, release))
    other.start()
    assert held.wait(30)
    messages: list[str] = []
    with (
        pytest.raises(WarehouseBusy),
        only_writer(DataFolder(tmp_path), Limits(lock_wait_seconds=1), messages.append),
    ):
        pass
    assert messages == [f"Another run is writing to {tmp_path}; waiting for up to 1 seconds ..."]
    release.set()
    other.join()
    with only_writer(DataFolder(tmp_path), Limits(lock_wait_seconds=1)):
        pass


def test_a_writer_that_was_killed_leaves_no_lock_behind(tmp_path: Path) -> None:
    held, release = multiprocessing.Event(), multiprocessing.Event()
    other = multiprocessing.Process(target=hold_the_lock, args=(tmp_path, held, release))
    other.start()
    assert held.wait(30)
    other.kill()
    other.join()
    started = time.monotonic()
    with only_writer(DataFolder(tmp_path), Limits(lock_wait_seconds=5)):
        assert time.monotonic() - started < 5


def test_a_thread_that_holds_the_lock_may_take_it_again(tmp_path: Path) -> None:
    data, impatient = DataFolder(tmp_path), Limits(lock_wait_seconds=0)
    with only_writer(data, impatient):
        with only_writer(data, impatient):
            pass
        # Leaving the inner one gives nothing away to others.
        with ThreadPoolExecutor() as threads, pytest.raises(WarehouseBusy):
            threads.submit(take_the_lock, data, impatient).result()
    with ThreadPoolExecutor() as threads:
        threads.submit(take_the_lock, data, impatient).result()


def take_the_lock(data: DataFolder, limits: Limits) -> None:
    with only_writer(data, limits):
        pass


def test_the_summary_is_not_made_while_a_run_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It reads the warehouse, which the run has open.
    held, release = multiprocessing.Event(), multiprocessing.Event()
    other = multiprocessing.Process(target=hold_the_lock, args=(tmp_path, held, release))
    other.start()
    assert held.wait(30)
    monkeypatch.setenv("APPORTION_LOCK_WAIT_SECONDS", "1")
    with pytest.raises(WarehouseBusy):
        commands.locked_summary(DataFolder(tmp_path))
    release.set()
    other.join()
