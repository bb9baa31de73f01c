"""The rows of a workbook: split lines in scope, totals, invoices, shared costs, forecast, budget.

The split lines are those of the billing report and, per cost center, its shared costs: amounts
received, and amounts passed on as negative ones. The amounts charged of all rows therefore sum to
chargeback and to the statements. Shared costs have no cost, sales and margin of their own, since
these are before sharing.

Belongs here: queries, and the columns of each sheet. Does not: cells, formulas, charts (workbook).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import duckdb

from dagster_project.errors import ApportionError
from dagster_project.exports.scope import NothingInScope, Scope, shared_cost_sides
from dagster_project.exports.visibility import require_customer_tables

ROW_LIMIT = 1_048_575
"""Maximum number of rows of a sheet below its header."""

FETCHED_ROWS = 5_000

Kind = Literal[
    "text",
    "code",
    "charge_type",
    "sharing_method",
    "date",
    "month",
    "instant",
    "flag",
    "count",
    "quantity",
    "share",
    "unit_amount",
    "money",
]


class TooManyRows(ApportionError):
    """There are more rows than fit on a sheet."""


@dataclass(frozen=True)
class Column:
    """A column of a table: its header, its name in the mart, its width.

    A sheet prints its columns up to the first that is not printed.
    """

    header: str
    name: str
    width: int
    kind: Kind = "text"
    is_printed: bool = True

    @property
    def total_header(self) -> str:
        """The header of the column's sum: cost, sales and margin are before shared costs."""
        return self.header if self.name == CHARGED else f"{self.header} before sharing"


CHARGED = "charged_amount"

SHARED_KIND = "shared costs"
"""The kind of split lines that are shared costs."""

DETAIL = (
    Column("Period", "billing_period", 9),
    Column("Organization", "organization_name", 26),
    Column("Product", "product_name", 34),
    Column("Charge type", "charge_type", 22, "charge_type"),
    Column("From", "charge_start_date", 11, "date"),
    Column("To", "charge_end_date", 11, "date"),
    Column("Cost center", "cost_center_name", 24),
    Column("Quantity", "quantity", 11, "quantity"),
    Column("Unit", "quantity_unit", 10),
    Column("Share", "share", 10, "share"),
    Column("Currency", "currency", 10),
    Column("Charged", CHARGED, 14, "money"),
    Column("Cost", "total_cost", 14, "money", is_printed=False),
    Column("Sales", "total_sales", 14, "money", is_printed=False),
    Column("Margin", "total_margin", 14, "money"),
    Column("Billing date", "billing_date", 11, "date"),
    Column("Invoice", "invoice_number", 14),
    Column("Organization ID", "organization_id", 17),
    Column("Subscription", "subscription_id", 38),
    Column("SKU", "sku_id", 10),
    Column("Kind", "charge_kind", 12),
    Column("Details", "billing_line_details", 50),
    Column("Cost center ID", "cost_center_id", 17),
    Column("Unit cost", "unit_cost", 12, "unit_amount"),
    Column("Unit price", "unit_price", 12, "unit_amount"),
    Column("Split in force since", "snapshot_effective_at", 16, "instant"),
    Column("Split reason", "split_reason", 16),
    Column("Unallocated", "is_unallocated", 13, "flag"),
    Column("Class", "charge_class", 11),
    Column("Original period", "original_billing_period", 16),
    Column("Explanation", "explanation", 60),
    Column("Line ID", "line_id", 34),
    Column("Refund of line ID", "refund_of_line_id", 34),
)

# Daily-rated usage has the charge type of a license.
DETAIL_SQL = {
    "charge_type": "if(lines.charge_kind = 'usage', lines.charge_kind, lines.charge_type)",
}
"""SQL of the columns that the sheet does not show as they are."""


@dataclass(frozen=True)
class Listing:
    """A sheet that lists the rows of a mart; it is left out if there are none.

    Columns that the mart does not have are left out: a customer's own mart has fewer. `condition`
    selects the rows of periods from $first_period to $last_period.
    """

    sheet: str
    mart: str
    columns: tuple[Column, ...]
    condition: str
    order: str


