"""Trend: amounts per month, the forecast, and the accuracy of past forecasts."""

from dataclasses import replace
from decimal import Decimal
from html import escape
from typing import cast

import streamlit as st

from app import drawing, markup
from app.queries import pickers, trend
from app.queries.query import Query, Row
from app.screen import ALL, ask, columns_of, heading, nothing, page_context, pick, show
from dagster_project import wording

here = page_context()
viewer = here.viewer
MEASURES = dict(viewer.measures)
if not viewer.is_customer:
    MEASURES[trend.AMORTIZED_COST] = "Amortized cost"
COST_MEASURES = ("total_cost", trend.AMORTIZED_COST)
CHARGED = viewer.measures[0][0]
MONTHS_SHOWN = 12


def show_by(by: trend.By, title: str) -> None:
    """Amounts per month by organization, cost center or product: a chart and a table."""
    st.subheader(f"{title} per month by {trend.DIMENSIONS[by].lower()}", anchor=False)
    rows = ask(trend.months_by(selection, by, measure))
    if not rows:
        nothing("No amounts.")
        return
    st.vega_lite_chart(
        drawing.stacked_months(rows, currency, trend.DIMENSIONS[by], f"{currency}, {how_billed}"),
        width="stretch",
        theme=None,
        alt=drawing.stacked_described(rows, currency),
    )
    periods = sorted({str(row["billing_period"]) for row in rows})
    shown = tuple(periods[-MONTHS_SHOWN:])
    words = f"{title} in {currency}" + ("." if is_amortized else ", as billed.")
    words += f" The chart names the {trend.MOST_SERIES} largest; the table has all of them"
    words += f", for the last {MONTHS_SHOWN} months." if len(periods) > MONTHS_SHOWN else "."
    st.caption(words)

    def links(row: Row) -> dict[str, str]:
        if by == "product":
            return {}
        center = str(row["cost_center_id"]) if by == "cost_center" else None
        own = None if viewer.is_customer else str(row["organization_id"])
        to = {"period": here.period, "organization": own, "cost_center": center}
        to |= {"measure": None if measure == CHARGED else measure, "currency": currency}
        return {"name": markup.link(str(row["name"]), "trend", **to)}

    show(
        f"{title} by {trend.DIMENSIONS[by].lower()}",
        trend.by_month(selection, by, measure, shown),
        empty="No amounts.",
        totals=ask(trend.month_totals(selection, measure, shown)),
        links=links,
    )


def show_forecast(query: Query, future: list[Row]) -> None:
    """The forecast, its method, and the accuracy of past forecasts."""
    st.subheader("Forecast", anchor=False)
    if not future:
        nothing(
            "No forecast: no future charges, or no sales price."
            if basis == "sales"
            else "No forecast: no subscription has future charges."
        )
        return
    show(
        "Forecast",
        query,
        empty="",
        prepare=lambda row: {**row, "month": wording.period(str(row["month"]))},
    )
    if basis == "sales":
        return
    methods = dict.fromkeys(wording.forecast_method(str(row["method"])) for row in future)
    words = [
        *methods,
        "Committed: charges already owed under current terms. Renewals: charges after the term"
        " ends, by the organization's renewal rate. Usage: usage and taxes. Seat changes: expected"
        " growth or decline of the known charges.",
    ]
    st.html("".join(markup.notice(escape(each)) for each in words))
    if columns_of("forecast_accuracy") is not None:
        show_accuracy()


def show_accuracy() -> None:
    """Past forecasts compared with actuals."""
    st.subheader("Forecast accuracy", anchor=False)
    query = trend.forecast_accuracy(selection)
    evaluated = [row for row in ask(query) if row["error_share"] is not None]
    if evaluated:
        st.html(accuracy_notice(evaluated[0]))
    show(
        "Forecast accuracy",
        query,
        empty="Not available yet: no forecast month has been billed.",
    )
    st.caption(
        "Forecasts of past months, repeated with the bills known at that time. Errors of single"
        " cost centers partly cancel out; totals are more accurate."
    )


