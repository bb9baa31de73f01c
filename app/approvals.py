"""The part of a page that lists changes that wait for a second person, with their buttons.

Belongs here: Streamlit. Does not: the record of changes (changes), their checks (splits,
cost_centers).
"""

from collections.abc import Callable, Sequence
from html import escape
from typing import TypeVar

import streamlit as st

from app import changes, markup
from app.changes import Waiting
from app.screen import nothing, page_context
from dagster_project import wording
from dagster_project.records import LONGEST_TEXT, Person, one_line

Change = TypeVar("Change", bound=Waiting)


def show_waiting(
    waiting: Sequence[Change],
    refusals_of: Callable[[Change], Sequence[str]],
    approve: Callable[[Person, Change], str],
    more: Callable[[Change], None] = lambda change: None,
) -> None:
    """The changes that wait. `approve` returns the name of the file in landing."""
    if not waiting:
        return
    st.subheader(f"Waiting for approval ({len(waiting)})", anchor=False)
    for proposal in waiting:
        with st.container(border=True):
            proposed = f"{proposal.author}, {wording.instant(proposal.proposed_at)} UTC"
            facts = [("Change", proposal.subject), ("Reason", proposal.reason)]
            st.html(markup.pairs([*facts, ("Proposed by", proposed)]))
            more(proposal)
            _decide(proposal, refusals_of(proposal), approve)


def _decide(
    proposal: Change, refusals: Sequence[str], approve: Callable[[Person, Change], str]
) -> None:
    """The buttons of a change that waits."""
    here = page_context()
    person = here.person
    if person is None:
        nothing("Sign in to decide.")
        return
    for words in refusals:
        st.html(markup.notice(escape(words), "bad"))
    reason = ""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if proposal.is_by(person):
            is_declined = st.button("Withdraw", key=f"withdraw {proposal.id}")
            is_approved = False
        else:
            is_approved = st.button(
                "Approve and save",
                key=f"approve {proposal.id}",
                type="primary",
                disabled=bool(refusals),
            )
            reason = one_line(
                st.text_input("Reason to decline", key=f"why {proposal.id}", max_chars=LONGEST_TEXT)
            )
            is_declined = st.button("Decline", key=f"decline {proposal.id}")
    if is_approved:
        name = approve(person, proposal)
        st.session_state["done"] = f"Saved as landing/{name}. The next run applies it."
    elif is_declined:
        changes.decline(here.data, person, proposal, reason)
        st.session_state["done"] = "Withdrawn." if proposal.is_by(person) else "Declined."
    else:
        return
    st.rerun()
