"""What changed: the change of the charged amount between two billing periods, in its parts."""

from dataclasses import replace
from decimal import Decimal
from html import escape

import streamlit as st

from app import drawing, markup
from app.queries import changes, pickers
from app.queries.query import Row
from app.screen import ALL, ask, columns_of, heading, nothing, page_context, pick, show
from dagster_project import wording

here = page_context()
viewer = here.viewer


def cards(row: Row) -> str:
    """The amounts of both periods and the change."""
    currency = str(row["currency"])
    before, now, change = (
        amount if isinstance(amount := row[name], Decimal) else None
        for name in ("before", "now", "change")
    )
    return markup.cards(
        [
            (wording.period(since), markup.figure(before, currency), ""),
            (wording.period(here.period), markup.figure(now, currency), ""),
            ("Change", markup.figure(change, currency), ""),
        ]
    )


def show_currency(total: Row) -> None:
    """The change of one currency: the amounts, the parts as a chart and as a table."""
    currency = str(total["currency"])
    within = replace(selection, currency=currency)
    found = ask(changes.parts(within, since))
    st.html(cards(total))
    if found:
        st.vega_lite_chart(
            drawing.steps(total, found, wording.period(since), wording.period(here.period)),
            width="stretch",
            theme=None,
            alt=drawing.steps_described(total, found),
        )
    show(
        f"Parts of the change {currency}",
        changes.parts(within, since),
        empty="Nothing changed.",
        totals=[total],
    )


def show_cost_centers() -> None:
    """The change of every cost center; each leads to its subscriptions."""
    query = changes.by_cost_center(selection, since)
    occurring = {str(row["part"]) for row in ask(changes.parts(selection, since))}
    query = query.without(*(f"{part}_change" for part in changes.PARTS if part not in occurring))
    st.subheader("By cost center", anchor=False)
    show(
        "Changes by cost center",
        query.without("organization_name") if here.organization_id else query,
        empty="No charges in these periods.",
        # Parts that did not occur are not shown as zeros.
        prepare=lambda row: {
            name: None if name.endswith("_change") and value == 0 else value
            for name, value in row.items()
        },
        links=lambda row: {
            "cost_center_name": markup.link(
                str(row["cost_center_name"]),
                "what_changed",
                period=here.period,
                since=since,
                organization=None if viewer.is_customer else str(row["organization_id"]),
                cost_center=str(row["cost_center_id"]),
            )
        },
    )


def show_subscriptions() -> None:
    """The change of every subscription; a product leads to its billing lines."""
    st.subheader("By subscription", anchor=False)
    show(
        "Changes by subscription",
        changes.by_subscription(selection, since),
        empty="Nothing changed.",
        links=lambda row: (
            {
                "product_name": markup.link(
                    str(row["product_name"]),
                    "chargeback",
                    period=here.period,
                    organization=None if viewer.is_customer else here.organization_id,
                    cost_center=selection.cost_center_id,
                    product=str(row["product_name"]),
                )
            }
            if selection.cost_center_id
            else {}
        ),
    )


heading("What changed", f"Charged amounts, {here.owner}")
earlier = [period for period in here.periods if period < here.period]
if columns_of("chargeback_changes") is None:
    nothing("The published tables have no changes yet. Run make run.")
elif not earlier:
    nothing("There is no billing period before this one to compare with.")
else:
    selection = here.selection
    picks = iter(st.columns(2 if here.organization_id else [1, 1]))
    with next(picks):
        since = pick("Compared with", "since", {each: wording.period(each) for each in earlier})
    if here.organization_id:
        within = replace(selection, period=None)
        names = {
            str(row["cost_center_id"]): str(row["cost_center_name"])
            for row in ask(pickers.cost_centers(within))
        }
        with next(picks):
            center = pick("Cost center", "cost_center", {ALL: "All cost centers", **names})
        selection = replace(selection, cost_center_id=center or None)
    found_totals = ask(changes.totals(selection, since))
    if not found_totals:
        nothing("No charges in these periods.")
    for each in found_totals:
        show_currency(each)
    if found_totals:
        if not selection.cost_center_id:
            show_cost_centers()
        if selection.organization_id:
            show_subscriptions()
        st.caption(
            escape(
                "Charged amounts are sales where the organization is sold to, else cost, after"
                " shared costs. Seats count at the earlier price, prices at the later seats. The"
                " change over several months is the sum of the changes from month to month."
            )
        )
