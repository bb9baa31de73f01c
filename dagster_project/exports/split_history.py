"""The cost center report: the licenses of each cost center over time, and the events of changes.

Belongs here: columns and formats. Does not: the history itself, which is in cost_center_history.
The file can be landed again as a split history.
"""

from pathlib import Path

import duckdb

from dagster_project.exports.scope import Scope
from dagster_project.files import write_csv

COLUMNS = (
    "Subscription ID",
    "Event",
    "Datetime",
    "Total Quantity",
    "Cost Center ID",
    "Cost Center",
    "Allocated Quantity",
    "Organization",
)


def write_split_history(connection: duckdb.DuckDBPyConnection, scope: Scope, path: Path) -> int:
    """Write the splits in force at any time of the scope as CSV; returns the number of rows.

    One row per split and cost center, in order of subscription and time, with the name that the
    cost center had then. Licenses that no cost center has are in the default cost center.
    Quantities are licenses, instants are UTC. `connection` has the published tables.
    """
    rows = connection.execute(
        """
        select
            subscription_id, event, strftime(valid_from, '%Y-%m-%dT%H:%M:%SZ'), total_quantity,
            cost_center_id, cost_center_name_then, allocated_quantity, organization_id
        from cost_center_history
        where
            valid_from < cast($last_period || '-01' as date) + interval 1 month
            and (valid_to is null or valid_to > cast($first_period || '-01' as date))
            and ($organization is null or organization_id = $organization)
            and not is_superseded
        order by
            organization_id, subscription_id, valid_from, allocated_quantity desc,
            cost_center_id, snapshot_id
        """,
        {"organization": None} | scope.parameters,
    ).fetchall()
    return write_csv(path, COLUMNS, rows)
