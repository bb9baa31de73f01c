"""Builds from the statements that dbt compiled.

dbt renders a template for each of 500 models and tests, which takes twenty seconds of processor
time where DuckDB needs two for the statements. The statements depend on the project and not on the
data. So dbt builds after every change of the project, its compiled statements and its seeds are
kept, and later builds execute them in the order in which dbt did.

What would be the same as before is not built again: table_versions compares what each table was
built from. If a test of severity `error` finds rows, what dbt would skip after it is left out. If a
statement fails, dbt builds everything, so that the failure is dbt's own.

Belongs here: keeping the statements and executing them. Does not: what a statement is
(compiled_statements), when builds apply (the callers), and dbt itself (dbt_runner).
"""

import json
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import filelock

from dagster_project import compiled_statements, database, dbt_runner, run_state
from dagster_project.compiled_statements import NotKept, Statement, of_results
from dagster_project.quoting import sql_identifier, sql_literal
from dagster_project.settings import DataFolder
from dagster_project.table_versions import TableVersions

KEPT_FOLDER = dbt_runner.PARSED_FOLDER / "compiled_build"
STATEMENTS = "statements.json"
SEEDS = "seeds.duckdb"
COMMIT_SECONDS = 1


class DbtNeeded(Exception):
    """A kept statement failed; dbt must build."""

    def __init__(self, unique_id: str, reason: object) -> None:
        """The node that could not be built as it is kept."""
        super().__init__(f"{unique_id}: {reason}")


@dataclass(frozen=True)
class NodeResult:
    """A node that is built or tested: `failing_rows` is None for seeds and models.

    `is_unchanged` says that the result is the one of the earlier build: it was left out, or a table
    has the same rows again. `version` is that of the table or view; None for tests. `failure` is
    the message of a test of severity `error` that found rows.
    """

    unique_id: str
    seconds: float
    failing_rows: int | None
    is_unchanged: bool
    version: str | None
    failure: str | None = None


