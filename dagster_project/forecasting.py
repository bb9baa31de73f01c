"""Forecast of a monthly history with bands: statistics on numbers.

Belongs here: choice of models, their weights, width of the bands. Does not belong here: Dagster,
the database, exact amounts (a forecast is an estimate, so it is a float), and known future costs
such as committed spend.

Each series is forecast independently: other series, the order of the rows and the number of
processes do not change its result. Importing the library of models (statsforecast) takes seconds,
so it is imported only for series that are long enough.

Method: three models with different errors (damped exponential smoothing, the dynamic optimized
theta method, theta on the series without the STL season) forecast the history from earlier
origins, up to three years back. Their errors determine the weights of their mean and the width of
the bands. A weighted mean of a few simple models has outperformed the choice of the best model
since the M competitions (Petropoulos and Svetunkov 2020, "A simple combination of univariate
models", for M4). `benchmarks/forecast_m3.py` measures this implementation. AutoARIMA is left out:
on the held-out ends of M3's training parts it did not improve the mean, and it takes ten times as
long as the three models together.
"""

import hashlib
import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import repeat
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd  # type: ignore[import-untyped]

from dagster_project.errors import ApportionError

Values = npt.NDArray[np.float64]
Model = Callable[[Values, int], Values]

HISTORY_COLUMNS = ["unique_id", "ds", "y"]
BAND_COLUMNS = ["lower_80", "upper_80", "lower_95", "upper_95"]
FORECAST_COLUMNS = ["unique_id", "ds", "forecast", *BAND_COLUMNS, "method"]
EXPECTED_COLUMNS = [*FORECAST_COLUMNS, "history_hash"]
TEXT_COLUMNS = ["unique_id", "method", "history_hash"]

# Stated, because columns without values have no type.
EXPECTED_TYPES = {
    "ds": "datetime64[us]",
    **dict.fromkeys(["forecast", *BAND_COLUMNS], "float64"),
    **dict.fromkeys(TEXT_COLUMNS, "string"),
}

YEAR = 12

# A shorter history leaves no months to measure errors.
SHORTEST_FOR_MODELS = YEAR

# A season that was observed once cannot be distinguished from chance.
SHORTEST_FOR_SEASON = 2 * YEAR

# Demand is intermittent if it occurs less often than every 1.32 months (Syntetos, Boylan and
# Croston 2005, "On the categorization of demand patterns").
SMALLEST_INTERMITTENT_GAP = 1.32

# Earlier origins: every fourth month, so that they fall on three months of the year. Errors are
# measured up to 18 months ahead for every horizon, so that a month's forecast does not depend on
# the number of months after it.
ORIGIN_STEP = 4
OLDEST_ORIGIN = 36
ORIGIN_HORIZON = 18

# Assumed errors of a series without measured errors; they count as one more origin. The typical
# monthly change is that of the history and of two more months that change by 0.15 of the level.
# The error h months ahead is 0.65 (1 + 0.25 sqrt(h)) times the typical change. With these values
# the bands have about their nominal coverage for the last 1 to 11 months of M3's training parts.
PRESUMED_CHANGE = 0.15
PRESUMED_MONTHS = 2
PRESUMED_ERROR = 0.65
PRESUMED_GROWTH = 0.25

# Half-width of the bands for 80 and 95 of 100 actuals, in mean absolute errors. Errors have
# heavier tails than the normal distribution, which has 1.61 and 2.46. Measured on the last 18
# months of the training parts of M3, forecast from before them; the test parts were not used.
BAND_80 = 1.77
BAND_95 = 3.27


class HistoryRefused(ApportionError):
    """The history cannot be forecast; the message names the series and the month."""


class HistoryColumnsMissing(HistoryRefused):
    """A history has the columns unique_id, ds and y; one is missing."""


class NoSeriesName(HistoryRefused):
    """A row has no series id."""


class NotAMonth(HistoryRefused):
    """A `ds` is not midnight of the first day of a month, or not a date."""


class NotANumber(HistoryRefused):
    """A `y` is missing, infinite or not a number."""


class MonthRepeated(HistoryRefused):
    """A series has two values for one month."""


class MonthsMissing(HistoryRefused):
    """A series has a gap. A month without cost needs a row with zero."""


