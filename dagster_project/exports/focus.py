"""Bills in FOCUS, the open format of the FinOps Foundation for cost and usage, as CSV and Parquet.

Belongs here: the columns of each FOCUS version, the masks of a customer's edition, the format of
values. Does not: charges (the marts focus_*, with the columns of FOCUS 1.4), visible columns
(visibility).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import duckdb

from dagster_project.errors import ApportionError
from dagster_project.exports.line_numbers import number_lines
from dagster_project.exports.scope import CUSTOMER_DETAILS, NothingInScope, Scope
from dagster_project.exports.visibility import visible_marts
from dagster_project.files import FORMULA_STARTS, file_name, replaced_at_once
from dagster_project.quoting import sql_identifier, sql_literal

Version = Literal["1.2", "1.4"]
FileFormat = Literal["csv", "parquet"]

COST_AND_USAGE = "focus_cost_and_usage"

UNNAMED_RESELLER = "Reseller"
"""Issuer of a customer's bill if unknown: the reseller's own name is in no file."""


@dataclass(frozen=True)
class FocusVersion:
    """How a version of FOCUS differs from the marts, which have the columns of the latest one."""

    datasets: frozenset[str]
    later_columns: frozenset[str] = frozenset()
    """Columns of Cost and Usage that FOCUS added later: custom columns here."""
    replaced_columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """For a column of the mart, those of this version, each with its column of the mart."""


VERSIONS: Mapping[Version, FocusVersion] = {
    "1.2": FocusVersion(
        datasets=frozenset({COST_AND_USAGE}),
        later_columns=frozenset(
            {
                "AllocatedMethodDetails",
                "AllocatedMethodId",
                "AllocatedResourceId",
                "AllocatedResourceName",
                "AllocatedTags",
                "ContractApplied",
                "HostProviderName",
                "InvoiceDetailId",
            }
        ),
        # The provider offers a service (a reseller too), the publisher makes it.
        replaced_columns={
            "ServiceProviderName": {
                "ProviderName": "InvoiceIssuerName",
                "PublisherName": "ServiceProviderName",
            }
        },
    ),
    "1.4": FocusVersion(
        datasets=frozenset(
            {
                COST_AND_USAGE,
                "focus_billing_period",
                "focus_contract_commitment",
                "focus_invoice_detail",
            }
        )
    ),
}
"""The versions that are written. A new version is an entry here and in `Version`, and columns of
the marts; the versions before it then name them as their later columns."""

LATEST: Version = "1.4"

SALES = "charges.x_TotalSales"
USED_SALES = """
    case
        when charges.x_PrepaidLineId is null then charges.x_TotalSales
        else charges.x_EffectiveSales
    end
    """
LINE_SALES = """
    cast(
        sum(charges.x_TotalSales) over (partition by charges.x_BillingPeriod, charges.x_LineId)
        as decimal(28, 10)
    )
    """
CHARGE_MASKS = {
    "BilledCost": SALES,
    "ContractedCost": USED_SALES,
    "EffectiveCost": "charges.x_EffectiveSales",
    "ListCost": USED_SALES,
    "ChargeDescription": "worded.details",
    "InvoiceId": "cast(null as varchar)",
    "InvoiceIssuerName": "cast($reseller as varchar)",
    "x_CorrectsLineId": "corrected.number",
    "x_PrepaidLineId": "prepaid.number",
    "x_RefundOfLineId": "refunded.number",
    "x_LineId": "numbered.number",
    "x_SplitOriginId": "case when charges.x_SplitOriginId is not null then numbered.number end",
    "x_LineBilledCost": LINE_SALES,
    "x_SplitOriginCost": f"case when charges.x_SplitOriginId is not null then {LINE_SALES} end",
}
"""SQL of the masked columns of focus_cost_and_usage: sales for costs, numbers for line ids."""


class ChargesWithoutSales(ApportionError):
    """A customer's bill has charges without a sales price."""


@dataclass(frozen=True)
class FocusFile:
    """One written file and its number of rows."""

    path: Path
    dataset: str
    version: Version
    file_format: FileFormat
    row_count: int


