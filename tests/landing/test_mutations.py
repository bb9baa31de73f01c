"""Damaged files of every kind: each is read or refused, and what was in it is not lost in silence.

500 files here; `make fuzz` tries any number with any seed: `make fuzz SEED=7 COUNT=20000`.
"""

import os
import random
import time
from pathlib import Path

import pytest
from conftest import DEFAULT_SEED
from mutations import Landed, damaged, whole_files

from dagster_project import database
from dagster_project.landing import reader_process
from dagster_project.landing.sync import sync

SEED = int(os.environ.get("APPORTION_TEST_SEED") or DEFAULT_SEED)
COUNT = int(os.environ.get("APPORTION_TEST_COUNT") or 500)
FILES_AT_ONCE = 20
"""Files per landing folder: the raw tables are created once for all of them."""


def test_intact_files_are_loaded(tmp_path: Path) -> None:
    for at, (kind, landed) in enumerate(whole_files().items()):
        if kind != "manifest":
            write(tmp_path / str(at) / "landing", landed.name, landed.content)
            with database.connect() as connection:
                report = sync(tmp_path / str(at) / "landing", connection)
            statuses = {each.status for each in report.files}
            assert statuses <= {"loaded", "duplicate"}, (kind, report.files)


@pytest.mark.parametrize("kind", list(whole_files()))
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, kind: str) -> None:
    landed = whole_files()[kind]
    rng = random.Random(f"{SEED} {kind}")
    print(f"APPORTION_TEST_SEED={SEED} APPORTION_TEST_COUNT={COUNT}")
    count = -(-COUNT // len(whole_files()))
    for first in range(0, count, FILES_AT_ONCE):
        landing = tmp_path / str(first) / "landing"
        harms = {}
        for at in range(first, min(first + FILES_AT_ONCE, count)):
            harm, content = damaged(rng, landed)
            harms[write_damaged(landing, landed, at, content)] = harm
        check(landing, harms)


def write_damaged(landing: Path, landed: Landed, at: int, content: bytes) -> str:
    feed, *middle, last = Path(landed.name).parts
    # A manifest is known by its name, and its blobs are beside it.
    place = Path(feed, str(at), *middle, last) if middle else Path(feed, f"{at}-{last}")
    if middle:
        for blob in range(3):
            write(landing, str(place.with_name(f"part-{blob}.csv")), f"a\n{at} {blob}\n".encode())
    write(landing, str(place), content)
    return str(place)


def check(landing: Path, harms: dict[str, str]) -> None:
    """Each damaged file has a status, a short reason, and all of its rows somewhere."""
    started = time.process_time()
    with database.connect() as connection:
        report = sync(landing, connection)
        stored = dict(
            connection.execute(
                "select content_hash, count(*) from ("
                + " union all ".join(
                    f'select content_hash from raw."{name}"'
                    for name in (*report.row_counts, "rejected_rows")
                )
                + ") group by all"
            ).fetchall()
        )
    assert time.process_time() - started < 60, harms
    for file, harm in harms.items():
        found = [
            each for each in report.files if each.file == file or each.file.startswith(f"{file}/")
        ]
        assert found, (file, harm)
        for each in found:
            assert each.status in ("loaded", "duplicate", "refused"), (harm, each)
            if each.status == "refused":
                assert each.reason and len(each.reason) < 2_500, (harm, each)
            elif each.status == "loaded" and each.format != "export_manifest":
                rows = each.row_count + each.rejected_count
                assert stored.get(each.content_hash, 0) == rows, (harm, each)


def write(landing: Path, name: str, content: bytes) -> None:
    path = landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture(autouse=True, scope="module")
def _ended_reader() -> object:
    yield None
    reader_process.close()
