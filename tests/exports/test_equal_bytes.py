"""The same landing gives the same files, whatever the threads, time zone, locale and order."""

import csv
import io
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from random import Random

import builds
import pytest
from conftest import Company

from dagster_project import dbt_runner, publish
from dagster_project.settings import PROJECT_ROOT

BILL_HEADER = (
    "Subscription ID,ProductName,Quantity,TotalCost,TotalSales,ChargeStartDate,BillingDate,"
    "BillingLineDetails,Organization,Currency\n"
)
SPLIT_HEADER = (
    "Subscription ID,Event,Datetime,Total Quantity,Cost Center ID,Cost Center,"
    "Allocated Quantity,Organization\n"
)


def bill(number: int, random: Random) -> str:
    """A bill of twelve subscriptions of three organizations, in any order of rows."""
    rows = [
        f"S{line % 5},Suite {line % 3},{line + 1},{10 * line + number}.{line:03},{20 * line},"
        f"{1 + line % 2} Dec 2025,{6 + number} Jan 2026,"
        f"cycleCharge. From {1 + line % 2} Dec 2025 to 31 Dec 2025 ({31 - line % 2} days),"
        f"org {line % 5 % 3},USD\n"
        for line in range(12)
    ]
    random.shuffle(rows)
    return BILL_HEADER + "".join(rows)


def splits(random: Random) -> str:
    rows = [
        f"S{line},Cost center split adjusted,2025-11-{10 + day},{7 + line},C{center},"
        f"Center {center},{1 + center},org {line % 3}\n"
        for line in range(5)
        for day in range(2)
        for center in range(3)
    ]
    random.shuffle(rows)
    return SPLIT_HEADER + "".join(rows)


def exported(company: Company, seed: int, threads: int, **variables: str) -> dict[str, bytes]:
    """The exports of the company, whose files and rows are in an order that depends on `seed`."""
    random = Random(seed)
    for number, name in enumerate(random.sample(("a", "b", "c"), 3)):
        company.drop(f"billing_lines/{name}.csv", bill(number, Random(seed + number)))
    company.drop("split_history/splits.csv", splits(random))
    company.ingest()
    builds.prepare()
    assert builds.build_as_compiled(company.data, threads) == ()
    publish.publish(company.data, dbt_runner.read_manifest(), "state")
    subprocess.run(
        [sys.executable, "-m", "dagster_project", "export", "--data", company.data.root],
        cwd=PROJECT_ROOT,
        env={**os.environ, **variables},
        check=True,
        capture_output=True,
    )
    folder = company.data.exports
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        # A workbook is an archive whose entries have the time of writing.
        if path.is_file() and path.suffix != ".xlsx"
    }


@pytest.fixture(scope="module")
def plainly(new_company: Callable[[], Company]) -> dict[str, bytes]:
    return exported(new_company(), seed=1, threads=1, TZ="UTC", LC_ALL="C.UTF-8")


@pytest.mark.parametrize(
    ("seed", "threads", "zone", "locale"),
    [(2, 2, "Pacific/Auckland", "de_DE.UTF-8"), (3, 4, "America/Los_Angeles", "tr_TR.UTF-8")],
)
def test_exports_do_not_depend_on_order_threads_zone_or_locale(
    plainly: dict[str, bytes],
    new_company: Callable[[], Company],
    seed: int,
    threads: int,
    zone: str,
    locale: str,
) -> None:
    files = exported(new_company(), seed, threads, TZ=zone, LC_ALL=locale, LANG=locale)
    assert files.keys() == plainly.keys()
    assert len(files) > 30
    assert [name for name, content in files.items() if content != plainly[name]] == []


def test_the_cost_center_report_lands_again_as_the_same_splits(
    plainly: dict[str, bytes], new_company: Callable[[], Company]
) -> None:
    again = new_company()
    for number in range(3):
        again.drop(f"billing_lines/{number}.csv", bill(number, Random(number)))
    (name,) = (name for name in plainly if "cost_center_report" in name)
    again.drop("split_history/report.csv", plainly[name])
    again.build()
    ours = again.query(
        """
        select subscription_id, cost_center_name, sum(quantity), sum(total_cost), sum(total_sales)
        from marts.billing_report group by all
        """
    )
    (report,) = (text for name, text in plainly.items() if "split_billing_report" in name)
    printed: dict[tuple[str, str], list[Decimal]] = {}
    for row in csv.DictReader(io.StringIO(report.decode("utf-8-sig"))):
        sums = printed.setdefault((row["Subscription ID"], row["CostCenter"]), [Decimal(0)] * 3)
        for at, column in enumerate(("Quantity", "TotalCost", "TotalSales")):
            sums[at] += Decimal(row[column])
    assert {(each[0], each[1]): list(each[2:]) for each in ours} == printed
    assert len(printed) >= 15
