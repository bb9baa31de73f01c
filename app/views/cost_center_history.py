"""Cost center history: who had how many licenses of a subscription, from when to when."""

from decimal import Decimal
from html import escape

import streamlit as st

from app import drawing, figures, markup
from app.figures import Row
from app.screen import ask, heading, looking, nothing, pick, show
from dagster_project import wording

here = looking()


def snapshot(row: Row) -> str:
    """The heading of a split's rows."""
    until = row["valid_to"]
    total = row["total_quantity"]
    licenses = wording.exact(total if isinstance(total, Decimal) else None)
    since = markup.value(row, FROM)
    when = f"{since} to {markup.value(row, UNTIL)}" if until else f"Since {since}"
    return f"{escape(when)} <small>{escape(str(row['event']))}, {licenses} licenses</small>"


FROM = figures.Column("valid_from", "From", "instant")
UNTIL = figures.Column("valid_to", "Until", "instant")
DRAWN_ROWS = 2_000

heading("Cost center history", f"Who had how many licenses of a subscription, {here.whose}")
choices = {
    str(row["subscription_id"]): (
        ("" if here.organization_id else f"{row['organization_name']}: ")
        + f"{row['product_name']} ({row['subscription_id']})"
    )
    for row in ask(figures.subscriptions(here.selection))
}
if not choices:
    nothing("No split has landed here yet: put one into landing/split_history.")
else:
    subscription_id = pick("Subscription", "subscription", choices)
    query = figures.history(subscription_id)
    rows = ask(query, DRAWN_ROWS)
    st.vega_lite_chart(
        drawing.splits(rows, here.periods[0]),
        width="stretch",
        theme=None,
        alt="Licenses per cost center over time; the table below has the same figures.",
    )
    show(
        "Cost center history",
        query,
        empty="No split has landed here yet.",
        group=snapshot,
        grouped=("valid_from", "valid_to", "event", "total_quantity"),
    )
