"""One writer at a time on a data folder, whatever starts a run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import filelock

from dagster_project.errors import WarehouseBusy
from dagster_project.settings import DataFolder, Limits


@contextmanager
def only_writer(
    data: DataFolder, limits: Limits, progress: Callable[[str], None] = lambda message: None
) -> Iterator[None]:
    """Hold the data folder's lock; wait for a run that holds it. Raises WarehouseBusy.

    A thread that holds the lock may take it again. The lock is the operating system's: a run that
    was killed leaves none behind.
    """
    data.run_folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock((data.run_folder / "writer.lock").resolve(), is_singleton=True)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        progress(
            f"Another run is writing to {data.root}; waiting for up to"
            f" {limits.lock_wait_seconds:,} seconds ..."
        )
        try:
            lock.acquire(timeout=limits.lock_wait_seconds)
        except filelock.Timeout as error:
            raise WarehouseBusy(
                f"another run has been writing to {data.root} for more than"
                f" {limits.lock_wait_seconds:,} seconds. Nothing was changed. Wait until it ends,"
                " or stop it, and run the command again"
            ) from error
    try:
        yield
    finally:
        lock.release()
