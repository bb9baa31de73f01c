"""Forecasts of histories that are small enough to know the result."""

from collections.abc import Callable, Sequence
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from dagster_project import forecasting
from dagster_project.forecasting import (
    FORECAST_COLUMNS,
    HistoryColumnsMissing,
    MonthRepeated,
    MonthsMissing,
    NoHorizon,
    NoSeriesName,
    NotAMonth,
    NotANumber,
    forecast_monthly,
)

SEED = 20260301
SEASON = 30 * np.sin(2 * np.pi * np.arange(12) / 12)


def history(
    values: Sequence[float], name: str = "sales", start: str = "2022-01-01"
) -> pd.DataFrame:
    months = pd.date_range(start, periods=len(values), freq="MS")
    return pd.DataFrame({"unique_id": name, "ds": months, "y": np.asarray(values, dtype=float)})


def noise(count: int, spread: float = 5.0) -> np.ndarray:
    print(f"seed {SEED}")
    return np.random.default_rng(SEED).normal(0, spread, count)


def method_of(forecast: pd.DataFrame) -> str:
    (method,) = forecast["method"].unique()
    return str(method)


@pytest.fixture(scope="module")
def company() -> pd.DataFrame:
    """Cost centers of every kind, the months of some ending earlier than those of others."""
    random = np.random.default_rng(SEED)
    return pd.concat(
        [
            history(100 + np.tile(SEASON, 4) + noise(48), "seasonal"),
            history(np.full(40, 250.0), "steady"),
            history(np.linspace(50, 150, 18) + noise(18), "grows"),
            history([80.0, 90.0, 85.0], "new"),
            history([12.5], "newest"),
            history(random.poisson(0.3, 36) * 99.0, "now_and_then"),
            history(np.tile([1200.0] + [0.0] * 11, 3), "yearly_bill"),
            history(np.zeros(30), "nothing"),
            history(random.normal(-20, 10, 30), "credits"),
            history(np.concatenate([np.zeros(20), np.full(6, 40.0)]), "starts_late"),
        ],
        ignore_index=True,
    )


@pytest.fixture(scope="module")
def forecast(company: pd.DataFrame) -> pd.DataFrame:
    return forecast_monthly(company, 18)


def test_there_is_one_row_per_series_and_month_after_the_last_one(
    company: pd.DataFrame, forecast: pd.DataFrame
) -> None:
    assert list(forecast.columns) == FORECAST_COLUMNS
    last = company.groupby("unique_id")["ds"].max()
    expected = [
        (name, month)
        for name in sorted(last.index)
        for month in pd.date_range(last[name], periods=19, freq="MS")[1:]
    ]
    assert list(zip(forecast["unique_id"], forecast["ds"], strict=True)) == expected


def test_bands_are_nested_and_all_numbers_are_finite(forecast: pd.DataFrame) -> None:
    lines = forecast[["lower_95", "lower_80", "forecast", "upper_80", "upper_95"]].to_numpy()
    assert np.isfinite(lines).all()
    assert (np.diff(lines, axis=1) >= 0).all()


def test_each_series_has_its_forecast_method(forecast: pd.DataFrame) -> None:
    assert forecast.groupby("unique_id")["method"].agg(["unique"])["unique"].str.join(
        " "
    ).to_dict() == {
        "seasonal": "combination",
        "steady": "combination",
        "credits": "combination",
        "grows": "combination_without_season",
        "new": "short_history",
        "newest": "short_history",
        "starts_late": "short_history",
        "now_and_then": "intermittent",
        "nothing": "intermittent",
        "yearly_bill": "intermittent_yearly",
    }


@pytest.mark.parametrize(
    ("months", "method"),
    [
        (11, "short_history"),
        (12, "combination_without_season"),
        (23, "combination_without_season"),
        (24, "combination"),
    ],
)
def test_the_method_changes_after_one_and_after_two_years(months: int, method: str) -> None:
    assert method_of(forecast_monthly(history(100 + noise(months)), 3)) == method


def test_a_series_is_intermittent_below_one_cost_every_1_32_months() -> None:
    values = np.full(33, 100.0)
    values[[3, 5, 6, 11, 14, 21, 22, 28]] = 0.0
    assert 33 / np.count_nonzero(values) == 1.32
    assert method_of(forecast_monthly(history(values), 3)) == "combination"
    values[30] = 0.0
    assert method_of(forecast_monthly(history(values), 3)) == "intermittent"