def write_focus(
    connection: duckdb.DuckDBPyConnection,
    scope: Scope,
    folder: Path,
    version: Version = LATEST,
    file_formats: tuple[FileFormat, ...] = ("csv", "parquet"),
    reseller_name: str = UNNAMED_RESELLER,
    *,
    is_guarded: bool = False,
) -> tuple[FocusFile, ...]:
    """Write the bills of a scope as one file per dataset and format; returns the files.

    FOCUS 1.4 has four datasets (Cost and Usage, Invoice Detail, Billing Period, Contract
    Commitment), 1.2 only the first. FOCUS columns come first, then custom ones (`x_`). A dataset
    without rows has no file. In a customer's edition costs are sales, `reseller_name` issues the
    bill, and the invoices of the provider are left out.

    CSV is for machines: UTF-8 without a byte order mark, null is empty. Decimals are exact in both
    formats, instants UTC. A text that a spreadsheet program would evaluate stays as it is, because
    a guard changes ids and JSON; `is_guarded` sets one in CSV (files.as_text).

    Raises NothingInScope and, in a customer's edition, ChargesWithoutSales; then it writes
    nothing. Source: FOCUS 1.2 and 1.4, attributes Column Handling, Null Handling, Numeric Format
    and Date/Time Format.
    """
    _select_charges(connection, scope, reseller_name)
    columns = ", ".join(
        f'"{name}" as "{column}"' for column, name in _columns_of(connection, version).items()
    )
    datasets = {COST_AND_USAGE: f"select {columns} from focus_cost_and_usage_rows"}
    if VERSIONS[version].datasets > {COST_AND_USAGE}:
        _select_billing_periods(connection)
        _select_contract_commitments(connection, scope, reseller_name)
        datasets["focus_billing_period"] = "select * from focus_billing_period_rows"
        datasets["focus_contract_commitment"] = "select * from focus_contract_commitment_rows"
        if scope.edition == "broker":
            datasets["focus_invoice_detail"] = """
                select details.* from focus_invoice_detail as details
                semi join focus_cost_and_usage_rows as charges
                    on details.InvoiceDetailId = charges.InvoiceDetailId
                """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for dataset, query in datasets.items():
        row = connection.execute(f"select count(*) from ({query})").fetchone()
        row_count = row[0] if row else 0
        for file_format in file_formats:
            path = folder / _file_name(dataset, scope, version, file_format)
            if row_count == 0:
                path.unlink(missing_ok=True)
                continue
            _write(connection, query, path, file_format, is_guarded)
            files.append(FocusFile(path, dataset, version, file_format, row_count))
    return tuple(files)


def _select_charges(
    connection: duckdb.DuckDBPyConnection, scope: Scope, reseller_name: str
) -> None:
    """The charges in scope as the temporary table focus_cost_and_usage_rows."""
    # The condition of a scope uses billing_period and organization_id.
    in_scope = f"""
        select * exclude (billing_period, organization_id) from (
            select
                *,
                x_BillingPeriod as billing_period,
                BillingAccountId as organization_id
            from {COST_AND_USAGE}
        )
        where {scope.condition}
    """
    parameters = dict(scope.parameters)
    if scope.edition == "customer":
        in_scope = _customer_charges(connection, in_scope, scope.organization_id)
        parameters["reseller"] = reseller_name
    connection.execute(
        f"create or replace temp table focus_cost_and_usage_rows as {in_scope}", parameters
    )
    row = connection.execute(
        """
        select count(*), count(*) filter (where BilledCost is null)
        from focus_cost_and_usage_rows
        """
    ).fetchone()
    row_count, unpriced_count = row or (0, 0)
    if row_count == 0:
        raise NothingInScope(f"no charges for {scope.words}")
    if unpriced_count:
        raise ChargesWithoutSales(
            f"{scope.organization_id}, {scope.words}: {unpriced_count} of {row_count} charges have"
            " no sales, and FOCUS has no charge without a cost: add their prices to the price list"
        )


