"""Budget: planned, actual and forecast amounts of a month and its fiscal year."""

import streamlit as st

from app import drawing, markup
from app.queries import budgets
from app.queries.query import Row, Selection
from app.screen import ask, columns_of, count, heading, nothing, page_context, show
from dagster_project import wording

NO_BUDGET = "No budget yet. Add a file to landing/budgets, then run make run."
NO_BUDGET_OF_CUSTOMER = "No budget yet."

here = page_context()
viewer = here.viewer


def status_notices() -> str:
    """A notice per status with its number of cost centers; overruns first."""
    counts = {
        str(row["status"]): int(str(row["cost_center_count"]))
        for row in ask(budgets.statuses(here.selection))
    }
    notices = []
    for status, one, many in (
        ("over_budget", "cost center is over its budget", "cost centers are over their budgets"),
        (
            "over_budget_at_year_end",
            "cost center is forecast to exceed its budget by year end",
            "cost centers are forecast to exceed their budgets by year end",
        ),
        (
            "within_budget",
            "cost center is within its budget",
            "cost centers are within their budgets",
        ),
        (
            budgets.NOT_BILLED,
            "cost center is not billed for this month yet",
            "cost centers are not billed for this month yet",
        ),
    ):
        if status in counts:
            tone, _ = wording.status(status)
            notices.append(markup.notice(f"{wording.counted(counts[status], one, many)}.", tone))
    return "".join(notices)


def charts(title: str, rows: list[Row]) -> None:
    """Planned, forecast and charged amounts of the cost centers, a chart per currency."""
    for currency in dict.fromkeys(str(row["currency"]) for row in rows):
        drawn = drawing.budgets_drawn(rows, currency)
        if not drawn:
            continue
        st.subheader(f"{title}, {currency}", anchor=False)
        st.vega_lite_chart(
            drawing.budgets(rows, currency),
            width="stretch",
            theme=None,
            alt=drawing.budgets_described(rows, currency),
        )
        more = sum(row["currency"] == currency for row in rows) - len(drawn)
        if more:
            st.caption(f"The {len(drawn)} largest; the table has {wording.number(more)} more.")


def links(row: Row) -> dict[str, str]:
    """A cost center's name leads to its chargeback."""
    return {
        "cost_center_name": markup.link(
            str(row["cost_center_name"]),
            "chargeback",
            period=here.period,
            organization=None if viewer.is_customer else str(row["organization_id"]),
            cost_center=str(row["cost_center_id"]),
        )
    }


def show_manual_forecasts() -> None:
    """The manual forecasts from the month on, beside budget, computed forecast and charge."""
    query = budgets.manual_forecasts(here.selection)
    rows = ask(query)
    if not rows:
        return
    charts("Manual forecasts", rows)
    if here.organization_id:
        query = query.without("organization_name")
    show(
        "Manual forecasts",
        query,
        empty="No manual forecast.",
        links=links,
        prepare=lambda row: {**row, "month": wording.period(str(row["month"]))},
    )
    st.caption(
        "Manual forecast: the charge that a person expects, from landing/manual_forecasts. Computed"
        " forecast: of months without a bill, spread over the months that charges apply to, before"
        " shared costs. Variance: charged less manual forecast."
        if not viewer.is_customer
        else "Variance: charged less manual forecast."
    )


heading("Budget", f"{wording.period(here.period)}, {here.owner}")
if columns_of("budget_variance") is None or not count(budgets.budgets(viewer, Selection())):
    nothing(NO_BUDGET_OF_CUSTOMER if viewer.is_customer else NO_BUDGET)
else:
    notices = status_notices()
    if notices:
        st.html(notices)
    query = budgets.budgets(viewer, here.selection)
    charts("Budget and charged", ask(query))
    if here.organization_id:
        query = query.without("organization_name")
    bases = [] if viewer.is_customer else ask(budgets.bases(here.selection))
    if [row["amount_basis"] for row in bases] == ["sales"]:
        query = query.without("amount_basis")
    show(
        "Budget",
        query,
        empty=f"No budget of {here.owner} for {wording.period(here.period)} or its fiscal year.",
        totals=ask(budgets.totals(viewer, here.selection)),
        links=links,
        group=lambda row: markup.mark(str(row["status"])),
        grouped=("status",),
    )
    if notices:
        basis = (
            ""
            if viewer.is_customer
            else "sales where the organization is sold to, otherwise cost, "
        )
        st.caption(
            f"Charged: {basis}after shared costs, as on all pages. Used: charged divided by the"
            " budget; of the year, charged to date divided by the budget of the year. Over budget:"
            " the amount charged to date exceeds the budget to date. Over budget by year end: the"
            " year forecast exceeds the year budget by more than the tolerance."
        )
if columns_of("forecast_variance") is not None:
    show_manual_forecasts()
