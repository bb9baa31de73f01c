"""Queries for the home page: movers, amounts without an owner, search.

Belongs here: what a reader needs to decide where to look. Does not: the pages it leads to, months
side by side (trend).
"""

from app.published import Viewer
from app.queries.query import Column, Query, Selection

MOST_MOVERS = 5


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


def in_default(viewer: Viewer, selection: Selection) -> Query:
    """One row per currency and cost center Default with an amount, the largest first."""
    charged = viewer.line_measures[0][0]
    return Query(
        f"""
        select
            currency, organization_id, cost_center_id,
            coalesce(max(organization_name), organization_id) as organization_name,
            sum({charged}) as in_default
        from billing_report
        where {selection.where()} and is_default
        group by currency, organization_id, cost_center_id
        having sum(abs({charged})) > 0
        order by currency, abs(sum({charged})) desc, organization_id, cost_center_id
        """,
        selection.parameters,
    )


SHORTEST_LINE_ID = 6
"""Characters of a line id that find the line."""


def search(viewer: Viewer, text: str, selection: Selection, has_units: bool = True) -> Query:
    """What has a text in its name or id: organizations, cost centers, units, products, invoices,
    subscriptions, lines.

    Lines are found by the beginning of their id. `period` is the last one with a charge; null for a
    cost center or unit without one. Without `has_units` the published tables have no units.
    """
    within = Selection(organization_id=selection.organization_id)
    units = f"""
            union all
            select
                3, unit_kind, organization_id, null, null, null, null, null, unit_kind, unit_id,
                any_value(unit_members.unit_name), unit_id, max(unit_charges.billing_period)
            from unit_members
            left join unit_charges using (organization_id, unit_kind, unit_id)
            where {within.where()} and contains(
                lower(concat_ws(' ', unit_id, unit_members.unit_name)), $text
            )
            group by organization_id, unit_kind, unit_id
            """
    return Query(
        f"""
        with found as (
            select
                billing_period, organization_id, organization_name, product_name, subscription_id,
                invoice_number, line_id
            from billing_report
            where {within.where()}
        ),
        centers as (
            select
                organization_id, cost_center_id,
                coalesce(cost_center_name, cost_center_id) as cost_center_name, billing_period
            from chargeback
            where {within.where()}
            union all
            select organization_id, cost_center_id, cost_center_name, null
            from dim_cost_center
            where {within.where()}
        ),
        matches as (
            select
                1 as place, 'organization' as kind, organization_id,
                null as cost_center_id, null as product_name, null as subscription_id,
                null as invoice_number, null as line_id, null as unit_kind, null as unit_id,
                arg_max(organization_name, billing_period) as name, organization_id as id,
                max(billing_period) as period
            from found
            where contains(lower(concat_ws(' ', organization_id, organization_name)), $text)
            group by organization_id
            union all
            select
                2, 'cost_center', organization_id, cost_center_id, null, null, null, null, null,
                null,
                coalesce(
                    arg_max(cost_center_name, billing_period), any_value(cost_center_name)
                ),
                cost_center_id, max(billing_period)
            from centers
            where contains(lower(concat_ws(' ', cost_center_id, cost_center_name)), $text)
            group by organization_id, cost_center_id
            {units if has_units else ""}
            union all
            select
                4, 'product', organization_id, null, product_name, null, null, null, null, null,
                product_name, organization_id, max(billing_period)
            from found
            where contains(lower(product_name), $text)
            group by organization_id, product_name
            union all
            select
                5, 'invoice', organization_id, null, null, null, invoice_number, null, null, null,
                any_value(organization_name), invoice_number, max(billing_period)
            from found
            where contains(lower(invoice_number), $text)
            group by organization_id, invoice_number
            union all
            select
                6, 'subscription', organization_id, null, null, subscription_id, null, null, null,
                null, arg_max(product_name, billing_period), subscription_id, max(billing_period)
            from found
            where contains(lower(subscription_id), $text)
            group by organization_id, subscription_id
            union all
            select
                7, 'billing_line', organization_id, null, any_value(product_name), null, null,
                line_id, null, null, any_value(product_name), line_id, max(billing_period)
            from found
            where starts_with(line_id, $text) and length($text) >= {SHORTEST_LINE_ID}
            group by organization_id, line_id
        )
        select *, period as last_charged from matches
        order by place, lower(name), organization_id, kind, id
        """,
        (*within.parameters, ("text", text.strip().lower())),
        (
            Column("kind", "Kind"),
            Column("name", "Name"),
            Column("id", "ID"),
            Column("last_charged", "Last charged"),
        ),
    )
