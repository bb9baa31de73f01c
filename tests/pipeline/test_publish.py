import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from conftest import Company

from dagster_project import dbt_runner, publish, published_tables
from dagster_project.exports.scope import open_published
from dagster_project.settings import DataFolder


@pytest.fixture(scope="module")
def published(sample_company: Company, tmp_path_factory: pytest.TempPathFactory) -> Company:
    """A copy: these tests publish again."""
    copy = tmp_path_factory.mktemp("published") / "data"
    shutil.copytree(sample_company.data.root, copy)
    return Company(DataFolder(copy))


def tables(data: DataFolder) -> dict[str, int]:
    with duckdb.connect(str(data.published_database), read_only=True) as connection:
        return dict(
            connection.execute(
                """
                select schema_name || '.' || table_name, estimated_size
                from duckdb_tables() order by 1
                """
            ).fetchall()
        )


def test_only_the_marts_are_published(published: Company) -> None:
    marts = {
        f"marts.{name}"
        for (name,) in published.query(
            "select table_name from duckdb_tables() where schema_name = 'marts'"
        )
    }
    assert set(tables(published.data)) == marts
    files = {path.stem for path in (published.data.published / "marts").iterdir()}
    assert {f"marts.{name}" for name in files} == marts
    assert not list(published.data.published.rglob("*.building*"))


def test_the_published_state_is_that_of_the_current_version(
    tmp_path: Path,
) -> None:
    data = DataFolder(tmp_path)
    assert publish.published_state(data) is None
    current = data.published / "current"
    current.mkdir(parents=True)
    assert publish.published_state(data) is None
    (current / published_tables.STATE).write_text('{"state_id": "3f9a51c0"}\n')
    assert publish.published_state(data) == "3f9a51c0"
    (current / published_tables.STATE).write_text('{"state')
    assert publish.published_state(data) is None


def test_parquet_and_duckdb_contain_the_same_rows(published: Company) -> None:
    with duckdb.connect(str(published.data.published_database), read_only=True) as connection:
        for table in tables(published.data):
            parquet = published.data.published / "marts" / f"{table.split('.')[1]}.parquet"
            differing = connection.execute(
                f"""
                (from {table} except all from read_parquet('{parquet}'))
                union all
                (from read_parquet('{parquet}') except all from {table})
                """
            ).fetchall()
            assert differing == [], table


def content(data: DataFolder) -> dict[str, list[tuple]]:
    """The rows and comments of all tables, and the rows of all Parquet files, in their order."""
    found: dict[str, list[tuple]] = {}
    with duckdb.connect(str(data.published_database), read_only=True) as connection:
        for table in tables(data):
            found[table] = sorted(connection.execute(f"from {table}").fetchall(), key=repr)
        found["comments"] = connection.execute(
            """
            select table_name, null, comment from duckdb_tables()
            union all select table_name, column_name, comment from duckdb_columns() order by all
            """
        ).fetchall()
        for path in sorted((data.published / "marts").iterdir()):
            found[path.name] = connection.execute(f"from read_parquet('{path}')").fetchall()
    return found


def publish_again(data: DataFolder, *, afresh: bool = False) -> set[str]:
    """Publish a new version; returns the Parquet files that were written and not linked."""
    if afresh:
        (data.published / "current" / published_tables.STATE).unlink()
    publish.publish(data, dbt_runner.read_manifest(), "3f9a51c0" * 8)
    files = (data.published / "marts").iterdir()
    return {path.stem for path in files if path.stat().st_nlink == 1}


