"""The questions that the pages ask of the published tables, and how answers are fetched.

Belongs here: SQL. DuckDB does the work; what comes back is a page of rows or a few sums, never a
table. Does not: how answers look, and anything of Streamlit.

No value stands in the text of a query: values are parameters. Names of measures come from
Viewer.measures, and the customers' connection has no others anyway.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import duckdb

from app.published import Viewer, columns_by_mart
from dagster_project import wording
from dagster_project.exports.scope import shared_cost_sides

Kind = Literal["text", "amount", "exact", "quantity", "share", "day", "instant", "state", "code"]

Row = Mapping[str, object]
"""One row of an answer, by column; besides the columns shown it has keys for links."""


@dataclass(frozen=True)
class Column:
    """A column that is shown: its name in the answer, its title and how its values are written."""

    name: str
    title: str
    kind: Kind = "text"


@dataclass(frozen=True)
class Query:
    """A question: SQL that says its whole order, the values of its parameters, what is shown.

    With `most` the answer is its first rows only.
    """

    sql: str
    parameters: tuple[tuple[str, str], ...] = ()
    columns: tuple[Column, ...] = ()
    most: int | None = None

    def without(self, *names: str) -> "Query":
        """The same question with fewer columns shown."""
        kept = tuple(column for column in self.columns if column.name not in names)
        return replace(self, columns=kept)

    @property
    def export_columns(self) -> tuple[Column, ...]:
        """What a file of the answer holds: the columns shown, and the currency of amounts."""
        has_money = any(column.kind in ("amount", "exact") for column in self.columns)
        is_shown = any(column.name == "currency" for column in self.columns)
        if has_money and not is_shown:
            return (*self.columns, Column("currency", "Currency"))
        return self.columns


@dataclass(frozen=True)
class Selection:
    """What is looked at: a period, and within it as much as is set."""

    period: str | None = None
    organization_id: str | None = None
    cost_center_id: str | None = None
    product_name: str | None = None
    currency: str | None = None

    def where(self, period_column: str = "billing_period") -> str:
        """SQL that holds on the rows looked at, with the parameters of `parameters`."""
        conditions = [
            f"{period_column if name == 'period' else name} = ${name}"
            for name, _ in self.parameters
        ]
        return " and ".join(conditions) or "true"

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """The values for `where`, by name."""
        fields = ("period", "organization_id", "cost_center_id", "product_name", "currency")
        values = ((name, getattr(self, name)) for name in fields)
        return tuple((name, value) for name, value in values if value is not None)


ChargebackView = Literal["chargeback", "chargeback_as_corrected"]

# --- fetching --------------------------------------------------------------------------


def fetch(
    connection: duckdb.DuckDBPyConnection, query: Query, limit: int, offset: int = 0
) -> list[Row]:
    """At most `limit` rows of an answer, from row `offset` on."""
    if query.most is not None:
        limit = max(0, min(limit, query.most - offset))
    result = connection.execute(
        f"{query.sql} limit {int(limit)} offset {int(offset)}", dict(query.parameters)
    )
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def count(connection: duckdb.DuckDBPyConnection, query: Query) -> int:
    """How many rows the whole answer has."""
    row = connection.execute(f"select count(*) from ({query.sql})", dict(query.parameters))
    counted = int((row.fetchone() or (0,))[0])
    return counted if query.most is None else min(counted, query.most)


def every_row(connection: duckdb.DuckDBPyConnection, query: Query) -> Iterator[tuple[object, ...]]:
    """The whole answer in the order of `Query.export_columns`, a batch in memory at a time."""
    most = "" if query.most is None else f" limit {int(query.most)}"
    result = connection.execute(query.sql + most, dict(query.parameters))
    names = [column[0] for column in result.description or ()]
    wanted = [(names.index(column.name), column.kind) for column in query.export_columns]
    while batch := result.fetchmany(10_000):
        for row in batch:
            yield tuple(
                wording.code(str(row[i])) if kind == "code" else row[i] for i, kind in wanted
            )


def marts(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """The marts this connection has: for each its columns with their types."""
    return columns_by_mart(connection)


# --- what the pickers offer ------------------------------------------------------------


def periods() -> Query:
    """Billing periods, the latest first, with `status`."""
    return Query(
        """
        select billing_period, any_value(status) as status, max(closed_at) as closed_at
        from billing_periods
        group by billing_period
        order by billing_period desc
        """
    )


def organizations() -> Query:
    """Organizations by name: organization_id, organization_name (the latest)."""
    return Query(
        """
        select
            organization_id,
            coalesce(arg_max(organization_name, billing_period), organization_id)
                as organization_name
        from chargeback
        group by organization_id
        order by lower(arg_max(organization_name, billing_period)), organization_id
        """
    )


def cost_centers(selection: Selection, view: ChargebackView = "chargeback") -> Query:
    """Cost centers that were charged something in the selection, by name."""
    return Query(
        f"""
        select
            cost_center_id,
            coalesce(arg_max(cost_center_name, billing_period), cost_center_id)
                as cost_center_name
        from {view}
        where {selection.where()}
        group by cost_center_id
        order by lower(arg_max(cost_center_name, billing_period)), cost_center_id
        """,
        selection.parameters,
    )


def currencies(selection: Selection) -> Query:
    """Currencies of the selection, that of most rows first."""
    return Query(
        f"""
        select currency from chargeback
        where {selection.where()}
        group by currency
        order by count(*) desc, currency
        """,
        selection.parameters,
    )


# --- money -----------------------------------------------------------------------------


def _measures(viewer: Viewer, is_shared: bool = False) -> tuple[tuple[str, str], ...]:
    return viewer.measures + (viewer.shared_measures if is_shared else ())


def _sums(viewer: Viewer, is_shared: bool = False) -> str:
    return ", ".join(f"sum({name}) as {name}" for name, _ in _measures(viewer, is_shared))


def _money_columns(
    viewer: Viewer, kind: Kind = "amount", is_shared: bool = False
) -> tuple[Column, ...]:
    return tuple(Column(name, title, kind) for name, title in _measures(viewer, is_shared))


def totals(
    viewer: Viewer,
    selection: Selection,
    view: ChargebackView = "chargeback",
    is_shared: bool = False,
) -> Query:
    """One row per currency: the viewer's measures, with `is_shared` those after sharing too."""
    return Query(
        f"""
        select currency, {_sums(viewer, is_shared)} from {view}
        where {selection.where()}
        group by currency
        order by currency
        """,
        selection.parameters,
        (Column("currency", "Currency"), *_money_columns(viewer, is_shared=is_shared)),
    )


