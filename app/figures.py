"""The questions that the pages ask of the published tables, and how answers are fetched.

Belongs here: SQL. DuckDB does the work; what comes back is a page of rows or a few sums, never a
table. Does not: how answers look, and anything of Streamlit.

No value stands in the text of a query: values are parameters. Names of measures come from
Viewer.measures, and the customers' connection has no others anyway.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import duckdb

from app.published import Viewer, columns_by_mart
from dagster_project import wording

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
    cost = "" if viewer.is_customer else "shared_cost, "
    signed_cost = "" if viewer.is_customer else "-shared_cost, "
    columns: tuple[tuple[str, str], ...] = (("shared_sales", "Amount"),)
    if not viewer.is_customer:
        columns = (("shared_cost", "Cost"), ("shared_sales", "Sales"))
    return Query(
        f"""
        with moved as (
            select
                billing_period, organization_id, currency, product_name, step, source_name,
                to_cost_center_id as cost_center_id, 'from ' || from_cost_center_name as other_name,
                method, share, {cost}shared_sales
            from shared_costs
            where from_cost_center_id <> to_cost_center_id
            union all
            select
                billing_period, organization_id, currency, product_name, step, source_name,
                from_cost_center_id, 'to ' || to_cost_center_name,
                method, share, {signed_cost}-shared_sales
            from shared_costs
            where from_cost_center_id <> to_cost_center_id
        )
        select * from moved
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


BANDS = ("lower_80", "upper_80", "lower_95", "upper_95")


def forecast(selection: Selection, columns: Sequence[str]) -> Query:
    """One row per month to come and currency. `columns` are those that cost_forecast has.

    The bands are told for one cost center only: those of several cannot be added up.
    """
    conditions = ["true"]
    if selection.currency:
        conditions.append("currency = $currency")
    if selection.cost_center_id:
        conditions.append("cost_center_id = $cost_center_id")
    if selection.organization_id and "organization_id" in columns:
        conditions.append("organization_id = $organization_id")
    elif selection.organization_id:
        conditions.append(
            "cost_center_id in (select cost_center_id from chargeback"
            " where organization_id = $organization_id)"
        )
    bands = ", ".join(
        f"sum({band}) as {band}" if selection.cost_center_id else f"null as {band}"
        for band in BANDS
    )
    unused = {"period", "product_name"}
    return Query(
        f"""
        select
            left(cast(month as varchar), 7) as month, currency, sum(forecast) as forecast, {bands},
            string_agg(distinct method, ', ' order by method) as method
        from cost_forecast
        where {" and ".join(conditions)}
        group by 1, currency
        order by currency, month
        """,
        tuple(pair for pair in selection.parameters if pair[0] not in unused),
        (
            Column("month", "Month"),
            Column("forecast", "Forecast", "amount"),
            *(
                Column(
                    band,
                    f"{'At least' if 'lower' in band else 'At most'} ({band[-2:]} %)",
                    "amount",
                )
                for band in (BANDS if selection.cost_center_id else ())
            ),
            Column("method", "Method"),
        ),
    )


def budget(selection: Selection, columns: Mapping[str, str]) -> Query:
    """The budget and what came of it. `columns` are those that budget_variance has, with types."""
    month = next((name for name in ("billing_period", "month") if name in columns), None)
    conditions = ["true"]
    used = []
    if month and selection.period:
        conditions.append(f"left(cast({month} as varchar), 7) = $period")
        used.append("period")
    if "organization_id" in columns and selection.organization_id:
        conditions.append("organization_id = $organization_id")
        used.append("organization_id")
    first = (month, "currency", "organization_id", "cost_center_id")
    order = sorted(columns, key=lambda name: first.index(name) if name in first else len(first))
    hidden = {month, "currency", "organization_id"}
    if "organization_name" in columns and selection.organization_id:
        hidden.add("organization_name")
    if "cost_center_name" in columns:
        hidden.add("cost_center_id")
    return Query(
        f"""
        select * from budget_variance
        where {" and ".join(conditions)}
        order by {", ".join(order)}
        """,
        tuple(pair for pair in selection.parameters if pair[0] in used),
        tuple(
            Column(name, wording.title(name), _kind(name, data_type))
            for name, data_type in columns.items()
            if name not in hidden
        ),
    )


def _kind(name: str, data_type: str) -> Kind:
    if data_type.startswith("DECIMAL"):
        if "share" in name or "percent" in name or "quantity" in name:
            return "quantity"
        return "amount"
    if data_type == "DATE":
        return "day"
    return "instant" if data_type.startswith("TIMESTAMP") else "text"


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
