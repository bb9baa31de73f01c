"""Trend: what was billed month by month, what is expected next, and how far to trust that."""

from dataclasses import replace
from decimal import Decimal
from html import escape

import streamlit as st

from app import drawing, figures, markup
from app.figures import Row
from app.screen import ALL, ask, columns_of, heading, looking, nothing, pick, show
from dagster_project import wording

here = looking()
viewer = here.viewer
MEASURES = dict(viewer.measures)
if not viewer.is_customer:
    MEASURES[figures.SPREAD_COST] = "Cost by the month it is for"
OF_COST = ("total_cost", figures.SPREAD_COST)


def what_is_expected(query: figures.Query, expected: list[Row]) -> None:
    """The forecast in figures, how it was made, and how earlier ones have done."""
    st.subheader("What is expected", anchor=False)
    if not expected:
        nothing(
            "Nothing is expected, or no price of it is known."
            if measure == "total_sales"
            else "Nothing is expected: no subscription here is charged any more."
        )
        return
    show(
        "Forecast",
        query,
        empty="",
        prepare=lambda row: {**row, "month": wording.short_period(str(row["month"]))},
    )
    if measure == "total_sales":
        return
    methods = dict.fromkeys(wording.forecast_method(str(row["method"])) for row in expected)
    words = [
        *methods,
        "Known is what the bills and splits tell already: owed within the term of a subscription,"
        " likely on its renewal, and usage and taxes as of late.",
    ]
    st.html("".join(markup.said(escape(each)) for each in words))
    if columns_of("forecast_accuracy") is not None:
        how_good_it_was()


def how_good_it_was() -> None:
    """What earlier forecasts said, beside what came of it."""
    st.subheader("How forecasts have done", anchor=False)
    query = figures.forecast_accuracy(selection)
    known = [row for row in ask(query) if row["error_share"] is not None]
    if known:
        st.html(accuracy_said(known[0]))
    show(
        "How forecasts have done",
        query,
        empty="Not known yet: there has to be a month that was forecast and then billed.",
    )
    st.caption(
        "Each forecast of a cost center for a month gone by, made again from what was billed by"
        " then. What comes out too high in one is partly too low in another, so sums are closer."
    )


def accuracy_said(row: Row) -> str:
    """How forecasts so many months ahead have done, in a sentence."""
    shares = {name: row[f"{name}_share"] for name in ("error", "within_80", "within_95")}
    error, within_80, within_95 = (
        wording.percent(share if isinstance(share, Decimal) else None) for share in shares.values()
    )
    ahead = wording.counted(int(str(row["months_ahead"])), "month")
    return markup.said(
        f"{ahead} ahead, forecasts of cost centers were off by {error} of what came."
        f" {within_80} were within the 80 % band, {within_95} within the 95 % band."
    )


def caption(is_of_both: bool) -> str:
    """What the chart shows, in words."""
    words = ["Bars: " + ("by the month." if measure == figures.SPREAD_COST else "billed.")]
    if expected:
        words.append("Dashed line: expected, each amount in the month it is for.")
    if expected and measure in OF_COST:
        words.append("The bands are to hold the cost in 80 and 95 of 100 cases.")
    if is_of_both:
        words.append("A month with both is not billed in full yet.")
    return " ".join(words)


heading("Trend", f"Month by month, {here.whose}")
selection = replace(here.selection, period=None)
found = [str(row["currency"]) for row in ask(figures.currencies(selection))]
picks = iter(st.columns(3))
measure = viewer.measures[0][0]
if len(MEASURES) > 1:
    with next(picks):
        measure = pick("Figure", "measure", MEASURES)
if here.organization_id:
    with next(picks):
        centers = {
            str(row["cost_center_id"]): str(row["cost_center_name"])
            for row in ask(figures.cost_centers(selection))
        }
        center = pick("Cost center", "cost_center", {ALL: "All cost centers", **centers})
    selection = replace(selection, cost_center_id=center or None)
    found = [str(row["currency"]) for row in ask(figures.currencies(selection))]
currency = found[0]
if len(found) > 1:
    with next(picks):
        currency = pick("Currency", "currency", {name: name for name in found})
selection = replace(selection, currency=currency)
is_spread = measure == figures.SPREAD_COST
query = figures.spread_months(selection) if is_spread else figures.months(viewer, selection)
billed = ask(query)
forecast = None
if measure in OF_COST and columns_of("cost_forecast_summary") is not None:
    forecast = figures.forecast(selection)
elif measure == "total_sales" and columns_of("cost_forecast") is not None:
    forecast = figures.sales_forecast(selection, MEASURES[measure])
expected = ask(forecast) if forecast else []
if not any(row["forecast"] for row in expected):
    expected = []
st.vega_lite_chart(
    drawing.months(billed, measure, currency, expected),
    width="stretch",
    theme=None,
    alt=drawing.described(billed, measure, currency, expected),
)
both = {row["billing_period"] for row in billed} & {row["month"] for row in expected}
st.caption(caption(is_of_both=bool(both)))
show(
    "Month by month",
    query,
    empty="Nothing was billed.",
    prepare=lambda row: {**row, "billing_period": wording.period(str(row["billing_period"]))},
)
if forecast:
    what_is_expected(forecast, expected)