def shared(viewer: Viewer, selection: Selection) -> Query:
    """One row per shared cost that the cost centers of the selection received or passed on.

    `other_name` is from whom or to whom; what is passed on is negative. What stays with a cost
    center, because it shares with itself, is left out.
    """
    columns: tuple[tuple[str, str], ...] = (("shared_sales", "Amount"),)
    if not viewer.is_customer:
        columns = (("shared_cost", "Cost"), ("shared_sales", "Sales"))
    measures = [name for name, _ in columns]
    return Query(
        f"""
        select
            product_name, other_name, source_name, method, share, currency, {", ".join(measures)}
        from ({shared_cost_sides(measures)})
        where {selection.where()}
        order by currency, step, product_name, other_name, source_name
        """,
        selection.parameters,
        (
            Column("product_name", "Product"),
            Column("other_name", "From whom or to whom"),
            Column("source_name", "What is shared"),
            Column("method", "By", "code"),
            Column("share", "Share", "share"),
            *(Column(name, title, "amount") for name, title in columns),
        ),
    )


_GROUPS: Mapping[str, tuple[str, str, str]] = {
    "organization": ("organization_id", "organization_name", "Organization"),
    "cost_center": ("cost_center_id", "cost_center_name", "Cost center"),
    "product": ("product_name", "product_name", "Product"),
}


def charged(
    viewer: Viewer,
    selection: Selection,
    by: Literal["organization", "cost_center", "product"],
    view: ChargebackView = "chargeback",
    is_shared: bool = False,
) -> Query:
    """One row per organization, cost center or product, and currency; the largest first.

    `bar` is the amount's part of the currency's largest one, 0 to 1; negative ones have none.
    """
    key, name, title = _GROUPS[by]
    rank = viewer.measures[0][0]
    named = "" if key == name else f"coalesce(any_value({name}), {key}) as {name}, "
    licenses = (Column("quantity", "Licenses billed", "quantity"),) if by == "product" else ()
    return Query(
        f"""
        with grouped as (
            select {key}, {named}currency, sum(quantity) as quantity,
                {_sums(viewer, is_shared)}
            from {view}
            where {selection.where()}
            group by {key}, currency
        )
        select
            *,
            greatest({rank}, 0) / nullif(max({rank}) over (partition by currency), 0) as bar
        from grouped
        order by currency, {rank} desc nulls last, {key}
        """,
        selection.parameters,
        (Column(name, title), *licenses, *_money_columns(viewer, is_shared=is_shared)),
    )


