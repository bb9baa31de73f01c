"""The published tables, served to several clients at once."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import duckdb
import pytest
from conftest import MadeOnce
from published_company import copied, published_company

from dagster_project.settings import PROJECT_ROOT, DataFolder

sys.path.insert(0, str(PROJECT_ROOT / "deploy"))
import serve_published

TOKEN = "only-for-this-test-" + "x" * 32
LONGEST_SECONDS = 60
TOTALS = "select currency, sum(charged_amount) from marts.chargeback group by 1 order by 1"


@dataclass(frozen=True)
class Client:
    """A client in a connection of its own."""

    port: int
    token: str = TOKEN

    def ask(self, sql: str) -> list[tuple]:
        with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
            for package in ("httpfs", "quack"):
                connection.execute(f"load '{serve_published.extension(package)}'")
            return connection.execute(
                "from quack_query($address, $sql, token = $token, disable_ssl = true)",
                {"address": f"quack:127.0.0.1:{self.port}", "sql": sql, "token": self.token},
            ).fetchall()


@pytest.fixture(scope="module")
def data(made_once: MadeOnce, tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    return copied(published_company(made_once), tmp_path_factory.mktemp("served") / "data")


@pytest.fixture(scope="module")
def client(data: DataFolder) -> Iterator[Client]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "deploy/serve_published.py", str(data.root), str(port)],
        cwd=PROJECT_ROOT,
        env={"APPORTION_SERVE_TOKEN": TOKEN, "PATH": "/usr/bin", "PYTHONPATH": str(PROJECT_ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout and process.stdout.readline().startswith("Serving")
        yield Client(port)
    finally:
        process.terminate()
        assert process.wait(LONGEST_SECONDS) == 0


def test_several_clients_read_the_same_figures_at_once(client: Client, data: DataFolder) -> None:
    with duckdb.connect(str(data.published_database), read_only=True) as connection:
        expected = connection.execute(TOTALS).fetchall()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(client.ask, [TOTALS] * 12))
    assert len(expected) == 2 and answers == [expected] * 12


@pytest.mark.parametrize(
    "sql",
    [
        "create table marts.other as select 1",
        "drop table published.marts.chargeback",
        "set enable_external_access = true",
        "attach '/tmp/other.duckdb'",
        "copy (select 1) to '/tmp/other.csv'",
        "from read_csv('/etc/passwd')",
        "from '/etc/passwd'",
        "from quack_stop('quack:127.0.0.1')",
        "select 1; drop view marts.chargeback",
    ],
)
def test_a_client_can_only_select(client: Client, sql: str) -> None:
    refused = r"Authorization failed|disabled by configuration|/etc/passwd does not exist"
    with pytest.raises(duckdb.Error, match=refused):
        client.ask(sql)
    assert client.ask("select count(*) > 0 from marts.chargeback") == [(True,)]


def test_without_the_token_nothing_is_answered(client: Client) -> None:
    with pytest.raises(duckdb.Error, match="Authentication failed"):
        Client(client.port, "another-token").ask("select 1")


def test_the_server_shows_a_new_version(client: Client, data: DataFolder) -> None:
    path = data.published_database
    other = path.with_name("other.duckdb")
    with duckdb.connect(str(other)) as connection:
        connection.execute("create schema marts")
        connection.execute("create table marts.chargeback as select 'new' as currency")
    other.replace(path)
    until = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < until:
        try:
            found = client.ask("select currency from marts.chargeback limit 1")
        except duckdb.Error:
            found = []
        if found == [("new",)]:
            return
        time.sleep(0.5)
    pytest.fail("the server still shows the version before")