def test_the_same_history_gives_the_same_forecast_to_the_last_digit(
    company: pd.DataFrame, forecast: pd.DataFrame
) -> None:
    pd.testing.assert_frame_equal(forecast_monthly(company, 18), forecast, check_exact=True)


def test_the_order_of_the_rows_does_not_matter(
    company: pd.DataFrame, forecast: pd.DataFrame
) -> None:
    shuffled = company.sample(frac=1, random_state=SEED)
    pd.testing.assert_frame_equal(forecast_monthly(shuffled, 18), forecast, check_exact=True)


def test_the_number_of_processes_does_not_matter(
    company: pd.DataFrame, forecast: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecasting, "FEWEST_FOR_PROCESSES", 2)
    parallel = forecast_monthly(company, 18, processes=2)
    pd.testing.assert_frame_equal(parallel, forecast, check_exact=True)


@pytest.mark.parametrize("name", ["seasonal", "grows", "now_and_then"])
def test_a_series_alone_is_forecast_as_among_others(
    company: pd.DataFrame, forecast: pd.DataFrame, name: str
) -> None:
    alone = forecast_monthly(company[company["unique_id"] == name], 18)
    among_others = forecast[forecast["unique_id"] == name].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among_others, check_exact=True)


def test_a_month_is_forecast_the_same_however_many_follow_it(
    company: pd.DataFrame, forecast: pd.DataFrame
) -> None:
    for horizon in (1, 6):
        shorter = forecast_monthly(company, horizon)
        beginning = forecast.groupby("unique_id").head(horizon).reset_index(drop=True)
        pd.testing.assert_frame_equal(shorter, beginning, rtol=1e-12)


def test_the_given_history_is_not_modified(company: pd.DataFrame) -> None:
    before = company.copy(deep=True)
    forecast_monthly(company, 1)
    pd.testing.assert_frame_equal(company, before, check_exact=True)


def test_a_season_is_recognized() -> None:
    forecast = forecast_monthly(history(100 + np.tile(SEASON, 5) + noise(60)), 12)
    assert np.abs(forecast["forecast"] - (100 + SEASON)).max() < 10


def test_growth_continues_without_accelerating() -> None:
    values = 100 + 2.0 * np.arange(48) + noise(48, 2.0)
    forecast = forecast_monthly(history(values), 12)["forecast"]
    assert 100 + 2 * 48 < forecast.iloc[-1] < 100 + 2 * 48 + 12 * 2 + 5


def test_a_constant_cost_stays_but_is_not_certain() -> None:
    forecast = forecast_monthly(history(np.full(40, 250.0)), 6)
    assert forecast["forecast"].to_numpy() == pytest.approx(np.full(6, 250.0))
    assert (forecast["lower_95"] < 250).all() and (forecast["upper_95"] > 250).all()
    assert (forecast["upper_95"] - forecast["lower_95"] < 25).all()


def test_one_month_of_history_continues_with_wide_bands() -> None:
    forecast = forecast_monthly(history([200.0]), 12)
    assert forecast["forecast"].to_numpy() == pytest.approx(np.full(12, 200.0))
    width = (forecast["upper_95"] - forecast["lower_95"]) / 200
    assert 0.5 < width.iloc[0] < width.iloc[-1] < 2


def test_more_history_of_the_same_kind_narrows_the_bands() -> None:
    steady = 100 + noise(60, 1.0)
    widths = [
        (forecast["upper_80"] - forecast["lower_80"]).iloc[0]
        for forecast in (forecast_monthly(history(steady[:count]), 1) for count in (1, 4, 11, 60))
    ]
    assert widths == sorted(widths, reverse=True)


def test_a_history_without_cost_has_no_forecast_cost(forecast: pd.DataFrame) -> None:
    nothing = forecast[forecast["unique_id"] == "nothing"]
    assert (nothing[["forecast", "lower_95", "upper_95"]] == 0).all(axis=None)


def test_a_cost_center_that_stopped_is_forecast_near_zero() -> None:
    values = np.concatenate([np.full(24, 100.0), np.zeros(18)])
    forecast = forecast_monthly(history(values), 6)
    assert (forecast["forecast"] < 5).all()


