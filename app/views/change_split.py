"""Change a split: the form, its effect on charges, and the file that records it.

Where a second person approves changes, they wait here until somebody else than the author decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import escape
from typing import cast

import streamlit as st

from app import changes, cost_centers, markup
from app.approvals import show_waiting
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
from app.split_effect import Previewed, compute, in_words, show_effect
from app.splits import Change, CostCenter, Verdict, check
from dagster_project import wording
from dagster_project.errors import ApportionError
from dagster_project.records import LONGEST_TEXT, Person, one_line

here = page_context()
SHOWN_ROWS = 10_000
# The total of a first split of metered usage, which has no licenses: parts of a hundred.
WHOLE_OF_METERED = Decimal(100)


@dataclass(frozen=True)
class Split:
    """A split of the history: its validity, total and rows per cost center."""

    valid_from: datetime
    valid_to: datetime | None
    event: str
    total: Decimal
    rows: tuple[Row, ...]

    @property
    def allocated(self) -> Mapping[str, Decimal]:
        """Licenses by cost center id."""
        return {
            str(row["cost_center_id"]): cast(Decimal, row["allocated_quantity"])
            for row in self.rows
        }


def splits_of(subscription_id: str) -> list[Split]:
    """The splits of a subscription, newest first."""
    by_snapshot: dict[str, list[Row]] = {}
    for row in ask(licenses.split_history(subscription_id), SHOWN_ROWS):
        by_snapshot.setdefault(str(row["snapshot_id"]), []).append(row)
    return [
        Split(
            cast(datetime, rows[0]["valid_from"]),
            cast("datetime | None", rows[0]["valid_to"]),
            str(rows[0]["event"]),
            cast(Decimal, rows[0]["total_quantity"]),
            tuple(rows),
        )
        for rows in by_snapshot.values()
    ]


def checked(change: Change, splits: Sequence[Split], centers: Sequence[CostCenter]) -> Verdict:
    """The checks of a change against the published splits and closed periods."""
    in_force = in_force_at(splits, change.effective_at)
    closed = ask(licenses.last_closed_billing_date())
    return check(
        change,
        centers,
        present=in_force.allocated if in_force else {},
        open_from=cast("date | None", closed[0]["billing_date"] if closed else None),
        superseded_at=min(
            (each.valid_from for each in splits if each.valid_from > change.effective_at),
            default=None,
        ),
    )


def in_force_at(splits: Sequence[Split], at: datetime) -> Split | None:
    """The split in force at an instant."""
    return next((split for split in splits if split.valid_from <= at), None)


def show_present(splits: Sequence[Split], is_metered: bool, unit: str) -> None:
    """The latest split, or that there is none."""
    st.subheader("Current split", anchor=False)
    if not splits:
        nothing(
            "No split yet: tag rules decide, and the rest is in Default."
            if is_metered
            else "No split yet: the whole amount is in Default."
        )
        return
    split = splits[0]
    st.html(
        markup.notice(
            f"{escape(wording.exact(split.total))} {escape(unit.lower())}, split since"
            f" {escape(wording.instant(split.valid_from))} UTC ({escape(split.event)})."
        )
    )
    columns = [
        Column("cost_center_name", "Cost center"),
        Column("allocated_quantity", unit, "quantity"),
        Column("share", "Share", "share"),
    ]
    st.html(markup.table("Current split", columns, split.rows))


# --- the form ----------------------------------------------------------------------------------


def form(
    organization_id: str,
    subscription_id: str,
    splits: Sequence[Split],
    centers: Sequence[CostCenter],
    is_metered: bool,
    unit: str,
) -> Change | None:
    """The fields of the new split, with the count of its `unit`; None without an instant."""
    # Fixed per session: a default that follows the clock would reset the input.
    now = st.session_state.setdefault(
        "now", datetime.now(UTC).replace(tzinfo=None, second=0, microsecond=0)
    )
    st.subheader("New split" if splits else "First split", anchor=False)
    with st.container(border=True):
        effective = st.datetime_input(
            "Effective from (UTC)",
            value=now,
            step=timedelta(minutes=1),
            format="YYYY-MM-DD",
            width=320,
            key=f"effective {subscription_id}",
        )
        if effective is None:
            return None
        in_force = in_force_at(splits, effective)
        total = (
            in_force.total
            if in_force
            else asked_total(organization_id, subscription_id, splits, is_metered, unit)
        )
        latest = splits[0].allocated if splits else {}
        grid = st.columns(3)
        wanted: list[tuple[str, Decimal]] = []
        shown = [each for each in centers if not each.is_default and is_of_use(each, latest, now)]
        for i, center in enumerate(shown):
            until = f" (until {wording.day(center.valid_to)})" if center.valid_to else ""
            with grid[i % 3]:
                quantity = licenses_input(
                    f"{center.name}{until}",
                    latest.get(center.cost_center_id, Decimal()),
                    key=f"licenses {subscription_id} {center.cost_center_id}",
                )
            wanted.append((center.cost_center_id, quantity))
        change = Change(organization_id, subscription_id, effective, total, tuple(wanted))
        default = next((each.name for each in centers if each.is_default), "Default")
        show_count(change, default, unit.lower())
    return change


def is_of_use(center: CostCenter, latest: Mapping[str, Decimal], now: datetime) -> bool:
    """Whether a split can still use a cost center: not one that was closed a while ago."""
    is_closed = center.valid_to is not None and center.valid_to < now - timedelta(days=92)
    return not is_closed or bool(latest.get(center.cost_center_id))


def asked_total(
    organization_id: str,
    subscription_id: str,
    splits: Sequence[Split],
    is_metered: bool,
    unit: str,
) -> Decimal:
    """The total of a subscription at a time without a split; what is billed is proposed."""
    (billed,) = ask(licenses.billed_quantity(organization_id, subscription_id))
    known = billed["quantity"] if isinstance(billed["quantity"], Decimal) else None
    if is_metered:
        known = WHOLE_OF_METERED
    elif known is None and splits:
        known = splits[-1].total
    return licenses_input(
        f"{unit} in total",
        known or Decimal(),
        key=f"total {subscription_id}",
        help="Metered usage has no licenses: with 100, each part is a percent."
        if is_metered
        else "As billed; change it if the bill of that time has another number.",
    )


def licenses_input(label: str, value: Decimal, *, key: str, help: str | None = None) -> Decimal:
    """A field for a number of licenses; with decimals only where the value has some."""
    if value == int(value):
        typed = st.number_input(label, min_value=0, value=int(value), step=1, key=key)
        explain(help)
        return Decimal(int(typed or 0))
    part = st.number_input(
        label, min_value=0.0, value=float(value), step=1.0, format="%.4f", key=key
    )
    explain(help)
    return round(Decimal(str(part or 0)), 4)


def show_count(change: Change, default_name: str, unit: str) -> None:
    """How many licenses are allocated, whenever a field changes."""
    total, allocated = change.total_quantity, change.allocated_total
    words = f"{wording.exact(allocated)} of {wording.exact(total)} {unit} allocated"
    over = allocated - total
    if over > 0:
        words += f", {wording.exact(over)} too many: shares are of the sum allocated."
    elif over < 0:
        goes = "goes" if over == -1 else "go"
        words += f", {wording.exact(-over)} {goes} to {default_name}."
    else:
        words += "."
    tone: wording.Tone = "warn" if over > 0 else "good" if over == 0 else "neutral"
    st.html(f'<div role="status">{markup.notice(escape(words), tone)}</div>')


# --- saving ------------------------------------------------------------------------------------


def offer_to_save(
    previewed: Previewed, centers: Sequence[CostCenter], names: Mapping[str, str]
) -> None:
    """The reason, and the button that writes the file or proposes the change."""
    if previewed.version != here.version:
        nothing("New results were published after this computation. Compute it again.")
        return
    if previewed.changed("closed"):
        return
    change = previewed.change
    needs_approval = here.need_approval(change.organization_id)
    person = author("author of the split")
    reason = one_line(st.text_input("Reason", key="reason of the split", max_chars=LONGEST_TEXT))
    label = "Propose this split" if needs_approval else "Save this split"
    if not st.button(label, type="primary"):
        return
    if person is None or not reason:
        missing = "a reason" if person else "your name and a reason" if not reason else "your name"
        problem(f"Nothing was saved: enter {missing}.")
        return
    subject = f"{st.session_state['subscription name']}: {in_words(change, names)}"
    if needs_approval:
        changes.propose(here.data, person, change, subject=subject, reason=reason)
        st.session_state["done"] = "Proposed. It is saved when somebody else approves it."
    else:
        name = changes.save_split(
            here.data, person, change, centers, subject=subject, reason=reason
        )
        st.session_state["done"] = f"Saved as landing/{name}. The next run applies it."
    del st.session_state["previewed"]
    st.rerun()


def show_done() -> None:
    """What the last click did."""
    if done := st.session_state.pop("done", None):
        st.html(f'<div role="status">{markup.notice(escape(done), "good")}</div>')


def show_pending(organization_id: str, centers: Sequence[CostCenter]) -> None:
    """The changes that wait for a second person."""

    def refusals_of(proposal: changes.Proposal) -> Sequence[str]:
        splits = splits_of(proposal.change.subscription_id)
        return checked(proposal.change, splits, centers).refusals

    show_waiting(
        changes.pending(here.data, organization_id),
        refusals_of,
        lambda person, proposal: changes.approve(here.data, person, proposal, centers),
        lambda proposal: show_effect_of(proposal, centers),
    )


def show_effect_of(proposal: changes.Proposal, centers: Sequence[CostCenter]) -> None:
    """The effect of a change that waits, for the person who decides."""
    if st.button("Show the effect", key=f"effect {proposal.id}"):
        verdict = checked(proposal.change, splits_of(proposal.change.subscription_id), centers)
        st.session_state["previewed"] = compute(proposal.change, verdict, centers)
    previewed = cast("Previewed | None", st.session_state.get("previewed"))
    if previewed and previewed.change == proposal.change:
        show_effect(previewed, {center.cost_center_id: center.name for center in centers})


# --- the page ----------------------------------------------------------------------------------


def change_split(organization_id: str) -> None:
    """The page, for one organization."""
    show_done()
    found = {str(row["subscription_id"]): row for row in ask(pickers.subscriptions(here.selection))}
    if not found:
        nothing("No subscription is billed yet. Add a bill to landing/billing_lines.")
        return
    if columns_of("dim_cost_center") is None:
        nothing("These results are of an earlier version of Apportion. Run make run.")
        return
    if ask(pickers.split_source(organization_id)) == [{"split_source": "directory"}]:
        nothing("This organization splits by its user directory. Splits cannot be changed here.")
        return
    listed, _ = cost_centers.with_own_files(
        here.data,
        organization_id,
        cost_centers.from_rows(ask(pickers.cost_center_list(organization_id))),
    )
    centers = [each.for_splits for each in listed]
    names = {center.cost_center_id: center.name for center in centers}
    show_pending(organization_id, centers)
    choices = {
        subscription_id: f"{row['product_name']}"
        + ("" if row["is_split"] else ", no split yet")
        + f" ({subscription_id})"
        for subscription_id, row in found.items()
    }
    subscription_id = pick("Subscription", "subscription", choices)
    st.session_state["subscription name"] = (
        f"{found[subscription_id]['product_name']} ({subscription_id})"
    )
    splits = splits_of(subscription_id)
    is_metered = bool(found[subscription_id]["is_metered"])
    unit = str(found[subscription_id]["unit"])
    show_present(splits, is_metered, unit)
    change = form(organization_id, subscription_id, splits, centers, is_metered, unit)
    if change is not None and st.button("Check and show the effect", type="primary"):
        st.session_state.pop("previewed", None)
        verdict = checked(change, splits, centers)
        if verdict.is_allowed:
            st.session_state["previewed"] = compute(change, verdict, centers)
        else:
            st.html("".join(markup.notice(escape(words), "bad") for words in verdict.refusals))
    previewed = cast("Previewed | None", st.session_state.get("previewed"))
    if previewed and previewed.change == change:
        show_effect(previewed, names)
        offer_to_save(previewed, centers, names)
    show_made(organization_id)


def run_of(person: Person | None) -> None:
    """The run that applies what was saved."""
    st.subheader("Apply", anchor=False)
    offer_run(person)


heading("Change a split", "Licenses, seats or parts of a subscription per cost center")
if not here.viewer.may_edit:
    problem("Changing splits is not enabled.")
elif here.organization_id is None:
    nothing("Select an organization in the sidebar.")
else:
    try:
        change_split(here.organization_id)
        typed = one_line(st.session_state.get("typed name", ""))
        run_of(here.person or Person(typed or "somebody on this machine"))
    except ApportionError as problem_found:
        problem(wording.sentence(f"{problem_found}."))
