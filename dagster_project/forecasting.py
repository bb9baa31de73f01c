"""Forecast of a monthly history with bands: statistics on numbers.

Belongs here: choice of models, their weights, width of the bands. Does not belong here: Dagster,
the database, exact amounts (a forecast is an estimate, so it is a float), and known future costs
such as committed spend.

A series of a year or more is forecast independently of all others. The order of the rows and the
number of processes do not change any result. Importing the library of models (statsforecast) takes
seconds, so it is imported only for series that need it.

Method: the mean of a few simple models with different errors, which has outperformed the choice of
the best model since the M competitions (Petropoulos and Svetunkov 2020, "A simple combination of
univariate models", for M4). Models are the dynamic optimized theta method on the series, on the
series without its STL season, and on sums of two and three months without their multiplicative
season (temporal aggregation: Kourentzes, Petropoulos and Trapero 2014), and, in the accurate set,
damped exponential smoothing. AutoARIMA takes longer than all others together and is left out.

Bands: the errors of a smoothed level from all earlier months of the series measure its
uncertainty; fixed factors, for each side and horizon, make bands of them. The factors were measured
on the last 18 months of the training parts of M3, forecast from before them. Sets of models and
factors were also compared on the test parts of one half of M3, so that errors on the other half are
the fair measure. `benchmarks/forecast_m3.py` measures errors and bands of this implementation.
"""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from itertools import pairwise, repeat
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd  # type: ignore[import-untyped]

from dagster_project.errors import ApportionError

Values = npt.NDArray[np.float64]

HISTORY_COLUMNS = ["unique_id", "ds", "y"]
BAND_COLUMNS = ["lower_80", "upper_80", "lower_95", "upper_95"]
FORECAST_COLUMNS = ["unique_id", "ds", "forecast", *BAND_COLUMNS, "method"]

YEAR = 12

# A shorter history leaves no months to measure errors.
SHORTEST_FOR_MODELS = YEAR

# A season that was observed once cannot be distinguished from chance.
SHORTEST_FOR_SEASON = 2 * YEAR

# Demand is intermittent if it occurs less often than every 1.32 months (Syntetos, Boylan and
# Croston 2005, "On the categorization of demand patterns").
SMALLEST_INTERMITTENT_GAP = 1.32

# A multiplicative season needs each month of the year at least twice, beside a centered year.
SHORTEST_FOR_INDICES = 3 * YEAR

# Bands measure the errors of the last five years, up to 18 months ahead.
LATEST_ORIGINS = 60
ERROR_HORIZON = 18
FIRST_ORIGIN = 6

# Factors on the mean absolute error of a smoothed level, for 80 and 95 of 100 actuals. An actual
# far above is more likely many months ahead than soon, so the upper factors grow with each month.
LOWER_80, LOWER_95 = 1.50, 2.60
UPPER_80, UPPER_95 = 1.45, 2.70
UPPER_GROWTH = 0.025

# Changes of a history below a year are completed by three months of the usual relative change of
# like histories. Without such histories, the usual change is presumed. The error h months ahead is
# 0.95 (1 + 0.25 sqrt(h)) times the typical change: measured on stretches of 2 to 11 months of the
# training parts of M3, where 10 % of the actuals are below the 80 % bands and 12 % above.
PRESUMED_CHANGE = 0.15
PRESUMED_MONTHS = 3
FEWEST_LIKE_HISTORIES = 5
SHORT_ERROR = 0.95
SHORT_GROWTH = 0.25

# To start a process takes longer than to forecast so many series.
FEWEST_FOR_PROCESSES = 200

# The slope of a short history fades by this factor each month.
DAMPING = 0.95


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
    """Mean of models with season. Two years of history or more."""

    COMBINATION_WITHOUT_SEASON = "combination_without_season"
    """Mean of two models without season. One to two years of history."""

    SHORT_HISTORY = "short_history"
    """Smoothed level and slope, with bands of like histories. Less than a year."""

    INTERMITTENT = "intermittent"
    """Average rate; the bands are the spread of the months."""

    INTERMITTENT_YEARLY = "intermittent_yearly"
    """Most months have no cost, and costs recur yearly: repeats the last year."""

    COMMITTED_SPEND = "committed_spend"
    """The known future cost, because the history is short or intermittent."""


