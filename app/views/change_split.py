"""Change a split: who is to have how many licenses, what that moves, and the file that says so."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import escape
from typing import cast

import streamlit as st

from app import figures, markup
from app.figures import Column, Row
from app.published import Version
from app.screen import ask, heading, looking, nothing, pick, problem
from app.splits import Change, CostCenter, Verdict, check, content, path_in_landing, save
from app.warehouse import splitting
from dagster_project import wording
from dagster_project.errors import ApportionError
from dagster_project.feeds.formats import SPLIT_HISTORY
from dagster_project.settings import Limits
from dagster_project.what_if import WhatIf, compare
from dagster_project.what_if.moves import Charged, Horizon
from dagster_project.what_if.scenario import Scenario

here = looking()
SHOWN_ROWS = 10_000
WAIT_SECONDS = 5
"""How long a page waits for a run that is writing."""


@dataclass(frozen=True)
class Previewed:
    """A change that was computed, and from which published results."""

    change: Change
    verdict: Verdict
    found: WhatIf
    version: Version

    def moved(self, horizon: Horizon) -> list[Charged]:
        """The cost centers whose cost moves."""
        return [
            charged
            for account in self.found.accounts
            for charged in account.moved
            if charged.horizon == horizon and charged.cost_difference
        ]


@dataclass(frozen=True)
class Split:
    """A split of the history: from when to when, of how many licenses, who has how many."""

    valid_from: datetime
    valid_to: datetime | None
    event: str
    total: Decimal
    rows: tuple[Row, ...]

    @property
    def held(self) -> Mapping[str, Decimal]:
        """Licenses by cost center id."""
        return {
            str(row["cost_center_id"]): cast(Decimal, row["allocated_quantity"])
            for row in self.rows
        }


def splits_of(subscription_id: str) -> list[Split]:
    """The splits of a subscription, the newest first."""
    by_snapshot: dict[str, list[Row]] = {}
    for row in ask(figures.history(subscription_id), SHOWN_ROWS):
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
    """Who has how many licenses now."""
    st.subheader("As it is", anchor=False)
    st.html(
        markup.said(
            f"{escape(wording.exact(split.total))} licenses, split since"
            f" {escape(wording.instant(split.valid_from))} UTC ({escape(split.event)})."
        )
    )
    columns = [
        Column("cost_center_name", "Cost center"),
        Column("allocated_quantity", "Licenses", "quantity"),
        Column("share", "Share", "share"),
    ]
    st.html(markup.table("The split as it is", columns, split.rows))


def form(
    organization_id: str, subscription_id: str, splits: list[Split], centers: list[CostCenter]
) -> tuple[Change, Verdict] | None:
    """Ask for the new split; what was asked for, once it was."""
    present = splits[0]
    # Once per session: a default that moves on with the clock would undo what was picked.
    now = st.session_state.setdefault(
        "now", datetime.now(UTC).replace(tzinfo=None, second=0, microsecond=0)
    )
    st.subheader("As it is to be", anchor=False)
    with st.form("split", border=True):
        effective = st.datetime_input(
            "From when on (UTC)",
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
                    value=int(present.held.get(center.cost_center_id, 0)),
                    step=1,
                    key=f"licenses {subscription_id} {center.cost_center_id}",
                )
            wanted.append((center.cost_center_id, Decimal(int(quantity or 0))))
        st.caption("What you give to nobody goes to Default.")
        is_asked = st.form_submit_button("Check it and show what it moves", type="primary")
    if not is_asked or effective is None:
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
    closed = ask(figures.last_closed_billing_date())
    verdict = check(
        change,
        centers,
        held=in_force.held if in_force else {},
        open_from=cast("date | None", closed[0]["billing_date"] if closed else None),
        overtaken_at=min(later) if later else None,
    )
    return change, verdict


def compute(change: Change, centers: list[CostCenter]) -> WhatIf | None:
    """Run the rules on a copy, telling what goes on."""
    recorded_at = datetime.now(UTC).replace(tzinfo=None)
    label = "Computing what this moves, by the real rules on a copy ..."
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
            status.update(label="This could not be computed", state="error")
            problem(wording.sentence(f"{error}."))
            return None
        label = "Computed by the real rules, on a copy"
        status.update(label=label, state="complete", expanded=False)
    return computed


def show_moves(previewed: Previewed, names: Mapping[str, str]) -> None:
    """What the change moves, per cost center."""
    st.subheader("What it moves", anchor=False)
    change = previewed.change
    given = [
        f"{names.get(cost_center_id, cost_center_id)} {wording.exact(quantity)}"
        for cost_center_id, quantity in change.allocated
        if quantity
    ]
    given.append(f"Default {wording.exact(change.default_quantity)}")
    st.html(
        markup.said(
            f"From {escape(wording.instant(change.effective_at))} UTC on:"
            f" {escape(', '.join(given))}."
        )
        + "".join(markup.said(escape(warning), "warn") for warning in previewed.verdict.warnings)
        + markup.said(
            "Closed periods would change: do not save this, and tell who looks after Apportion."
            if previewed.moved("closed")
            else "Closed periods do not change.",
            "bad" if previewed.moved("closed") else "good",
        )
    )
    billed, to_come = previewed.moved("open"), previewed.moved("to_come")
    if billed:
        show_table("Billing period", "What the change moves", billed)
    else:
        nothing("No money of the open periods: it counts for bills to come.")
    if to_come:
        st.subheader("In the months to come", anchor=False)
        show_table("Charges", "What the change moves in the months to come", to_come)


def show_table(title: str, caption: str, moved: list[Charged]) -> None:
    """Cost centers and by how much they are charged more or less."""
    rows: list[Row] = [
        {
            "period": f"{move.period}, {move.commitment}"
            if move.commitment
            else wording.period(move.period),
            "cost_center_name": move.cost_center_name,
            "before": move.cost_before,
            "after": move.cost_after,
            "difference": move.cost_difference,
            "currency": move.currency,
        }
        for move in moved
    ]
    totals: list[Row] = [
        {
            "difference": sum(
                (move.cost_difference for move in moved if move.currency == currency), Decimal()
            ),
            "currency": currency,
        }
        for currency in sorted({move.currency for move in moved})
    ]
    columns = [
        Column("period", title),
        Column("cost_center_name", "Cost center"),
        Column("before", "Cost as it is", "amount"),
        Column("after", "Cost as it would be", "amount"),
        Column("difference", "Difference", "amount"),
    ]
    st.html(markup.table(caption, columns, rows, totals=totals))


def offer_to_save(previewed: Previewed, centers: list[CostCenter]) -> None:
    """Write the file, if that is wished."""
    if previewed.version != here.version:
        nothing("New results were published since this was computed: compute it again.")
        return
    if previewed.moved("closed") or not st.button("Save this split", type="primary"):
        return
    recorded_at = datetime.now(UTC).replace(tzinfo=None)
    name = path_in_landing(previewed.change, recorded_at)
    try:
        save(here.data, name, content(previewed.change, centers, recorded_at))
    except ApportionError as error:
        problem(wording.sentence(f"{error}."))
        return
    del st.session_state["previewed"]
    told = f"Saved as <code>landing/{escape(name)}</code>. The next run applies it: make run."
    st.html(markup.said(told, "good"))


def change_split(organization_id: str) -> None:
    """The page, for one organization."""
    choices = {
        str(row["subscription_id"]): f"{row['product_name']} ({row['subscription_id']})"
        for row in ask(figures.subscriptions(here.selection))
    }
    if not choices:
        nothing("No split has landed here yet: the first ones come with landing/split_history.")
        return
    subscription_id = pick("Subscription", "subscription", choices)
    how = splitting(here.data, organization_id)
    if how.is_by_directory:
        nothing("This organization is split by its directory: who uses a license has it.")
        return
    splits = splits_of(subscription_id)
    if not splits:
        nothing("This subscription has no split that holds.")
        return
    show_present(splits[0])
    centers = list(how.cost_centers)
    asked = form(organization_id, subscription_id, splits, centers)
    if asked:
        st.session_state.pop("previewed", None)
        change, verdict = asked
        if not verdict.is_allowed:
            st.html("".join(markup.said(escape(words), "bad") for words in verdict.refusals))
            return
        computed = compute(change, centers)
        if computed is None:
            return
        st.session_state["previewed"] = Previewed(change, verdict, computed, here.version)
    previewed = cast("Previewed | None", st.session_state.get("previewed"))
    if previewed and previewed.change.subscription_id == subscription_id:
        show_moves(previewed, {center.cost_center_id: center.name for center in centers})
        offer_to_save(previewed, centers)


heading("Change a split", "Who is to have how many licenses of a subscription")
if not here.viewer.may_edit:
    problem("Splits cannot be changed here.")
elif here.organization_id is None:
    nothing("Pick an organization on the left.")
else:
    try:
        change_split(here.organization_id)
    except ApportionError as problem_found:
        problem(wording.sentence(f"{problem_found}."))