def _customer_charges(
    connection: duckdb.DuckDBPyConnection, in_scope: str, organization_id: str | None
) -> str:
    """SQL of the columns of charges that a customer may see: sales for costs, numbers for line ids.

    Lines are numbered within their billing period, in the order of line_numbers.
    """
    connection.execute(
        "set variable organization = $organization", {"organization": organization_id}
    )
    number_lines(connection)
    columns = _visible(connection, COST_AND_USAGE, CHARGE_MASKS, "charges")
    return f"""
        with

        charges as ({in_scope}),

        numbered as (
            select
                billed.x_BillingPeriod as period,
                billed.x_LineId as line_id,
                concat(
                    billed.x_BillingPeriod, '/',
                    dense_rank() over (
                        partition by billed.x_BillingPeriod
                        order by
                            billed.x_PrepaidLineId is not null, billed.ChargePeriodStart,
                            billed.SubAccountId, lines.number, billed.x_LineId
                    )
                ) as number
            from {COST_AND_USAGE} as billed
            left join temp.customer_lines as lines on billed.x_LineId = lines.line_id
            where billed.BillingAccountId = $organization
            group by
                billed.x_BillingPeriod, billed.x_LineId, billed.x_PrepaidLineId,
                billed.ChargePeriodStart, billed.SubAccountId, lines.number
        ),

        worded as (
            select
                billing_period as period,
                line_id,
                min({CUSTOMER_DETAILS}) as details
            from billing_report
            where organization_id = $organization
            group by billing_period, line_id
        ),

        -- A line that was reversed and billed again is in two periods.
        first_numbers as (
            select lines.line_id, min_by(numbered.number, numbered.period) as number
            from temp.customer_lines as lines
            inner join numbered on lines.first_equal_line_id = numbered.line_id
            group by lines.line_id
        )

        select {columns}
        from charges
        inner join numbered
            on charges.x_BillingPeriod = numbered.period and charges.x_LineId = numbered.line_id
        -- A month of a prepaid purchase is worded like the purchase.
        inner join worded
            on
                case
                    when charges.x_PrepaidLineId is null then charges.x_BillingPeriod
                    else charges.x_OriginalBillingPeriod
                end = worded.period
                and coalesce(charges.x_PrepaidLineId, charges.x_LineId) = worded.line_id
        left join first_numbers as corrected on charges.x_CorrectsLineId = corrected.line_id
        left join first_numbers as refunded on charges.x_RefundOfLineId = refunded.line_id
        left join first_numbers as prepaid on charges.x_PrepaidLineId = prepaid.line_id
    """


def _visible(
    connection: duckdb.DuckDBPyConnection, table: str, masks: Mapping[str, str], alias: str
) -> str:
    """SQL of the columns of a FOCUS mart that a customer may see."""
    values = visible_marts()[table].values(masks, connection.table(table).columns)
    return ", ".join(
        f'{masks.get(column) or f"{alias}.{value}"} as "{column}"'
        for column, value in values.items()
    )


def _select_billing_periods(connection: duckdb.DuckDBPyConnection) -> None:
    """The billing periods of the charges as the temporary table focus_billing_period_rows."""
    connection.execute(
        """
        create or replace temp table focus_billing_period_rows as
        with

        -- A customer's bill has the reseller as its issuer.
        issuers as (
            select
                BillingPeriodStart,
                BillingPeriodEnd,
                InvoiceIssuerName,
                max(x_BillingPeriod) as x_BillingPeriod
            from focus_cost_and_usage_rows
            group by BillingPeriodStart, BillingPeriodEnd, InvoiceIssuerName
        ),

        periods as (
            select
                issuers.BillingPeriodStart,
                issuers.BillingPeriodEnd,
                issuers.InvoiceIssuerName,
                issuers.x_BillingPeriod,
                coalesce(
                    max(periods.BillingPeriodLastUpdated) filter (
                        where periods.InvoiceIssuerName = issuers.InvoiceIssuerName
                    ),
                    max(periods.BillingPeriodLastUpdated)
                ) as BillingPeriodLastUpdated,
                any_value(periods.BillingPeriodCreated) as BillingPeriodCreated,
                -- Of several issuers, one may have charges in an open month.
                max(periods.BillingPeriodStatus) as BillingPeriodStatus
            from issuers
            inner join focus_billing_period as periods
                on
                    issuers.BillingPeriodStart = periods.BillingPeriodStart
                    and issuers.BillingPeriodEnd = periods.BillingPeriodEnd
            group by all
        )

        select
            BillingPeriodCreated,
            BillingPeriodEnd,
            BillingPeriodLastUpdated,
            BillingPeriodStart,
            BillingPeriodStatus,
            InvoiceIssuerName,
            x_BillingPeriod
        from periods
        """
    )


