"""The viewer of the app, and the published tables that a viewer may see.

Belongs here: the viewer, the version of the published file, the connection of a viewer. Does not:
queries (queries), who is which viewer (roles), Streamlit.

The connection of a customer has only views of the rows and columns that are visible to that
organization, and that of an owner only views of own cost centers. A page that asks for more fails.
"""

import argparse
import os
import re
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import duckdb

from dagster_project.errors import ApportionError
from dagster_project.exports.scope import (
    READER_MASKS,
    NothingPublished,
    open_published,
)
from dagster_project.exports.visibility import customer_marts
from dagster_project.files import write_new
from dagster_project.settings import DataFolder

START_SALT = secrets.token_hex(16)
"""The salt of line ids where the app may not write to the data folder: new at every start."""


BROKER_MEASURES = (
    ("charged_amount", "Charged"),
    ("total_cost", "Cost"),
    ("total_sales", "Sales"),
    ("total_margin", "Margin"),
)
"""Amounts that a broker sees: sales where the organization is sold to, else cost, and its parts."""


class UnknownArgument(ApportionError):
    """The app was started with an unknown argument."""


class UnknownOrganization(ApportionError):
    """Nothing is published for the organization the app was started for."""


class LineSaltDamaged(ApportionError):
    """The file with the salt of line ids is not one that the app wrote."""


def line_salt(data: DataFolder) -> str:
    """The salt for the line ids that customers see, kept so that a line keeps its id.

    The id of a line is a hash of the billed line with its cost: without a salt, a reader who knows
    the other values could find the cost by trial. The first customer's page creates the file, which
    only its owner can read. Raises LineSaltDamaged.
    """
    path = data.line_salt
    try:
        if not path.exists():
            # Another process may have written it in the meantime.
            with suppress(FileExistsError):
                write_new(path, f"{secrets.token_hex(16)}\n".encode(), mode=0o600)
        salt = path.read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        salt = ""
    except OSError:
        return START_SALT
    if not re.fullmatch(r"[0-9a-f]{32}", salt):
        raise LineSaltDamaged(
            f"{path} is damaged: restore it, or remove it; ids of lines that organizations have"
            " noted are then not found"
        )
    return salt


@dataclass(frozen=True)
class Viewer:
    """The viewer: the broker, or with `customer_id` one customer.

    With `cost_center_ids` the viewer owns these cost centers of the customer and sees no others;
    an empty tuple shows nothing. Owners never edit.
    """

    customer_id: str | None = None
    may_edit: bool = False
    cost_center_ids: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for an owner without an organization, and an owner who may edit."""
        if self.cost_center_ids is not None and self.customer_id is None:
            raise ValueError("cost centers need their organization")
        if self.may_edit and self.cost_center_ids is not None:
            raise ValueError("owners never edit")

    @classmethod
    def from_start(cls, arguments: Sequence[str]) -> "Viewer":
        """The viewer of the app, from its arguments and the environment.

        `--customer ID` or APPORTION_CUSTOMER names a customer; APPORTION_EDIT=1 allows the broker
        to change splits. Raises UnknownArgument; if a mistyped argument were ignored, a customer
        would see the broker's figures.
        """
        parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False, exit_on_error=False)
        parser.add_argument("--customer")
        try:
            known, unknown = parser.parse_known_args(list(arguments))
        except argparse.ArgumentError as error:
            raise UnknownArgument(str(error)) from error
        if unknown:
            raise UnknownArgument(f"unknown argument {unknown[0]}; the app accepts --customer ID")
        if known.customer is not None and not known.customer.strip():
            raise UnknownArgument("--customer needs the id of an organization")
        customer_id = known.customer or os.environ.get("APPORTION_CUSTOMER") or None
        may_edit = os.environ.get("APPORTION_EDIT") == "1" and customer_id is None
        return cls(customer_id, may_edit)

    @property
    def may_run(self) -> bool:
        """Whether the viewer may ask for a run, which publishes what landed for everybody."""
        return self.may_edit and not self.is_customer

    @property
    def is_customer(self) -> bool:
        """Whether the viewer is a customer, who may not see cost."""
        return self.customer_id is not None

    @property
    def line_measures(self) -> tuple[tuple[str, str], ...]:
        """Amount columns of lines, before shared costs, with their titles.

        The first one, the amount charged, ranks rows.
        """
        return (("total_sales", "Amount"),) if self.is_customer else BROKER_MEASURES

    @property
    def measures(self) -> tuple[tuple[str, str], ...]:
        """Amount columns of chargeback, with their titles.

        The first one, the amount charged after shared costs, ranks rows. The others are before
        shared costs.
        """
        return (("sales_after_sharing", "Amount"),) if self.is_customer else BROKER_MEASURES

    @property
    def shared_measures(self) -> tuple[tuple[str, str], ...]:
        """Amount columns of chargeback that explain the effect of shared costs."""
        if self.is_customer:
            return (("total_sales", "Before sharing"),)
        return (
            ("cost_after_sharing", "Cost after sharing"),
            ("sales_after_sharing", "Sales after sharing"),
        )


@dataclass(frozen=True)
class Version:
    """The identity of the published file, which every run replaces."""

    inode: int
    modified_ns: int
    size_bytes: int

    @classmethod
    def now(cls, data: DataFolder) -> "Version":
        """The version that is published now. Raises NothingPublished."""
        try:
            status = data.published_database.stat()
        except FileNotFoundError as error:
            raise NothingPublished("Nothing is published yet. Run make run first.") from error
        return cls(status.st_ino, status.st_mtime_ns, status.st_size)


@contextmanager
def tables(data: DataFolder, viewer: Viewer) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection whose default schema has the tables that `viewer` may see.

    Each call opens the current file; an open connection keeps reading the file it opened. Raises
    NothingPublished and LineSaltDamaged.
    """
    connection = open_published(data)
    try:
        if viewer.customer_id is not None:
            _narrow(connection, line_salt(data), viewer.customer_id, viewer.cost_center_ids)
        yield connection
    finally:
        connection.close()


