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
viewer = here.viewer


def split_heading(row: Row, unit: str) -> str:
    """The heading of the rows of a split; its quantities are in `unit`."""
    until = row["valid_to"]
    total = row["total_quantity"]
    quantity = wording.exact(total if isinstance(total, Decimal) else None)
    since = markup.value(row, FROM)
    when = f"{since} to {markup.value(row, UNTIL)}" if until else f"Since {since}"
    return f"{escape(when)} <small>{escape(str(row['event']))}, {quantity} {unit.lower()}</small>"


FROM = Column("valid_from", "From", "instant")
UNTIL = Column("valid_to", "Until", "instant")
DRAWN_ROWS = 2_000


def show_history(subscription_id: str, unit: str) -> None:
    """The splits of a subscription as a chart and as a table."""
    query = licenses.split_history(subscription_id, unit)
    rows = ask(query, DRAWN_ROWS)
    st.vega_lite_chart(
        drawing.splits(rows, here.periods[0], unit),
        width="stretch",
        theme=None,
        alt=f"{unit} per cost center over time; the table below has the same quantities.",
    )
    show(
        "Cost center history",
        query,
        empty="No splits yet.",
        group=lambda row: split_heading(row, unit),
        grouped=("valid_from", "valid_to", "event", "total_quantity"),
    )


def name_of(row: Row) -> str:
    """A subscription in the picker."""
    owner = "" if here.organization_id else f"{row['organization_name']}: "
    without = "" if row["is_split"] else ", no split yet"
    return f"{owner}{row['product_name']}{without} ({row['subscription_id']})"


def show_unsplit(row: Row) -> None:
    """Where the amount of a subscription without a split is, with its charges."""
    nothing(
        "No split yet: tag rules decide, and the rest is in Default."
        if row["is_metered"]
        else "No split yet: the whole amount is in Default."
    )
    own = {
        "period": here.period,
        "organization": None if viewer.is_customer else str(row["organization_id"]),
        "subscription": str(row["subscription_id"]),
    }
    links = [markup.link("See its charges", "chargeback", **own)]
    if viewer.may_edit:
        links.append(markup.link("Split it", "change_split", **own))
    st.html(f'<p class="notice">{" &middot; ".join(links)}</p>')


heading("Cost center history", f"Splits of a subscription over time, {here.owner}")
# Those with a split first: one of them is shown before anything is chosen.
found = sorted(ask(pickers.subscriptions(here.selection)), key=lambda row: not row["is_split"])
subscriptions = {str(row["subscription_id"]): row for row in found}
if not subscriptions:
    nothing("No subscriptions yet.")
else:
    subscription_id = pick(
        "Subscription",
        "subscription",
        {key: name_of(row) for key, row in subscriptions.items()},
    )
    chosen = subscriptions[subscription_id]
    if chosen["is_split"]:
        show_history(subscription_id, str(chosen["unit"]))
    else:
        show_unsplit(chosen)
