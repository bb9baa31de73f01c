"""The warehouse as dbt opens it: locked like every other connection (database).

dbt-duckdb loads this module by the profile. It calls `configure_connection` once per connection,
after the database is open and before any statement of a model.
"""

from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection

from dagster_project import database
from dagster_project.settings import DBT_FOLDER


class Plugin(BasePlugin):  # type: ignore[misc]
    """Locks dbt's connection; seeds are the only files that its statements read."""

    def update_connection_config(self, creds: Any, config: dict[str, Any]) -> None:
        """The settings with which the database is opened."""
        config.update(database.WITHOUT_EXTENSIONS)

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Lock the connection."""
        database.lock(conn, (DBT_FOLDER / "seeds",))
