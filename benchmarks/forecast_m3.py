"""Measure the forecast on monthly series of the M3 competition, beside published figures.

    .venv/bin/python benchmarks/forecast_m3.py --series PATH

The series are not part of this project. PATH is a CSV with one row per series and the columns
series_id, values_train and values_test, the values separated by spaces. The measures are those of
the competition: sMAPE, mean of 200 |y - f| / (|y| + |f|), and MASE, mean of |y - f| over the mean
absolute change from the same month of the year before in the training part; both averaged over the
series. The figures to compare with come from the forecasts that the competition archived
(Makridakis and Hibon 2000, "The M3-Competition"), measured the same way.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[1]
FILE_VARIABLE = "APPORTION_M3_FILE"
COLUMNS = ["series_id", "values_train", "values_test"]
YEAR = 12

# sMAPE and MASE on all 1,428 monthly series, and on the 688 series of the file.
PUBLISHED = {
    "Seasonal naive": (17.23, 1.146, None, None),
    "Naive2": (16.89, 1.037, 16.975, 1.0332),
    "ForecastPro": (13.90, 0.848, 14.121, 0.8600),
    "Theta": (13.89, 0.858, 13.903, 0.8604),
}
PUBLISHED_SUBSET = 688


def main() -> int:
    """Print the table. Returns 0 also without a file, with a message."""
    arguments = _arguments()
    place = arguments.series or os.environ.get(FILE_VARIABLE)
    if not place:
        print(
            "Forecast benchmark not run: the M3 series are not part of this project. Give the path"
            f" of your copy as --series PATH or in the environment variable {FILE_VARIABLE}."
        )
        return 0
    if not Path(place).is_file():
        print(
            f"Forecast benchmark not run: {place} does not exist. The M3 series are not part of"
            " this project; copy them to this path or give another path."
        )
        return 0

    series = pd.read_csv(place).iloc[:: arguments.every]
    missing = [column for column in COLUMNS if column not in series.columns]
    if missing:
        print(f"{place} lacks the columns {', '.join(missing)}", file=sys.stderr)
        return 1
    actual = {row.series_id: _numbers(row.values_test) for row in series.itertuples()}
    training = {row.series_id: _numbers(row.values_train) for row in series.itertuples()}
    horizons = {len(values) for values in actual.values()}
    if len(horizons) != 1:
        print(f"The test parts should be of one length, not of {sorted(horizons)}", file=sys.stderr)
        return 1

    started = time.monotonic()
    forecast = _forecast(training, horizons.pop(), arguments.models, arguments.processes)
    seconds = time.monotonic() - started
    _print_errors(_errors(forecast, training, actual), len(actual))
    _print_coverage(forecast, actual)
    print(f"\n{seconds:.0f} seconds in {arguments.processes} processes")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0],
        epilog=f"Without --series the environment variable {FILE_VARIABLE} says where they are.",
    )
    parser.add_argument("--series", metavar="PATH", help="CSV of the series")
    parser.add_argument(
        "--every",
        metavar="N",
        type=_at_least_one,
        default=1,
        help="take every Nth series only, for a quick look (default: all)",
    )
    parser.add_argument(
        "--models",
        default="accurate",
        help="fast or accurate, as the setting forecast_models (default: %(default)s)",
    )
    parser.add_argument(
        "--processes",
        metavar="N",
        type=_at_least_one,
        default=os.cpu_count() or 1,
        help="how many at once; changes the time, not the figures (default: %(default)s)",
    )
    return parser.parse_args()


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("give a number from 1")
    return number


def _numbers(text: str) -> np.ndarray:
    return np.array(text.split(), dtype=float)


def _forecast(
    training: dict[str, np.ndarray], horizon: int, models: str, processes: int
) -> pd.DataFrame:
    sys.path.insert(0, str(ROOT))
    from dagster_project.forecasting import forecast_monthly

    def progress(done: int, total: int) -> None:
        if done % 50 == 0 or done == total:
            print(f"{done} of {total} series", file=sys.stderr, flush=True)

    # No model looks at the calendar, so all series may start in one month.
    history = pd.concat(
        pd.DataFrame(
            {
                "unique_id": series_id,
                "ds": pd.date_range("2000-01-01", periods=len(values), freq="MS"),
                "y": values,
            }
        )
        for series_id, values in training.items()
    )
    return forecast_monthly(history, horizon, models=models, processes=processes, progress=progress)


def _errors(
    forecast: pd.DataFrame, training: dict[str, np.ndarray], actual: dict[str, np.ndarray]
) -> dict[str, tuple[float, float]]:
    """The mean sMAPE and MASE of our forecast, and of last year's values as a check on both."""
    ours = {name: rows["forecast"].to_numpy() for name, rows in forecast.groupby("unique_id")}
    last_year = {
        name: np.resize(values[-YEAR:], len(actual[name])) for name, values in training.items()
    }
    errors = {}
    for method, forecasts in (("Apportion", ours), ("Seasonal naive", last_year)):
        smape, mase = [], []
        for name, y in actual.items():
            error = np.abs(y - forecasts[name])
            smape.append(np.mean(200 * error / (np.abs(y) + np.abs(forecasts[name]))))
            yearly_change = np.abs(training[name][YEAR:] - training[name][:-YEAR])
            mase.append(error.mean() / yearly_change.mean())
        errors[method] = float(np.mean(smape)), float(np.mean(mase))
    return errors


def _print_errors(errors: dict[str, tuple[float, float]], count: int) -> None:
    print(f"\n{'':<24}{'all 1,428 series':^20}{f'{count} series of the file':^26}")
    print(f"{'':<24}{'sMAPE':>9}{'MASE':>9}{'sMAPE':>13}{'MASE':>9}")
    for method, (smape, mase) in errors.items():
        print(f"{method + ', run now':<24}{'':>9}{'':>9}{smape:>13.3f}{mase:>9.4f}")
    for method, (smape, mase, subset_smape, subset_mase) in PUBLISHED.items():
        row = f"{method + ', published':<24}{smape:>9.2f}{mase:>9.3f}"
        if count == PUBLISHED_SUBSET and subset_smape is not None:
            row += f"{subset_smape:>13.3f}{subset_mase:>9.4f}"
        print(row)


def _print_coverage(forecast: pd.DataFrame, actual: dict[str, np.ndarray]) -> None:
    y = np.concatenate([actual[name] for name in forecast["unique_id"].unique()])
    month_ahead = forecast.groupby("unique_id").cumcount() + 1
    print(f"\n{'share of actuals':<24}{'80 % band':^30}{'95 % band':^30}")
    print(f"{'':<24}" + 2 * f"{'below':>10}{'inside':>10}{'above':>10}")
    stretches = [(1, int(month_ahead.max())), (1, 1), (2, 3), (4, 6), (7, 12)]
    stretches += [(13, int(month_ahead.max()))] if month_ahead.max() > YEAR else []
    for first, last in stretches:
        rows = month_ahead.between(first, last).to_numpy()
        line = f"{f'months {first} to {last}':<24}"
        for band in (80, 95):
            below = np.mean((y < forecast[f"lower_{band}"])[rows])
            above = np.mean((y > forecast[f"upper_{band}"])[rows])
            line += f"{below:>10.1%}{1 - below - above:>10.1%}{above:>10.1%}"
        print(line)


if __name__ == "__main__":
    sys.exit(main())