def accuracy_notice(row: Row) -> str:
    """The accuracy of forecasts a number of months ahead, in a sentence."""
    shares = {name: row[f"{name}_share"] for name in ("error", "within_80", "within_95")}
    error, within_80, within_95 = (
        wording.percent(share if isinstance(share, Decimal) else None) for share in shares.values()
    )
    ahead = wording.counted(int(str(row["months_ahead"])), "month")
    return markup.notice(
        f"{ahead} ahead, forecasts of cost centers differed from actuals by {error}."
        f" {within_80} of the actuals were within the 80 % band, {within_95} within the 95 % band."
    )


def caption(has_partial_months: bool) -> str:
    """A description of the chart."""
    billed_words = {
        trend.AMORTIZED_COST: "amortized.",
        CHARGED: "charged, as billed, after shared costs.",
    }
    words = ["Bars: " + billed_words.get(measure, "billed.")]
    if future:
        what = "forecast" if viewer.is_customer else f"forecast {basis}"
        words.append(f"Dashed line: {what}, amortized, before shared costs.")
    if future and basis == "cost":
        words.append("Stacked bars: the parts of the forecast.")
        words.append("The bands are expected to contain the actual cost in 80 % and 95 % of cases.")
    if has_partial_months:
        words.append("A month with a bar and a forecast is not fully billed yet.")
    return " ".join(words)


heading("Trend", f"Amounts per month, {here.owner}")
selection = replace(here.selection, period=None)
found = [str(row["currency"]) for row in ask(pickers.currencies(selection))]
picks = iter(st.columns(4))
measure = CHARGED
if len(MEASURES) > 1:
    with next(picks):
        measure = pick("Measure", "measure", MEASURES, stays=True)
if here.organization_id:
    with next(picks):
        centers = {
            str(row["cost_center_id"]): str(row["cost_center_name"])
            for row in ask(pickers.cost_centers(selection))
        }
        center = pick("Cost center", "cost_center", {ALL: "All cost centers", **centers})
    selection = replace(selection, cost_center_id=center or None)
    found = [str(row["currency"]) for row in ask(pickers.currencies(selection))]
currency = found[0]
if len(found) > 1:
    with next(picks):
        currency = pick("Currency", "currency", {name: name for name in found})
selection = replace(selection, currency=currency)
levels = [
    (name, title)
    for name, title in trend.DIMENSIONS.items()
    if not (name == "organization" and here.organization_id)
    and not (name == "cost_center" and selection.cost_center_id)
]
with next(picks):
    by = cast(trend.By, pick("By", "by", {name: f"By {title.lower()}" for name, title in levels}))
is_amortized = measure == trend.AMORTIZED_COST
query = trend.months_amortized(selection) if is_amortized else trend.months(viewer, selection)
billed = ask(query)
# Charged amounts continue with the forecast of their basis, if all of them have the same.
basis = "sales" if measure == "total_sales" else "cost" if measure in COST_MEASURES else None
if measure == CHARGED:
    found_bases = [] if viewer.is_customer else ask(trend.bases(selection))
    bases = [str(row["amount_basis"]) for row in found_bases] or ["sales"]
    basis = bases[0] if len(bases) == 1 else None
forecast = None
if basis == "cost" and not viewer.is_customer and columns_of("cost_forecast_summary") is not None:
    forecast = trend.forecast(selection)
elif basis == "sales" and columns_of("cost_forecast") is not None:
    forecast = trend.sales_forecast(selection, dict(viewer.line_measures)["total_sales"])
future = ask(forecast) if forecast else []
if not any(row["forecast"] for row in future):
    future = []
how_billed = "amortized" if is_amortized else "as billed"
axis = f"bars {how_billed}, forecast amortized" if future and not is_amortized else how_billed
st.vega_lite_chart(
    drawing.months(billed, measure, currency, future, f"{currency}, {axis}"),
    width="stretch",
    theme=None,
    alt=drawing.described(billed, measure, currency, future),
)
partial = {row["billing_period"] for row in billed} & {row["month"] for row in future}
st.caption(caption(has_partial_months=bool(partial)))
show(
    "Amounts per month",
    query,
    empty="No charges.",
    prepare=lambda row: {**row, "billing_period": wording.period(str(row["billing_period"]))},
)
show_by(by, MEASURES[measure])
if forecast:
    show_forecast(forecast, future)
