"""Cost center history: the splits of a subscription over time."""

from decimal import Decimal
from html import escape

import streamlit as st

from app import drawing, markup
from app.queries import licenses, pickers
from app.queries.query import Column, Row
from app.screen import ask, heading, nothing, page_context, pick, show
from dagster_project import wording

here = page_context()


def split_heading(row: Row) -> str:
    """The heading of the rows of a split."""
    until = row["valid_to"]
    total = row["total_quantity"]
    quantity = wording.exact(total if isinstance(total, Decimal) else None)
    since = markup.value(row, FROM)
    when = f"{since} to {markup.value(row, UNTIL)}" if until else f"Since {since}"
    return f"{escape(when)} <small>{escape(str(row['event']))}, {quantity} licenses</small>"


FROM = Column("valid_from", "From", "instant")
UNTIL = Column("valid_to", "Until", "instant")
DRAWN_ROWS = 2_000

heading("Cost center history", f"Licenses per cost center over time, {here.owner}")
choices = {
    str(row["subscription_id"]): (
        ("" if here.organization_id else f"{row['organization_name']}: ")
        + f"{row['product_name']} ({row['subscription_id']})"
    )
    for row in ask(pickers.subscriptions(here.selection))
    if row["is_split"]
}
if not choices:
    nothing("No splits yet. Add a file to landing/split_history, then run make run.")
else:
    subscription_id = pick("Subscription", "subscription", choices)
    query = licenses.split_history(subscription_id)
    rows = ask(query, DRAWN_ROWS)
    st.vega_lite_chart(
        drawing.splits(rows, here.periods[0]),
        width="stretch",
        theme=None,
        alt="Licenses per cost center over time; the table below has the same quantities.",
    )
    show(
        "Cost center history",
        query,
        empty="No splits yet.",
        group=split_heading,
        grouped=("valid_from", "valid_to", "event", "total_quantity"),
    )
