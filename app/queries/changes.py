"""Queries for the change of the charged amount between two billing periods, and its parts.

Belongs here: rows of chargeback_changes and chargeback_change_details, with the quantities and the
billing lines behind them. Does not: amounts of one period (charges).

The change between any two periods is the sum of the changes from each period to the next.
"""

from dataclasses import replace

from app.published import Viewer
from app.queries.query import Column, Query, Selection
from dagster_project import wording

PARTS = tuple(wording.CHANGE_PARTS)
_ORDER = " ".join(f"when '{part}' then {i}" for i, part in enumerate(PARTS))


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
    return Query(
        f"""
        select currency, part, part as meaning, sum(change) as change
        from chargeback_change_details
        where {condition}
        group by currency, part
        having sum(change) <> 0
        order by currency, case part {_ORDER} end
        """,
        parameters,
        (
            Column("part", "Part", "change_part"),
            Column("change", "Change", "amount"),
            Column("meaning", "Meaning", "change_meaning"),
        ),
    )


def occurring(selection: Selection, since: str) -> Query:
    """One row per part that changes the amount of a cost center, in their order.

    Moved splits and shared costs often sum to zero over an organization.
    """
    condition, parameters = _within(selection, since)
    return Query(
        f"""
        with changed as (
            select part from chargeback_change_details
            where {condition}
            group by organization_id, cost_center_id, currency, part
            having sum(change) <> 0
        )
        select part from changed
        group by part
        order by case part {_ORDER} end
        """,
        parameters,
    )


def charged(selection: Selection, period: str) -> Query:
    """One row per organization and cost center of the selection with charges in a period."""
    within = replace(selection, period=period)
    return Query(
        f"""
        select organization_id, cost_center_id from chargeback
        where {within.where()}
        group by organization_id, cost_center_id
        order by organization_id, cost_center_id
        """,
        within.parameters,
    )


def by_cost_center(selection: Selection, since: str, part: str | None = None) -> Query:
    """One row per organization, cost center and currency; the largest change first.

    It has a column for each part. With `part` only cost centers that have it, by its amount.
    """
    condition, parameters = _within(selection, since)
    columns = [f"{each}_change" for each in PARTS]
    shown = [f"{part}_change"] if part in PARTS else ["before", "now", "change", *columns]
    rank = shown[0] if part in PARTS else "change"
    return Query(
        f"""
        select
            organization_id, cost_center_id, currency,
            coalesce(arg_max(organization_name, billing_period), organization_id)
                as organization_name,
            coalesce(arg_max(cost_center_name, billing_period), cost_center_id)
                as cost_center_name,
            {", ".join(f"sum({column}) as {column}" for column in columns)},
            {_ends()}
        from chargeback_changes
        where {condition}
        group by organization_id, cost_center_id, currency
        having {" or ".join(f"{column} <> 0" for column in shown)}
        order by currency, abs(sum({rank})) desc, organization_id, cost_center_id
        """,
        parameters,
        (
            Column("cost_center_name", "Cost center"),
            Column("organization_name", "Organization"),
            Column("before", "Before", "amount"),
            Column("now", "Now", "amount"),
            Column("change", "Change", "amount"),
            *(Column(f"{each}_change", wording.change_part(each), "amount") for each in PARTS),
        ),
    )


def by_subscription(
    viewer: Viewer, selection: Selection, since: str, part: str | None = None
) -> Query:
    """One row per product, subscription, part and currency; the largest change first.

    Quantities and amounts per unit are those of cycle charges at the ends of the range, summed over
    the cost centers of the selection. `lines_before` and `lines_now` are the first and the last
    billing period of the range that has billing lines, or shared costs, of the row: null for the
    one in which there are none. With `part` only rows of it.
    """
    condition, parameters = _within(selection, since)
    if part in PARTS:
        condition += " and part = $part"
        parameters = (*parameters, ("part", part))
    narrowed = Selection(
        organization_id=selection.organization_id,
        cost_center_id=selection.cost_center_id,
        currency=selection.currency,
    )
    behind = f"{narrowed.where()} and billing_period >= $since and billing_period <= $until"
    shared = "shared_sales <> 0" if viewer.is_customer else "shared_cost <> 0 or shared_sales <> 0"
    return Query(
        f"""
        with changed as (
            select
                currency, product_name, subscription_id, part, part = 'sharing' as is_shared,
                sum(change) as change, bool_or(charge_group = 'cycle') as has_cycles,
                -- Of the whole subscription, so that all cost centers have the same.
                arg_min(previous_unit_amount, billing_period) filter (charge_group = 'cycle')
                    as first_unit,
                arg_max(unit_amount, billing_period) filter (charge_group = 'cycle') as last_unit
            from chargeback_change_details
            where {condition}
            group by currency, product_name, subscription_id, part
            having sum(change) <> 0
        ),
        charges as (
            select
                billing_period, currency, product_name, subscription_id, false as is_shared,
                if(
                    charge_kind = 'cycle' and charge_class is distinct from 'Correction',
                    quantity, null
                ) as quantity,
                quantity_unit
            from billing_report
            where {behind}
            union all
            select billing_period, currency, product_name, null, true, null, null
            from chargeback
            where {behind} and ({shared})
        ),
        behind as (
            select
                currency, product_name, subscription_id, is_shared,
                min(billing_period) as first_period, max(billing_period) as last_period,
                sum(quantity) filter (billing_period = $since) as before_quantity,
                sum(quantity) filter (billing_period = $until) as now_quantity,
                min(quantity_unit) filter (quantity is not null) as first_quantity_unit,
                max(quantity_unit) filter (quantity is not null) as last_quantity_unit
            from charges
            group by currency, product_name, subscription_id, is_shared
        ),
        joined as (
            select
                changed.*, first_period, last_period, first_quantity_unit as unit,
                has_cycles and first_quantity_unit is not distinct from last_quantity_unit
                    as is_counted,
                before_quantity as before, now_quantity as now
            from changed
            left join behind
                on changed.currency = behind.currency
                and changed.is_shared = behind.is_shared
                and changed.product_name is not distinct from behind.product_name
                and changed.subscription_id is not distinct from behind.subscription_id
        )
        select
            currency, product_name, coalesce(subscription_id, '') as subscription_id, part, change,
            if(is_counted, before, null) as before_quantity,
            if(is_counted, now, null) as now_quantity,
            if(is_counted, unit, null) as quantity_unit,
            if(before is not null, first_unit, null) as before_unit,
            if(now is not null, last_unit, null) as now_unit,
            if(first_period = $since or first_period < last_period, first_period, null)
                as lines_before,
            if(last_period > $since, last_period, null) as lines_now
        from joined
        order by currency, abs(change) desc, product_name, subscription_id, part
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
            Column("lines_before", "Lines before"),
            Column("lines_now", "Lines now"),
            Column("subscription_id", "Subscription"),
        ),
    )