class NoHorizon(ApportionError):
    """The number of months to forecast is not a whole number of at least one."""


class Method(StrEnum):
    """The method of a forecast."""

    COMBINATION = "combination"
    """Weighted mean of three models, with season. Two years of history or more."""

    COMBINATION_WITHOUT_SEASON = "combination_without_season"
    """Weighted mean of two models. One to two years of history."""

    SHORT_HISTORY = "short_history"
    """Smoothed level, with mostly assumed bands. Less than a year since the first cost."""

    INTERMITTENT = "intermittent"
    """Average rate; the bands are the spread of the months."""

    INTERMITTENT_YEARLY = "intermittent_yearly"
    """Most months have no cost, and costs recur yearly: repeats the last year."""

    COMMITTED_SPEND = "committed_spend"
    """The known future cost, because the history is short or intermittent."""


@dataclass(frozen=True)
class Forecast:
    """The forecast of one series, in the unit of its history; one array element per month."""

    method: Method
    middle: Values
    lower_80: Values
    upper_80: Values
    lower_95: Values
    upper_95: Values


def forecast_monthly(
    history: pd.DataFrame,
    horizon: int,
    *,
    processes: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> pd.DataFrame:
    """Forecast each series for the `horizon` months after its last month.

    `history`: unique_id, ds (first day of a month), y (any number, also Decimal); one row per
    series and month without gaps, in any order. Returns unique_id, ds, forecast, lower_80,
    upper_80, lower_95, upper_95 (in the unit of y) and method (a `Method`), sorted by unique_id
    and ds. lower_95 <= lower_80 <= forecast <= upper_80 <= upper_95. No value is negative if the
    history has no negative value.

    `processes` distributes the series over that many processes; the result is the same.
    `progress` is called with the number of completed series and the number of all series.

    Raises NoHorizon, and a HistoryRefused that names the series and the month.
    """
    if not isinstance(horizon, int) or isinstance(horizon, bool) or horizon < 1:
        raise NoHorizon(f"cannot forecast {horizon!r} months: give a whole number from 1")
    series = [one for _, one in _checked(history).groupby("unique_id", sort=True)]
    tables = []
    values = [one["y"].to_numpy() for one in series]
    for one, forecast in zip(series, _forecasts(values, horizon, processes), strict=True):
        first = one["ds"].iloc[-1] + pd.offsets.MonthBegin(1)
        tables.append(_table(one["unique_id"].iloc[0], first, forecast))
        progress(len(tables), len(series))
    if not tables:
        return pd.DataFrame(columns=FORECAST_COLUMNS)
    return pd.concat(tables, ignore_index=True)


def forecast_monthly_or_expected(
    history: pd.DataFrame,
    expected: pd.DataFrame,
    earlier: pd.DataFrame | None = None,
    *,
    processes: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> pd.DataFrame:
    """Forecast series with a sufficient history; for all others, return `expected` with bands.

    `history` has the form of forecast_monthly. `expected` has unique_id, ds, y: the known cost of
    the months after each history, without gaps. Every series of the history has such months, and a
    series may have no history. Returns the columns of forecast_monthly, for the months of
    `expected`. A history shorter than a year since its first cost, or intermittent, is not
    forecast: its method is COMMITTED_SPEND, its forecast equals `expected` exactly, and its bands
    have the assumed width for its size and changes.

    The result has a further column history_hash, null for series without a statistical forecast.
    `earlier` is a previous result: forecasts of the same history by the same code are reused.

    Raises a HistoryRefused that names the series and the month.
    """
    known, to_come = _checked(history), _checked(expected)
    # Expected months follow the history without overlap and without gap.
    _checked(pd.concat([known, to_come]))
    # Months before the first cost carry no information about the cost.
    known = known[known.groupby("unique_id")["y"].transform(_has_begun).astype(bool)]
    is_long = known.groupby("unique_id")["y"].transform(_is_forecastable).astype(bool)
    is_forecast = is_long & known["unique_id"].isin(to_come["unique_id"])
    forecasts = _forecasts_of(known[is_forecast], to_come, earlier, processes, progress)
    rest = to_come[~to_come["unique_id"].isin(known.loc[is_forecast, "unique_id"])]
    both = _around(rest, known) if len(rest) else forecasts
    if len(rest) and len(forecasts):
        both = pd.concat([forecasts, both])
    both = both[EXPECTED_COLUMNS].astype(EXPECTED_TYPES)
    return both.sort_values(["unique_id", "ds"], ignore_index=True)


# --- input and output -------------------------------------------------------------------


def _checked(history: pd.DataFrame) -> pd.DataFrame:
    """The rows of a history by series and month, with y as float. Raises HistoryRefused."""
    missing = [column for column in HISTORY_COLUMNS if column not in history.columns]
    if missing:
        raise HistoryColumnsMissing(f"the history lacks {', '.join(missing)}")
    rows = history[HISTORY_COLUMNS].reset_index(drop=True)
    if rows["unique_id"].isna().any():
        raise NoSeriesName(
            f"{rows['unique_id'].isna().sum()} rows of the history have no unique_id"
        )

    month = pd.to_datetime(rows["ds"], errors="coerce", format="ISO8601")
    if month.dt.tz is not None:
        raise NotAMonth("the months of the history have a time zone; give plain dates")
    is_month = month.notna() & (month == month.dt.to_period("M").dt.to_timestamp())
    _refuse_first(NotAMonth, rows, ~is_month, "is not the first day of a month")
    rows["ds"] = month.astype("datetime64[us]")

    number = pd.to_numeric(rows["y"], errors="coerce").astype("float64")
    _refuse_first(NotANumber, rows, ~np.isfinite(number), "has no number", show="y")
    rows["y"] = number

    rows = rows.sort_values(["unique_id", "ds"], kind="stable", ignore_index=True)
    is_repeated = rows.duplicated(["unique_id", "ds"])
    _refuse_first(MonthRepeated, rows, is_repeated, "has more than one value")

    month_number = rows["ds"].dt.year * YEAR + rows["ds"].dt.month
    is_after_gap = month_number.groupby(rows["unique_id"]).diff().fillna(1) != 1
    _refuse_first(MonthsMissing, rows, is_after_gap, "does not follow the previous month")
    return rows


def _refuse_first(
    error: type[HistoryRefused],
    rows: pd.DataFrame,
    is_wrong: "pd.Series[bool]",
    fact: str,
    show: str | None = None,
) -> None:
    if not is_wrong.any():
        return
    row = rows[is_wrong].iloc[0]
    month = f"{row['ds']:%Y-%m-%d}" if isinstance(row["ds"], pd.Timestamp) else repr(row["ds"])
    value = f": {row[show]!r}" if show else ""
    others = f" ({is_wrong.sum()} rows in total)" if is_wrong.sum() > 1 else ""
    raise error(f"series {row['unique_id']!r}: {month} {fact}{value}{others}")


def _table(name: str, first: pd.Timestamp, forecast: Forecast) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unique_id": name,
            "ds": pd.date_range(first, periods=len(forecast.middle), freq="MS"),
            "forecast": forecast.middle,
            "lower_80": forecast.lower_80,
            "upper_80": forecast.upper_80,
            "lower_95": forecast.lower_95,
            "upper_95": forecast.upper_95,
            "method": str(forecast.method),
        },
        columns=FORECAST_COLUMNS,
    )


