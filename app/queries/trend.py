"""Queries for the trend: months billed, forecasts, and the accuracy of past forecasts.

Belongs here: amounts by month. Does not: budgets (budgets).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from app.published import Viewer
from app.queries.query import Column, Query, Selection, money_columns, sums
from dagster_project import wording
from dagster_project.quoting import sql_literal

AMORTIZED_COST = "amortized_cost"
"""Cost spread over the months it is for; forecasts continue this series."""

PARTS = {
    "committed_cost": "Committed",
    "renewal_cost": "Renewals",
    "usage_cost": "Usage",
    "seat_change_cost": "Seat changes",
}
"""The parts of a forecast, which sum to it, with their titles."""

BANDS = ("lower_80", "upper_80", "lower_95", "upper_95")


def months(viewer: Viewer, selection: Selection) -> Query:
    """One row per billing period and currency, oldest first: amounts as billed."""
    return Query(
        f"""
        select billing_period, currency, {sums(viewer.measures)} from chargeback
        where {replace(selection, period=None).where()}
        group by billing_period, currency
        order by currency, billing_period
        """,
        replace(selection, period=None).parameters,
        (Column("billing_period", "Billing period"), *money_columns(viewer.measures)),
    )


def months_amortized(selection: Selection) -> Query:
    """As `months`, with amortized cost: each cost in the months it is for."""
    return Query(
        f"""
        select billing_period, currency, sum({AMORTIZED_COST}) as {AMORTIZED_COST} from chargeback
        where {replace(selection, period=None).where()}
        group by billing_period, currency
        order by currency, billing_period
        """,
        replace(selection, period=None).parameters,
        (
            Column("billing_period", "Month"),
            Column(AMORTIZED_COST, "Amortized cost", "amount"),
        ),
    )


By = Literal["organization", "cost_center", "product"]

DIMENSIONS: Mapping[str, str] = {
    "organization": "Organization",
    "cost_center": "Cost center",
    "product": "Product",
}
"""What amounts per month are divided by, with its title."""

MOST_SERIES = 8
"""Series of a chart that are named; the others are one."""


def _series(by: By, selection: Selection) -> tuple[str, str]:
    """SQL of the id and of the name of a series."""
    if by == "product":
        return "product_name", "product_name"
    if by == "organization":
        return "organization_id", "coalesce(organization_name, organization_id)"
    name = "coalesce(cost_center_name, cost_center_id)"
    if selection.organization_id is None:
        # Two organizations may have cost centers of the same id and name.
        name += " || ' (' || coalesce(organization_name, organization_id) || ')'"
    return "organization_id || chr(31) || cost_center_id", name


def months_by(
    selection: Selection, by: By, measure: str, until: str | None = None, most: int = MOST_SERIES
) -> Query:
    """One row per currency, billing period and series: the amounts of a measure.

    The largest organizations, cost centers or products are series of their own; `series` is null
    for the others. `place` orders the series, largest first. With `until` the twelve months up to
    it.
    """
    within = replace(selection, period=None)
    key, name = _series(by, selection)
    months = (
        "billing_period <= $until and billing_period"
        " > strftime(cast($until || '-01' as date) - interval 12 month, '%Y-%m')"
        if until
        else "true"
    )
    return Query(
        f"""
        with amounts as (
            select
                currency, billing_period, {key} as id, max({name}) as name,
                sum({measure}) as amount
            from chargeback
            where {within.where()} and {months}
            group by currency, billing_period, id
        ),
        series as (
            select
                currency, id, coalesce(arg_max(name, billing_period), id) as name,
                row_number() over (
                    partition by currency order by sum(abs(amount)) desc, id
                ) as place
            from amounts
            where amount is not null
            group by currency, id
        )
        select
            amounts.currency, amounts.billing_period,
            if(series.place <= {most}, series.name, null) as series,
            least(series.place, {most + 1}) as place, sum(amounts.amount) as amount
        from amounts
        inner join series on amounts.currency = series.currency and amounts.id = series.id
        group by all
        order by amounts.currency, amounts.billing_period, place
        """,
        (*within.parameters, *((("until", until),) if until else ())),
    )


def _month_sums(
    measure: str, periods: Sequence[str]
) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """SQL of a column for each period, SQL of the periods' rows, and the period of each column."""
    named = tuple((f"month_{i}", period) for i, period in enumerate(periods))
    sums = ", ".join(
        f"sum({measure}) filter (billing_period = ${column}) as {column}" for column, _ in named
    )
    listed = ", ".join(f"${column}" for column, _ in named)
    return sums, f"billing_period in ({listed})", named


