"""Queries for review before billing: findings, reconciliation, quarantine.

Belongs here: data problems. Does not: amounts charged (charges).
"""

from dataclasses import replace

from app.queries.query import Column, Query, Selection


def _of_period(selection: Selection) -> str:
    # Findings that are not about one bill have no period.
    return f"({replace(selection, organization_id=None).where()} or billing_period is null)"


def _findings_where(selection: Selection) -> tuple[str, tuple[tuple[str, str], ...]]:
    condition = _of_period(selection)
    if selection.organization_id:
        # A finding without an organization, such as an unreadable file, may concern any of them.
        condition += " and (organization_id = $organization_id or organization_id is null)"
    return condition, selection.parameters


def finding_counts(selection: Selection) -> Query:
    """One row per severity: the number of findings."""
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
    """Findings of the selection: by severity, then by amount at stake, largest first."""
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
            Column("severity", "Severity", "status"),
            Column("meaning", "Meaning"),
            Column("message", "Finding"),
            Column("organization_name", "Organization"),
            Column("amount_at_stake", "Amount at stake", "amount"),
        ),
    )


def findings_by_amount(selection: Selection) -> Query:
    """Findings with an amount at stake, the largest first within each currency."""
    condition, parameters = _findings_where(selection)
    return Query(
        f"""
        select
            severity, message, organization_id,
            coalesce(organization_name, organization_id) as organization_name,
            amount_at_stake, currency
        from findings
        where {condition} and amount_at_stake <> 0
        order by
            row_number() over (
                partition by currency order by abs(amount_at_stake) desc, message
            ),
            currency, message, organization_id
        """,
        parameters,
        (
            Column("severity", "Severity", "status"),
            Column("message", "Finding"),
            Column("organization_name", "Organization"),
            Column("amount_at_stake", "Amount at stake", "amount"),
        ),
    )


def reconciliation(selection: Selection) -> Query:
    """Invoices of the selected period, for all organizations; unreconciled ones first."""
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
            Column("status", "Status", "status"),
            Column("invoice_total", "Invoice total", "amount"),
            Column("lines_total", "Lines total", "amount"),
            Column("allocated_total", "Allocated total", "amount"),
            Column("quarantined_total", "Quarantined total", "amount"),
            Column("variance", "Variance", "exact"),
            Column("line_count", "Lines", "quantity"),
        ),
    )


def quarantine(selection: Selection) -> Query:
    """Quarantined rows and files of the selected period, and those without a period."""
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
            Column("reason", "Reason"),
            Column("total_cost", "Cost", "amount"),
        ),
    )
