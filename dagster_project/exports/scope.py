"""The scope of an export, and what all exports share: file names and CSV.

Belongs here: which periods and organizations an export holds, text that is safe to open. Does not:
any single kind of file, visible columns (visibility).
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

SAFE_DETAILS = (
    "broker_report",
    "new_commerce_reconciliation",
    "legacy_license_based",
    "daily_rated_usage",
)
"""Source formats whose descriptions contain no provider price."""

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
"""SQL that masks billing_line_details: a description of another format may contain a price."""


def shared_cost_sides(measures: Sequence[str]) -> str:
    """SQL of shared costs per cost center: amounts received and amounts passed on.

    Rows of shared_costs with `cost_center_id`, `side` (1 received, 2 passed on), `other_name` (the
    other cost center) and the `measures`, negative where passed on. Amounts that a cost center
    shares with itself are left out.
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
    """No marts are published yet."""


class NothingInScope(UsageError):
    """No published row has the requested period and organization."""


@dataclass(frozen=True)
class Scope:
    """Billing periods from first to last, like 2026-01, of all organizations or of one.

    The edition `customer` is for one organization, without cost.
    """

    first_period: str
    last_period: str
    organization_id: str | None = None
    edition: Edition = "broker"

    def __post_init__(self) -> None:
        """Raise ValueError if a customer's edition has no organization."""
        if self.edition == "customer" and self.organization_id is None:
            raise ValueError("a customer's edition needs an organization")

    @property
    def condition(self) -> str:
        """SQL condition of the rows in scope; its values are in `parameters`."""
        by_organization = " and organization_id = $organization" if self.organization_id else ""
        return f"billing_period between $first_period and $last_period{by_organization}"

    @property
    def parameters(self) -> dict[str, str]:
        """The values of `condition`."""
        values = {"first_period": self.first_period, "last_period": self.last_period}
        return values | ({"organization": self.organization_id} if self.organization_id else {})

    @property
    def words(self) -> str:
        """The periods in words: 2026-01, or 2026-01 to 2026-03."""
        if self.first_period == self.last_period:
            return self.first_period
        return f"{self.first_period} to {self.last_period}"


def open_published(data: DataFolder) -> duckdb.DuckDBPyConnection:
    """A read-only connection with the published marts in its default schema.

    Raises NothingPublished.
    """
    if not data.published_database.exists():
        raise NothingPublished(f"nothing is published in {data.root} yet: run make run first")
    connection = duckdb.connect()
    connection.execute(f"attach {sql_literal(data.published_database)} as published (read_only)")
    connection.execute("use published.marts")
    return connection


def file_name(text: str) -> str:
    """A text as part of a file name, valid on every system; never empty or hidden."""
    name = re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-.")
    return name[:100] or "unnamed"


def as_text(value: str) -> str:
    """A text that no spreadsheet program evaluates as a formula.

    An apostrophe precedes a text that could be one; spreadsheet programs hide it. Source: OWASP on
    CSV injection.
    """
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else value


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write a CSV file atomically; returns the number of its rows.

    UTF-8 with a byte order mark, CRLF, ISO dates, decimals with a point. Texts pass `as_text`;
    numbers stay numbers; null is empty.
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
