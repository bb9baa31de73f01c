"""Chargeback: from organization to cost center, product, billing line and its explanation."""

from dataclasses import replace
from decimal import Decimal
from html import escape
from typing import Literal, cast

import streamlit as st

from app import markup
from app.queries import charges, lines, pickers
from app.queries.pickers import ChargebackView
from app.queries.query import Column, Row, Selection
from app.screen import (
    ALL,
    ask,
    columns_of,
    converted_total,
    heading,
    page_context,
    pick,
    problem,
    remember_in_address,
    show,
    unpriced_notices,
)
from dagster_project import wording
from dagster_project.records import LONGEST_NAME, one_line

here = page_context()
viewer = here.viewer
VIEWS = {
    "chargeback": "As billed",
    "chargeback_as_corrected": "As corrected",
}
VIEW_HELP = (
    "As billed: corrections count in the period that billed them."
    " As corrected: corrections count in the period they correct."
)


def overview() -> None:
    """Totals of the selection; for a product, a subscription or an invoice, its billing lines."""
    selection = here.selection
    center_names: dict[str, str] = {}
    picks = st.columns(3 if here.organization_id else [1, 2])
    with picks[0]:
        view = cast(ChargebackView, pick("Figures", "view", VIEWS, help=VIEW_HELP, stays=True))
    if here.organization_id:
        center_names = {
            str(row["cost_center_id"]): str(row["cost_center_name"])
            for row in ask(pickers.cost_centers(selection, view))
        }
        with picks[1]:
            center = pick("Cost center", "cost_center", {ALL: "All cost centers", **center_names})
        selection = replace(selection, cost_center_id=center or None)
        products = [
            str(row["product_name"])
            for row in ask(charges.totals_by(viewer, selection, "product", view))
        ]
        with picks[2]:
            product = pick(
                "Product",
                "product",
                {ALL: "All products", **{name: name for name in dict.fromkeys(products)}},
            )
        selection = replace(selection, product_name=product or None)
    selection = narrowed(selection)
    st.html(markup.trail(steps(selection, center_names)))
    if selection.product_name or selection.subscription_id or selection.invoice_number:
        show_lines(selection, view)
    elif selection.cost_center_id:
        show_totals(selection, "product", view)
        show_shared_costs(selection, view)
    elif selection.organization_id:
        show_totals(selection, "cost_center", view)
        st.subheader("By product", anchor=False)
        show_totals(selection, "product", view)
    else:
        show_totals(selection, "organization", view)
    is_whole = not (selection.product_name or selection.subscription_id or selection.invoice_number)
    if is_whole and view == "chargeback" and (words := converted_total(selection)):
        st.html(words)
    notices = unpriced_notices(selection, is_corrected=view == "chargeback_as_corrected")
    if notices:
        st.html("".join(notices))
    st.caption(
        "Amounts are rounded for display; parts may differ from their total by a rounding unit."
        " Downloaded files have all decimals."
    )


def narrowed(selection: Selection) -> Selection:
    """The selection, of the subscription and the invoice that the address names."""
    whole = Selection(organization_id=here.organization_id)
    for name, field in (("subscription", "subscription_id"), ("invoice", "invoice_number")):
        asked = st.query_params.get(name)
        if asked and ask(lines.periods(replace(whole, **{field: asked})), 1):
            selection = replace(selection, **{field: asked})
        elif asked:
            words = f"No billing line has the {name} {one_line(asked, LONGEST_NAME)}; showing all."
            st.html(markup.notice(escape(words), "warn"))
            remember_in_address(name, None)
    return selection


def address(selection: Selection, **more: str | None) -> dict[str, str | None]:
    """The parameters of a link to a selection of this page."""
    view = str(st.session_state.get("view", "chargeback"))
    return {
        "period": selection.period,
        "organization": None if viewer.is_customer else selection.organization_id,
        "cost_center": selection.cost_center_id,
        "product": selection.product_name,
        "subscription": selection.subscription_id,
        "invoice": selection.invoice_number,
        "view": None if view == "chargeback" else view,
        **more,
    }


def steps(selection: Selection, center_names: dict[str, str]) -> list[str]:
    """The path from all organizations to the selection; all steps but the last are links."""
    way: list[tuple[str, Selection]] = []
    if not viewer.is_customer:
        way.append(("All organizations", Selection(here.period)))
    if selection.organization_id:
        whole = Selection(here.period, selection.organization_id)
        way.append((here.owner, whole))
        if selection.cost_center_id:
            name = center_names.get(selection.cost_center_id, selection.cost_center_id)
            way.append((name, replace(whole, cost_center_id=selection.cost_center_id)))
        if selection.product_name:
            product = replace(selection, subscription_id=None, invoice_number=None)
            way.append((selection.product_name, product))
    if selection.subscription_id:
        subscription = replace(selection, invoice_number=None)
        way.append((f"Subscription {selection.subscription_id}", subscription))
    if selection.invoice_number:
        way.append((f"Invoice {selection.invoice_number}", selection))
    return [
        escape(words)
        if here_is == selection and i == len(way) - 1
        else markup.link(words, "chargeback", **address(here_is))
        for i, (words, here_is) in enumerate(way)
    ]


def show_totals(
    selection: Selection,
    by: Literal["organization", "cost_center", "product"],
    view: ChargebackView,
) -> None:
    """A table of totals; each name leads one level down."""

    def links(row: Row) -> dict[str, str]:
        if by == "product":
            product = str(row["product_name"])
            to = address(replace(selection, product_name=product))
            return {"product_name": markup.link(product, "chargeback", **to)}
        key = str(row[f"{by}_id"])
        to = address(replace(selection, **{f"{by}_id": key}))
        return {f"{by}_name": markup.link(str(row[f"{by}_name"]), "chargeback", **to)}

    # Shared costs move between cost centers: the total of an organization does not change.
    is_shared = (by == "cost_center" or bool(selection.cost_center_id)) and has_shared_costs(
        selection, view
    )
    show(
        {"organization": "By organization", "cost_center": "By cost center"}.get(by, "By product"),
        charges.totals_by(viewer, selection, by, view, is_shared),
        empty="No charges in this period.",
        totals=ask(charges.totals(viewer, selection, view, is_shared)),
        links=links,
        bars_on=charges.measures(viewer, view)[0][0],
    )


