"""The billing report in the layout of a broker's platform, with or without cost centers.

Belongs here: columns and formats. Does not: the figures, which are in billing_report. The layout is
that of the platform's published example. A report without cost centers can be landed
again as a broker report, except for lines without a subscription (credits and taxes of a whole
account), which such a report does not have.
"""

from pathlib import Path

import duckdb

from dagster_project.exports.scope import NothingInScope, Scope
from dagster_project.files import write_csv

COLUMNS = (
    "Subscription ID",
    "ProductName",
    "Quantity",
    "TotalCost",
    "TotalSales",
    "TotalMargin",
    "ChargeStartDate",
    "BillingDate",
    "BillingLineDetails",
)
COST_CENTER = "CostCenter"
OWNER = ("Organization", "Currency")
"""Columns of the format that the published example does not have; they come last."""

DAY = "'%-d %b %Y'"
"""Dates in the format of the platform, in English on every machine: 6 Jan 2026."""


def write_broker_report(
    connection: duckdb.DuckDBPyConnection,
    scope: Scope,
    path: Path,
    with_cost_center: bool,
    with_owner: bool | None = None,
) -> int:
    """Write the billing report of the scope as CSV; returns the number of its rows.

    One row per billing line and cost center, largest share first as on the platform, or, without
    cost centers, one row per billing line with the sum of its parts. The order is that of the
    platform: by bill, subscription and day, refunds first.
    Organization and Currency are added if there are several of either; `with_owner` adds or omits
    both.

    `connection` has the published tables. Raises NothingInScope, and ValueError for the customer's
    edition: the layout shows cost.
    """
    if scope.edition == "customer":
        raise ValueError("the broker's report shows cost; customers get the workbook")
    rows = connection.execute(
        f"""
        select
            any_value(subscription_id), any_value(product_name), sum(quantity), sum(total_cost),
            sum(total_sales), sum(total_margin), strftime(any_value(charge_start_date), {DAY}),
            strftime(any_value(billing_date), {DAY}),
            any_value(
                case
                    when regexp_matches(billing_line_details, 'From .+ to .+')
                        then billing_line_details
                    -- A line of another format keeps its description; its days are added.
                    else concat(
                        billing_line_details, '. From ', strftime(charge_start_date, {DAY}), ' to ',
                        strftime(charge_end_date, {DAY}), ' (',
                        charge_end_date - charge_start_date + 1,
                        if(charge_end_date = charge_start_date, ' day)', ' days)')
                    )
                end
            ),
            any_value(cost_center_name), any_value(organization_id), any_value(currency)
        from billing_report
        where {scope.condition}
        group by line_id, if($with_cost_center, cost_center_id, null)
        order by
            any_value(billing_date) nulls first, any_value(organization_id) nulls first,
            any_value(subscription_id) nulls first, any_value(charge_start_date),
            sum(sum(total_cost)) over (partition by line_id), line_id, max(share) desc,
            any_value(cost_center_name), any_value(cost_center_id)
        """,
        scope.parameters | {"with_cost_center": with_cost_center},
    ).fetchall()
    if not rows:
        raise NothingInScope(
            f"no billing report for {scope.words}: no bill of these periods is published"
        )
    header = [*COLUMNS, COST_CENTER, *OWNER]
    columns = list(range(len(COLUMNS)))
    if with_cost_center:
        columns.append(header.index(COST_CENTER))
    if with_owner is None:
        with_owner = any(len({row[at] for row in rows}) > 1 for at in (-2, -1))
    if with_owner:
        columns += [header.index(name) for name in OWNER]
    return write_csv(
        path,
        [header[at] for at in columns],
        ([row[at] for at in columns] for row in rows),
    )
