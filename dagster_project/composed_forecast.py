"""Forecast of a month, composed of known charges, seat changes and usage.

Belongs here: the composition and its bands. Does not belong here: statistics of a single history
(forecasting), the known charges (dbt/models/intermediate/commitments), Dagster, the database.

A month is the sum of
  committed    charges that are owed: certain, without a band
  renewal      charges after a term, times the organization's renewal rate
  seat change  growth or decline of seats and price, continued from the recurring cost
  usage        metered usage, continued from its own history
One-time charges and refunds of the past are in neither of the two histories.

Known charges determine the level, so that new seats count in full from their first month. The
statistical forecast only determines the change relative to that level. For this purpose, earlier
changes of the level (a purchase, a merger, a new price) are removed from the history: months before
them are scaled to the level after them.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]

from dagster_project import forecasting
from dagster_project.forecasting import BAND_COLUMNS, YEAR, Method, ModelSet, Values

HISTORY_COLUMNS = ["recurring_cost", "usage_cost"]
KNOWN_COLUMNS = ["committed_cost", "renewal_cost", "usage_cost", "renewal_variance"]
INPUT_COLUMNS = [
    "unique_id",
    "ds",
    "is_history",
    "cost",
    "recurring_cost",
    "usage_cost",
    "committed_cost",
    "renewal_cost",
    "renewal_variance",
]
COMPOSED_TYPES = {
    "unique_id": "string",
    "ds": "datetime64[us]",
    **dict.fromkeys(["seat_change_cost", "usage_cost", *BAND_COLUMNS], "float64"),
    "method": "string",
    "history_hash": "string",
}

SALES = "sales:"
"""The begin of the id of a series of sales."""

# Half a year shows a direction; a shorter history does not change the known charges.
SHORTEST_FOR_SEAT_CHANGE = 6

# A change of the level differs from the usual monthly changes: it is more than four times their
# mean, or there are fewer than three others. A similar change a year before or after is a season.
LEVEL_CHANGE = 4.0
FEWEST_USUAL_CHANGES = 3
LEAST_CHANGE = 0.001

# Standard deviations below the mean that hold 90 and 97.5 of 100 cases of a normal distribution.
NORMAL_80, NORMAL_95 = 1.2816, 1.9600

Bands = tuple[Values, Values, Values, Values]


@dataclass(frozen=True)
class _Series:
    """One series: an array element per month, oldest first; amounts by column."""

    name: str
    months: Any
    is_history: Any
    amounts: Mapping[str, Values]

    def past(self, column: str) -> Values:
        """The amounts of the months of the history."""
        return np.asarray(self.amounts[column][self.is_history])

    def future(self, column: str) -> Values:
        """The amounts of the months to forecast."""
        return np.asarray(self.amounts[column][~self.is_history])

    @cached_property
    def histories(self) -> dict[str, Values]:
        """The histories that can be continued."""
        histories = {}
        recurring = np.trim_zeros(self.past("recurring_cost"), "f")
        if len(recurring) >= SHORTEST_FOR_SEAT_CHANGE and not forecasting.is_intermittent(
            recurring
        ):
            level = without_level_changes(recurring)
            if len(level) >= SHORTEST_FOR_SEAT_CHANGE:
                histories["recurring"] = level
        usage = np.trim_zeros(self.past("usage_cost"), "f")
        if len(usage) >= YEAR and not forecasting.is_intermittent(usage):
            histories["usage"] = usage
        return histories


@dataclass(frozen=True)
class _Statistics:
    """The statistical forecast of a history, an array element per month."""

    method: str
    middle: Values
    bands: Mapping[str, Values]


def months_of(series: pd.DataFrame) -> pd.DataFrame:
    """The months to compose, for series as `int_forecast_series` has them: INPUT_COLUMNS.

    Sales of cost centers are forecast from their own history and known sales. A forecast in
    proportion to the cost would show customers how the cost develops. The id of such a series
    begins with SALES.
    """
    of_cost = series.rename(columns={"series_id": "unique_id", "month": "ds"})
    is_sold = series["sales"].notna().groupby(series["series_id"]).transform("any")
    of_sales = of_cost[is_sold & series["is_latest"] & (series["level"] == "cost_center")]
    sales, is_history = of_sales["sales"].astype("float64").fillna(0.0), of_sales["is_history"]
    past, owed = sales.where(is_history, 0.0), of_sales["committed_sales"].astype("float64")
    of_sales = of_sales.assign(
        unique_id=SALES + of_sales["unique_id"],
        cost=past,
        recurring_cost=past,
        usage_cost=0.0,
        committed_cost=owed,
        renewal_cost=sales.where(~is_history, 0.0) - owed,
        renewal_variance=0.0,
    )
    return pd.concat([of_cost[INPUT_COLUMNS], of_sales[INPUT_COLUMNS]], ignore_index=True)


def typical_changes(months: pd.DataFrame) -> list[float]:
    """The typical change of each series of a year or more, from which the usual one follows."""
    return forecasting.typical_changes(map(_continued, _read(months)))


def compose(
    months: pd.DataFrame,
    earlier: pd.DataFrame | None = None,
    *,
    models: str = ModelSet.FAST,
    usual_change: float | None = None,
    processes: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> pd.DataFrame:
    """The composed forecast of each series, one row per future month.

    `months` has one row per series and month, without gaps: unique_id, ds, is_history; in the
    history cost (all of it), recurring_cost (of products that are still charged, without one-time
    charges) and usage_cost; in the future committed_cost, renewal_cost (times the renewal rate),
    renewal_variance and usage_cost (recent average, for a short history of usage).

    Returns COMPOSED_TYPES: seat_change_cost and usage_cost complete committed_cost and
    renewal_cost; the bands hold the sum of the four. No band is below the committed cost.
    `method` is that of the seat change, of usage without one, else COMMITTED_SPEND. `earlier` is a
    previous result; series with the same history_hash are reused. `usual_change` is by default that
    of the series in `months`; parts of all series need that of all.

    Raises a HistoryRefused that names the series and the month.
    """
    all_series = _read(months)
    if usual_change is None:
        usual_change = forecasting.usual_change_of(map(_continued, all_series))
    hashes = _hashes(all_series, ModelSet(models), usual_change)
    known = _reusable(hashes, earlier)
    known_names = set(known["unique_id"])
    missing = [one for one in all_series if one.name not in known_names]
    made = [known] if len(known) else []
    if missing:
        statistics = _statistics(missing, ModelSet(models), usual_change, processes, progress)
        columns = [_one(one, statistics, usual_change, hashes[one.name]) for one in missing]
        made.append(
            pd.DataFrame(
                {name: np.concatenate([each[name] for each in columns]) for name in COMPOSED_TYPES}
            )
        )
    if not made:
        made = [pd.DataFrame(columns=list(COMPOSED_TYPES))]
    result = pd.concat(made)[list(COMPOSED_TYPES)].astype(COMPOSED_TYPES)
    return result.sort_values(["unique_id", "ds"], ignore_index=True)


def _read(months: pd.DataFrame) -> list[_Series]:
    """The series in order of name; raises HistoryRefused."""
    rows = months[INPUT_COLUMNS].sort_values(["unique_id", "ds"], ignore_index=True)
    forecasting.refuse_incomplete(rows[["unique_id", "ds"]])
    numbers = [column for column in INPUT_COLUMNS if column.endswith(("cost", "variance"))]
    rows[numbers] = rows[numbers].astype("float64").fillna(0.0)
    return list(_each_series(rows, numbers))


def _continued(series: _Series) -> Values:
    """The part of a past cost that a forecast continues."""
    return series.past("recurring_cost") + series.past("usage_cost")


def _each_series(rows: pd.DataFrame, numbers: list[str]) -> Iterator[_Series]:
    """The series of rows that are sorted by series and month.

    Slices of arrays: a data frame for each of thousands of series would take most of the time.
    """
    months = rows["ds"].to_numpy()
    is_history = rows["is_history"].to_numpy(dtype=bool)
    amounts = {name: rows[name].to_numpy() for name in numbers}
    for name, part in forecasting.slices_of(rows["unique_id"]):
        yield _Series(
            name,
            months[part],
            is_history[part],
            {column: values[part] for column, values in amounts.items()},
        )


def without_level_changes(values: Values) -> Values:
    """A recurring cost, scaled so that it has no change of level and ends with its last month.

    Months without cost, or with more refunds than charges, repeat the month before them.
    """
    filled = values.copy()
    for at in np.flatnonzero(filled <= 0):
        filled[at] = filled[at - 1] if at else 0.0
    filled = filled[np.argmax(filled > 0) :]
    changes = np.diff(np.log(filled))
    sizes = np.abs(changes)
    is_change = sizes > LEAST_CHANGE
    others = np.maximum(is_change.sum() - is_change, 1)
    usual = (sizes[is_change].sum() - sizes * is_change) / others
    is_level = is_change & ((others < FEWEST_USUAL_CHANGES) | (sizes > LEVEL_CHANGE * usual))
    is_level &= ~_is_season(changes)
    # Sums from the end, so that the last month stays.
    later = np.cumsum(np.where(is_level, changes, 0.0)[::-1])[::-1]
    return np.asarray(filled * np.exp(np.append(later, 0.0)))


def _onto_last_month(level: Values, forecast: float) -> float:
    """The factor that lets a forecast continue from the last month instead of a smoothed level.

    Known seats are not noise. A first step that differs from the mean change of the last year by
    no more than twice the usual deviation is replaced by that mean; a larger one, such as the
    start of a season, is reduced by it.
    """
    if forecast <= 0:
        return 1.0
    changes = np.diff(np.log(level))
    usual = 2 * 1.4826 * float(np.median(np.abs(changes - np.median(changes))))
    step = float(np.log(forecast / level[-1]) - changes[-YEAR:].mean())
    return float(np.exp(-np.clip(step, -usual, usual)))


def _is_season(changes: Values) -> Any:
    """Whether a change recurs a year before or after, in the same direction and like size."""
    is_season = np.zeros(len(changes), dtype=bool)
    now, before = changes[YEAR:], changes[:-YEAR]
    with np.errstate(all="ignore"):
        is_alike = (now * before > 0) & (np.abs(np.log(now / before)) < np.log(2))
    is_season[YEAR:] |= is_alike
    is_season[:-YEAR] |= is_alike
    return is_season


def _statistics(
    series: list[_Series],
    models: ModelSet,
    usual_change: float,
    processes: int,
    progress: Callable[[int, int], None],
) -> dict[str, _Statistics]:
    """The forecasts of the recurring and usage histories, by part and series."""
    histories = [
        (
            f"{part}:{one.name}",
            forecasting.months_until(one.months[one.is_history][-1], len(values)),
            values,
        )
        for one in series
        for part, values in one.histories.items()
    ]
    horizon = max(int((~one.is_history).sum()) for one in series)
    if not histories or not horizon:
        return {}
    forecasts = forecasting.forecast_monthly(
        pd.DataFrame(
            {
                "unique_id": np.repeat(
                    np.array([name for name, _, _ in histories], dtype=object),
                    [len(values) for _, _, values in histories],
                ),
                "ds": np.concatenate([months for _, months, _ in histories]),
                "y": np.concatenate([values for _, _, values in histories]),
            }
        ),
        horizon,
        models=models,
        usual_change=usual_change,
        processes=processes,
        progress=progress,
    )
    methods = forecasts["method"].to_numpy()
    middle = forecasts["forecast"].to_numpy()
    bands = {band: forecasts[band].to_numpy() for band in BAND_COLUMNS}
    return {
        name: _Statistics(
            str(methods[part][0]),
            middle[part],
            {band: values[part] for band, values in bands.items()},
        )
        for name, part in forecasting.slices_of(forecasts["unique_id"])
    }


def _one(
    series: _Series, statistics: dict[str, _Statistics], usual_change: float, history_hash: str
) -> dict[str, Any]:
    """The composed forecast of one series: an array of each of COMPOSED_TYPES."""
    recurring = statistics.get(f"recurring:{series.name}")
    usage = statistics.get(f"usage:{series.name}")
    count = int((~series.is_history).sum())
    committed = series.future("committed_cost")
    base = committed + series.future("renewal_cost")
    seat_change = np.zeros(count)
    expected_usage = series.future("usage_cost")
    errors: list[Bands] = []
    method = Method.COMMITTED_SPEND
    if usage is not None:
        expected_usage = usage.middle[:count]
        errors.append(_around(usage, 1.0, count))
        method = Method(usage.method)
    if recurring is not None:
        level = series.histories["recurring"]
        ratio = base / level[-1] * _onto_last_month(level, float(recurring.middle[0]))
        # Owed charges cannot decline.
        seat_change = np.maximum(ratio * recurring.middle[:count], committed) - base
        errors.append(_around(recurring, ratio, count))
        method = Method(recurring.method)
    # What is not continued has the band of a short history; for all of it, one-time charges count,
    # too, because they may come again.
    unknown = [
        column
        for column, known in (("recurring_cost", recurring), ("usage_cost", usage))
        if known is None
    ]
    expected = np.zeros(count)
    expected += base if recurring is None else 0.0
    expected += expected_usage if usage is None else 0.0
    if len(unknown) == len(HISTORY_COLUMNS):
        errors.append(_presumed(series.past("cost"), expected, usual_change))
    elif unknown and expected.any():
        errors.append(_presumed(series.past(unknown[0]), expected, usual_change))

    deviation = np.sqrt(series.future("renewal_variance"))
    zeros = np.zeros(count)
    errors.append((NORMAL_80 * deviation, zeros, NORMAL_95 * deviation, zeros))
    below_80, above_80, below_95, above_95 = (
        np.sqrt(sum(error[side] ** 2 for error in errors)) for side in range(4)
    )
    total = base + seat_change + expected_usage
    floor = np.minimum(committed + np.minimum(expected_usage, 0.0), total)
    return {
        "unique_id": np.full(count, series.name, dtype=object),
        "ds": series.months[~series.is_history],
        "seat_change_cost": seat_change,
        "usage_cost": expected_usage,
        "lower_80": np.maximum(total - below_80, floor),
        "upper_80": total + above_80,
        "lower_95": np.maximum(total - below_95, floor),
        "upper_95": total + above_95,
        "method": np.full(count, str(method), dtype=object),
        "history_hash": np.full(count, history_hash, dtype=object),
    }


def _around(forecast: _Statistics, ratio: Any, count: int) -> Bands:
    """The distances of the bands from the forecast: lower and upper 80, lower and upper 95."""
    distances = [
        np.abs(forecast.bands[band] - forecast.middle)[:count] * ratio for band in BAND_COLUMNS
    ]
    return distances[0], distances[1], distances[2], distances[3]


def _presumed(history: Values, expected: Values, usual_change: float) -> Bands:
    """The distances of the bands around a history that is too short to measure errors."""
    history = np.trim_zeros(history, "f")
    values = history if len(history) else expected
    spread = forecasting.presumed_spread(values, len(expected), usual_change)
    distances = forecasting.band_distances(spread)
    return tuple(distances[band] for band in BAND_COLUMNS)  # type: ignore[return-value]


def _hashes(series: list[_Series], models: ModelSet, usual_change: float) -> dict[str, str]:
    """A hash per series of its months, the settings and the code that forecasts them.

    The usual change of other histories counts only for series whose own errors are not measured.
    """
    files = (Path(__file__), Path(str(forecasting.__file__)))
    code = b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)
    code += models.encode()
    hashes = {}
    for one in series:
        digest = hashlib.sha256(code + str(one.months[0]).encode())
        digest.update(one.is_history.tobytes())
        for values in one.amounts.values():
            digest.update(values.tobytes())
        if not _is_measured(one):
            digest.update(str(usual_change).encode())
        hashes[one.name] = digest.hexdigest()
    return hashes


def _is_measured(series: _Series) -> bool:
    """Whether the bands of a series follow from its own history alone."""
    has_usage = series.amounts["usage_cost"].any()
    return len(series.histories.get("recurring", ())) >= YEAR and (
        "usage" in series.histories or not has_usage
    )


def _reusable(hashes: Mapping[str, str], earlier: pd.DataFrame | None) -> pd.DataFrame:
    """The rows of an earlier result whose series are unchanged."""
    if earlier is None or not len(earlier):
        return pd.DataFrame(columns=list(COMPOSED_TYPES))
    rows = earlier[list(COMPOSED_TYPES)].astype(COMPOSED_TYPES)
    # A map of no hashes would be a column of floats.
    present = [hashes.get(name) for name in rows["unique_id"]]
    return rows[[old == new for old, new in zip(rows["history_hash"], present, strict=True)]]
