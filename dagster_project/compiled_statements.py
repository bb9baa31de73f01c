"""The statements that dbt compiled: one for each seed, model and test.

Belongs here: what a statement is, and reading it from dbt's manifest and results. Does not: keeping
and executing statements (compiled_build).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from dagster_project import dbt_runner
from dagster_project.table_versions import is_in


class NotKept(Exception):
    """The project configures a node in a way that a compiled build does not support."""


@dataclass(frozen=True)
class Partitions:
    """The parts of a table that are built one by one: by the value of `column`.

    The rows of a value depend on the rows of `inputs` with the same value, and on all rows of other
    inputs. `inputs` has the column of each such input, by its unique id.
    """

    column: str
    inputs: Mapping[str, str]


@dataclass(frozen=True)
class Statement:
    """The work of dbt for one seed, model or test.

    `kind` is seed, view, table, contract, python or test. `relation` is the quoted name of the
    result, `code` the compiled code, `inputs` the unique ids of what it reads, `columns` the column
    definitions of a table with a contract. A finding of a test with severity `warn` does not block
    the build.

    The kind `partitions` builds some partitions of a table again; `columns` is then the condition
    of the rows that it replaces.
    """

    unique_id: str
    kind: str
    relation: str
    code: str
    inputs: tuple[str, ...] = ()
    columns: str = ""
    severity: str = "error"
    partitions: Partitions | None = None

    @property
    def schema(self) -> str:
        """The quoted name of the schema of the result."""
        return self.relation.split(".")[1]

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> "Statement":
        """The statement in the form that `dataclasses.asdict` gave it."""
        partitions = kept["partitions"] and Partitions(**kept["partitions"])
        return cls(**{**kept, "inputs": tuple(kept["inputs"]), "partitions": partitions})

    def replacing(
        self, stale: Collection[str], kept: Collection[str], relations: Mapping[str, str]
    ) -> "Statement":
        """The statement that builds the stale partitions and leaves only these and those kept.

        Inputs with the same partitions are read for the stale ones alone, so that the cost is
        theirs too. `relations` are the quoted names of the inputs by their unique ids.
        """
        assert self.partitions is not None
        code = self.code
        for node, column in self.partitions.inputs.items():
            rows = f"(select * from {relations[node]} where {is_in(column, stale)})"
            code = code.replace(relations[node], rows)
        replaced = f"({is_in(self.partitions.column, kept)}) is not true"
        return replace(self, kind="partitions", code=code, columns=replaced)


def of_results(
    results: Mapping[str, Any], connection: duckdb.DuckDBPyConnection
) -> list[Statement]:
    """The statements in dbt's run_results.json, in their order; raises NotKept.

    `connection` is to the warehouse that dbt has built.
    """
    nodes = dbt_runner.read_manifest()["nodes"]
    # "CREATE TABLE marts.findings(kind VARCHAR, ...);"
    columns = {
        f'"{database}"."{schema}"."{table}"': sql[sql.index("(") :].rstrip(";")
        for database, schema, table, sql in connection.execute(
            "select database_name, schema_name, table_name, sql from duckdb_tables()"
        ).fetchall()
    }
    return [
        _statement(nodes[result["unique_id"]], result, columns)
        for result in results["results"]
        if result["unique_id"] in nodes and not _is_empty_hook(nodes[result["unique_id"]], result)
    ]


def _is_empty_hook(node: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
    """Whether a hook has no statement, such as the check of the settings of Apache Spark."""
    return node["resource_type"] == "operation" and not (result["compiled_code"] or "").strip()


def _statement(
    node: Mapping[str, Any], result: Mapping[str, Any], columns: Mapping[str, str]
) -> Statement:
    """The statement of a node that dbt built; raises NotKept if dbt does more than execute it."""
    config = node["config"]
    relation, code = result["relation_name"] or node["relation_name"], result["compiled_code"] or ""
    kind = node["resource_type"]
    is_plain: tuple[bool, ...]
    match kind:
        case "seed":
            is_plain = (not config["pre-hook"], not config["post-hook"])
        case "model":
            is_plain = (
                not config["pre-hook"],
                not config["post-hook"],
                not config["grants"],
                not config["persist_docs"],
                config["materialized"] in ("table", "view"),
            )
            kind = config["materialized"]
            if node["language"] == "python":
                kind = "python"
            elif config["contract"]["enforced"] and kind == "table":
                # A view has its contract compared by dbt and is created like any other.
                kind = "contract"
        case "test":
            is_plain = (
                config["fail_calc"] == "count(*)",
                config["error_if"] == "!= 0",
                config["warn_if"] == "!= 0",
                config["limit"] is None,
                not config["store_failures"],
            )
        case _:
            is_plain = (False,)
    if not all(is_plain):
        raise NotKept(f"{node['unique_id']}: {config}")
    return Statement(
        unique_id=node["unique_id"],
        kind=kind,
        relation=relation or "",
        code=code,
        inputs=tuple(sorted(node["depends_on"].get("nodes", ()))),
        columns=columns[relation] if kind == "contract" else "",
        partitions=_declared_partitions(node),
        severity=config.get("severity", "error").lower(),
    )


def _declared_partitions(node: Mapping[str, Any]) -> Partitions | None:
    """The partitions that a model declares in its config: `partition_column` and `partitioned_by`.

    `partitioned_by` has the column of each input by its name.
    """
    meta = node["config"].get("meta") or {}
    if "partition_column" not in meta:
        return None
    by_name = {unique_id.split(".")[-1]: unique_id for unique_id in node["depends_on"]["nodes"]}
    return Partitions(
        meta["partition_column"],
        {by_name[name]: column for name, column in meta["partitioned_by"].items()},
    )
