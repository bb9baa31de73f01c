"""The splits of a scenario: what each one allocates, what was in force before, and its outcome.

Belongs here: split events of the scenario's files. Does not: amounts (effects), mistyped values
(unknown_values).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import duckdb

from dagster_project import relations, wording


@dataclass(frozen=True)
class Allocation:
    """The licenses of a subscription and who has them."""

    total: Decimal
    quantities: tuple[tuple[str, Decimal], ...]
    """By cost center name, without zeros."""
    shares: tuple[tuple[str, Decimal], ...]
    """By cost center id, without zeros."""


@dataclass(frozen=True)
class SplitEvent:
    """A split event of a scenario, and the snapshot made from it.

    `snapshot_id` is null where another file has the same event and takes precedence. `valid_to` and
    `next_event` are those of the snapshot; null while no later one supersedes it.
    """

    subscription_id: str
    event: str
    effective_at: datetime
    organization_id: str | None
    snapshot_id: str | None
    is_superseded: bool
    valid_to: datetime | None
    next_event: str | None


@dataclass(frozen=True)
class Bill:
    """The product and the organization of a subscription on its latest billing lines."""

    product_name: str | None
    organization_id: str | None
    organization_name: str | None


@dataclass(frozen=True)
class Organization:
    """A listed organization; `is_by_directory` if its splits come from its user directory."""

    name: str | None
    is_by_directory: bool


@dataclass(frozen=True)
class OpenLines:
    """Lines of a subscription on open bills.

    `using_count` use the snapshot of an event, `reachable_count` have their cutoff after the event.
    `last_cutoff_at` is null if there are no open lines.
    """

    using_count: int
    reachable_count: int
    last_cutoff_at: datetime | None


@dataclass(frozen=True)
class Split:
    """A split of a scenario as it is reported; `superseded_at` is null while it stays in force."""

    subscription_id: str
    product_name: str | None
    organization_name: str
    event: str
    effective_at: datetime
    superseded_at: datetime | None
    allocation: Allocation | None
    allocation_before: Allocation | None
    outcome: str


def split_events(connection: duckdb.DuckDBPyConnection, files: list[str]) -> tuple[SplitEvent, ...]:
    """The split events in files of `landing`, by subscription and instant.

    `connection` has the database `after`.
    """
    rows = connection.execute(
        f"""
        with events as (
            select
                subscription_id, event_key, effective_at, recorded_at, event_sequence,
                min(event) as event, max(organization) as organization_id
            from after.{relations.SPLIT_HISTORY}
            where list_contains($files, file) and rejected_reason is null
            group by subscription_id, event_key, effective_at, recorded_at, event_sequence
        ),
        snapshots as (
            select
                snapshots.*, split_events.event_key, split_events.event_sequence,
                lead(snapshots.event) over (
                    partition by snapshots.subscription_id order by snapshots.event_number
                ) as next_event
            from after.{relations.SPLIT_SNAPSHOTS} as snapshots
            inner join after.{relations.SPLIT_EVENTS} as split_events
                on snapshots.snapshot_id = split_events.event_id
        )
        select
            events.subscription_id, events.event, events.effective_at,
            coalesce(snapshots.organization_id, events.organization_id), snapshots.snapshot_id,
            coalesce(snapshots.valid_from = snapshots.valid_to, false), snapshots.valid_to,
            snapshots.next_event
        from events
        left join snapshots
            on events.subscription_id = snapshots.subscription_id
            and events.event_key = snapshots.event_key
            and events.effective_at = snapshots.effective_at
            and events.recorded_at = snapshots.recorded_at
            and events.event_sequence is not distinct from snapshots.event_sequence
        order by
            events.subscription_id, events.effective_at, events.recorded_at,
            events.event_sequence, events.event, snapshots.snapshot_id
        """,
        {"files": files},
    ).fetchall()
    return tuple(SplitEvent(*row) for row in rows)


def reported_split(connection: duckdb.DuckDBPyConnection, event: SplitEvent) -> Split:
    """An event with its subscription, its allocations and its outcome.

    `connection` has the databases `before` and `after`.
    """
    bill = _bill(connection, event.subscription_id)
    organization_id = (bill and bill.organization_id) or event.organization_id
    organization = _organization(connection, organization_id)
    name = (
        (bill and bill.organization_name)
        or (organization and organization.name)
        or organization_id
        or "unassigned"
    )
    allocation = _allocation(
        connection, "after", "snapshot_id = $snapshot_id", {"snapshot_id": event.snapshot_id}
    )
    before = _allocation_in_force(connection, event.subscription_id, event.effective_at)
    if organization and organization.is_by_directory:
        outcome = f"not applied: {name} splits by its user directory"
    else:
        outcome = outcome_of(
            event,
            is_billed=bill is not None,
            is_unchanged=bool(allocation and before and allocation.shares == before.shares),
            lines=_open_lines(connection, event),
        )
    return Split(
        subscription_id=event.subscription_id,
        product_name=bill.product_name if bill else None,
        organization_name=name,
        event=event.event,
        effective_at=event.effective_at,
        superseded_at=event.valid_to if event.next_event is not None else None,
        allocation=allocation,
        allocation_before=before,
        outcome=outcome,
    )


def outcome_of(event: SplitEvent, *, is_billed: bool, is_unchanged: bool, lines: OpenLines) -> str:
    """The outcome of an event, in words; `is_unchanged` if it leaves the shares as they are."""
    if event.snapshot_id is None:
        return "not applied: a file written later has the same event"
    if event.is_superseded:
        return (
            f"not applied: another entry of the same instant takes precedence ({event.next_event})"
        )
    if not is_billed:
        return "no effect: no bill has this subscription"
    if is_unchanged:
        return "no effect on existing bills: the shares are unchanged"
    if lines.using_count:
        return f"applies to {wording.counted(lines.using_count, 'line')} of open bills"
    if lines.last_cutoff_at is None:
        return "applies to future bills: no open bill has a line of this subscription"
    if not lines.reachable_count:
        return (
            "applies to future bills: to apply to an existing bill, it must start before"
            f" {wording.instant(lines.last_cutoff_at)} UTC"
        )
    if event.next_event is not None:
        return "applies to no line of open bills: they use an earlier or a later split"
    return "applies to no line of open bills: refunds use the split of the refunded charge"


def _bill(connection: duckdb.DuckDBPyConnection, subscription_id: str) -> Bill | None:
    row = connection.execute(
        f"""
        select
            max_by(product_name, (billing_date, line_id)),
            max_by(organization_id, (billing_date, line_id)),
            max_by(organization_name, (billing_date, line_id))
        from after.{relations.BILLING_LINES}
        where subscription_id = $subscription_id
        group by subscription_id
        """,
        {"subscription_id": subscription_id},
    ).fetchone()
    return Bill(*row) if row else None


def _organization(
    connection: duckdb.DuckDBPyConnection, organization_id: str | None
) -> Organization | None:
    row = connection.execute(
        f"""
        select organization_name, coalesce(split_source = 'directory', false)
        from after.{relations.ORGANIZATIONS}
        where organization_id = $organization_id
        """,
        {"organization_id": organization_id},
    ).fetchone()
    return Organization(*row) if row else None


def _open_lines(connection: duckdb.DuckDBPyConnection, event: SplitEvent) -> OpenLines:
    row = connection.execute(
        f"""
        select
            count(*) filter (snapshots.snapshot_id = $snapshot_id),
            count(*) filter (cutoffs.cutoff_at > $effective_at),
            max(cutoffs.cutoff_at)
        from after.{relations.BILLING_LINES} as lines
        inner join after.{relations.LINE_CUTOFFS} as cutoffs using (line_id)
        inner join after.{relations.LINE_SNAPSHOTS} as snapshots using (line_id)
        where lines.subscription_id = $subscription_id
            and lines.billing_period not in (select billing_period from after.raw.ledger_postings)
        """,
        {
            "subscription_id": event.subscription_id,
            "snapshot_id": event.snapshot_id,
            "effective_at": event.effective_at,
        },
    ).fetchone()
    return OpenLines(*row) if row else OpenLines(0, 0, None)


def _allocation_in_force(
    connection: duckdb.DuckDBPyConnection, subscription_id: str, instant: datetime
) -> Allocation | None:
    return _allocation(
        connection,
        "before",
        """
        subscription_id = $subscription_id and not is_superseded and valid_from <= $instant
        and (valid_to is null or valid_to > $instant)
        """,
        {"subscription_id": subscription_id, "instant": instant},
    )


def _allocation(
    connection: duckdb.DuckDBPyConnection,
    database: str,
    condition: str,
    parameters: Mapping[str, object],
) -> Allocation | None:
    rows = connection.execute(
        f"""
        select cost_center_name, cost_center_id, allocated_quantity, share, total_quantity
        from {database}.marts.cost_center_history
        where {condition}
        order by is_unallocated, cost_center_name, cost_center_id
        """,
        parameters,
    ).fetchall()
    if not rows:
        return None
    return Allocation(
        total=rows[0][4],
        quantities=tuple((name, quantity) for name, _, quantity, _, _ in rows if quantity),
        shares=tuple(sorted((key, share) for _, key, _, share, _ in rows if share)),
    )
