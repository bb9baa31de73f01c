"""This month at a glance: what was billed, whether it ties, what to look at, who pays most."""

from dataclasses import replace
from decimal import Decimal
from html import escape

import streamlit as st

from app import figures, markup
from app.screen import ask, columns_of, heading, looking, show, unpriced_said
from dagster_project import wording

here = looking()
viewer, selection = here.viewer, here.selection
measure, measure_title = viewer.measures[0]
before_words = wording.period(here.earlier_period)


def money_cards() -> None:
    """What was billed, per currency, each beside the month before."""
    earlier = {
        str(row["currency"]): row
        for row in (
            ask(
                figures.totals(viewer, figures.Selection(here.earlier_period, here.organization_id))
            )
            if here.earlier_period
            else ()
        )
    }
    for row in ask(figures.totals(viewer, selection)):
        currency = str(row["currency"])
        items = []
        for name, title in viewer.measures:
            now, note = row[name], ""
            if isinstance(now, Decimal) and here.earlier_period:
                before = earlier.get(currency, {}).get(name)
                known = before if isinstance(before, Decimal) else None
                note = escape(wording.change(now, known, currency, before_words))
            elif now is None:
                note = "no sales price is known"
            figure = markup.figure(now if isinstance(now, Decimal) else None, currency)
            items.append((title, figure, note))
        st.html(markup.cards(items))


def notes() -> None:
    """What a person should know before using the figures, in sentences."""
    said = []
    if not viewer.is_customer:
        said += bills_said() + findings_said()
    said += budgets_said() + unpriced_said(selection)
    for row in ask(figures.corrections(viewer, selection)):
        corrected = wording.period(str(row["original_billing_period"]))
        words = f"{markup.money(row, measure)} of this are corrections of {corrected}."
        said.append(markup.said(escape(words)))
    if said:
        st.html("".join(said))


def bills_said() -> list[str]:
    """Whether the bills tie to the invoices, in a sentence or two."""
    states = [str(row["status"]) for row in ask(figures.bills(selection))]
    tying = sum(state in ("reconciled", "within_rounding") for state in states)
    unlisted = states.count("no_invoice")
    wrong = len(states) - tying - unlisted
    where = markup.link("Reconciliation", "reconciliation", period=here.period)
    said = []
    if wrong:
        words = f"{wording.counted(wrong, 'bill')} not complete, or not as the invoice says"
        said.append(markup.said(f"{words}: see {where}.", "bad"))
    if tying:
        words = f"{wording.counted(tying, 'bill ties', 'bills tie')} to the invoice"
        said.append(markup.said(f"{words}.", "good"))
    if unlisted:
        words = f"{wording.counted(unlisted, 'bill has', 'bills have')} no invoice to tie to"
        said.append(markup.said(f"{words}: see {where}."))
    return said


def findings_said() -> list[str]:
    """How many findings there are to look at, in a sentence."""
    if columns_of("findings") is None:
        return []
    counts = {
        str(row["severity"]): int(str(row["finding_count"]))
        for row in ask(figures.finding_counts(selection))
    }
    where = markup.link(
        "Findings to review", "findings", period=here.period, organization=here.organization_id
    )
    errors, warnings, infos = (counts.get(name, 0) for name in ("error", "warning", "info"))
    if not errors + warnings + infos:
        return [markup.said("Nothing was found that needs a look.", "good")]
    words = ", ".join(
        wording.counted(number, one)
        for number, one in ((errors, "error"), (warnings, "warning"), (infos, "note"))
        if number
    )
    tone = "bad" if errors else "warn" if warnings else "neutral"
    return [markup.said(f"{words} to look at before billing: see {where}.", tone)]


def budgets_said() -> list[str]:
    """How many budgets are overrun, in a sentence; nothing if none is."""
    if columns_of("budget_variance") is None:
        return []
    counts = {
        str(row["status"]): int(str(row["cost_center_count"]))
        for row in ask(figures.budget_states(selection))
    }
    over = counts.get("over_budget", 0)
    later = counts.get("over_budget_at_year_end", 0)
    if over:
        words = wording.counted(
            over, "cost center is over its budget", "cost centers are over their budgets"
        )
        words += f", {later:,} will be by the end of the year" if later else ""
    elif later:
        which = wording.counted(later, "cost center")
        words = f"{which} will be over budget by the end of the year"
    else:
        return []
    where = markup.link("Budget", "budget", period=here.period, organization=here.organization_id)
    return [markup.said(f"{words}: see {where}.", "bad" if over else "warn")]


def largest() -> None:
    """The cost centers that are charged most."""
    st.subheader("Who is charged most", anchor=False)
    query = replace(figures.compared(viewer, selection, here.earlier_period), most=10)
    if here.organization_id:
        query = query.without("organization_name")
    if not here.earlier_period:
        query = query.without("earlier", "difference")
    show(
        "Cost centers charged most",
        query,
        empty="Nothing was billed in this period.",
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
        "See the whole chargeback",
        "chargeback",
        period=here.period,
        organization=here.organization_id,
    )
    st.html(f'<p class="said">{everything}</p>')


heading(wording.period(here.period), f"What was billed to {here.whose}")
money_cards()
notes()
largest()
