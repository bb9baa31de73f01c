"""Charts, as Vega-Lite specifications.

Belongs here: marks, axes, colors. Does not: Streamlit, queries. Positions on a screen are binary
floats; exact amounts are in the labels and in the table next to every chart.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from app.queries.query import Row
from app.queries.trend import BANDS, PARTS
from dagster_project import wording

Chart = dict[str, object]

COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#7b68c4")
"""Distinguishable with any color vision (Okabe and Ito 2008, "Color Universal Design"), on a white
and on a dark ground. Streamlit gives text and lines of a chart the colors of its theme."""

OTHERS = "Others"
OTHERS_COLOR = "#5d6b78"
BILLED = "#2a74b0"
FORECAST = "#b35c00"
MANUAL = "#7d5ba6"
SHORTEST_SPLIT = timedelta(days=14)
"""The width at which a split that starts after the last billing period is drawn."""

_FONT = "Source Sans, sans-serif"
_CONFIG: Chart = {
    "font": _FONT,
    "axis": {
        "labelFontSize": 13,
        "titleFontSize": 13,
    },
    "legend": {
        "labelFontSize": 13,
        "titleFontSize": 13,
        "labelLimit": 260,
    },
    "view": {"stroke": None},
}


def _config() -> Chart:
    """The fonts of a chart, and the separators of numbers on its axes."""
    separators = wording.separators()
    if separators is None:
        return _CONFIG
    decimal, thousands, (last, others) = separators
    # Vega repeats a list of sizes from its start: further groups are those of numbers below 10^21.
    grouping = [last, *[others] * 9]
    number = {"decimal": decimal, "thousands": thousands, "grouping": grouping}
    return {**_CONFIG, "locale": {"number": {**number, "currency": ["", ""]}}}


# The menu of Vega links to other hosts.
_USERMETA = {"embedOptions": {"actions": False}}


def months(
    rows: Sequence[Row],
    measure: str,
    currency: str,
    forecast: Sequence[Row] = (),
    axis: str | None = None,
) -> Chart:
    """Bars of billed amounts; the forecast as stacked parts, with a dashed line and bands.

    `axis` is the title of the axis of amounts; without it, the currency.
    """
    axis = axis or currency
    billed = [
        {
            "month": wording.short_period(str(row["billing_period"])),
            "amount": _float(row[measure]),
            "label": wording.money(_decimal(row[measure]), currency),
        }
        for row in rows
    ]
    future = [
        {
            "month": wording.short_period(str(row["month"])),
            "label": "",
            "amount": _float(row["forecast"]),
        }
        | {band: _float(row.get(band)) for band in BANDS}
        | {"label": f"forecast {wording.money(_decimal(row['forecast']), currency)}"}
        for row in forecast
    ]
    month = {
        "field": "month",
        "type": "ordinal",
        "title": None,
        "sort": None,
        "scale": {"domain": _every_month(rows, forecast)},
        "axis": {"labelAngle": 0, "labelOverlap": True},
    }
    amount = {
        "field": "amount",
        "type": "quantitative",
        "title": axis,
        "axis": {"format": ",.0f", "tickCount": 5},
    }
    tooltip = [{"field": "month", "title": "Month"}, {"field": "label", "title": "Amount"}]
    layers: list[Chart] = [
        {
            "data": {"values": billed},
            "mark": {"type": "bar", "color": BILLED, "width": {"band": 0.6}},
            "encoding": {"x": month, "y": amount, "tooltip": tooltip},
        }
    ]
    parts = [
        {
            "month": wording.short_period(str(row["month"])),
            "part": title,
            "place": place,
            "amount": _float(row[part]),
            "label": f"{title} {wording.money(_decimal(row[part]), currency)}",
        }
        for row in forecast
        for place, (part, title) in enumerate(PARTS.items())
        if row.get(part)
    ]
    if parts:
        layers.append(_stacked(parts, month, amount, tooltip))
    if future:
        bands = (("lower_95", "upper_95", 0.18), ("lower_80", "upper_80", 0.3))
        has_bands = all(month["lower_95"] is not None for month in future)
        for lower, upper, opacity in bands if has_bands else ():
            layers.append(
                {
                    "data": {"values": future},
                    "mark": {"type": "area", "color": FORECAST, "opacity": opacity},
                    "encoding": {
                        "x": month,
                        "y": {"field": lower, "type": "quantitative", "title": axis},
                        "y2": {"field": upper},
                    },
                }
            )
        layers.append(
            {
                "data": {"values": future},
                "mark": {
                    "type": "line",
                    "color": FORECAST,
                    "strokeDash": [6, 4],
                    "point": {"color": FORECAST},
                },
                "encoding": {"x": month, "y": amount, "tooltip": tooltip},
            }
        )
    return {"layer": layers, "height": 320, "config": _config(), "usermeta": _USERMETA}


def _stacked(
    parts: Sequence[object],
    month: Mapping[str, object],
    amount: Mapping[str, object],
    tooltip: Sequence[object],
) -> Chart:
    """The parts of the forecast as stacked bars; a decline is below zero."""
    titles = list(PARTS.values())
    return {
        "data": {"values": list(parts)},
        "mark": {"type": "bar", "width": {"band": 0.6}, "opacity": 0.75},
        "encoding": {
            "x": month,
            "y": {**amount, "stack": "zero"},
            "color": {
                "field": "part",
                "type": "nominal",
                "title": "Forecast",
                "scale": {"domain": titles, "range": list(COLORS[: len(titles)])},
            },
            "order": {"field": "place"},
            "tooltip": tooltip,
        },
    }


def _every_month(rows: Sequence[Row], forecast: Sequence[Row]) -> list[str]:
    """The months of a chart without gaps: a month without rows keeps its place."""
    months = [str(row["billing_period"]) for row in rows] + [str(row["month"]) for row in forecast]
    if not months:
        return []
    first, last = (
        int(year) * 12 + int(month) - 1
        for year, month in (period.split("-") for period in (min(months), max(months)))
    )
    return [
        wording.short_period(f"{number // 12:04d}-{number % 12 + 1:02d}")
        for number in range(first, last + 1)
    ]


def splits(rows: Sequence[Row], last_period: str, unit: str = "Licenses") -> Chart:
    """The quantities per cost center over time; a split in force extends to `last_period`."""
    largest: dict[str, Decimal] = {}
    for row in rows:
        name = str(row["cost_center_name"])
        largest[name] = max(largest.get(name, Decimal()), _seats(row))
    ranked = sorted(filter(largest.get, largest), key=lambda name: (-largest[name], name))
    named = ranked if len(ranked) <= len(COLORS) else ranked[: len(COLORS) - 1]
    domain = [*named, OTHERS] if len(named) < len(ranked) else named
    merged: dict[tuple[datetime, datetime, str], Decimal] = {}
    for row in rows:
        start = row["valid_from"]
        if isinstance(start, datetime) and row["cost_center_name"] in ranked:
            end = row["valid_to"]
            until = (
                end
                if isinstance(end, datetime)
                else max(_end_of(last_period), start + SHORTEST_SPLIT)
            )
            name = str(row["cost_center_name"])
            key = (start, until, name if name in named else OTHERS)
            merged[key] = merged.get(key, Decimal()) + _seats(row)
    values = [
        {
            "from": f"{start.isoformat()}Z",
            "to": f"{until.isoformat()}Z",
            "center": center,
            "quantity": float(quantity),
            "label": wording.exact(quantity),
            # The first entry of the legend is on top.
            "place": domain.index(center),
        }
        for (start, until, center), quantity in merged.items()
    ]
    day = wording.day_directives()
    return {
        "data": {"values": values},
        "transform": [
            {
                "stack": "quantity",
                "groupby": ["from"],
                "sort": [{"field": "place", "order": "descending"}],
                "as": ["bottom", "top"],
            }
        ],
        "mark": {"type": "rect", "stroke": "#7f8b96", "strokeWidth": 0.5},
        "encoding": {
            "x": {
                "field": "from",
                "type": "temporal",
                "title": None,
                "scale": {"type": "utc"},
                "axis": {"format": day, "labelOverlap": True, "tickCount": 8},
            },
            "x2": {"field": "to"},
            "y": {"field": "bottom", "type": "quantitative", "title": unit},
            "y2": {"field": "top"},
            "color": {
                "field": "center",
                "type": "nominal",
                "title": "Cost center",
                "scale": {"domain": domain, "range": list(COLORS[: len(domain)])},
            },
            "tooltip": [
                {"field": "center", "title": "Cost center"},
                {"field": "label", "title": unit},
                {"field": "from", "type": "temporal", "title": "From", "format": f"{day} %H:%M"},
            ],
        },
        "height": 300,
        "config": _config(),
        "usermeta": _USERMETA,
    }


def stacked_months(
    rows: Sequence[Row], currency: str, title: str = "Charged to", axis: str | None = None
) -> Chart:
    """Bars of months, stacked by series, the largest at the bottom.

    `title` names the series, `axis` the amounts; without it, the axis has the currency.
    """
    known = [row for row in rows if row["currency"] == currency]
    names = {int(str(row["place"])): str(row["series"] or OTHERS) for row in known}
    bars = [
        {
            "month": wording.short_period(str(row["billing_period"])),
            # Two organizations may have cost centers of the same name.
            "place": int(str(row["place"])),
            "series": str(row["series"] or OTHERS),
            "amount": _float(row["amount"]),
            "label": wording.money(_decimal(row["amount"]), currency),
        }
        for row in known
    ]
    places = sorted(names)
    labels = ", ".join(f"'{place}': {json.dumps(names[place])}" for place in places)
    return {
        "data": {"values": bars},
        "mark": {"type": "bar", "width": {"band": 0.6}},
        "encoding": {
            "x": {
                "field": "month",
                "type": "ordinal",
                "title": None,
                "sort": None,
                "scale": {"domain": _every_month(known, ())},
                "axis": {"labelAngle": 0, "labelOverlap": True},
            },
            "y": {
                "field": "amount",
                "type": "quantitative",
                "title": axis or currency,
                "axis": {"format": ",.0f", "tickCount": 5},
            },
            "color": {
                "field": "place",
                "type": "nominal",
                "scale": {
                    "domain": places,
                    "range": [
                        COLORS[place - 1] if place <= len(COLORS) else OTHERS_COLOR
                        for place in places
                    ],
                },
                "legend": {
                    "title": None,
                    "orient": "bottom",
                    "columns": 2,
                    "labelExpr": f"({{{labels}}})[datum.label]",
                },
            },
            "order": {"field": "place"},
            "tooltip": [
                {"field": "month", "title": "Month"},
                {"field": "series", "title": title},
                {"field": "label", "title": "Amount"},
            ],
        },
        "height": 300,
        "config": _config(),
        "usermeta": _USERMETA,
    }


def stacked_described(rows: Sequence[Row], currency: str) -> str:
    """A chart of stacked months in sentences, for screen readers."""
    sums: dict[str, Decimal] = {}
    of_series: dict[str, Decimal] = {}
    for row in rows:
        if row["currency"] == currency and (amount := _decimal(row["amount"])) is not None:
            period, series = str(row["billing_period"]), str(row["series"] or OTHERS)
            sums[period] = sums.get(period, Decimal()) + amount
            of_series[series] = of_series.get(series, Decimal()) + amount
    months = described(
        [{"billing_period": period, "amount": sums[period]} for period in sums], "amount", currency
    )
    named = "; ".join(
        f"{name}: {wording.money(amount, currency)}" for name, amount in of_series.items()
    )
    return f"{months} {named}." if named else months


_PLANNED = {
    "Budget": ("budget", "#8795a1"),
    "Manual forecast": ("manual_forecast", MANUAL),
    "Computed forecast": ("forecast", FORECAST),
    "Charged": ("actual", BILLED),
}
"""The amounts of a chart of budgets: by title their column, which rows may lack, and color."""

MOST_BUDGETS = 20
"""Rows of a chart of budgets; the others are in the table only."""


def budgets(rows: Sequence[Row], currency: str) -> Chart:
    """Bars of planned, forecast and charged amounts side by side, for each of the largest rows."""
    bars = [
        {
            "center": str(row["label"]),
            "what": what,
            "amount": _float(row[name]),
            "label": wording.money(_decimal(row[name]), currency),
        }
        for row in budgets_drawn(rows, currency)
        for what, (name, _) in _PLANNED.items()
        if row.get(name) is not None
    ]
    drawn = {str(bar["what"]) for bar in bars}
    tones = {what: tone for what, (_, tone) in _PLANNED.items() if what in drawn}
    return {
        "data": {"values": bars},
        "mark": {"type": "bar"},
        "encoding": {
            "y": {
                "field": "center",
                "type": "nominal",
                "title": None,
                "sort": None,
                "axis": {"labelLimit": 260},
            },
            "yOffset": {"field": "what", "sort": list(tones)},
            "x": {
                "field": "amount",
                "type": "quantitative",
                "title": currency,
                "axis": {"format": ",.0f", "tickCount": 5},
            },
            "color": {
                "field": "what",
                "type": "nominal",
                "scale": {"domain": list(tones), "range": list(tones.values())},
                "legend": {"title": None, "orient": "bottom"},
            },
            "tooltip": [
                {"field": "center", "title": "Cost center"},
                {"field": "what", "title": "Amount of"},
                {"field": "label", "title": "Amount"},
            ],
        },
        "height": {"step": 16},
        "config": _config(),
        "usermeta": _USERMETA,
    }


def budgets_drawn(rows: Sequence[Row], currency: str) -> list[Row]:
    """The rows of a chart of budgets: those with the largest amounts."""

    def size(row: Row) -> Decimal:
        return max(abs(_decimal(row.get(name)) or Decimal()) for name, _ in _PLANNED.values())

    known = [
        row
        for row in rows
        if row["currency"] == currency
        and any(row.get(name) is not None for name, _ in _PLANNED.values())
    ]
    return sorted(known, key=size, reverse=True)[:MOST_BUDGETS]


def budgets_described(rows: Sequence[Row], currency: str) -> str:
    """A chart of budgets in sentences, for screen readers."""
    drawn = budgets_drawn(rows, currency)
    return "; ".join(f"{row['label']}: {_planned(row)}" for row in drawn) + "."


def _planned(row: Row) -> str:
    """The amounts of a row of a chart of budgets in words: budget and charge always."""
    currency = str(row["currency"])
    return ", ".join(
        f"{what.lower()} {wording.money(_decimal(row.get(name)), currency)}"
        for what, (name, _) in _PLANNED.items()
        if name in ("budget", "actual") or row.get(name) is not None
    )


def steps(total: Row, parts: Sequence[Row], before_words: str, now_words: str) -> Chart:
    """Bars from the earlier amount over the parts of its change to the later amount."""
    currency = str(total["currency"])
    reached = _decimal(total["before"]) or Decimal()
    bars = [_bar(before_words, Decimal(), reached, reached, currency, "total")]
    for part in parts:
        change = _decimal(part["change"]) or Decimal()
        tone = "more" if change > 0 else "less"
        title = wording.change_part(str(part["part"]))
        bars.append(_bar(title, reached, reached + change, change, currency, tone))
        reached += change
    bars.append(_bar(now_words, Decimal(), reached, reached, currency, "total"))
    order = [str(bar["step"]) for bar in bars]
    return {
        "data": {"values": bars},
        "mark": {"type": "bar", "height": {"band": 0.65}},
        "encoding": {
            "y": {
                "field": "step",
                "type": "ordinal",
                "title": None,
                "sort": order,
                "axis": {"labelLimit": 180},
            },
            "x": {
                "field": "from",
                "type": "quantitative",
                "title": currency,
                "axis": {"format": ",.0f", "tickCount": 4},
            },
            "x2": {"field": "to"},
            "color": {
                "field": "tone",
                "type": "nominal",
                "scale": {"domain": list(CHANGE_TONES), "range": list(CHANGE_TONES.values())},
                "legend": None,
            },
            "tooltip": [
                {"field": "step", "title": "Step"},
                {"field": "label", "title": "Amount"},
            ],
        },
        "height": {"step": 34},
        "config": _config(),
        "usermeta": _USERMETA,
    }


def _bar(
    step: str, start: Decimal, end: Decimal, amount: Decimal, currency: str, tone: str
) -> Chart:
    return {
        "step": step,
        "from": float(start),
        "to": float(end),
        "label": wording.money(amount, currency),
        "tone": tone,
    }


CHANGE_TONES = {"total": BILLED, "more": FORECAST, "less": "#2e8b57"}
"""Colors of bars: amounts of a period, and parts that add to them or reduce them."""


def steps_described(total: Row, parts: Sequence[Row]) -> str:
    """The chart of a change in a sentence, for screen readers."""
    named = "; ".join(
        f"{wording.change_part(str(part['part']))}: {_money_of(part, 'change')}" for part in parts
    )
    return f"From {_money_of(total, 'before')} to {_money_of(total, 'now')}. {named}."


def _money_of(row: Row, name: str) -> str:
    return wording.money(_decimal(row[name]), str(row["currency"]))


def _end_of(period: str) -> datetime:
    year, month = (int(part) for part in period.split("-"))
    return datetime(year + month // 12, month % 12 + 1, 1)


def _seats(row: Row) -> Decimal:
    return _decimal(row["allocated_quantity"]) or Decimal()


def _decimal(content: object) -> Decimal | None:
    return content if isinstance(content, Decimal) else None


def _float(content: object) -> float | None:
    return float(content) if isinstance(content, Decimal | float | int) else None


def described(
    rows: Sequence[Row], measure: str, currency: str, forecast: Sequence[Row] = ()
) -> str:
    """A chart of months in sentences, for screen readers."""
    amounts: Mapping[str, Decimal] = {
        str(row["billing_period"]): known
        for row in rows
        if (known := _decimal(row[measure])) is not None
    }
    if not amounts:
        return "No amounts."
    highest = max(amounts, key=amounts.__getitem__)
    lowest = min(amounts, key=amounts.__getitem__)
    future = "".join(
        f" Forecast: {wording.money(_decimal(first['forecast']), currency)} in"
        f" {wording.period(str(first['month']))},"
        f" {wording.money(_decimal(last['forecast']), currency)} in"
        f" {wording.period(str(last['month']))}."
        for first, last in zip(forecast[:1], forecast[-1:], strict=True)
    )
    return (
        f"{wording.counted(len(amounts), 'month')}: highest in {wording.period(highest)}"
        f" ({wording.money(amounts[highest], currency)}), lowest in {wording.period(lowest)}"
        f" ({wording.money(amounts[lowest], currency)}).{future}"
    )
