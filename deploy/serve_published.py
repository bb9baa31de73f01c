"""Serve the published tables of a data folder to several DuckDB clients at once, read-only.

    APPORTION_SERVE_TOKEN=... .venv/bin/python deploy/serve_published.py FOLDER [PORT]

Listens on this machine only, by DuckDB's own remote protocol (extension quack, a beta in DuckDB
1.5). Everyone with the token reads every published table, with costs. A client can only select: the
database is attached read-only, other statements are refused, and no file outside is read. When a
run has published, the server starts again with the new version within two seconds; a query that
runs at that moment fails and can be repeated.
"""

import os
import signal
import sys
import time
from importlib.resources import files
from pathlib import Path
from types import FrameType

import duckdb

from dagster_project.quoting import sql_identifier, sql_literal
from dagster_project.settings import DataFolder

PORT = 9494
SHORTEST_TOKEN = 32
SECONDS_BETWEEN_LOOKS = 2

ONLY_SELECT = """
    create macro only_select(client, statement) as
    json_extract_string(json_serialize_sql(cast(statement as varchar)), '$.error') = 'false'
    and not regexp_matches(
        lower(cast(statement as varchar)), 'quack|whoami|secret|getenv|_setting|duckdb_log'
    )
    """
"""Only SELECT can be serialized. Functions of the server itself are refused, too."""


def extension(package: str) -> str:
    """The file of an extension that a package has for this version of DuckDB."""
    folder = Path(str(files(f"duckdb_extension_{package}")))
    return str(folder / "extensions" / f"v{duckdb.__version__}" / f"{package}.duckdb_extension")


def start(published: Path, port: int, token: str) -> duckdb.DuckDBPyConnection:
    """Serve one published version; the server runs until the connection is closed."""
    connection = duckdb.connect(
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    )
    # The signature of each is checked.
    for package in ("httpfs", "quack"):
        connection.execute(f"load {sql_literal(extension(package))}")
    connection.execute(f"attach {sql_literal(published)} as published (read_only)")
    connection.execute("create schema marts")
    tables = connection.execute(
        "select table_name from duckdb_tables() where database_name = 'published'"
    ).fetchall()
    for (table,) in tables:
        name = sql_identifier(table)
        connection.execute(f"create view marts.{name} as from published.marts.{name}")
    connection.execute(ONLY_SELECT)
    connection.execute("set quack_authorization_function = 'only_select'")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    connection.execute(
        "call quack_serve($address, token = $token, disable_ssl = true)",
        {"address": f"quack:127.0.0.1:{port}", "token": token},
    )
    return connection


def stop(connection: duckdb.DuckDBPyConnection, port: int) -> None:
    """End the server."""
    connection.execute("call quack_stop($address)", {"address": f"quack:127.0.0.1:{port}"})
    connection.close()


def identity(path: Path) -> tuple[int, int]:
    """The identity of a published file, which every run replaces."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def ended(number: int, frame: FrameType | None) -> None:
    """End as after control-C."""
    raise KeyboardInterrupt


def main() -> int:
    """Serve until stopped; each published version in turn."""
    if len(sys.argv) not in (2, 3):
        print(__doc__)
        return 2
    token = os.environ.get("APPORTION_SERVE_TOKEN", "")
    if len(token) < SHORTEST_TOKEN:
        print(f"APPORTION_SERVE_TOKEN must have at least {SHORTEST_TOKEN} characters")
        return 2
    published = DataFolder(Path(sys.argv[1]).resolve()).published_database
    port = int(sys.argv[2]) if len(sys.argv) == 3 else PORT
    signal.signal(signal.SIGTERM, ended)
    if not published.exists():
        print(f"nothing is published in {sys.argv[1]} yet: run make run first")
        return 2
    try:
        while True:
            version = identity(published)
            connection = start(published, port, token)
            print(f"Serving       {published} at quack:127.0.0.1:{port}", flush=True)
            try:
                while identity(published) == version:
                    time.sleep(SECONDS_BETWEEN_LOOKS)
            finally:
                stop(connection, port)
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
