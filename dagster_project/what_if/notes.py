"""Notes on a scenario besides its amounts: splits, unknown values, closed periods, findings, hints.

Belongs here: the notes together, new findings, and the reasons why a scenario has no effect. Does
not: amounts (effects).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from dagster_project.what_if.closed_periods import closed_period_notes
from dagster_project.what_if.scenario import Scenario
from dagster_project.what_if.splits import Split, reported_split, split_events
from dagster_project.what_if.unknown_values import unknown_values

SHOWN_SPLITS = 20

HINTS = {
    "billing_lines": "The bill may be loaded already, or a newer file has the same invoice.",
    "split_history": "",
    "cost_centers": (
        "Names, codes and accounts do not change amounts. A Valid To does if open bills charge"
        " licenses of the cost center after that date."
    ),
    "organizations": (
        "Only Currency, Refund Policy, Split Source and Split Attribute of this list change"
        " amounts."
    ),
    "invoices": "Invoices are compared with bills; they do not change amounts.",
    "price_list": (
        "A price applies to charges that start within its dates, on bills without sales, unless a"
        " price of higher rank exists."
    ),
    "directory": (
        "The directory applies to organizations with Split Source directory, to charges after the"
        " end of the billing cycle of its snapshot date."
    ),
    "budgets": "Budgets are compared with charges; they do not change amounts.",
    "manual_forecasts": "Manual forecasts are compared with charges; they do not change amounts.",
    "exchange_rates": (
        "A rate applies to prices in another currency, on bills dated on or after its date."
    ),
    "shared_costs": (
        "A rule applies from the billing period that starts on or after its Valid From, if its"
        " source has costs and no newer rule of the same source exists."
    ),
    "license_skus": (
        "The names of licenses apply to directories that list them by id or part number."
    ),
    "corrections": (
        "A correction applies to a closed period; to change an open period, change the split"
        " history."
    ),
}
"""Why a file of a feed may have no effect."""


@dataclass(frozen=True)
class Finding:
    """A finding that the scenario adds, in the words of marts.findings."""

    severity: str
    kind: str
    organization_id: str | None
    subscription_id: str | None
    billing_period: str | None
    message: str


@dataclass(frozen=True)
class Notes:
    """Notes on a scenario.

    `further_split_count` is the number of splits that `splits` leaves out. `unknown_values`,
    `closed_periods` and `hints` (why there is no effect) are sentences.
    """

    splits: tuple[Split, ...]
    further_split_count: int
    unknown_values: tuple[str, ...]
    closed_periods: tuple[str, ...]
    new_findings: tuple[Finding, ...]
    hints: tuple[str, ...]


def notes(
    connection: duckdb.DuckDBPyConnection,
    scenarios: Mapping[str, Scenario],
    has_effect: bool,
) -> Notes:
    """The notes on the scenarios, which are given by their place in landing.

    `connection` has the databases `before` and `after`.
    """
    events = split_events(connection, list(scenarios))
    return Notes(
        splits=tuple(reported_split(connection, event) for event in events[:SHOWN_SPLITS]),
        further_split_count=max(len(events) - SHOWN_SPLITS, 0),
        unknown_values=unknown_values(connection, scenarios),
        closed_periods=closed_period_notes(connection, [each.effective_at for each in events]),
        new_findings=_new_findings(connection),
        hints=() if has_effect else _hints(connection, scenarios),
    )


def _new_findings(connection: duckdb.DuckDBPyConnection) -> tuple[Finding, ...]:
    """Errors and warnings of `after` that `before` does not have."""
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
    """Why the scenarios have no effect, as far as the outcomes of splits do not say."""
    copies = _loaded_copies(connection, list(scenarios))
    hints = [
        f"{scenario.name} has the same content as landing/{copies[file]}, which is already loaded."
        for file, scenario in scenarios.items()
        if file in copies
    ]
    feeds = sorted(
        {scenario.format.feed for file, scenario in scenarios.items() if file not in copies}
    )
    return (*hints, *(HINTS[feed] for feed in feeds if HINTS[feed]))


def _loaded_copies(connection: duckdb.DuckDBPyConnection, files: list[str]) -> dict[str, str]:
    """Files of the scenario whose content a landed file has, each with that file."""
    return dict(
        connection.execute(
            """
            select scenario.file, min(landed.file)
            from after.raw.landed_files as scenario
            inner join after.raw.landed_files as landed using (content_hash)
            where list_contains($files, scenario.file) and not list_contains($files, landed.file)
            group by scenario.file
            """,
            {"files": files},
        ).fetchall()
    )
