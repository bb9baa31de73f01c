"""The statements of the owner's cost centers in the selected period, to download."""

import streamlit as st

from app import markup
from app.own_statements import own_statements
from app.queries.query import Column
from app.screen import heading, nothing, page_context, problem
from dagster_project import wording
from dagster_project.errors import ApportionError
from dagster_project.exports.statements import Document

here = page_context()

COLUMNS = (
    Column("cost_center_name", "Cost center"),
    Column("cost_center_id", "Id"),
    Column("billed_amount", "Amount", "amount"),
)
TYPES = {".pdf": "application/pdf", ".html": "text/html"}


def show_statements(documents: tuple[Document, ...]) -> None:
    """The amounts of the statements, and a download of each."""
    rows = [
        {
            "cost_center_name": each.statement.cost_center_name,
            "cost_center_id": each.statement.account.cost_center_id,
            "billed_amount": each.statement.billed_amount,
            "currency": each.statement.account.currency,
        }
        for each in documents
    ]
    st.html(markup.table("Statements", COLUMNS, rows))
    for each in documents:
        account = each.statement.account
        st.download_button(
            f"Download {account.cost_center_id}, {account.currency} ({each.suffix[1:].upper()})",
            data=each.content,
            file_name=each.name,
            mime=TYPES[each.suffix],
            key=f"statement {account.cost_center_id} {account.currency}",
            on_click="ignore",
            icon=":material/download:",
        )


heading("Statements", f"{wording.period(here.period)}, own cost centers")
try:
    found = own_statements(here.data, here.viewer, here.period)
except ApportionError as error:
    problem(wording.sentence(f"{error}."))
    st.stop()
if found:
    show_statements(found)
else:
    nothing(f"No statement of your cost centers in {wording.period(here.period)}.")
