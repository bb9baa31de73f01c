"""The summary of a run that `make run` prints: files, lines, quarantine, findings, amounts.

Belongs here: its text, from the published marts. Does not: how a figure is written (wording).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb

from dagster_project import database, records, reviews, wording
from dagster_project.publish import published_state
from dagster_project.quoting import sql_literal
from dagster_project.records import RecordDamaged
from dagster_project.reviews import Reviewed
from dagster_project.settings import DataFolder

QUARANTINE_SHOWN = 10
"""Causes of quarantine that the summary lists."""

VALUE_SHOWN = 80
"""Characters of a wrong value that the summary shows."""

BLOCKING_SHOWN = 20
ROWS_SHOWN = 40


def summarize(data: DataFolder, *, has_next_steps: bool = True) -> str:
    """The summary of the published marts, as lines of text, with what to do next at the end."""
    with wording.written_in(_locale(data)):
        return _summary(data, has_next_steps)


def _locale(data: DataFolder) -> str | None:
    # The library that checks settings takes longer to import than a run without changes.
    if not data.declarations.exists():
        return None
    from dagster_project.feeds.declarations import read_locale

    return read_locale(data.declarations)


def _summary(data: DataFolder, has_next_steps: bool) -> str:
    with database.connect(folders=(data.root,)) as connection:
        connection.execute(
            f"attach {sql_literal(data.published_database)} as published (read_only)"
        )
        connection.execute(f"attach {sql_literal(data.warehouse)} as warehouse (read_only)")
        reviewed, note = _reviewed(data)
        kinds = _kinds(connection, reviewed)
        parts = [
            _files(connection),
            _lines(connection),
            _landed(connection),
            _quarantine(connection),
            [*_findings(kinds), *note],
            _reconciliation(connection),
            _chargeback(connection),
            _forecast(connection),
        ]
        next_steps = _next_steps(connection, kinds) if has_next_steps else []
    results = [
        f"Results       state {(published_state(data) or 'unknown')[:8]}",
        f"  {data.published_database}   (tables in schema marts; start with billing_report)",
        f"  {data.published / 'marts'}/*.parquet   (the same tables)",
    ]
    return "\n\n".join(["\n".join(part) for part in [*parts, results, next_steps] if part])


def _files(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "select file, status, reason, unknown_columns from warehouse.raw.landed_files order by file"
    ).fetchall()
    counts = {
        status: sum(row[1] == status for row in rows)
        for status in ("loaded", "duplicate", "refused")
    }
    lines = [
        f"Files         {len(rows)} in landing: {counts['loaded']} loaded,"
        f" {wording.counted(counts['duplicate'], 'duplicate')}, {counts['refused']} refused"
    ]
    for file, status, reason, unknown_columns in rows:
        if status != "loaded":
            lines.append(f"  {status:<10}{file}: {reason}")
        elif unknown_columns != "[]":
            lines.append(f"  note      {file}: unknown columns, kept: {unknown_columns[1:-1]}")
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
        f"Lines         {wording.counted(line_count, 'billing line')} of"
        f" {wording.counted(organization_count, 'organization')}, split into"
        f" {wording.counted(row_count, 'row')} for {wording.counted(center_count, 'cost center')}",
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
    lines += [
        f"  {wording.number(count):>8} by {reason} ({wording.split_reason(reason)})"
        for reason, count in reasons
    ]
    return lines


def _landed(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Landed amounts by outcome, per currency; the checks prove that they are complete."""
    rows = connection.execute(
        """
        select
            currency, sum(landed_total), sum(lines_total), sum(quarantined_total),
            sum(replaced_total)
        from published.marts.invoice_reconciliation
        where currency is not null and landed_total <> 0
        group by currency
        order by currency
        """
    ).fetchall()
    return [
        f"{'Landed' if number == 0 else '':<14}{currency} {wording.exact_amount(landed, currency)}"
        f" = {wording.exact_amount(billed, currency)} billed"
        f" + {wording.exact_amount(quarantined, currency)} quarantined"
        f" + {wording.exact_amount(replaced, currency)} replaced"
        for number, (currency, landed, billed, quarantined, replaced) in enumerate(rows)
    ]


def _replaced(connection: duckdb.DuckDBPyConnection) -> str:
    """How many rows other deliveries replace, as a sentence; empty where none are."""
    row = connection.execute(
        """
        select sum(replaced_row_count), count(distinct file)
        from published.marts.delivery_reconciliation
        where replaced_row_count > 0
        """
    ).fetchone()
    row_count, file_count = row or (None, 0)
    if not row_count:
        return ""
    return (
        f"{wording.counted(int(row_count), 'row')} of {wording.counted(file_count, 'file')}"
        " replaced by other deliveries (marts.delivery_reconciliation)"
    )


