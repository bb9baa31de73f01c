"""Chargeback: from organization over cost center and product down to a line and why it is so."""

from dataclasses import replace
from decimal import Decimal
from html import escape
from typing import Literal, cast

import streamlit as st

from app import figures, markup
from app.figures import ChargebackView, Row, Selection
from app.screen import (
    ALL,
    ask,
    columns_of,
    heading,
    looking,
    pick,
    problem,
    remember_in_address,
    show,
    unpriced_said,
)
from dagster_project import wording

here = looking()
viewer = here.viewer
VIEWS = {
    "chargeback": "As billed",
    "chargeback_as_corrected": "As corrected",
}
VIEW_HELP = (
    "As billed: corrections stand in the period in which they were billed."
    " As corrected: in the period that they correct."
)


def overview() -> None:
    """Sums of what is picked, and below a cost center's product its lines."""
    selection = here.selection
    center_names: dict[str, str] = {}
    picks = st.columns(3 if here.organization_id else [1, 2])
    with picks[0]:
        view = cast(ChargebackView, pick("Figures", "view", VIEWS, help=VIEW_HELP))
    if here.organization_id:
        center_names = {
            str(row["cost_center_id"]): str(row["cost_center_name"])
            for row in ask(figures.cost_centers(selection, view))
        }
        with picks[1]:
            center = pick("Cost center", "cost_center", {ALL: "All cost centers", **center_names})
        selection = replace(selection, cost_center_id=center or None)
        products = [
            str(row["product_name"])
            for row in ask(figures.charged(viewer, selection, "product", view))
        ]
        with picks[2]:
            product = pick(
                "Product",
                "product",
                {ALL: "All products", **{name: name for name in dict.fromkeys(products)}},
            )
        selection = replace(selection, product_name=product or None)
    st.html(markup.trail(steps(selection, center_names)))
    if selection.product_name:
        lines(selection, view)
    elif selection.cost_center_id:
        sums(selection, "product", view)
        shared(selection, view)
    elif selection.organization_id:
        sums(selection, "cost_center", view)
        st.subheader("By product", anchor=False)
        sums(selection, "product", view)
    else:
        sums(selection, "organization", view)
    left_out = unpriced_said(selection, is_corrected=view == "chargeback_as_corrected")
    if left_out:
        st.html("".join(left_out))
    st.caption(
        "Amounts are shown rounded, so parts can miss their total by a cent."
        " Downloaded files have every decimal."
    )


def address(selection: Selection, **more: str | None) -> dict[str, str | None]:
    """What a link has to say to lead to a selection of this page."""
    view = str(st.session_state.get("view", "chargeback"))
    return {
        "period": selection.period,
        "organization": None if viewer.is_customer else selection.organization_id,
        "cost_center": selection.cost_center_id,
        "product": selection.product_name,
        "view": None if view == "chargeback" else view,
        **more,
    }


def steps(selection: Selection, center_names: dict[str, str]) -> list[str]:
    """The way from all organizations to what is picked; all but the last are links."""
    way: list[tuple[str, Selection]] = []
    if not viewer.is_customer:
        way.append(("All organizations", Selection(here.period)))
    if selection.organization_id:
        whole = Selection(here.period, selection.organization_id)
        way.append((here.whose, whole))
        if selection.cost_center_id:
            name = center_names.get(selection.cost_center_id, selection.cost_center_id)
            way.append((name, replace(whole, cost_center_id=selection.cost_center_id)))
        if selection.product_name:
            way.append((selection.product_name, selection))
    return [
        escape(words)
        if here_is == selection and i == len(way) - 1
        else markup.link(words, "chargeback", **address(here_is))
        for i, (words, here_is) in enumerate(way)
    ]


def sums(
    selection: Selection,
    by: Literal["organization", "cost_center", "product"],
    view: ChargebackView,
) -> None:
    """A table of sums; the names lead one step further down."""

    def links(row: Row) -> dict[str, str]:
        if by == "product":
            # Lines are an organization's; of all of them the table would have no end.
            product = str(row["product_name"])
            to = address(replace(selection, product_name=product))
            return {"product_name": markup.link(product, "chargeback", **to)}
        key = str(row[f"{by}_id"])
        to = address(replace(selection, **{f"{by}_id": key}))
        return {f"{by}_name": markup.link(str(row[f"{by}_name"]), "chargeback", **to)}

    # Passing on moves money between cost centers: of a whole organization nothing changes.
    is_shared = (by == "cost_center" or bool(selection.cost_center_id)) and is_passed_on(
        selection, view
    )
    show(
        {"organization": "By organization", "cost_center": "By cost center"}.get(by, "By product"),
        figures.charged(viewer, selection, by, view, is_shared),
        empty="Nothing was billed here in this period.",
        totals=ask(figures.totals(viewer, selection, view, is_shared)),
        links=links,
        bars_on=viewer.measures[0][0],
    )


