"""The dbt project as assets, its tests as asset checks; dbt runs inside this process."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import DagsterDbtTranslator, dbt_assets

from dagster_project import dbt_runner
from dagster_project.private_interfaces import asset_events, dbt_selection
from dagster_project.quoting import sql_identifier
from dagster_project.settings import DataFolder

MANIFEST = dbt_runner.read_manifest()

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
    """One `dbt build`: seeds, models and their tests. A failing blocking test fails this step,

    so that nothing downstream of it runs (dbt's checks alone would not hold back a Python asset).
    """
    data = DataFolder.from_environment()
    selection, indirect_selection = dbt_selection(context, MANIFEST, TRANSLATOR)
    if indirect_selection:
        os.environ["DBT_INDIRECT_SELECTION"] = indirect_selection
    events: list[dbt_runner.DbtEvent] = []
    try:
        outcome = dbt_runner.invoke(
            # Unit tests test the SQL, not the data: `make test` runs them.
            ["build", "--no-write-json", "--exclude-resource-type", "unit_test", *selection],
            data,
            data.run_folder / "dbt",
            on_event=events.append,
        )
    finally:
        os.environ.pop("DBT_INDIRECT_SELECTION", None)

    figures = _figures(data)
    for event in events:
        for result in asset_events(event, context, MANIFEST, TRANSLATOR):
            if isinstance(result, dg.Output) and "unique_id" in result.metadata:
                unique_id = str(result.metadata["unique_id"].value)
                result = result.with_metadata(
                    {**result.metadata, **figures.get(unique_id.split(".")[-1], {})}
                )
            yield result
    if not outcome.is_success:
        raise dg.Failure(
            description="dbt build failed: " + "; ".join(outcome.failures),
            metadata={
                "failures": dg.MetadataValue.md("\n".join(map("- {}".format, outcome.failures)))
            },
            allow_retries=False,
        )


def _figures(data: DataFolder) -> dict[str, dict[str, Any]]:
    """Row counts of every table and money totals of the marts, by table name."""
    figures: dict[str, dict[str, Any]] = {}
    with duckdb.connect(str(data.warehouse), read_only=True) as connection:
        tables = connection.execute(
            """
            select
                tables.schema_name, tables.table_name,
                list(columns.column_name) filter (columns.data_type like 'DECIMAL%')
            from duckdb_tables() as tables
            inner join duckdb_columns() as columns
                on tables.schema_name = columns.schema_name
                and tables.table_name = columns.table_name
            where tables.schema_name in ('rules', 'intermediate', 'marts')
            group by all
            """
        ).fetchall()
        for schema, table, decimal_columns in tables:
            has_levels = table == "billing_summary"
            sums = [
                column
                for column in MONEY_COLUMNS
                if schema == "marts" and column in (decimal_columns or []) and not has_levels
            ]
            selected = ", ".join(
                ["count(*)", *(f"sum({sql_identifier(column)})" for column in sums)]
            )
            row = connection.execute(
                f"select {selected} from {sql_identifier(schema, table)}"
            ).fetchone()
            count, *totals = row or (0,)
            figures[table] = {"dagster/row_count": count} | {
                column: str(total.normalize()) if total is not None else "none"
                for column, total in zip(sums, totals, strict=True)
            }
    return figures
