"""What an export is about, and what all exports have in common: text that is safe to open.

Belongs here: which rows an export may hold, the names of its files, CSV. Does not: any one kind of
file.
"""

import csv
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

import duckdb

from dagster_project.errors import UsageError
from dagster_project.quoting import sql_literal
from dagster_project.settings import DataFolder
from dagster_project.wording import plain_decimal

Edition = Literal["broker", "customer"]

BROKER_ONLY_COLUMNS = frozenset(
    {
        "total_cost",
        "total_margin",
        "corrected_cost",
        "billed_margin",
        "amount_at_stake",
        "amortized_cost",
        "shared_cost",
        "shared_margin",
        "cost_after_sharing",
        "unit_price",
        "pending_cost",
        "billed_cost",
        "expected_cost",
        "proration_variance",
        "explanation",
        "price_explanation",
        "price_source",
        "committed_cost",
        "renewal_cost",
        "usage_cost",
        "actual_cost",
        "forecast_error",
        "lower_80",
        "upper_80",
        "lower_95",
        "upper_95",
    }
)
"""Columns that show a cost price or let one be worked out: no customer's file holds them."""


SAFE_DETAILS = (
    "broker_report",
    "new_commerce_reconciliation",
    "legacy_license_based",
    "daily_rated_usage",
)
"""Source formats whose description we word ourselves, or whose words we have checked."""

CUSTOMER_DETAILS = f"""
    case
        when billing_report.source_format in {SAFE_DETAILS}
            then billing_report.billing_line_details
        else concat(
            charge_type, '. From ', strftime(charge_start_date, '%-d %b %Y'),
            ' to ', strftime(charge_end_date, '%-d %b %Y')
        )
    end
    """
"""SQL of billing_line_details for customers: what a provider writes freely may name its price."""


def shared_cost_sides(measures: Sequence[str]) -> str:
    """SQL of shared costs as cost centers see them: what each received, and what it passed on.

    Rows of shared_costs with `cost_center_id`, `side` (1 received, 2 passed on), `other_name` (from
    whom or to whom) and the `measures`, negative where passed on. Where a product's cost is shared
    with who holds it, a part of it goes from a cost center to itself; that is left out.
    """
    passed_on = ", ".join(f"-{measure} as {measure}" for measure in measures)
    return f"""
        select
            *, 1 as side, to_cost_center_id as cost_center_id,
            'from ' || from_cost_center_name as other_name
        from shared_costs
        where from_cost_center_id <> to_cost_center_id
        union all
        select
            * replace ({passed_on}), 2, from_cost_center_id, 'to ' || to_cost_center_name
        from shared_costs
        where from_cost_center_id <> to_cost_center_id
        """


class NothingPublished(UsageError):
    """There is nothing to export yet."""


class NothingInScope(UsageError):
    """No published row is of the period and organization that were asked for."""


@dataclass(frozen=True)
class Scope:
    """Billing periods from first to last, like 2026-01, of all organizations or of one.

    The edition `customer` is for one organization and without cost prices.
    """

    first_period: str
    last_period: str
    organization_id: str | None = None
    edition: Edition = "broker"

    def __post_init__(self) -> None:
        """Raise ValueError where a customer's edition is of nobody."""
        if self.edition == "customer" and self.organization_id is None:
            raise ValueError("a customer's edition is of one organization")

    @property
    def condition(self) -> str:
        """SQL that holds on the rows in scope, with the parameters of `parameters`."""
        by_organization = " and organization_id = $organization" if self.organization_id else ""
        return f"billing_period between $first_period and $last_period{by_organization}"

    @property
    def parameters(self) -> dict[str, str]:
        """The values for `condition`."""
        values = {"first_period": self.first_period, "last_period": self.last_period}
        return values | ({"organization": self.organization_id} if self.organization_id else {})

    @property
    def words(self) -> str:
        """The periods as people say them: 2026-01, or 2026-01 to 2026-03."""
        if self.first_period == self.last_period:
            return self.first_period
        return f"{self.first_period} to {self.last_period}"


def open_published(data: DataFolder) -> duckdb.DuckDBPyConnection:
    """A connection that has the published tables in its default schema, read-only.

    Raises NothingPublished.
    """
    if not data.published_database.exists():
        raise NothingPublished(f"nothing is published in {data.root} yet: make run comes first")
    connection = duckdb.connect()
    connection.execute(f"attach {sql_literal(data.published_database)} as published (read_only)")
    connection.execute("use published.marts")
    return connection


def file_name(text: str) -> str:
    """A text as a part of a file's name, the same on every system; never empty or hidden."""
    name = re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-.")
    return name[:100] or "unnamed"


def as_text(value: str) -> str:
    """A text that no spreadsheet program takes for a formula, whatever it begins with.

    An apostrophe is put before what could be one; spreadsheet programs show the rest. Source: OWASP
    on CSV injection.
    """
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else value


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write a CSV file whole (UTF-8, CRLF, ISO dates, decimals with a point); returns its rows.

    Texts are guarded by `as_text`; numbers stay numbers, negative ones too; null is empty.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    building = path.with_name(f"{path.name}.building")
    count = 0
    with building.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([as_text(name) for name in header])
        for row in rows:
            writer.writerow([_csv_value(value) for value in row])
            count += 1
        file.flush()
        os.fsync(file.fileno())
    building.replace(path)
    return count


def _csv_value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    return as_text(value) if isinstance(value, str) else str(value)
