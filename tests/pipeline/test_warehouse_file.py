"""A damaged warehouse is set aside and built again; a busy one is left alone."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from dagster_project import warehouse_file
from dagster_project.errors import WarehouseBusy
from dagster_project.settings import DataFolder


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """A data folder whose warehouse has a table of some blocks."""
    folder = DataFolder(tmp_path)
    with duckdb.connect(str(folder.warehouse)) as connection:
        connection.execute("create schema raw")
        connection.execute(
            "create table raw.bills as select range as id, md5(range::varchar) as text"
            " from range(100000)"
        )
    return folder


def damage_beginning(path: Path) -> None:
    path.write_bytes(b"\0" * 4096 + path.read_bytes()[4096:])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def write_text_over(path: Path) -> None:
    path.write_text("this was a database\n" * 1000)


def put_a_folder_there(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [damage_beginning, cut, write_text_over, put_a_folder_there])
def test_a_file_that_cannot_be_opened_is_set_aside_and_reported(data: DataFolder, damage) -> None:
    damage(data.warehouse)
    said: list[str] = []
    warehouse_file.make_usable(data, said.append)
    assert not data.warehouse.exists()
    assert data.warehouse.with_name("warehouse.duckdb.damaged").exists()
    assert "built again from landing and ledger; nothing is lost" in said[0]
    with duckdb.connect(str(data.warehouse)) as connection:
        assert connection.execute("select count(*) from duckdb_tables()").fetchall() == [(0,)]


def test_an_empty_file_is_a_new_warehouse(data: DataFolder) -> None:
    empty(data.warehouse)
    warehouse_file.make_usable(data)
    with duckdb.connect(str(data.warehouse)) as connection:
        connection.execute("create table works as select 1")


def test_a_log_of_another_database_is_not_replayed_into_a_new_one(data: DataFolder) -> None:
    log = data.warehouse.with_name("warehouse.duckdb.wal")
    data.warehouse.unlink()
    log.write_bytes(b"of another database")
    warehouse_file.make_usable(data)
    assert not log.exists()


def test_a_log_that_does_not_belong_sets_the_warehouse_aside(data: DataFolder) -> None:
    data.warehouse.with_name("warehouse.duckdb.wal").write_bytes(b"\xff" * 5000)
    warehouse_file.make_usable(data)
    with duckdb.connect(str(data.warehouse)) as connection:
        connection.execute("select 1")


def test_a_block_that_is_damaged_in_the_middle_is_found_after_a_failed_run(
    data: DataFolder,
) -> None:
    content = bytearray(data.warehouse.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = b"\xaa" * 64
    data.warehouse.write_bytes(bytes(content))
    warehouse_file.make_usable(data)
    assert data.warehouse.exists(), "opening does not read this block"
    assert warehouse_file.set_aside_if_damaged(data)
    assert not data.warehouse.exists()


def test_a_sound_warehouse_is_left_alone(data: DataFolder) -> None:
    before = data.warehouse.read_bytes()
    warehouse_file.make_usable(data)
    assert not warehouse_file.set_aside_if_damaged(data)
    assert data.warehouse.read_bytes() == before


def test_a_warehouse_that_another_program_has_open_is_busy_not_damaged(data: DataFolder) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('open', flush=True);"
            " time.sleep(60)",
            str(data.warehouse),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(WarehouseBusy, match="open in another program"):
            warehouse_file.make_usable(data)
        # The run that it stopped has failed too: that is no reason to move the file away.
        assert not warehouse_file.set_aside_if_damaged(data)
        assert data.warehouse.exists()
    finally:
        holder.kill()
        holder.wait()
