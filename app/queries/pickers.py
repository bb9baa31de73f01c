"""Queries for the pickers: billing periods, organizations, cost centers, currencies, subscriptions.

Belongs here: the values a person can choose from. Does not: amounts.
"""

from dataclasses import replace
from typing import Literal

from app.queries.query import Query, Selection

ChargebackView = Literal["chargeback", "chargeback_as_corrected"]


def periods() -> Query:
    """Billing periods with their status, latest first."""
    return Query(
        """
        select billing_period, any_value(status) as status, max(closed_at) as closed_at
        from billing_periods
        group by billing_period
        order by billing_period desc
        """
    )


def organizations() -> Query:
    """Organizations by name; the name is the latest one billed."""
    return Query(
        """
        select
            organization_id,
            coalesce(arg_max(organization_name, billing_period), organization_id)
                as organization_name
        from chargeback
        group by organization_id
        order by lower(arg_max(organization_name, billing_period)), organization_id
        """
    )


def cost_centers(selection: Selection, view: ChargebackView = "chargeback") -> Query:
    """Cost centers with charges in the selection, by name."""
    return Query(
        f"""
        select
            cost_center_id,
            coalesce(arg_max(cost_center_name, billing_period), cost_center_id)
                as cost_center_name
        from {view}
        where {selection.where()}
        group by cost_center_id
        order by lower(arg_max(cost_center_name, billing_period)), cost_center_id
        """,
        selection.parameters,
    )


def currencies(selection: Selection) -> Query:
    """Currencies of the selection, the most frequent first."""
    return Query(
        f"""
        select currency from chargeback
        where {selection.where()}
        group by currency
        order by count(*) desc, currency
        """,
        selection.parameters,
    )


def subscriptions(selection: Selection) -> Query:
    """Subscriptions with a split history, by organization and product."""
    within = replace(selection, period=None)
    return Query(
        f"""
        with split as (
            select distinct organization_id, subscription_id from cost_center_history
            where {within.where()}
        ),
        named as (
            select
                subscription_id, any_value(product_name) as product_name,
                any_value(organization_name) as organization_name
            from license_pool
            group by subscription_id
        )
        select
            split.organization_id, split.subscription_id,
            coalesce(named.product_name, '(not billed)') as product_name,
            coalesce(named.organization_name, split.organization_id) as organization_name
        from split
        left join named on split.subscription_id = named.subscription_id
        order by organization_name, product_name, split.subscription_id
        """,
        within.parameters,
    )
