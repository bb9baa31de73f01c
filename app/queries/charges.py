"""Queries for amounts charged: totals, comparisons, shared costs, corrections.

Belongs here: sums per organization, cost center, product and billing period. Does not: single lines
(lines), months side by side (trend).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from app.published import Viewer
from app.queries.pickers import ChargebackView
from app.queries.query import (
    QUANTITY,
    Column,
    Measures,
    Query,
    Selection,
    money_columns,
    quantity_sum,
    sums,
)
from dagster_project.exports.scope import shared_cost_sides


def measures(viewer: Viewer, view: ChargebackView, is_shared: bool = False) -> Measures:
    """The amounts of a view: the amount charged, and those that explain it.

    With `is_shared` they explain the effect of shared costs too. As corrected, all amounts are
    before shared costs.
    """
    if view == "chargeback_as_corrected":
        return viewer.line_measures
    return viewer.measures + (viewer.shared_measures if is_shared else ())


def totals(
    viewer: Viewer,
    selection: Selection,
    view: ChargebackView = "chargeback",
    is_shared: bool = False,
) -> Query:
    """One row per currency: the amounts of the viewer (see `measures`)."""
    shown = measures(viewer, view, is_shared)
    return Query(
        f"""
        select currency, {sums(shown)} from {view}
        where {selection.where()}
        group by currency
        order by currency
        """,
        selection.parameters,
        (Column("currency", "Currency"), *money_columns(shown)),
    )


def shared_costs(viewer: Viewer, selection: Selection) -> Query:
    """One row per shared cost that cost centers of the selection received or passed on.

    `other_name` is the other cost center; amounts passed on are negative. Amounts that a cost
    center shares with itself are left out.
    """
    columns: tuple[tuple[str, str], ...] = (("shared_sales", "Amount"),)
    if not viewer.is_customer:
        columns = (("shared_cost", "Cost"), ("shared_sales", "Sales"))
    measures = [name for name, _ in columns]
    title = "Share" if viewer.is_customer else "Share of sales"
    shares: tuple[Column, ...] = (Column("sales_share", title, "share"),)
    if not viewer.is_customer:
        shares = (Column("share", "Share of cost", "share"), *shares)
    return Query(
        f"""
        select
            product_name, other_name, source_name, method,
            {", ".join(column.name for column in shares)}, currency, {", ".join(measures)}
        from ({shared_cost_sides(measures)})
        where {selection.where()}
        order by currency, step, product_name, other_name, source_name
        """,
        selection.parameters,
        (
            Column("product_name", "Product"),
            Column("other_name", "Counterparty"),
            Column("source_name", "Shared cost"),
            Column("method", "Method", "sharing_method"),
            *shares,
            *(Column(name, title, "amount") for name, title in columns),
        ),
    )


GROUPS: Mapping[str, tuple[str, str, str]] = {
    "organization": ("organization_id", "organization_name", "Organization"),
    "cost_center": ("cost_center_id", "cost_center_name", "Cost center"),
    "product": ("product_name", "product_name", "Product"),
}


def totals_by(
    viewer: Viewer,
    selection: Selection,
    by: Literal["organization", "cost_center", "product"],
    view: ChargebackView = "chargeback",
    is_shared: bool = False,
) -> Query:
    """One row per organization, cost center or product, and currency; largest amount first.

    `bar` is the amount divided by the largest amount of the currency, 0 to 1.
    """
    key, name, title = GROUPS[by]
    shown = measures(viewer, view, is_shared)
    rank = shown[0][0]
    named = "" if key == name else f"coalesce(any_value({name}), {key}) as {name}, "
    billed = QUANTITY if by == "product" else ()
    return Query(
        f"""
        with grouped as (
            select {key}, {named}currency, {quantity_sum()}, {sums(shown)}
            from {view}
            where {selection.where()}
            group by {key}, currency
        )
        select
            *,
            greatest({rank}, 0) / nullif(max({rank}) over (partition by currency), 0) as bar
        from grouped
        order by currency, {rank} desc nulls last, {key}
        """,
        selection.parameters,
        (Column(name, title), *billed, *money_columns(shown)),
    )


def compared_with_earlier(
    viewer: Viewer, selection: Selection, earlier_period: str | None
) -> Query:
    """One row per organization, cost center and currency: this period and an earlier one.

    Largest amount first.
    """
    rank, title = viewer.measures[0]
    within = replace(selection, period=None)
    return Query(
        f"""
        with grouped as (
            select
                organization_id, cost_center_id, currency,
                coalesce(arg_max(organization_name, billing_period), organization_id)
                    as organization_name,
                coalesce(arg_max(cost_center_name, billing_period), cost_center_id)
                    as cost_center_name,
                sum({rank}) filter (billing_period = $now) as {rank},
                sum({rank}) filter (billing_period = $earlier) as earlier
            from chargeback
            where {within.where()} and billing_period in ($now, $earlier)
            group by organization_id, cost_center_id, currency
        )
        select
            *,
            coalesce({rank}, 0) - coalesce(earlier, 0) as difference,
            greatest({rank}, 0) / nullif(max({rank}) over (partition by currency), 0) as bar
        from grouped
        order by currency, {rank} desc nulls last, organization_id, cost_center_id
        """,
        (*within.parameters, ("now", selection.period or ""), ("earlier", earlier_period or "")),
        (
            Column("cost_center_name", "Cost center"),
            Column("organization_name", "Organization"),
            Column(rank, title, "amount"),
            Column("earlier", "Previous month", "amount"),
            Column("difference", "Change", "amount"),
        ),
    )


def corrections(viewer: Viewer, selection: Selection) -> Query:
    """One row per corrected period and currency: correction amounts in the selected period."""
    return Query(
        f"""
        select original_billing_period, currency, {sums(viewer.line_measures)} from billing_report
        where {selection.where()} and charge_class = 'Correction'
        group by original_billing_period, currency
        order by original_billing_period, currency
        """,
        selection.parameters,
        (
            Column("original_billing_period", "Corrected period"),
            *money_columns(viewer.line_measures),
        ),
    )
