"""Budget: what was planned for a month and its year, and what comes of it."""

import streamlit as st

from app import figures, markup
from app.figures import Row, Selection
from app.screen import ask, columns_of, count, heading, looking, nothing, show
from dagster_project import wording

NO_BUDGET = "No budget has landed yet: put one into landing/budgets, then make run."
NO_BUDGET_OF_CUSTOMER = "No budget is known yet."

here = looking()
viewer = here.viewer


def states_said() -> str:
    """How many budgets are kept, in a sentence per state; the overrun first."""
    counts = {
        str(row["status"]): int(str(row["cost_center_count"]))
        for row in ask(figures.budget_states(here.selection))
    }
    said = []
    for state, one, many in (
        ("over_budget", "cost center is over its budget", "cost centers are over their budgets"),
        (
            "over_budget_at_year_end",
            "cost center will by the forecast be over its budget at the end of the year",
            "cost centers will by the forecast be over their budgets at the end of the year",
        ),
        (
            "within_budget",
            "cost center is within its budget",
            "cost centers are within their budgets",
        ),
        (
            figures.NOT_BILLED,
            "cost center has no bill of this month yet",
            "cost centers have no bill of this month yet",
        ),
    ):
        if state in counts:
            tone, _ = wording.STATES[state]
            said.append(markup.said(f"{wording.counted(counts[state], one, many)}.", tone))
    return "".join(said)


def links(row: Row) -> dict[str, str]:
    """A cost center's name leads to what it is charged for."""
    return {
        "cost_center_name": markup.link(
            str(row["cost_center_name"]),
            "chargeback",
            period=here.period,
            organization=None if viewer.is_customer else str(row["organization_id"]),
            cost_center=str(row["cost_center_id"]),
        )
    }


heading("Budget", f"{wording.period(here.period)}, {here.whose}")
if columns_of("budget_variance") is None or not count(figures.budget(viewer, Selection())):
    nothing(NO_BUDGET_OF_CUSTOMER if viewer.is_customer else NO_BUDGET)
else:
    said = states_said()
    if said:
        st.html(said)
    query = figures.budget(viewer, here.selection)
    if here.organization_id:
        query = query.without("organization_name")
    bases = [] if viewer.is_customer else ask(figures.budget_bases(here.selection))
    if [row["amount_basis"] for row in bases] == ["sales"]:
        query = query.without("amount_basis")
    show(
        "Budget",
        query,
        empty=f"No budget of {here.whose} is for {wording.period(here.period)} or its year.",
        totals=ask(figures.budget_totals(viewer, here.selection)),
        links=links,
        group=lambda row: markup.mark(str(row["status"])),
        grouped=("status",),
    )
    if said:
        charged = (
            "Charged is"
            if viewer.is_customer
            else "Charged is sales where the organization is sold to, else cost,"
        )
        st.caption(
            f"{charged} spread over the months it is for, before shared costs are passed on."
            " Over budget: more than the budget of the year to date. Over by year end: by the"
            " forecast noticeably more than the budget of the year."
        )
