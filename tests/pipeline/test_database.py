"""Connections that cannot leave their data: 25 attempts on each kind of connection, all refused.

Hostile text cannot become a statement, because values are parameters. These tests assume that it
could.
"""

import ast
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
import yaml
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.environments.local import LocalEnvironment

from dagster_project import database
from dagster_project.exports.scope import open_published
from dagster_project.quoting import sql_literal
from dagster_project.settings import DBT_FOLDER, PROJECT_ROOT, DataFolder

PROBES = (
    "select * from read_csv({outside_csv})",
    "select * from read_csv({climbing_csv})",
    "select * from read_csv_auto({outside_csv})",
    "from {outside_csv}",
    "select * from read_text('/etc/passwd')",
    "select * from read_blob({outside_csv})",
    "select * from read_json({outside_csv})",
    "select * from read_parquet({outside_csv})",
    "select * from glob({outside_files})",
    "select * from sniff_csv({outside_csv})",
    "select * from read_csv('https://example.com/x.csv')",
    "select * from read_parquet('s3://bucket/x.parquet')",
    "attach {outside_database} as stolen",
    "attach 'https://example.com/x.duckdb' as stolen",
    "attach 'host=127.0.0.1' as stolen (type postgres)",
    "copy (select 1) to {outside_copy}",
    "export database {outside_folder}",
    "import database {outside_folder}",
    "install httpfs",
    "load httpfs",
    "load {outside_extension}",
    "set enable_external_access = true",
    "set allowed_directories = ['/']",
    "set lock_configuration = false",
    "set memory_limit = '900GB'",
    "reset temp_directory",
    "create persistent secret stolen (type s3)",
    "set autoload_known_extensions = true",
)


OPEN: list[LocalEnvironment] = []
"""An environment closes its connection when it is no longer used."""


def dbts(data: DataFolder) -> duckdb.DuckDBPyConnection:
    """The connection that dbt opens for `dbt/profiles.yml`."""
    profile = yaml.safe_load((DBT_FOLDER / "profiles.yml").read_text())
    target = profile["apportion"]["outputs"]["duckdb"] | {"path": str(data.warehouse)}
    credentials = DuckDBCredentials.from_dict(
        {key: each for key, each in target.items() if key not in ("threads", "type")}
        | {"database": "warehouse", "schema": "main"}
    )
    environment = LocalEnvironment(credentials)
    environment.handle()
    OPEN.append(environment)
    connection: duckdb.DuckDBPyConnection = environment.conn
    return connection


KINDS: dict[str, Callable[[DataFolder], duckdb.DuckDBPyConnection]] = {
    "dbt": dbts,
    "landing": lambda data: database.connect_for_loading(data.warehouse),
    "closing": lambda data: database.connect(data.warehouse, folders=(data.ledger,)),
    "exports and app": open_published,
    "what-if": lambda data: database.connect(folders=(data.root,)),
    "customer": lambda data: database.connect(folders=(data.published / "organizations",)),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """A data folder with a published table, and a file outside of it."""
    root = tmp_path_factory.mktemp("database")
    data = DataFolder(root / "data")
    data.published.mkdir(parents=True)
    with duckdb.connect(str(data.published_database)) as connection:
        connection.execute("create schema marts; create table marts.chargeback as select 1 as a")
    (root / "outside.csv").write_text("a\n1\n")
    return data


@pytest.fixture(scope="module", params=list(KINDS))
def connection(
    request: pytest.FixtureRequest, data: DataFolder
) -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(KINDS[request.param](data)) as connection:
        yield connection


@pytest.mark.parametrize("probe", PROBES)
def test_no_statement_leaves_the_data(
    connection: duckdb.DuckDBPyConnection, data: DataFolder, probe: str
) -> None:
    outside = data.root.parent
    statement = probe.format(
        outside_csv=sql_literal(outside / "outside.csv"),
        climbing_csv=sql_literal(data.root / ".." / "outside.csv"),
        outside_files=sql_literal(outside / "*"),
        outside_database=sql_literal(outside / "stolen.duckdb"),
        outside_copy=sql_literal(outside / "stolen.csv"),
        outside_folder=sql_literal(outside / "stolen"),
        outside_extension=sql_literal(outside / "stolen.duckdb_extension"),
    )
    before = sorted(outside.iterdir())
    with pytest.raises(duckdb.Error) as refusal:
        connection.execute(statement).fetchall()
    assert "already closed" not in str(refusal.value)
    assert sorted(outside.iterdir()) == before


def test_every_connection_has_limits(connection: duckdb.DuckDBPyConnection) -> None:
    memory, temporary, is_locked = connection.execute(
        "select current_setting('memory_limit'), current_setting('max_temp_directory_size'),"
        " current_setting('lock_configuration')"
    ).fetchall()[0]
    assert is_locked
    assert temporary == "32.0 GiB"
    number, unit = memory.split()
    assert float(number) * {"MiB": 1, "GiB": 1024}[unit] <= 4096


def test_what_a_connection_needs_still_works(data: DataFolder, tmp_path: Path) -> None:
    with database.connect(folders=(tmp_path, data.published)) as connection:
        connection.execute(
            f"attach {sql_literal(data.published_database)} as published (read_only)"
        )
        target = sql_literal(tmp_path / "copy.parquet")
        connection.execute(f"copy (from published.marts.chargeback) to {target}")
        assert connection.execute(f"from {target}").fetchall() == [(1,)]


def test_no_other_module_opens_a_connection() -> None:
    found = [
        f"{path.relative_to(PROJECT_ROOT)}:{node.lineno}"
        for folder in ("dagster_project", "app")
        for path in sorted((PROJECT_ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute | ast.Name)
        and ast.unparse(node) in ("duckdb.connect", "duckdb.sql", "duckdb.query", "duckdb.execute")
        and path.name != "database.py"
    ]
    assert found == []


def test_a_new_database_has_the_newest_storage_format(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with database.connect(path) as connection:
        connection.execute("create table lines (amount decimal(28, 10))")
    with duckdb.connect(str(path), read_only=True) as connection:
        tags = connection.execute(
            "select tags from duckdb_databases() where database_name = 'warehouse'"
        ).fetchone()
    assert tags is not None
    major, minor = duckdb.__version__.split(".")[:2]
    assert tags[0]["storage_version"] == f"v{major}.{minor}.0+"
