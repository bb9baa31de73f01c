"""Published databases hold nothing that reads files, other databases or the network."""

import json
from pathlib import Path

import duckdb
import pytest
from conftest import MadeOnce
from published_company import copied, published_company

from dagster_project.exports.customer import write_customer_editions
from dagster_project.exports.scope import open_published
from dagster_project.settings import DataFolder


def _nodes(tree: object) -> list[dict]:
    """All objects of a serialized statement."""
    found = []
    if isinstance(tree, dict):
        found.append(tree)
        tree = list(tree.values())
    if isinstance(tree, list):
        for each in tree:
            found += _nodes(each)
    return found


def _view_reaches_out(connection: duckdb.DuckDBPyConnection, view_sql: str) -> bool:
    _, _, select = view_sql.partition(" AS ")
    ((serialized,),) = connection.execute(
        "select json_serialize_sql(?)", [select.rstrip("; \n")]
    ).fetchall()
    own = connection.execute("select schema_name, table_name from objects").fetchall()
    own += [("", name) for _, name in own]
    return any(
        node.get("type") == "TABLE_FUNCTION"
        or (
            node.get("type") == "BASE_TABLE"
            and ((node["schema_name"], node["table_name"]) not in own or node["catalog_name"] != "")
        )
        for node in _nodes(json.loads(serialized))
    )


def objects_that_reach_out(path: Path) -> list[str]:
    """The macros of a database, its columns with computed defaults, and views of what it lacks."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{path}' as looked_at (read_only)")
        connection.execute("set enable_external_access = false")
        connection.execute(
            """
            create view objects as
            select schema_name, table_name from duckdb_tables() where database_name = 'looked_at'
            union all
            select schema_name, view_name from duckdb_views()
            where database_name = 'looked_at' and not internal
            """
        )
        found = [
            f"macro {name}"
            for (name,) in connection.execute(
                "select function_name from duckdb_functions()"
                " where database_name = 'looked_at' and not internal"
            ).fetchall()
        ]
        found += [
            f"default of {table}.{column}"
            for table, column in connection.execute(
                "select table_name, column_name from duckdb_columns()"
                " where database_name = 'looked_at' and column_default is not null"
            ).fetchall()
        ]
        views = connection.execute(
            "select view_name, sql from duckdb_views()"
            " where database_name = 'looked_at' and not internal"
        ).fetchall()
        found += [f"view {name}" for name, sql in views if _view_reaches_out(connection, sql)]
        # What is left can be read without any access to files.
        for schema, table in connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'looked_at'"
        ).fetchall():
            connection.execute(f'select * from looked_at."{schema}"."{table}" limit 1').fetchall()
        return sorted(found)


@pytest.fixture(scope="module")
def data(made_once: MadeOnce) -> DataFolder:
    return published_company(made_once)


def test_the_published_database_reaches_nothing_outside(data: DataFolder) -> None:
    assert objects_that_reach_out(data.published_database) == []


def test_the_databases_of_customers_reach_nothing_outside(data: DataFolder, tmp_path: Path) -> None:
    copy = copied(data, tmp_path / "data")
    with open_published(copy) as connection:
        list(write_customer_editions(connection, copy, "2026-01", "2026-02", tmp_path / "exports"))
    written = sorted((copy.published / "organizations").glob("*.duckdb"))
    assert [path.stem for path in written] == ["evergreen", "harbor"]
    for path in written:
        assert objects_that_reach_out(path) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("create view outside as select * from read_csv('/tmp/x.csv')", "view outside"),
        ("create view outside as from a where n in (select 1 from glob('/*'))", "view outside"),
        ("create view outside as from other.a", "view outside"),
        ("create macro outside() as table select * from read_text('/etc/passwd')", "macro outside"),
        ("create macro outside(x) as x + 1", "macro outside"),
        ("create table b (n integer default (random()))", "default of b.n"),
    ],
)
def test_an_object_that_reaches_outside_is_found(
    tmp_path: Path, statement: str, found: str
) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    path = tmp_path / "bad.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"attach '{tmp_path / 'other.duckdb'}' as other")
        connection.execute("create table other.a (n integer)")
        connection.execute("create table a (n integer)")
        connection.execute("create view inside as select n from a")
        connection.execute(statement.replace("/tmp/x.csv", str(tmp_path / "x.csv")))
    assert objects_that_reach_out(path) == [found]