def test_months_before_the_first_cost_do_not_pull_the_forecast_down(
    forecast: pd.DataFrame,
) -> None:
    late = forecast[forecast["unique_id"] == "starts_late"]
    assert late["forecast"].to_numpy() == pytest.approx(np.full(18, 40.0))


def test_a_yearly_bill_is_expected_in_its_month_only() -> None:
    values = np.tile([0.0, 0.0, 1200.0] + [0.0] * 9, 3)
    forecast = forecast_monthly(history(values), 12)
    assert forecast["forecast"].tolist() == values[:12].tolist()


def test_a_yearly_bill_may_be_repriced() -> None:
    forecast = forecast_monthly(history(np.tile([0.0, 0.0, 1200.0] + [0.0] * 9, 3)), 12)
    assert forecast["lower_80"].iloc[2] < 1150 and forecast["upper_80"].iloc[2] > 1250
    assert forecast["upper_95"].drop(2).max() == 0


@pytest.mark.parametrize("paid_in_month", [5, 20, 33])
def test_a_single_bill_is_not_treated_as_yearly(paid_in_month: int) -> None:
    values = np.zeros(36)
    values[[0, paid_in_month]] = 1200.0
    assert method_of(forecast_monthly(history(values), 12)) == "intermittent"


def test_bands_of_intermittent_costs_contain_the_past_months() -> None:
    values = np.array([0.0, 0.0, 0.0, 90.0] * 4 + [0.0, 90.0, 0.0, 0.0, 0.0] * 4)
    forecast = forecast_monthly(history(values), 6)
    assert method_of(forecast) == "intermittent"
    assert (forecast["lower_80"] == 0).all()
    assert forecast["upper_80"].to_numpy() == pytest.approx(np.full(6, 90.0))
    assert forecast["forecast"].between(5, 45).all()


def test_a_history_without_negative_values_has_no_negative_forecast() -> None:
    falling = np.maximum(200 - 6.0 * np.arange(36) + noise(36), 0.5)
    forecast = forecast_monthly(history(falling), 18)
    assert (forecast["lower_95"] == 0).any()
    assert (forecast.drop(columns=["unique_id", "ds", "method"]) >= 0).all(axis=None)


def test_credits_are_forecast_below_zero() -> None:
    forecast = forecast_monthly(history(-100 + noise(36)), 6)
    assert (forecast["upper_95"] < 0).all()


@pytest.mark.parametrize("months", [5, 16, 40])
def test_the_unit_of_the_history_is_that_of_the_forecast(months: int) -> None:
    values = 100 + noise(months)
    numbers = ["forecast", "lower_80", "upper_80", "lower_95", "upper_95"]
    small = forecast_monthly(history(values), 6)[numbers]
    large = forecast_monthly(history(values * 2.0**40), 6)[numbers]
    pd.testing.assert_frame_equal(small * 2.0**40, large, rtol=1e-12)


def test_decimals_and_dates_are_accepted_with_the_types_of_a_database() -> None:
    plain = history([10.25, 11.5, 12.75])
    exact = plain.assign(
        y=[Decimal("10.25"), Decimal("11.50"), Decimal("12.75")], ds=plain["ds"].dt.date
    )
    pd.testing.assert_frame_equal(
        forecast_monthly(exact, 3), forecast_monthly(plain, 3), check_exact=True
    )


@pytest.mark.parametrize(
    "walk", [True, False], ids=["steps that add up", "steps around a level and a season"]
)
def test_bands_have_about_their_nominal_coverage(walk: bool) -> None:
    print(f"seed {SEED}")
    random = np.random.default_rng(SEED)
    inside_80, inside_95 = [], []
    for _ in range(25):
        steps = random.normal(0, 10, 72)
        values = 1000 + (steps.cumsum() if walk else steps + np.tile(SEASON, 6))
        forecast = forecast_monthly(history(values[:60]), 12)
        inside_80 += list(
            (forecast["lower_80"] <= values[60:]) & (values[60:] <= forecast["upper_80"])
        )
        inside_95 += list(
            (forecast["lower_95"] <= values[60:]) & (values[60:] <= forecast["upper_95"])
        )
    print(f"inside: {np.mean(inside_80):.3f} {np.mean(inside_95):.3f}")
    assert 0.65 < np.mean(inside_80) < 0.97
    assert np.mean(inside_95) > 0.85


