"""The dbt project as assets, its tests as asset checks; dbt runs inside this process."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import DagsterDbtTranslator, dbt_assets

from dagster_project import compiled_build, database, dbt_runner, progress
from dagster_project.private_interfaces import asset_events, dbt_selection
from dagster_project.quoting import sql_identifier, sql_literal
from dagster_project.settings import DataFolder, Engine
from dagster_project.spark import engine
from dagster_project.wording import plain_decimal

MANIFEST = dbt_runner.read_manifest()

ONLY_CHANGES = "apportion/only_changes"
"""The tag of a run that reports only what it built or checked; no events were planned for it."""

MONEY_COLUMNS = ("total_cost", "total_sales", "total_margin", "variance", "quarantined_total")


class RoomTranslator(DagsterDbtTranslator):
    """Groups assets as the folders of `dbt/models` group the models."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """`rules` and `staging`; an intermediate model's folder; `marts_` and a mart's folder."""
        _, *folders, _ = dbt_resource_props["fqn"]
        match folders:
            case ["intermediate", room]:
                return str(room)
            case ["marts", room]:
                return f"marts_{room}"
        schema: str | None = dbt_resource_props.get("config", {}).get("schema")
        return schema or super().get_group_name(dbt_resource_props)

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The model's description, without its SQL."""
        return str(dbt_resource_props.get("description") or dbt_resource_props["name"])


TRANSLATOR = RoomTranslator()


