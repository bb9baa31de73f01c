"""What a run came to, in words and figures for a finance person."""

from collections.abc import Sequence
from decimal import Decimal

import duckdb

from dagster_project import wording
from dagster_project.quoting import sql_literal
from dagster_project.settings import DataFolder

STATUS_WORDS = {
    "reconciled": "ties to the invoice",
    "within_rounding": "ties, within the invoice's own rounding",
    "variance": "DOES NOT TIE to the invoice",
    "quarantined": "NOT COMPLETE: rows in quarantine",
    "no_invoice": "no invoice to tie to",
    "no_lines": "NO LINES for this invoice",
    "not_allocated": "NOT SPLIT WHOLE",
}
QUARANTINE_SHOWN = 10
ROWS_SHOWN = 40


def summarize(data: DataFolder) -> str:
    """The summary of what is published, many lines of text."""
    with duckdb.connect() as connection:
        connection.execute(
            f"attach {sql_literal(data.published_database)} as published (read_only)"
        )
        connection.execute(f"attach {sql_literal(data.warehouse)} as warehouse (read_only)")
        parts = [
            _files(connection),
            _lines(connection),
            _quarantine(connection),
            _findings(connection),
            _reconciliation(connection),
            _chargeback(connection),
            _expected(connection),
        ]
    results = [
        "Results",
        f"  {data.published_database}   (tables in schema marts; start with billing_report)",
        f"  {data.published / 'marts'}/*.parquet   (the same tables)",
    ]
    return "\n\n".join(["\n".join(part) for part in [*parts, results] if part])


def _files(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "select file, status, reason, unknown_columns from warehouse.raw.landed_files order by file"
    ).fetchall()
    counts = {
        status: sum(row[1] == status for row in rows)
        for status in ("loaded", "duplicate", "refused")
    }
    lines = [
        f"Files         {len(rows)} in landing: {counts['loaded']} read,"
        f" {counts['duplicate']} a copy of another, {counts['refused']} refused"
    ]
    for file, status, reason, unknown_columns in rows:
        if status != "loaded":
            lines.append(f"  {status:<10}{file}: {reason}")
        elif unknown_columns != "[]":
            lines.append(f"  note      {file}: columns kept but not used: {unknown_columns[1:-1]}")
    return lines


def _lines(connection: duckdb.DuckDBPyConnection) -> list[str]:
    row = connection.execute(
        """
        select
            count(distinct line_id), count(*), count(distinct (organization_id, cost_center_id)),
            count(distinct organization_id)
        from published.marts.billing_report
        """
    ).fetchone()
    line_count, row_count, center_count, organization_count = row or (0, 0, 0, 0)
    lines = [
        f"Lines         {line_count:,} billing lines of {organization_count} organizations, split"
        f" into {row_count:,} rows over {center_count} cost centers",
    ]
    reasons = connection.execute(
        """
        select split_reason, count(distinct line_id)
        from published.marts.billing_report
        where split_reason not in ('snapshot', 'unallocated', 'over_allocated')
        group by split_reason
        order by 2 desc, 1
        """
    ).fetchall()
    lines += [f"  {count:>8,} lines by {reason}" for reason, count in reasons]
    return lines


def _quarantine(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        """
        select file, row_number, cell, reason, value, total_cost, currency
        from published.marts.quarantined_rows
        where not is_superseded
        order by file, row_number
        """
    ).fetchall()
    if not rows:
        return ["Quarantine    empty: every row of every file was used"]
    lines = [f"Quarantine    {len(rows):,} rows or files could not be used"]
    for file, row_number, cell, reason, value, total_cost, currency in rows[:QUARANTINE_SHOWN]:
        place = f"{cell or f'row {row_number}'}: " if row_number is not None else ""
        shown = f" (found: {value!r})" if value else ""
        money = f"; {currency} {_money(total_cost)} at stake" if total_cost is not None else ""
        lines.append(f"  {file}: {place}{reason}{shown}{money}")
    if len(rows) > QUARANTINE_SHOWN:
        lines.append(f"  ... and {len(rows) - QUARANTINE_SHOWN:,} more in marts.quarantined_rows")
    return lines