def is_passed_on(selection: Selection, view: ChargebackView) -> bool:
    """Whether anything of the selection is a shared cost that was passed on."""
    return (
        view == "chargeback"
        and columns_of("shared_costs") is not None
        and bool(ask(figures.shared(viewer, selection), 1))
    )


def shared(selection: Selection, view: ChargebackView) -> None:
    """What the cost center received of shared costs and what it passed on."""
    if is_passed_on(selection, view):
        st.subheader("Shared costs", anchor=False)
        show("Shared costs", figures.shared(viewer, selection), empty="")


def lines(selection: Selection, view: ChargebackView) -> None:
    """The lines of a product, each with a link to how it was split."""
    query = figures.lines(viewer, selection, is_corrected=view == "chargeback_as_corrected")

    def links(row: Row) -> dict[str, str]:
        to = address(selection, line=str(row["line_id"]), billed=str(row["billing_period"]))
        return {"charge_type": markup.link(str(row["charge_type"]), "chargeback", **to)}

    show(
        "Lines",
        query.without("cost_center_name") if selection.cost_center_id else query,
        empty="No line of the bill is here in this period.",
        totals=ask(figures.totals(viewer, selection, view)),
        links=links,
    )
    st.html('<p class="under">Open a charge to see how it was split and why.</p>')


def one_line(line_id: str) -> None:
    """One line of the bill: what it is, how it was split, the arithmetic in sentences."""
    remember_in_address("line", line_id)
    periods = [str(row["billing_period"]) for row in ask(figures.period_of_line(line_id))]
    asked = st.query_params.get("billed")
    period = asked if asked in periods else next(iter(periods), None)
    rows = ask(figures.line(viewer, line_id, period)) if period else []
    if not rows:
        problem("No such line is published.")
        return
    query = figures.line(viewer, line_id, str(period))
    first = rows[0]
    back = Selection(
        here.period,
        here.organization_id,
        st.query_params.get("cost_center"),
        st.query_params.get("product"),
    )
    st.html(
        markup.trail(
            [
                markup.link("Back to the lines", "chargeback", **address(back)),
                escape(f"{first['product_name']}, {first['charge_type']}"),
            ]
        )
    )
    facts = [
        ("Organization", str(first["organization_name"])),
        ("Product", str(first["product_name"])),
        ("Subscription", str(first["subscription_id"])),
        ("Charged for", f"{markup.value(first, FROM)} to {markup.value(first, TO)}"),
        ("Billed on", markup.value(first, BILLED)),
        ("Split as of (UTC)", markup.value(first, SPLIT)),
        ("Which split applies", wording.sentence(wording.split_reason(str(first["split_reason"])))),
    ]
    if not viewer.is_customer and first["billing_line_details"]:
        facts.append(("On the bill", str(first["billing_line_details"])))
    if first["charge_class"]:
        facts.append(("Corrects", wording.period(str(first["original_billing_period"]))))
    st.html(markup.pairs(facts))
    total: dict[str, object] = {"currency": first["currency"]}
    for name in ("quantity", "share", *(name for name, _ in viewer.measures)):
        parts = [row[name] for row in rows]
        known = [part for part in parts if isinstance(part, Decimal)]
        total[name] = sum(known, Decimal()) if len(known) == len(parts) else None
    st.subheader("How it was split", anchor=False)
    show("How the line was split", query, empty="", totals=[total])
    if first["refund_of_line_id"]:
        charge = markup.link(
            "the charge it gives back",
            "chargeback",
            **address(here.selection, line=str(first["refund_of_line_id"])),
        )
        is_known = bool(ask(figures.period_of_line(str(first["refund_of_line_id"]))))
        told = f"This is a refund: see {charge}." if is_known else "This is a refund."
        st.html(markup.said(told))
    if viewer.is_customer:
        return
    st.subheader("Why", anchor=False)
    said = [
        f"<b>{escape(str(row['cost_center_name']))}</b>: {escape(str(row['explanation']))}."
        for row in rows
    ]
    priced = next((str(row["price_explanation"]) for row in rows if row["price_explanation"]), None)
    if priced:
        said.append(f"<b>Sales price</b>: {escape(priced)}.")
    st.html("".join(f'<p class="why">{words}</p>' for words in said))


FROM = figures.Column("charge_start_date", "From", "day")
TO = figures.Column("charge_end_date", "To", "day")
BILLED = figures.Column("billing_date", "Billed on", "day")
SPLIT = figures.Column("snapshot_effective_at", "Split as of", "instant")

heading("Chargeback", f"{wording.period(here.period)}, {here.whose}")
line_asked = st.query_params.get("line")
if line_asked:
    one_line(line_asked)
else:
    overview()
