"""Reconciliation of bills with invoices, and the rows and files in quarantine."""

import streamlit as st

from app.queries import review
from app.screen import heading, page_context, show
from dagster_project import wording

here = page_context()
heading(
    "Reconciliation",
    f"{wording.period(here.period)}: bills compared with invoices, all organizations",
)
show(
    "Bills and invoices",
    review.reconciliation(here.selection),
    empty="No bills in this period.",
)
st.subheader("Quarantine", anchor=False)
show(
    "Quarantine",
    review.quarantine(here.selection),
    empty="No rows or files in quarantine.",
)
