"""Forecasts and budgets of a company of two organizations, from landing files to published marts.

Alder has invoices and a price list, Birch a broker's report with sales, for 30 months, January 2024
to June 2026. Each month is charged on its first day and billed in its middle, so that a month's
bill is its cost. All tests share one run of the job; a test that changes data uses a copy.
"""

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import Company

from dagster_project.composed_forecast import compose
from dagster_project.ledger import closing
from dagster_project.settings import PROJECT_ROOT, DataFolder

FIRST, LAST, HORIZON = date(2024, 1, 1), date(2026, 6, 1), date(2027, 6, 1)
TERM_END = date(2026, 9, 30)
MILLIONTH = Decimal("0.000001")


def month_after(month: date, count: int = 1) -> date:
    number = month.year * 12 + month.month - 1 + count
    return date(number // 12, number % 12 + 1, 1)


def months(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first = month_after(first)


def last_day(month: date) -> date:
    return month_after(month) - timedelta(days=1)


MONTHS = list(months(FIRST, LAST))
TO_COME = list(months(month_after(LAST), HORIZON))


# --- what lands ---------------------------------------------------------------------------------


def csv(header: str, rows: list[tuple[object, ...]]) -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def office_seats(month: date) -> int:
    """Office is bought for one more person every half-year: 10 at first, 14 at the end."""
    return 10 + MONTHS.index(month) // 6


def alder_lines(month: date) -> list[tuple[object, ...]]:
    """Charge type, subscription, unit price, seats, money, first and last day, end of the term."""
    seats = office_seats(month)
    end = last_day(month)
    lines: list[tuple[object, ...]] = [
        ("cycleCharge", "office", 10, seats, 10 * seats, month, end, TERM_END)
    ]
    if month == LAST:
        # Three more from 16 June, 15 of 30 days.
        lines.append(("addQuantity", "office", 10, 3, 15, date(2026, 6, 16), end, TERM_END))
    if month == date(2026, 5, 1):
        # Visio is bought and refunded, so it has no future charges.
        lines.append(("new", "visio", 20, 2, 40, month, end, ""))
        lines.append(("cancelImmediate", "visio", 20, 2, -40, month, end, ""))
    return lines


def invoice(month: date) -> str:
    number = f"G-{month:%Y-%m}"
    return csv(
        "CustomerId,InvoiceNumber,ProductId,SkuId,Currency,ProductName,ChargeType,SubscriptionId,"
        "UnitPrice,Quantity,Subtotal,ChargeStartDate,ChargeEndDate,SubscriptionEndDate",
        [
            ("alder", number, f"P-{line[1]}", "0001", "USD", str(line[1]).title(), *line)
            for line in alder_lines(month)
        ],
    )


def cycle_charge(first: date, last: date) -> str:
    days = (last - first).days + 1
    return f"cycleCharge. From {first:%d %b %Y} to {last:%d %b %Y} ({days} days)"


def birch_lines() -> list[tuple[str, int, int, int, date, date, str]]:
    """Subscription, seats, cost, sales, first day, billing date, text of the line."""
    lines = []
    for month in MONTHS:
        billed = month + timedelta(days=14)
        cycle = (month, billed, cycle_charge(month, last_day(month)))
        if month >= date(2025, 1, 1):
            lines.append(("mail", 20, 200, 260, *cycle))
        if month.month % 3 == 0:
            lines.append((f"event-{month:%Y-%m}", 5, 50, 65, *cycle))
        if month == date(2026, 3, 1):
            year = cycle_charge(month, date(2027, 2, 28))
            lines.append(("archive", 1, 365, 730, month, billed, year))
    return lines


def broker_report() -> str:
    return csv(
        "Organization,Currency,Subscription ID,ProductName,Quantity,TotalCost,TotalSales,"
        "ChargeStartDate,BillingDate,BillingLineDetails",
        [
            ("birch", "USD", name, name.split("-")[0].title(), *amounts, first, billed, details)
            for name, *amounts, first, billed, details in birch_lines()
        ],
    )


class Snapshot(NamedTuple):
    """Seats of a subscription per cost center, from a day on."""

    organization: str
    subscription: str
    day: date
    seats: dict[str, int]


SNAPSHOTS = [
    Snapshot("alder", "office", date(2023, 12, 1), {"A": 6, "B": 4}),
    # A split that is agreed for August, on 20 seats.
    Snapshot("alder", "office", date(2026, 8, 1), {"A": 9, "B": 11}),
    Snapshot("alder", "visio", date(2026, 5, 1), {"A": 2}),
    Snapshot("birch", "mail", date(2024, 12, 1), {"M": 20}),
    Snapshot("birch", "archive", date(2026, 2, 1), {"N": 1}),
    *(
        Snapshot("birch", f"event-{month:%Y-%m}", date(2023, 12, 1), {"W": 5})
        for month in MONTHS
        if month.month % 3 == 0
    ),
]

UNITS = {"A": "Legal", "B": "Legal", "M": "Trade", "N": "Trade", "W": "Shows"}

# Budgets of cost centers for each month of the first and of the second half of 2026.
BUDGETS = {
    ("A", "USD"): (100, 100),
    ("M", "USD"): (261, 200),
    ("N", "USD"): (125, 125),
    ("X", "USD"): (1, 1),
    ("B", "EUR"): (9, 9),
}

FILES = {
    "organizations/organizations.csv": csv(
        "Organization,Name", [("alder", "Alder Law"), ("birch", "Birch Trade")]
    ),
    "cost_centers/cost_centers.csv": csv(
        "Cost Center ID,Organization,Name,Business Unit,Is Default",
        [
            ("D", "alder", "Default", "", "true"),
            ("A", "alder", "Litigation", "Legal", "false"),
            ("B", "alder", "Corporate", "Legal", "false"),
            ("E", "birch", "Default", "", "true"),
            ("M", "birch", "Mail order", "Trade", "false"),
            ("N", "birch", "New shop", "Trade", "false"),
            ("W", "birch", "World fair", "Shows", "false"),
        ],
    ),
    "split_history/splits.csv": csv(
        "Subscription ID,Event,Datetime,Total Quantity,Cost Center ID,Cost Center,"
        "Allocated Quantity,Organization",
        [
            (
                one.subscription,
                "Cost center split adjusted",
                one.day,
                sum(one.seats.values()),
                cost_center_id,
                cost_center_id,
                seats,
                one.organization,
            )
            for one in SNAPSHOTS
            for cost_center_id, seats in one.seats.items()
        ],
    ),
    "price_list/prices.csv": csv(
        "Product,Unit Price,Currency,Valid From",
        [
            ("Office", 13, "USD", "2024-01-01"),
            ("Office", 15, "USD", "2026-10-01"),
            ("Visio", 25, "USD", "2024-01-01"),
        ],
    ),
    "invoices/invoices.csv": csv(
        "Invoice Number,Invoice Date,Currency,Subtotal",
        [
            (
                f"G-{month:%Y-%m}",
                month + timedelta(days=14),
                "USD",
                sum(int(str(line[4])) for line in alder_lines(month)),
            )
            for month in MONTHS
        ],
    ),
    "budgets/budgets.csv": csv(
        "Cost Center ID,Month,Currency,Amount",
        [
            (cost_center, f"2026-{month:02}", currency, amounts[month > 6])
            for (cost_center, currency), amounts in BUDGETS.items()
            for month in range(1, 13)
        ],
    ),
    "billing_lines/birch.csv": broker_report(),
    **{f"billing_lines/{month:%Y-%m}.csv": invoice(month) for month in MONTHS},
}


# --- the run ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Story:
    """The data folder after its first run, and the output of the run."""

    company: Company
    output: str


def run(data: DataFolder, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The Dagster job, as `make run` starts it."""
    home = data.root.parent / "dagster"
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    return subprocess.run(
        [sys.executable, "-m", "dagster_project", "run", *arguments, "--data", str(data.root)],
        cwd=PROJECT_ROOT,
        env={**os.environ, "DAGSTER_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    company = Company(DataFolder(tmp_path_factory.mktemp("forecasts") / "data"))
    for name, content in FILES.items():
        company.drop(name, content)
    finished = run(company.data)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return Story(company, finished.stdout)


def chapter(story: Story, folder: Path) -> Company:
    """A copy of the data folder that a test may change."""
    shutil.copytree(story.company.data.root, folder)
    return Company(DataFolder(folder))


def parquet_files(data: DataFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (data.published / "marts").iterdir()}


MARTS = [
    "committed_spend",
    "cost_forecast",
    "cost_forecast_summary",
    "forecast_accuracy",
    "budget_variance",
]


def rows_of(company: Company, mart: str) -> list[tuple]:
    return company.query(f"select * from marts.{mart} order by all")


# --- our own arithmetic -------------------------------------------------------------------------


def parts(amount: Decimal, weights: dict[str, int]) -> dict[str, Decimal]:
    """An amount by weight: rounded cumulatively to millionths, in the order of the names."""
    total, seen, before, result = sum(weights.values()), 0, Decimal(0), {}
    for name in sorted(weights):
        seen += weights[name]
        at_end = (amount * seen / total).quantize(MILLIONTH, ROUND_HALF_UP)
        result[name] = (amount if seen == total else at_end) - before
        before = at_end
    return result


class Charge(NamedTuple):
    """A part of a charge to come, as the mart `committed_spend` shows it."""

    month: date
    cost_center_id: str
    subscription_id: str
    commitment: str
    charge_start_date: date
    charge_end_date: date
    quantity: Decimal
    total_cost: Decimal
    total_sales: Decimal


def charges_to_come() -> list[Charge]:
    """Every cycle to come, by hand: seats of the last day, price, split, term."""
    charges = []
    for month in TO_COME:
        is_before_august = month < date(2026, 8, 1)
        seats = 14 + 3 if is_before_august else 20
        split = {"A": 6, "B": 4} if is_before_august else {"A": 9, "B": 11}
        price = 13 if month < date(2026, 10, 1) else 15
        commitment = "committed" if month <= TERM_END else "renewal"
        measures = [parts(Decimal(whole), split) for whole in (seats, 10 * seats, price * seats)]
        cycle = (month, last_day(month))
        charges += [
            Charge(
                month, name, "office", commitment, *cycle, *(measure[name] for measure in measures)
            )
            for name in split
        ]
        mail, event = (
            (Decimal(20), Decimal(200), Decimal(260)),
            (Decimal(5), Decimal(50), Decimal(65)),
        )
        charges.append(Charge(month, "M", "mail", "renewal", *cycle, *mail))
        charges.append(Charge(month, "W", "event-2026-06", "renewal", *cycle, *event))
    march, archive = date(2027, 3, 1), (Decimal(1), Decimal(365), Decimal(730))
    charges.append(Charge(march, "N", "archive", "renewal", march, date(2028, 2, 29), *archive))
    return sorted(charges)


def spread(amount: Decimal, first: date, last: date) -> dict[date, Decimal]:
    """An amount by month, by its days."""
    days = {
        f"{month}": (min(last, last_day(month)) - max(first, month)).days + 1
        for month in months(first.replace(day=1), last)
    }
    return {date.fromisoformat(month): part for month, part in parts(amount, days).items()}


def expected_costs(cost_center_id: str) -> dict[date, dict[str, Decimal]]:
    """Known cost of each future month: committed (or billed already) and renewals."""
    known: dict[date, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for charge in charges_to_come():
        if charge.cost_center_id == cost_center_id:
            borne = spread(charge.total_cost, charge.charge_start_date, charge.charge_end_date)
            for month, cost in borne.items():
                known[month][charge.commitment] += cost
    if cost_center_id == "N":
        billed = spread(Decimal(365), date(2026, 3, 1), date(2027, 2, 28))
        for month, cost in billed.items():
            known[month]["committed"] += cost
    return {month: known[month] for month in TO_COME}


def costs_so_far(cost_center_id: str) -> list[Decimal]:
    """Cost of A or B per month."""
    weight = {"A": 6, "B": 4}
    costs = [parts(Decimal(10 * office_seats(month)), weight) for month in MONTHS]
    extra = parts(Decimal(15), weight)
    costs[-1] = {name: cost + extra[name] for name, cost in costs[-1].items()}
    return [cost[cost_center_id] for cost in costs]


# --- committed spend ----------------------------------------------------------------------------


def test_committed_spend_has_every_future_cycle_by_seats_price_split_and_term(
    story: Story,
) -> None:
    found = story.company.query(
        f"select {', '.join(Charge._fields)} from marts.committed_spend"
        " where quantity <> 0 order by all"
    )
    assert [Charge(*row) for row in found] == charges_to_come()


def test_a_listed_price_change_and_an_agreed_split_are_in_it(story: Story) -> None:
    assert story.company.query(
        """
        select month, cost_center_id, commitment, quantity, total_cost, total_sales
        from marts.committed_spend
        where subscription_id = 'office' and month between '2026-07-01' and '2026-10-01'
            and cost_center_id = 'A'
        order by month
        """
    ) == [
        (date(2026, 7, 1), "A", "committed", Decimal("10.2"), Decimal(102), Decimal("132.6")),
        (date(2026, 8, 1), "A", "committed", Decimal(9), Decimal(90), Decimal(117)),
        (date(2026, 9, 1), "A", "committed", Decimal(9), Decimal(90), Decimal(117)),
        (date(2026, 10, 1), "A", "renewal", Decimal(9), Decimal(90), Decimal(135)),
    ]


# --- forecasts ----------------------------------------------------------------------------------


def test_the_method_shows_which_histories_were_forecast(story: Story) -> None:
    assert story.company.query(
        "select cost_center_id, min(method), max(method), count(*), min(month), max(month)"
        " from marts.cost_forecast group by all order by all"
    ) == [
        (name, method, method, 12, TO_COME[0], TO_COME[-1])
        for name, method in [
            ("A", "combination"),
            ("B", "combination"),
            ("M", "combination_without_season"),
            # Four months, and every third month.
            ("N", "committed_spend"),
            ("W", "committed_spend"),
        ]
    ]


@pytest.mark.parametrize("cost_center_id", ["A", "B", "M", "N", "W"])
def test_each_forecast_shows_the_known_cost_of_its_month(story: Story, cost_center_id: str) -> None:
    found = story.company.query(
        "select month, committed_cost, renewal_cost, usage_cost, method, seat_change_cost, forecast"
        " from marts.cost_forecast where cost_center_id = $id order by month",
        {"id": cost_center_id},
    )
    known = expected_costs(cost_center_id)
    assert [row[:4] for row in found] == [
        (month, known[month]["committed"], known[month]["renewal"], 0) for month in TO_COME
    ]
    for _, committed, renewal, _, method, seat_change, forecast in found:
        assert forecast == committed + renewal + seat_change
        assert seat_change == 0 or method != "committed_spend"


@pytest.mark.parametrize("cost_center_id", ["A", "B"])
def test_a_forecast_continues_the_known_charges(story: Story, cost_center_id: str) -> None:
    costs = [float(cost) for cost in costs_so_far(cost_center_id)]
    known = expected_costs(cost_center_id)
    nothing, none_to_come = [0.0] * len(MONTHS), [0.0] * len(TO_COME)
    composed = compose(
        pd.DataFrame(
            {
                "unique_id": "it",
                "ds": pd.to_datetime([*MONTHS, *TO_COME]),
                "is_history": [True] * len(MONTHS) + [False] * len(TO_COME),
                "cost": [*costs, *none_to_come],
                "recurring_cost": [*costs, *none_to_come],
                "usage_cost": 0.0,
                "committed_cost": [*nothing, *(known[month]["committed"] for month in TO_COME)],
                "renewal_cost": [*nothing, *(known[month]["renewal"] for month in TO_COME)],
                "renewal_variance": 0.0,
            }
        )
    )
    found = story.company.query(
        "select seat_change_cost, upper_80, upper_95 from marts.cost_forecast"
        " where cost_center_id = $id order by month",
        {"id": cost_center_id},
    )
    by_hand = composed[["seat_change_cost", "upper_80", "upper_95"]].to_numpy()
    assert np.array(found, dtype=float) == pytest.approx(by_hand, abs=0.00001)
    assert all(number == number.quantize(MILLIONTH) for row in found for number in row)


def test_sales_of_a_forecast_have_the_price_of_the_known_charges(story: Story) -> None:
    # Office costs 10 and is sold for 13, from October on for 15.
    for month, forecast, sales in story.company.query(
        "select month, forecast, sales_forecast from marts.cost_forecast where cost_center_id = 'A'"
    ):
        price = 13 if month < date(2026, 10, 1) else 15
        assert abs(sales - forecast * price / 10) < sales / 1000


def test_cost_centers_units_organizations_and_the_total_add_up(story: Story) -> None:
    cost_centers = story.company.query(
        "select month, organization_id, cost_center_id, forecast, sales_forecast"
        " from marts.cost_forecast"
    )
    sums: dict[tuple, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for month, organization, name, forecast, sales in cost_centers:
        for key in (
            ("cost_center", month, organization, UNITS[name], name),
            ("business_unit", month, organization, UNITS[name], None),
            ("organization", month, organization, None, None),
            ("total", month, None, None, None),
        ):
            sums[key][0] += forecast
            sums[key][1] += sales
    found = story.company.query(
        "select level, month, organization_id, business_unit, cost_center_id, forecast,"
        " sales_forecast from marts.cost_forecast_summary"
    )
    assert len(found) == (5 + 3 + 2 + 1) * 12
    assert {row[:5]: list(row[5:]) for row in found} == sums


def test_sums_with_several_methods_are_marked(story: Story) -> None:
    assert story.company.query(
        "select level, business_unit, organization_id, min(method), max(method)"
        " from marts.cost_forecast_summary where level <> 'cost_center' group by all order by all"
    ) == [
        ("business_unit", "Legal", "alder", "combination", "combination"),
        ("business_unit", "Shows", "birch", "committed_spend", "committed_spend"),
        ("business_unit", "Trade", "birch", "several", "several"),
        ("organization", None, "alder", "combination", "combination"),
        ("organization", None, "birch", "several", "several"),
        ("total", None, None, "several", "several"),
    ]


def test_forecast_accuracy_compares_forecasts_one_to_three_months_ahead_with_actuals(
    story: Story,
) -> None:
    found = story.company.query(
        "select cost_center_id, forecast_from_month, month, months_ahead, actual_cost"
        " from marts.forecast_accuracy order by all"
    )
    actual = {name: dict(zip(MONTHS, costs_so_far(name), strict=True)) for name in ("A", "B")}
    actual["M"] = dict.fromkeys(MONTHS, Decimal(200))
    actual["N"] = {month: Decimal(last_day(month).day) for month in MONTHS}
    actual["W"] = {month: Decimal(50 if month.month % 3 == 0 else 0) for month in MONTHS}
    assert found == [
        (name, origin, month, ahead, actual[name][month])
        for name in actual
        for origin in months(date(2026, 3, 1), date(2026, 5, 1))
        for ahead, month in enumerate(months(month_after(origin), LAST), 1)
    ]


def test_forecast_accuracy_uses_only_data_known_at_that_time(story: Story) -> None:
    # The year of archive was billed in March; an event of March was expected to go on until the
    # bill of April did not have it.
    assert story.company.query(
        "select cost_center_id, month(forecast_from_month), month(month), forecast, forecast_error,"
        " is_within_95 from marts.forecast_accuracy where cost_center_id in ('N', 'W') order by all"
    ) == [
        ("N", 3, 4, 30, 0, True),
        ("N", 3, 5, 31, 0, True),
        ("N", 3, 6, 30, 0, True),
        ("N", 4, 5, 31, 0, True),
        ("N", 4, 6, 30, 0, True),
        ("N", 5, 6, 30, 0, True),
        ("W", 3, 4, 50, -50, True),
        ("W", 3, 5, 50, -50, True),
        ("W", 3, 6, 50, 0, True),
        ("W", 4, 5, 0, 0, True),
        ("W", 4, 6, 0, 50, True),
        ("W", 5, 6, 0, 50, True),
    ]


# --- amortized costs ----------------------------------------------------------------------------


def test_the_months_of_a_charge_sum_to_the_billed_amount(story: Story) -> None:
    amortized = story.company.query(
        "select organization_id, cost_center_id, sum(amortized_cost), sum(amortized_sales)"
        " from marts.monthly_license_costs group by all order by all"
    )
    billed = story.company.query(
        "select organization_id, cost_center_id, sum(total_cost), sum(total_sales)"
        " from marts.billing_report group by all order by all"
    )
    assert amortized == billed
    assert ("birch", "N", Decimal(365), Decimal(730)) in billed


# --- budgets ------------------------------------------------------------------------------------


def sales_of_2026(story: Story, cost_center_id: str) -> dict[date, Decimal]:
    """Sales charged from January to June by hand, and from then on as the forecast says."""
    first_half = list(months(date(2026, 1, 1), LAST))
    so_far = {
        "A": [Decimal("109.2")] * 5 + [Decimal("109.2") + Decimal("11.7")],
        "M": [Decimal(260)] * 6,
        # A year from March on, 365 days, paid in advance.
        "N": [Decimal(0), Decimal(0), Decimal(730), Decimal(0), Decimal(0), Decimal(0)],
    }[cost_center_id]
    forecasts = story.company.query(
        "select month, sales_forecast from marts.cost_forecast"
        " where cost_center_id = $id and month < '2027-01-01'",
        {"id": cost_center_id},
    )
    return {**dict(zip(first_half, so_far, strict=True)), **dict(forecasts)}


@pytest.mark.parametrize(
    ("cost_center_id", "status"),
    [("A", "over_budget"), ("M", "over_budget_at_year_end"), ("N", "within_budget")],
)
def test_budgets_are_compared_to_date_and_at_the_end_of_the_year(
    story: Story, cost_center_id: str, status: str
) -> None:
    first_half, second_half = BUDGETS[cost_center_id, "USD"]
    sales = sales_of_2026(story, cost_center_id)
    # The bill of March has charged the rest of the year already.
    year = Decimal(730) if cost_center_id == "N" else sum(sales.values())
    year_budget = 6 * (first_half + second_half)
    expected = []
    for number, month in enumerate(months(date(2026, 1, 1), date(2026, 12, 1)), 1):
        budget = first_half if number <= 6 else second_half
        if month <= LAST:
            to_date = sum(sales[other] for other in months(date(2026, 1, 1), month))
            row = (sales[month], sales[month] - budget, None, to_date, to_date - budget * number)
        else:
            row = (None, None, sales[month], None, None)
        expected.append((month, "sales", budget, *row, year_budget, year, year - year_budget))
    found = story.company.query(
        """
        select month, amount_basis, budget, actual, variance, forecast, actual_to_date,
            variance_to_date, year_budget, year_expected, year_variance
        from marts.budget_variance
        where cost_center_id = $id and currency = 'USD'
        order by month
        """,
        {"id": cost_center_id},
    )
    assert found == expected
    assert story.company.query(
        "select month, status from marts.budget_variance"
        " where cost_center_id = $id and currency = 'USD' and is_latest_month",
        {"id": cost_center_id},
    ) == [(LAST, status)]


def test_exceeded_and_unmatched_budgets_are_findings(story: Story) -> None:
    assert story.company.query(
        """
        select kind, organization_id, amount_at_stake, message from marts.findings
        where kind like '%budget%' order by all
        """
    ) == [
        (
            "budget_in_other_currency",
            "alder",
            Decimal(108),
            "B has a budget in EUR and is charged in USD",
        ),
        (
            "budget_without_cost_center",
            None,
            Decimal(12),
            'budgets/budgets.csv has a budget for "X", which is not a known cost center',
        ),
        (
            "over_budget",
            "alder",
            Decimal("66.9"),
            "Litigation has a budget of 600 USD through 2026-06 and was charged 666.9",
        ),
        (
            "over_budget_at_year_end",
            "birch",
            Decimal(354),
            "Mail order has a budget of 2766 USD for the year and a forecast of 3120",
        ),
    ]


def test_overrun_budgets_warn_and_do_not_fail_the_run(story: Story) -> None:
    # The story's run ended with exit code 0 and published.
    assert "of budget_variance against budgets_are_kept_to_date" in story.output
    assert "of budget_variance against budgets_will_be_kept_this_year" in story.output
    assert "  error " not in story.output
    published = duckdb.connect(str(story.company.data.published_database), read_only=True)
    with published:
        ((count,),) = published.execute("select count(*) from marts.budget_variance").fetchall()
    assert count == 4 * 12


# --- run again ----------------------------------------------------------------------------------


def test_a_second_run_changes_nothing(story: Story, tmp_path: Path) -> None:
    company = chapter(story, tmp_path / "data")
    before = parquet_files(company.data)
    assert set(before) >= {f"{mart}.parquet" for mart in MARTS}
    finished = run(company.data, "--again")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert parquet_files(company.data) == before


def test_a_forecast_is_kept_until_its_history_changes(story: Story, tmp_path: Path) -> None:
    company = chapter(story, tmp_path / "data")
    # A reused forecast is recognized by a number that no model returns.
    with duckdb.connect(str(company.data.warehouse)) as connection:
        connection.execute(
            "update intermediate.int_forecasts set seat_change_cost = 123456"
            " where method <> 'committed_spend'"
        )
        # Without the record of what it was built from, the table is built again.
        connection.execute("comment on table intermediate.int_forecasts is null")
    kept = (
        "select distinct organization_id, cost_center_id from marts.cost_forecast"
        " where seat_change_cost = 123456 order by all"
    )
    company.build()
    assert company.query(kept) == [("alder", "A"), ("alder", "B"), ("birch", "M")]
    # One more seat on a bill of two years ago.
    line = ("alder", "G-late", "P-office", "0001", "USD", "Office", "addQuantity", "office", 10, 1)
    header = invoice(FIRST).splitlines()[0]
    company.drop("billing_lines/late.csv", csv(header, [(*line, 10, FIRST, last_day(FIRST), "")]))
    company.drop(
        "invoices/late.csv",
        csv("Invoice Number,Invoice Date,Currency,Subtotal", [("G-late", "2024-02-15", "USD", 10)]),
    )
    company.build()
    assert company.query(kept) == [("birch", "M")]


def test_closing_a_period_changes_no_forecast(story: Story, tmp_path: Path) -> None:
    company = chapter(story, tmp_path / "data")
    before = {mart: rows_of(company, mart) for mart in MARTS}
    closing.close(company.data, "2024-01")
    closing_month = company.build().query(
        "select distinct status from marts.billing_periods where billing_period = '2024-01'"
    )
    assert closing_month == [("closed",)]
    for mart, rows in before.items():
        assert rows_of(company, mart) == rows, mart