OWN_COST_CENTER = "list_contains(getvariable('cost_centers'), {})"

OWNER_ROWS: Mapping[str, str] = {
    "billing_periods": "true",
    "dim_organization": "true",
    "dim_subscription": "subscription_id in (select subscription_id from billing_report)",
    "shared_costs": f"{OWN_COST_CENTER.format('from_cost_center_id')}"
    f" or {OWN_COST_CENTER.format('to_cost_center_id')}",
}
"""SQL of the rows that an owner sees, of marts without a cost center per row. An owner sees own
rows of marts with cost_center_id, and no row of any other mart."""


OWNER_VIEWS: Mapping[str, str] = {
    "unit_charges": """
        with amounts as (
            select
                billing_period, billing_period_start, organization_id, currency, cost_center_id,
                max(organization_name) as organization_name, max(amount_basis) as amount_basis,
                sum(sales_after_sharing) as charged_amount
            from chargeback
            group by all
        ),
        billed as (
            select
                billing_period, organization_id, currency, cost_center_id,
                sum(billed_amount) as billed_amount
            from statement_lines
            group by all
        )
        select
            billing_period, organization_id, max(amounts.organization_name) as organization_name,
            currency, unit_kind, unit_id, max(unit_name) as unit_name,
            max(parent_unit_id) as parent_unit_id, count(*) as cost_center_count,
            max(amounts.amount_basis) as amount_basis,
            sum(charged_amount) as charged_amount,
            sum(charged_amount) filter (distance = 0) as own_charged_amount,
            sum(billed_amount) as billed_amount,
            sum(budget) as budget,
            sum(charged_amount) filter (budget is not null) as charged_against_budget,
            sum(charged_amount) filter (budget is not null) - sum(budget) as budget_variance,
            billing_period_start
        from amounts
        inner join unit_members using (organization_id, cost_center_id)
        left join billed using (billing_period, organization_id, currency, cost_center_id)
        left join budget_variance as budgets
            on organization_id = budgets.organization_id
            and cost_center_id = budgets.cost_center_id
            and currency = budgets.currency
            and billing_period_start = budgets.month
        group by billing_period, billing_period_start, organization_id, currency, unit_kind, unit_id
        """,
    "unit_quantities": """
        select
            billing_period, organization_id, unit_kind, unit_id, max(unit_name) as unit_name,
            max(parent_unit_id) as parent_unit_id, product_name, quantity_unit,
            sum(quantity) as quantity, billing_period_start
        from billing_report
        inner join unit_members using (organization_id, cost_center_id)
        group by
            billing_period, billing_period_start, organization_id, unit_kind, unit_id,
            product_name, quantity_unit
        having sum(quantity) <> 0
        """,
}
"""SQL of marts that sum cost centers: an owner sees the sums of own cost centers."""


def _owner_rows(mart: str, columns: Collection[str]) -> str | None:
    """SQL of the rows of a mart that an owner sees; None for none."""
    if mart in OWNER_ROWS:
        return OWNER_ROWS[mart]
    return OWN_COST_CENTER.format("cost_center_id") if "cost_center_id" in columns else None


def _narrow(
    connection: duckdb.DuckDBPyConnection,
    salt: str,
    customer_id: str,
    cost_center_ids: Sequence[str] | None = None,
) -> None:
    """Replace the default schema with views of what one organization or one owner may see."""
    published = columns_by_mart(connection)
    connection.execute("use memory.main")
    connection.execute("set variable organization = $customer", {"customer": customer_id})
    connection.execute("set variable line_salt = $salt", {"salt": salt})
    connection.execute("set variable cost_centers = $ids::varchar[]", {"ids": cost_center_ids})
    # billing_report first: the rows of another mart depend on it.
    for mart in sorted(customer_marts(), key=lambda each: each.name):
        columns = mart.values(READER_MASKS.get(mart.name, {}), published.get(mart.name, {}))
        own_rows = "true" if cost_center_ids is None else _owner_rows(mart.name, mart.columns)
        if columns and own_rows is not None:
            selected = ", ".join(f"{value} as {column}" for column, value in columns.items())
            connection.execute(
                f"create view {mart.name} as select {selected} from published.marts.{mart.name}"
                f" where ({mart.condition('published.marts.chargeback')}) and ({own_rows})"
            )
    if cost_center_ids is not None and "unit_members" in published:
        for name, query in OWNER_VIEWS.items():
            connection.execute(f"create view {name} as {query}")


def columns_by_mart(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """The marts of the default schema: for each its columns, in order, with their types."""
    found: dict[str, dict[str, str]] = {}
    for mart, column, data_type in connection.execute(
        """
        select table_name, column_name, data_type from information_schema.columns
        where table_catalog = current_database() and table_schema = current_schema()
        order by table_name, ordinal_position
        """
    ).fetchall():
        found.setdefault(mart, {})[column] = data_type
    return found
