"""Closing a billing period: the conditions for posting its lines to the ledger."""

import getpass
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import duckdb

from dagster_project import database, run_state
from dagster_project.errors import ClosingRefused, NotAPeriodToClose
from dagster_project.ledger import anchors
from dagster_project.ledger.postings import Posting, append_posting, read_postings
from dagster_project.settings import DataFolder


def close_published(
    data: DataFolder, billing_period: str, override_reason: str | None = None
) -> Posting:
    """Post the published lines of a period, and record the ledger's new head; returns the posting.

    The caller holds the writer's lock. Raises NotOneState if landing, warehouse and published
    tables differ in state, LedgerBroken if the ledger lacks a recorded posting, BadSetting as
    `anchors.compare` does, and ClosingRefused as `close` does.
    """
    postings = read_postings(data.ledger)
    _require_open_month(billing_period, postings)
    anchors.compare(data, postings)
    state_id = run_state.require_one_state(data)
    posting = close(data, billing_period, override_reason, state_id, anchors.read_key(data))
    anchors.remember(data, [*postings, posting])
    return posting


def close(
    data: DataFolder,
    billing_period: str,
    override_reason: str | None = None,
    state_id: str | None = None,
    key: bytes | None = None,
) -> Posting:
    """Post the period's lines from the warehouse; returns the posting.

    The caller holds the writer's lock and has checked that the warehouse is what is published.
    Raises ClosingRefused, with all obstacles, if the period is closed or has no lines, if an older
    period is open, if rows are in quarantine, if an invoice does not tie, or if a shared cost is
    not passed on because its rule cannot be applied. A reason overrides the last three; the
    posting records it.
    """
    override_reason = (override_reason or "").strip() or None
    postings = read_postings(data.ledger)
    _require_open_month(billing_period, postings)
    with database.connect(data.warehouse, folders=(data.ledger,)) as connection:
        _refuse_impossible(connection, billing_period, len(postings))
        obstacles = [
            *_quarantine(connection, billing_period),
            *_variances(connection, billing_period),
            *_not_passed_on(connection, billing_period),
        ]
        if obstacles and not override_reason:
            raise ClosingRefused(
                f"{billing_period} is not closed:\n"
                + "\n".join(f"  - {obstacle}" for obstacle in obstacles)
                + '\nFix it, or close anyway with REASON="why" (the reason is recorded)'
            )
        return append_posting(
            data.ledger,
            connection,
            billing_period,
            closed_at=datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds"),
            closed_by=_account(),
            override_reason=override_reason if obstacles else None,
            state_id=state_id,
            key=key,
        )


def _require_open_month(billing_period: str, postings: Sequence[Posting]) -> None:
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", billing_period):
        raise NotAPeriodToClose(f"{billing_period!r} is not a month like 2026-01")
    if billing_period in {posting.billing_period for posting in postings}:
        raise NotAPeriodToClose(f"{billing_period} is closed already; closed periods never change")


def _refuse_impossible(
    connection: duckdb.DuckDBPyConnection, billing_period: str, posting_count: int
) -> None:
    known = connection.execute("select count(*) from raw.ledger_postings").fetchone()
    if known != (posting_count,):
        raise ClosingRefused("the ledger has changed since the last run; run again first")
    unallocated = connection.execute(
        "select count(*) from marts.invoice_reconciliation where status = 'not_allocated'"
    ).fetchone()
    if unallocated != (0,):
        raise ClosingRefused("some lines are not fully allocated; the checks of a run name them")
    _require_next(connection, billing_period)


def require_closable(data: DataFolder, billing_period: str) -> None:
    """Check the period by the published results, before anything is waited for or computed.

    Raises NotAPeriodToClose if it is closed, if an older one is open, or if it has no lines and
    landing has not changed. All is checked again when it is closed.
    """
    _require_open_month(billing_period, read_postings(data.ledger))
    if not data.published_database.exists():
        return
    with database.connect(data.published_database.resolve(), is_read_only=True) as connection:
        is_known = connection.execute(
            "select count(*) from marts.billing_periods where billing_period = $period",
            {"period": billing_period},
        ).fetchone() != (0,)
        # A file that landed since may have lines of the period.
        if is_known or run_state.is_published(data, run_state.current(data)):
            _require_next(connection, billing_period)


