"""The edition for one customer: the customer's own rows, and nothing that tells a cost.

Belongs here: what a customer may see. A customer's tables are made first; the workbook is made from
these alone, so that it cannot show what they do not hold. Does not: how the workbook looks.

Only the columns listed here are copied: what a mart gains later stays inside until it is listed.
Left out, besides the amounts of cost and margin:

* findings, prorated_lines, invoice_reconciliation and quarantined_rows, for their figures and
  sentences are about cost.
* explanation, price_source and price_explanation: they do arithmetic with the cost.
* The line_id of the other tables: it is a hash of the line as billed, cost included, and whoever
  knows all but the cost finds it by trying amounts. Customers get numbers instead.
* Descriptions that the provider writes freely, which may name the provider's price.
* committed_spend, forecast_accuracy and cost_forecast_summary, which are about cost. Of
  cost_forecast they get the sales alone: method, bands and what is committed are of the cost, and
  beside the sales they would give the margin away.
* Budgets that are compared with cost, as those of who has no sales price are.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dagster_project.exports.scope import CUSTOMER_DETAILS, NothingInScope, Scope, file_name
from dagster_project.exports.workbook import WorkbookFigures, write_workbook
from dagster_project.publish import STORAGE_VERSION
from dagster_project.quoting import sql_literal
from dagster_project.settings import DataFolder

CHARGED = (
    "billing_period",
    "organization_id",
    "organization_name",
    "cost_center_id",
    "cost_center_name",
    "product_name",
    "currency",
    "quantity",
    "total_sales",
)

TABLES: Mapping[str, tuple[str, ...]] = {
    "billing_report": (
        "billing_period",
        "billing_date",
        "invoice_number",
        "organization_id",
        "organization_name",
        "subscription_id",
        "product_name",
        "sku_id",
        "charge_type",
        "charge_kind",
        "charge_start_date",
        "charge_end_date",
        "billing_line_details",
        "line_id",
        "cost_center_id",
        "cost_center_name",
        "quantity",
        "total_sales",
        "currency",
        "share",
        "snapshot_effective_at",
        "split_reason",
        "is_unallocated",
        "refund_of_line_id",
        "charge_class",
        "cost_center_name_then",
        "original_billing_period",
        "corrects_line_id",
        "is_posted",
    ),
    "chargeback": (*CHARGED, "shared_sales", "sales_after_sharing"),
    "chargeback_as_corrected": CHARGED,
    "shared_costs": (
        "billing_period",
        "organization_id",
        "organization_name",
        "currency",
        "step",
        "source_kind",
        "source_id",
        "source_name",
        "method",
        "from_cost_center_id",
        "from_cost_center_name",
        "to_cost_center_id",
        "to_cost_center_name",
        "product_name",
        "share",
        "shared_sales",
        "is_posted",
    ),
    "cost_center_history": (
        "organization_id",
        "subscription_id",
        "event",
        "valid_from",
        "valid_to",
        "recorded_at",
        "cost_center_id",
        "cost_center_name",
        "allocated_quantity",
        "total_quantity",
        "share",
        "is_unallocated",
        "is_over_allocated",
        "is_derived",
        "is_superseded",
        "cost_center_name_then",
        "snapshot_id",
    ),
    "license_pool": (
        "organization_id",
        "organization_name",
        "subscription_id",
        "product_name",
        "cost_center_id",
        "cost_center_name",
        "bought_quantity",
        "allotted_quantity",
        "assigned_quantity",
        "leaver_quantity",
        "pending_quantity",
        "currency",
        "directory_date",
    ),
    "cost_forecast": (
        "month",
        "organization_id",
        "organization_name",
        "business_unit",
        "cost_center_id",
        "cost_center_name",
        "currency",
        "sales_forecast",
    ),
    "budget_variance": (
        "month",
        "organization_id",
        "organization_name",
        "cost_center_id",
        "cost_center_name",
        "currency",
        "budget",
        "actual",
        "variance",
        "forecast",
        "budget_to_date",
        "actual_to_date",
        "variance_to_date",
        "year_budget",
        "year_expected",
        "year_variance",
        "status",
        "is_latest_month",
    ),
}
"""The marts that customers get, and their columns."""

ROWS: Mapping[str, str] = {
    "cost_forecast": "sales_forecast is not null",
    "budget_variance": "amount_basis = 'sales'",
}
"""SQL that holds on the rows that customers get; of the marts not named, they get all of theirs."""

INSTEAD = {
    "line_id": "lines.number",
    "refund_of_line_id": "refunded.number",
    "corrects_line_id": "corrected.number",
    "billing_line_details": CUSTOMER_DETAILS,
}
"""Columns of the billing report that customers get in other words."""

COMMENTS = {
    "line_id": "The line's number among the organization's lines of its billing period.",
    "refund_of_line_id": "On refunds, the line_id of the charge that is refunded.",
    "corrects_line_id": "On corrections, the line_id of the line they correct.",
    "sales_forecast": "Amount that is expected for the month.",
}

TABLE_COMMENTS = {
    "cost_forecast": (
        "One row per month to come, organization, cost center and currency: the amount that is"
        " expected to be charged."
    ),
}
"""Where a mart's own words are about what customers do not get."""