SHARED_COSTS = Listing(
    "Shared costs",
    "shared_costs",
    (
        Column("Period", "billing_period", 9),
        Column("Organization", "organization_name", 26),
        Column("Step", "step", 6, "count"),
        Column("Shared cost", "source_name", 30),
        Column("Method", "method", 18, "sharing_method"),
        Column("From", "from_cost_center_name", 24),
        Column("To", "to_cost_center_name", 24),
        Column("Product", "product_name", 34),
        Column("Share of cost", "share", 10, "share"),
        Column("Share of sales", "sales_share", 10, "share"),
        Column("Currency", "currency", 10),
        Column("Cost", "shared_cost", 14, "money"),
        Column("Sales", "shared_sales", 14, "money"),
        Column("Margin", "shared_margin", 14, "money"),
        Column("Organization ID", "organization_id", 17, is_printed=False),
        Column("From ID", "from_cost_center_id", 17),
        Column("To ID", "to_cost_center_id", 17),
        Column("Explanation", "explanation", 60),
    ),
    "billing_period between $first_period and $last_period",
    "billing_period, organization_name, organization_id, currency, step, source_name, source_id,"
    " from_cost_center_id, product_name, to_cost_center_id",
)
BY_COST_CENTER = (
    "organization_name, organization_id, cost_center_name, cost_center_id, currency, month"
)
OF_COST_CENTER = (
    Column("Month", "month", 10, "month"),
    Column("Organization", "organization_name", 26),
    Column("Business unit", "business_unit", 18),
    Column("Cost center", "cost_center_name", 24),
    Column("Currency", "currency", 10),
)
IDS = (
    Column("Organization ID", "organization_id", 17, is_printed=False),
    Column("Cost center ID", "cost_center_id", 17),
)
FORECAST = Listing(
    "Forecast",
    "cost_forecast",
    (
        *OF_COST_CENTER,
        Column("Cost forecast", "forecast", 15, "money"),
        Column("Lower bound (80 %)", "lower_80", 15, "money"),
        Column("Upper bound (80 %)", "upper_80", 15, "money"),
        Column("Committed", "committed_cost", 15, "money"),
        Column("Renewals", "renewal_cost", 15, "money"),
        Column("Usage", "usage_cost", 15, "money"),
        Column("Seat changes", "seat_change_cost", 15, "money"),
        Column("Sales forecast", "sales_forecast", 15, "money"),
        Column("Method", "method", 32, "code"),
        *IDS,
    ),
    # The forecast after an earlier period is no longer known.
    "not exists (select 1 from billing_report where billing_period > $last_period)",
    BY_COST_CENTER,
)
BUDGET = Listing(
    "Budget",
    "budget_variance",
    (
        *(column for column in OF_COST_CENTER if column.name != "business_unit"),
        Column("Status", "status", 24, "code"),
        Column("Basis", "amount_basis", 11),
        Column("Budget", "budget", 14, "money"),
        Column("Manual forecast", "manual_forecast", 16, "money"),
        Column("Actual", "actual", 14, "money"),
        Column("Variance", "variance", 14, "money"),
        Column("Budget to date", "budget_to_date", 15, "money"),
        Column("Actual to date", "actual_to_date", 15, "money"),
        Column("Variance to date", "variance_to_date", 17, "money"),
        Column("Year budget", "year_budget", 17, "money"),
        Column("Year forecast", "year_expected", 19, "money"),
        Column("Year variance", "year_variance", 20, "money"),
        *IDS,
    ),
    "strftime(month, '%Y-%m') between $first_period and $last_period",
    BY_COST_CENTER,
)
BY_UNIT = Listing(
    "By unit",
    "unit_charges",
    (
        Column("Period", "billing_period", 9),
        Column("Organization ID", "organization_id", 17),
        Column("Organization", "organization_name", 26),
        Column("Kind of unit", "unit_kind", 16, "code"),
        Column("Unit ID", "unit_id", 18),
        Column("Unit", "unit_name", 26),
        Column("Part of", "parent_unit_id", 18),
        Column("Cost centers", "cost_center_count", 11, "count"),
        Column("Currency", "currency", 10),
        Column("Charged", "charged_amount", 14, "money"),
        Column("Own", "own_charged_amount", 14, "money"),
        Column("On statements", "billed_amount", 14, "money"),
        Column("Budget", "budget", 14, "money"),
        Column("Charged against budget", "charged_against_budget", 16, "money"),
        Column("Variance", "budget_variance", 14, "money"),
    ),
    # An organization without any unit of a kind has no rows of it.
    """
    billing_period between $first_period and $last_period
    and (organization_id, unit_kind) in (
        select (organization_id, unit_kind) from unit_charges where unit_id <> '(none)'
    )
    """,
    "billing_period, organization_name, organization_id, unit_kind, currency, unit_id",
)
LISTINGS = (BY_UNIT, SHARED_COSTS, FORECAST, BUDGET)


