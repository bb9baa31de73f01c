"""License pool: licenses bought, allotted, in use and pending, as of now."""

from decimal import Decimal
from html import escape

import streamlit as st

from app import figures, markup
from app.figures import Row
from app.screen import ask, heading, looking, show
from dagster_project import wording

here = looking()
viewer = here.viewer


def cards(totals: Row) -> None:
    """The pool in figures."""

    def licenses(name: str) -> str:
        held = totals[name]
        return wording.exact(held if isinstance(held, Decimal) else None)

    subscriptions = wording.counted(int(str(totals["subscription_count"])), "subscription")
    items = [("Licenses bought", licenses("bought"), f"in {subscriptions}")]
    if totals["directory_date"] is None:
        unknown = "no directory has landed: put one into landing/directory"
        items.append(("In use", wording.NOTHING, unknown))
    else:
        counted_on = f"by the directory of {markup.value(totals, DIRECTORY_DATE)}"
        items.append(("In use", licenses("assigned"), counted_on))
        items.append(("Pending", licenses("pending"), escape(pending_note())))
    st.html(markup.cards(items))


def pending_note() -> str:
    """What the licenses that nobody uses cost, for who may know."""
    if not viewer.is_customer:
        costs = [
            wording.money(held, str(cost["currency"]))
            for cost in ask(figures.pending_costs(here.selection))
            if isinstance(held := cost["pending_cost"], Decimal)
        ]
        if costs:
            return f"cost {' and '.join(costs)} a cycle"
    return "bought, and nobody uses them"


def subscription(row: Row) -> str:
    """The heading of a subscription's rows."""
    whose = "" if here.organization_id else f"{escape(str(row['organization_name']))}: "
    bought = wording.exact(
        row["bought_quantity"] if isinstance(row["bought_quantity"], Decimal) else None
    )
    return (
        f"{whose}{escape(str(row['product_name']))}, {bought} bought"
        f" <small>{escape(str(row['subscription_id']))}</small>"
    )


DIRECTORY_DATE = figures.Column("directory_date", "Directory", "day")

heading("License pool", f"As of now, {here.whose}")
totals = ask(figures.pool_totals(viewer, here.selection))[0]
query = figures.pool(viewer, here.selection)
if totals["directory_date"] is None:
    # Who uses what is not known, so nothing can be told of what nobody uses.
    query = query.without("assigned_quantity", "leaver_quantity", "pending_quantity")
    query = query.without("pending_cost")
if totals["subscription_count"]:
    cards(totals)
show(
    "License pool",
    query,
    empty="No subscription with licenses is known here.",
    group=subscription,
    grouped=("organization_name", "product_name", "subscription_id", "bought_quantity"),
)