def _forecasts(values: list[Values], horizon: int, processes: int) -> Iterator[Forecast]:
    if processes < 2 or len(values) < 2:
        yield from map(_forecast, values, repeat(horizon))
        return
    # Forking a process with threads (such as Dagster) can hang; spawning cannot.
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawning) as pool:
        yield from pool.map(_forecast, values, repeat(horizon), chunksize=4)


# --- one series ----------------------------------------------------------------------


def _is_intermittent(values: Values) -> bool:
    return bool(len(values) > SMALLEST_INTERMITTENT_GAP * np.count_nonzero(values))


def _forecast(values: Values, horizon: int) -> Forecast:
    """Forecast one series; `values` by month, oldest first, at least one."""
    # Months before the first cost carry no information about the cost.
    since_first_cost = np.trim_zeros(values, "f") if values.any() else values
    # Optimizers stop at fixed tolerances, so every series is scaled to about a thousand;
    # at about one they stop early. A power of two changes no digit.
    mean = np.abs(since_first_cost).mean()
    size = 2.0 ** (np.round(np.log2(mean)) - 10) if mean else 1.0
    scaled = since_first_cost / size

    # Constant series divide zero by zero in an autocorrelation.
    with np.errstate(all="ignore"):
        if len(scaled) < SHORTEST_FOR_MODELS:
            forecast = _combination(Method.SHORT_HISTORY, scaled, horizon)
        elif _is_intermittent(scaled):
            forecast = _intermittent(scaled, horizon)
        elif len(scaled) < SHORTEST_FOR_SEASON:
            forecast = _combination(Method.COMBINATION_WITHOUT_SEASON, scaled, horizon)
        else:
            forecast = _combination(Method.COMBINATION, scaled, horizon)

    floor = 0.0 if (values >= 0).all() else -np.inf
    return Forecast(
        forecast.method,
        *(
            np.maximum(line * size, floor)
            for line in (
                forecast.middle,
                forecast.lower_80,
                forecast.upper_80,
                forecast.lower_95,
                forecast.upper_95,
            )
        ),
    )


