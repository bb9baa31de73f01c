"""The part of a page that lists the latest changes that people made in the app.

Belongs here: Streamlit. Does not: the record (changes).
"""

from datetime import UTC, datetime

import streamlit as st

from app import changes, markup
from app.changes import Made
from app.queries.query import Column, Row
from app.screen import page_context

COLUMNS = (
    Column("subject", "Change"),
    Column("what", "What"),
    Column("reason", "Reason"),
    Column("by", "By"),
    Column("at", "When (UTC)", "instant"),
)


def show_made(organization_id: str) -> None:
    """The latest changes of an organization."""
    here = page_context()
    published_at = datetime.fromtimestamp(here.version.modified_ns / 1e9, UTC).replace(tzinfo=None)
    rows = rows_of(changes.made(here.data, organization_id), published_at)
    if rows:
        st.subheader("Changes made here", anchor=False)
        st.html(markup.table("Changes made here", COLUMNS, rows))


def rows_of(made: list[Made], published_at: datetime) -> list[Row]:
    """Changes with what became of them: what was saved after the results is not in them."""
    return [
        {
            "subject": each.subject,
            "what": changes.WORDS.get(each.action, each.action)
            + (", not in the results yet" if each.file and each.at > published_at else ""),
            "reason": each.reason,
            "by": each.by,
            "at": each.at,
        }
        for each in made
    ]
