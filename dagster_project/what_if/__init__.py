"""What-if: the effect of files on charges, computed by the pipeline on a copy of the data.

`scenario` reads the files, `computing` runs the pipeline on a copy with and without them, `effects`
and `notes` compare the results, `report` writes them as text and CSV. Imports neither Dagster nor
Streamlit: the command line and the web app both call `compare`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dagster_project import run_state
from dagster_project.errors import UsageError
from dagster_project.exports.scope import open_published
from dagster_project.settings import DataFolder, Limits
from dagster_project.what_if.computing import computed
from dagster_project.what_if.effects import Account, changed_accounts, organizations
from dagster_project.what_if.notes import Notes, notes
from dagster_project.what_if.scenario import Scenario, landing_names, require_usable

FEEDS_WITH_ORGANIZATIONS = ("billing_lines", "organizations", "cost_centers")
"""Feeds of scenarios that can bring or rename an organization."""


class UnknownOrganization(UsageError):
    """No bill has the requested organization."""


@dataclass(frozen=True)
class WhatIf:
    """The effect of scenarios: the accounts that change, and notes.

    `row_counts` are those of the scenarios, in their order. `other_organizations` are the ids of
    other organizations with changes, if one organization was requested.
    """

    scenarios: tuple[Scenario, ...]
    row_counts: tuple[int, ...]
    accounts: tuple[Account, ...]
    other_organizations: tuple[str, ...]
    notes: Notes
    state_id: str
    """The state of landing, ledger and rules that the effect is compared with."""


def compare(
    data: DataFolder,
    scenarios: Sequence[Scenario],
    organization_id: str | None = None,
    limits: Limits | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> WhatIf:
    """The effect of the scenarios on charges, of all organizations or of one.

    The data folder is not changed. Raises ScenarioRefused, NotComputed, NoLandingFolder,
    UnknownOrganization, and WarehouseBusy while a run is writing.
    """
    places = landing_names(scenarios, data.landing)
    if organization_id is not None and not any(
        each.format.feed in FEEDS_WITH_ORGANIZATIONS for each in scenarios
    ):
        _require_published(data, organization_id)
    with computed(data, places, limits or Limits.from_environment(), progress) as (
        connection,
        state_id,
    ):
        row_counts = require_usable(connection, places)
        if organization_id is not None:
            _require_known(organization_id, organizations(connection))
        changed = changed_accounts(connection)
        changing = {account.first.organization_id for account in changed}
        return WhatIf(
            scenarios=tuple(places.values()),
            row_counts=tuple(row_counts[name] for name in places),
            accounts=tuple(
                account
                for account in changed
                if organization_id in (None, account.first.organization_id)
            ),
            other_organizations=tuple(sorted(changing - {organization_id}))
            if organization_id
            else (),
            notes=notes(connection, places, has_effect=bool(changed)),
            state_id=state_id,
        )


def _require_published(data: DataFolder, organization_id: str) -> None:
    """Check the organization by the published results, which takes no computation."""
    if data.published_database.exists() and run_state.is_published(data, run_state.current(data)):
        with open_published(data) as connection:
            known = connection.execute(
                "select distinct organization_id from chargeback order by 1"
            ).fetchall()
        _require_known(organization_id, [name for (name,) in known])


def _require_known(organization_id: str, known: Sequence[str]) -> None:
    if organization_id not in known:
        raise UnknownOrganization(
            f"no bill has the organization {organization_id!r};"
            f" known organizations: {', '.join(known) or 'none'}"
        )
