"""Cost centers of an organization: the list, and creating, renaming and closing one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from html import escape
from typing import cast

import streamlit as st

from app import changes, cost_centers, markup
from app.approvals import show_waiting
from app.changes import CenterProposal
from app.cost_centers import Action, CenterChange, Listed
from app.made import show_made
from app.queries import licenses, pickers
from app.queries.query import Column, Row
from app.run_panel import offer_run
from app.screen import (
    ask,
    author,
    columns_of,
    explain,
    heading,
    nothing,
    page_context,
    pick,
    problem,
)
from app.splits import Note
from dagster_project import wording
from dagster_project.errors import ApportionError
from dagster_project.records import LONGEST_TEXT, Person, now, one_line

here = page_context()
today = now().date()
ACTIONS: dict[str, str] = {"create": "Create", "rename": "Rename", "close": "Close"}
NOBODY = ""
SHOWN_ROWS = 10_000


def show_list(listed: Sequence[Listed], saved: frozenset[str]) -> None:
    """The cost centers, with what is saved and not published yet."""
    names = {each.cost_center_id: each.name for each in listed}
    rows: list[Row] = [
        {
            "name": each.name,
            "id": each.cost_center_id,
            "parent": names.get(each.parent_id, each.parent_id) or None,
            "unit": each.business_unit or None,
            "charge_code": each.charge_code or None,
            "valid_from": each.valid_from,
            "valid_to": each.valid_to,
            "successor": names.get(each.successor_id, each.successor_id) or None,
            "state": state_of(each, each.cost_center_id in saved),
        }
        for each in listed
    ]
    columns = [
        Column("name", "Cost center"),
        Column("id", "Id"),
        Column("state", "State"),
        Column("parent", "Parent"),
        Column("unit", "Business unit"),
        Column("charge_code", "Charge code"),
        Column("valid_from", "From", "instant"),
        Column("valid_to", "Until", "instant"),
        Column("successor", "Successor"),
    ]
    filled = {name for row in rows for name, content in row.items() if content is not None}
    st.html(markup.table("Cost centers", [each for each in columns if each.name in filled], rows))


def state_of(center: Listed, is_saved: bool) -> str:
    """The state of a cost center in words."""
    at = datetime.combine(today, time())
    if not center.is_listed:
        words = "not in the list"
    elif not center.is_open(at):
        words = "closed"
    elif center.valid_to is not None:
        words = "closing"
    else:
        words = "open"
    words += ", receives what is unallocated" if center.is_default else ""
    return words + (", not in the results yet" if is_saved else "")


# --- changes -----------------------------------------------------------------------------------


def create(listed: Sequence[Listed]) -> tuple[Listed, list[str], str]:
    """The fields of a new cost center."""
    name, key = beside(
        lambda: typed("Name", "new name"),
        lambda: typed("Id", "new id", help="As bills, tags and other systems name it. It stays."),
    )
    unit, location = beside(
        lambda: typed("Business unit (optional)", "new unit"),
        lambda: typed("Location (optional)", "new location"),
    )
    code, account = beside(
        lambda: typed("Charge code (optional)", "new charge code"),
        lambda: typed("G/L account (optional)", "new account"),
    )
    parents = {NOBODY: "No parent"} | {each.cost_center_id: each.name for each in listed}
    parent = chosen("Parent", "new parent", parents)
    day = st.date_input("Valid from", value=today, format="YYYY-MM-DD", key="new from", width=180)
    new = Listed(
        key, name, parent, unit, location, code, account,
        valid_from=datetime.combine(day, time()) if isinstance(day, date) else None,
    )  # fmt: skip
    return new, cost_centers.create(listed, new), f"Created {name} ({key})"


def rename(listed: Sequence[Listed]) -> tuple[Listed, list[str], str]:
    """The fields of a new name."""
    center = one_of(listed, "cost center to rename")
    name = typed("New name", f"name of {center.cost_center_id}", value=center.name)
    return (
        replace(center, name=name, is_listed=True),
        cost_centers.rename(listed, center.cost_center_id, name),
        f"Renamed {center.name} ({center.cost_center_id}) to {name}",
    )


def close(listed: Sequence[Listed]) -> tuple[Listed, list[str], str]:
    """The fields that close a cost center, with its successor."""
    candidates = [each for each in listed if each.valid_to is None and not each.is_default]
    if not candidates:
        nothing("No cost center can be closed.")
        st.stop()
    center = one_of(candidates, "cost center to close")
    day = st.date_input(
        "Closed from", value=today, format="YYYY-MM-DD", key="closed from", width=180
    )
    at = datetime.combine(day if isinstance(day, date) else today, time())
    seats = cost_centers.seats_from(
        ask(licenses.seats_of(here.organization_id or ""), SHOWN_ROWS), center.cost_center_id, at
    )
    successors = {NOBODY: "Nobody"} | {
        each.cost_center_id: each.name
        for each in listed
        if each.cost_center_id != center.cost_center_id and each.for_splits.is_valid(at)
    }
    words = (
        f"{wording.exact(seats)} licenses go to the successor."
        if seats
        else "It has no licenses from that day on."
    )
    st.html(f'<div role="status">{markup.notice(escape(words))}</div>')
    successor = chosen("Successor", "successor", successors)
    refusals = cost_centers.close(
        listed,
        center.cost_center_id,
        at.date(),
        successor,
        seats=seats,
        open_from=open_from(),
    )
    to = f", succeeded by {successors[successor]}" if successor else ""
    return (
        replace(center, valid_to=at, successor_id=successor, is_listed=True),
        refusals,
        f"Closed {center.name} ({center.cost_center_id}) from {wording.day(at)} on{to}",
    )


def open_from() -> date | None:
    """The billing date of the last closed period."""
    closed = ask(licenses.last_closed_billing_date())
    return cast("date | None", closed[0]["billing_date"] if closed else None)


FORMS: dict[Action, Callable[[Sequence[Listed]], tuple[Listed, list[str], str]]] = {
    "create": create,
    "rename": rename,
    "close": close,
}


def form_number() -> int:
    """The number of the form, which changes when one is saved."""
    return int(st.session_state.get("cost center form", 0))


def typed(label: str, key: str, value: str = "", help: str | None = None) -> str:
    """A text on one line."""
    text = st.text_input(
        label,
        value=value,
        key=f"{key} {form_number()}",
        max_chars=cost_centers.LONGEST,
    )
    explain(help)
    return one_line(text)


def beside(*fields: Callable[[], str]) -> list[str]:
    """Fields side by side; on a phone in their order."""
    values = []
    for column, field in zip(st.columns(len(fields)), fields, strict=True):
        with column:
            values.append(field())
    return values


def chosen(label: str, key: str, options: dict[str, str]) -> str:
    """One of several values with their labels."""
    value = st.selectbox(
        label,
        list(options),
        key=f"{key} {form_number()}",
        format_func=lambda each: options[each],
    )
    return value or NOBODY


def one_of(listed: Sequence[Listed], key: str) -> Listed:
    """A cost center that a person picks."""
    by_id = {each.cost_center_id: each for each in listed}
    names = {each.cost_center_id: f"{each.name} ({each.cost_center_id})" for each in listed}
    return by_id[chosen("Cost center", key, names)]


def save(
    organization_id: str,
    listed: Sequence[Listed],
    action: Action,
    changed: Listed,
    refusals: Sequence[str],
    subject: str,
) -> None:
    """The reason, and the button that writes the file or proposes the change."""
    needs_approval = here.need_approval(organization_id)
    person = author("author of the cost center")
    reason = one_line(
        st.text_input("Reason", key=f"reason {form_number()}", max_chars=LONGEST_TEXT)
    )
    if not st.button("Propose" if needs_approval else "Save", type="primary"):
        return
    missing = [
        words
        for words, is_missing in (("your name", person is None), ("a reason", not reason))
        if is_missing
    ]
    if refusals or missing or person is None:
        every = [*refusals]
        if missing:
            every.append(f"Enter {' and '.join(missing)}.")
        st.html("".join(markup.notice(escape(words), "bad") for words in every))
        return
    if needs_approval:
        change = CenterChange(organization_id, action, changed)
        changes.propose_center(here.data, person, change, subject=subject, reason=reason)
        done = f"Proposed: {subject}. It is saved when somebody else approves it."
    else:
        at = now()
        name = cost_centers.path_in_landing(organization_id, changed.cost_center_id, at)
        text = cost_centers.content(organization_id, changed, listed, at, Note(person.name, reason))
        changes.save(here.data, person, organization_id, name, text, subject=subject, reason=reason)
        done = f"{subject}. Saved as landing/{name}. The next run applies it."
    # Other fields, so that they are empty again.
    st.session_state["cost center form"] = form_number() + 1
    st.session_state["done"] = done
    st.rerun()


def show_pending(organization_id: str, listed: Sequence[Listed]) -> None:
    """The changes that wait for a second person."""

    def refusals_of(proposal: CenterProposal) -> list[str]:
        rows = ask(licenses.seats_of(organization_id), SHOWN_ROWS)
        return proposal.change.refusals(listed, rows, open_from())

    show_waiting(
        changes.pending_centers(here.data, organization_id),
        refusals_of,
        lambda person, proposal: changes.approve_center(here.data, person, proposal, listed),
    )


def page(organization_id: str) -> None:
    """The page, for one organization."""
    if done := st.session_state.pop("done", None):
        st.html(f'<div role="status">{markup.notice(escape(done), "good")}</div>')
    if columns_of("dim_cost_center") is None:
        nothing("These results are of an earlier version of Apportion. Run make run.")
        return
    published = cost_centers.from_rows(ask(pickers.cost_center_list(organization_id)))
    listed, saved = cost_centers.with_own_files(here.data, organization_id, published)
    show_pending(organization_id, listed)
    show_list(listed, saved)
    if not any(each.is_listed for each in listed):
        nothing(
            "The organization has no list of cost centers. The first change writes one with all of"
            " these."
        )
    st.subheader("Change", anchor=False)
    action = cast("Action", pick("What", "change", ACTIONS))
    with st.container(border=True):
        changed, refusals, subject = FORMS[action](listed)
        save(organization_id, listed, action, changed, refusals, subject)
    show_made(organization_id)
    st.subheader("Apply", anchor=False)
    typed_name = one_line(st.session_state.get("typed name", ""))
    offer_run(here.person or Person(typed_name or "somebody on this machine"))


heading("Cost centers", wording.sentence(here.owner))
if not here.viewer.may_edit:
    problem("Changing cost centers is not enabled.")
elif here.organization_id is None:
    nothing("Select an organization in the sidebar.")
else:
    try:
        page(here.organization_id)
    except ApportionError as problem_found:
        problem(wording.sentence(f"{problem_found}."))