def _quarantine(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        """
        select file, row_number, cell, reason, value, total_cost, currency
        from published.marts.quarantined_rows
        where not is_superseded
        order by file, row_number
        """
    ).fetchall()
    replaced = _replaced(connection)
    if not rows:
        return [f"Quarantine    no row or file; {replaced}" if replaced else "Quarantine    empty"]
    not_billed = wording.counted(len(rows), "row or file", "rows or files")
    lines = [f"Quarantine    {not_billed}, not billed"]
    causes: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for row in rows:
        causes.setdefault((row[0], row[3]), []).append(row)
    shown = list(causes.items())[:QUARANTINE_SHOWN]
    lines += [_cause(file, reason, alike) for (file, reason), alike in shown]
    left = sum(len(alike) for alike in causes.values()) - sum(len(alike) for _, alike in shown)
    if left:
        lines.append(f"  ... and {wording.number(left)} more in marts.quarantined_rows")
    if replaced:
        lines.append(f"  {replaced}")
    return lines


def _cause(file: str, reason: str, rows: Sequence[tuple[Any, ...]]) -> str:
    """One line for all rows of a file that one reason applies to, with their cost."""
    _, row_number, cell, _, value, _, _ = rows[0]
    place = f"{cell or f'row {row_number}'}: " if row_number is not None else ""
    if len(rows) > 1:
        place = f"{wording.number(len(rows))} rows, the first is {place}"
    found = f" (found: {_shortened(value)!r})" if value else ""
    costs: dict[str | None, Decimal] = {}
    for *_, total_cost, currency in rows:
        if total_cost is not None:
            costs[currency] = costs.get(currency, Decimal(0)) + total_cost
    cost = ", ".join(
        f"{wording.exact_amount(amount, currency)} {currency or '?'}"
        for currency, amount in sorted(costs.items(), key=lambda each: each[0] or "")
    )
    return f"  {file}: {place}{reason}{found}{f'; cost {cost}' if cost else ''}"


def _shortened(value: str) -> str:
    return value if len(value) <= VALUE_SHOWN else f"{value[:VALUE_SHOWN]}..."


def blocking_findings(data: DataFolder) -> str:
    """What keeps the warehouse's marts from being published, and what to do, a line each."""
    with database.connect(data.warehouse, is_read_only=True) as connection:
        rows = connection.execute(
            """
            select amount_at_stake, currency, message
            from marts.findings
            where severity = 'blocking'
            order by
                rank() over (partition by currency order by amount_at_stake desc nulls last),
                currency, message
            """
        ).fetchall()
    with wording.written_in(_locale(data)):
        return "\n".join(_blocking(rows))


def _blocking(rows: Sequence[tuple[Any, ...]]) -> list[str]:
    lines = [f"Not published: {wording.counted(len(rows), 'delivery', 'deliveries')} to decide on"]
    for amount, currency, message in rows[:BLOCKING_SHOWN]:
        at_stake = wording.exact_amount(amount, currency)
        lines.append(f"  {message}{f' ({at_stake} {currency} at stake)' if amount else ''}")
    if len(rows) > BLOCKING_SHOWN:
        more = wording.number(len(rows) - BLOCKING_SHOWN)
        lines.append(f"  ... and {more} more in the warehouse's findings")
    return lines


@dataclass(frozen=True)
class _Kind:
    """The findings of one kind, and how many of them the broker has accepted."""

    severity: str
    kind: str
    meaning: str
    count: int
    accepted_count: int


def _kinds(connection: duckdb.DuckDBPyConnection, reviewed: Reviewed) -> list[_Kind]:
    """The findings to review before billing, by kind."""
    findings = "(select *, null as accepted_until from published.marts.findings)"
    parameters: dict[str, str] = {}
    if any(state["accepted_until"] for state in reviewed.values()):
        findings, parameters = reviews.with_states("published.marts.findings", reviewed)
        parameters["today"] = records.now().date().isoformat()
    # Without parameters where nothing is accepted: see _chargeback.
    rows = connection.execute(
        f"""
        select severity, kind, any_value(meaning), count(*), count(accepted_until)
        from {findings}
        where severity <> 'info'
        group by severity, kind
        order by severity, kind
        """,
        *([parameters] if parameters else []),
    ).fetchall()
    return [_Kind(*row) for row in rows]


def _findings(kinds: Sequence[_Kind]) -> list[str]:
    if not kinds:
        return ["Findings      none to review before billing"]
    count = sum(each.count for each in kinds)
    accepted = sum(each.accepted_count for each in kinds)
    of_them = f", {wording.number(accepted)} of them accepted" if accepted else ""
    return [
        f"Findings      {wording.number(count)} to review before billing{of_them},"
        " in marts.findings",
        *(
            f"  {each.severity:<9}{wording.number(each.count):>5} {each.kind}: {each.meaning}"
            + (f" ({wording.number(each.accepted_count)} accepted)" if each.accepted_count else "")
            for each in kinds
        ),
    ]


