"""Who looks, and what of the published tables they can reach.

Belongs here: the viewer, the version of the published file, the connection a viewer gets. Does
not: questions to the tables (figures) and anything of Streamlit.

A customer's connection has no tables but views of one organization's rows without cost prices, so
that a page that asks for more fails instead of telling.
"""

import argparse
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from dagster_project.errors import ApportionError
from dagster_project.exports import customer
from dagster_project.exports.scope import NothingPublished, open_published
from dagster_project.settings import DataFolder

LINE_SALT = secrets.token_hex(16)
"""A line's id is a hash of what the bill says, cost included: who knows the rest could try costs
until one fits. So customers see ids of their own, which end with the app."""

CUSTOMER_COLUMNS: Mapping[str, Sequence[str]] = {
    # Without billing_line_details: providers of usage print their prices there, and the app shows
    # a line's type and days.
    mart: tuple(name for name in columns if name != "billing_line_details")
    for mart, columns in customer.TABLES.items()
}
"""What a customer can see, by mart: what is not listed here does not exist for customers."""


class UnknownArgument(ApportionError):
    """The app was started with an argument it does not know."""


class UnknownOrganization(ApportionError):
    """Nothing is published for the organization the app was started for."""


@dataclass(frozen=True)
class Viewer:
    """Who looks: the broker, or with `customer_id` one customer. Customers never edit."""

    customer_id: str | None = None
    may_edit: bool = False

    @classmethod
    def from_start(cls, arguments: Sequence[str]) -> "Viewer":
        """The viewer that the app was started for.

        `--customer ID` of `arguments` or APPORTION_CUSTOMER names a customer; APPORTION_EDIT=1
        allows the broker to change splits. Raises UnknownArgument: were a mistyped one ignored, a
        customer would be shown what the broker sees.
        """
        parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False, exit_on_error=False)
        parser.add_argument("--customer")
        try:
            known, unknown = parser.parse_known_args(list(arguments))
        except argparse.ArgumentError as error:
            raise UnknownArgument(str(error)) from error
        if unknown:
            raise UnknownArgument(f"the app knows no argument {unknown[0]}; it knows --customer ID")
        if known.customer is not None and not known.customer.strip():
            raise UnknownArgument("--customer needs the id of an organization")
        customer_id = known.customer or os.environ.get("APPORTION_CUSTOMER") or None
        may_edit = os.environ.get("APPORTION_EDIT") == "1" and customer_id is None
        return cls(customer_id, may_edit)

    @property
    def is_customer(self) -> bool:
        """Whether one customer looks, and cost prices are not to be seen."""
        return self.customer_id is not None

    @property
    def measures(self) -> tuple[tuple[str, str], ...]:
        """Columns of money this viewer sees, with their titles; the first is the one to rank by."""
        if self.is_customer:
            return (("total_sales", "Amount"),)
        return (("total_cost", "Cost"), ("total_sales", "Sales"), ("total_margin", "Margin"))

    @property
    def shared_measures(self) -> tuple[tuple[str, str], ...]:
        """Columns of chargeback with what is left after shared costs were passed on."""
        if self.is_customer:
            return (("sales_after_sharing", "After sharing"),)
        return (
            ("cost_after_sharing", "Cost after sharing"),
            ("sales_after_sharing", "Sales after sharing"),
        )


@dataclass(frozen=True)
class Version:
    """Which file is published: another one after every run, even under the same name."""

    inode: int
    modified_ns: int
    size_bytes: int

    @classmethod
    def now(cls, data: DataFolder) -> "Version":
        """The version that whoever opens the file now gets. Raises NothingPublished."""
        try:
            status = data.published_database.stat()
        except FileNotFoundError as error:
            raise NothingPublished("Nothing is published yet: make run comes first.") from error
        return cls(status.st_ino, status.st_mtime_ns, status.st_size)


@contextmanager
def tables(data: DataFolder, viewer: Viewer) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose default schema has what `viewer` may see, read-only.

    Opened anew each time: a connection goes on reading the file it opened, and runs switch it.
    Raises NothingPublished.
    """
    connection = open_published(data)
    try:
        if viewer.customer_id is not None:
            _narrow(connection, viewer.customer_id)
        yield connection
    finally:
        connection.close()


def _narrow(connection: duckdb.DuckDBPyConnection, customer_id: str) -> None:
    published = columns_by_mart(connection)
    connection.execute("use memory.main")
    connection.execute("set variable customer = $customer", {"customer": customer_id})
    of_customer = "organization_id = getvariable('customer')"
    for mart, names in CUSTOMER_COLUMNS.items():
        columns = ", ".join(
            f"md5({LINE_SALT!r} || {name}) as {name}" if name.endswith("line_id") else name
            for name in names
            if name in published.get(mart, ())
        )
        if columns:
            connection.execute(
                f"create view {mart} as select {columns} from published.marts.{mart}"
                f" where {of_customer} and {customer.ROWS.get(mart, 'true')}"
            )
    connection.execute(
        f"""
        create view billing_periods as
        select billing_period, currency, status, closed_at from published.marts.billing_periods
        where (billing_period, currency) in (
            select (billing_period, currency) from published.marts.chargeback where {of_customer}
        )
        """
    )


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
