"""License pool: licenses bought, allotted, assigned and pending."""

from decimal import Decimal
from html import escape

import streamlit as st

from app import markup
from app.queries import licenses
from app.queries.query import Column, Row
from app.screen import ask, heading, page_context, show
from dagster_project import wording

here = page_context()
viewer = here.viewer


def cards(totals: Row) -> None:
    """Key figures of the pool."""

    def quantity(name: str) -> str:
        total = totals[name]
        return wording.exact(total if isinstance(total, Decimal) else None)

    subscriptions = wording.counted(int(str(totals["subscription_count"])), "subscription")
    items = [("Licenses bought", quantity("bought"), f"in {subscriptions}")]
    if totals["directory_date"] is None:
        unknown = "no directory yet: add its files to landing/directory"
        items.append(("Assigned", wording.NOTHING, unknown))
    else:
        counted_on = f"in the directory of {markup.value(totals, DIRECTORY_DATE)}"
        items.append(("Assigned", quantity("assigned"), counted_on))
        items.append(("Pending", quantity("pending"), escape(pending_note())))
    st.html(markup.cards(items))


def pending_note() -> str:
    """The cost of pending licenses; for a customer their meaning."""
    if not viewer.is_customer:
        costs = [
            wording.money(amount, str(cost["currency"]))
            for cost in ask(licenses.pending_costs(here.selection))
            if isinstance(amount := cost["pending_cost"], Decimal)
        ]
        if costs:
            return f"cost {' and '.join(costs)} per billing cycle"
    return "bought, not assigned to a user"


def subscription_heading(row: Row) -> str:
    """The heading of the rows of a subscription."""
    owner = "" if here.organization_id else f"{escape(str(row['organization_name']))}: "
    bought = wording.exact(
        row["bought_quantity"] if isinstance(row["bought_quantity"], Decimal) else None
    )
    return (
        f"{owner}{escape(str(row['product_name']))}, {bought} bought"
        f" <small>{escape(str(row['subscription_id']))}</small>"
    )


DIRECTORY_DATE = Column("directory_date", "Directory", "day")

heading("License pool", f"Current licenses, {here.owner}")
totals = ask(licenses.pool_totals(viewer, here.selection))[0]
query = licenses.pool(viewer, here.selection)
if totals["directory_date"] is None:
    # Assigned and pending licenses are unknown without a directory.
    query = query.without("assigned_quantity", "leaver_quantity", "pending_quantity")
    query = query.without("pending_cost")
if totals["subscription_count"]:
    cards(totals)
show(
    "License pool",
    query,
    empty="No subscriptions with licenses.",
    group=subscription_heading,
    grouped=("organization_name", "product_name", "subscription_id", "bought_quantity"),
)
