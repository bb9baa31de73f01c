"""Values of a scenario that are unknown elsewhere, and therefore may be typing errors.

Belongs here: unknown subscriptions, organizations, products and cost centers, each with the most
similar known one. Does not: values that make a row unusable (scenario).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from dagster_project import relations
from dagster_project.errors import did_you_mean
from dagster_project.quoting import sql_identifier
from dagster_project.what_if.scenario import Scenario

SHOWN_VALUES = 20

FEEDS_OF_NEW_VALUES = ("billing_lines", "organizations")
"""A file of these feeds may introduce values."""


@dataclass(frozen=True)
class Known:
    """The known values of a column: the message about any other value, and SQL that lists them."""

    message: str
    sql: str


KNOWN_BY_COLUMN: Mapping[str, Known] = {
    "subscription_id": Known(
        "no bill has the subscription",
        f"select distinct subscription_id from after.{relations.BILLING_LINES}",
    ),
    "organization": Known(
        "neither a list nor a bill has the organization",
        f"""
        select organization_key from after.{relations.ORGANIZATION_KEYS}
        union
        select organization_id from after.{relations.LINE_ORGANIZATIONS}
        """,
    ),
    "product": Known(
        "no bill has the product",
        f"select product_name from after.{relations.BILLING_LINES} union select '*'",
    ),
}
"""By column of a raw table."""


@dataclass(frozen=True)
class UnknownValue:
    """An unknown value, its message, and the known values that may be meant."""

    value: str
    message: str
    known: Sequence[str]

    @property
    def sentence(self) -> str:
        """The message, with the most similar known value if there is one."""
        return self.message + did_you_mean(self.value, self.known)


def unknown_values(
    connection: duckdb.DuckDBPyConnection, scenarios: Mapping[str, Scenario]
) -> tuple[str, ...]:
    """A sentence per unknown value of the scenarios, which are given by their place in landing.

    `connection` has the databases `before` and `after`.
    """
    found: list[UnknownValue] = []
    for file, scenario in scenarios.items():
        if scenario.format.feed in FEEDS_OF_NEW_VALUES:
            continue
        for column, known in KNOWN_BY_COLUMN.items():
            if column in scenario.format.columns:
                found += _unknown_in_column(connection, file, scenario, column, known)
        if scenario.format.name == "split_history":
            found += _unknown_cost_centers(connection, file, scenario)
    more = len(found) - SHOWN_VALUES
    return (
        *(each.sentence for each in found[:SHOWN_VALUES]),
        *([f"... and {more:,} more"] if more > 0 else []),
    )


def _unknown_in_column(
    connection: duckdb.DuckDBPyConnection,
    file: str,
    scenario: Scenario,
    column: str,
    known: Known,
) -> list[UnknownValue]:
    known_values = [value for (value,) in connection.execute(known.sql).fetchall() if value]
    known_keys = {value.lower() for value in known_values}
    name = sql_identifier(column)
    rows = connection.execute(
        f"""
        select trim({name}) as value, min(row_number)
        from {sql_identifier("after", "raw", scenario.format.name)}
        where file = $file and trim({name}) <> ''
        group by value
        order by min(row_number), value
        """,
        {"file": file},
    ).fetchall()
    return [
        UnknownValue(
            value, f"{scenario.name}: row {row_number}: {known.message} {value!r}", known_values
        )
        for value, row_number in rows
        if value.lower() not in known_keys
    ]


def _unknown_cost_centers(
    connection: duckdb.DuckDBPyConnection, file: str, scenario: Scenario
) -> list[UnknownValue]:
    rows = connection.execute(
        f"""
        with organizations as (
            select subscription_id, min(organization_id) as organization_id
            from after.{relations.SPLIT_EVENTS}
            group by subscription_id
        ),
        known as (
            select organization_id, cost_center_id, cost_center_name
            from after.{relations.COST_CENTERS}
            union
            select organization_id, cost_center_id, cost_center_name
            from after.{relations.DEFAULT_COST_CENTERS}
            union
            select organization_id, cost_center_id, cost_center_name
            from before.marts.cost_center_history
            union
            select organization_id, cost_center_id, cost_center_name_then
            from before.marts.cost_center_history
        ),
        used as (
            select
                events.cost_center_id is not null as is_by_id,
                coalesce(events.cost_center_id, events.cost_center_name) as value,
                organizations.organization_id,
                min(events.row_number) as row_number
            from after.{relations.SPLIT_HISTORY} as events
            inner join organizations using (subscription_id)
            where events.file = $file and events.rejected_reason is null
            group by all
        )
        select
            used.value, used.is_by_id, used.row_number, used.organization_id,
            list(known.cost_center_id) filter (known.cost_center_id is not null),
            list(known.cost_center_name) filter (known.cost_center_name is not null)
        from used
        left join known using (organization_id)
        where used.value is not null and lower(used.value) <> 'default'
        group by all
        having not coalesce(bool_or(
            known.cost_center_id = used.value
            or not used.is_by_id and lower(known.cost_center_name) = lower(used.value)
        ), false)
        order by used.row_number, used.value
        """,
        {"file": file},
    ).fetchall()
    return [
        UnknownValue(
            value,
            f"{scenario.name}: row {row_number}: {organization_id} has no cost center {value!r};"
            " its licenses go to a new cost center of that name",
            (ids if is_by_id else names) or [],
        )
        for value, is_by_id, row_number, organization_id, ids, names in rows
    ]