@cache
def _models() -> ModuleType:
    """The library of models; the import takes seconds."""
    from statsforecast import models  # type: ignore[import-untyped]

    return models  # type: ignore[no-any-return]


def _smoothed(values: Values, horizon: int) -> Values:
    return _mean(_models().SimpleExponentialSmoothing(alpha=0.5), values, horizon)


def _average_rate(values: Values, horizon: int) -> Values:
    return _mean(_models().SimpleExponentialSmoothing(alpha=0.2), values, horizon)


def _last_year(values: Values, horizon: int) -> Values:
    return _mean(_models().SeasonalNaive(season_length=YEAR), values, horizon)


def _damped(values: Values, horizon: int) -> Values:
    return _mean(_models().AutoETS(season_length=YEAR, damped=True), values, horizon)


def _theta(values: Values, horizon: int) -> Values:
    return _mean(_models().DynamicOptimizedTheta(season_length=YEAR), values, horizon)


def _theta_without_season(values: Values, horizon: int) -> Values:
    return _mean(_models().DynamicOptimizedTheta(season_length=1), values, horizon)


def _theta_beside_season(values: Values, horizon: int) -> Values:
    trend = _models().DynamicOptimizedTheta(season_length=1)
    return _mean(_models().MSTL(season_length=YEAR, trend_forecaster=trend), values, horizon)


def _mean(model: object, values: Values, horizon: int) -> Values:
    return np.asarray(model.forecast(y=values, h=horizon)["mean"], dtype=np.float64)  # type: ignore[attr-defined]


MODELS: Mapping[Method, tuple[Model, ...]] = {
    Method.COMBINATION: (_damped, _theta, _theta_beside_season),
    Method.COMBINATION_WITHOUT_SEASON: (_smoothed, _theta_without_season),
    Method.SHORT_HISTORY: (_smoothed,),
}

# Months of history before an origin. Less than a year of history has no origins.
SMALLEST_TRAINING: Mapping[Method, int] = {
    Method.COMBINATION: 16,
    Method.COMBINATION_WITHOUT_SEASON: 8,
    Method.SHORT_HISTORY: YEAR,
}


def _combination(method: Method, values: Values, horizon: int) -> Forecast:
    """The mean of the models, weighted by the inverse of their mean error from earlier origins."""
    models = MODELS[method]
    forecasts = np.array([_attempt(model, values, horizon) for model in models])
    errors = _errors_from_origins(models, values, SMALLEST_TRAINING[method])
    has_worked = np.isfinite(forecasts).all(axis=1) & ~np.isinf(errors).any(axis=(0, 2))
    if not has_worked.any():
        return _combination(Method.COMBINATION_WITHOUT_SEASON, values, horizon)
    forecasts, errors = forecasts[has_worked], errors[:, has_worked]

    weights = np.ones(len(forecasts))
    if len(errors):
        mean_errors = np.nanmean(np.abs(errors), axis=(0, 2))
        # Avoids a division by zero: a model without errors gets almost all of the weight.
        weights = 1 / np.maximum(mean_errors, 1e-9 * mean_errors.max() + np.finfo(float).tiny)
    weights /= weights.sum()

    middle = weights @ forecasts
    spread = _spread(np.einsum("m,omh->oh", weights, errors), values, horizon)
    return Forecast(
        method,
        middle,
        lower_80=middle - BAND_80 * spread,
        upper_80=middle + BAND_80 * spread,
        lower_95=middle - BAND_95 * spread,
        upper_95=middle + BAND_95 * spread,
    )