def _reviewed(data: DataFolder) -> tuple[Reviewed, list[str]]:
    """What the broker has decided on findings, and a note if the record cannot be read."""
    try:
        return reviews.states(reviews.read(data)), []
    except RecordDamaged as error:
        return {}, [f"  note      accepted findings are not counted: {error}"]


def _reconciliation(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        """
        select
            coalesce(invoice_number, '(none)'), coalesce(cast(billing_date as varchar), '?'),
            coalesce(currency, '?'), invoice_total, lines_total, quarantined_total,
            replaced_total, variance, status
        from published.marts.invoice_reconciliation
        order by billing_date, invoice_number, currency, provider
        """
    ).fetchall()
    table = [
        [
            *("invoice", "billing date", "currency"),
            *("invoice total", "lines total", "quarantined", "replaced", "variance", "status"),
        ],
        *(
            [
                *row[:3],
                *(wording.exact_amount(amount, row[2]) for amount in row[3:8]),
                _status(row[8]),
            ]
            for row in rows
        ),
    ]
    return ["Reconciliation (cost before tax)", *aligned(table, right=range(3, 8))]


def _chargeback(connection: duckdb.DuckDBPyConnection) -> list[str]:
    # No parameters: the first one that is bound makes DuckDB import pandas, which takes longer than
    # everything else in a run without changes.
    period = connection.execute(
        "select max(billing_period) from published.marts.chargeback"
    ).fetchone()
    if not period or period[0] is None:
        return []
    rows = connection.execute(
        """
        select
            organization_name, cost_center_name, currency, sum(charged_amount), sum(total_cost),
            sum(total_sales), bool_or(shared_cost <> 0 or shared_sales <> 0)
        from published.marts.chargeback
        where billing_period = (select max(billing_period) from published.marts.chargeback)
        group by all
        order by organization_name, cost_center_name, currency
        """
    ).fetchall()
    before = " before sharing" if any(row[6] for row in rows) else ""
    headers = ["organization", "cost center", "currency", "charged"]
    headers += [f"cost{before}", f"sales{before}"]
    table = [
        headers,
        *(
            [*row[:3], *(wording.exact_amount(amount, row[2]) for amount in row[3:6])]
            for row in rows[:ROWS_SHOWN]
        ),
    ]
    left_out = len(rows) - ROWS_SHOWN
    more = (
        [f"  ... and {wording.number(left_out)} more in marts.chargeback"] if left_out > 0 else []
    )
    return [
        f"Chargeback {period[0]} (latest billing period)",
        *aligned(table, right=range(3, len(headers))),
        *more,
    ]


def _forecast(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        """
        select
            currency, strftime(min(month), '%Y-%m'), strftime(max(month), '%Y-%m'), sum(forecast),
            sum(committed_cost), sum(renewal_cost), sum(usage_cost), sum(seat_change_cost),
            sum(sales_forecast)
        from published.marts.cost_forecast
        group by currency
        order by currency
        """
    ).fetchall()
    if not rows:
        return []
    table = [
        ["currency", "cost", "committed", "renewals", "usage", "seats", "sales"],
        *([row[0], *(wording.amount(amount, row[0]) for amount in row[3:])] for row in rows),
    ]
    return [
        f"Forecast {min(row[1] for row in rows)} to {max(row[2] for row in rows)};"
        " by cost center in marts.cost_forecast",
        *aligned(table, right=range(1, 7)),
    ]


def _next_steps(connection: duckdb.DuckDBPyConnection, kinds: Sequence[_Kind]) -> list[str]:
    """What to do next: review, exports, closing.

    The amounts at stake of findings have no sum: several findings can be about the same money.
    """
    row = connection.execute(
        """
        select min(billing_period) filter (status = 'open'), max(billing_period)
        from published.marts.billing_periods
        """
    ).fetchone()
    oldest_open, latest = row or (None, None)
    steps = []
    open_count = sum(each.count - each.accepted_count for each in kinds)
    if open_count:
        review = f"review {wording.counted(open_count, 'finding')} and see the results in a browser"
        steps.append(("make app", review))
    else:
        steps.append(("make app", "see the results in a browser"))
    if latest:
        words = f"write statements, workbook and journal of {wording.period(latest)}"
        steps.append((f"make export PERIOD={latest}", words))
    if oldest_open:
        words = f"close {wording.period(oldest_open)}, the oldest open period, once it is billed"
        steps.append((f"make close PERIOD={oldest_open}", words))
    return ["Next", *aligned(steps)]


def _status(status: str) -> str:
    """The words of a reconciliation status; in capitals where the bill needs attention."""
    tone, words = wording.status(status)
    return words.upper() if tone == "bad" else words


def aligned(table: Sequence[Sequence[str]], right: range = range(0)) -> list[str]:
    """The lines of a table, indented by two; the columns in `right` are aligned right."""
    widths = [max(len(row[index]) for row in table) for index in range(len(table[0]))]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
