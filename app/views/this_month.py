"""This month at a glance: charges, twelve months, movers, notices, search."""

from dataclasses import replace
from decimal import Decimal
from html import escape

import streamlit as st

from app import drawing, markup
from app.queries import budgets, charges, overview, review, trend, units
from app.queries.query import Row, Selection
from app.screen import (
    ask,
    columns_of,
    converted_total,
    heading,
    page_context,
    show,
    unpriced_notices,
)
from dagster_project import reviews, wording
from dagster_project.records import RecordDamaged, now

here = page_context()
viewer, selection = here.viewer, here.selection
measure, measure_title = viewer.measures[0]
MOST_LINKS = 3
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
        notices += reconciliation_notices()
    notices += finding_notices()
    notices += budget_notices() + owner_notices() + unpriced_notices(selection)
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
    source = review.source_of(viewer)
    if columns_of(source) is None:
        return []
    rows = ask(review.finding_counts(selection, reviewed(), today(), source))
    counts = {str(row["severity"]): int(str(row["finding_count"])) for row in rows}
    accepted = sum(int(str(row["accepted_count"])) for row in rows)
    where = markup.link(
        "Findings to review", "findings", period=here.period, organization=here.organization_id
    )
    errors, warnings, infos = (counts.get(name, 0) for name in ("error", "warning", "info"))
    more = f" {wording.number(accepted)} accepted." if accepted else ""
    if not errors + warnings + infos:
        return [markup.notice(f"No findings to review.{more}", "good")]
    words = ", ".join(
        wording.counted(number, one)
        for number, one in ((errors, "error"), (warnings, "warning"), (infos, "note"))
        if number
    )
    tone: wording.Tone = "bad" if errors else "warn" if warnings else "neutral"
    return [markup.notice(f"{words} to review before billing: see {where}.{more}", tone)]


def reviewed() -> dict[str, dict[str, str | None]]:
    """The states of reviewed findings; none if the record cannot be read."""
    try:
        return reviews.states(reviews.read(here.data), viewer.customer_id or reviews.BROKER)
    except RecordDamaged:
        # The page of findings says so.
        return {}


def today() -> str:
    """The day in UTC, in ISO form."""
    return now().date().isoformat()


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
        words += f", {wording.number(later)} more by year end" if later else ""
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


def twelve_months() -> None:
    """Charged amounts of twelve months as a chart per currency."""
    by: trend.By = "cost_center" if here.organization_id else "organization"
    rows = ask(trend.months_by(selection, by, measure, until=here.period))
    for currency in dict.fromkeys(str(row["currency"]) for row in rows):
        st.subheader(f"Twelve months, {currency}", anchor=False)
        st.vega_lite_chart(
            drawing.stacked_months(rows, currency),
            width="stretch",
            theme=None,
            alt=drawing.stacked_described(rows, currency),
        )


def movers() -> None:
    """The cost centers with the largest changes; each leads to the parts of its change."""
    if columns_of("chargeback_changes") is None or not here.earlier_period:
        return
    st.subheader("Biggest movers", anchor=False)
    query = overview.movers(selection)
    show(
        "Biggest movers",
        query.without("organization_name") if here.organization_id else query,
        empty="No cost center is charged another amount than before.",
        links=lambda row: {
            "cost_center_name": markup.link(
                str(row["cost_center_name"]),
                "what_changed",
                period=here.period,
                organization=None if viewer.is_customer else str(row["organization_id"]),
                cost_center=str(row["cost_center_id"]),
                since=str(row["previous_billing_period"]),
            )
        },
    )


def owner_notices() -> list[str]:
    """Amounts that nobody allocated, and amounts in Default, per currency."""
    notices = []
    for row in ask(overview.without_owner(viewer, selection)):
        count = int(str(row["line_count"]))
        words = f"{markup.money(row, 'in_default')} are in Default"
        if count:
            words += (
                f", {markup.money(row, 'unallocated')} of it without a decision"
                f" ({wording.counted(count, 'line')})"
            )
        where = where_default_is(str(row["currency"]))
        tone: wording.Tone = "warn" if count else "neutral"
        notices.append(markup.notice(f"{escape(words)}{where}.", tone))
    return notices


def where_default_is(currency: str) -> str:
    """Links to the charges of Default, of the organizations with the largest amounts."""
    rows = [
        row for row in ask(overview.in_default(viewer, selection)) if row["currency"] == currency
    ]
    links = [
        markup.link(
            "the charges of Default"
            if here.organization_id
            else f"{row['organization_name']} ({markup.money(row, 'in_default')})",
            "chargeback",
            period=here.period,
            organization=None if viewer.is_customer else str(row["organization_id"]),
            cost_center=str(row["cost_center_id"]),
        )
        for row in rows[:MOST_LINKS]
    ]
    more = f" and {wording.number(len(rows) - MOST_LINKS)} more" if len(rows) > MOST_LINKS else ""
    return f": see {', '.join(links)}{more}" if links else ""


def stakes() -> None:
    """The findings with the largest amounts at stake."""
    if viewer.is_customer or columns_of("findings") is None:
        return
    query = replace(review.findings_by_amount(selection, reviewed(), today()), most=5)
    if not ask(query, 1):
        return
    st.subheader("Findings by amount", anchor=False)
    show(
        "Findings by amount",
        query,
        empty="",
        links=lambda row: {
            "message": markup.link(
                wording.sentence(str(row["message"])),
                "findings",
                finding=str(row["finding_key"]),
                period=here.period,
                organization=here.organization_id,
            )
        },
    )


def found(row: Row) -> dict[str, str]:
    """The link of something that was found, to the page that shows it; none without a charge."""
    own = None if viewer.is_customer else str(row["organization_id"])
    words = str(row["name"] or row["id"])
    if row["period"] is None:
        if row["cost_center_id"] is None or not viewer.may_edit:
            return {}
        return {"name": markup.link(words, "cost_centers", organization=own)}
    address = {"period": str(row["period"]), "organization": own}
    if row["unit_kind"] is not None:
        more = {"kind": str(row["unit_kind"]), "unit": str(row["unit_id"])}
        return {"name": markup.link(words, "by_unit", **address, **more)}
    for key, name in (
        ("cost_center", "cost_center_id"),
        ("product", "product_name"),
        ("subscription", "subscription_id"),
        ("invoice", "invoice_number"),
    ):
        if row[name] is not None:
            address[key] = str(row[name])
    if row["line_id"] is not None:
        address |= {"line": str(row["line_id"]), "billed": str(row["period"])}
    return {"name": markup.link(words, "chargeback", **address)}


def prepared(row: Row) -> Row:
    """A row of the search in words."""
    kind, period = str(row["kind"]), row["period"]
    return {
        **row,
        "kind": units.KINDS.get(kind) or wording.sentence(wording.code(kind)),
        "last_charged": wording.period(str(period)) if period else "no charges",
    }


def search() -> None:
    """A field for a name or an id, and what has it."""
    text = st.text_input(
        "Search",
        key="search",
        max_chars=100,
        placeholder="organization, cost center, unit, product, invoice, subscription or line id",
    )
    if text.strip():
        query = overview.search(viewer, text, selection, columns_of("unit_members") is not None)
        show(
            "Found",
            query,
            empty=f"Nothing has {text.strip()!r} in its name or id. A line is found by at least"
            f" {overview.SHORTEST_LINE_ID} characters of the beginning of its id.",
            prepare=prepared,
            links=found,
        )


heading(wording.period(here.period), f"Charges of {here.owner}")
search()
money_cards()
if words := converted_total(selection):
    st.html(words)
show_notices()
twelve_months()
movers()
stakes()
largest()