@dataclass(frozen=True)
class Breakdown:
    """Totals per currency and the columns of `by`, numbered: largest first, periods in order.

    `labels` describe a total: header, SQL over a group of lines, width.
    """

    word: str
    by: tuple[str, ...]
    labels: tuple[tuple[str, str, int], ...]

    @property
    def number_header(self) -> str:
        """The column with the number of the total that counts a split line."""
        return f"{self.word} no"

    @property
    def table(self) -> str:
        """The temporary table with the totals."""
        return f"workbook_by_{self.word.lower().replace(' ', '_')}"


SALES_CHARGED = "case when amount_basis = 'sales' then coalesce(total_sales, 0) end"

LINES = "workbook_lines"
INVOICES = "workbook_invoices"
INVOICE_HEADER = "Invoice no"

ORGANIZATION = "max_by(organization_name, billing_period)"
COST_CENTER = "max_by(cost_center_name, billing_period)"
ROW_COUNTS = """
    count(*) filter (not is_shared_cost) as row_count,
    count(*) filter (not is_shared_cost and total_sales is null) as unpriced_row_count
    """
HAS_SEVERAL = f"(select count(distinct organization_id) > 1 from temp.{LINES})"

PERIODS = Breakdown("Period", ("billing_period",), (("Period", "billing_period", 34),))
ORGANIZATIONS = Breakdown(
    "Organization",
    ("organization_id",),
    (("Organization", ORGANIZATION, 34), ("Organization ID", "organization_id", 20)),
)
PRODUCTS = Breakdown("Product", ("product_name",), (("Product", "product_name", 50),))
COST_CENTERS = Breakdown(
    "Cost center",
    ("organization_id", "cost_center_id"),
    (
        ("Organization", ORGANIZATION, 30),
        ("Cost center", COST_CENTER, 30),
        ("Cost center ID", "cost_center_id", 20),
        # With several organizations, the name Default alone would be ambiguous.
        (
            "Name in charts",
            f"concat_ws(': ', if({HAS_SEVERAL}, {ORGANIZATION}, null), {COST_CENTER})",
            40,
        ),
    ),
)
BREAKDOWNS = (PERIODS, ORGANIZATIONS, PRODUCTS, COST_CENTERS)


@dataclass(frozen=True)
class Total:
    """A total; `sums` are by measure, null if no row has a price. Counts are of billed lines."""

    number: int
    labels: tuple[str | None, ...]
    currency: str
    row_count: int
    unpriced_row_count: int
    sums: tuple[Decimal | None, ...]


@dataclass(frozen=True)
class Invoice:
    """An invoice, cost before tax; `elsewhere` is the part in other periods or organizations."""

    number: int
    invoice_number: str | None
    billing_date: date | None
    currency: str
    invoice_total: Decimal | None
    total_cost: Decimal
    elsewhere: Decimal
    rounding_residual: Decimal
    quarantined_row_count: int

    @property
    def difference(self) -> Decimal | None:
        """The difference to the invoice's total; null without one."""
        if self.invoice_total is None:
            return None
        return self.invoice_total - self.total_cost - self.elsewhere - self.rounding_residual


