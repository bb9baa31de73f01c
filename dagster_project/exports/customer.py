"""The edition of one customer: a database, statements and a workbook without cost.

Belongs here: the customer's own tables, and the masks of values that would reveal a cost.
Statements and workbook read these tables only, so they cannot show anything else. Does not: which
columns and rows are visible, which the dbt YAML of the marts decides (visibility).

Masked values:

* Line ids: numbers instead (line_numbers).
* billing_line_details. A provider's own description may contain its price.
* explanation. The sentence without the cost, and with the part of the sales.

Why some columns are not visible: findings (but for organization_findings), prorated_lines,
invoice_reconciliation, quarantined_rows, committed_spend, forecast_accuracy and
cost_forecast_summary are about cost. price_source and price_explanation contain the cost. Method,
bands and committed parts of cost_forecast are of the cost; beside the sales they would reveal the
margin.
"""

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dagster_project.database import connect
from dagster_project.exports.line_numbers import number_lines
from dagster_project.exports.scope import (
    CUSTOMER_DETAILS,
    NothingInScope,
    Scope,
    customer_masks,
)
from dagster_project.exports.statement_look import read_look
from dagster_project.exports.statements import write_statements
from dagster_project.exports.visibility import VisibleMart, customer_marts
from dagster_project.exports.workbook import WorkbookFigures, write_workbook
from dagster_project.files import file_name, replaced_at_once
from dagster_project.mail.settings import read_delivery
from dagster_project.publish import STORAGE_VERSION
from dagster_project.quoting import sql_literal
from dagster_project.settings import DataFolder

MASKS = customer_masks(
    {
        "line_id": "lines.number",
        "refund_of_line_id": "refunded.number",
        "corrects_line_id": "corrected.number",
        "billing_line_details": CUSTOMER_DETAILS,
    }
)
"""SQL of the masked columns, by mart."""

ORGANIZATIONS = "organizations"

COMMENTS = {
    "line_id": "The line's number among the organization's lines of its billing period.",
    "refund_of_line_id": "On refunds, the line_id of the charge that is refunded.",
    "corrects_line_id": "On corrections, the line_id of the line they correct.",
    "explanation": "Which split applies, and the part of the amount.",
    "sales_forecast": "Forecast amount of the month.",
}

TABLE_COMMENTS = {
    "cost_forecast": (
        "One row per future month, organization, cost center and currency: the forecast amount."
    ),
}
"""Descriptions of marts whose own description is about columns that are not visible."""


@dataclass(frozen=True)
class CustomerEdition:
    """The files of one organization; without statements or workbook if no bill is in scope."""

    organization_id: str
    database: Path
    statements: tuple[Path, ...]
    workbook: Path | None
    figures: WorkbookFigures | None


def write_customer_edition(
    connection: duckdb.DuckDBPyConnection, data: DataFolder, scope: Scope, folder: Path
) -> CustomerEdition:
    """Write the database `organizations/<id>.duckdb` of the published version, and other files.

    The database holds all periods; readers see it once show_customers has switched to its version.
    Statements and the workbook `<id>-<periods>.xlsx` are in `<id>`
    below `folder`; `<id>` is the organization's id as a unique file name. `connection` has the
    published tables. Raises NothingInScope if the organization has no bill at all.
    """
    organization_id = scope.organization_id
    names = organization_file_names(connection)
    if scope.edition != "customer" or organization_id is None:
        raise ValueError("a customer's edition needs a scope of the edition customer")
    if organization_id not in names:
        raise NothingInScope(f"no bill of the organization {organization_id!r} is published")
    name = names[organization_id]
    database = write_customer_database(connection, data, organization_id)
    path = folder / name / f"{name}-{file_name(scope.words)}.xlsx"
    with connect(folders=(database.parent,)) as own:
        own.execute(f"attach {sql_literal(database)} as customer (read_only)")
        own.execute("use customer.marts")
        try:
            figures = write_workbook(own, scope, path)
        except NothingInScope:
            return CustomerEdition(organization_id, database, (), None, None)
        try:
            look = read_look(data, read_delivery(data).statements)
            files = write_statements(own, scope, folder / name, look)
        except NothingInScope:
            files = ()
    return CustomerEdition(organization_id, database, files, path, figures)


def write_customer_database(
    connection: duckdb.DuckDBPyConnection, data: DataFolder, organization_id: str
) -> Path:
    """Write the database of an organization that has a bill; returns its path."""
    name = organization_file_names(connection)[organization_id]
    path = _databases(data) / f"{name}.duckdb"
    write_customer_tables(connection, organization_id, path)
    return path


def is_sold_to(connection: duckdb.DuckDBPyConnection, scope: Scope) -> bool:
    """Whether a bill in scope has sales: without any, a customer's edition shows no amount."""
    row = connection.execute(
        f"""
        select count(*) from statement_lines
        where {scope.condition} and amount_basis = 'sales'
        """,
        scope.parameters,
    ).fetchone()
    return bool(row and row[0])


def write_customer_editions(
    connection: duckdb.DuckDBPyConnection,
    data: DataFolder,
    first_period: str,
    last_period: str,
    folder: Path,
) -> Iterator[CustomerEdition]:
    """Write the edition of every organization, one per iteration.

    After the last one, databases of organizations without a published bill are removed.
    """
    for organization_id in organization_file_names(connection):
        scope = Scope(first_period, last_period, organization_id, "customer")
        yield write_customer_edition(connection, data, scope, folder)
    remove_gone_customers(connection, data)
    show_customers(data)


