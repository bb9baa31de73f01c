"""The job that closes a billing period, for those who close from the web UI."""

import dagster as dg

from dagster_project.assets.resources import Warehouse, plain_refusals
from dagster_project.ledger import closing
from dagster_project.ledger.anchors import Head


class ClosePeriod(dg.Config):
    """The period to close, and the reason for closing it despite obstacles."""

    billing_period: str
    override_reason: str | None = None


@dg.op(
    description="Post the period's split lines to the ledger, where they never change.",
)
def post_to_ledger(
    context: dg.OpExecutionContext, config: ClosePeriod, warehouse: Warehouse
) -> None:
    """Close the configured period."""
    with plain_refusals():
        posting = closing.close_published(
            warehouse.data, config.billing_period, config.override_reason
        )
    context.add_output_metadata(
        {
            "billing_period": posting.billing_period,
            "rows": posting.row_count,
            "total_cost": posting.total_cost,
            "file": posting.file,
            "receipt": Head.of(posting).receipt(),
        }
    )


@dg.job(
    description="Closes a billing period on the warehouse as last built; run chargeback before "
    "and after it.",
)
def close_period() -> None:
    """Post one period; the chargeback job then serves it as closed."""
    post_to_ledger()
