"""Findings to review before billing: the list, and one finding with its review."""

from datetime import date, timedelta
from decimal import Decimal
from html import escape

import streamlit as st

from app import markup, reviews
from app.cures import address_of, cure_of
from app.queries import pickers, review
from app.queries.query import Column, Row
from app.records import LONGEST_NAME, LONGEST_TEXT, now, one_line
from app.reviews import Step
from app.screen import (
    ALL,
    ask,
    author,
    columns_of,
    heading,
    nothing,
    page_context,
    pick,
    problem,
    show,
)
from dagster_project import wording
from dagster_project.errors import ApportionError

here = page_context()
today = now().date()
LABELS = {
    "error": ("Errors", "the bill is incomplete"),
    "warning": ("Warnings", "review before billing"),
    "info": ("Notes", "for information"),
}
USUAL_ACCEPTANCE = timedelta(days=30)


def cure_link(row: Row) -> str:
    """The cure of a finding, as a link where a page of the app has it."""
    cure = cure_of(row, here.viewer.may_edit, row["organization_id"] in by_directory)
    words = wording.sentence(cure.words)
    if cure.page is None:
        return escape(words)
    return markup.link(words, cure.page, **address_of(row, here.period))


def kind(row: Row) -> str:
    """The heading of findings of one kind, with its code in the tooltip."""
    meaning = wording.sentence(str(row["meaning"]))
    return (
        f'{markup.mark(str(row["severity"]))} <span title="{escape(str(row["kind"]))}">'
        f"{escape(meaning)}</span>"
    )


def finding_links(row: Row) -> dict[str, str]:
    """A finding leads to its review, and to what cures it."""
    own = markup.link(
        str(row["message"]),
        "findings",
        finding=str(row["finding_key"]),
        period=here.period,
        organization=here.organization_id,
    )
    return {"message": f"{own}<br><small>{cure_link(row)}</small>"}


def show_list(steps: dict[str, tuple[Step, ...]]) -> None:
    """The findings of the selection."""
    states = reviews.states(steps)
    counts = {
        str(row["severity"]): row
        for row in ask(review.finding_counts(here.selection, states, today.isoformat()))
    }
    items = []
    for severity, (label, note) in LABELS.items():
        row = counts.get(severity, {"finding_count": 0, "accepted_count": 0})
        accepted = int(str(row["accepted_count"]))
        more = f", {accepted:,} accepted" if accepted else ""
        items.append((label, f"{int(str(row['finding_count'])):,}", f"{note}{more}"))
    st.html(markup.cards(items))
    left, right, _ = st.columns(3)
    with left:
        severities = {severity: label for severity, (label, _) in LABELS.items()}
        chosen = pick("Severity", "severity", {ALL: "All severities", **severities})
    with right:
        state = pick("State", "state", {name: words for name, (words, _) in review.STATES.items()})
    query = review.findings(
        here.selection,
        chosen or None,
        reviewed=states,
        today=today.isoformat(),
        state=state,
    )
    if here.organization_id:
        query = query.without("organization_name")
    if not states:
        query = query.without("assigned_to", "accepted_until")
    show(
        "Findings",
        query,
        empty="No findings.",
        group=kind,
        grouped=("severity", "meaning"),
        prepare=lambda row: {**row, "message": wording.sentence(str(row["message"]))},
        links=finding_links,
    )


# --- one finding -------------------------------------------------------------------------------


def show_finding(key: str, steps: dict[str, tuple[Step, ...]]) -> None:
    """One finding: its facts, its cure, and what people did with it."""
    back = markup.link(
        "Findings", "findings", period=here.period, organization=here.organization_id
    )
    st.html(markup.trail([back, "One finding"]))
    if done := st.session_state.pop("done", None):
        st.html(f'<div role="status">{markup.notice(escape(done), "good")}</div>')
    history = steps.get(key, ())
    rows = ask(review.finding(key, reviews.states(steps), today.isoformat()))
    if rows:
        show_facts(rows[0], history)
    else:
        nothing("The latest run did not find this any more.")
    if history:
        show_history(history)
    if rows and here.viewer.may_edit:
        edit(rows[0])


