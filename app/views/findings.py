"""Review before billing: findings, one finding with its review, and agreement to allocations."""

from datetime import date, timedelta
from decimal import Decimal
from html import escape

import streamlit as st

from app import markup
from app.cures import address_of, cure_of
from app.queries import charges, pickers, review
from app.queries.query import Column, Row, Selection
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
from dagster_project import reviews, wording
from dagster_project.errors import ApportionError
from dagster_project.records import LONGEST_NAME, LONGEST_TEXT, now, one_line
from dagster_project.reviews import Step

here = page_context()
viewer = here.viewer
side = viewer.customer_id or reviews.BROKER
source = review.source_of(viewer)
today = now().date()
LABELS = {
    "error": ("Errors", "the bill is incomplete"),
    "warning": ("Warnings", "review before billing"),
    "info": ("Notes", "for information"),
}
USUAL_ACCEPTANCE = timedelta(days=30)


def cure_link(row: Row) -> str:
    """The cure of a finding, as a link where a page of the app has it."""
    is_by_directory = row["organization_id"] in by_directory
    cure = cure_of(row, viewer.may_edit, is_by_directory, viewer.is_customer)
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
    states = reviews.states(steps, side)
    counts = {
        str(row["severity"]): row
        for row in ask(review.finding_counts(here.selection, states, today.isoformat(), source))
    }
    items = []
    for severity, (label, note) in LABELS.items():
        row = counts.get(severity, {"finding_count": 0, "accepted_count": 0})
        accepted = int(str(row["accepted_count"]))
        more = f", {wording.number(accepted)} accepted" if accepted else ""
        items.append((label, wording.number(int(str(row["finding_count"]))), f"{note}{more}"))
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
        source=source,
    )
    query = query.without("amount_at_stake" if viewer.is_customer else "product_name")
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
    if viewer.is_customer:
        # What the broker wrote may name a cost.
        history = tuple(step for step in history if step.side == side)
    rows = ask(review.finding(key, reviews.states(steps, side), today.isoformat(), source))
    if rows:
        show_facts(rows[0], history)
    else:
        nothing("The latest run did not find this any more.")
    if history:
        show_history(history)
    if rows and viewer.may_edit:
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
        ("Product", str(row["product_name"] or wording.NOTHING))
        if viewer.is_customer
        else (
            "Amount at stake",
            markup.money(row, "amount_at_stake")
            if isinstance(amount, Decimal)
            else wording.NOTHING,
        ),
        ("Assigned to", str(row["assigned_to"] or "nobody")),
        ("Accepted until", wording.day(until) if isinstance(until, date) else "not accepted"),
    ]
    st.html(markup.pairs(facts))
    decided = [
        step for step in history if step.side == side and step.action in ("accepted", "reopened")
    ]
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
            "by": f"{step.by} ({step.side})" if step.side != side else step.by,
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
                "Assign to (empty: nobody)",
                value=str(row["assigned_to"] or ""),
                key=f"to {key}",
                max_chars=LONGEST_NAME,
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
            side=side,
        )
        st.session_state["done"] = f"Accepted until {wording.day(until)}."
    elif is_assigned:
        to = one_line(to)
        reviews.add(here.data, person, key, "assigned", to, message=message, side=side)
        st.session_state["done"] = f"Assigned to {to or 'nobody'}."
    elif is_reopened:
        reviews.add(here.data, person, key, "reopened", text, message=message, side=side)
        st.session_state["done"] = "Open again."
    elif one_line(text):
        reviews.add(here.data, person, key, "commented", text, message=message, side=side)
        st.session_state["done"] = "The comment is saved."
    else:
        problem("Nothing was saved: the comment is empty.")
        return
    st.rerun()


# --- allocations -------------------------------------------------------------------------------


def charged_words(organization_id: str) -> str:
    """The amounts that an organization is charged, as they are recorded: without a locale.

    Empty where it has no price.
    """
    measure = viewer.measures[0][0]
    totals = ask(charges.totals(viewer, Selection(here.period, organization_id)))
    with wording.written_in(None):
        return ", ".join(
            wording.money(amount, str(row["currency"]))
            for row in totals
            if isinstance(amount := row[measure], Decimal)
        )


def shown(recorded: str) -> str:
    """Recorded amounts in the form of the locale."""
    amounts = (each.rpartition(" ") for each in recorded.split(", ") if each)
    return ", ".join(
        wording.money(Decimal(amount.replace(",", "")), currency) for amount, _, currency in amounts
    )


def confirmation(step: Step, organization_id: str) -> str:
    """A confirmation in words, with the amounts if they have changed since."""
    words = f"Confirmed by {step.by} on {wording.instant(step.at)} UTC"
    if step.amount and (charged := charged_words(organization_id)) != step.amount:
        words += f" with {shown(step.amount)}; {shown(charged)} is charged now"
    return f"{words}: {step.text}" if step.text else f"{words}."


def show_allocations(steps: dict[str, tuple[Step, ...]]) -> None:
    """Whether organizations agree to their allocations, and the button by which one does."""
    confirmed = {
        organization_id: step
        for organization_id in here.organizations
        if here.organization_id in (None, organization_id)
        and (step := reviews.confirmed(steps, organization_id, here.period))
    }
    if not confirmed and not viewer.is_customer:
        return
    st.subheader("Allocations", anchor=False)
    for organization_id, step in confirmed.items():
        name = "" if viewer.is_customer else f"{here.organizations[organization_id]}: "
        st.html(markup.notice(escape(f"{name}{confirmation(step, organization_id)}"), "good"))
    if not viewer.is_customer:
        return
    is_open = any(
        row["billing_period"] == here.period and row["status"] == "open"
        for row in ask(pickers.periods())
    )
    if not confirmed:
        words = "Nobody has confirmed the allocations of this billing period"
        st.html(markup.notice(f"{words}." if is_open else f"{words}, which is closed."))
    if is_open and viewer.may_edit:
        confirm_allocations()


def confirm_allocations() -> None:
    """The fields by which an organization agrees to its allocations."""
    charged = charged_words(side)
    person = author("author of the confirmation")
    text = st.text_input("Comment (optional)", key="text of allocations", max_chars=LONGEST_TEXT)
    if not st.button(f"Confirm {shown(charged) or 'the allocations'}", key="confirm"):
        return
    if person is None:
        problem("Nothing was saved: enter your name.")
        return
    reviews.confirm(here.data, person, side, here.period, charged, text)
    st.session_state["done"] = "The allocations are confirmed. The broker sees it here."
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
    elif columns_of(source) is None:
        nothing("These results are of an earlier version of Apportion. Run make run.")
    else:
        if done := st.session_state.pop("done", None):
            st.html(f'<div role="status">{markup.notice(escape(done), "good")}</div>')
        show_list(every_step)
        show_allocations(every_step)
except ApportionError as problem_found:
    problem(wording.sentence(f"{problem_found}."))