def remove_gone_customers(connection: duckdb.DuckDBPyConnection, data: DataFolder) -> None:
    """Remove the databases of organizations without a bill, or with another file name."""
    names = organization_file_names(connection).values()
    for path in _databases(data).glob("*.duckdb"):
        if path.stem not in names:
            path.unlink()


def customer_folder(data: DataFolder) -> Path:
    """The folder in which readers find the customers' databases: all of one version."""
    return data.published / ORGANIZATIONS


def databases_to_refresh(connection: duckdb.DuckDBPyConnection, data: DataFolder) -> list[str]:
    """The organizations whose databases readers see and the published version does not have."""
    names = organization_file_names(connection).items()
    shown = {path.name for path in customer_folder(data).glob("*.duckdb")}
    return [
        organization_id
        for organization_id, name in names
        if f"{name}.duckdb" in shown and not (_databases(data) / f"{name}.duckdb").exists()
    ]


def show_customers(data: DataFolder) -> None:
    """Switch readers to the customers' databases of the published version, in one step."""
    shown, written = customer_folder(data), _databases(data)
    if written == shown or not written.is_dir():
        return
    if shown.is_dir() and not shown.is_symlink():
        # Apportion 0.1.0 had a plain folder.
        shutil.rmtree(shown)
    with replaced_at_once(shown, is_flushed=False) as building:
        building.symlink_to(written.relative_to(shown.parent))


def _databases(data: DataFolder) -> Path:
    """The folder of the databases in the published version, if there are versions."""
    current = data.published / "current"
    if current.is_symlink():
        # Not resolved: DuckDB is limited to the data folder by its name.
        return data.published / current.readlink() / ORGANIZATIONS
    return customer_folder(data)


def organization_file_names(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Organizations with a bill: each id with a unique file name, in order of the ids.

    Ids with the same file name, ignoring case, get a part of their hash after a tilde.
    """
    ids = [
        organization_id
        for (organization_id,) in connection.execute(
            "select distinct organization_id from billing_report"
            " where organization_id is not null order by 1"
        ).fetchall()
    ]
    names = {organization_id: file_name(organization_id) for organization_id in ids}
    uses = Counter(name.casefold() for name in names.values())
    return {
        organization_id: name
        if uses[name.casefold()] == 1
        else f"{name}~{hashlib.sha256(organization_id.encode()).hexdigest()[:16]}"
        for organization_id, name in names.items()
    }


def write_customer_tables(
    connection: duckdb.DuckDBPyConnection, organization_id: str, path: Path
) -> None:
    """Write the customer's tables to a new file and switch it in one step.

    `connection` has the published tables and may write to the folder of `path`.
    """
    try:
        with replaced_at_once(path) as building, _attached(connection, building):
            connection.execute(
                "set variable organization = $organization", {"organization": organization_id}
            )
            number_lines(connection)
            for mart in customer_marts():
                _copy(connection, mart)
            connection.execute("checkpoint customer")
    finally:
        connection.execute("drop table if exists temp.customer_lines")


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[None]:
    connection.execute(
        f"attach {sql_literal(path)} as customer (storage_version '{STORAGE_VERSION}')"
    )
    try:
        connection.execute("create schema customer.marts")
        yield
    finally:
        connection.execute("detach customer")


def _copy(connection: duckdb.DuckDBPyConnection, mart: VisibleMart) -> None:
    table = mart.name
    columns = mart.values(MASKS.get(table, {}), connection.table(table).columns)
    joins = ""
    if table == "billing_report":
        joins = """
            inner join temp.customer_lines as lines on billing_report.line_id = lines.line_id
            left join temp.customer_lines as refunded_line
                on billing_report.refund_of_line_id = refunded_line.line_id
            left join temp.customer_lines as refunded
                on refunded_line.first_equal_line_id = refunded.line_id
            left join temp.customer_lines as corrected_line
                on billing_report.corrects_line_id = corrected_line.line_id
            left join temp.customer_lines as corrected
                on corrected_line.first_equal_line_id = corrected.line_id
            """
    selected = ", ".join(f"{value} as {column}" for column, value in columns.items())
    # A fixed order makes the file the same on every machine.
    connection.execute(
        f"create table customer.marts.{table} as select {selected} from {table} {joins}"
        f" where {mart.condition()} order by all"
    )
    comments = connection.execute(
        """
        select column_name, comment from duckdb_columns()
        where database_name = current_database() and schema_name = current_schema()
            and table_name = $table and comment is not null
        """,
        {"table": table},
    ).fetchall()
    for column, comment in (dict(comments) | COMMENTS).items():
        if column in columns:
            connection.execute(
                f"comment on column customer.marts.{table}.{column} is {sql_literal(comment)}"
            )
    for (comment,) in connection.execute(
        """
        select comment from duckdb_tables()
        where database_name = current_database() and schema_name = current_schema()
            and table_name = $table and comment is not null
        """,
        {"table": table},
    ).fetchall():
        words = TABLE_COMMENTS.get(table, str(comment))
        connection.execute(f"comment on table customer.marts.{table} is {sql_literal(words)}")
