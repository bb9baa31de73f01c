"""Reconciliation: does every bill tie to its invoice, and what could not be read."""

import streamlit as st

from app import figures
from app.screen import heading, looking, show
from dagster_project import wording

here = looking()
heading(
    "Reconciliation",
    f"{wording.period(here.period)}: do the bills tie to the invoices? (all organizations)",
)
show(
    "Bills and invoices",
    figures.bills(here.selection),
    empty="No bill of this period has landed.",
)
st.subheader("Rows and files that could not be used", anchor=False)
show(
    "Quarantine",
    figures.quarantined(here.selection),
    empty="None: everything that landed could be read.",
)
