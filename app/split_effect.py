"""The effect of a change of a split on charges, computed on a copy, for the page that changes it.

Belongs here: Streamlit. Does not: the form and its file (views/change_split), the computation
(dagster_project.what_if). Customers see sales only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from html import escape

import streamlit as st

from app import markup
from app.preview_limit import LIMIT, TooOften
from app.published import Version, Viewer
from app.queries.query import Column, Row
from app.screen import nothing, page_context, problem
from app.splits import Change, CostCenter, Verdict, content, path_in_landing
from dagster_project import wording
from dagster_project.errors import ApportionError
from dagster_project.feeds.formats import SPLIT_HISTORY
from dagster_project.records import now
from dagster_project.settings import Limits
from dagster_project.what_if import WhatIf, compare
from dagster_project.what_if.effects import Charge, Horizon
from dagster_project.what_if.scenario import Scenario

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
        """The cost centers whose amounts change."""
        return [
            charge
            for account in self.effect.accounts
            for charge in account.changed
            if charge.horizon == horizon
        ]


def compute(change: Change, verdict: Verdict, centers: Sequence[CostCenter]) -> Previewed | None:
    """Run the pipeline on a copy and show its progress."""
    here = page_context()
    if here.viewer.is_customer:
        try:
            LIMIT.take(change.organization_id)
        except TooOften as refusal:
            problem(str(refusal))
            return None
    recorded_at = now()
    label = "Computing the effect on a copy of the data ..."
    with st.status(label, expanded=not here.viewer.is_customer) as status:
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
                # Progress and errors name folders and files of the broker.
                progress=(lambda message: None) if here.viewer.is_customer else st.write,
            )
        except ApportionError as error:
            status.update(label="The effect could not be computed", state="error")
            problem(
                "The effect cannot be computed now. Try again in a minute."
                if here.viewer.is_customer
                else wording.sentence(f"{error}.")
            )
            return None
        status.update(label="Computed on a copy of the data", state="complete", expanded=False)
    return Previewed(change, verdict, computed, here.version)


def in_words(change: Change, names: Mapping[str, str]) -> str:
    """A change in a sentence: Sales 5, Marketing 12, Default 3 of 20 from 20 Jan 2026 09:30 UTC."""
    allocated = [
        f"{names.get(cost_center_id, cost_center_id)} {wording.exact(quantity)}"
        for cost_center_id, quantity in change.allocated
        if quantity
    ]
    allocated.append(f"Default {wording.exact(change.default_quantity)}")
    return (
        f"{', '.join(allocated)} of {wording.exact(change.total_quantity)}"
        f" from {wording.instant(change.effective_at)} UTC"
    )


def show_effect(previewed: Previewed, names: Mapping[str, str]) -> None:
    """The effect of the change, per cost center."""
    st.subheader("Effect", anchor=False)
    st.html(
        markup.notice(escape(f"{in_words(previewed.change, names)}."))
        + "".join(markup.notice(escape(warning), "warn") for warning in previewed.verdict.warnings)
        + markup.notice(
            "Closed periods would change. Do not save; report this to the Apportion administrator."
            if previewed.changed("closed")
            else "Closed periods do not change.",
            "bad" if previewed.changed("closed") else "good",
        )
    )
    viewer = page_context().viewer
    billed = rows_of(viewer, previewed.changed("open"))
    future = rows_of(viewer, previewed.changed("future"))
    if billed:
        _show_table("Billing period", "Effect on open billing periods", billed)
    else:
        nothing("No effect on open billing periods. The split applies to future bills.")
    if future:
        st.subheader("Future months", anchor=False)
        _show_table("Charges", "Effect on future months", future)


def rows_of(viewer: Viewer, charges: Sequence[Charge]) -> list[Row]:
    """Cost centers with the amounts charged before and after, and for the broker with the cost.

    Without a sales price a customer sees the cost center and no amount.
    """
    rows: list[Row] = []
    for charge in charges:
        cost: Row = {}
        if viewer.is_customer:
            before, after = charge.sales_before, charge.sales_after
            difference = charge.sales_difference
        else:
            before, after = charge.charged_before, charge.charged_after
            difference = charge.charged_difference
            cost = {
                "cost_before": charge.cost_before,
                "cost_after": charge.cost_after,
                "cost_difference": charge.cost_difference,
            }
        if difference == 0 and not cost.get("cost_difference"):
            continue
        rows.append(
            {
                **cost,
                "period": f"{charge.period}, {charge.commitment}"
                if charge.commitment
                else wording.period(charge.period),
                "cost_center_name": charge.cost_center_name,
                "before": before,
                "after": after,
                "difference": difference,
                "currency": charge.currency,
            }
        )
    return rows


def _show_table(title: str, caption: str, rows: Sequence[Row]) -> None:
    columns = [
        Column("period", title),
        Column("cost_center_name", "Cost center"),
        Column("before", "Charged before", "amount"),
        Column("after", "Charged after", "amount"),
        Column("difference", "Difference", "amount"),
    ]
    differences = ["difference"]
    if not page_context().viewer.is_customer:
        columns += [
            Column("cost_before", "Cost before", "amount"),
            Column("cost_after", "Cost after", "amount"),
            Column("cost_difference", "Difference of cost", "amount"),
        ]
        differences.append("cost_difference")
    totals: list[Row] = []
    for currency in sorted({str(row["currency"]) for row in rows}):
        total: dict[str, object] = {"currency": currency}
        for name in differences:
            amounts = [row[name] for row in rows if row["currency"] == currency]
            known = [amount for amount in amounts if isinstance(amount, Decimal)]
            total[name] = sum(known, Decimal())
        totals.append(total)
    st.html(markup.table(caption, columns, rows, totals=totals))
