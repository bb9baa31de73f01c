"""The marts for BI, published once every blocking check has passed."""

from datetime import timedelta

import dagster as dg

from dagster_project import history, progress, publish, run_state
from dagster_project.assets.periods import show_periods
from dagster_project.assets.resources import Warehouse
from dagster_project.assets.warehouse import MANIFEST, ONLY_CHANGES, warehouse_models
from dagster_project.exports.scope import open_published
from dagster_project.ledger import anchors
from dagster_project.ledger.postings import read_postings

MART_KEYS = [key for key in warehouse_models.keys if key.path[0] == "marts"]


@dg.asset(
    key="published",
    deps=MART_KEYS,
    group_name="published",
    kinds={"duckdb", "parquet"},
    # There are new bills every month.
    freshness_policy=dg.FreshnessPolicy.time_window(
        fail_window=timedelta(days=40), warn_window=timedelta(days=33)
    ),
    description="The marts as one DuckDB file and Parquet files, switched in one step.",
)
def published(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """Switch `published/` to the marts just built."""
    data = warehouse.data
    step = progress.Step(
        "Publishing",
        "tables",
        {key.path[-1]: key.path[-1] for key in MART_KEYS},
        progress.seconds_before(data, "publishing"),
    )
    marts = publish.publish(
        data,
        MANIFEST,
        run_state.begun(data),
        on_mart=lambda mart: step.ended(mart.name, f"{mart.name}: {mart.row_count:,} rows"),
    )
    step.finish(f"{sum(mart.row_count for mart in marts):,} rows")
    progress.remember(data, "publishing", step.seconds)
    anchors.remember(data, read_postings(data.ledger))
    run_state.remember(data)
    with open_published(data) as connection:
        periods = connection.execute("select distinct billing_period from billing_periods")
        show_periods(context.instance, {period for (period,) in periods.fetchall()})
    if ONLY_CHANGES not in context.run.tags:
        # The command line removes them after its run, when the log of events is closed.
        history.remove_old_runs(context.instance)
    return dg.MaterializeResult(
        metadata={
            "path": dg.MetadataValue.path(str(warehouse.data.published_database)),
            "rows": dg.MetadataValue.md(
                "\n".join(
                    ["| mart | rows |", "|---|---|"]
                    + [f"| {mart.name} | {mart.row_count:,} |" for mart in marts]
                )
            ),
        }
    )