def _findings(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        """
        select severity, kind, count(*), any_value(meaning)
        from published.marts.findings
        where severity <> 'info'
        group by severity, kind
        order by severity, kind
        """
    ).fetchall()
    if not rows:
        return ["Findings      nothing to look at before billing"]
    count = sum(row[2] for row in rows)
    return [
        f"Findings      {count:,} to look at before billing, in marts.findings",
        *(
            f"  {severity:<9}{number:>5,} {kind}: {meaning}"
            for severity, kind, number, meaning in rows
        ),
    ]


def _reconciliation(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        """
        select
            coalesce(invoice_number, '(none)'), coalesce(cast(billing_date as varchar), '?'),
            coalesce(currency, '?'), invoice_total, lines_total, quarantined_total, variance,
            status
        from published.marts.invoice_reconciliation
        order by billing_date, invoice_number, currency
        """
    ).fetchall()
    table = [
        ["invoice", "billed", "", "invoice total", "lines", "quarantined", "variance", ""],
        *(
            [*row[:3], *(_money(amount) for amount in row[3:7]), STATUS_WORDS[row[7]]]
            for row in rows
        ),
    ]
    return ["Reconciliation (cost before tax)", *aligned(table, right=range(3, 7))]


def _chargeback(connection: duckdb.DuckDBPyConnection) -> list[str]:
    period = connection.execute(
        "select max(billing_period) from published.marts.chargeback"
    ).fetchone()
    if not period or period[0] is None:
        return []
    rows = connection.execute(
        """
        select
            organization_name, cost_center_name, currency, sum(total_cost), sum(total_sales),
            sum(cost_after_sharing), sum(sales_after_sharing)
        from published.marts.chargeback
        where billing_period = ?
        group by all
        order by organization_name, cost_center_name, currency
        """,
        [period[0]],
    ).fetchall()
    headers = ["organization", "cost center", "", "cost", "sales"]
    if any(row[3] != row[5] for row in rows):
        headers += ["cost after sharing", "sales after sharing"]
    table = [
        headers,
        *(
            [*row[:3], *(_money(amount) for amount in row[3 : len(headers)])]
            for row in rows[:ROWS_SHOWN]
        ),
    ]
    left_out = len(rows) - ROWS_SHOWN
    more = [f"  ... and {left_out:,} more in marts.chargeback"] if left_out > 0 else []
    return [
        f"Chargeback of the latest billing period, {period[0]}",
        *aligned(table, right=range(3, len(headers))),
        *more,
    ]


def _expected(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        """
        select
            currency, strftime(min(month), '%Y-%m'), strftime(max(month), '%Y-%m'), sum(forecast),
            sum(committed_cost), sum(renewal_cost), sum(usage_cost), sum(sales_forecast)
        from published.marts.cost_forecast
        group by currency
        order by currency
        """
    ).fetchall()
    if not rows:
        return []
    table = [
        ["", "cost", "known: owed", "known: on renewal", "known: usage", "sales"],
        *([row[0], *(wording.amount(amount, row[0]) for amount in row[3:])] for row in rows),
    ]
    return [
        f"Expected {min(row[1] for row in rows)} to {max(row[2] for row in rows)},"
        " by cost center in marts.cost_forecast",
        *aligned(table, right=range(1, 6)),
    ]


def _money(amount: Decimal | None) -> str:
    """An amount with thousands separators and as many decimals as it has, two at least."""
    if amount is None:
        return "-"
    text = f"{amount.normalize():,f}"
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}"


def aligned(table: Sequence[Sequence[str]], right: range = range(0)) -> list[str]:
    """The lines of a table, indented by two; the columns in `right` are flush right."""
    widths = [max(len(row[index]) for row in table) for index in range(len(table[0]))]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
