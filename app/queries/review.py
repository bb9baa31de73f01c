"""Queries for review before billing: findings, reconciliation, quarantine.

Belongs here: data problems. Does not: amounts charged (charges).
"""

from collections.abc import Mapping
from dataclasses import replace

from app.published import Viewer
from app.queries.query import Column, Query, Selection
from dagster_project.reviews import Reviewed, with_states


def _of_period(selection: Selection) -> str:
    # Findings that are not about one bill have no period.
    return f"({replace(selection, organization_id=None).where()} or billing_period is null)"


def _findings_where(selection: Selection) -> tuple[str, tuple[tuple[str, str], ...]]:
    condition = _of_period(selection)
    if selection.organization_id:
        # A finding without an organization, such as an unreadable file, may concern any of them.
        condition += " and (organization_id = $organization_id or organization_id is null)"
    return condition, selection.parameters


SOURCES: Mapping[str, str] = {
    "findings": "(select *, cast(null as varchar) as product_name from findings)",
    "organization_findings": """
        (
            select *, cast(null as decimal(28, 10)) as amount_at_stake
            from organization_findings
        )
        """,
}
"""SQL of the findings that a viewer sees, by the mart that has them."""


def source_of(viewer: Viewer) -> str:
    """The mart with the findings that a viewer sees; an owner sees none."""
    return "organization_findings" if viewer.is_customer else "findings"


def _reviewed(
    reviewed: Reviewed, source: str = "findings"
) -> tuple[str, tuple[tuple[str, str], ...]]:
    """SQL of the findings with their key and the state of their review, and its parameters."""
    found, parameters = with_states(SOURCES[source], reviewed)
    return found, tuple(parameters.items())


def _today(today: str) -> tuple[tuple[str, str], ...]:
    return (("today", today),)


FINDING_COLUMNS = """
    severity, kind, message, meaning, organization_id,
    coalesce(organization_name, organization_id) as organization_name,
    amount_at_stake, currency, subscription_id, product_name, billing_period,
    finding_key, assigned_to, accepted_until
"""

STATES: Mapping[str, tuple[str, str]] = {
    "open": ("Open", "accepted_until is null"),
    "unassigned": ("Open, not assigned", "accepted_until is null and assigned_to is null"),
    "accepted": ("Accepted", "accepted_until is not null"),
    "all": ("All", "true"),
}
"""States of findings that a page can show: their words and their condition."""


def finding_counts(
    selection: Selection, reviewed: Reviewed, today: str, source: str = "findings"
) -> Query:
    """One row per severity: the number of findings, and how many of them are accepted."""
    condition, parameters = _findings_where(selection)
    found, more = _reviewed(reviewed, source)
    return Query(
        f"""
        select
            severity, count(*) filter (accepted_until is null) as finding_count,
            count(accepted_until) as accepted_count
        from {found}
        where {condition}
        group by severity
        order by severity
        """,
        (*parameters, *more, *_today(today)),
    )


def findings(
    selection: Selection,
    severity: str | None = None,
    *,
    reviewed: Reviewed,
    today: str,
    state: str = "open",
    source: str = "findings",
) -> Query:
    """Findings of the selection: by severity, then by amount at stake, largest first.

    Amounts are compared within a currency. A kind comes before another if its largest amount is
    higher in the order of its currency: the largest of each currency come first.

    `reviewed` are the states of reviews on the day `today`, `source` is one of SOURCES.
    """
    condition, parameters = _findings_where(selection)
    found, more = _reviewed(reviewed, source)
    condition += f" and {STATES[state][1]}"
    if severity:
        condition += " and severity = $severity"
        parameters = (*parameters, ("severity", severity))
    return Query(
        f"""
        with ranked as (
            select
                *,
                case
                    when amount_at_stake is not null
                        then rank() over (
                            partition by severity, currency
                            order by amount_at_stake desc nulls last
                        )
                end as rank_in_currency
            from {found}
            where {condition}
        )
        select {FINDING_COLUMNS}
        from ranked
        order by
            case severity when 'error' then 0 when 'warning' then 1 else 2 end,
            min(rank_in_currency) over (partition by severity, kind) nulls last, kind,
            currency nulls last, amount_at_stake desc nulls last, organization_id, message,
            subscription_id, billing_period
        """,
        (*parameters, *more, *_today(today)),
        (
            Column("severity", "Severity", "status"),
            Column("meaning", "Meaning"),
            Column("message", "Finding"),
            Column("product_name", "Product"),
            Column("organization_name", "Organization"),
            Column("amount_at_stake", "Amount at stake", "amount"),
            Column("assigned_to", "Assigned to"),
            Column("accepted_until", "Accepted until", "day"),
        ),
    )


def finding(key: str, reviewed: Reviewed, today: str, source: str = "findings") -> Query:
    """The finding with a key, once; none if the latest run did not find it."""
    found, more = _reviewed(reviewed, source)
    return Query(
        f"""
        select {FINDING_COLUMNS}
        from {found}
        where finding_key = $key
        order by message, amount_at_stake
        """,
        (*more, *_today(today), ("key", key)),
        most=1,
    )


def findings_by_amount(selection: Selection, reviewed: Reviewed, today: str) -> Query:
    """Open findings with an amount at stake, the largest first within each currency."""
    condition, parameters = _findings_where(selection)
    source, more = _reviewed(reviewed)
    return Query(
        f"""
        select
            severity, message, organization_id,
            coalesce(organization_name, organization_id) as organization_name,
            amount_at_stake, currency, finding_key
        from {source}
        where {condition} and amount_at_stake <> 0 and accepted_until is null
        order by
            row_number() over (
                partition by currency order by abs(amount_at_stake) desc, message
            ),
            currency, message, organization_id
        """,
        (*parameters, *more, *_today(today)),
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
