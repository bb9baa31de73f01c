"""Queries by unit: business units, locations, charge codes and parent entities.

Belongs here: amounts, quantities and licenses of units, and of the cost centers in one. Does not:
amounts by organization or product (charges).
"""

from collections.abc import Mapping
from dataclasses import replace

from app.published import Viewer
from app.queries.query import Column, Query, Selection

KINDS: Mapping[str, str] = {
    "business_unit": "Business unit",
    "location": "Location",
    "charge_code": "Charge code",
    "parent": "Parent entity",
}
"""Kinds of units with their titles."""


def charges(selection: Selection, kind: str) -> Query:
    """One row per unit and currency, largest amount first.

    `bar` is the amount divided by the largest amount of the currency, 0 to 1.
    """
    own = (
        (Column("parent_unit_name", "Part of"), Column("own_charged_amount", "Own", "amount"))
        if kind == "parent"
        else ()
    )
    return Query(
        f"""
        with units as (
            select * from unit_charges
            where {selection.where()} and unit_kind = $kind
        )
        select
            units.unit_id, units.unit_name, units.organization_id,
            coalesce(units.organization_name, units.organization_id) as organization_name,
            units.currency, units.cost_center_count, units.charged_amount,
            units.own_charged_amount, units.billed_amount, units.budget,
            units.charged_against_budget, units.budget_variance,
            coalesce(above.unit_name, units.parent_unit_id) as parent_unit_name,
            greatest(units.charged_amount, 0)
                / nullif(max(units.charged_amount) over (partition by units.currency), 0) as bar
        from units
        left join units as above
            on units.organization_id = above.organization_id
            and units.currency = above.currency
            and units.parent_unit_id = above.unit_id
        order by units.currency, units.charged_amount desc, units.organization_id, units.unit_id
        """,
        (*selection.parameters, ("kind", kind)),
        (
            Column("unit_name", KINDS[kind]),
            Column("organization_name", "Organization"),
            Column("cost_center_count", "Cost centers", "quantity"),
            Column("charged_amount", "Charged", "amount"),
            *own,
            Column("billed_amount", "On statements", "amount"),
            Column("budget", "Budget", "amount"),
            Column("charged_against_budget", "Charged against budget", "amount"),
            Column("budget_variance", "Variance", "amount"),
        ),
    )


def totals(selection: Selection, kind: str) -> Query:
    """One row per currency: the units that are in no other unit, which sum to the bill."""
    return Query(
        f"""
        select
            currency, sum(charged_amount) as charged_amount, sum(billed_amount) as billed_amount,
            sum(budget) as budget, sum(charged_against_budget) as charged_against_budget,
            sum(budget_variance) as budget_variance
        from unit_charges
        where {selection.where()} and unit_kind = $kind and parent_unit_id is null
        group by currency
        order by currency
        """,
        (*selection.parameters, ("kind", kind)),
    )


def units(selection: Selection, kind: str) -> Query:
    """Units with charges in the selection, by name."""
    return Query(
        f"""
        select unit_id, any_value(unit_name) as unit_name from unit_charges
        where {selection.where()} and unit_kind = $kind
        group by unit_id
        order by lower(any_value(unit_name)), unit_id
        """,
        (*selection.parameters, ("kind", kind)),
    )


def cost_centers(viewer: Viewer, selection: Selection, kind: str, unit: str) -> Query:
    """One row per cost center of a unit and currency: the amount it is charged, largest first."""
    charged = viewer.measures[0][0]
    return Query(
        f"""
        select
            unit_members.organization_id, unit_members.cost_center_id,
            any_value(unit_members.cost_center_name) as cost_center_name,
            chargeback.currency, sum({charged}) as charged
        from unit_members
        inner join chargeback using (organization_id, cost_center_id)
        where {selection.where()} and unit_kind = $kind and unit_id = $unit
        group by unit_members.organization_id, unit_members.cost_center_id, chargeback.currency
        order by chargeback.currency, charged desc, 1, 2
        """,
        (*selection.parameters, ("kind", kind), ("unit", unit)),
        (Column("cost_center_name", "Cost center"), Column("charged", "Charged", "amount")),
    )