def lines(viewer: Viewer, selection: Selection, is_corrected: bool = False) -> Query:
    """One row per line of the bill, cost center and billing period: what is charged and why.

    With `is_corrected` the period is the one the money belongs to.
    """
    return Query(
        f"""
        select
            billing_period, line_id, cost_center_id,
            coalesce(cost_center_name, cost_center_id) as cost_center_name,
            charge_start_date, charge_end_date,
            charge_type || if(charge_class is null, '', ' (' || lower(charge_class) || ')')
                as charge_type,
            subscription_id, quantity, share, currency, split_reason,
            {", ".join(name for name, _ in viewer.measures)}
        from billing_report
        where {selection.where(_period_column(is_corrected))}
        order by currency, charge_start_date, charge_end_date, line_id, cost_center_id,
            billing_period
        """,
        selection.parameters,
        (
            Column("charge_type", "Charge"),
            Column("charge_start_date", "From", "day"),
            Column("charge_end_date", "To", "day"),
            Column("cost_center_name", "Cost center"),
            Column("quantity", "Licenses", "quantity"),
            Column("share", "Share", "share"),
            *_money_columns(viewer),
            Column("split_reason", "Split by", "code"),
        ),
    )


def line(viewer: Viewer, line_id: str, period: str) -> Query:
    """How one line of the bill was split: a row per cost center, whole amounts."""
    told = "" if viewer.is_customer else ", explanation, price_explanation, billing_line_details"
    return Query(
        f"""
        select
            billing_period, line_id, organization_name, product_name, subscription_id,
            charge_type, charge_kind, charge_start_date, charge_end_date, billing_date,
            refund_of_line_id, snapshot_effective_at, split_reason, charge_class,
            original_billing_period,
            cost_center_id, cost_center_name, quantity, share, currency,
            {", ".join(name for name, _ in viewer.measures)}{told}
        from billing_report
        where line_id = $line_id and billing_period = $period
        order by cost_center_id
        """,
        (("line_id", line_id), ("period", period)),
        (
            Column("cost_center_name", "Cost center"),
            Column("quantity", "Licenses", "quantity"),
            Column("share", "Share", "share"),
            *_money_columns(viewer, "exact"),
        ),
    )


def period_of_line(line_id: str) -> Query:
    """The billing period a line is in, the first if it is in several."""
    return Query(
        "select billing_period from billing_report where line_id = $line_id order by 1",
        (("line_id", line_id),),
    )


def unpriced(viewer: Viewer, selection: Selection, is_corrected: bool = False) -> Query:
    """One row per currency that has lines without a sales price: how many.

    With the measure to rank by, which for the broker is what those lines cost.
    """
    rank = viewer.measures[0][0]
    return Query(
        f"""
        select currency, count(distinct line_id) as line_count, sum({rank}) as {rank}
        from billing_report
        where {selection.where(_period_column(is_corrected))} and total_sales is null
        group by currency
        order by currency
        """,
        selection.parameters,
    )


def _period_column(is_corrected: bool) -> str:
    return "original_billing_period" if is_corrected else "billing_period"


def compared(viewer: Viewer, selection: Selection, earlier_period: str | None) -> Query:
    """Cost centers by amount, the largest first, each with the amount of an earlier period.

    One row per organization, cost center and currency.
    """
    rank, title = viewer.measures[0]
    within = replace(selection, period=None)
    return Query(
        f"""
        with grouped as (
            select
                organization_id, cost_center_id, currency,
                coalesce(arg_max(organization_name, billing_period), organization_id)
                    as organization_name,
                coalesce(arg_max(cost_center_name, billing_period), cost_center_id)
                    as cost_center_name,
                sum({rank}) filter (billing_period = $now) as {rank},
                sum({rank}) filter (billing_period = $earlier) as earlier
            from chargeback
            where {within.where()} and billing_period in ($now, $earlier)
            group by organization_id, cost_center_id, currency
        )
        select
            *,
            coalesce({rank}, 0) - coalesce(earlier, 0) as difference,
            greatest({rank}, 0) / nullif(max({rank}) over (partition by currency), 0) as bar
        from grouped
        order by currency, {rank} desc nulls last, organization_id, cost_center_id
        """,
        (*within.parameters, ("now", selection.period or ""), ("earlier", earlier_period or "")),
        (
            Column("cost_center_name", "Cost center"),
            Column("organization_name", "Organization"),
            Column(rank, title, "amount"),
            Column("earlier", "Month before", "amount"),
            Column("difference", "Change", "amount"),
        ),
    )


