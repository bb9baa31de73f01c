"""Queries for budgets: planned, actual and forecast amounts of a month and its fiscal year.

Belongs here: rows of the marts budget_variance and forecast_variance. Does not: computed forecasts
without a budget or a manual forecast (trend).
"""

from dataclasses import replace

from app.published import Viewer
from app.queries.query import Column, Query, Selection

NOT_BILLED = "not_billed"
"""The status of a budget whose month has no bill yet."""


def _where(selection: Selection) -> str:
    return selection.where("strftime(month, '%Y-%m')")


USED = (
    ("month_used", "actual", "budget"),
    ("to_date_used", "actual_to_date", "budget_to_date"),
    ("year_used", "actual_to_date", "year_budget"),
)
"""Shares of budgets that are used: their name, the amount, the budget."""


def _used(amount: str, budget: str) -> str:
    # A budget of zero has no percentage.
    return f"cast({amount} / nullif({budget}, 0) as decimal(18, 6))"


def _names(selection: Selection) -> tuple[str, str, str]:
    """SQL of the names of the organization and the cost center, and of the label of both."""
    organization = "coalesce(organization_name, organization_id)"
    center = "coalesce(cost_center_name, cost_center_id)"
    label = center if selection.organization_id else f"{center} || ' (' || {organization} || ')'"
    return organization, center, label


def budgets(viewer: Viewer, selection: Selection) -> Query:
    """One row per cost center, currency and month with a budget; overruns first.

    `label` names the cost center among those of the selection.
    """
    # A customer has budgets of sales only.
    basis = "" if viewer.is_customer else "amount_basis, "
    organization, center, label = _names(selection)
    used = ", ".join(f"{_used(amount, budget)} as {name}" for name, amount, budget in USED)
    return Query(
        f"""
        select
            month, organization_id, {organization} as organization_name,
            cost_center_id, {center} as cost_center_name, {label} as label,
            currency, {basis}coalesce(status, '{NOT_BILLED}') as status,
            budget, actual, variance, budget_to_date, actual_to_date,
            variance_to_date, year_budget, year_expected, year_variance, {used}
        from budget_variance
        where {_where(selection)}
        order by
            case status
                when 'over_budget' then 0
                when 'over_budget_at_year_end' then 1
                when 'within_budget' then 2
                else 3
            end,
            currency, coalesce(variance_to_date, year_variance) desc nulls last,
            organization_id, cost_center_id, month
        """,
        selection.parameters,
        (
            Column("status", "Status", "status"),
            Column("cost_center_name", "Cost center"),
            Column("organization_name", "Organization"),
            Column("budget", "Budget", "amount"),
            Column("actual", "Charged", "amount"),
            Column("month_used", "Used", "percent"),
            Column("variance", "Variance", "amount"),
            Column("budget_to_date", "Budget to date", "amount"),
            Column("actual_to_date", "Charged to date", "amount"),
            Column("to_date_used", "Used to date", "percent"),
            Column("year_budget", "Year budget", "amount"),
            Column("year_used", "Used of year", "percent"),
            Column("year_expected", "Year forecast", "amount"),
            *(() if viewer.is_customer else (Column("amount_basis", "Basis"),)),
        ),
    )


def manual_forecasts(selection: Selection) -> Query:
    """One row per cost center, currency and month with a manual forecast, from the period on.

    `label` names the cost center among those of the selection, and the month.
    """
    organization, center, label = _names(selection)
    within = replace(selection, period=None)
    from_period = "" if selection.period is None else "and strftime(month, '%Y-%m') >= $period"
    return Query(
        f"""
        select
            strftime(month, '%Y-%m') as month, organization_id,
            {organization} as organization_name, cost_center_id, {center} as cost_center_name,
            {label} || ', ' || strftime(month, '%b %Y') as label,
            currency, budget, manual_forecast, forecast, actual, variance
        from forecast_variance
        where {within.where()} {from_period}
        order by currency, organization_id, cost_center_id, month
        """,
        selection.parameters,
        (
            Column("month", "Month"),
            Column("cost_center_name", "Cost center"),
            Column("organization_name", "Organization"),
            Column("budget", "Budget", "amount"),
            Column("manual_forecast", "Manual forecast", "amount"),
            Column("forecast", "Computed forecast", "amount"),
            Column("actual", "Charged", "amount"),
            Column("variance", "Variance", "amount"),
        ),
    )


def totals(viewer: Viewer, selection: Selection) -> Query:
    """One row per currency: the sums of `budgets`; null where an amount of a row is null.

    Currencies that mix budgets of sales and budgets of cost have no total and are left out.
    """
    amounts = (
        "budget", "actual", "variance", "budget_to_date", "actual_to_date", "year_budget",
        "year_expected",
    )  # fmt: skip
    sums = ", ".join(
        f"case when count({name}) = count(*) then sum({name}) end as {name}" for name in amounts
    )
    used = ", ".join(f"{_used(amount, budget)} as {name}" for name, amount, budget in USED)
    one_basis = "" if viewer.is_customer else "having count(distinct amount_basis) = 1"
    return Query(
        f"""
        with summed as (
            select currency, {sums} from budget_variance
            where {_where(selection)}
            group by currency
            {one_basis}
        )
        select *, {used} from summed
        order by currency
        """,
        selection.parameters,
    )


def bases(selection: Selection) -> Query:
    """One row per basis of the budgets of the selection: sales or cost."""
    return Query(
        f"""
        select distinct amount_basis from budget_variance
        where {_where(selection)}
        order by amount_basis
        """,
        selection.parameters,
    )


def statuses(selection: Selection) -> Query:
    """One row per status: the number of cost centers whose budget has it."""
    return Query(
        f"""
        select coalesce(status, '{NOT_BILLED}') as status, count(*) as cost_center_count
        from budget_variance
        where {_where(selection)}
        group by 1
        order by 1
        """,
        selection.parameters,
    )
