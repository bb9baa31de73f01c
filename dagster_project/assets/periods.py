"""Billing periods as partitions: one month, or many, exported or closed from the web UI.

The marts are not partitioned here: a run builds the billing periods with changed inputs, and
all of them are published in one step.
"""

import dagster as dg

from dagster_project.assets.resources import Warehouse, plain_refusals
from dagster_project.exports import delivery
from dagster_project.ledger import closing
from dagster_project.ledger.anchors import Head
from dagster_project.ledger.postings import posted_totals

BILLING_PERIODS = dg.DynamicPartitionsDefinition(name="billing_periods")
"""The published billing periods, like 2026-01."""

REPEATED = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL)
"""For a folder on a network or a full disk; refusals are not repeated."""


def show_periods(instance: dg.DagsterInstance, periods: set[str]) -> None:
    """Make these billing periods the partitions of this instance."""
    name = str(BILLING_PERIODS.name)
    known = set(instance.get_dynamic_partitions(name))
    if new := sorted(periods - known):
        instance.add_dynamic_partitions(name, new)
    for gone in sorted(known - periods):
        instance.delete_dynamic_partition(name, gone)


@dg.asset(
    key="exports",
    deps=["published"],
    partitions_def=BILLING_PERIODS,
    group_name="published",
    kinds={"csv", "excel"},
    retry_policy=REPEATED,
    description="The exports of a billing period: statements, workbook, journal, FOCUS files and"
    " customers' editions.",
)
def exports(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """Write the exports of one billing period from the published version."""
    period = context.partition_key
    with plain_refusals():
        written = delivery.deliver(warehouse.data, period, period, progress=context.log.info)
    return dg.MaterializeResult(
        metadata={
            "folder": dg.MetadataValue.path(str(written.folder)),
            "published_state": written.state_id,
            **written.file_counts,
        }
    )


class Closing(dg.Config):
    """The reason for closing a period despite obstacles; the ledger records it."""

    override_reason: str | None = None


@dg.op(
    description="Post the period's split lines to the ledger, where they never change.",
)
def post_to_ledger(context: dg.OpExecutionContext, config: Closing, warehouse: Warehouse) -> None:
    """Close the billing period of the partition."""
    with plain_refusals():
        posting = closing.close_published(
            warehouse.data, context.partition_key, config.override_reason
        )
    totals = posted_totals(warehouse.data.ledger, posting)
    context.add_output_metadata(
        {
            "billing_period": posting.billing_period,
            "rows": posting.row_count,
            **{f"charged_{total.currency}": str(total.charged_amount) for total in totals},
            **{f"cost_{total.currency}": str(total.total_cost) for total in totals},
            "file": posting.file,
            "receipt": Head.of(posting).receipt(),
        }
    )


@dg.job(
    partitions_def=BILLING_PERIODS,
    description="Closes a billing period as it is published. Run chargeback after it, which"
    " publishes the period as closed; the sensor on landing does so if it is switched on.",
)
def close_period() -> None:
    """Post one period; the chargeback job then serves it as closed."""
    post_to_ledger()