def _select_contract_commitments(
    connection: duckdb.DuckDBPyConnection, scope: Scope, reseller_name: str
) -> None:
    """The commitments of the organizations in scope, as focus_contract_commitment_rows."""
    columns = "*"
    condition = "x_BillingAccountId = $organization" if scope.organization_id else "true"
    parameters = {"organization": scope.organization_id} if scope.organization_id else {}
    if scope.edition == "customer":
        masks = {"InvoiceIssuerName": "cast($reseller as varchar)"}
        columns = _visible(connection, "focus_contract_commitment", masks, "commitments")
        parameters["reseller"] = reseller_name
    connection.execute(
        f"""
        create or replace temp table focus_contract_commitment_rows as
        select {columns}
        from focus_contract_commitment as commitments
        where {condition}
        """,
        parameters,
    )


def _columns_of(connection: duckdb.DuckDBPyConnection, version: Version) -> dict[str, str]:
    """The columns of a file of charges in order, each with its name in the mart."""
    columns: dict[str, str] = {}
    written = VERSIONS[version]
    for name in _types(connection, "select * from focus_cost_and_usage_rows"):
        if name in written.replaced_columns:
            columns |= written.replaced_columns[name]
        elif name in written.later_columns:
            columns[f"x_{name}"] = name
        else:
            columns[name] = name
    return dict(sorted(columns.items(), key=lambda column: (column[0].startswith("x_"), column)))


def _types(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, str]:
    """The columns of a query with their types."""
    return {row[0]: row[1] for row in connection.execute(f"describe {query}").fetchall()}


def _file_name(dataset: str, scope: Scope, version: Version, file_format: FileFormat) -> str:
    """The name of a file, e.g. focus-1.4-cost-and-usage-2026-01-cobalt-customer.csv."""
    parts = [
        "focus",
        version,
        dataset.removeprefix("focus_").replace("_", "-"),
        scope.words.replace(" ", "-"),
        scope.organization_id or "",
        "customer" if scope.edition == "customer" else "",
    ]
    return f"{file_name('-'.join(part for part in parts if part))}.{file_format}"


def _write(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    path: Path,
    file_format: FileFormat,
    is_guarded: bool,
) -> None:
    """Write the rows of a query atomically, in the same order on every machine."""
    written = ", ".join(
        f"{_as_written(sql_identifier(name), kind, file_format, is_guarded)}"
        f" as {sql_identifier(name)}"
        for name, kind in _types(connection, query).items()
    )
    options = "format csv, header" if file_format == "csv" else "format parquet, compression zstd"
    with replaced_at_once(path) as building:
        connection.execute(
            f"copy (select {written} from (from ({query}) order by all))"
            f" to {sql_literal(building)} ({options})"
        )


def _as_written(column: str, kind: str, file_format: FileFormat, is_guarded: bool) -> str:
    """SQL of a quoted column in the format of FOCUS: instants with their zone, plain decimals."""
    if kind == "TIMESTAMP":
        in_csv = f"strftime({column}, '%Y-%m-%dT%H:%M:%SZ')"
        return in_csv if file_format == "csv" else f"{column} at time zone 'UTC'"
    if kind.startswith("DECIMAL") and file_format == "csv":
        return f"rtrim(rtrim(cast({column} as varchar), '0'), '.')"
    if kind == "VARCHAR" and file_format == "csv" and is_guarded:
        starts = ", ".join(f"chr({ord(start)})" for start in FORMULA_STARTS)
        return f"case when left({column}, 1) in ({starts}) then '''' || {column} else {column} end"
    return column