@dataclass(frozen=True)
class CompiledBuild:
    """The statements of a complete build in the order of dbt's build, and the file of its seeds."""

    statements: tuple[Statement, ...]
    sources: Mapping[str, str]
    seeds: Path

    @property
    def relations(self) -> dict[str, str]:
        """The quoted names of all tables and views that the build reads or makes, by unique id."""
        return {**self.sources, **{each.unique_id: each.relation for each in self.statements}}

    def only(self, unique_ids: Collection[str]) -> "CompiledBuild":
        """The build of these nodes alone."""
        return replace(
            self,
            statements=tuple(each for each in self.statements if each.unique_id in unique_ids),
        )

    def models_for(self, names: Collection[str]) -> "CompiledBuild":
        """The build of these models and everything that they are made of, without tests."""
        made_of = self.made_of()
        chosen = {
            each.unique_id
            for each in self.statements
            if each.kind != "test" and _name(each.unique_id) in names
        }
        return self.only(chosen.union(*map(made_of.__getitem__, chosen)))

    def without_tests(self) -> "CompiledBuild":
        """The build of seeds and models alone."""
        return replace(
            self, statements=tuple(each for each in self.statements if each.kind != "test")
        )

    def execute(self, connection: duckdb.DuckDBPyConnection) -> Iterator[NodeResult]:
        """Execute the statements whose inputs have changed, the seeds first: a result for each.

        Results come as they end; what is skipped after a failed test has none. DbtNeeded ends them.
        The file of the seeds stays attached.
        """
        for schema in sorted({each.schema for each in self.statements if each.kind != "test"}):
            connection.execute(f"create schema if not exists {schema}")
        connection.execute(f"attach {sql_literal(self.seeds)} as kept_seeds (read_only)")
        yield from self.results(connection, partial(execute_statement, connection))

    def record(
        self, connection: duckdb.DuckDBPyConnection, failing_rows: Mapping[str, int]
    ) -> None:
        """Record the results of a complete build that dbt has just made.

        `failing_rows` has the number for each test. The next build leaves out what is unchanged.
        """
        connection.begin()
        for _ in self.results(connection, lambda each: failing_rows.get(each.unique_id, 0)):
            pass
        connection.commit()

    def results(
        self, connection: duckdb.DuckDBPyConnection, execute: Callable[[Statement], int]
    ) -> Iterator[NodeResult]:
        """The results of all statements: `execute` is called for those with changed inputs."""
        versions = TableVersions(connection, self.relations, self._partition_columns())
        skipped: set[str] = set()
        # `False` sorts before `True`; the order is dbt's otherwise.
        for statement in sorted(self.statements, key=lambda each: each.kind != "seed"):
            if not skipped.isdisjoint((statement.unique_id, *statement.inputs)):
                continue
            started = time.monotonic()
            try:
                failing_rows, is_unchanged = self._unless_unchanged(statement, versions, execute)
            except duckdb.Error as error:
                raise DbtNeeded(statement.unique_id, error) from error
            failure = _failure(statement, failing_rows)
            if failure is not None:
                skipped |= self._skipped_after(statement)
            yield NodeResult(
                statement.unique_id,
                time.monotonic() - started,
                failing_rows,
                is_unchanged,
                None if statement.kind == "test" else versions.version(statement.unique_id),
                failure,
            )
        versions.record_tests()

    def _skipped_after(self, test: Statement) -> set[str]:
        """What dbt skips after a failed test: the models made of everything that the test reads."""
        made_of = self.made_of()
        return {
            each.unique_id
            for each in self.statements
            if each.kind != "test" and made_of[each.unique_id].issuperset(test.inputs)
        }

    def made_of(self) -> dict[str, frozenset[str]]:
        """Everything that each node is made of, directly or not, by their unique ids."""
        inputs = {each.unique_id: each.inputs for each in self.statements}

        @cache
        def found(node: str) -> frozenset[str]:
            direct = inputs.get(node, ())
            return frozenset(direct).union(*map(found, direct))

        return {node: found(node) for node in inputs}

    def _unless_unchanged(
        self, statement: Statement, versions: TableVersions, execute: Callable[[Statement], int]
    ) -> tuple[int | None, bool]:
        """The failing rows of a test, None for others, and whether the result is as before."""
        node = statement.unique_id
        definition = self._definition(statement)
        made_of = versions.made_of(definition, statement.inputs)
        if statement.kind == "test":
            known = versions.failing_rows(node, made_of)
            if known is not None:
                return known, True
            failing_rows = execute(statement)
            versions.tested(node, made_of, failing_rows)
            return failing_rows, False
        if statement.kind == "view":
            versions.view_reads(node, made_of)
            if versions.is_view_current(node, definition):
                return None, True
            execute(statement)
            versions.view_built(node, definition)
            return None, False
        if versions.is_table_current(node, made_of):
            return None, True
        if statement.partitions is None:
            execute(statement)
            return None, versions.table_built(node, made_of)
        wanted = self.partitions_made_of(statement, versions)
        stale = versions.stale_partitions(node, wanted)
        if stale is None:
            execute(statement)
        else:
            execute(statement.replacing(stale, wanted.keys() - set(stale), self.relations))
        column = statement.partitions.column
        return None, versions.partitions_built(node, made_of, column, wanted, stale)

    def _partition_columns(self) -> dict[str, set[str]]:
        """The columns by which tables and views are read in partitions, by unique id."""
        found: dict[str, set[str]] = {}
        for statement in self.statements:
            if statement.partitions is not None:
                for node, column in statement.partitions.inputs.items():
                    found.setdefault(node, set()).add(column)
        return found

    def partitions_made_of(self, statement: Statement, versions: TableVersions) -> dict[str, str]:
        """A hash of what each partition of a table is made of, by the value of its column."""
        assert statement.partitions is not None
        of_inputs = statement.partitions.inputs
        others = [each for each in statement.inputs if each not in of_inputs]
        common = versions.made_of(self._definition(statement), others)
        by_input = [versions.of_partitions(*each) for each in sorted(of_inputs.items())]
        return {
            value: sha256(
                "\0".join([common, *(each.get(value, "") for each in by_input)]).encode()
            ).hexdigest()
            for value in set().union(*by_input)
        }

    def _definition(self, statement: Statement) -> str:
        """A hash of everything except its inputs that the result of a statement depends on."""
        parts = [duckdb.__version__, statement.kind, statement.columns, statement.code]
        if statement.kind == "seed":
            # The folder is named by a hash of the project.
            parts.append(self.seeds.parent.name)
        if statement.kind == "python":
            parts.append(run_state.package_fingerprint())
        return sha256("\0".join(parts).encode()).hexdigest()

    def execute_and_commit(self, connection: duckdb.DuckDBPyConnection) -> Iterator[NodeResult]:
        """Execute all statements, and commit what is done at most once a second, and at the end.

        A commit waits for the disk; 200 small tables spend more time on it than on their rows.
        """
        connection.begin()
        begun = time.monotonic()
        for result in self.execute(connection):
            yield result
            if time.monotonic() - begun >= COMMIT_SECONDS:
                connection.commit()
                connection.begin()
                begun = time.monotonic()
        connection.commit()


def _failure(statement: Statement, failing_rows: int | None) -> str | None:
    """The message of a test of severity `error` that found rows."""
    if not failing_rows or statement.severity != "error":
        return None
    return dbt_runner.failed_check(_name(statement.unique_id), failing_rows)


def _name(unique_id: str) -> str:
    """The name of a node: `model.apportion.chargeback` is chargeback."""
    return unique_id.split(".")[2]


