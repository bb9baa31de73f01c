"""What a change of a split would move: computed by the real rules, on a copy.

Belongs here: the copy of the data folder, and ingestion and the dbt project run on it in a process
of its own (`python -m app.preview FOLDER`). Does not: what is allowed (splits), Streamlit.

The copy lies inside the data folder, since it holds what the data folder holds, and is removed
whatever happens. Landed files are hard links where the file system has them: the same content and
the same time of writing, which decides between two versions of an invoice.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from app.splits import Charged, Move, moves
from dagster_project import run_state
from dagster_project.errors import ApportionError
from dagster_project.ingest import list_landing
from dagster_project.publish import sql_literal
from dagster_project.settings import PROJECT_ROOT, DataFolder, Limits
from dagster_project.writer import only_writer

ABANDONED_SECONDS = 6 * 3600
WAIT_SECONDS = 5
BEFORE = "before.duckdb"
PENDING = "pending"
MODELS = ("+chargeback", "+quarantined_rows")


class PreviewFailed(ApportionError):
    """The rules could not be run on the copy, or the file of the change would be refused."""


@dataclass(frozen=True)
class Preview:
    """What a change would move within its organization: in open periods, and never in closed."""

    moved: tuple[Move, ...]
    closed_moved: tuple[Move, ...]


def preview(
    data: DataFolder,
    organization_id: str,
    name: str,
    text: str,
    progress: Callable[[str], None] = lambda message: None,
) -> Preview:
    """What landing the file `name` with the content `text` would move.

    Compares with what is published if that was made from landing as it is now; else landing is
    computed without the file first. Raises PreviewFailed, and WarehouseBusy while a run is writing.
    """
    with _copy(data, progress) as copy:
        before = copy.root / BEFORE
        if run_state.is_published(data, run_state.current(data)):
            _link(data.published_database, before)
        else:
            progress("Landing has changed since the last run: computing the bills without it, too")
        pending = copy.root / PENDING / name
        pending.parent.mkdir(parents=True)
        pending.write_text(text, encoding="utf-8", newline="")
        progress("Computing the bills with the new split")
        _compute(copy)
        progress("Comparing")
        with duckdb.connect() as connection:
            connection.execute(f"attach {sql_literal(before)} as before (read_only)")
            connection.execute(f"attach {sql_literal(copy.warehouse)} as after (read_only)")
            refusal = why_refused(connection, name)
            if refusal:
                raise PreviewFailed(f"the file would be refused: {refusal}")
            found = moves(
                _charged(connection, "before", organization_id),
                _charged(connection, "after", organization_id),
            )
            closed = {
                period
                for (period,) in connection.execute(
                    "select distinct billing_period from after.raw.ledger_postings"
                ).fetchall()
            }
    return Preview(
        tuple(move for move in found if move.billing_period not in closed),
        tuple(move for move in found if move.billing_period in closed),
    )


def why_refused(connection: duckdb.DuckDBPyConnection, name: str) -> str | None:
    """Why a landed file, or a row of it, is in quarantine of the database `after`; None if not."""
    row = connection.execute(
        "select reason from after.marts.quarantined_rows where file = $name order by row_number",
        {"name": name},
    ).fetchone()
    return str(row[0]) if row else None


def _charged(
    connection: duckdb.DuckDBPyConnection, database: str, organization_id: str
) -> list[Charged]:
    rows = connection.execute(
        f"""
        select
            billing_period, cost_center_id, currency,
            coalesce(any_value(cost_center_name), cost_center_id), sum(total_cost)
        from {database}.marts.chargeback
        where organization_id = $organization_id
        group by billing_period, cost_center_id, currency
        """,
        {"organization_id": organization_id},
    ).fetchall()
    return [Charged(*row) for row in rows]


@contextmanager
def _copy(data: DataFolder, progress: Callable[[str], None]) -> Iterator[DataFolder]:
    folder = data.run_folder / "previews"
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.iterdir():
        # Of an app that was killed: nobody else would ever remove it.
        if time.time() - leftover.stat().st_mtime > ABANDONED_SECONDS:
            shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as root:
        copy = DataFolder(Path(root))
        progress("Copying the data folder")
        for path in list_landing(data.landing):
            _link(path, copy.landing / path.relative_to(data.landing))
        copy.landing.mkdir(exist_ok=True)
        limits = replace(Limits.from_environment(), lock_wait_seconds=WAIT_SECONDS)
        with only_writer(data, limits):
            if data.ledger.exists():
                shutil.copytree(data.ledger, copy.ledger)
            # What was read already need not be read again.
            for path in (data.warehouse, data.forgotten_users):
                if path.exists():
                    shutil.copy2(path, copy.root / path.name)
        yield copy


def _link(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, to, follow_symlinks=False)
    except OSError:
        shutil.copy2(path, to, follow_symlinks=False)


def _compute(copy: DataFolder) -> None:
    """Run the rules on the copy in a process of its own, which ends with ours."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.preview", str(copy.root)],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        told, _ = process.communicate()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode:
        last = told.strip().splitlines()[-1:]
        raise PreviewFailed("the rules could not be run: " + "".join(last))


def main(root: str) -> int:
    """Compute a copy as it is, unless that is there, then with what is pending; 0 is success."""
    copy = DataFolder(Path(root))
    if not (copy.root / BEFORE).exists():
        if not _build(copy):
            return 1
        shutil.copyfile(copy.warehouse, copy.root / BEFORE)
    shutil.copytree(copy.root / PENDING, copy.landing, dirs_exist_ok=True)
    return 0 if _build(copy) else 1


def _build(copy: DataFolder) -> bool:
    """Landing and ledger to the models that are compared. Their tests are for the run to come."""
    from dagster_project import dbt_runner, forgetting, ingest, ledger

    with duckdb.connect(str(copy.warehouse)) as connection:
        ledger.load(copy.ledger, connection)
        forgotten = forgetting.read_list(copy.forgotten_users)
        ingest.sync(copy.landing, connection, forgotten=forgotten)
    outcome = dbt_runner.invoke(
        [
            *("build", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"),
            *("--select", *MODELS),
        ],
        copy,
        copy.run_folder / "dbt",
    )
    for failure in outcome.failures:
        print(" ".join(failure.split()))
    return outcome.is_success


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
