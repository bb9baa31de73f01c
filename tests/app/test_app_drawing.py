"""Charts: their layers, and their description for screen readers."""

import json
from datetime import datetime
from decimal import Decimal

from app import drawing
from app.queries.query import Row
from dagster_project import wording

BILLED: list[Row] = [
    {"billing_period": "2025-11", "total_cost": Decimal("10")},
    {"billing_period": "2026-01", "total_cost": Decimal("30.5")},
]
FORECAST: list[Row] = [
    {
        "month": month,
        "forecast": Decimal(amount),
        "lower_80": Decimal(amount) - 1,
        "upper_80": Decimal(amount) + 1,
        "lower_95": Decimal(amount) - 2,
        "upper_95": Decimal(amount) + 2,
    }
    for month, amount in (("2026-02", "31"), ("2026-03", "32"))
]


def layers(chart: drawing.Chart) -> list[dict[str, object]]:
    """The layers of a chart, as the browser gets them."""
    drawn: list[dict[str, object]] = json.loads(json.dumps(chart))["layer"]
    return drawn


def test_a_month_without_a_bill_keeps_its_place() -> None:
    (bars,) = layers(drawing.months(BILLED, "total_cost", "USD"))
    assert bars["encoding"]["x"]["scale"]["domain"] == [  # type: ignore[index]
        "Nov 2025",
        "Dec 2025",
        "Jan 2026",
    ]
    assert layers(drawing.months([], "total_cost", "USD"))


def test_bands_are_drawn_only_if_the_forecast_has_them() -> None:
    with_bands = layers(drawing.months(BILLED, "total_cost", "USD", FORECAST))
    assert [layer["mark"]["type"] for layer in with_bands] == [  # type: ignore[index]
        "bar",
        "area",
        "area",
        "line",
    ]
    without: list[Row] = [{key: row[key] for key in ("month", "forecast")} for row in FORECAST]
    assert len(layers(drawing.months(BILLED, "total_cost", "USD", without))) == 2


def test_the_parts_of_a_forecast_are_stacked() -> None:
    parts = {
        "committed_cost": Decimal(20),
        "renewal_cost": Decimal(13),
        "usage_cost": Decimal(0),
        "seat_change_cost": Decimal(-2),
    }
    drawn = layers(drawing.months(BILLED, "total_cost", "USD", [{**FORECAST[0], **parts}]))
    (stacked,) = (layer for layer in drawn if "color" in layer["encoding"])  # type: ignore[operator]
    assert stacked["encoding"]["y"]["stack"] == "zero"  # type: ignore[index]
    assert [
        (row["part"], row["amount"], row["label"])
        for row in stacked["data"]["values"]  # type: ignore[index]
    ] == [
        ("Committed", 20.0, "Committed 20.00 USD"),
        ("Renewals", 13.0, "Renewals 13.00 USD"),
        ("Seat changes", -2.0, "Seat changes -2.00 USD"),
    ]


def test_a_chart_is_described_in_sentences() -> None:
    assert drawing.described(BILLED, "total_cost", "USD", FORECAST) == (
        "2 months: highest in January 2026 (30.50 USD), lowest in November 2025 (10.00 USD)."
        " Forecast: 31.00 USD in February 2026, 32.00 USD in March 2026."
    )


def test_axes_have_the_separators_of_the_locale() -> None:
    assert "locale" not in drawing.months(BILLED, "total_cost", "USD")["config"]  # type: ignore[operator]
    split: list[Row] = [
        {
            "cost_center_name": "Sales",
            "allocated_quantity": Decimal("1234.5"),
            "valid_from": datetime(2026, 1, 5),
            "valid_to": None,
        }
    ]
    with wording.written_in("en-IN"):
        number = drawing.months(BILLED, "total_cost", "USD")["config"]["locale"]["number"]  # type: ignore[index]
        assert (number["decimal"], number["thousands"]) == (".", ",")
        assert number["grouping"][:4] == [3, 2, 2, 2]
    with wording.written_in("de-DE"):
        drawn = drawing.splits(split, "2026-02")
    assert drawn["config"]["locale"]["number"]["decimal"] == ","  # type: ignore[index]
    assert drawn["encoding"]["x"]["axis"]["format"] == "%d.%m.%Y"  # type: ignore[index]
    assert drawn["data"]["values"][0]["label"] == "1.234,5"  # type: ignore[index]
    assert drawing.splits(split, "2026-02")["encoding"]["x"]["axis"]["format"] == "%-d %b %Y"  # type: ignore[index]


def test_more_series_than_colors_are_one_in_a_color_of_its_own() -> None:
    rows: list[Row] = [
        {
            "currency": "USD",
            "billing_period": "2026-01",
            "series": f"Center {place}" if place <= 8 else None,
            "place": place,
            "amount": Decimal(100 - place),
        }
        for place in range(1, 10)
    ]
    spec = json.loads(json.dumps(drawing.stacked_months(rows, "USD", axis="USD, as billed")))
    scale = spec["encoding"]["color"]["scale"]
    assert len(set(scale["range"])) == len(scale["domain"]) == 9
    assert spec["encoding"]["y"]["title"] == "USD, as billed"
    described = drawing.stacked_described(rows, "USD")
    assert "855.00 USD" in described and "Others: 91.00 USD" in described


def test_budgets_are_drawn_beside_charged_amounts_the_largest_first() -> None:
    rows: list[Row] = [
        {
            "label": f"Center {number}",
            "currency": "USD" if number else "EUR",
            "budget": Decimal(number) if number % 2 else None,
            "actual": Decimal(10 * number),
        }
        for number in range(30)
    ]
    spec = json.loads(json.dumps(drawing.budgets(rows, "USD")))
    values = spec["data"]["values"]
    assert list(dict.fromkeys(value["center"] for value in values)) == [
        f"Center {number}" for number in range(29, 9, -1)
    ]
    assert [value["what"] for value in values[:3]] == ["Budget", "Charged", "Charged"]
    assert "Center 29: budget 29.00 USD, charged 290.00 USD" in drawing.budgets_described(
        rows, "USD"
    )
    assert drawing.budgets_drawn(rows, "EUR") == [rows[0]]


def test_manual_and_computed_forecasts_are_bars_of_their_own() -> None:
    rows: list[Row] = [
        {
            "label": "Studio, May 2026",
            "currency": "USD",
            "budget": None,
            "manual_forecast": Decimal(2150),
            "forecast": Decimal(2090),
            "actual": None,
        }
    ]
    spec = json.loads(json.dumps(drawing.budgets(rows, "USD")))
    assert [(value["what"], value["amount"]) for value in spec["data"]["values"]] == [
        ("Manual forecast", 2150),
        ("Computed forecast", 2090),
    ]
    # The legend names what is drawn.
    assert spec["encoding"]["color"]["scale"]["domain"] == ["Manual forecast", "Computed forecast"]
    described = drawing.budgets_described(rows, "USD")
    assert "manual forecast 2,150.00 USD, computed forecast 2,090.00 USD" in described


def test_a_chart_of_splits_names_its_unit() -> None:
    split: Row = {
        "valid_from": datetime(2026, 1, 5),
        "valid_to": None,
        "cost_center_name": "Sales",
        "allocated_quantity": Decimal(60),
    }
    chart = json.loads(json.dumps(drawing.splits([split], "2026-02", "Parts")))
    assert chart["encoding"]["y"]["title"] == "Parts"
    assert chart["encoding"]["tooltip"][1] == {"field": "label", "title": "Parts"}
    assert chart["data"]["values"][0]["quantity"] == 60