def months(selection: Selection, kind: str, unit: str) -> Query:
    """One row per billing period of a unit and currency, latest first: charged and budgeted."""
    within = replace(selection, period=None)
    return Query(
        f"""
        select billing_period, currency, charged_amount, budget, budget_variance
        from unit_charges
        where {within.where()} and unit_kind = $kind and unit_id = $unit
        order by billing_period desc, currency
        """,
        (*within.parameters, ("kind", kind), ("unit", unit)),
        (
            Column("billing_period", "Billing period"),
            Column("charged_amount", "Charged", "amount"),
            Column("budget", "Budget", "amount"),
            Column("budget_variance", "Variance", "amount"),
        ),
    )


def quantities(selection: Selection, kind: str, unit: str) -> Query:
    """One row per product of a unit and unit of measurement."""
    within = replace(selection, currency=None)
    return Query(
        f"""
        select
            coalesce(product_name, 'Unnamed product') as product_name, quantity, quantity_unit
        from unit_quantities
        where {within.where()} and unit_kind = $kind and unit_id = $unit
        order by product_name, quantity_unit nulls last
        """,
        (*within.parameters, ("kind", kind), ("unit", unit)),
        (
            Column("product_name", "Product"),
            Column("quantity", "Quantity", "quantity"),
            Column("quantity_unit", "Unit"),
        ),
    )


def licenses(selection: Selection, kind: str) -> Query:
    """One row per unit and subscription that a directory counts: allotted, used, difference."""
    within = replace(selection, period=None)
    return Query(
        f"""
        with pool as (
            select * from license_pool
            where {within.where()} and assigned_quantity is not null
        )
        select
            any_value(unit_members.unit_name) as unit_name,
            any_value(coalesce(pool.organization_name, pool.organization_id))
                as organization_name,
            any_value(coalesce(pool.product_name, 'Unnamed product')) as product_name,
            pool.subscription_id, any_value(pool.quantity_unit) as quantity_unit,
            sum(pool.allotted_quantity) as allotted_quantity,
            sum(pool.assigned_quantity) as assigned_quantity,
            sum(pool.assigned_quantity) - sum(pool.allotted_quantity) as beyond_quantity
        from pool
        inner join unit_members using (organization_id, cost_center_id)
        where unit_kind = $kind
        group by pool.organization_id, unit_id, pool.subscription_id
        having sum(pool.assigned_quantity) <> 0 or sum(pool.allotted_quantity) <> 0
        order by beyond_quantity desc, organization_name, unit_name, product_name,
            pool.subscription_id
        """,
        (*within.parameters, ("kind", kind)),
        (
            Column("unit_name", KINDS[kind]),
            Column("organization_name", "Organization"),
            Column("product_name", "Product"),
            Column("subscription_id", "Subscription"),
            Column("allotted_quantity", "Allotted", "quantity"),
            Column("assigned_quantity", "In use", "quantity"),
            Column("beyond_quantity", "In use beyond the allotment", "quantity"),
            Column("quantity_unit", "Unit"),
        ),
    )


def queue(viewer: Viewer, selection: Selection) -> Query:
    """The pending queue: licenses that wait for an allotment, then those that wait for a user."""
    within = replace(selection, period=None)
    cost = () if viewer.is_customer else (Column("cycle_cost", "Cost per cycle", "amount"),)
    return Query(
        f"""
        select
            coalesce(organization_name, organization_id) as organization_name,
            coalesce(product_name, 'Unnamed product') as product_name, subscription_id,
            cost_center_name,
            case request_kind
                when 'over_allotment' then 'an allotment' else 'a user'
            end as waits_for,
            quantity, quantity_unit, unused_quantity, currency, directory_date
            {"" if viewer.is_customer else ", cycle_cost"}
        from pending_queue
        where {within.where()}
        order by request_kind, quantity desc, organization_id, subscription_id, cost_center_id
        """,
        within.parameters,
        (
            Column("waits_for", "Wait for"),
            Column("cost_center_name", "Cost center"),
            Column("organization_name", "Organization"),
            Column("product_name", "Product"),
            Column("subscription_id", "Subscription"),
            Column("quantity", "Quantity", "quantity"),
            Column("quantity_unit", "Unit"),
            Column("unused_quantity", "Unused elsewhere", "quantity"),
            *cost,
        ),
    )
