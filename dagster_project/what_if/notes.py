"""What becomes of a scenario, and why it moves nothing if it does: as far as it can be known.

Belongs here: sentences about the scenario's own rows. Does not: amounts (moves).
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import duckdb

from dagster_project import wording
from dagster_project.what_if.scenario import Scenario

SHOWN_SPLITS = 20
SHOWN_SUSPECTS = 20

HINTS = {
    "billing_lines": "The bill may have landed already, or a newer file brings the same invoice.",
    "split_history": "",
    "cost_centers": (
        "Names, codes and accounts move no money; a Valid To does, where the cost center has"
        " licenses that open bills charge after it."
    ),
    "organizations": "Of this list only Currency, Refund Policy and the split source move money.",
    "invoices": "Invoices are compared with the bills; they move no money.",
    "price_list": (
        "A price counts for charges that start inside its dates, on bills without sales of their"
        " own, and where no price of a higher rank is there."
    ),
    "directory": (
        "It counts for organizations with Split Source directory, for charges after the end of the"
        " billing cycle in which the directory was read."
    ),
    "budgets": "Budgets are compared with what is charged; they move no money.",
    "exchange_rates": "A rate counts for prices in another currency, for bills from its date on.",
    "shared_costs": (
        "A rule counts from the billing period whose month begins on or after its Valid From, where"
        " its source has costs and no newer rule of the same source takes over."
    ),
    "corrections": (
        "A correction is for a period that is closed; of an open one change the split history."
    ),
}
"""Why a file of a feed may move nothing."""


@dataclass(frozen=True)
class Held:
    """Who has how many licenses of a subscription, by the names of the cost centers."""

    total: Decimal
    allocated: tuple[tuple[str, Decimal], ...]
    shares: tuple[tuple[str, Decimal], ...]
    """By the ids of the cost centers; those without a share are left out."""


@dataclass(frozen=True)
class Split:
    """A split of a scenario: what it says, what holds before it, and what becomes of it.

    `until` is when another split takes over, null while none does. `outcome` is a sentence.
    """

    subscription_id: str
    product_name: str | None
    organization_name: str
    event: str
    effective_at: datetime
    until: datetime | None
    held: Held | None
    held_before: Held | None
    outcome: str


@dataclass(frozen=True)
class Finding:
    """Something to look at that the scenario would bring, as marts.findings words it."""

    severity: str
    kind: str
    organization_id: str | None
    subscription_id: str | None
    billing_period: str | None
    message: str


@dataclass(frozen=True)
class Notes:
    """What can be said of a scenario besides its amounts.

    `further_split_count` counts splits that are left out. `suspects` are values that are probably
    mistyped, `closed` is what holds for closed periods, `hints` why nothing moves: sentences.
    """

    splits: tuple[Split, ...]
    further_split_count: int
    suspects: tuple[str, ...]
    closed: tuple[str, ...]
    new_findings: tuple[Finding, ...]
    hints: tuple[str, ...]


def notes(
    connection: duckdb.DuckDBPyConnection,
    scenarios: Mapping[str, Scenario],
    is_anything_moved: bool,
) -> Notes:
    """What can be said of the scenarios, which are given by their place in landing.

    `connection` has the databases `before` and `after`.
    """
    rows = _told_splits(connection, list(scenarios))
    return Notes(
        splits=tuple(_split(connection, row) for row in rows[:SHOWN_SPLITS]),
        further_split_count=max(len(rows) - SHOWN_SPLITS, 0),
        suspects=_suspects(connection, scenarios),
        closed=_closed(connection, [effective_at for _, _, _, _, effective_at, *_ in rows]),
        new_findings=_new_findings(connection),
        hints=() if is_anything_moved else _hints(connection, scenarios),
    )


# --- splits ----------------------------------------------------------------------------


def _told_splits(connection: duckdb.DuckDBPyConnection, files: list[str]) -> list[tuple]:
    """What the scenarios say of splits, by subscription and instant, and what became of it."""
    return connection.execute(
        """
        with told as (
            select
                subscription_id, event_key, effective_at, recorded_at, event_sequence,
                min(event) as event, max(organization) as organization
            from after.staging.stg_split_history__events
            where list_contains($files, file) and rejected_reason is null
            group by subscription_id, event_key, effective_at, recorded_at, event_sequence
        ),
        snapshots as (
            select
                snapshots.*, events.event_key, events.event_sequence,
                lead(snapshots.event) over (
                    partition by snapshots.subscription_id order by snapshots.event_number
                ) as next_event
            from after.intermediate.int_split_snapshots as snapshots
            inner join after.intermediate.int_split_events as events
                on snapshots.snapshot_id = events.event_id
        ),
        bills as (
            select
                subscription_id,
                max_by(product_name, (billing_date, line_id)) as product_name,
                max_by(organization_id, (billing_date, line_id)) as organization_id,
                max_by(organization_name, (billing_date, line_id)) as organization_name
            from after.intermediate.int_billing_lines
            group by subscription_id
        ),
        open_lines as (
            select
                lines.subscription_id, lines.line_id, cutoffs.cutoff_at, applied.snapshot_id
            from after.intermediate.int_billing_lines as lines
            inner join after.intermediate.int_line_cutoffs as cutoffs using (line_id)
            inner join after.intermediate.int_line_snapshots as applied using (line_id)
            where lines.billing_period not in (
                select billing_period from after.raw.ledger_postings
            )
        ),
        matched as (
            select
                told.*, snapshots.snapshot_id, snapshots.valid_from, snapshots.valid_to,
                snapshots.next_event, bills.product_name, bills.organization_name,
                bills.subscription_id is not null as is_billed,
                coalesce(bills.organization_id, snapshots.organization_id, told.organization)
                    as organization_id
            from told
            left join snapshots
                on told.subscription_id = snapshots.subscription_id
                and told.event_key = snapshots.event_key
                and told.effective_at = snapshots.effective_at
                and told.recorded_at = snapshots.recorded_at
                and told.event_sequence is not distinct from snapshots.event_sequence
            left join bills on told.subscription_id = bills.subscription_id
        )
        select
            matched.subscription_id, matched.product_name,
            coalesce(
                matched.organization_name, organizations.organization_name,
                matched.organization_id, 'unassigned'
            ),
            matched.event, matched.effective_at, matched.snapshot_id,
            matched.valid_from = matched.valid_to,
            case when matched.next_event is not null then matched.valid_to end,
            matched.next_event, matched.is_billed,
            coalesce(organizations.split_source = 'directory', false),
            (
                select count(*) from open_lines
                where open_lines.snapshot_id = matched.snapshot_id
            ),
            (
                select count(*) from open_lines
                where open_lines.subscription_id = matched.subscription_id
                    and open_lines.cutoff_at > matched.effective_at
            ),
            (
                select max(cutoff_at) from open_lines
                where open_lines.subscription_id = matched.subscription_id
            )
        from matched
        left join after.intermediate.int_organizations as organizations
            on matched.organization_id = organizations.organization_id
        order by
            matched.subscription_id, matched.effective_at, matched.recorded_at,
            matched.event_sequence, matched.event, matched.snapshot_id
        """,
        {"files": files},
    ).fetchall()


def _split(connection: duckdb.DuckDBPyConnection, row: tuple) -> Split:
    (
        subscription_id,
        product_name,
        organization_name,
        event,
        effective_at,
        snapshot_id,
        is_superseded,
        until,
        next_event,
        is_billed,
        is_by_directory,
        used_count,
        reachable_count,
        last_cutoff,
    ) = row
    held = _held(connection, "after", "snapshot_id = $key", {"key": snapshot_id})
    held_before = _held(
        connection,
        "before",
        """
        subscription_id = $key and not is_superseded and valid_from <= $instant
        and (valid_to is null or valid_to > $instant)
        """,
        {"key": subscription_id, "instant": effective_at},
    )
    if is_by_directory:
        outcome = f"does not count: {organization_name} splits by its directory"
    elif snapshot_id is None:
        outcome = "does not count: another file, written later, tells of the same event"
    elif is_superseded:
        outcome = f"does not count: another entry of the same instant does ({next_event})"
    elif not is_billed:
        outcome = "moves nothing: no bill has this subscription"
    elif held and held_before and held.shares == held_before.shares:
        outcome = "the shares are as they were, so bills that have landed do not change"
    elif used_count:
        outcome = f"counts for {wording.counted(used_count, 'line')} of open bills"
    elif last_cutoff is None:
        outcome = "counts for bills to come: no open bill has a line that it could split"
    elif not reachable_count:
        outcome = (
            "counts for bills to come: to count for one that has landed it would have to begin"
            f" before {wording.instant(last_cutoff)} UTC"
        )
    elif until:
        outcome = "counts for no line of open bills: all go by an earlier split or by a later one"
    else:
        outcome = "counts for no line of open bills: they go by the charges that they refund"
    return Split(
        subscription_id,
        product_name,
        organization_name,
        event,
        effective_at,
        until,
        held,
        held_before,
        outcome,
    )


def _held(
    connection: duckdb.DuckDBPyConnection,
    database: str,
    condition: str,
    parameters: Mapping[str, object],
) -> Held | None:
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
    return Held(
        total=rows[0][4],
        allocated=tuple((name, quantity) for name, _, quantity, _, _ in rows if quantity),
        shares=tuple(sorted((key, share) for _, key, _, share, _ in rows if share)),
    )


# --- what may be mistyped ----------------------------------------------------------------

Suspect = tuple[str, str, Sequence[str]]
"""What to say of a value, the value, and what it may be meant to be."""

KNOWN = {
    "subscription_id": (
        "no bill has a subscription",
        "select distinct subscription_id from after.intermediate.int_billing_lines",
    ),
    "organization": (
        "no list and no bill has an organization",
        """
        select organization_key from after.intermediate.int_organization_keys
        union
        select organization_id from after.intermediate.int_line_organizations
        """,
    ),
    "product": (
        "no bill has a product",
        """
        select product_name from after.intermediate.int_billing_lines union select '*'
        """,
    ),
}
"""Per column of raw tables: what an unknown value of it means, and which are known."""


def _suspects(
    connection: duckdb.DuckDBPyConnection, scenarios: Mapping[str, Scenario]
) -> tuple[str, ...]:
    """Values of scenarios that nothing else knows, with what may be meant."""
    found: list[Suspect] = []
    for file, scenario in scenarios.items():
        if scenario.format.feed in ("billing_lines", "organizations"):
            # They bring what is new.
            continue
        for column, (told, known_sql) in KNOWN.items():
            if column not in scenario.format.columns:
                continue
            known = [value for (value,) in connection.execute(known_sql).fetchall() if value]
            rows = connection.execute(
                f"""
                select trim("{column}") as value, min(row_number)
                from after.raw."{scenario.format.name}"
                where file = $file and trim("{column}") <> ''
                group by value
                order by min(row_number), value
                """,
                {"file": file},
            ).fetchall()
            lowered = {value.lower() for value in known}
            found += [
                (f"{scenario.name}: row {row_number}: {told} {value!r}", value, known)
                for value, row_number in rows
                if value.lower() not in lowered
            ]
        if scenario.format.name == "split_history":
            found += _unknown_cost_centers(connection, file, scenario)
    more = len(found) - SHOWN_SUSPECTS
    return (
        *(words + _meant(value, known) for words, value, known in found[:SHOWN_SUSPECTS]),
        *([f"... and {more:,} more"] if more > 0 else []),
    )


def _unknown_cost_centers(
    connection: duckdb.DuckDBPyConnection, file: str, scenario: Scenario
) -> list[Suspect]:
    rows = connection.execute(
        """
        with organizations as (
            select subscription_id, min(organization_id) as organization_id
            from after.intermediate.int_split_events
            group by subscription_id
        ),
        known as (
            select organization_id, cost_center_id, cost_center_name
            from after.intermediate.int_cost_centers
            union
            select organization_id, cost_center_id, cost_center_name
            from after.intermediate.int_default_cost_centers
            union
            select organization_id, cost_center_id, cost_center_name
            from before.marts.cost_center_history
            union
            select organization_id, cost_center_id, cost_center_name_then
            from before.marts.cost_center_history
        ),
        told as (
            select
                events.cost_center_id is not null as is_by_id,
                coalesce(events.cost_center_id, events.cost_center_name) as value,
                organizations.organization_id,
                min(events.row_number) as row_number
            from after.staging.stg_split_history__events as events
            inner join organizations using (subscription_id)
            where events.file = $file and events.rejected_reason is null
            group by all
        )
        select
            told.value, told.is_by_id, told.row_number, told.organization_id,
            list(known.cost_center_id) filter (known.cost_center_id is not null),
            list(known.cost_center_name) filter (known.cost_center_name is not null)
        from told
        left join known using (organization_id)
        where told.value is not null and lower(told.value) <> 'default'
        group by all
        having not coalesce(bool_or(
            known.cost_center_id = told.value
            or not told.is_by_id and lower(known.cost_center_name) = lower(told.value)
        ), false)
        order by told.row_number, told.value
        """,
        {"file": file},
    ).fetchall()
    return [
        (
            f"{scenario.name}: row {row_number}: {organization_id} has no cost center {value!r} so"
            " far, so its part goes to a new one of that name",
            value,
            (ids if is_by_id else names) or [],
        )
        for value, is_by_id, row_number, organization_id, ids, names in rows
    ]


def _meant(value: str, known: Sequence[str]) -> str:
    by_key = {each.lower(): each for each in sorted(known)}
    near = difflib.get_close_matches(value.lower(), sorted(by_key), n=1, cutoff=0.6)
    return f"; did you mean {by_key[near[0]]!r}?" if near else ""


# --- the rest ----------------------------------------------------------------------------


def _closed(
    connection: duckdb.DuckDBPyConnection, effective_instants: Sequence[datetime]
) -> tuple[str, ...]:
    row = connection.execute(
        """
        with closed as (
            select * from after.marts.billing_report
            where billing_period in (select billing_period from after.raw.ledger_postings)
        )
        select
            (select max(billing_period) from after.raw.ledger_postings),
            (select count(*) from after.raw.ledger_postings),
            (select max(billing_date) from closed)
        """
    ).fetchone()
    last_period, count, last_date = row or (None, 0, None)
    if not count:
        return ("No billing period is closed yet.",)
    told = [
        f"{wording.counted(count, 'closed period')}, the last one {wording.period(last_period)}:"
        " what was billed in them stays as it is."
    ]
    told += [
        f"Billed in {wording.period(period)} as"
        f" {wording.counted(row_count, 'correction row')} of closed periods: cost"
        f" {wording.money(cost, currency)}."
        for period, currency, row_count, cost in connection.execute(
            """
            with corrections as (
                select billing_period, currency, line_id, cost_center_id, total_cost
                from after.marts.billing_report
                where charge_class = 'Correction'
                except
                select billing_period, currency, line_id, cost_center_id, total_cost
                from before.marts.billing_report
            )
            select billing_period, currency, count(*), sum(total_cost)
            from corrections
            group by billing_period, currency
            order by billing_period, currency
            """
        ).fetchall()
    ]
    early = [each for each in effective_instants if last_date and each.date() < last_date]
    if early:
        told.append(
            f"{wording.counted(len(early), 'split')} of the scenario"
            f" {'begins' if len(early) == 1 else 'begin'} before {wording.day(last_date)}, when"
            f" {wording.period(last_period)} was billed. For closed periods the splits of the"
            " ledger count; the scenario counts for lines of open bills only."
        )
        told.append(
            "To charge a closed period otherwise, land an approved correction (feed corrections):"
            " the difference is billed in the oldest open period."
        )
    return tuple(told)


def _new_findings(connection: duckdb.DuckDBPyConnection) -> tuple[Finding, ...]:
    """What a run would tell people to look at because of the scenario, notes apart."""
    columns = "severity, kind, organization_id, subscription_id, billing_period, message"
    rows = connection.execute(
        f"""
        select {columns} from after.marts.findings where severity <> 'info'
        except
        select {columns} from before.marts.findings
        order by {columns}
        """
    ).fetchall()
    return tuple(Finding(*row) for row in rows)


def _hints(
    connection: duckdb.DuckDBPyConnection, scenarios: Mapping[str, Scenario]
) -> tuple[str, ...]:
    """Why nothing moves, where the splits' outcomes do not tell."""
    copies: dict[str, str] = dict(
        connection.execute(
            """
            select scenario.file, min(landed.file)
            from after.raw.landed_files as scenario
            inner join after.raw.landed_files as landed using (content_hash)
            where list_contains($files, scenario.file) and not list_contains($files, landed.file)
            group by scenario.file
            """,
            {"files": list(scenarios)},
        ).fetchall()
    )
    told = [
        f"{scenario.name} has the same content as landing/{copies[file]}, which counts already."
        for file, scenario in scenarios.items()
        if file in copies
    ]
    feeds = sorted(
        {scenario.format.feed for file, scenario in scenarios.items() if file not in copies}
    )
    return (*told, *(HINTS[feed] for feed in feeds if HINTS[feed]))
