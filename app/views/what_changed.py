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


def address(period: str, **more: str | None) -> dict[str, str | None]:
    """The parameters of a link to what the page shows, in a billing period."""
    return {
        "period": period,
        "organization": None if viewer.is_customer else selection.organization_id,
        "cost_center": selection.cost_center_id,
        **more,
    }


def cards(row: Row) -> str:
    """The amounts of both periods, with their charges, and the change."""
    currency = str(row["currency"])
    before, now, change = (
        amount if isinstance(amount := row[name], Decimal) else None
        for name in ("before", "now", "change")
    )
    charges = {
        period: markup.link("See the charges", "chargeback", **address(period)) if found else ""
        for period, found in charged.items()
    }
    return markup.cards(
        [
            (wording.period(since), markup.figure(before, currency), charges[since]),
            (wording.period(here.period), markup.figure(now, currency), charges[here.period]),
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
        links=lambda row: {
            "part": markup.link(
                wording.change_part(str(row["part"])),
                "what_changed",
                **address(here.period, since=since, part=str(row["part"])),
            )
        },
    )


def show_cost_centers() -> None:
    """The change of every cost center; each leads to its subscriptions and its charges."""
    query = changes.by_cost_center(selection, since, part)
    query = query.without(*(f"{each}_change" for each in changes.PARTS if each not in occurring))

    def links(row: Row) -> dict[str, str]:
        own = {
            "organization": None if viewer.is_customer else str(row["organization_id"]),
            "cost_center": str(row["cost_center_id"]),
        }
        more = {"since": since, "part": part}
        found = {
            "cost_center_name": markup.link(
                str(row["cost_center_name"]), "what_changed", **address(here.period, **own, **more)
            )
        }
        for name, period in (("before", since), ("now", here.period)):
            amount = row[name]
            key = (row["organization_id"], row["cost_center_id"])
            if isinstance(amount, Decimal) and key in charged[period]:
                words = wording.amount(amount, str(row["currency"]))
                found[name] = markup.link(words, "chargeback", **address(period, **own))
        return found

    st.subheader(f"By cost center{of_part}", anchor=False)
    show(
        "Changes by cost center",
        query.without("organization_name") if here.organization_id else query,
        empty="No charges in these periods.",
        # Parts that did not occur are not shown as zeros.
        prepare=lambda row: {
            name: None if name.endswith("_change") and value == 0 else value
            for name, value in row.items()
        },
        links=links,
    )


def lines_link(row: Row, period: str) -> str:
    """A link to the billing lines of a row in a period, or to the shared costs."""
    lines = {"product": str(row["product_name"]), "subscription": str(row["subscription_id"])}
    own = {} if row["part"] == "sharing" else {key: text or None for key, text in lines.items()}
    return markup.link(wording.period(period), "chargeback", **address(period, **own))


def show_subscriptions() -> None:
    """The change of every subscription; it leads to its billing lines of both periods."""
    st.subheader(f"By subscription{of_part}", anchor=False)
    show(
        "Changes by subscription",
        changes.by_subscription(viewer, selection, since, part),
        empty="This part sums to zero here: choose a cost center to see its subscriptions."
        if part
        else "Nothing changed.",
        links=lambda row: {
            name: lines_link(row, str(row[name]))
            for name in ("lines_before", "lines_now")
            if row[name]
        },
    )


heading("What changed", f"Charged amounts, {here.owner}")
earlier = [period for period in here.periods if period < here.period]
if columns_of("chargeback_changes") is None:
    nothing("The published tables have no changes yet. Run make run.")
elif not earlier:
    nothing("There is no billing period before this one to compare with.")
else:
    selection = here.selection
    picks = iter(st.columns(3))
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
    occurring = [str(row["part"]) for row in ask(changes.occurring(selection, since))]
    titles = {each: wording.change_part(each) for each in occurring}
    with next(picks):
        part = pick("Part", "part", {ALL: "All parts", **titles}) or None
    of_part = f": {titles[part]}" if part else ""
    charged = {
        period: {
            (row["organization_id"], row["cost_center_id"])
            for row in ask(changes.charged(selection, period))
        }
        for period in (since, here.period)
    }
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
                " change over several months is the sum of the changes from month to month. Parts"
                " of cost centers, such as moved splits, may sum to zero over an organization."
            )
        )
