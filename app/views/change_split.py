"""Change a split: the form, its effect on charges, and the file that records it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import escape
from typing import cast

import streamlit as st

from app import markup
from app.published import Version
from app.queries import licenses, pickers
from app.queries.query import Column, Row
from app.screen import ask, heading, nothing, page_context, pick, problem
from app.splits import Change, CostCenter, Verdict, check, content, path_in_landing, save
from app.warehouse import read_splitting
from dagster_project import wording
from dagster_project.errors import ApportionError
from dagster_project.feeds.formats import SPLIT_HISTORY
from dagster_project.settings import Limits
from dagster_project.what_if import WhatIf, compare
from dagster_project.what_if.effects import Charge, Horizon
from dagster_project.what_if.scenario import Scenario

here = page_context()
SHOWN_ROWS = 10_000
WAIT_SECONDS = 5
"""Time a page waits for a run that is writing."""


@dataclass(frozen=True)
class Previewed:
    """A computed change, with the published version it was computed from."""

    change: Change
    verdict: Verdict
    effect: WhatIf
    version: Version

    def changed(self, horizon: Horizon) -> list[Charge]:
        """The cost centers whose cost changes."""
        return [
            charge
            for account in self.effect.accounts
            for charge in account.changed
            if charge.horizon == horizon and charge.cost_difference
        ]


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


def show_present(split: Split) -> None:
    """The split in force."""
    st.subheader("Current split", anchor=False)
    st.html(
        markup.notice(
            f"{escape(wording.exact(split.total))} licenses, split since"
            f" {escape(wording.instant(split.valid_from))} UTC ({escape(split.event)})."
        )
    )
    columns = [
        Column("cost_center_name", "Cost center"),
        Column("allocated_quantity", "Licenses", "quantity"),
        Column("share", "Share", "share"),
    ]
    st.html(markup.table("Current split", columns, split.rows))


def form(
    organization_id: str, subscription_id: str, splits: list[Split], centers: list[CostCenter]
) -> tuple[Change, Verdict] | None:
    """The form for the new split; returns the change once it is submitted."""
    present = splits[0]
    # Fixed per session: a default that follows the clock would reset the input.
    now = st.session_state.setdefault(
        "now", datetime.now(UTC).replace(tzinfo=None, second=0, microsecond=0)
    )
    st.subheader("New split", anchor=False)
    with st.form("split", border=True):
        effective = st.datetime_input(
            "Effective from (UTC)",
            value=now,
            step=timedelta(minutes=1),
            format="YYYY-MM-DD",
            width=320,
        )
        grid = st.columns(3)
        wanted: list[tuple[str, Decimal]] = []
        for i, center in enumerate(each for each in centers if not each.is_default):
            until = f" (until {wording.day(center.valid_to)})" if center.valid_to else ""
            with grid[i % 3]:
                quantity = st.number_input(
                    f"{center.name}{until}",
                    min_value=0,
                    value=int(present.allocated.get(center.cost_center_id, 0)),
                    step=1,
                    key=f"licenses {subscription_id} {center.cost_center_id}",
                )
            wanted.append((center.cost_center_id, Decimal(int(quantity or 0))))
        st.caption("Unallocated licenses go to Default.")
        is_submitted = st.form_submit_button("Check and show the effect", type="primary")
    if not is_submitted or effective is None:
        return None
    in_force = next((split for split in splits if split.valid_from <= effective), None)
    later = [split.valid_from for split in splits if split.valid_from > effective]
    change = Change(
        organization_id,
        subscription_id,
        effective,
        in_force.total if in_force else present.total,
        tuple(wanted),
    )
    closed = ask(licenses.last_closed_billing_date())
    verdict = check(
        change,
        centers,
        present=in_force.allocated if in_force else {},
        open_from=cast("date | None", closed[0]["billing_date"] if closed else None),
        superseded_at=min(later) if later else None,
    )
    return change, verdict


def compute(change: Change, centers: list[CostCenter]) -> WhatIf | None:
    """Run the pipeline on a copy and show its progress."""
    recorded_at = datetime.now(UTC).replace(tzinfo=None)
    label = "Computing the effect on a copy of the data ..."
    with st.status(label, expanded=True) as status:
        try:
            scenario = Scenario(
                path_in_landing(change, recorded_at),
                content(change, centers, recorded_at).encode(),
                SPLIT_HISTORY,
            )
            computed = compare(
                here.data,
                [scenario],
                change.organization_id,
                replace(Limits.from_environment(), lock_wait_seconds=WAIT_SECONDS),
                progress=st.write,
            )
        except ApportionError as error:
            status.update(label="The effect could not be computed", state="error")
            problem(wording.sentence(f"{error}."))
            return None
        label = "Computed on a copy of the data"
        status.update(label=label, state="complete", expanded=False)
    return computed


def show_effect(previewed: Previewed, names: Mapping[str, str]) -> None:
    """The effect of the change, per cost center."""
    st.subheader("Effect", anchor=False)
    change = previewed.change
    allocated = [
        f"{names.get(cost_center_id, cost_center_id)} {wording.exact(quantity)}"
        for cost_center_id, quantity in change.allocated
        if quantity
    ]
    allocated.append(f"Default {wording.exact(change.default_quantity)}")
    st.html(
        markup.notice(
            f"From {escape(wording.instant(change.effective_at))} UTC:"
            f" {escape(', '.join(allocated))}."
        )
        + "".join(markup.notice(escape(warning), "warn") for warning in previewed.verdict.warnings)
        + markup.notice(
            "Closed periods would change. Do not save; report this to the Apportion administrator."
            if previewed.changed("closed")
            else "Closed periods do not change.",
            "bad" if previewed.changed("closed") else "good",
        )
    )
    billed, future = previewed.changed("open"), previewed.changed("future")
    if billed:
        show_table("Billing period", "Effect on open billing periods", billed)
    else:
        nothing("No effect on open billing periods. The split applies to future bills.")
    if future:
        st.subheader("Future months", anchor=False)
        show_table("Charges", "Effect on future months", future)


def show_table(title: str, caption: str, charges: list[Charge]) -> None:
    """Cost centers with their cost before and after the change."""
    rows: list[Row] = [
        {
            "period": f"{charge.period}, {charge.commitment}"
            if charge.commitment
            else wording.period(charge.period),
            "cost_center_name": charge.cost_center_name,
            "before": charge.cost_before,
            "after": charge.cost_after,
            "difference": charge.cost_difference,
            "currency": charge.currency,
        }
        for charge in charges
    ]
    totals: list[Row] = [
        {
            "difference": sum(
                (charge.cost_difference for charge in charges if charge.currency == currency),
                Decimal(),
            ),
            "currency": currency,
        }
        for currency in sorted({charge.currency for charge in charges})
    ]
    columns = [
        Column("period", title),
        Column("cost_center_name", "Cost center"),
        Column("before", "Cost before", "amount"),
        Column("after", "Cost after", "amount"),
        Column("difference", "Difference", "amount"),
    ]
    st.html(markup.table(caption, columns, rows, totals=totals))


def offer_to_save(previewed: Previewed, centers: list[CostCenter]) -> None:
    """The button that writes the file."""
    if previewed.version != here.version:
        nothing("New results were published after this computation. Compute it again.")
        return
    if previewed.changed("closed") or not st.button("Save this split", type="primary"):
        return
    recorded_at = datetime.now(UTC).replace(tzinfo=None)
    name = path_in_landing(previewed.change, recorded_at)
    try:
        save(here.data, name, content(previewed.change, centers, recorded_at))
    except ApportionError as error:
        problem(wording.sentence(f"{error}."))
        return
    del st.session_state["previewed"]
    saved = f"Saved as <code>landing/{escape(name)}</code>. The next run applies it: make run."
    st.html(markup.notice(saved, "good"))


def change_split(organization_id: str) -> None:
    """The page, for one organization."""
    choices = {
        str(row["subscription_id"]): f"{row['product_name']} ({row['subscription_id']})"
        for row in ask(pickers.subscriptions(here.selection))
    }
    if not choices:
        nothing("No splits yet. Add a file to landing/split_history, then run make run.")
        return
    subscription_id = pick("Subscription", "subscription", choices)
    splitting = read_splitting(here.data, organization_id)
    if splitting.is_by_directory:
        nothing("This organization splits by its user directory. Splits cannot be changed here.")
        return
    splits = splits_of(subscription_id)
    if not splits:
        nothing("This subscription has no split in force.")
        return
    show_present(splits[0])
    centers = list(splitting.cost_centers)
    submitted = form(organization_id, subscription_id, splits, centers)
    if submitted:
        st.session_state.pop("previewed", None)
        change, verdict = submitted
        if not verdict.is_allowed:
            st.html("".join(markup.notice(escape(words), "bad") for words in verdict.refusals))
            return
        computed = compute(change, centers)
        if computed is None:
            return
        st.session_state["previewed"] = Previewed(change, verdict, computed, here.version)
    previewed = cast("Previewed | None", st.session_state.get("previewed"))
    if previewed and previewed.change.subscription_id == subscription_id:
        show_effect(previewed, {center.cost_center_id: center.name for center in centers})
        offer_to_save(previewed, centers)


heading("Change a split", "Licenses of a subscription per cost center")
if not here.viewer.may_edit:
    problem("Changing splits is not enabled.")
elif here.organization_id is None:
    nothing("Select an organization in the sidebar.")
else:
    try:
        change_split(here.organization_id)
    except ApportionError as problem_found:
        problem(wording.sentence(f"{problem_found}."))