def corrections(viewer: Viewer, selection: Selection) -> Query:
    """One row per period that the selected one corrects, and currency: the money it moves."""
    return Query(
        f"""
        select original_billing_period, currency, {_sums(viewer)} from billing_report
        where {selection.where()} and charge_class = 'Correction'
        group by original_billing_period, currency
        order by original_billing_period, currency
        """,
        selection.parameters,
        (Column("original_billing_period", "Corrects"), *_money_columns(viewer)),
    )


# --- months ----------------------------------------------------------------------------


def months(viewer: Viewer, selection: Selection) -> Query:
    """One row per billing period and currency of the selection, the oldest first."""
    return Query(
        f"""
        select billing_period, currency, {_sums(viewer)} from chargeback
        where {replace(selection, period=None).where()}
        group by billing_period, currency
        order by currency, billing_period
        """,
        replace(selection, period=None).parameters,
        (Column("billing_period", "Billing period"), *_money_columns(viewer)),
    )


SPREAD_COST = "amortized_cost"
"""The cost spread over the months it is for: the forecast goes on from this one."""


def spread_months(selection: Selection) -> Query:
    """As `months`: cost by the month it is for."""
    return Query(
        f"""
        select billing_period, currency, sum({SPREAD_COST}) as {SPREAD_COST} from chargeback
        where {replace(selection, period=None).where()}
        group by billing_period, currency
        order by currency, billing_period
        """,
        replace(selection, period=None).parameters,
        (
            Column("billing_period", "Month"),
            Column(SPREAD_COST, "Cost by the month it is for", "amount"),
        ),
    )


BANDS = ("lower_80", "upper_80", "lower_95", "upper_95")


def forecast(selection: Selection) -> Query:
    """One row per month to come and currency: the cost expected of what is selected, with bands.

    Beside it what is known to come: owed by term, likely on renewal, used as of late.
    """
    within = replace(selection, period=None)
    level = (
        "cost_center"
        if within.cost_center_id
        else "organization"
        if within.organization_id
        else "total"
    )
    return Query(
        f"""
        with known as (
            select
                month, currency, sum(committed_cost) as committed_cost,
                sum(renewal_cost) as renewal_cost, sum(usage_cost) as usage_cost
            from cost_forecast
            where {within.where()}
            group by month, currency
        ),
        expected as (
            select month, currency, forecast, {", ".join(BANDS)}, method
            from cost_forecast_summary
            where level = '{level}' and {within.where()}
        )
        select
            strftime(expected.month, '%Y-%m') as month, expected.* exclude (month),
            known.committed_cost, known.renewal_cost, known.usage_cost
        from expected
        inner join known
            on expected.month = known.month and expected.currency = known.currency
        order by expected.currency, expected.month
        """,
        within.parameters,
        (
            Column("month", "Month"),
            Column("forecast", "Expected", "amount"),
            Column("lower_80", "At least (80 %)", "amount"),
            Column("upper_80", "At most (80 %)", "amount"),
            Column("lower_95", "At least (95 %)", "amount"),
            Column("upper_95", "At most (95 %)", "amount"),
            Column("committed_cost", "Known: owed", "amount"),
            Column("renewal_cost", "Known: on renewal", "amount"),
            Column("usage_cost", "Known: usage", "amount"),
        ),
    )


def sales_forecast(selection: Selection, title: str) -> Query:
    """One row per month to come and currency: the sales expected of all that is selected.

    `title` is what the viewer calls sales. Months without any price are left out.
    """
    within = replace(selection, period=None)
    return Query(
        f"""
        select
            strftime(month, '%Y-%m') as month, currency, sum(sales_forecast) as forecast
        from cost_forecast
        where {within.where()} and sales_forecast is not null
        group by 1, currency
        order by currency, 1
        """,
        within.parameters,
        (Column("month", "Month"), Column("forecast", f"{title} expected", "amount")),
    )