def execute_statement(connection: duckdb.DuckDBPyConnection, statement: Statement) -> int:
    """Execute one statement; returns the number of failing rows of a test, 0 for others."""
    relation, code = statement.relation, statement.code
    match statement.kind:
        case "seed":
            kept = relation.replace(relation.split(".")[0], "kept_seeds", 1)
            connection.execute(f"create or replace table {relation} as from {kept}")
        case "view":
            connection.execute(f"create or replace view {relation} as ({code})")
        case "table":
            connection.execute(f"create or replace table {relation} as ({code})")
        case "contract":
            connection.execute(f"create or replace table {relation} {statement.columns}")
            connection.execute(f"insert into {relation} by name ({code})")
        case "partitions":
            connection.execute(f"delete from {relation} where {statement.columns}")
            connection.execute(f"insert into {relation} by name ({code})")
        case "python":
            connection.register("model_result", _result_of_python_model(code, connection))
            connection.execute(f"create or replace table {relation} as from model_result")
            connection.unregister("model_result")
        case "test":
            row = connection.execute(f"select count(*) from ({code})").fetchone()
            assert row is not None
            return int(row[0])
        case _:
            raise NotKept(statement.kind)
    return 0


def _result_of_python_model(code: str, connection: duckdb.DuckDBPyConnection) -> Any:
    """The data frame of a Python model, called as dbt-duckdb calls it."""
    module: dict[str, Any] = {"__name__": "python_model"}
    # The project's own model, as dbt compiled it.
    exec(code, module)  # nosec B102
    dbt = module["dbtObj"](lambda relation: connection.query(f"select * from {relation}"))
    return module["model"](dbt, connection)


def connect(warehouse: Path) -> duckdb.DuckDBPyConnection:
    """A connection that can execute a build on a warehouse."""
    return database.connect(warehouse, folders=(KEPT_FOLDER,))


def build_models(
    warehouse: Path,
    names: Collection[str],
    on_result: Callable[[int, int], None] = lambda done, total: None,
) -> bool:
    """Build models and all that they are made of, without tests; false if dbt must build them.

    `on_result` receives the number of nodes built and of all nodes.
    """
    if (complete := kept()) is None:
        return False
    compiled = complete.models_for(names)
    with connect(warehouse) as connection:
        try:
            for done, _ in enumerate(compiled.execute_and_commit(connection), start=1):
                on_result(done, len(compiled.statements))
        except DbtNeeded:
            return False
    return True


# --- keeping ------------------------------------------------------------------------------------


def kept() -> CompiledBuild | None:
    """The build kept for the project as it is now, if there is one."""
    folder = KEPT_FOLDER / _fingerprint()
    if not (folder / STATEMENTS).exists():
        return None
    kept_build = json.loads((folder / STATEMENTS).read_text(encoding="utf-8"))
    statements = tuple(map(Statement.read, kept_build["statements"]))
    return CompiledBuild(statements, kept_build["sources"], folder / SEEDS)


def keep(data: DataFolder, results: Path) -> None:
    """Keep the statements of a complete build that dbt has just made of `data`.

    `results` is dbt's run_results.json. Replaces what was kept for earlier states of the project,
    and records the build in the warehouse, so that the next one leaves out what is unchanged.
    """
    KEPT_FOLDER.mkdir(parents=True, exist_ok=True)
    folder = KEPT_FOLDER / _fingerprint()
    of_dbt = json.loads(results.read_text())
    with filelock.FileLock(KEPT_FOLDER / "keeping.lock"):
        if not folder.exists():
            for earlier in KEPT_FOLDER.iterdir():
                if earlier.is_dir():
                    shutil.rmtree(earlier)
            building = KEPT_FOLDER / "building"
            building.mkdir()
            with database.connect(data.warehouse, is_read_only=True) as connection:
                statements = of_results(of_dbt, connection)
            _keep_seeds(data.warehouse, statements, building / SEEDS)
            kept_build = {
                "sources": {
                    unique_id: source["relation_name"]
                    for unique_id, source in dbt_runner.read_manifest()["sources"].items()
                },
                "statements": [asdict(each) for each in statements],
            }
            (building / STATEMENTS).write_text(json.dumps(kept_build, indent=1), encoding="utf-8")
            building.rename(folder)
    compiled = kept()
    assert compiled is not None
    with database.connect(data.warehouse) as connection:
        compiled.record(
            connection,
            {each["unique_id"]: each["failures"] or 0 for each in of_dbt["results"]},
        )


def _fingerprint() -> str:
    """A hash of everything that the statements depend on."""
    parts = (
        dbt_runner.parsed_fingerprint(),
        duckdb.__version__,
        Path(__file__).read_text(encoding="utf-8"),
        Path(compiled_statements.__file__).read_text(encoding="utf-8"),
    )
    return sha256("\0".join(parts).encode()).hexdigest()


def _keep_seeds(warehouse: Path, statements: Collection[Statement], path: Path) -> None:
    with database.connect(folders=(warehouse.parent, path.parent)) as connection:
        connection.execute(f"attach {sql_literal(warehouse)} as warehouse (read_only)")
        connection.execute(f"attach {sql_literal(path)} as kept_seeds")
        for seed in statements:
            if seed.kind == "seed":
                _, schema, table = (name.strip('"') for name in seed.relation.split("."))
                connection.execute(
                    f"create schema if not exists {sql_identifier('kept_seeds', schema)}"
                )
                connection.execute(
                    f"create table {sql_identifier('kept_seeds', schema, table)}"
                    f" as from {sql_identifier('warehouse', schema, table)}"
                )
