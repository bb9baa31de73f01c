"""This month at a glance: charges, reconciliation, findings, budgets, largest cost centers."""

from dataclasses import replace
from decimal import Decimal
from html import escape

import streamlit as st

from app import markup
from app.queries import budgets, charges, review
from app.queries.query import Selection
from app.screen import ask, columns_of, heading, page_context, show, unpriced_notices
from dagster_project import wording

here = page_context()
viewer, selection = here.viewer, here.selection
measure, measure_title = viewer.measures[0]
before_words = wording.period(here.earlier_period)


def money_cards() -> None:
    """Amounts charged per currency, each compared with the previous month."""
    earlier = {
        str(row["currency"]): row
        for row in (
            ask(charges.totals(viewer, Selection(here.earlier_period, here.organization_id)))
            if here.earlier_period
            else ()
        )
    }
    for row in ask(charges.totals(viewer, selection)):
        currency = str(row["currency"])
        items = []
        for name, title in viewer.measures:
            now, note = row[name], ""
            if isinstance(now, Decimal) and here.earlier_period:
                before = earlier.get(currency, {}).get(name)
                known = before if isinstance(before, Decimal) else None
                note = escape(wording.change(now, known, currency, before_words))
            elif now is None:
                note = "no sales price"
            figure = markup.figure(now if isinstance(now, Decimal) else None, currency)
            items.append((title, figure, note))
        st.html(markup.cards(items))


def show_notices() -> None:
    """Notices about the bills, findings, budgets, prices and corrections of the month."""
    notices = []
    if not viewer.is_customer:
        notices += reconciliation_notices() + finding_notices()
    notices += budget_notices() + unpriced_notices(selection)
    for row in ask(charges.corrections(viewer, selection)):
        corrected = wording.period(str(row["original_billing_period"]))
        amount = markup.money(row, viewer.line_measures[0][0])
        words = f"{amount} of this amount corrects {corrected}."
        notices.append(markup.notice(escape(words)))
    if notices:
        st.html("".join(notices))


def reconciliation_notices() -> list[str]:
    """The number of bills that tie to their invoice, and of those that do not."""
    statuses = [str(row["status"]) for row in ask(review.reconciliation(selection))]
    tying = sum(status in ("reconciled", "within_rounding") for status in statuses)
    without_invoice = statuses.count("no_invoice")
    differing = len(statuses) - tying - without_invoice - statuses.count("replaced")
    where = markup.link("Reconciliation", "reconciliation", period=here.period)
    notices = []
    if differing:
        bills = wording.counted(differing, "bill is", "bills are")
        words = f"{bills} incomplete or different from the invoice"
        notices.append(markup.notice(f"{words}: see {where}.", "bad"))
    if tying:
        words = f"{wording.counted(tying, 'bill ties', 'bills tie')} to the invoice"
        notices.append(markup.notice(f"{words}.", "good"))
    if without_invoice:
        words = f"{wording.counted(without_invoice, 'bill has', 'bills have')} no invoice"
        notices.append(markup.notice(f"{words}: see {where}."))
    return notices


def finding_notices() -> list[str]:
    """The number of findings to review, by severity."""
    if columns_of("findings") is None:
        return []
    counts = {
        str(row["severity"]): int(str(row["finding_count"]))
        for row in ask(review.finding_counts(selection))
    }
    where = markup.link(
        "Findings to review", "findings", period=here.period, organization=here.organization_id
    )
    errors, warnings, infos = (counts.get(name, 0) for name in ("error", "warning", "info"))
    if not errors + warnings + infos:
        return [markup.notice("No findings to review.", "good")]
    words = ", ".join(
        wording.counted(number, one)
        for number, one in ((errors, "error"), (warnings, "warning"), (infos, "note"))
        if number
    )
    tone: wording.Tone = "bad" if errors else "warn" if warnings else "neutral"
    return [markup.notice(f"{words} to review before billing: see {where}.", tone)]


def budget_notices() -> list[str]:
    """The number of budgets that are exceeded, or forecast to be; nothing if none is."""
    if columns_of("budget_variance") is None:
        return []
    counts = {
        str(row["status"]): int(str(row["cost_center_count"]))
        for row in ask(budgets.statuses(selection))
    }
    over = counts.get("over_budget", 0)
    later = counts.get("over_budget_at_year_end", 0)
    if over:
        words = wording.counted(
            over, "cost center is over its budget", "cost centers are over their budgets"
        )
        words += f", {later:,} more by year end" if later else ""
    elif later:
        words = wording.counted(later, "cost center is", "cost centers are")
        words += " forecast to exceed the budget by year end"
    else:
        return []
    where = markup.link("Budget", "budget", period=here.period, organization=here.organization_id)
    return [markup.notice(f"{words}: see {where}.", "bad" if over else "warn")]


def largest() -> None:
    """The cost centers with the largest amounts."""
    st.subheader("Largest cost centers", anchor=False)
    query = replace(charges.compared_with_earlier(viewer, selection, here.earlier_period), most=10)
    if here.organization_id:
        query = query.without("organization_name")
    if not here.earlier_period:
        query = query.without("earlier", "difference")
    show(
        "Largest cost centers",
        query,
        empty="No charges in this period.",
        bars_on=measure,
        links=lambda row: {
            "cost_center_name": markup.link(
                str(row["cost_center_name"]),
                "chargeback",
                period=here.period,
                organization=str(row["organization_id"]),
                cost_center=str(row["cost_center_id"]),
            )
        },
    )
    everything = markup.link(
        "See the full chargeback",
        "chargeback",
        period=here.period,
        organization=here.organization_id,
    )
    st.html(f'<p class="notice">{everything}</p>')


heading(wording.period(here.period), f"Charges of {here.owner}")
money_cards()
show_notices()
largest()