def test_an_empty_history_gives_an_empty_forecast() -> None:
    forecast = forecast_monthly(history([]), 3)
    assert list(forecast.columns) == FORECAST_COLUMNS
    assert len(forecast) == 0


def test_progress_is_reported_after_every_series() -> None:
    made: list[tuple[int, int]] = []
    both = pd.concat([history([1.0], "a"), history([2.0], "b")])
    forecast_monthly(both, 1, progress=lambda done, total: made.append((done, total)))
    assert made == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda rows: rows.drop(columns="y"), HistoryColumnsMissing, "lacks y"),
        (lambda rows: rows.drop(index=2), MonthsMissing, "'sales': 2022-04-01"),
        (lambda rows: pd.concat([rows, rows[1:2]]), MonthRepeated, "'sales': 2022-02-01"),
        (lambda rows: rows.replace(3.0, np.nan), NotANumber, "'sales': 2022-03-01"),
        (lambda rows: rows.replace(3.0, np.inf), NotANumber, "'sales': 2022-03-01"),
        (lambda rows: rows.assign(y="much"), NotANumber, "'much'"),
        (
            lambda rows: rows.assign(ds=rows["ds"] + pd.Timedelta(days=1)),
            NotAMonth,
            "'sales': 2022-01-02",
        ),
        (lambda rows: rows.assign(ds=pd.NaT), NotAMonth, "NaT"),
        (lambda rows: rows.assign(ds="soon"), NotAMonth, "'soon'"),
        (
            lambda rows: rows.assign(ds=rows["ds"].dt.tz_localize("UTC")),
            NotAMonth,
            "have a time zone",
        ),
        (lambda rows: rows.assign(unique_id=[None, *["sales"] * 4]), NoSeriesName, "1 row"),
    ],
)
def test_a_history_that_cannot_be_forecast_is_refused_by_name(
    change: Callable[[pd.DataFrame], pd.DataFrame], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        forecast_monthly(change(history([1.0, 2.0, 3.0, 4.0, 5.0])), 3)


@pytest.mark.parametrize("horizon", [0, -1, 1.5, True])
def test_a_horizon_of_zero_months_is_refused(horizon: int) -> None:
    with pytest.raises(NoHorizon):
        forecast_monthly(history([1.0, 2.0]), horizon)


# --- short histories and declines -----------------------------------------------------------------


def test_half_a_year_of_growth_continues_and_noise_has_no_slope() -> None:
    growing = forecast_monthly(history(100 * 1.05 ** np.arange(6)), 6)["forecast"]
    assert growing.iloc[0] > 100 * 1.05**5
    assert growing.iloc[-1] > 1.15 * 100 * 1.05**5
    up_and_down = forecast_monthly(history([100, 110, 95, 105, 90, 101]), 6)["forecast"]
    assert np.ptp(up_and_down) < 1


@pytest.mark.parametrize("months", [6, 18, 30])
def test_a_decline_to_zero_has_a_band(months: int) -> None:
    forecast = forecast_monthly(history(np.linspace(100, 1, months)), 12)
    assert (forecast["forecast"] >= 0).all() and (forecast["upper_80"] > 0).all()
    assert (forecast["upper_80"] > forecast["forecast"]).all()


def test_the_band_of_a_short_history_has_the_width_of_like_histories() -> None:
    def width(spread: float, count: int) -> float:
        like = [history(100 + noise(24, spread), f"like {number}") for number in range(count)]
        forecast = forecast_monthly(pd.concat([history([100.0, 100.0], "short"), *like]), 1)
        short = forecast[forecast["unique_id"] == "short"]
        return float((short["upper_80"] - short["lower_80"]).iloc[0])

    assert width(1.0, 5) < width(20.0, 5)
    assert width(1.0, 4) == width(20.0, 4), "too few like histories: presumed"


@pytest.mark.parametrize("months", [18, 40])
def test_the_accurate_models_are_another_forecast_of_the_same_form(months: int) -> None:
    values = history(100 + np.tile(SEASON, 4)[:months] + noise(months))
    fast, accurate = (forecast_monthly(values, 6, models=name) for name in ("fast", "accurate"))
    assert list(fast.columns) == list(accurate.columns)
    assert fast["forecast"].to_numpy() == pytest.approx(accurate["forecast"].to_numpy(), rel=0.1)
    with pytest.raises(ValueError, match="slow"):
        forecast_monthly(values, 6, models="slow")