def _intermittent(values: Values, horizon: int) -> Forecast:
    """The average rate, or a repetition of the last year; bands by the spread of the months."""
    now, year_before = values[YEAR:], values[:-YEAR]
    has_come_back = np.sum((now - year_before) ** 2) < np.sum((now - values.mean()) ** 2)
    if len(values) >= SHORTEST_FOR_SEASON and has_come_back:
        method = Method.INTERMITTENT_YEARLY
        middle = _last_year(values, horizon)
        errors = now - year_before
    else:
        method = Method.INTERMITTENT
        middle = _average_rate(values, horizon)
        errors = values[-OLDEST_ORIGIN:] - middle[0]
    lower_95, lower_80 = np.quantile(errors, [0.025, 0.1], method="lower")
    upper_80, upper_95 = np.quantile(errors, [0.9, 0.975], method="higher")
    # A bill that was the same to the cent every year may still be repriced.
    least_95 = PRESUMED_CHANGE * np.abs(middle)
    least_80 = least_95 * BAND_80 / BAND_95
    return Forecast(
        method,
        middle,
        lower_80=middle + np.minimum(lower_80, -least_80),
        upper_80=middle + np.maximum(upper_80, least_80),
        lower_95=middle + np.minimum(lower_95, -least_95),
        upper_95=middle + np.maximum(upper_95, least_95),
    )


def _errors_from_origins(
    models: tuple[Model, ...], values: Values, smallest_training: int
) -> Values:
    """Actual less forecast, by origin, model and months ahead; NaN after the history's end.

    Infinite if a model failed.
    """
    errors = []
    for months_back in range(ORIGIN_STEP, OLDEST_ORIGIN + 1, ORIGIN_STEP):
        training, actual = values[:-months_back], values[-months_back:][:ORIGIN_HORIZON]
        if len(training) < smallest_training:
            break
        forecasts = np.array([_attempt(model, training, ORIGIN_HORIZON) for model in models])
        error = np.full(forecasts.shape, np.nan)
        error[:, : len(actual)] = actual - forecasts[:, : len(actual)]
        error[~np.isfinite(forecasts).all(axis=1)] = np.inf
        errors.append(error)
    return np.array(errors).reshape(-1, len(models), ORIGIN_HORIZON)


def _attempt(model: Model, values: Values, horizon: int) -> Values:
    """The model's forecast; NaN if it finds none."""
    try:
        return model(values, horizon)
    except Exception:  # The library raises plain Exception if no variant of a model fits.
        return np.full(horizon, np.nan)


def _spread(errors: Values, values: Values, horizon: int) -> Values:
    """The mean absolute error to expect for each month ahead, as a + b sqrt(months ahead).

    Based on the errors by origin and months ahead, with the assumed error as one more origin.
    """
    ahead = np.arange(1, ORIGIN_HORIZON + 1)
    count = np.isfinite(errors).sum(axis=0) + 1
    total = np.nansum(np.abs(errors), axis=0) + _presumed_error(values, ahead)
    # Errors far ahead are larger and vary more, so they have less weight.
    weight = np.sqrt(count / ahead)
    from scipy.optimize import nnls  # type: ignore[import-untyped]

    terms = np.column_stack([np.ones(ORIGIN_HORIZON), np.sqrt(ahead)])
    (constant, growth), _ = nnls(terms * weight[:, None], total / count * weight)
    return np.asarray(constant + growth * np.sqrt(np.arange(1, horizon + 1)))


def _presumed_error(values: Values, ahead: npt.NDArray[np.int_]) -> Values:
    seen = np.abs(np.diff(values))
    usual_change = _usual_change(_level(values), seen.sum(), len(seen))
    return np.asarray(usual_change * _growth(ahead))