@dataclass(frozen=True)
class CustomerEdition:
    """The files of one organization; the workbook is null where no bill is of the periods asked."""

    organization_id: str
    database: Path
    workbook: Path | None
    figures: WorkbookFigures | None


def write_customer_edition(
    connection: duckdb.DuckDBPyConnection, data: DataFolder, scope: Scope, folder: Path
) -> CustomerEdition:
    """Write `published/organizations/<id>.duckdb`, and the workbook of the periods to the folder.

    The database holds all periods; the workbook is `<id>/<id>-<periods>.xlsx` below `folder`, where
    `<id>` is the organization's id as a file name that no other has. `connection` has the published
    tables. Raises NothingInScope where the organization has no bill at all.
    """
    organization_id = scope.organization_id
    names = organization_file_names(connection)
    if scope.edition != "customer" or organization_id is None:
        raise ValueError("a customer's edition is asked for by a scope of that edition")
    if organization_id not in names:
        raise NothingInScope(f"no bill of an organization {organization_id!r} is published")
    name = names[organization_id]
    database = customer_folder(data) / f"{name}.duckdb"
    _write_database(connection, organization_id, database)
    workbook = folder / name / f"{name}-{file_name(scope.words)}.xlsx"
    with duckdb.connect() as own:
        own.execute(f"attach {sql_literal(database)} as customer (read_only)")
        own.execute("use customer.marts")
        try:
            figures = write_workbook(own, scope, workbook)
        except NothingInScope:
            return CustomerEdition(organization_id, database, None, None)
    return CustomerEdition(organization_id, database, workbook, figures)


def write_customer_editions(
    connection: duckdb.DuckDBPyConnection,
    data: DataFolder,
    first_period: str,
    last_period: str,
    folder: Path,
) -> Iterator[CustomerEdition]:
    """Write every organization's edition, one after the other as they are asked for.

    After the last one, databases of organizations that are published no more are removed.
    """
    for organization_id in organization_file_names(connection):
        scope = Scope(first_period, last_period, organization_id, "customer")
        yield write_customer_edition(connection, data, scope, folder)
    remove_gone_customers(connection, data)


def remove_gone_customers(connection: duckdb.DuckDBPyConnection, data: DataFolder) -> None:
    """Remove the databases of organizations that have no bill any more, or another file name."""
    names = organization_file_names(connection).values()
    for path in customer_folder(data).glob("*.duckdb"):
        if path.stem not in names:
            path.unlink()


def customer_folder(data: DataFolder) -> Path:
    """Where the customers' databases are."""
    return data.published / "organizations"


def organization_file_names(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Organizations with a bill: each id and a file name that no other has, in order of the ids.

    Ids that are written alike as file names, upper and lower case apart, get a part of their hash,
    after a character that no other name has.
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


def _write_database(
    connection: duckdb.DuckDBPyConnection, organization_id: str, path: Path
) -> None:
    """The customer's tables, built beside what is there and switched in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    building = path.with_suffix(".duckdb.building")
    building.unlink(missing_ok=True)
    try:
        with _attached(connection, building):
            _number_lines(connection, organization_id)
            for table, columns in TABLES.items():
                _copy(connection, table, columns, organization_id)
            connection.execute("checkpoint customer")
        building.replace(path)
    finally:
        building.unlink(missing_ok=True)
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


def _number_lines(connection: duckdb.DuckDBPyConnection, organization_id: str) -> None:
    """Numbers like 2026-01-0017: a closed period's lines keep theirs, for they do not change."""
    connection.execute(
        """
        create or replace temp table customer_lines as
        with lines as (
            select
                line_id,
                min(billing_period) as billing_period,
                min(billing_date) as billing_date,
                min(subscription_id) as subscription_id,
                min(charge_start_date) as charge_start_date,
                min(charge_end_date) as charge_end_date,
                min(charge_type) as charge_type,
                sum(total_sales) as total_sales
            from billing_report
            where organization_id = $organization
            group by line_id
        )
        select
            line_id,
            printf(
                '%s-%04d', billing_period,
                row_number() over (
                    partition by billing_period
                    order by
                        billing_date, subscription_id, charge_start_date, charge_end_date,
                        charge_type, total_sales, line_id
                )
            ) as number
        from lines
        """,
        {"organization": organization_id},
    )


def _copy(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: tuple[str, ...],
    organization_id: str,
) -> None:
    values = {column: f"{table}.{column}" for column in columns}
    joins = ""
    if table == "billing_report":
        values |= INSTEAD
        joins = """
            inner join temp.customer_lines as lines on billing_report.line_id = lines.line_id
            left join temp.customer_lines as refunded
                on billing_report.refund_of_line_id = refunded.line_id
            left join temp.customer_lines as corrected
                on billing_report.corrects_line_id = corrected.line_id
            """
    selected = ", ".join(f"{value} as {column}" for column, value in values.items())
    rows = ROWS.get(table, "true")
    # In one order on every machine, whatever the threads did.
    connection.execute(
        f"create table customer.marts.{table} as select {selected} from {table} {joins}"
        f" where {table}.organization_id = $organization and {rows} order by all",
        {"organization": organization_id},
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
