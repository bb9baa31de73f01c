"""By unit: amounts, budgets and licenses of business units, locations, charge codes and parents."""

import streamlit as st

from app import drawing, markup
from app.queries import units
from app.queries.query import Row
from app.screen import ALL, ask, columns_of, heading, nothing, page_context, pick, show
from dagster_project import wording

here = page_context()
viewer = here.viewer


def links(row: Row) -> dict[str, str]:
    """The name of a unit leads to its cost centers."""
    return {
        "unit_name": markup.link(
            str(row["unit_name"]),
            "by_unit",
            period=here.period,
            organization=str(row["organization_id"]),
            kind=kind,
            unit=str(row["unit_id"]),
        )
    }


def show_units() -> None:
    """The units with their amounts, and their sum."""
    query = units.charges(here.selection, kind)
    rows = ask(query)
    if here.organization_id:
        query = query.without("organization_name")
    if all(row["budget"] is None for row in rows):
        query = query.without("budget", "charged_against_budget", "budget_variance")
    show(
        f"By {units.KINDS[kind].lower()}",
        query,
        empty=f"No charges of {here.owner} for {wording.period(here.period)}.",
        totals=ask(units.totals(here.selection, kind)),
        links=links,
        bars_on="charged_amount",
    )
    words = "Units are those of the current list of cost centers. (none): cost centers without one."
    if viewer.cost_center_ids is not None:
        words += " Amounts are those of your cost centers in the unit."
    if kind == "parent":
        words += " A parent entity has its own amount and those of all cost centers below it."
    st.caption(words)


def show_one_unit() -> None:
    """The cost centers and the quantities of the chosen unit."""
    found = {
        str(row["unit_id"]): str(row["unit_name"]) for row in ask(units.units(here.selection, kind))
    }
    unit = pick(units.KINDS[kind], "unit", {ALL: "Choose to see its cost centers", **found})
    if unit == ALL:
        return
    show(
        "Cost centers",
        units.cost_centers(viewer, here.selection, kind, unit),
        empty="No charges.",
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
    chart(unit, found[unit])
    show(
        "By month",
        units.months(here.selection, kind, unit),
        empty="No charges.",
        prepare=lambda row: {
            **row,
            "billing_period": wording.period(str(row["billing_period"])),
        },
    )
    show(
        "Quantities",
        units.quantities(here.selection, kind, unit),
        empty="No quantities.",
    )


def chart(unit: str, name: str) -> None:
    """The months of a unit as bars, a chart per currency."""
    rows = ask(units.months(here.selection, kind, unit))[::-1]
    for currency in dict.fromkeys(str(row["currency"]) for row in rows):
        own = [row for row in rows if row["currency"] == currency]
        st.subheader(f"{name} by month, {currency}", anchor=False)
        st.vega_lite_chart(
            drawing.months(own, "charged_amount", currency),
            width="stretch",
            theme=None,
            alt=drawing.described(own, "charged_amount", currency),
        )


def show_licenses() -> None:
    """Licenses in use beyond the allotment of a unit, and the pending queue."""
    st.subheader("Licenses", anchor=False)
    licenses = units.licenses(here.selection, kind)
    queue = units.queue(viewer, here.selection)
    if here.organization_id:
        licenses = licenses.without("organization_name")
        queue = queue.without("organization_name")
    show(
        "Licenses by unit",
        licenses,
        empty="Licenses in use are unknown: no directory counts them.",
    )
    st.subheader("Pending queue", anchor=False)
    show("Pending queue", queue, empty="No licenses wait for a user or for an allotment.")


heading("By unit", f"{wording.period(here.period)}, {here.owner}")
if columns_of("unit_charges") is None:
    nothing("These results are of an earlier version of Apportion. Run make run.")
else:
    kind = pick("Unit", "kind", units.KINDS, stays=True)
    show_units()
    if here.organization_id:
        show_one_unit()
    show_licenses()