def show_facts(row: Row, history: tuple[Step, ...]) -> None:
    """A finding with its state and its cure."""
    amount = row["amount_at_stake"]
    until, period = row["accepted_until"], row["billing_period"]
    st.html(f"<p>{kind(row)}</p>")
    facts = [
        ("Finding", wording.sentence(str(row["message"]))),
        ("Organization", str(row["organization_name"] or wording.NOTHING)),
        ("Billing period", wording.period(str(period) if period else None)),
        (
            "Amount at stake",
            markup.money(row, "amount_at_stake")
            if isinstance(amount, Decimal)
            else wording.NOTHING,
        ),
        ("Assigned to", str(row["assigned_to"] or "nobody")),
        ("Accepted until", wording.day(until) if isinstance(until, date) else "not accepted"),
    ]
    st.html(markup.pairs(facts))
    decided = [step for step in history if step.action in ("accepted", "reopened")]
    if decided and decided[-1].action == "accepted" and until is None:
        ended = date.fromisoformat(decided[-1].until)
        words = (
            f"It was accepted until {wording.day(ended)}, which has passed."
            if ended < today
            else "It was accepted with a smaller amount at stake, and is open again."
        )
        st.html(markup.notice(escape(words), "warn"))
    st.html(markup.notice(f"To cure it: {cure_link(row)}."))


def show_history(history: tuple[Step, ...]) -> None:
    """What people did with a finding, newest first."""
    st.subheader("Review", anchor=False)
    columns = [
        Column("at", "When (UTC)", "instant"),
        Column("by", "By"),
        Column("words", "What"),
        Column("text", "Comment"),
    ]
    rows: list[Row] = [
        {
            "at": step.at,
            "by": step.by,
            "words": step.words,
            "text": step.text if step.action != "assigned" else "",
        }
        for step in reversed(history)
    ]
    st.html(markup.table("Review", columns, rows))


def edit(row: Row) -> None:
    """The fields that assign, comment and accept a finding."""
    key = str(row["finding_key"])
    st.subheader("Your review", anchor=False)
    person = author("author of the review")
    message = str(row["message"])
    with st.container(border=True):
        text = st.text_input("Comment or reason", key=f"text {key}", max_chars=LONGEST_TEXT)
        is_commented = st.button("Comment", key="comment")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            until = st.date_input(
                "Accepted until",
                value=today + USUAL_ACCEPTANCE,
                min_value=today,
                max_value=today + timedelta(days=reviews.LONGEST_ACCEPTANCE_DAYS),
                format="YYYY-MM-DD",
                width=180,
                key=f"until {key}",
            )
            is_accepted = st.button("Accept", key="accept")
            is_reopened = row["accepted_until"] is not None and st.button("Open again")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            to = st.text_input(
                "Assign to",
                value=str(row["assigned_to"] or ""),
                key=f"to {key}",
                max_chars=LONGEST_NAME,
                help="Empty: nobody",
            )
            is_assigned = st.button("Assign", key="assign")
    if not (is_commented or is_accepted or is_reopened or is_assigned):
        return
    if person is None:
        problem("Nothing was saved: enter your name.")
        return
    amount = row["amount_at_stake"]
    if is_accepted and isinstance(until, date):
        reviews.accept(
            here.data,
            person,
            key,
            text,
            until=until,
            amount=amount if isinstance(amount, Decimal) else None,
            today=today,
            message=message,
        )
        st.session_state["done"] = f"Accepted until {wording.day(until)}."
    elif is_assigned:
        reviews.add(here.data, person, key, "assigned", one_line(to), message=message)
        st.session_state["done"] = f"Assigned to {one_line(to) or 'nobody'}."
    elif is_reopened:
        reviews.add(here.data, person, key, "reopened", text, message=message)
        st.session_state["done"] = "Open again."
    elif one_line(text):
        reviews.add(here.data, person, key, "commented", text, message=message)
        st.session_state["done"] = "The comment is saved."
    else:
        problem("Nothing was saved: the comment is empty.")
        return
    st.rerun()


by_directory = (
    {row["organization_id"] for row in ask(pickers.organizations_by_directory())}
    if columns_of("dim_organization") is not None
    else set()
)
heading("Findings to review", f"{wording.period(here.period)}, {here.owner}")
try:
    every_step = reviews.read(here.data)
    if asked := st.query_params.get("finding"):
        show_finding(asked, every_step)
    else:
        show_list(every_step)
except ApportionError as problem_found:
    problem(wording.sentence(f"{problem_found}."))
