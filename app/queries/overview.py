"""Queries for the home page: twelve months, movers, amounts without an owner, search.

Belongs here: what a reader needs to decide where to look. Does not: the pages it leads to.
"""

from dataclasses import replace
from typing import Literal

from app.published import Viewer
from app.queries.query import Column, Query, Selection

MOST_SERIES = 7
"""Series of a chart that are named; the others are one."""

MOST_MOVERS = 5

By = Literal["organization", "cost_center"]


def months_by(viewer: Viewer, selection: Selection, by: By) -> Query:
    """One row per currency, billing period and series: charged amounts of twelve months.

    The largest organizations or cost centers are series of their own; `series` is null for the
    others. `place` orders the series, largest first.
    """
    charged = viewer.measures[0][0]
    within = replace(selection, period=None)
    return Query(
        f"""
        with charged as (
            select
                currency, billing_period, {by}_id as id, {by}_name as name,
                sum({charged}) as amount
            from chargeback
            where {within.where()} and billing_period <= $until and billing_period > strftime(
                cast($until || '-01' as date) - interval 12 month, '%Y-%m'
            )
            group by all
        ),
        series as (
            select
                currency, id, coalesce(arg_max(name, billing_period), id) as name,
                row_number() over (
                    partition by currency order by sum(abs(amount)) desc, id
                ) as place
            from charged
            where amount is not null
            group by currency, id
        )
        select
            charged.currency, charged.billing_period,
            if(series.place <= {MOST_SERIES}, series.name, null) as series,
            least(series.place, {MOST_SERIES + 1}) as place, sum(charged.amount) as amount
        from charged
        inner join series on charged.currency = series.currency and charged.id = series.id
        group by all
        order by charged.currency, charged.billing_period, place
        """,
        (*within.parameters, ("until", selection.period or "")),
    )


def movers(selection: Selection) -> Query:
    """The cost centers with the largest changes since the period before, of each currency."""
    return Query(
        f"""
        select
            organization_id, coalesce(organization_name, organization_id) as organization_name,
            cost_center_id, coalesce(cost_center_name, cost_center_id) as cost_center_name,
            currency, previous_billing_period, previous_amount, charged_amount, change
        from chargeback_changes
        where {selection.where()} and change <> 0
        qualify row_number() over (
            partition by currency order by abs(change) desc, organization_id, cost_center_id
        ) <= {MOST_MOVERS}
        order by currency, abs(change) desc, organization_id, cost_center_id
        """,
        selection.parameters,
        (
            Column("cost_center_name", "Cost center"),
            Column("organization_name", "Organization"),
            Column("previous_amount", "Before", "amount"),
            Column("charged_amount", "Now", "amount"),
            Column("change", "Change", "amount"),
        ),
    )


def without_owner(viewer: Viewer, selection: Selection) -> Query:
    """One row per currency: amounts that nobody allocated, and all amounts in Default."""
    charged = viewer.line_measures[0][0]
    return Query(
        f"""
        select
            currency, count(distinct line_id) filter (is_unallocated) as line_count,
            sum({charged}) filter (is_unallocated) as unallocated,
            sum({charged}) filter (is_default) as in_default
        from billing_report
        where {selection.where()}
        group by currency
        having sum(abs({charged})) filter (is_unallocated or is_default) > 0
        order by currency
        """,
        selection.parameters,
    )


def search(viewer: Viewer, text: str, selection: Selection) -> Query:
    """Organizations, cost centers, products, subscriptions and lines whose name or id has a text.

    Lines are found by their whole id. `period` is the last one with a charge.
    """
    within = Selection(organization_id=selection.organization_id)
    return Query(
        f"""
        with found as (
            select
                billing_period, organization_id, organization_name, cost_center_id,
                cost_center_name, product_name, subscription_id, line_id
            from billing_report
            where {within.where()}
        ),
        matches as (
            select
                1 as place, 'Organization' as kind, organization_id,
                null as cost_center_id, null as product_name, null as line_id,
                arg_max(organization_name, billing_period) as name, organization_id as id,
                max(billing_period) as period
            from found
            where contains(lower(concat_ws(' ', organization_id, organization_name)), $text)
            group by organization_id
            union all
            select
                2, 'Cost center', organization_id, cost_center_id, null, null,
                arg_max(cost_center_name, billing_period), cost_center_id, max(billing_period)
            from found
            where contains(lower(concat_ws(' ', cost_center_id, cost_center_name)), $text)
            group by organization_id, cost_center_id
            union all
            select
                3, 'Product', organization_id, null, product_name, null, product_name,
                organization_id, max(billing_period)
            from found
            where contains(lower(product_name), $text)
            group by organization_id, product_name
            union all
            select
                4, 'Subscription', organization_id, null, arg_max(product_name, billing_period),
                null, arg_max(product_name, billing_period), subscription_id, max(billing_period)
            from found
            where contains(lower(subscription_id), $text)
            group by organization_id, subscription_id
            union all
            select
                5, 'Billing line', organization_id, null, any_value(product_name), line_id,
                any_value(product_name), line_id, max(billing_period)
            from found
            where line_id = $text
            group by organization_id, line_id
        )
        select * from matches
        order by place, lower(name), organization_id, id
        """,
        (*within.parameters, ("text", text.strip().lower())),
        (Column("kind", "Kind"), Column("name", "Name"), Column("id", "ID")),
    )