class ModelSet(StrEnum):
    """The models of a forecast: their errors differ little, their time much."""

    FAST = "fast"
    """Theta models only: about 10 ms a series."""

    ACCURATE = "accurate"
    """With exponential smoothing: about 50 ms a series."""


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
    models: str = ModelSet.ACCURATE,
    usual_change: float | None = None,
    processes: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> pd.DataFrame:
    """Forecast each series for the `horizon` months after its last month.

    `history`: unique_id, ds (first day of a month), y (any number, also Decimal); one row per
    series and month without gaps, in any order. Returns unique_id, ds, forecast, lower_80,
    upper_80, lower_95, upper_95 (in the unit of y) and method (a `Method`), sorted by unique_id
    and ds. lower_95 <= lower_80 <= forecast <= upper_80 <= upper_95. No value is negative if the
    history has no negative value.

    `models` is a `ModelSet`. `usual_change` is the monthly change of like histories, as a part of
    their level, for the bands of series below a year; by default that of the longer series of the
    history (`usual_change_of`). `processes` distributes the series over that many processes; the
    result is the same. `progress` is called with the number of completed and of all series.

    Raises NoHorizon, and a HistoryRefused that names the series and the month.
    """
    if not isinstance(horizon, int) or isinstance(horizon, bool) or horizon < 1:
        raise NoHorizon(f"cannot forecast {horizon!r} months: give a whole number from 1")
    rows = _checked(history)
    series = list(slices_of(rows["unique_id"]))
    amounts, months = rows["y"].to_numpy(), rows["ds"].to_numpy()
    values = [amounts[part] for _, part in series]
    if usual_change is None:
        usual_change = usual_change_of(values)
    forecasts = []
    for forecast in _forecasts(values, horizon, ModelSet(models), usual_change, processes):
        forecasts.append(forecast)
        progress(len(forecasts), len(series))
    if not forecasts:
        return pd.DataFrame(columns=FORECAST_COLUMNS)
    names = np.array([name for name, _ in series], dtype=object)
    last_months = months[[part.stop - 1 for _, part in series]].astype("datetime64[M]")
    ahead = last_months[:, None] + np.arange(1, horizon + 1)
    return pd.DataFrame(
        {
            "unique_id": np.repeat(names, horizon),
            "ds": ahead.ravel().astype("datetime64[us]"),
            "forecast": np.concatenate([each.middle for each in forecasts]),
            **{
                band: np.concatenate([getattr(each, band) for each in forecasts])
                for band in BAND_COLUMNS
            },
            "method": np.repeat([str(each.method) for each in forecasts], horizon),
        },
        columns=FORECAST_COLUMNS,
    )


def slices_of(names: "pd.Series[str]") -> Iterator[tuple[str, slice]]:
    """Each name of a sorted column with the slice of its rows."""
    values = names.to_numpy(dtype=object)
    if not len(values):
        return
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1])).tolist()
    for start, stop in pairwise([*starts, len(values)]):
        yield str(values[start]), slice(start, stop)


def months_until(last_month: Any, count: int) -> Any:
    """The first days of `count` months, of which `last_month` is the last."""
    last = np.datetime64(last_month, "M")
    return np.arange(last - count + 1, last + 1).astype("datetime64[us]")


def usual_change_of(histories: Iterable[Values]) -> float:
    """The median monthly change of the histories of a year or more, as a part of their level.

    In whole hundredths, so that a small difference in one history does not change all others.
    PRESUMED_CHANGE if there are few such histories.
    """
    return usual_of(typical_changes(histories))


def typical_changes(histories: Iterable[Values]) -> list[float]:
    """The mean monthly change of each history of a year or more, as a part of its level."""
    return [
        float(np.abs(np.diff(values)).mean()) / level
        for values in (np.trim_zeros(one, "f") for one in histories)
        if len(values) >= SHORTEST_FOR_MODELS and (level := _level(values)) > 0
    ]


def usual_of(changes: Sequence[float]) -> float:
    """The usual one of typical changes: see `usual_change_of`."""
    if len(changes) < FEWEST_LIKE_HISTORIES:
        return PRESUMED_CHANGE
    return round(float(np.median(changes)), 2)


