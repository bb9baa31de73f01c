"""Back-test the composed forecast on made-up companies with known mechanisms.

    .venv/bin/python benchmarks/forecast_backtest.py [--cost-centers N] [--seed N]

Each cost center has subscriptions whose seats, prices and terms follow one mechanism for four
years, with chance. From earlier months, the composed forecast is compared with the actual cost of
the month 1, 3, 6 and 12 months ahead, beside (a) the statistical forecast of the total cost alone,
(b) the known charges alone, at a renewal rate of 1, and (c) the last month repeated. The table
shows WAPE: the sum of absolute errors over the sum of actual costs. Refunds and one-time charges
happen to all cost centers; they count in the history of (a) and (c), and no forecast foresees them,
so actual costs are without them.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dagster_project.composed_forecast import compose  # noqa: E402
from dagster_project.forecasting import forecast_monthly  # noqa: E402

MONTHS, HORIZON = 60, 12
ORIGINS = (23, 29, 35, 41, 47)
AHEAD = (1, 3, 6, 12)
METHODS = ("composed", "statistics alone", "known alone", "last month")


@dataclass
class Subscription:
    """Seats per month (0 outside of its life), price per seat, and months between renewals."""

    product: str
    seats: np.ndarray
    price: np.ndarray
    term_months: int = 1
    first_month: int = 0

    def cost(self) -> np.ndarray:
        """The cost of each month."""
        return np.asarray(self.seats * self.price)


@dataclass
class CostCenter:
    """The subscriptions of a cost center, and its one-time charges and refunds."""

    subscriptions: list[Subscription] = field(default_factory=list)
    one_time: np.ndarray = field(default_factory=lambda: np.zeros(MONTHS))


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--cost-centers", type=int, default=12, help="of each mechanism")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    errors: dict[tuple[str, str, int], float] = defaultdict(float)
    actuals: dict[tuple[str, int], float] = defaultdict(float)
    for mechanism, made in MECHANISMS.items():
        random = np.random.default_rng([arguments.seed, *mechanism.encode()])
        company = [_with_one_time(made(random), random) for _ in range(arguments.cost_centers)]
        for origin in ORIGINS:
            for ahead, actual, forecasts in _forecasts(company, origin):
                actuals[mechanism, ahead] += actual
                for method, forecast in forecasts.items():
                    errors[mechanism, method, ahead] += abs(actual - forecast)
    _print(errors, actuals)
    return 0


# --- mechanisms --------------------------------------------------------------------------


def _whole(seats: np.ndarray) -> np.ndarray:
    return np.maximum(np.round(seats), 0.0)


def _walk(random: np.random.Generator, level: float, drift: float, spread: float) -> np.ndarray:
    """Seats that change by a share of `drift` a month, more or less."""
    return _whole(level * np.exp(np.cumsum(random.normal(drift, spread, MONTHS))))


def _flat(price: float) -> np.ndarray:
    return np.full(MONTHS, price)


def steady_growth(random: np.random.Generator) -> CostCenter:
    """Seats grow by one to three percent a month."""
    drift = random.uniform(0.01, 0.03)
    return CostCenter([Subscription("office", _walk(random, 80, drift, 0.01), _flat(12.0))])


def churn(random: np.random.Generator) -> CostCenter:
    """Seats decline, and small products end."""
    subscriptions = [
        Subscription("office", _walk(random, 150, -random.uniform(0.005, 0.02), 0.01), _flat(12.0))
    ]
    for number in range(4):
        seats = np.full(MONTHS, float(random.integers(5, 30)))
        seats[min(int(random.geometric(0.02)), MONTHS) :] = 0
        subscriptions.append(Subscription(f"tool {number}", seats, _flat(8.0)))
    return CostCenter(subscriptions)


def jump(random: np.random.Generator) -> CostCenter:
    """Seats multiply in one month."""
    seats = _walk(random, 100, 0.0, 0.005)
    at = int(random.integers(15, MONTHS - 6))
    seats[at:] = _whole(seats[at:] * random.uniform(1.5, 5))
    return CostCenter([Subscription("office", seats, _flat(12.0))])


def merger(random: np.random.Generator) -> CostCenter:
    """The subscriptions of another cost center arrive in one month."""
    at = int(random.integers(15, MONTHS - 6))
    subscriptions = [Subscription("office", _walk(random, 60, 0.003, 0.008), _flat(12.0))]
    for product in ("office", "project"):
        seats = _walk(random, 60, 0.003, 0.008)
        seats[:at] = 0
        subscriptions.append(Subscription(product, seats, _flat(15.0), first_month=at))
    return CostCenter(subscriptions)


def seasonal_hiring(random: np.random.Generator) -> CostCenter:
    """More seats for three months of each year."""
    season = np.where(np.isin(np.arange(MONTHS) % 12, (5, 6, 7)), random.uniform(1.3, 1.6), 1.0)
    seats = _whole(_walk(random, 100, 0.002, 0.01) * season)
    return CostCenter([Subscription("office", seats, _flat(12.0))])


def annual_terms(random: np.random.Generator) -> CostCenter:
    """Seats are added at any time and removed at a renewal only; some products are not renewed."""
    subscriptions = []
    for number in range(5):
        wanted = _walk(random, 40, random.uniform(-0.01, 0.01), 0.02)
        first = int(random.integers(0, 12))
        seats = wanted.copy()
        for month in range(1, MONTHS):
            if (month - first) % 12:
                seats[month] = max(seats[month], seats[month - 1])
        lost = first + 12 * int(random.geometric(0.12))
        seats[min(lost, MONTHS) :] = 0
        subscriptions.append(Subscription(f"product {number}", seats, _flat(20.0), 12, first))
    return CostCenter(subscriptions)


def price_rise(random: np.random.Generator) -> CostCenter:
    """The price rises in one month."""
    price = _flat(12.0)
    price[int(random.integers(15, MONTHS - 6)) :] *= random.uniform(1.05, 1.2)
    return CostCenter([Subscription("office", _walk(random, 100, 0.001, 0.006), price)])


MECHANISMS = {
    "steady growth": steady_growth,
    "churn": churn,
    "jump": jump,
    "merger": merger,
    "seasonal hiring": seasonal_hiring,
    "annual terms": annual_terms,
    "price rise": price_rise,
}


def _with_one_time(center: CostCenter, random: np.random.Generator) -> CostCenter:
    level = sum(one.cost() for one in center.subscriptions).mean()
    happens = random.random(MONTHS) < 0.04
    size = random.choice([-1.0, 1.0], MONTHS) * random.uniform(0.3, 3.0, MONTHS) * level
    return CostCenter(center.subscriptions, np.where(happens, size, 0.0))


# --- forecasts ---------------------------------------------------------------------------


def _renewal_rates(company: list[CostCenter], origin: int) -> dict[int, tuple[float, float]]:
    """Charges due for renewal and part of lost seats, by months between; as int_renewal_rates."""
    counts: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for center in company:
        for one in center.subscriptions:
            first = one.first_month % one.term_months
            for month in range(first + one.term_months, origin + 1, one.term_months):
                if one.seats[month - 1] > 0:
                    seats = float(one.seats[month - 1])
                    counts[one.term_months][0] += 1
                    counts[one.term_months][1] += seats
                    counts[one.term_months][2] += seats if one.seats[month] == 0 else 0.0
    return {term: (due, lost / seats) for term, (due, seats, lost) in counts.items()}


def _months(
    name: str, center: CostCenter, origin: int, rates: dict[int, tuple[float, float]]
) -> pd.DataFrame:
    """What the pipeline knows of a cost center at the origin, in the form of compose()."""
    past, future = origin + 1, np.arange(1, HORIZON + 1)
    recurring = np.zeros(past)
    committed, renewal, variance = np.zeros(HORIZON), np.zeros(HORIZON), np.zeros(HORIZON)
    charged = {one.product for one in center.subscriptions if one.seats[origin] > 0}
    for one in center.subscriptions:
        if one.product in charged:
            recurring += one.cost()[:past]
        cost = one.cost()[origin]
        since = (origin - one.first_month) % one.term_months
        count = (since + future) // one.term_months
        due, lost = rates.get(one.term_months, (0, 0))
        presumed = max(24 / one.term_months, 2)
        likelihood = (1 - lost * due / (due + presumed)) ** count
        uncertain = (1 - (lost * due + 0.5) / (due + 2.5 * presumed)) ** count
        committed += np.where(count == 0, cost, 0.0)
        renewal += np.where(count > 0, cost * likelihood, 0.0)
        variance += cost**2 * uncertain * (1 - uncertain)
    nothing = np.zeros(past)
    return pd.DataFrame(
        {
            "unique_id": name,
            "ds": pd.date_range("2020-01-01", periods=past + HORIZON, freq="MS"),
            "is_history": [True] * past + [False] * HORIZON,
            "cost": [*recurring, *np.zeros(HORIZON)],
            "recurring_cost": [*recurring, *np.zeros(HORIZON)],
            "usage_cost": 0.0,
            "committed_cost": [*nothing, *committed],
            "renewal_cost": [*nothing, *renewal],
            "renewal_variance": [*nothing, *variance],
        }
    )


def _forecasts(
    company: list[CostCenter], origin: int
) -> Iterator[tuple[int, float, dict[str, float]]]:
    rates = _renewal_rates(company, origin)
    names = [f"{number:03}" for number in range(len(company))]
    months = pd.concat(
        _months(name, center, origin, rates) for name, center in zip(names, company, strict=True)
    )
    totals = [sum(one.cost() for one in center.subscriptions) for center in company]
    billed = [
        total[: origin + 1] + center.one_time[: origin + 1]
        for total, center in zip(totals, company, strict=True)
    ]
    history = pd.concat(
        pd.DataFrame(
            {
                "unique_id": name,
                "ds": pd.date_range("2020-01-01", periods=origin + 1, freq="MS"),
                "y": y,
            }
        )
        for name, y in zip(names, billed, strict=True)
    )
    composed = compose(months)
    known = months[~months["is_history"]].reset_index(drop=True)
    whole = known["committed_cost"] + known["renewal_cost"] + composed["seat_change_cost"]
    alone = forecast_monthly(history, HORIZON, models="fast")["forecast"]
    for number, (total, past) in enumerate(zip(totals, billed, strict=True)):
        for ahead in AHEAD:
            if origin + ahead >= MONTHS:
                continue
            at = number * HORIZON + ahead - 1
            yield (
                ahead,
                float(total[origin + ahead]),
                {
                    "composed": float(whole[at]),
                    "statistics alone": float(alone[at]),
                    "known alone": float(total[origin]),
                    "last month": float(past[-1]),
                },
            )


def _print(
    errors: dict[tuple[str, str, int], float], actuals: dict[tuple[str, int], float]
) -> None:
    print(f"{'WAPE, months ahead':<36}" + "".join(f"{ahead:>9}" for ahead in AHEAD))
    for mechanism in MECHANISMS:
        print(mechanism)
        for method in METHODS:
            shares = [errors[mechanism, method, a] / actuals[mechanism, a] for a in AHEAD]
            print(f"  {method:<34}" + "".join(f"{share:>9.1%}" for share in shares))
    print("average of the mechanisms")
    for method in METHODS:
        shares = [
            float(np.mean([errors[one, method, a] / actuals[one, a] for one in MECHANISMS]))
            for a in AHEAD
        ]
        print(f"  {method:<34}" + "".join(f"{share:>9.1%}" for share in shares))


if __name__ == "__main__":
    sys.exit(main())
