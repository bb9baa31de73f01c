"""Composed forecasts of made-up histories, without a database."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from dagster_project import composed_forecast, forecasting
from dagster_project.composed_forecast import compose, without_level_changes

PARTS = ["committed_cost", "renewal_cost", "seat_change_cost", "usage_cost"]


def months_of(
    name: str,
    recurring: Any,
    committed: Any,
    renewal: Any,
    *,
    usage: Any = 0.0,
    usage_to_come: Any = 0.0,
    renewal_variance: Any = 0.0,
) -> pd.DataFrame:
    """The months of a series as int_forecast_series has them."""
    past, future = len(recurring), len(committed)
    nothing = np.zeros(past)
    return pd.DataFrame(
        {
            "unique_id": name,
            "ds": pd.date_range("2024-01-01", periods=past + future, freq="MS"),
            "is_history": [True] * past + [False] * future,
            "cost": [*(np.asarray(recurring) + usage), *[0.0] * future],
            "recurring_cost": [*recurring, *[0.0] * future],
            "usage_cost": [*(nothing + usage), *(np.zeros(future) + usage_to_come)],
            "committed_cost": [*nothing, *committed],
            "renewal_cost": [*nothing, *renewal],
            "renewal_variance": [*nothing, *(np.zeros(future) + renewal_variance)],
        }
    )


def forecast_of(months: pd.DataFrame) -> pd.DataFrame:
    """The composed forecast beside the known charges, with the sum of the four parts."""
    composed = compose(months)
    known = months[~months["is_history"]][["unique_id", "ds", "committed_cost", "renewal_cost"]]
    rows = known.merge(composed, on=["unique_id", "ds"])
    assert len(rows) == len(known) == len(composed)
    return rows.assign(forecast=rows[PARTS].sum(axis=1))


def half_owed(monthly: float) -> tuple[list[float], list[float]]:
    """Committed and renewal cost of a year whose term ends after six months."""
    return [monthly] * 6 + [0.0] * 6, [0.0] * 6 + [monthly] * 6


# --- five stories: 24 months at 3,000, then something happens ---------------------------


@pytest.mark.parametrize("last_month", [15_000.0, 3_387.0, 18_000.0])
def test_bought_seats_count_in_full_from_the_next_month(last_month: float) -> None:
    """500 seats instead of 100, or a new subscription; the last month may hold a part of it."""
    forecast = forecast_of(months_of("it", [3_000.0] * 23 + [last_month], *half_owed(15_000.0)))
    assert forecast["forecast"].to_list() == pytest.approx([15_000.0] * 12)
    assert (forecast["lower_95"] >= forecast["committed_cost"]).all()
    assert forecast["lower_80"].to_list()[:6] == [15_000.0] * 6
    assert (forecast["upper_80"] > forecast["forecast"]).all()


@pytest.mark.parametrize(
    "history",
    [
        [3_000.0] * 23 + [-9_000.0],
        [3_000.0] * 23 + [1_200.0],
        [3_000.0] * 20 + [27_000.0] + [3_000.0] * 3,
    ],
    ids=["refund above the charge", "partial refund", "one-time charge"],
)
def test_refunds_and_one_time_charges_do_not_change_the_level(history: list[float]) -> None:
    forecast = forecast_of(months_of("it", history, *half_owed(3_000.0)))
    assert forecast["forecast"].sum() == pytest.approx(36_000.0)


def test_a_subscription_that_is_no_longer_billed_has_no_forecast_but_a_band() -> None:
    # Its product is not charged any more, so it has no recurring cost.
    months = months_of("it", [0.0] * 24, [0.0] * 12, [0.0] * 12)
    months["cost"] = [3_000.0] * 22 + [0.0] * 14
    forecast = forecast_of(months)
    assert (forecast[["forecast", "lower_80", "lower_95"]] == 0).all(axis=None)
    assert (forecast["upper_80"] > 0).all()


# --- seat changes -----------------------------------------------------------------------


def test_growth_of_seats_continues_and_decline_stops_at_what_is_owed() -> None:
    growing = 1_000.0 * 1.02 ** np.arange(36)
    falling = growing[::-1]
    forecast = forecast_of(
        pd.concat(
            [
                months_of("growing", growing, *half_owed(growing[-1])),
                months_of("falling", falling, *half_owed(falling[-1])),
            ]
        )
    ).set_index("unique_id")
    up, down = forecast.loc["growing"], forecast.loc["falling"]
    assert up["forecast"].iloc[-1] > 1.08 * growing[-1]
    assert (up["seat_change_cost"] > 0).all()
    assert down["seat_change_cost"].to_list()[:6] == [0.0] * 6
    assert (down["seat_change_cost"].iloc[6:] < 0).all()
    assert (down["forecast"] > 0).all()


def test_half_a_year_of_growth_is_continued_and_five_months_are_not() -> None:
    growing = 1_000.0 * 1.05 ** np.arange(6)
    monthly = [growing[-1]] * 3
    forecast = forecast_of(
        pd.concat(
            [
                months_of("six", growing, [0.0] * 3, monthly),
                months_of("five", growing[1:], [0.0] * 3, monthly),
            ]
        )
    ).set_index("unique_id")
    assert forecast.loc["six", "forecast"].iloc[-1] > 1.08 * growing[-1]
    assert forecast.loc["six", "method"].iloc[0] == "short_history"
    assert forecast.loc["five", "forecast"].to_list() == pytest.approx(monthly)
    assert forecast.loc["five", "method"].iloc[0] == "committed_spend"


def test_a_recurring_season_is_not_a_change_of_the_level() -> None:
    season = np.array([1.0] * 5 + [1.5] * 3 + [1.0] * 4)
    history = 1_000.0 * np.tile(season, 3)
    assert without_level_changes(history).tolist() == history.tolist()
    forecast = forecast_of(months_of("it", history, [0.0] * 12, [1_000.0] * 12))
    assert forecast["forecast"].iloc[5:8].mean() > 1_350
    assert forecast["forecast"].iloc[8:].mean() < 1_100


def test_a_change_of_the_level_scales_the_months_before_it() -> None:
    history = np.array([100, 100, 102, 100, 101, 100, 500, 505, 500, 510, 500], dtype=float)
    adjusted = without_level_changes(history)
    assert adjusted[6:].tolist() == history[6:].tolist()
    assert adjusted[:6] == pytest.approx(5 * history[:6])


# --- usage, renewals, bands -------------------------------------------------------------


def test_usage_is_continued_from_its_own_history() -> None:
    usage = 500.0 + 20.0 * np.arange(24)
    forecast = forecast_of(
        months_of(
            "it",
            [3_000.0] * 24,
            *half_owed(3_000.0),
            usage=usage,
            usage_to_come=[usage[-3:].mean()] * 12,
        )
    )
    assert forecast["usage_cost"].iloc[-1] > usage[-1]
    assert forecast["seat_change_cost"].abs().max() < 1e-9


def test_a_short_history_of_usage_stays_at_its_recent_average() -> None:
    forecast = forecast_of(
        months_of("it", [0.0] * 4, [0.0] * 3, [0.0] * 3, usage=[1, 2, 4, 6], usage_to_come=4.0)
    )
    assert forecast["forecast"].to_list() == [4.0] * 3
    assert (forecast["lower_80"] < 4.0).all() and (forecast["upper_80"] > 4.0).all()


def test_uncertain_renewals_widen_the_band_below_only() -> None:
    sure = months_of("it", [3_000.0] * 24, *half_owed(3_000.0))
    unsure = months_of(
        "it", [3_000.0] * 24, *half_owed(3_000.0), renewal_variance=[0] * 6 + [9e6] * 6
    )
    one, other = forecast_of(sure), forecast_of(unsure)
    assert other["lower_80"].to_list()[:6] == one["lower_80"].to_list()[:6]
    assert other["lower_80"].to_list()[6:] == [0.0] * 6
    assert other["upper_80"].to_list() == one["upper_80"].to_list()


def test_bands_are_nested_and_never_below_what_is_owed() -> None:
    random = np.random.default_rng(7)
    series = [
        months_of(
            f"{number}",
            1_000 * np.exp(np.cumsum(random.normal(0, 0.1, 14 + 4 * number))),
            random.uniform(0, 2_000, 12),
            random.uniform(0, 2_000, 12),
            usage=random.uniform(0, 500, 14 + 4 * number),
            usage_to_come=250.0,
            renewal_variance=random.uniform(0, 1e5, 12),
        )
        for number in range(8)
    ]
    forecast = forecast_of(pd.concat(series))
    order = ["lower_95", "lower_80", "forecast", "upper_80", "upper_95"]
    assert (np.diff(forecast[order].to_numpy(), axis=1) >= -1e-9).all()
    assert (forecast["lower_95"] >= forecast["committed_cost"] - 1e-9).all()


# --- reuse ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def company() -> pd.DataFrame:
    return pd.concat(
        [
            months_of("a", [3_000.0] * 24, *half_owed(3_000.0)),
            months_of("b", np.linspace(100, 200, 18), [0.0] * 12, [200.0] * 12),
        ]
    )


def marked(composed: pd.DataFrame) -> pd.DataFrame:
    """A result that no model returns, to recognize reused rows."""
    return composed.assign(seat_change_cost=123_456.0)


def test_only_changed_series_are_forecast_again(company: pd.DataFrame) -> None:
    made = compose(company)
    again = compose(company, marked(made))
    assert (again["seat_change_cost"] == 123_456.0).all()
    changed = company.copy()
    changed.loc[(changed["unique_id"] == "b") & (changed["ds"] == "2024-02-01"), "usage_cost"] = 1.0
    half = compose(changed, marked(made))
    assert (half["seat_change_cost"] == 123_456.0).groupby(half["unique_id"]).all().to_dict() == {
        "a": True,
        "b": False,
    }
    assert not (compose(company, marked(made), models="accurate")["seat_change_cost"] > 1e5).any()


def test_order_of_rows_and_number_of_processes_do_not_matter(company: pd.DataFrame) -> None:
    made = compose(company)
    shuffled = company.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(compose(shuffled, processes=2), made)


def test_series_forecast_one_by_one_are_the_same_to_the_last_bit(company: pd.DataFrame) -> None:
    short = months_of("short", [1.0, 3.0, 2.0], [0.0] * 6, [1.0] * 6)
    others = [
        months_of(f"other {number}", [100.0, 107.0 + number] * 6, [0.0] * 12, [100.0] * 12)
        for number in range(5)
    ]
    months = pd.concat([company, short, *others])
    by_series = [rows for _, rows in months.groupby("unique_id")]
    changes = [change for rows in by_series for change in composed_forecast.typical_changes(rows)]
    usual_change = forecasting.usual_of(changes)
    assert usual_change != forecasting.PRESUMED_CHANGE
    composed = [compose(rows, usual_change=usual_change) for rows in by_series]
    pd.testing.assert_frame_equal(
        pd.concat(composed, ignore_index=True), compose(months), check_exact=True
    )


def test_no_series_give_an_empty_result_of_the_same_types(company: pd.DataFrame) -> None:
    empty = compose(company.iloc[:0])
    assert len(empty) == 0
    assert {name: str(kind) for name, kind in empty.dtypes.items()} == (
        composed_forecast.COMPOSED_TYPES
    )


def test_a_missing_month_is_refused_by_name(company: pd.DataFrame) -> None:
    with pytest.raises(forecasting.MonthsMissing, match="'b': 2024-04-01"):
        compose(company[(company["unique_id"] == "a") | (company["ds"] != "2024-03-01")])


def test_a_long_history_does_not_depend_on_the_changes_of_others(company: pd.DataFrame) -> None:
    short = months_of("short", [1.0, 2.0, 1.0], [0.0] * 12, [1.0] * 12)

    def with_changes_of(size: float) -> pd.DataFrame:
        others = [
            months_of(f"other {number}", [100.0, 100.0 + size] * 6, [0.0] * 12, [100.0] * 12)
            for number in range(5)
        ]
        return pd.concat([company, short, *others])

    made = compose(with_changes_of(1.0))
    again = compose(with_changes_of(50.0), marked(made))
    is_kept = (again["seat_change_cost"] == 123_456.0).groupby(again["unique_id"]).all()
    assert is_kept[["a", "b", "short"]].to_dict() == {"a": True, "b": True, "short": False}
