"""Trend: what was billed month by month, and what is expected next."""

from dataclasses import replace

import streamlit as st

from app import drawing, figures
from app.screen import ALL, ask, columns_of, heading, looking, nothing, pick, show
from dagster_project import wording

here = looking()
viewer = here.viewer
MEASURES = dict(viewer.measures)

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
query = figures.months(viewer, selection)
billed = ask(query)
forecast_columns = None if measure != "total_cost" else columns_of("cost_forecast")
forecast = figures.forecast(selection, list(forecast_columns or ()))
expected = ask(forecast) if forecast_columns else []
st.vega_lite_chart(
    drawing.months(billed, measure, currency, expected),
    width="stretch",
    theme=None,
    alt=drawing.described(billed, measure, currency),
)
if expected:
    st.caption(
        "Bars: billed. Dashed line: expected."
        + (
            " The bands hold the cost in 80 and 95 of 100 cases."
            if selection.cost_center_id
            else " Bands are told per cost center: those of several cannot be added up."
        )
    )
show(
    "Month by month",
    query,
    empty="Nothing was billed.",
    prepare=lambda row: {**row, "billing_period": wording.period(str(row["billing_period"]))},
)
if measure == "total_cost":
    st.subheader("What is expected", anchor=False)
    if expected:
        show(
            "Forecast",
            forecast,
            empty="",
            prepare=lambda row: {**row, "month": wording.period(str(row["month"]))},
        )
    elif viewer.is_customer:
        pass
    else:
        nothing("No forecast is published: it needs a few months of bills.")
