"""The consequences of a scenario for closed billing periods.

Belongs here: sentences about closed periods and their corrections. Does not: changes of open
periods (effects).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import duckdb

from dagster_project import wording


@dataclass(frozen=True)
class ClosedPeriods:
    """The number of closed periods, the latest of them, and its latest billing date."""

    count: int
    latest_period: str
    latest_billing_date: date | None


@dataclass(frozen=True)
class Correction:
    """Correction rows of closed periods that an open period bills because of the scenario."""

    billing_period: str
    currency: str
    row_count: int
    total_cost: Decimal


def closed_period_notes(
    connection: duckdb.DuckDBPyConnection, effective_instants: Sequence[datetime]
) -> tuple[str, ...]:
    """Sentences about closed periods; `effective_instants` are those of the scenario's splits.

    `connection` has the databases `before` and `after`.
    """
    closed = _closed_periods(connection)
    if closed is None:
        return ("No billing period is closed yet.",)
    notes = [
        f"{wording.counted(closed.count, 'closed period')}, the latest"
        f" {wording.period(closed.latest_period)}: billed amounts do not change."
    ]
    notes += [
        f"{wording.period(each.billing_period)} bills"
        f" {wording.counted(each.row_count, 'correction row')} for closed periods: cost"
        f" {wording.money(each.total_cost, each.currency)}."
        for each in _corrections(connection)
    ]
    last_date = closed.latest_billing_date
    early = [each for each in effective_instants if last_date and each.date() < last_date]
    if early:
        notes.append(
            f"{wording.counted(len(early), 'split')} of the scenario"
            f" {'starts' if len(early) == 1 else 'start'} before {wording.day(last_date)}, the"
            f" billing date of {wording.period(closed.latest_period)}. Closed periods keep the"
            " splits of the ledger; the scenario applies to lines of open bills only."
        )
        notes.append(
            "To change the split of a closed period, add an approved correction to"
            " landing/corrections. The oldest open period bills the difference."
        )
    return tuple(notes)


def _closed_periods(connection: duckdb.DuckDBPyConnection) -> ClosedPeriods | None:
    row = connection.execute(
        """
        select
            count(*), max(billing_period),
            (
                select max(billing_date) from after.marts.billing_report
                where billing_period in (select billing_period from after.raw.ledger_postings)
            )
        from after.raw.ledger_postings
        having count(*) > 0
        """
    ).fetchone()
    return ClosedPeriods(*row) if row else None


def _corrections(connection: duckdb.DuckDBPyConnection) -> list[Correction]:
    rows = connection.execute(
        """
        with corrections as (
            select billing_period, currency, line_id, cost_center_id, total_cost
            from after.marts.billing_report
            where charge_class = 'Correction'
            except
            select billing_period, currency, line_id, cost_center_id, total_cost
            from before.marts.billing_report
        )
        select billing_period, currency, count(*), sum(total_cost)
        from corrections
        group by billing_period, currency
        order by billing_period, currency
        """
    ).fetchall()
    return [Correction(*row) for row in rows]
