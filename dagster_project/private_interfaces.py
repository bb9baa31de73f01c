"""Interfaces of Dagster and dbt that their makers do not document, in this module only.

Each function states why the documented interface does not suffice. Versions are pinned in
pyproject.toml; tests/test_private_interfaces.py fails if an upgrade removes one of them.
Imports are inside the functions: Dagster and dbt take seconds to import, and a run in which
nothing has changed needs neither.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import dagster as dg
    from dagster_dbt import DagsterDbtTranslator


COMMIT_SECONDS = 0.2
"""The longest time that an event waits in memory before it is on disk."""


@contextmanager
def event_log_held_open(instance: "dg.DagsterInstance") -> Iterator[None]:
    """Keep the SQLite files of the event log open, and write events in groups.

    A run has about a thousand events. For each, Dagster makes a new SQLAlchemy engine, which
    compiles each statement again, opens the file and commits: more than half of the time of a small
    run outside dbt. Dagster has no setting for it. Does nothing where the instance keeps its events
    in another kind of storage. Events are committed at least every COMMIT_SECONDS, so that the web
    UI follows a run, and all of them when the context ends.
    """
    from dagster._core.storage.event_log import SqliteEventLogStorage

    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage):
        yield
        return
    connections = _KeptConnections(storage)
    has_index_columns = storage.has_asset_key_index_cols()
    # Read from the schema for each event otherwise.
    storage._has_asset_key_index_cols_on_connection = (  # type: ignore[method-assign]
        lambda conn: has_index_columns
    )
    storage._connect = connections.connect  # type: ignore[method-assign]
    try:
        yield
    finally:
        del storage._connect, storage._has_asset_key_index_cols_on_connection
        connections.close()


@contextmanager
def no_events_planned(instance: "dg.DagsterInstance") -> Iterator[None]:
    """Create runs without an event for each asset and check that they might build or evaluate.

    A run leaves out what is unchanged. Dagster would show a planned check without a result as
    skipped, instead of its last result, and spend a second on 600 events that say nothing. Dagster
    has no setting for it.
    """
    from dagster._core.instance.runs.run_domain import RunDomain

    domain = instance.run_domain
    assert isinstance(domain, RunDomain)
    domain._log_asset_planned_events = (  # type: ignore[method-assign]
        lambda dagster_run, execution_plan_snapshot, asset_graph: None
    )
    try:
        yield
    finally:
        del domain._log_asset_planned_events


class _KeptConnections:
    """One open connection for each file of an event log, used by one thread at a time."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._lock = threading.Lock()
        self._connections: dict[str, Any] = {}
        self._is_closing = threading.Event()
        self._fault: Exception | None = None
        self._committing = threading.Thread(target=self._commit_regularly, daemon=True)
        self._committing.start()

    @contextmanager
    def connect(self, shard: str) -> Iterator[Any]:
        """The connection for a run id or `index`, in a transaction that is committed later."""
        with self._lock:
            if self._fault is not None:
                # A full disk is one fault, whatever cannot be written after it.
                raise self._fault
            connection = self._connections.get(shard) or self._open(shard)
            if not connection.in_transaction():
                connection.begin()
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise

    def close(self) -> None:
        """Commit all events and close the files."""
        self._is_closing.set()
        self._committing.join()
        with self._lock:
            for connection in self._connections.values():
                self._commit(connection)
                connection.close()
                connection.engine.dispose()
        if self._fault is not None:
            raise self._fault

    def _open(self, shard: str) -> Any:
        import sqlalchemy
        from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS

        engine = sqlalchemy.create_engine(
            self._storage.conn_string_for_shard(shard),
            poolclass=sqlalchemy.pool.NullPool,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        if shard not in self._storage._initialized_dbs:
            self._storage._initdb(engine)
            self._storage._initialized_dbs.add(shard)
        connection = engine.connect()
        # Of the journal mode WAL, which Dagster sets: a crash of the machine can lose the last
        # events, and damages nothing.
        connection.execute(sqlalchemy.text("pragma synchronous = normal"))
        connection.commit()
        self._connections[shard] = connection
        return connection

    def _commit_regularly(self) -> None:
        while not self._is_closing.wait(COMMIT_SECONDS):
            with self._lock:
                for connection in self._connections.values():
                    if connection.in_transaction():
                        self._commit(connection)

    def _commit(self, connection: Any) -> None:
        """Commit the events of a file; keep the first fault for the thread of the run."""
        import sqlalchemy

        try:
            if self._fault is None:
                connection.commit()
            else:
                connection.rollback()
        except sqlalchemy.exc.SQLAlchemyError as fault:
            self._fault = self._fault or fault
            with suppress(sqlalchemy.exc.SQLAlchemyError):
                connection.rollback()


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
    server cannot distinguish its own pages from those of other sites.
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
