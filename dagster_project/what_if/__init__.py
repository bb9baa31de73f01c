"""What if a file landed: the money it would move, by the real rules, without touching anything.

`scenario` reads the files, `computing` runs the rules on a copy with and without them, `moves` and
`notes` compare, `report` tells. Knows neither Dagster nor Streamlit: the command line and the web
app both ask `compare`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dagster_project.errors import ApportionError
from dagster_project.settings import DataFolder, Limits
from dagster_project.what_if.computing import computed
from dagster_project.what_if.moves import Account, moved_accounts, organizations
from dagster_project.what_if.notes import Notes, notes
from dagster_project.what_if.scenario import Scenario, landing_names, require_usable


class UnknownOrganization(ApportionError):
    """No bill is for the organization that was asked for."""


@dataclass(frozen=True)
class WhatIf:
    """What a scenario would move: accounts with all their cost centers, and what to say of it.

    `row_counts` are those of the scenarios, in their order. `other_organizations` are the ids of
    those that move too where one was asked for.
    """

    scenarios: tuple[Scenario, ...]
    row_counts: tuple[int, ...]
    accounts: tuple[Account, ...]
    other_organizations: tuple[str, ...]
    notes: Notes


def compare(
    data: DataFolder,
    scenarios: Sequence[Scenario],
    organization_id: str | None = None,
    limits: Limits | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> WhatIf:
    """What would be charged differently if the scenarios landed; of one organization if given.

    Nothing of the data folder is changed. Raises ScenarioRefused, NotComputed, NoLandingFolder,
    UnknownOrganization, and WarehouseBusy while a run is writing.
    """
    places = landing_names(scenarios, data.landing)
    with computed(data, places, limits or Limits.from_environment(), progress) as connection:
        row_counts = require_usable(connection, places)
        known = organizations(connection)
        if organization_id is not None and organization_id not in known:
            raise UnknownOrganization(
                f"no bill is for an organization {organization_id!r};"
                f" there are: {', '.join(known) or 'none'}"
            )
        moved = moved_accounts(connection)
        moving = {account.first.organization_id for account in moved}
        return WhatIf(
            scenarios=tuple(places.values()),
            row_counts=tuple(row_counts[name] for name in places),
            accounts=tuple(
                account
                for account in moved
                if organization_id in (None, account.first.organization_id)
            ),
            other_organizations=tuple(sorted(moving - {organization_id}))
            if organization_id
            else (),
            notes=notes(connection, places, is_anything_moved=bool(moved)),
        )