def forecast_accuracy(selection: Selection) -> Query:
    """One row per number of months ahead, and currency: how forecasts of cost centers have done.

    `error_share` is how far they were off, as a part of what came; null where nothing came.
    """
    within = replace(selection, period=None)
    return Query(
        f"""
        select
            months_ahead, currency, count(*) as forecast_count,
            sum(actual_cost) as actual_cost, sum(forecast) as forecast,
            cast(
                sum(abs(forecast_error)) / nullif(sum(abs(actual_cost)), 0) as decimal(18, 6)
            ) as error_share,
            cast(count(*) filter (is_within_80) / count(*) as decimal(18, 6)) as within_80_share,
            cast(count(*) filter (is_within_95) / count(*) as decimal(18, 6)) as within_95_share
        from forecast_accuracy
        where {within.where()}
        group by months_ahead, currency
        order by currency, months_ahead
        """,
        within.parameters,
        (
            Column("months_ahead", "Months ahead"),
            Column("forecast_count", "Forecasts", "quantity"),
            Column("forecast", "Expected then", "amount"),
            Column("actual_cost", "Came to", "amount"),
            Column("error_share", "Off by", "share"),
            Column("within_80_share", "Within the 80 % band", "share"),
            Column("within_95_share", "Within the 95 % band", "share"),
        ),
    )


# --- budgets ---------------------------------------------------------------------------


NOT_BILLED = "not_billed"
"""The state of a budget's month that has no bill yet."""


def _budget_where(selection: Selection) -> str:
    return selection.where("strftime(month, '%Y-%m')")


def budget(viewer: Viewer, selection: Selection) -> Query:
    """One row per budget of the selection: cost center, currency and month; the overrun first."""
    # Customers' budgets are all of what they are charged.
    basis = "" if viewer.is_customer else "amount_basis, "
    return Query(
        f"""
        select
            month, organization_id, coalesce(organization_name, organization_id)
                as organization_name,
            cost_center_id, coalesce(cost_center_name, cost_center_id) as cost_center_name,
            currency, {basis}coalesce(status, '{NOT_BILLED}') as status,
            budget, actual, variance, budget_to_date, actual_to_date, variance_to_date,
            year_budget, year_expected, year_variance
        from budget_variance
        where {_budget_where(selection)}
        order by
            case status
                when 'over_budget' then 0
                when 'over_budget_at_year_end' then 1
                when 'within_budget' then 2
                else 3
            end,
            currency, coalesce(variance_to_date, year_variance) desc nulls last,
            organization_id, cost_center_id, month
        """,
        selection.parameters,
        (
            Column("status", "State", "state"),
            Column("cost_center_name", "Cost center"),
            Column("organization_name", "Organization"),
            Column("budget", "Budget", "amount"),
            Column("actual", "Charged", "amount"),
            Column("variance", "Difference", "amount"),
            Column("budget_to_date", "Budget to date", "amount"),
            Column("actual_to_date", "Charged to date", "amount"),
            Column("year_budget", "Year's budget", "amount"),
            Column("year_expected", "Year expected", "amount"),
            *(() if viewer.is_customer else (Column("amount_basis", "Charged at"),)),
        ),
    )


def budget_totals(viewer: Viewer, selection: Selection) -> Query:
    """One row per currency: the sums of `budget`, as far as all of its rows know the amount.

    Without currencies in which some are charged sales and others cost, which do not add up.
    """
    amounts = (
        "budget", "actual", "variance", "budget_to_date", "actual_to_date", "year_budget",
        "year_expected",
    )  # fmt: skip
    sums = ", ".join(
        f"case when count({name}) = count(*) then sum({name}) end as {name}" for name in amounts
    )
    one_basis = "" if viewer.is_customer else "having count(distinct amount_basis) = 1"
    return Query(
        f"""
        select currency, {sums} from budget_variance
        where {_budget_where(selection)}
        group by currency
        {one_basis}
        order by currency
        """,
        selection.parameters,
    )


def budget_bases(selection: Selection) -> Query:
    """One row per amount that budgets of the selection are compared with: amount_basis."""
    return Query(
        f"""
        select distinct amount_basis from budget_variance
        where {_budget_where(selection)}
        order by amount_basis
        """,
        selection.parameters,
    )


