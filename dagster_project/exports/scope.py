"""The scope of an export: which periods and organizations it holds.

Belongs here: SQL that several exports share. Does not: any single kind of file, visible columns
(visibility), how a file is written (dagster_project.files).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from dagster_project import database
from dagster_project.errors import UsageError
from dagster_project.quoting import sql_literal
from dagster_project.settings import DataFolder

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

SALTED_LINE_IDS: Mapping[str, str] = {
    name: f"md5(getvariable('line_salt') || {name})"
    for name in ("line_id", "refund_of_line_id", "corrects_line_id")
}
"""SQL that masks line ids, with a salt in the variable `line_salt`: a line id is a hash of the
billed line with its cost, so that a reader who knows the other values could find it by trial."""

_CUSTOMER_EXPLANATION = """
    case
        when billing_report.explanation like 'the re-issued invoice %'
            then concat(
                'the re-issued invoice does not contain this line of closed period ',
                original_billing_period, ': the amount billed is reversed'
            )
        when billing_report.explanation like 'correction of closed period %'
            then concat(
                'correction of closed period ', original_billing_period,
                ': the split of this line was changed, and the amount with it'
            )
        when contains(billing_report.explanation, ', so cost is ')
            then concat(
                split_part(billing_report.explanation, ', so cost is ', 1),
                ', so the amount is ' || rtrim(rtrim(cast(total_sales as varchar), '0'), '.')
            )
    end
    """

_CUSTOMER_SHARING = """
    concat(
        from_cost_center_name, ' passes on ', coalesce(product_name, 'its costs'), ' by ',
        replace(method, '_', ' '), ': ', to_cost_center_name,
        ' receives ' || rtrim(rtrim(cast(shared_sales as varchar), '0'), '.')
    )
    """


def customer_masks(of_lines: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    """SQL of the masked columns, by mart: those of billing_report in `of_lines`, and `explanation`.

    It says which split applies, and the part of the sales. The sentence of a posting is text with
    the cost, so what precedes the cost is taken from it.
    """
    return {
        "billing_report": {**of_lines, "explanation": _CUSTOMER_EXPLANATION},
        "shared_costs": {"explanation": _CUSTOMER_SHARING},
    }


READER_MASKS = customer_masks({**SALTED_LINE_IDS, "billing_line_details": CUSTOMER_DETAILS})
"""SQL of the masked columns for organizations that read published tables by a connection, by mart.
It needs the variable `line_salt`."""


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


def open_published(data: DataFolder, *folders: Path) -> duckdb.DuckDBPyConnection:
    """A read-only connection with the published marts in its default schema.

    It can write files into the data folder and `folders`. Raises NothingPublished.
    """
    if not data.published_database.exists():
        raise NothingPublished(f"nothing is published in {data.root} yet: run make run first")
    connection = database.connect(folders=(data.root, *folders))
    connection.execute(f"attach {sql_literal(data.published_database)} as published (read_only)")
    connection.execute("use published.marts")
    return connection