def has_shared_costs(selection: Selection, view: ChargebackView) -> bool:
    """Whether the selection received or passed on shared costs."""
    return (
        view == "chargeback"
        and columns_of("shared_costs") is not None
        and bool(ask(charges.shared_costs(viewer, selection), 1))
    )


def show_shared_costs(selection: Selection, view: ChargebackView) -> None:
    """Shared costs that the cost center received and passed on."""
    if has_shared_costs(selection, view):
        st.subheader("Shared costs", anchor=False)
        show("Shared costs", charges.shared_costs(viewer, selection), empty="")


def show_lines(selection: Selection, view: ChargebackView) -> None:
    """The billing lines of a product, a subscription or an invoice; each leads to its split."""
    query = lines.billing_lines(viewer, selection, is_corrected=view == "chargeback_as_corrected")
    query = query.without("product_name") if selection.product_name else query

    def links(row: Row) -> dict[str, str]:
        to = address(selection, line=str(row["line_id"]), billed=str(row["billing_period"]))
        code = str(row["charge_code"])
        # A correction says so after its type.
        words = wording.charge_type(code, str(row["charge_kind"]))
        words += str(row["charge_type"]).removeprefix(code)
        return {"charge_type": markup.link(words, "chargeback", **to)}

    show(
        "Billing lines",
        query.without("cost_center_name") if selection.cost_center_id else query,
        empty=f"No billing lines in {wording.period(here.period)}.",
        totals=ask(lines.totals(viewer, selection, view == "chargeback_as_corrected")),
        links=links,
    )
    st.html('<p class="under">Select a charge to see its split and the explanation.</p>')


def show_line(line_id: str) -> None:
    """One billing line: its facts, its split, and the arithmetic in sentences."""
    remember_in_address("line", line_id)
    periods = [str(row["billing_period"]) for row in ask(lines.periods_of_line(line_id))]
    asked = st.query_params.get("billed")
    period = asked if asked in periods else next(iter(periods), None)
    rows = ask(lines.billing_line(viewer, line_id, period)) if period else []
    if not rows:
        problem("This billing line is not published.")
        return
    query = lines.billing_line(viewer, line_id, str(period))
    first = rows[0]
    back = Selection(
        here.period,
        here.organization_id,
        st.query_params.get("cost_center"),
        st.query_params.get("product"),
        subscription_id=st.query_params.get("subscription"),
        invoice_number=st.query_params.get("invoice"),
    )
    st.html(
        markup.trail(
            [
                markup.link("Back to the billing lines", "chargeback", **address(back)),
                escape(f"{first['product_name']}, {first['charge_type']}"),
            ]
        )
    )
    facts = [
        ("Organization", str(first["organization_name"])),
        ("Product", str(first["product_name"])),
        ("Subscription", str(first["subscription_id"])),
        ("Charge period", f"{markup.value(first, FROM)} to {markup.value(first, TO)}"),
        ("Billing date", markup.value(first, BILLED)),
        ("Split in force since (UTC)", markup.value(first, SPLIT)),
        ("Split basis", wording.sentence(wording.split_reason(str(first["split_reason"])))),
    ]
    if not viewer.is_customer and first["billing_line_details"]:
        facts.append(("Billing line details", str(first["billing_line_details"])))
    if first["charge_class"]:
        facts.append(("Corrected period", wording.period(str(first["original_billing_period"]))))
    st.html(markup.pairs(facts))
    total: dict[str, object] = {
        "currency": first["currency"],
        "quantity_unit": first["quantity_unit"],
    }
    for name in ("quantity", "share", *(name for name, _ in viewer.line_measures)):
        parts = [row[name] for row in rows]
        known = [part for part in parts if isinstance(part, Decimal)]
        total[name] = sum(known, Decimal()) if len(known) == len(parts) else None
    st.subheader("Split", anchor=False)
    show("Split of the line", query, empty="", totals=[total])
    if first["refund_of_line_id"]:
        charge = markup.link(
            "the refunded charge",
            "chargeback",
            **address(here.selection, line=str(first["refund_of_line_id"])),
        )
        is_known = bool(ask(lines.periods_of_line(str(first["refund_of_line_id"]))))
        refund = f"This is a refund: see {charge}." if is_known else "This is a refund."
        st.html(markup.notice(refund))
    st.subheader("Explanation", anchor=False)
    sentences = [
        f"<b>{escape(str(row['cost_center_name']))}</b>: {escape(str(row['explanation']))}."
        for row in rows
        if row["explanation"]
    ]
    prices = [row.get("price_explanation") for row in rows]
    priced = next((str(price) for price in prices if price), None)
    if priced:
        sentences.append(f"<b>Sales price</b>: {escape(priced)}.")
    st.html("".join(f'<p class="why">{words}</p>' for words in sentences))


FROM = Column("charge_start_date", "From", "day")
TO = Column("charge_end_date", "To", "day")
BILLED = Column("billing_date", "Billed on", "day")
SPLIT = Column("snapshot_effective_at", "Split as of", "instant")

heading("Chargeback", f"{wording.period(here.period)}, {here.owner}")
line_asked = st.query_params.get("line")
if line_asked:
    show_line(line_asked)
else:
    overview()