def budget_states(selection: Selection) -> Query:
    """One row per state of the selection's budgets: status, cost_center_count."""
    return Query(
        f"""
        select coalesce(status, '{NOT_BILLED}') as status, count(*) as cost_center_count
        from budget_variance
        where {_budget_where(selection)}
        group by 1
        order by 1
        """,
        selection.parameters,
    )


# --- what to look at -------------------------------------------------------------------


def _of_period(selection: Selection) -> str:
    # Findings about the state of things, not about a bill, have no period.
    return f"({replace(selection, organization_id=None).where()} or billing_period is null)"


def _findings_where(selection: Selection) -> tuple[str, tuple[tuple[str, str], ...]]:
    condition = _of_period(selection)
    if selection.organization_id:
        # What belongs to nobody, such as a file that could not be read, may be anybody's.
        condition += " and (organization_id = $organization_id or organization_id is null)"
    return condition, selection.parameters


def finding_counts(selection: Selection) -> Query:
    """One row per severity that there are findings of: severity, finding_count."""
    condition, parameters = _findings_where(selection)
    return Query(
        f"""
        select severity, count(*) as finding_count from findings
        where {condition}
        group by severity
        order by severity
        """,
        parameters,
    )


def findings(selection: Selection, severity: str | None = None) -> Query:
    """Findings of the selection, the gravest and dearest first."""
    condition, parameters = _findings_where(selection)
    if severity:
        condition += " and severity = $severity"
        parameters = (*parameters, ("severity", severity))
    return Query(
        f"""
        select
            severity, kind, message, meaning, organization_id,
            coalesce(organization_name, organization_id) as organization_name,
            amount_at_stake, currency, subscription_id, billing_period
        from findings
        where {condition}
        order by
            case severity when 'error' then 0 when 'warning' then 1 else 2 end,
            max(amount_at_stake) over (partition by kind) desc nulls last, kind,
            amount_at_stake desc nulls last, organization_id, message,
            subscription_id, billing_period, currency
        """,
        parameters,
        (
            Column("severity", "Severity", "state"),
            Column("meaning", "What it means"),
            Column("message", "What was found"),
            Column("organization_name", "Organization"),
            Column("amount_at_stake", "At stake", "amount"),
        ),
    )


def bills(selection: Selection) -> Query:
    """Invoices of the selected period, those that do not tie first. They are of all customers."""
    return Query(
        """
        select
            invoice_number, billing_date, currency,
            status, invoice_total, lines_total, allocated_total, quarantined_total, variance,
            line_count, quarantined_row_count
        from invoice_reconciliation
        where strftime(billing_date, '%Y-%m') = $period or billing_date is null
        order by
            status in ('reconciled', 'within_rounding'), status = 'no_invoice',
            billing_date, invoice_number, currency
        """,
        (("period", selection.period or ""),),
        (
            Column("invoice_number", "Invoice"),
            Column("billing_date", "Date", "day"),
            Column("status", "State", "state"),
            Column("invoice_total", "Invoice says", "amount"),
            Column("lines_total", "Lines add up to", "amount"),
            Column("allocated_total", "Billed to cost centers", "amount"),
            Column("quarantined_total", "In quarantine", "amount"),
            Column("variance", "Difference", "exact"),
            Column("line_count", "Lines", "quantity"),
        ),
    )


def quarantined(selection: Selection) -> Query:
    """Rows and files that could not be used, of the selected period or of none."""
    return Query(
        """
        select
            file, coalesce(cell, cast(row_number as varchar)) as place, column_name, value, reason,
            total_cost, currency
        from quarantined_rows
        where not is_superseded
            and (strftime(billing_date, '%Y-%m') = $period or billing_date is null)
        order by file, row_number, cell, column_name, reason
        """,
        (("period", selection.period or ""),),
        (
            Column("file", "File"),
            Column("place", "Row"),
            Column("column_name", "Column"),
            Column("value", "Value"),
            Column("reason", "Why it cannot be used"),
            Column("total_cost", "Cost", "amount"),
        ),
    )


# --- licenses and splits ---------------------------------------------------------------