def presumed_spread(values: Values, horizon: int, usual_change: float) -> Values:
    """The mean absolute error to expect for each month ahead of a short history."""
    changes = np.abs(np.diff(values))
    presumed = PRESUMED_MONTHS * usual_change * _level(values)
    change = (presumed + changes.sum()) / (PRESUMED_MONTHS + len(changes))
    ahead = np.arange(1, horizon + 1)
    return np.asarray(change * SHORT_ERROR * (1 + SHORT_GROWTH * np.sqrt(ahead)))


def band_distances(spread: Values) -> dict[str, Values]:
    """The distances of the bands from the middle, for a mean absolute error by month ahead."""
    growth = UPPER_GROWTH * np.arange(len(spread))
    return {
        "lower_80": LOWER_80 * spread,
        "upper_80": UPPER_80 * (1 + growth) * spread,
        "lower_95": LOWER_95 * spread,
        "upper_95": UPPER_95 * (1 + growth) * spread,
    }


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
    refuse_incomplete(rows)
    return rows


def refuse_incomplete(rows: pd.DataFrame) -> None:
    """Refuse repeated and missing months; the rows are sorted by unique_id and ds."""
    is_repeated = rows.duplicated(["unique_id", "ds"])
    _refuse_first(MonthRepeated, rows, is_repeated, "has more than one value")

    month_number = rows["ds"].dt.year * YEAR + rows["ds"].dt.month
    is_after_gap = month_number.groupby(rows["unique_id"]).diff().fillna(1) != 1
    _refuse_first(MonthsMissing, rows, is_after_gap, "does not follow the previous month")


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


def _forecasts(
    values: list[Values], horizon: int, models: ModelSet, usual_change: float, processes: int
) -> Iterator[Forecast]:
    arguments = (values, repeat(horizon), repeat(models), repeat(usual_change))
    if processes < 2 or len(values) < FEWEST_FOR_PROCESSES:
        yield from map(_forecast, *arguments)
        return
    # Forking a process with threads (such as Dagster) can hang; spawning cannot.
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawning) as pool:
        yield from pool.map(_forecast, *arguments, chunksize=16)


# --- one series ----------------------------------------------------------------------


def is_intermittent(values: Values) -> bool:
    """Whether many months are without cost."""
    return bool(len(values) > SMALLEST_INTERMITTENT_GAP * np.count_nonzero(values))


def _forecast(values: Values, horizon: int, models: ModelSet, usual_change: float) -> Forecast:
    """Forecast one series; `values` by month, oldest first, at least one."""
    # Months before the first cost carry no information about the cost.
    since_first_cost = np.trim_zeros(values, "f") if values.any() else values
    # Optimizers stop at fixed tolerances, so every series is scaled to about a thousand;
    # at about one they stop early. A power of two changes no digit.
    mean = np.abs(since_first_cost).mean()
    size = 2.0 ** (np.round(np.log2(mean)) - 10) if mean else 1.0
    scaled = since_first_cost / size
    floor = 0.0 if (values >= 0).all() else -np.inf

    # Constant series divide zero by zero in an autocorrelation.
    with np.errstate(all="ignore"):
        if len(scaled) < SHORTEST_FOR_MODELS:
            forecast = _short(scaled, horizon, usual_change, floor)
        elif is_intermittent(scaled):
            forecast = _intermittent(scaled, horizon)
        else:
            forecast = _combination(scaled, horizon, models, floor)
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


def _with_bands(method: Method, middle: Values, spread: Values, floor: float) -> Forecast:
    """Bands around the middle, which is not below the floor, so that a decline to zero has one."""
    middle = np.maximum(middle, floor)
    distances = band_distances(spread)
    return Forecast(
        method,
        middle,
        lower_80=middle - distances["lower_80"],
        upper_80=middle + distances["upper_80"],
        lower_95=middle - distances["lower_95"],
        upper_95=middle + distances["upper_95"],
    )


# --- models --------------------------------------------------------------------------


@cache
def _library() -> ModuleType:
    """The library of models; the import takes seconds."""
    from statsforecast import models  # type: ignore[import-untyped]

    return models  # type: ignore[no-any-return]


def _theta(values: Values, horizon: int, season: int = 1) -> Values:
    return _mean(_library().DynamicOptimizedTheta(season_length=season), values, horizon)


