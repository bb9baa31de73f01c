"""Interfaces of Dagster and dbt that their makers do not document, in this module only.

Each function states why the documented interface does not suffice. Versions are pinned in
pyproject.toml; tests/test_private_interfaces.py fails if an upgrade removes one of them.
Imports are inside the functions: Dagster and dbt take seconds to import, and a run in which
nothing has changed needs neither.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import dagster as dg
    from dagster_dbt import DagsterDbtTranslator


@contextmanager
def event_log_held_open(instance: "dg.DagsterInstance", run_id: str) -> Iterator[None]:
    """Keep the SQLite files of the event log open while a run writes to them.

    Dagster opens and closes the files for each of about a thousand events, and SQLite cleans up a
    file whenever its last connection closes: a fifth of a run's time. Dagster has no setting for
    it. Does nothing where the instance keeps its events in another kind of storage.
    """
    from dagster._core.storage.event_log import SqliteEventLogStorage

    storage = instance.event_log_storage
    with ExitStack() as stack:
        if isinstance(storage, SqliteEventLogStorage):
            # The first connection creates the file of the run.
            with storage.run_connection(run_id):
                pass
            for shard in ("index", run_id):
                path = storage.path_for_shard(shard)
                connection = stack.enter_context(closing(sqlite3.connect(path)))
                # SQLite opens a file at the first query, not before.
                connection.execute("select count(*) from sqlite_master").fetchone()
        yield


def dbt_selection(
    context: "dg.AssetExecutionContext",
    manifest: Mapping[str, Any],
    translator: "DagsterDbtTranslator",
) -> tuple[list[str], str | None]:
    """The dbt arguments that select the assets of a step, and dbt's indirect selection mode.

    Dagster's documented way is `DbtCliResource`, which starts a process for dbt: its imports take
    several seconds of every run. We run dbt in our own process and need the arguments alone. The
    mode is None where all assets are selected.
    """
    from dagster_dbt.asset_utils import get_subset_selection_for_context

    return get_subset_selection_for_context(context, manifest, None, None, None, translator, None)


def asset_events(
    event: dict[str, Any],
    context: "dg.AssetExecutionContext",
    manifest: Mapping[str, Any],
    translator: "DagsterDbtTranslator",
) -> Iterator[Any]:
    """The materializations and check results of one dbt event.

    `DbtCliResource` makes them too, and from the output of its own process only.
    """
    from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

    message = DbtCoreCliEventMessage(raw_event=event, event_history_metadata={})
    yield from message.to_default_asset_events(
        manifest, dagster_dbt_translator=translator, context=context
    )


def read_parsed_project(path: Path) -> Any:
    """The dbt manifest in a `partial_parse.msgpack`, ready for `dbtRunner(manifest=...)`.

    `dbtRunner` documents that it accepts a manifest, and no way to read one from disk. Parsing the
    project instead takes several seconds of every run.
    """
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    manifest = Manifest.from_msgpack(path.read_bytes(), decoder=extended_mashumuro_decoder)
    manifest.build_flat_graph()
    return manifest


def release_warehouse() -> None:
    """Close dbt-duckdb's handle on the warehouse.

    It stays open until the process ends, which is right for the command line `dbt`. Our process
    continues after dbt, and opens the file with other settings.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    DuckDBConnectionManager.close_all_connections()


def run_web_server(middleware: Callable[..., Any]) -> None:
    """Become `dagster-webserver`, with an ASGI middleware in front of all that it answers.

    Arguments are those of the process. Dagster documents no way to add a middleware, and its
    server cannot tell its own pages from those of other sites.
    """
    from dagster_webserver.app import create_app_from_workspace_process_context
    from dagster_webserver.cli import main
    from dagster_webserver.webserver import DagsterWebserver
    from starlette.middleware import Middleware

    class GuardedWebserver(DagsterWebserver):
        def build_middleware(self) -> list[Middleware]:
            return [Middleware(middleware), *super().build_middleware()]

    # The server makes its app from this name.
    create_app_from_workspace_process_context.__globals__["DagsterWebserver"] = GuardedWebserver
    main()  # type: ignore[no-untyped-call]
