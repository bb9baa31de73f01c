"""Queries for billing lines: the lines of a selection, the split of one line, unpriced lines.

Belongs here: rows of the mart billing_report. Does not: sums of them (charges).
"""

from dataclasses import replace

from app.published import Viewer
from app.queries.query import QUANTITY, Column, Query, Selection, money_columns, sums


def billing_lines(viewer: Viewer, selection: Selection, is_corrected: bool = False) -> Query:
    """One row per billing line, cost center and billing period.

    With `is_corrected` the period of the selection is the original billing period.
    """
    unit_cost = "" if viewer.is_customer else "unit_cost,"
    return Query(
        f"""
        select
            billing_period, line_id, product_name, cost_center_id,
            coalesce(cost_center_name, cost_center_id) as cost_center_name,
            charge_start_date, charge_end_date,
            charge_type || if(charge_class is null, '', ' (' || lower(charge_class) || ')')
                as charge_type,
            billing_report.charge_type as charge_code, charge_kind,
            subscription_id, quantity, quantity_unit, share, currency, split_reason, {unit_cost}
            {", ".join(name for name, _ in viewer.line_measures)}
        from billing_report
        where {selection.where(_period_column(is_corrected))}
        order by currency, charge_start_date, charge_end_date, line_id, cost_center_id,
            billing_period
        """,
        selection.parameters,
        (
            Column("charge_type", "Charge"),
            Column("product_name", "Product"),
            Column("charge_start_date", "From", "day"),
            Column("charge_end_date", "To", "day"),
            Column("cost_center_name", "Cost center"),
            *QUANTITY,
            Column("share", "Share", "share"),
            *(() if viewer.is_customer else (Column("unit_cost", "Unit cost", "exact"),)),
            *money_columns(viewer.line_measures),
            Column("split_reason", "Split basis", "code"),
        ),
    )


def totals(viewer: Viewer, selection: Selection, is_corrected: bool = False) -> Query:
    """One row per currency: the amounts of `billing_lines`, before shared costs."""
    return Query(
        f"""
        select currency, {sums(viewer.line_measures)} from billing_report
        where {selection.where(_period_column(is_corrected))}
        group by currency
        order by currency
        """,
        selection.parameters,
    )


def periods(selection: Selection) -> Query:
    """The billing periods with lines of a selection, whatever its period; earliest first."""
    within = replace(selection, period=None)
    return Query(
        f"""
        select billing_period from billing_report
        where {within.where()}
        group by billing_period
        order by billing_period
        """,
        within.parameters,
    )


def billing_line(viewer: Viewer, line_id: str, period: str) -> Query:
    """The split of one billing line: one row per cost center, amounts with all decimals."""
    broker_only = "" if viewer.is_customer else ", price_explanation, billing_line_details"
    return Query(
        f"""
        select
            billing_period, line_id, organization_name, product_name, subscription_id,
            charge_type, charge_kind, charge_start_date, charge_end_date, billing_date,
            refund_of_line_id, snapshot_effective_at, split_reason, charge_class,
            original_billing_period,
            cost_center_id, cost_center_name, quantity, quantity_unit, share, currency, explanation,
            {", ".join(name for name, _ in viewer.line_measures)}{broker_only}
        from billing_report
        where line_id = $line_id and billing_period = $period
        order by cost_center_id
        """,
        (("line_id", line_id), ("period", period)),
        (
            Column("cost_center_name", "Cost center"),
            *QUANTITY,
            Column("share", "Share", "share"),
            *money_columns(viewer.line_measures, "exact"),
        ),
    )


def periods_of_line(line_id: str) -> Query:
    """The billing periods of a line, earliest first."""
    return Query(
        "select billing_period from billing_report where line_id = $line_id order by 1",
        (("line_id", line_id),),
    )


def unpriced(viewer: Viewer, selection: Selection, is_corrected: bool = False) -> Query:
    """One row per currency: the number of lines without a sales price.

    For the broker their cost is included.
    """
    cost = "" if viewer.is_customer else ", sum(total_cost) as total_cost"
    return Query(
        f"""
        select currency, count(distinct line_id) as line_count{cost}
        from billing_report
        where {selection.where(_period_column(is_corrected))} and total_sales is null
        group by currency
        order by currency
        """,
        selection.parameters,
    )


def _period_column(is_corrected: bool) -> str:
    return "original_billing_period" if is_corrected else "billing_period"