def pool(viewer: Viewer, selection: Selection) -> Query:
    """The license pool as of now: one row per subscription and cost center."""
    within = replace(selection, period=None)
    cost = () if viewer.is_customer else (Column("pending_cost", "Pending cost a cycle", "amount"),)
    return Query(
        f"""
        select
            organization_id,
            coalesce(organization_name, organization_id) as organization_name,
            coalesce(product_name, 'Unnamed product') as product_name,
            subscription_id, cost_center_id, cost_center_name,
            bought_quantity, allotted_quantity, assigned_quantity, leaver_quantity,
            pending_quantity, currency, directory_date
            {"" if viewer.is_customer else ", pending_cost"}
        from license_pool
        where {within.where()} and (bought_quantity <> 0 or allotted_quantity <> 0)
        order by organization_name, organization_id, product_name, subscription_id, cost_center_id
        """,
        within.parameters,
        (
            Column("organization_name", "Organization"),
            Column("product_name", "Product"),
            Column("subscription_id", "Subscription"),
            Column("bought_quantity", "Bought", "quantity"),
            Column("cost_center_name", "Cost center"),
            Column("allotted_quantity", "Allotted", "quantity"),
            Column("assigned_quantity", "In use", "quantity"),
            Column("leaver_quantity", "Held by leavers", "quantity"),
            Column("pending_quantity", "Pending", "quantity"),
            *cost,
        ),
    )


def pool_totals(viewer: Viewer, selection: Selection) -> Query:
    """One row: subscriptions, licenses bought, in use, pending; the day of the directory."""
    within = replace(selection, period=None)
    return Query(
        f"""
        with subscriptions as (
            select
                subscription_id, any_value(bought_quantity) as bought,
                sum(assigned_quantity) as assigned, sum(pending_quantity) as pending,
                max(directory_date) as directory_date
            from license_pool
            where {within.where()} and (bought_quantity <> 0 or allotted_quantity <> 0)
            group by subscription_id
        )
        select
            count(*) as subscription_count, sum(bought) as bought, sum(assigned) as assigned,
            sum(pending) as pending, max(directory_date) as directory_date
        from subscriptions
        """,
        within.parameters,
    )


def pending_costs(selection: Selection) -> Query:
    """One row per currency: what the pending licenses cost for a cycle."""
    within = replace(selection, period=None)
    return Query(
        f"""
        select currency, sum(pending_cost) as pending_cost from license_pool
        where {within.where()}
        group by currency
        having sum(pending_cost) <> 0
        order by currency
        """,
        within.parameters,
    )


def subscriptions(selection: Selection) -> Query:
    """Subscriptions that were ever split, by organization and product."""
    within = replace(selection, period=None)
    return Query(
        f"""
        with split as (
            select distinct organization_id, subscription_id from cost_center_history
            where {within.where()}
        ),
        named as (
            select
                subscription_id, any_value(product_name) as product_name,
                any_value(organization_name) as organization_name
            from license_pool
            group by subscription_id
        )
        select
            split.organization_id, split.subscription_id,
            coalesce(named.product_name, 'Not billed') as product_name,
            coalesce(named.organization_name, split.organization_id) as organization_name
        from split
        left join named on split.subscription_id = named.subscription_id
        order by organization_name, product_name, split.subscription_id
        """,
        within.parameters,
    )


def history(subscription_id: str) -> Query:
    """Who had how many licenses of a subscription, the newest split first."""
    return Query(
        """
        select
            snapshot_id, subscription_id, event, valid_from, valid_to, total_quantity,
            cost_center_id, coalesce(cost_center_name, cost_center_id) as cost_center_name,
            allocated_quantity, share
        from cost_center_history
        where subscription_id = $subscription_id and not is_superseded
        order by valid_from desc, snapshot_id, cost_center_id
        """,
        (("subscription_id", subscription_id),),
        (
            Column("valid_from", "From (UTC)", "instant"),
            Column("valid_to", "Until (UTC)", "instant"),
            Column("event", "Event"),
            Column("cost_center_name", "Cost center"),
            Column("allocated_quantity", "Licenses", "quantity"),
            Column("total_quantity", "Of", "quantity"),
            Column("share", "Share", "share"),
        ),
    )


def last_closed_billing_date() -> Query:
    """One row: the latest billing date of closed periods, null while none is closed."""
    return Query(
        """
        select max(billing_date) as billing_date from billing_report
        where billing_period in (
            select billing_period from billing_periods where status = 'closed'
        )
        """
    )