def _usual_change(level: Any, sum_of_changes: Any, change_count: Any) -> Any:
    """Typical monthly change: observed, and assumed for two more months.

    For one series or, given columns, for many.
    """
    presumed = PRESUMED_MONTHS * PRESUMED_CHANGE * level
    return (presumed + sum_of_changes) / (PRESUMED_MONTHS + change_count)


def _growth(ahead: Any) -> Any:
    return PRESUMED_ERROR * (1 + PRESUMED_GROWTH * np.sqrt(ahead))


def _level(values: Values) -> float:
    return float(np.abs(values[-YEAR:]).mean())


# --- many series, some of them without a statistical forecast ---------------------------


def _forecasts_of(
    histories: pd.DataFrame,
    to_come: pd.DataFrame,
    earlier: pd.DataFrame | None,
    processes: int,
    progress: Callable[[int, int], None],
) -> pd.DataFrame:
    """Forecasts of the histories for the future months, reused from `earlier` if available."""
    wanted = to_come.merge(_hashes(histories), on="unique_id")[["unique_id", "ds", "history_hash"]]
    keys = ["unique_id", "ds", "history_hash"]
    known = pd.DataFrame(columns=EXPECTED_COLUMNS)
    if earlier is not None and len(wanted):
        known = wanted.merge(earlier.astype(EXPECTED_TYPES), on=keys)
        # An earlier forecast may have a shorter horizon.
        month_counts = wanted["unique_id"].map(known["unique_id"].value_counts())
        is_whole = month_counts == wanted.groupby("unique_id")["ds"].transform("size")
        known = known[known["unique_id"].isin(wanted.loc[is_whole, "unique_id"])]
    missing = histories[~histories["unique_id"].isin(known["unique_id"])]
    if not len(missing):
        return known
    horizon = int(to_come.groupby("unique_id").size().max())
    made = forecast_monthly(missing, horizon, processes=processes, progress=progress)
    made = made.merge(wanted, on=["unique_id", "ds"])
    return pd.concat([known, made]) if len(known) else made


def _hashes(histories: pd.DataFrame) -> pd.DataFrame:
    """A hash per series of its months and of the code that forecasts them."""
    code = hashlib.sha256(Path(__file__).read_bytes()).digest()
    rows = [
        (
            name,
            hashlib.sha256(code + str(one["ds"].iloc[0]).encode() + one["y"].to_numpy().tobytes()),
        )
        for name, one in histories.groupby("unique_id")
    ]
    return pd.DataFrame(
        [(name, digest.hexdigest()) for name, digest in rows], columns=["unique_id", "history_hash"]
    )


def _has_begun(values: "pd.Series[float]") -> "pd.Series[bool]":
    return (values != 0).cummax()


def _is_forecastable(values: "pd.Series[float]") -> bool:
    return len(values) >= SHORTEST_FOR_MODELS and not _is_intermittent(values.to_numpy())


def _around(expected: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """The expected months, with the bands of histories that are too short to measure errors."""
    # Without a history, the future months are the only data.
    seen = pd.concat([known, expected[~expected["unique_id"].isin(known["unique_id"])]])
    by_name = seen.groupby("unique_id")["y"]
    changes = by_name.diff().abs().groupby(seen["unique_id"])
    level = seen.groupby("unique_id").tail(YEAR).groupby("unique_id")["y"].agg(_mean_size)
    usual_change = _usual_change(level, changes.sum(), changes.count())
    least = pd.concat([seen, expected]).groupby("unique_id")["y"].min()

    name = expected["unique_id"]
    ahead = expected.groupby("unique_id").cumcount() + 1
    spread = name.map(usual_change) * _growth(ahead)
    floor = np.where(name.map(least) >= 0, 0.0, -np.inf)
    middle = expected["y"]
    return pd.DataFrame(
        {
            "unique_id": name,
            "ds": expected["ds"],
            "forecast": middle,
            "lower_80": np.maximum(middle - BAND_80 * spread, floor),
            "upper_80": middle + BAND_80 * spread,
            "lower_95": np.maximum(middle - BAND_95 * spread, floor),
            "upper_95": middle + BAND_95 * spread,
            "method": str(Method.COMMITTED_SPEND),
            "history_hash": None,
        },
        columns=EXPECTED_COLUMNS,
    )


def _mean_size(values: "pd.Series[float]") -> float:
    return float(values.abs().mean())
