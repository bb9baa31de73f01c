"""Queries for licenses: the license pool, and the split history of a subscription.

Belongs here: quantities of licenses. Does not: amounts charged (charges).
"""

from dataclasses import replace

from app.published import Viewer
from app.queries.query import Column, Query, Selection


def pool(viewer: Viewer, selection: Selection) -> Query:
    """The current license pool: one row per subscription and cost center."""
    within = replace(selection, period=None)
    cost = (
        () if viewer.is_customer else (Column("pending_cost", "Pending cost per cycle", "amount"),)
    )
    return Query(
        f"""
        select
            organization_id,
            coalesce(organization_name, organization_id) as organization_name,
            coalesce(product_name, 'Unnamed product') as product_name,
            subscription_id, cost_center_id, cost_center_name,
            bought_quantity, allotted_quantity, assigned_quantity, leaver_quantity,
            pending_quantity, quantity_unit, currency, directory_date
            {"" if viewer.is_customer else ", pending_cost"}
        from license_pool
        where {within.where()} and (bought_quantity <> 0 or allotted_quantity <> 0)
        order by organization_name, organization_id, product_name, subscription_id, cost_center_id
        """,
        within.parameters,
        (
            Column("organization_name", "Organization"),
            Column("product_name", "Product"),
            Column("subscription_id", "Subscription"),
            Column("bought_quantity", "Bought", "quantity"),
            Column("cost_center_name", "Cost center"),
            Column("allotted_quantity", "Allotted", "quantity"),
            Column("assigned_quantity", "Assigned", "quantity"),
            Column("leaver_quantity", "Assigned to leavers", "quantity"),
            Column("pending_quantity", "Pending", "quantity"),
            Column("quantity_unit", "Unit"),
            *cost,
        ),
    )


def pool_totals(viewer: Viewer, selection: Selection) -> Query:
    """One row: the number of subscriptions, licenses bought, assigned and pending."""
    within = replace(selection, period=None)
    return Query(
        f"""
        with subscriptions as (
            select
                subscription_id, any_value(bought_quantity) as bought,
                sum(assigned_quantity) as assigned, sum(pending_quantity) as pending,
                max(directory_date) as directory_date
            from license_pool
            where {within.where()} and (bought_quantity <> 0 or allotted_quantity <> 0)
            group by subscription_id
        )
        select
            count(*) as subscription_count, sum(bought) as bought, sum(assigned) as assigned,
            sum(pending) as pending, max(directory_date) as directory_date
        from subscriptions
        """,
        within.parameters,
    )


def pending_costs(selection: Selection) -> Query:
    """One row per currency: the cost of pending licenses per billing cycle."""
    within = replace(selection, period=None)
    return Query(
        f"""
        select currency, sum(pending_cost) as pending_cost from license_pool
        where {within.where()}
        group by currency
        having sum(pending_cost) <> 0
        order by currency
        """,
        within.parameters,
    )


def split_history(subscription_id: str, unit: str = "Licenses") -> Query:
    """The quantities per cost center of a subscription in its `unit`, newest split first."""
    return Query(
        """
        select
            snapshot_id, subscription_id, event, valid_from, valid_to, total_quantity,
            cost_center_id, coalesce(cost_center_name, cost_center_id) as cost_center_name,
            allocated_quantity, share
        from cost_center_history
        where subscription_id = $subscription_id and not is_superseded
        order by valid_from desc, snapshot_id, cost_center_id
        """,
        (("subscription_id", subscription_id),),
        (
            Column("valid_from", "From (UTC)", "instant"),
            Column("valid_to", "Until (UTC)", "instant"),
            Column("event", "Event"),
            Column("cost_center_name", "Cost center"),
            Column("allocated_quantity", unit, "quantity"),
            Column("total_quantity", f"Total {unit.lower()}", "quantity"),
            Column("share", "Share", "share"),
        ),
    )


def billed_quantity(organization_id: str, subscription_id: str) -> Query:
    """One row: the licenses of the license pool, else those of the last billed cycle."""
    return Query(
        """
        with lines as (
            select billing_period, line_id, sum(quantity) as quantity from billing_report
            where organization_id = $organization_id and subscription_id = $subscription_id
                and charge_kind = 'cycle'
            group by billing_period, line_id
        ),
        pool as (
            select max(bought_quantity) as quantity from license_pool
            where organization_id = $organization_id and subscription_id = $subscription_id
        )
        select
            coalesce(
                nullif(pool.quantity, 0),
                (
                    select max(quantity) from lines
                    where billing_period = (select max(billing_period) from lines)
                )
            ) as quantity
        from pool
        """,
        (("organization_id", organization_id), ("subscription_id", subscription_id)),
    )


def seats_of(organization_id: str) -> Query:
    """Licenses that splits in force now or later allocate: per cost center and split."""
    return Query(
        """
        select cost_center_id, subscription_id, valid_from, valid_to, allocated_quantity
        from cost_center_history
        where organization_id = $organization_id and not is_superseded and allocated_quantity > 0
        order by cost_center_id, subscription_id, valid_from
        """,
        (("organization_id", organization_id),),
    )


def last_closed_billing_date() -> Query:
    """One row: the latest billing date of closed periods; null while none is closed."""
    return Query(
        """
        select max(billing_date) as billing_date from billing_report
        where billing_period in (
            select billing_period from billing_periods where status = 'closed'
        )
        """
    )
