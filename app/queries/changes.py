"""Queries for the change of the charged amount between two billing periods, and its parts.

Belongs here: rows of chargeback_changes and chargeback_change_details. Does not: amounts of one
period (charges).

The change between any two periods is the sum of the changes from each period to the next.
"""

from app.queries.query import Column, Query, Selection
from dagster_project import wording

PARTS = tuple(wording.CHANGE_PARTS)


def _within(selection: Selection, since: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    # The selected period is the last one of a range.
    narrowed = Selection(
        organization_id=selection.organization_id,
        cost_center_id=selection.cost_center_id,
        currency=selection.currency,
    )
    condition = f"{narrowed.where()} and billing_period > $since and billing_period <= $until"
    return condition, (*narrowed.parameters, ("since", since), ("until", selection.period or ""))


def _ends(since_amount: str = "previous_amount", until_amount: str = "charged_amount") -> str:
    # A period without charges has no row, so an end without one is zero.
    return f"""
        coalesce(sum({since_amount}) filter (previous_billing_period = $since), 0) as before,
        coalesce(sum({until_amount}) filter (billing_period = $until), 0) as now,
        sum(change) as change
        """


def totals(selection: Selection, since: str) -> Query:
    """One row per currency: the charged amounts of both periods, and the change."""
    condition, parameters = _within(selection, since)
    return Query(
        f"""
        select currency, {_ends()} from chargeback_changes
        where {condition}
        group by currency
        order by currency
        """,
        parameters,
    )


def parts(selection: Selection, since: str) -> Query:
    """One row per currency and part of the change that is not zero, in their order."""
    condition, parameters = _within(selection, since)
    order = " ".join(f"when '{part}' then {i}" for i, part in enumerate(PARTS))
    return Query(
        f"""
        select currency, part, sum(change) as change from chargeback_change_details
        where {condition}
        group by currency, part
        having sum(change) <> 0
        order by currency, case part {order} end
        """,
        parameters,
        (
            Column("part", "Part", "change_part"),
            Column("change", "Change", "amount"),
            Column("part", "Meaning", "change_meaning"),
        ),
    )


def by_cost_center(selection: Selection, since: str) -> Query:
    """One row per organization, cost center and currency; the largest change first.

    It has a column for each part.
    """
    condition, parameters = _within(selection, since)
    return Query(
        f"""
        select
            organization_id, cost_center_id, currency,
            coalesce(arg_max(organization_name, billing_period), organization_id)
                as organization_name,
            coalesce(arg_max(cost_center_name, billing_period), cost_center_id)
                as cost_center_name,
            {", ".join(f"sum({part}_change) as {part}_change" for part in PARTS)},
            {_ends()}
        from chargeback_changes
        where {condition}
        group by organization_id, cost_center_id, currency
        having before <> 0 or now <> 0 or change <> 0
        order by currency, abs(sum(change)) desc, organization_id, cost_center_id
        """,
        parameters,
        (
            Column("cost_center_name", "Cost center"),
            Column("organization_name", "Organization"),
            Column("before", "Before", "amount"),
            Column("now", "Now", "amount"),
            Column("change", "Change", "amount"),
            *(Column(f"{part}_change", wording.change_part(part), "amount") for part in PARTS),
        ),
    )


def by_subscription(selection: Selection, since: str) -> Query:
    """One row per product, subscription, part and currency; the largest change first.

    Quantities and amounts per unit are those of cycle charges at the ends of the range.
    """
    condition, parameters = _within(selection, since)

    def ends(which: str, measure: str) -> str:
        return f"arg_{which}({measure}, billing_period) filter (charge_group = 'cycle')"

    return Query(
        f"""
        select
            currency, product_name, coalesce(subscription_id, '') as subscription_id, part,
            sum(change) as change,
            {ends("min", "previous_quantity")} as before_quantity,
            {ends("max", "quantity")} as now_quantity,
            {ends("min", "previous_unit_amount")} as before_unit,
            {ends("max", "unit_amount")} as now_unit,
            case when min(quantity_unit) = max(quantity_unit) then min(quantity_unit) end
                as quantity_unit
        from chargeback_change_details
        where {condition}
        group by currency, product_name, subscription_id, part
        having sum(change) <> 0
        order by currency, abs(sum(change)) desc, product_name, subscription_id, part
        """,
        parameters,
        (
            Column("product_name", "Product"),
            Column("part", "Part", "change_part"),
            Column("change", "Change", "amount"),
            Column("before_quantity", "Quantity before", "quantity"),
            Column("now_quantity", "Quantity now", "quantity"),
            Column("quantity_unit", "Unit"),
            Column("before_unit", "Per unit before", "exact"),
            Column("now_unit", "Per unit now", "exact"),
            Column("subscription_id", "Subscription"),
        ),
    )