class WorkbookRows:
    """The rows of a scope, in temporary tables; with the columns that the published tables have."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, scope: Scope) -> None:
        """For tables loaded by `workbook_rows`; call that function instead."""
        self.connection = connection
        self.scope = scope
        published = connection.table("billing_report").columns
        self.columns = tuple(
            column for column in DETAIL if column.name in published or column.name == CHARGED
        )
        self.measures = tuple(column for column in self.columns if column.kind == "money")
        self.numbers = {breakdown.number_header: breakdown.table for breakdown in BREAKDOWNS}
        if scope.edition == "broker":
            self.numbers[INVOICE_HEADER] = INVOICES

    @property
    def headers(self) -> tuple[str, ...]:
        """Columns of the split lines, then the numbers of the totals that count them."""
        return (*(column.header for column in self.columns), *self.numbers)

    def head(self) -> tuple[date, str]:
        """The latest billing date, and the name of the organization, or of one of several."""
        return self._fetch(f"select max(billing_date), {ORGANIZATION} from temp.{LINES}")[0]

    def has_shared_costs(self) -> bool:
        """Whether split lines in scope are shared costs."""
        return bool(self._fetch(f"select bool_or(is_shared_cost) from temp.{LINES}")[0][0])

    def totals(self, breakdown: Breakdown) -> list[Total]:
        """The totals of a breakdown by number, and therefore by currency."""
        labels = [f"label_{at}" for at in range(len(breakdown.labels))]
        measures = [measure.name for measure in self.measures]
        return [
            Total(
                number,
                tuple(rest[: len(labels)]),
                currency,
                row_count,
                unpriced_row_count,
                tuple(rest[len(labels) :]),
            )
            for number, currency, row_count, unpriced_row_count, *rest in self._fetch(
                f"""
                select
                    number, currency, row_count, unpriced_row_count,
                    {", ".join([*labels, *measures])}
                from temp.{breakdown.table}
                order by number
                """
            )
        ]

    def by_currency(self) -> list[Total]:
        """One total per currency."""
        sums = ", ".join(_sum(measure.name) for measure in self.measures)
        return [
            Total(number, (), currency, row_count, unpriced_row_count, tuple(amounts))
            for number, currency, row_count, unpriced_row_count, *amounts in self._fetch(
                f"""
                select
                    row_number() over (order by currency), currency, {ROW_COUNTS}, {sums}
                from temp.{LINES}
                group by currency
                order by currency
                """
            )
        ]

    def invoices(self) -> list[Invoice]:
        """The invoices by their number; none in the customer's edition."""
        if INVOICE_HEADER not in self.numbers:
            return []
        sql = f"select * exclude (provider) from temp.{INVOICES} order by number"
        return [Invoice(*row) for row in self._fetch(sql)]

    def listing(self, listing: Listing) -> tuple[tuple[Column, ...], list[tuple[Any, ...]]]:
        """The columns of a listing, and its rows, with the currency repeated at the end."""
        published = self.connection.table(listing.mart).columns
        columns = tuple(column for column in listing.columns if column.name in published)
        conditions = [listing.condition]
        if self.scope.organization_id:
            conditions.append("organization_id = $organization")
        condition = " and ".join(conditions)
        values = self.scope.parameters
        rows = self.connection.execute(
            f"""
            select {", ".join(column.name for column in columns)}, currency
            from {listing.mart}
            where {condition}
            order by {listing.order}
            limit {ROW_LIMIT + 1}
            """,
            {name: value for name, value in values.items() if f"${name}" in condition},
        ).fetchall()
        if len(rows) > ROW_LIMIT:
            raise TooManyRows(
                f"the sheet {listing.sheet} would exceed the limit of {ROW_LIMIT:,} rows: export"
                " single organizations"
            )
        return columns, rows

    def details(self) -> Iterator[tuple[Any, ...]]:
        """The split lines: one value per header, with the currency repeated at the end."""
        joins = [
            f"left join temp.{breakdown.table} on "
            + " and ".join(
                f"lines.{key} is not distinct from {breakdown.table}.{key}"
                for key in (*breakdown.by, "currency")
            )
            for breakdown in BREAKDOWNS
        ]
        if INVOICE_HEADER in self.numbers:
            joins.append(f"left join temp.{INVOICES} on {_is_of(INVOICES, 'lines')}")
        columns = [
            *(DETAIL_SQL.get(column.name, f"lines.{column.name}") for column in self.columns),
            *(f"{table}.number" for table in self.numbers.values()),
            "lines.currency",
        ]
        rows = self.connection.execute(
            f"""
            select {", ".join(columns)}
            from temp.{LINES} as lines {" ".join(joins)}
            order by
                lines.billing_period, lines.organization_name, lines.organization_id,
                lines.subscription_id, lines.billing_date, lines.charge_start_date, lines.line_id,
                lines.cost_center_id, lines.product_name, lines.billing_line_details,
                lines.charged_amount
            """
        )
        while chunk := rows.fetchmany(FETCHED_ROWS):
            yield from chunk

    def sums_by(self, names: list[str]) -> list[tuple[Any, ...]]:
        """The columns `names` and the summed measures, in the order of spreadsheet programs."""
        return self._fetch(
            f"""
            select
                {", ".join(names)}, {", ".join(_sum(measure.name) for measure in self.measures)}
            from temp.{LINES}
            group by {", ".join(names)}
            order by {", ".join(f"lower({name}), {name}" for name in names)}
            """
        )

    def _fetch(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()


@contextmanager
def workbook_rows(connection: duckdb.DuckDBPyConnection, scope: Scope) -> Iterator[WorkbookRows]:
    """The rows in scope, in temporary tables that are dropped at the end.

    Raises NothingInScope, TooManyRows, and ValueError if a customer's edition would read tables
    with columns that customers may not see.
    """
    if scope.edition == "customer":
        for table in ("billing_report", *(listing.mart for listing in LISTINGS)):
            require_customer_tables(connection, table)
    rows = WorkbookRows(connection, scope)
    try:
        _load_lines(connection, scope)
        for breakdown in BREAKDOWNS:
            _load_totals(connection, breakdown, [measure.name for measure in rows.measures])
        if INVOICE_HEADER in rows.numbers:
            _load_invoices(connection, scope)
        yield rows
    finally:
        for table in (LINES, INVOICES, *(breakdown.table for breakdown in BREAKDOWNS)):
            connection.execute(f"drop table if exists temp.{table}")


def _sum(measure: str) -> str:
    """SQL of the sum of a measure; a cost is never null."""
    return f"coalesce(sum({measure}), 0)" if measure == "total_cost" else f"sum({measure})"


def _load_lines(connection: duckdb.DuckDBPyConnection, scope: Scope) -> None:
    """The split lines of the billing report, and the shared costs of each cost center."""
    own, shared = (connection.table(name).columns for name in ("billing_report", "shared_costs"))
    # A customer's own tables have no cost. An organization without sales is charged nothing there.
    charged = "" if CHARGED in own else f", {SALES_CHARGED} as {CHARGED}"
    amounts = [name for name in ("shared_sales", "shared_cost") if name in shared]
    cost, share = ("shared_cost", "share") if len(amounts) == 2 else ("null", "null")
    explanation = ", explanation" if "explanation" in own and "explanation" in shared else ""
    connection.execute(
        f"""
        create or replace temp table {LINES} as
        with billed as (
            select *, false as is_shared_cost {charged} from billing_report where {scope.condition}
        ),
        bases as (
            select billing_period, organization_id, currency, any_value(amount_basis) as basis
            from billed
            group by all
        ),
        shared as (
            select
                billing_period, organization_id, organization_name, product_name,
                '{SHARED_KIND}' as charge_kind, currency, cost_center_id,
                if(side = 1, to_cost_center_name, from_cost_center_name) as cost_center_name,
                concat_ws(
                    ', ', other_name,
                    case
                        when source_kind = 'cost_center' then null
                        when starts_with(source_name, source_kind || ' ')
                            then 'shared ' || source_name
                        else 'shared ' || source_kind || ' ' || source_name
                    end
                ) as billing_line_details,
                if(basis = 'sales', sales_share, {share}) as share,
                if(basis = 'sales', coalesce(shared_sales, 0), {cost}) as {CHARGED},
                false as is_unallocated, true as is_shared_cost {explanation}
            from ({shared_cost_sides(amounts)})
            inner join bases using (billing_period, organization_id, currency)
            where {scope.condition}
        )
        select * from billed
        union all by name
        select * from shared where {CHARGED} is not null
        """,
        scope.parameters,
    )
    lines = connection.table(f"temp.{LINES}")
    row_count = lines.count("*").fetchall()[0][0]
    if not row_count:
        raise NothingInScope(
            f"no workbook for {scope.words}: no bill of these periods is published"
        )
    if row_count > ROW_LIMIT:
        raise TooManyRows(
            f"{scope.words} has {row_count:,} split lines, and a sheet has at most {ROW_LIMIT:,}:"
            " export single periods or organizations, or the billing report as CSV"
        )


def _load_totals(
    connection: duckdb.DuckDBPyConnection, breakdown: Breakdown, measures: list[str]
) -> None:
    by = ", ".join(breakdown.by)
    labels = ", ".join(f"{sql} as label_{at}" for at, (_, sql, _) in enumerate(breakdown.labels))
    connection.execute(
        f"""
        create or replace temp table {breakdown.table} as
        with totals as (
            select
                {by}, {labels}, currency, {ROW_COUNTS},
                {", ".join(f"{_sum(name)} as {name}" for name in measures)}
            from temp.{LINES}
            group by {by}, currency
        )
        select
            row_number() over (
                order by
                    currency,
                    {"" if breakdown is PERIODS else f"{measures[0]} desc nulls last,"}
                    {by}
            ) as number,
            *
        from totals
        """
    )


def _load_invoices(connection: duckdb.DuckDBPyConnection, scope: Scope) -> None:
    """The invoices of the lines and, with all organizations in scope, those without lines."""
    connection.execute(
        f"""
        create or replace temp table {INVOICES} as
        with here as (
            select
                provider, invoice_number,
                if(invoice_number is null, billing_date, null) as billing_date, currency,
                sum(total_cost) as total_cost
            from temp.{LINES}
            where not is_shared_cost
            group by all
        )
        select
            row_number() over (
                order by
                    bills.billing_date, bills.invoice_number, bills.currency, bills.provider
            ) as number,
            bills.provider, bills.invoice_number, bills.billing_date,
            coalesce(bills.currency, 'XXX') as currency,
            bills.invoice_total, coalesce(here.total_cost, 0) as total_cost,
            bills.allocated_total - coalesce(here.total_cost, 0) as elsewhere,
            bills.rounding_residual, bills.quarantined_row_count
        from invoice_reconciliation as bills
        left join here on {_is_of("bills", "here")}
        where
            here.currency is not null
            or $is_of_all and bills.status <> 'replaced' and (
                bills.billing_date is null
                or strftime(bills.billing_date, '%Y-%m') between $first_period and $last_period
            )
        """,
        {
            "is_of_all": scope.organization_id is None,
            "first_period": scope.first_period,
            "last_period": scope.last_period,
        },
    )


def _is_of(invoices: str, lines: str) -> str:
    """SQL condition: lines belong to an invoice, or to a bill by date without an invoice."""
    return f"""(
        {invoices}.provider is not distinct from {lines}.provider
        and {invoices}.invoice_number is not distinct from {lines}.invoice_number
        and ({invoices}.invoice_number is not null
            or {invoices}.billing_date = {lines}.billing_date)
        and {invoices}.currency = {lines}.currency
    )"""
