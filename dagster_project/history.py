"""Dagster's records of runs: where they are, and how long they are kept.

Belongs here: the folder of the records and their removal. Does not: runs.
"""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project.errors import UsageError
from dagster_project.settings import PROJECT_ROOT, DataFolder

if TYPE_CHECKING:
    import dagster as dg

OWN_HOME = PROJECT_ROOT / ".dagster"
"""The records of the sample, and the settings for all."""

KEPT_DAYS = 90
MOST_REMOVED = 50
"""Runs removed at once, so that a run never waits long for it."""


def use_home_of(data: DataFolder) -> Path:
    """Set DAGSTER_HOME for this process and those that it starts; returns the folder.

    A folder that the environment names is used as it is. Otherwise every data folder but the
    sample has its own, so that an asset shows the runs of one data folder only. Raises UsageError
    where the variable names no folder.
    """
    named = os.environ.get("DAGSTER_HOME")
    home = Path(named) if named else OWN_HOME
    if not home.is_absolute() or not home.is_dir():
        raise UsageError(f"DAGSTER_HOME is {home}; it must be the full path of an existing folder")
    # `make` names the project's own folder.
    if home == OWN_HOME and data.root != PROJECT_ROOT / "data" / "sample":
        home = data.run_folder / "dagster"
        home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(OWN_HOME / "dagster.yaml", home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def remove_old_runs(instance: "dg.DagsterInstance", now: datetime | None = None) -> int:
    """Remove the records of finished runs that are older than KEPT_DAYS; returns their number."""
    import dagster as dg

    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    before = (now or datetime.now(UTC)) - timedelta(days=KEPT_DAYS)
    old = instance.get_runs(
        dg.RunsFilter(statuses=ended, created_before=before), limit=MOST_REMOVED
    )
    for run in old:
        instance.delete_run(run.run_id)
    return len(old)