def _require_next(connection: duckdb.DuckDBPyConnection, billing_period: str) -> None:
    periods = dict(
        connection.execute(
            "select billing_period, max(status) from marts.billing_periods group by billing_period"
        ).fetchall()
    )
    open_periods = sorted(period for period, status in periods.items() if status == "open")
    if billing_period not in periods:
        raise NotAPeriodToClose(
            f"{billing_period} has no billing lines; open periods are:"
            f" {', '.join(open_periods) or 'none'}"
        )
    if billing_period not in open_periods:
        raise NotAPeriodToClose(
            f"{billing_period} is closed in the results, and the ledger has no posting of it:"
            " `apportion ledger verify` states what is missing"
        )
    if open_periods[0] < billing_period:
        raise NotAPeriodToClose(
            f"{open_periods[0]} is still open and comes before {billing_period}; close it first"
        )


BILLS_OF_PERIOD = """
    select distinct provider, invoice_number, billing_date
    from marts.billing_report
    where billing_period = $period
    union
    select provider, invoice_number, billing_date
    from marts.invoice_reconciliation
    where strftime(billing_date, '%Y-%m') = $period
"""
"""Bills of the period, and older ones that have corrections in it."""


def _quarantine(connection: duckdb.DuckDBPyConnection, billing_period: str) -> list[str]:
    """Quarantined rows of the period's bills, and those whose bill is unknown."""
    rows = connection.execute(
        f"""
        with bills as ({BILLS_OF_PERIOD}),
        invoices as (
            select invoice_number, max(billing_date) as billing_date
            from marts.invoice_reconciliation
            group by invoice_number
        )
        select
            quarantined.file, count(*), sum(quarantined.total_cost), quarantined.currency
        from marts.quarantined_rows as quarantined
        left join invoices
            on quarantined.invoice_number = invoices.invoice_number
        where quarantined.feed = 'billing_lines' and not quarantined.is_superseded
            and (
                coalesce(invoices.billing_date, quarantined.billing_date) is null
                or quarantined.invoice_number in (select invoice_number from bills)
                or (
                    quarantined.invoice_number is null
                    and quarantined.billing_date in (
                        select billing_date from bills where invoice_number is null
                    )
                )
            )
        group by quarantined.file, quarantined.currency
        order by quarantined.file, quarantined.currency
        """,
        {"period": billing_period},
    ).fetchall()
    return [
        f"{count} row(s) of {file} are in quarantine, {_money(amount)}"
        + (f" {currency}" if amount is not None and currency else "")
        for file, count, amount, currency in rows
    ]


def _variances(connection: duckdb.DuckDBPyConnection, billing_period: str) -> list[str]:
    rows = connection.execute(
        f"""
        with bills as ({BILLS_OF_PERIOD})
        select invoice_number, currency, coalesce(variance, invoice_total_with_tax)
        from marts.invoice_reconciliation as reconciliation
        where status in ('variance', 'no_lines')
            and exists (
                from bills
                where bills.invoice_number = reconciliation.invoice_number
                    and bills.provider is not distinct from reconciliation.provider
            )
        order by invoice_number
        """,
        {"period": billing_period},
    ).fetchall()
    return [
        f"invoice {invoice} does not tie: {currency} {_money(variance)} is missing"
        for invoice, currency, variance in rows
    ]


def _not_passed_on(connection: duckdb.DuckDBPyConnection, billing_period: str) -> list[str]:
    """Shared costs whose rules cannot be applied. After closing, they cannot be passed on."""
    rows = connection.execute(
        """
        select distinct organization_id, message from marts.findings
        where billing_period = $period and severity = 'error' and kind in (
            'shared_rule_unusable', 'shared_cost_circle', 'shared_cost_third_step'
        )
        order by organization_id, message
        """,
        {"period": billing_period},
    ).fetchall()
    return [f"{organization}: {message}" for organization, message in rows]


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # In a container, an account can have a number without a name.
        return f"uid {os.getuid()}"


def _money(amount: Decimal | None) -> str:
    return f"{amount.normalize():,f}" if amount is not None else "amount unknown"