def test_a_version_is_made_from_the_one_before(published: Company, tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    shutil.copytree(published.data.root, data.root, symlinks=True)
    everything = publish_again(data)
    assert len(everything) == len(tables(data))
    assert publish_again(data) == set()
    split = data.landing / "split_history" / "cobalt.csv"
    split.write_text("".join(split.read_text().splitlines(keepends=True)[:-2]))
    Company(data).build()
    before = content(data)
    written = publish_again(data)
    assert {"billing_report", "chargeback"} <= written < everything
    changed = content(data)
    assert changed["billing_report.parquet"] != before["billing_report.parquet"]
    assert publish_again(data, afresh=True) == everything
    assert content(data) == changed


def test_what_somebody_changed_in_a_version_is_not_carried_over(
    published: Company, tmp_path: Path
) -> None:
    data = DataFolder(tmp_path / "data")
    shutil.copytree(published.data.root, data.root, symlinks=True)
    everything = publish_again(data)
    right = content(data)
    with duckdb.connect(str(data.published_database)) as connection:
        connection.execute("update marts.billing_report set total_cost = 0")
    assert publish_again(data) == everything
    assert content(data) == right
    parquet = data.published / "marts" / "chargeback.parquet"
    parquet.write_bytes(parquet.read_bytes()[:-1])
    assert publish_again(data) == everything
    assert content(data) == right


def test_rows_are_in_the_order_of_a_key(published: Company) -> None:
    keys = publish._keys(dbt_runner.read_manifest())
    assert keys["billing_report"] == ("billing_period", "line_id", "cost_center_id")
    with duckdb.connect() as connection:
        connection.execute(f"attach '{published.data.warehouse}' as warehouse (read_only)")
        for path in (published.data.published / "marts").iterdir():
            columns = connection.execute(f"describe from read_parquet('{path}')").fetchall()
            named = publish._order([name for name, *_ in columns], keys.get(path.stem))
            order = ", ".join(f'"{name}"' for name in named) or "all"
            in_order = connection.execute(
                f"from warehouse.marts.{path.stem} order by {order}"
            ).fetchall()
            assert connection.execute(f"from '{path}'").fetchall() == in_order, path.stem


def test_a_key_is_a_combination_of_columns_or_a_unique_column_without_nulls() -> None:
    def test_of(mart: str, kind: str, severity: str = "error", **kwargs: object) -> dict:
        return {
            "config": {"severity": severity},
            "attached_node": mart,
            "test_metadata": {"name": kind, "kwargs": kwargs},
        }

    nodes: dict[str, dict] = {mart: {"name": mart, "config": {}} for mart in "abcd"}
    nodes |= {
        "1": test_of("a", "unique_combination", columns=["x", "y"]),
        "2": test_of("b", "unique", column_name="x"),
        "3": test_of("b", "not_null", column_name="x"),
        "4": test_of("c", "unique", column_name="x"),
        "5": test_of("d", "unique_combination", severity="warn", columns=["x"]),
    }
    assert publish._keys({"nodes": nodes}) == {"a": ("x", "y"), "b": ("x",)}


def test_every_published_table_and_column_has_a_comment(published: Company) -> None:
    with duckdb.connect(str(published.data.published_database), read_only=True) as connection:
        silent = connection.execute(
            """
            select table_name, column_name from duckdb_columns()
            where schema_name = 'marts' and coalesce(comment, '') = ''
            union all
            select table_name, null from duckdb_tables() where coalesce(comment, '') = ''
            """
        ).fetchall()
    assert silent == []


def test_clients_of_the_last_years_can_open_the_file(published: Company) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{published.data.published_database}' as published (read_only)")
        row = connection.execute(
            "select tags['storage_version'] from duckdb_databases() where database_name = ?",
            ["published"],
        ).fetchone()
    assert row is not None
    assert row[0].startswith("v1.0.0")


def test_a_reader_keeps_reading_while_a_new_file_is_published(published: Company) -> None:
    reader = duckdb.connect(str(published.data.published_database), read_only=True)
    before = reader.execute("select count(*) from marts.billing_report").fetchall()
    publish.publish(published.data, dbt_runner.read_manifest(), "state")
    assert reader.execute("select count(*) from marts.billing_report").fetchall() == before
    reader.close()


def test_a_program_sees_new_results_with_each_connection_that_it_opens(
    published: Company,
) -> None:
    path = str(published.data.published_database)
    seen = "select count(*) from duckdb_tables() where table_name = 'added'"
    first = duckdb.connect(path, read_only=True)
    with duckdb.connect(str(published.data.warehouse)) as warehouse:
        warehouse.execute("create table marts.added as select 1 as one")
    try:
        publish.publish(published.data, dbt_runner.read_manifest(), "state")
        second = duckdb.connect(path, read_only=True)
        apart = open_published(published.data)
        # As docs/for-bi.md says: the open connection keeps its results, a new one has the new.
        assert first.execute(seen).fetchall() == [(0,)]
        assert second.execute(seen).fetchall() == [(1,)]
        assert apart.execute(seen).fetchall() == [(1,)]
        for connection in (first, second, apart):
            connection.close()
    finally:
        with duckdb.connect(str(published.data.warehouse)) as warehouse:
            warehouse.execute("drop table marts.added")
        publish.publish(published.data, dbt_runner.read_manifest(), "state")


def test_a_publication_that_fails_leaves_the_old_one_in_place(
    published: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = published.data.published_database.read_bytes()

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(publish, "_describe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publish.publish(published.data, dbt_runner.read_manifest(), "state")
    assert published.data.published_database.read_bytes() == before


READER = """
import sys, time
from pathlib import Path

import duckdb

published, seconds = Path(sys.argv[1]), float(sys.argv[2])
looks = mixed = 0
deadline = time.monotonic() + seconds
while time.monotonic() < deadline:
    # Resolved once: every file of this folder is of one version.
    marts = (published / "marts").resolve(strict=True)
    stamps = {
        duckdb.sql(f"select max(version) from '{marts / name}.parquet'").fetchone()[0]
        for name in ("first_seen", "last_seen")
    }
    with duckdb.connect(str(published / "apportion.duckdb"), read_only=True) as database:
        stamps_inside = {
            database.sql(f"select max(version) from marts.{name}").fetchone()[0]
            for name in ("first_seen", "last_seen")
        }
    looks += 1
    mixed += len(stamps) > 1 or len(stamps_inside) > 1
print(looks, mixed)
"""


def test_readers_that_loop_see_one_version_each_time(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)

    def publish_version(number: int) -> None:
        with duckdb.connect(str(data.warehouse)) as warehouse:
            warehouse.execute("create schema if not exists marts")
            # Published first and last, in alphabetical order.
            for name in ("first_seen", "last_seen", "middle"):
                warehouse.execute(
                    f"create or replace table marts.{name} as"
                    f" select {number} as version, range as row_number from range(20000)"
                )
        publish.publish(data, {"nodes": {}}, f"{number:08d}")

    publish_version(0)
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(data.published), "4"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    number = 0
    while any(reader.poll() is None for reader in readers):
        number += 1
        publish_version(number)
    results = [reader.communicate()[0].split() for reader in readers]
    # A reader that failed has printed nothing.
    assert [reader.returncode for reader in readers] == [0, 0]
    assert number > 3
    assert all(int(looks) > 3 and mixed == "0" for looks, mixed in results), results