@dbt_assets(
    manifest=MANIFEST,
    dagster_dbt_translator=TRANSLATOR,
    name="models",
    required_resource_keys={"warehouse"},
)
def warehouse_models(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """Seeds, models and their tests. A failing blocking test fails this step,

    so that nothing downstream of it runs (dbt's checks alone would not hold back a Python asset).
    """
    data = DataFolder.from_environment()
    reported: set[str] = set()
    reports_changes = ONLY_CHANGES in context.run.tags
    if Engine.from_environment() is Engine.SPARK:
        yield from _build_with_spark(context, data)
        return
    compiled = None if context.is_subset else compiled_build.kept()
    if compiled is not None:
        try:
            step = progress.Step(
                "Building",
                "models and checks",
                {each.unique_id: each.unique_id.split(".")[2] for each in compiled.statements},
                progress.seconds_before(data, "building"),
            )
            failures = []
            with compiled_build.connect(data.warehouse) as connection:
                for node in compiled.execute_and_commit(connection):
                    reported.add(node.unique_id)
                    if node.failure is not None:
                        failures.append(node.failure)
                    if reports_changes and _is_known(node):
                        step.ended(node.unique_id)
                        continue
                    figures = _figures(node.unique_id, connection)
                    rows = figures.get("dagster/row_count")
                    name = node.unique_id.split(".")[2]
                    step.ended(node.unique_id, f"{name}: {rows:,} rows" if rows else "")
                    yield _event(node, figures)
            if failures:
                raise _failed(failures)
            step.finish()
            progress.remember(data, "building", step.seconds)
            return
        except compiled_build.DbtNeeded as reason:
            context.log.info(f"dbt builds everything, since {reason}")
    yield from _build_with_dbt(context, data, reported)


def _build_with_dbt(
    context: dg.AssetExecutionContext, data: DataFolder, reported: Collection[str]
) -> Iterator[Any]:
    """One `dbt build`; the events of nodes that have been `reported` are left out."""
    selection, indirect_selection = dbt_selection(context, MANIFEST, TRANSLATOR)
    if indirect_selection:
        os.environ["DBT_INDIRECT_SELECTION"] = indirect_selection
    # What dbt selects of a part of the assets is known to dbt alone.
    step = progress.Step(
        "Building",
        "models and checks with dbt",
        None if context.is_subset else _buildable(),
        progress.seconds_before(data, "building-with-dbt"),
    )
    events: list[dbt_runner.DbtEvent] = []
    add = _counted(step, events)
    target = data.run_folder / "dbt"
    try:
        outcome = dbt_runner.invoke(
            # Unit tests test the SQL, not the data: `make test` runs them.
            ["build", "--exclude-resource-type", "unit_test", *selection],
            data,
            target,
            on_event=add,
        )
    finally:
        os.environ.pop("DBT_INDIRECT_SELECTION", None)
    if outcome.is_success:
        step.finish()
        if not context.is_subset:
            progress.remember(data, "building-with-dbt", step.seconds)
    if outcome.is_success and not context.is_subset:
        compiled_build.keep(data, target / "run_results.json")
    unreported = [each for each in events if each["data"]["node_info"]["unique_id"] not in reported]
    yield from _results(context, data, unreported, outcome, counted=MANIFEST["nodes"].keys())


def _build_with_spark(context: dg.AssetExecutionContext, data: DataFolder) -> Iterator[Any]:
    """One build of all models on Apache Spark."""
    if context.is_subset:
        raise dg.Failure(
            "Apache Spark builds all models at once. Materialize all of them, or unset"
            " APPORTION_ENGINE",
            allow_retries=False,
        )
    step = progress.Step(
        "Building",
        "models and checks on Apache Spark",
        _buildable(),
        progress.seconds_before(data, "building-on-spark"),
    )
    events: list[dbt_runner.DbtEvent] = []
    outcome = engine.build(data, _counted(step, events))
    if outcome.is_success:
        step.finish()
        progress.remember(data, "building-on-spark", step.seconds)
    # Other tables are not in the warehouse, or are those of an earlier build.
    returned = {each["unique_id"] for each in engine.returned(MANIFEST).values()}
    yield from _results(context, data, events, outcome, counted=returned)


def _buildable() -> dict[str, str]:
    """The names of all seeds, models and data tests by their unique ids."""
    return {
        unique_id: node["name"]
        for unique_id, node in MANIFEST["nodes"].items()
        if node["resource_type"] in ("seed", "model", "test")
    }


def _counted(
    step: progress.Step, events: list[dbt_runner.DbtEvent]
) -> Callable[[dbt_runner.DbtEvent], None]:
    """A receiver of dbt's events that keeps them and counts their nodes as done."""

    def add(event: dbt_runner.DbtEvent) -> None:
        events.append(event)
        step.ended(event["data"]["node_info"]["unique_id"])

    return add


def _results(
    context: dg.AssetExecutionContext,
    data: DataFolder,
    events: Sequence[dbt_runner.DbtEvent],
    outcome: dbt_runner.DbtOutcome,
    counted: Collection[str],
) -> Iterator[Any]:
    """Dagster's events of a build, with figures of the tables `counted`; raises if it failed."""
    with database.connect(data.warehouse, is_read_only=True) as connection:
        for event in events:
            for result in asset_events(event, context, MANIFEST, TRANSLATOR):
                if isinstance(result, dg.Output) and "unique_id" in result.metadata:
                    unique_id = str(result.metadata["unique_id"].value)
                    figures = _figures(unique_id, connection) if unique_id in counted else {}
                    result = result.with_metadata({**result.metadata, **figures})
                yield result
    if not outcome.is_success:
        raise _failed(outcome.failures)


def _failed(failures: Sequence[str]) -> dg.Failure:
    """The failure of a build, with a message for each model or check that failed."""
    return dg.Failure(
        description="The build failed: " + "; ".join(failures),
        metadata={"failures": dg.MetadataValue.md("\n".join(map("- {}".format, failures)))},
        allow_retries=False,
    )


def _is_known(node: compiled_build.NodeResult) -> bool:
    """Whether the last event of the asset or check still says everything.

    An event for each of 600 nodes takes Dagster several seconds. Marts and their checks have one in
    every run, since the step that publishes them waits for both; checks that found rows are a
    warning of every run.
    """
    properties = MANIFEST["nodes"][node.unique_id]
    tested = MANIFEST["nodes"].get(properties.get("attached_node"), properties)
    return node.is_unchanged and not node.failing_rows and tested["schema"] != "marts"


def _event(
    node: compiled_build.NodeResult, figures: Mapping[str, Any]
) -> dg.MaterializeResult | dg.AssetCheckResult:
    """The event of a node of a compiled build, like those that dagster-dbt makes of dbt's."""
    metadata: dict[str, Any] = {
        "unique_id": node.unique_id,
        "Execution Duration": node.seconds,
        "is_unchanged": node.is_unchanged,
    }
    if node.failing_rows is None:
        return dg.MaterializeResult(
            asset_key=_asset_keys()[node.unique_id],
            metadata={**metadata, **figures},
            # An asset is out of date only if what it reads has other rows.
            data_version=dg.DataVersion(node.version) if node.version else None,
        )
    check = _checks()[node.unique_id]
    is_passed = node.failing_rows == 0
    is_warning = not is_passed and node.failure is None
    return dg.AssetCheckResult(
        passed=is_passed,
        asset_key=check.asset_key,
        check_name=check.name,
        severity=dg.AssetCheckSeverity.WARN if is_warning else dg.AssetCheckSeverity.ERROR,
        metadata={**metadata, "dagster_dbt/failed_row_count": node.failing_rows},
    )


@cache
def _asset_keys() -> dict[str, dg.AssetKey]:
    """The asset of each seed and model, by dbt's unique id."""
    return {spec.metadata["dagster_dbt/unique_id"]: spec.key for spec in warehouse_models.specs}


@cache
def _checks() -> dict[str, dg.AssetCheckSpec]:
    """The check of each data test, by dbt's unique id."""
    return {
        (spec.metadata or {})["dagster_dbt/unique_id"]: spec
        for spec in warehouse_models.check_specs
    }


def _figures(unique_id: str, connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """The row count of a table and the money totals of a mart; nothing for views and tests."""
    node = MANIFEST["nodes"].get(unique_id, {})
    if node.get("config", {}).get("materialized") not in ("table", "seed"):
        return {}
    # Totals of the billing summary's levels would count each line several times.
    sums = [
        column
        for column in MONEY_COLUMNS
        if node["schema"] == "marts"
        and column in node["columns"]
        and node["name"] != "billing_summary"
    ]
    table = sql_identifier(node["schema"], node["name"])
    if not sums:
        row = connection.execute(f"select count(*) from {table}").fetchone()
        return {"dagster/row_count": row[0] if row else 0}
    selected = ", ".join(f"sum({sql_identifier(column)})" for column in sums)
    # Amounts of different currencies have no sum.
    currency = "currency" if "currency" in node["columns"] else sql_literal("")
    rows = connection.execute(
        f"select count(*), {currency}, {selected} from {table} group by 2 order by 2"
    ).fetchall()
    return {"dagster/row_count": sum(count for count, *_ in rows)} | {
        column: _totals([(name, totals[i]) for _, name, *totals in rows])
        for i, column in enumerate(sums)
    }


def _totals(totals: Sequence[tuple[str | None, Decimal | None]]) -> str:
    """Amounts with their currencies: 90 EUR, 14423.22 USD."""
    known = [
        f"{plain_decimal(total)} {currency or ''}".strip()
        for currency, total in totals
        if total is not None
    ]
    return ", ".join(known) or "none"
