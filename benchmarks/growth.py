"""One new month after many closed ones, and the same month as the first of a new company."""

import os
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import company
import duckdb

from dagster_project.ledger import anchors
from dagster_project.ledger.postings import append_posting
from dagster_project.settings import DataFolder

if TYPE_CHECKING:
    from chargeback import Measure


def measure(
    closed_months: int, lines_a_month: int, folder: Path, rounds: int = 2
) -> "tuple[Measure, Measure]":
    """The fastest runs of the month alone and of the month after `closed_months` closed ones."""
    from chargeback import command_of_run, measured

    subscriptions = lines_a_month * 12 // company.LINES_A_YEAR
    shape = company.Shape(subscriptions, closed_months + 1)
    new_month = _month(shape.first_month, closed_months)
    alone = folder / "alone"
    company.write_company(
        alone / "landing", company.Shape(subscriptions, 1, first_month=new_month.isoformat())
    )
    history = folder / "history"
    write_closed(history, shape, closed_months)
    measures: dict[Path, list[Measure]] = {alone: [], history: []}
    for _ in range(rounds):
        for data, kept in measures.items():
            copied = folder / "copy"
            _copy(data, copied)
            if data is history:
                with company.connect(shape) as connection:
                    company.write_months(copied / "landing", connection, shape, [closed_months])
            kept.append(measured(command_of_run(copied)))
            shutil.rmtree(copied)
    fastest = [min(kept, key=lambda each: each.seconds) for kept in measures.values()]
    return fastest[0], fastest[1]


def write_closed(folder: Path, shape: company.Shape, months: int) -> None:
    """A company with `months` published months, all closed.

    `apportion close` publishes after each closing. Here one run publishes all months, then all are
    posted, and a second run publishes them as closed.
    """
    from chargeback import command_of_run, measured

    data = DataFolder(folder)
    with company.connect(shape) as connection:
        company.write_lists(data.landing, connection, shape)
        company.write_months(data.landing, connection, shape, range(-1, months))
    measured(command_of_run(folder))
    with duckdb.connect(str(data.warehouse)) as warehouse:
        periods = warehouse.execute(
            "select billing_period, max(billing_date) from marts.billing_report group by all"
            " order by all"
        ).fetchall()
        for period, billing_date in periods:
            posting = append_posting(
                data.ledger,
                warehouse,
                period,
                closed_at=f"{billing_date + timedelta(days=10)}T12:00:00",
                closed_by="benchmark",
                override_reason=None,
            )
            anchors.remember(data, [posting])
    measured(command_of_run(folder))


def _copy(source: Path, target: Path) -> None:
    """A copy in which landing files are links: runs only read them."""
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("landing"))
    shutil.copytree(source / "landing", target / "landing", copy_function=os.link)


def _month(first_month: str, months: int) -> date:
    first = date.fromisoformat(first_month)
    year, month = divmod(first.month - 1 + months, 12)
    return date(first.year + year, month + 1, 1)