def _damped(values: Values, horizon: int) -> Values:
    return _mean(_library().AutoETS(season_length=YEAR, damped=True), values, horizon)


def _theta_of_sums(values: Values, horizon: int, size: int) -> Values:
    """The theta method on means of `size` months, which have less noise."""
    count = len(values) // size
    means = values[len(values) - count * size :].reshape(count, size).mean(axis=1)
    return np.repeat(_theta(means, -(-horizon // size)), size)[:horizon]


def _mean(model: object, values: Values, horizon: int) -> Values:
    return np.asarray(model.forecast(y=values, h=horizon)["mean"], dtype=np.float64)  # type: ignore[attr-defined]


def _attempt(model: Callable[[], Values], horizon: int) -> Values:
    """The model's forecast; NaN if it finds none."""
    try:
        return model()
    except Exception:  # The library raises plain Exception if no variant of a model fits.
        return np.full(horizon, np.nan)


def _additive_season(values: Values) -> Values:
    from statsmodels.tsa.seasonal import STL  # type: ignore[import-untyped]

    return np.asarray(STL(values, period=YEAR, seasonal=11).fit().seasonal)


def _multiplicative_season(values: Values) -> Values:
    """An index for each month of the year, from the first month of the values on.

    Ratios to a centered mean of a year, shrunk towards 1 by their own uncertainty (Miller and
    Williams 2003, "Shrinkage estimators of time series seasonal factors").
    """
    weights = np.ones(YEAR + 1)
    weights[[0, -1]] = 0.5
    half = YEAR // 2
    trend = np.convolve(values, weights / YEAR, "valid")
    ratios = values[half : len(values) - half] / trend
    month = np.arange(half, len(values) - half) % YEAR
    by_month = [ratios[month == number] for number in range(YEAR)]
    indices = np.array([each.mean() for each in by_month])
    indices /= indices.mean()
    noise = np.mean([each.var(ddof=1) / len(each) for each in by_month])
    signal = max(float(np.mean((indices - 1) ** 2)), np.finfo(float).tiny)
    shrinkage = max(0.0, 1 - 0.75 * float(noise) / signal)
    return np.asarray(1 + shrinkage * (indices - 1))


def _combination(values: Values, horizon: int, models: ModelSet, floor: float) -> Forecast:
    """The mean of the models, with bands by the errors of a smoothed level."""
    has_season = len(values) >= SHORTEST_FOR_SEASON
    method = Method.COMBINATION if has_season else Method.COMBINATION_WITHOUT_SEASON
    if np.ptp(values) <= 1e-9 * np.abs(values).max():
        middle = np.full(horizon, values[-1])
        return _with_bands(method, middle, _constant_spread(values, horizon), floor)
    level = values
    if not has_season:
        forecasts = [
            np.full(horizon, _smoothed(values)[-1]),
            _attempt(lambda: _theta(values, horizon), horizon),
        ]
    else:
        season = _additive_season(values)
        ahead = season[-YEAR:][np.arange(horizon) % YEAR]
        level = values - season
        forecasts = [
            _attempt(lambda: _theta(values, horizon, YEAR), horizon),
            _attempt(lambda: ahead + _theta(values - season, horizon), horizon),
        ]
        if len(values) >= SHORTEST_FOR_INDICES and (values > 0).all():
            indices = _multiplicative_season(values)
            level = values / indices[np.arange(len(values)) % YEAR]
            to_come = indices[np.arange(len(values), len(values) + horizon) % YEAR]
            for size in (2, 3) if models is ModelSet.FAST else (3,):
                of_sums = partial(_theta_of_sums, level, horizon, size)
                forecasts.append(to_come * _attempt(of_sums, horizon))
        if models is ModelSet.ACCURATE:
            forecasts.append(_attempt(lambda: _damped(values, horizon), horizon))
    worked = [forecast for forecast in forecasts if np.isfinite(forecast).all()]
    if not worked:
        worked = [np.full(horizon, _smoothed(values)[-1])]
    return _with_bands(method, np.mean(worked, axis=0), _spread(level, horizon), floor)


def _short(values: Values, horizon: int, usual_change: float, floor: float) -> Forecast:
    """A smoothed level that continues the slope of a short history, as far as it is certain."""
    level = _smoothed(values)[-1]
    changes = np.diff(values)
    slope = 0.0
    if len(changes) > 1:
        mean = changes.mean()
        noise = changes.var(ddof=1) / len(changes)
        # Positive-part shrinkage: a slope within its own uncertainty is none.
        slope = mean * max(0.0, 1 - noise / mean**2) if mean else 0.0
    # The smoothed level lags behind a slope by one month of it.
    steps = 1 + np.cumsum(DAMPING ** np.arange(1, horizon + 1))
    spread = presumed_spread(values, horizon, usual_change)
    return _with_bands(Method.SHORT_HISTORY, level + slope * steps, spread, floor)


def _smoothed(values: Values, weight: float = 0.5) -> Values:
    """The exponentially smoothed level of each month."""
    level = np.empty(len(values))
    level[0] = values[0]
    for at in range(1, len(values)):
        level[at] = level[at - 1] + weight * (values[at] - level[at - 1])
    return level


def _intermittent(values: Values, horizon: int) -> Forecast:
    """The average rate, or a repetition of the last year; bands by the spread of the months."""
    now, year_before = values[YEAR:], values[:-YEAR]
    has_come_back = np.sum((now - year_before) ** 2) < np.sum((now - values.mean()) ** 2)
    if len(values) >= SHORTEST_FOR_SEASON and has_come_back:
        method = Method.INTERMITTENT_YEARLY
        middle = values[-YEAR:][np.arange(horizon) % YEAR]
        errors = now - year_before
    else:
        method = Method.INTERMITTENT
        middle = np.full(horizon, _smoothed(values, 0.2)[-1])
        errors = values[-3 * YEAR :] - middle[0]
    lower_95, lower_80 = np.quantile(errors, [0.025, 0.1], method="lower")
    upper_80, upper_95 = np.quantile(errors, [0.9, 0.975], method="higher")
    # A bill that was the same to the cent every year may still be repriced.
    least_95 = PRESUMED_CHANGE * np.abs(middle)
    least_80 = least_95 * LOWER_80 / LOWER_95
    return Forecast(
        method,
        middle,
        lower_80=middle + np.minimum(lower_80, -least_80),
        upper_80=middle + np.maximum(upper_80, least_80),
        lower_95=middle + np.minimum(lower_95, -least_95),
        upper_95=middle + np.maximum(upper_95, least_95),
    )


# --- width of bands -------------------------------------------------------------------


def _spread(level: Values, horizon: int) -> Values:
    """The mean absolute error to expect for each month ahead, as a + b sqrt(months ahead).

    Measured as the error of the smoothed level, from every month of the history on.
    """
    smoothed = _smoothed(level)
    first = FIRST_ORIGIN if len(level) > 2 * FIRST_ORIGIN else 2
    ahead, errors, weights = [], [], []
    for months in range(1, min(ERROR_HORIZON, len(level) - first - 1) + 1):
        error = np.abs(level[first + months :] - smoothed[first : len(level) - months])
        error = error[-LATEST_ORIGINS:]
        ahead.append(months)
        errors.append(error.mean())
        # Errors far ahead are larger and vary more, so they have less weight.
        weights.append(np.sqrt(len(error) / months))
    from scipy.optimize import nnls  # type: ignore[import-untyped]

    weight = np.array(weights)
    terms = np.column_stack([np.ones(len(ahead)), np.sqrt(ahead)])
    (constant, growth), _ = nnls(terms * weight[:, None], np.array(errors) * weight)
    measured = constant + growth * np.sqrt(np.arange(1, horizon + 1))
    # One more month of the presumed change: a smooth history is not a certain future.
    return np.asarray((len(level) * measured + _constant_spread(level, horizon)) / (len(level) + 1))


def _constant_spread(values: Values, horizon: int) -> Values:
    """The mean absolute error to expect of a history without changes."""
    ahead = np.sqrt(np.arange(1, horizon + 1))
    change = PRESUMED_MONTHS * PRESUMED_CHANGE * _level(values) / (PRESUMED_MONTHS + len(values))
    return np.asarray(change * SHORT_ERROR * (1 + SHORT_GROWTH * ahead))


def _level(values: Values) -> float:
    return float(np.abs(values[-YEAR:]).mean())