def by_month(selection: Selection, by: By, measure: str, periods: Sequence[str]) -> Query:
    """One row per currency and organization, cost center or product: a column for each period.

    The largest sum of the periods first.
    """
    within = replace(selection, period=None)
    key, name = _series(by, selection)
    sums, within_periods, named = _month_sums(measure, periods)
    return Query(
        f"""
        select
            currency, {key} as id, max_by({name}, billing_period) as name,
            any_value(organization_id) as organization_id,
            any_value(cost_center_id) as cost_center_id,
            {sums}, sum({measure}) as total
        from chargeback
        where {within.where()} and {within_periods}
        group by currency, id
        having count({measure}) > 0
        order by currency, abs(sum({measure})) desc, id
        """,
        (*within.parameters, *named),
        (
            Column("name", DIMENSIONS[by]),
            *(Column(column, wording.short_period(period), "amount") for column, period in named),
            Column("total", "Total", "amount"),
        ),
    )


def month_totals(selection: Selection, measure: str, periods: Sequence[str]) -> Query:
    """One row per currency: the sums of `by_month`."""
    within = replace(selection, period=None)
    sums, within_periods, named = _month_sums(measure, periods)
    return Query(
        f"""
        select currency, {sums}, sum({measure}) as total
        from chargeback
        where {within.where()} and {within_periods}
        group by currency
        order by currency
        """,
        (*within.parameters, *named),
    )


def bases(selection: Selection) -> Query:
    """One row per basis of the amounts charged in the selection: sales or cost."""
    within = replace(selection, period=None)
    return Query(
        f"""
        select distinct amount_basis from chargeback
        where {within.where()} and charged_amount <> 0
        order by amount_basis
        """,
        within.parameters,
    )


def forecast(selection: Selection) -> Query:
    """One row per future month and currency: the forecast cost of the selection, with bands.

    Its parts (`PARTS`) are in separate columns.
    """
    within = replace(selection, period=None)
    level = (
        "cost_center"
        if within.cost_center_id
        else "organization"
        if within.organization_id
        else "total"
    )
    return Query(
        f"""
        with parts as (
            select
                month, currency, sum(committed_cost) as committed_cost,
                sum(renewal_cost) as renewal_cost, sum(usage_cost) as usage_cost,
                sum(seat_change_cost) as seat_change_cost
            from cost_forecast
            where {within.where()}
            group by month, currency
        ),
        forecasts as (
            select month, currency, forecast, {", ".join(BANDS)}, method
            from cost_forecast_summary
            where level = {sql_literal(level)} and {within.where()}
        )
        select
            strftime(forecasts.month, '%Y-%m') as month, forecasts.* exclude (month),
            {", ".join(f"parts.{part}" for part in PARTS)}
        from forecasts
        inner join parts
            on forecasts.month = parts.month and forecasts.currency = parts.currency
        order by forecasts.currency, forecasts.month
        """,
        within.parameters,
        (
            Column("month", "Month"),
            Column("forecast", "Forecast", "amount"),
            Column("lower_80", "Lower bound (80 %)", "amount"),
            Column("upper_80", "Upper bound (80 %)", "amount"),
            Column("lower_95", "Lower bound (95 %)", "amount"),
            Column("upper_95", "Upper bound (95 %)", "amount"),
            *(Column(part, title, "amount") for part, title in PARTS.items()),
        ),
    )


def sales_forecast(selection: Selection, title: str) -> Query:
    """One row per future month and currency: the forecast sales of the selection.

    `title` is the title of sales for the viewer. Months without any price are left out.
    """
    within = replace(selection, period=None)
    return Query(
        f"""
        select
            strftime(month, '%Y-%m') as month, currency, sum(sales_forecast) as forecast
        from cost_forecast
        where {within.where()} and sales_forecast is not null
        group by 1, currency
        order by currency, 1
        """,
        within.parameters,
        (Column("month", "Month"), Column("forecast", f"{title} forecast", "amount")),
    )


def forecast_accuracy(selection: Selection) -> Query:
    """One row per number of months ahead and currency: past forecasts compared with actuals.

    `error_share` is the sum of absolute errors divided by the sum of absolute actuals; null
    where the actuals are zero.
    """
    within = replace(selection, period=None)
    return Query(
        f"""
        select
            months_ahead, currency, count(*) as forecast_count,
            sum(actual_cost) as actual_cost, sum(forecast) as forecast,
            cast(
                sum(abs(forecast_error)) / nullif(sum(abs(actual_cost)), 0) as decimal(18, 6)
            ) as error_share,
            cast(count(*) filter (is_within_80) / count(*) as decimal(18, 6)) as within_80_share,
            cast(count(*) filter (is_within_95) / count(*) as decimal(18, 6)) as within_95_share
        from forecast_accuracy
        where {within.where()}
        group by months_ahead, currency
        order by currency, months_ahead
        """,
        within.parameters,
        (
            Column("months_ahead", "Months ahead"),
            Column("forecast_count", "Number of forecasts", "quantity"),
            Column("forecast", "Forecast", "amount"),
            Column("actual_cost", "Actual", "amount"),
            Column("error_share", "Error", "percent"),
            Column("within_80_share", "Within 80 % band", "percent"),
            Column("within_95_share", "Within 95 % band", "percent"),
        ),
    )
