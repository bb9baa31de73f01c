"""Changing who has how many licenses: what is allowed, and the file that says it.

Belongs here: pure rules and the one file that is written. Does not: Streamlit, and computing what
a change would move (dagster_project.what_if).

The app never writes to a database: a change is a file in landing/split_history like those that
other systems drop there, and the next run applies it.
"""

import csv
import io
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from dagster_project import wording
from dagster_project.errors import ApportionError
from dagster_project.exports.scope import file_name, plain_decimal
from dagster_project.settings import DataFolder

EVENT = "Cost center split adjusted"
HEADER = (
    "Subscription ID",
    "Event",
    "Datetime",
    "Total Quantity",
    "Cost Center",
    "Allocated Quantity",
    "Cost Center ID",
    "Organization",
    "Recorded At",
)

LARGEST_QUANTITY = 100_000_000
"""From here on the pipeline refuses quantities."""


class AlreadyWritten(ApportionError):
    """A file of this name is in landing already; none is ever written over."""


@dataclass(frozen=True)
class CostCenter:
    """A cost center of the organization; it is there from `valid_from` until before `valid_to`."""

    cost_center_id: str
    name: str
    is_default: bool = False
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def is_there(self, at: datetime) -> bool:
        """Whether the cost center exists at a UTC instant."""
        began = self.valid_from is None or self.valid_from <= at
        return began and (self.valid_to is None or at < self.valid_to)


@dataclass(frozen=True)
class Change:
    """What a split is to be from `effective_at` (UTC) on.

    `allocated` has a quantity per cost center id, without Default, which takes the rest.
    """

    organization_id: str
    subscription_id: str
    effective_at: datetime
    total_quantity: Decimal
    allocated: tuple[tuple[str, Decimal], ...]

    @property
    def allocated_total(self) -> Decimal:
        """Licenses given to cost centers by name."""
        return sum((quantity for _, quantity in self.allocated), Decimal())

    @property
    def default_quantity(self) -> Decimal:
        """Licenses that are left for Default; never negative."""
        return max(self.total_quantity - self.allocated_total, Decimal())


@dataclass(frozen=True)
class Verdict:
    """What speaks against a change, and what one should know of it; sentences."""

    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_allowed(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.refusals


def check(
    change: Change,
    cost_centers: Iterable[CostCenter],
    *,
    held: Mapping[str, Decimal],
    open_from: date | None,
    overtaken_at: datetime | None,
) -> Verdict:
    """Judge a change.

    `held` is the split in force at that instant, by cost center id; `open_from` the billing date of
    the last closed period, if any is closed; `overtaken_at` the instant of the next split that is
    known after this one.
    """
    refusals, warnings = [], []
    by_id = {center.cost_center_id: center for center in cost_centers}
    if open_from is not None and change.effective_at.date() < open_from:
        refusals.append(
            f"The split would begin before {wording.day(open_from)}, when the last closed period"
            " was billed. Closed periods never change."
        )
    for cost_center_id, quantity in change.allocated:
        center = by_id.get(cost_center_id)
        if center is None:
            refusals.append(f"{cost_center_id} is no cost center of this organization.")
        elif quantity < 0:
            refusals.append(f"{center.name} cannot have less than no licenses.")
        elif quantity >= LARGEST_QUANTITY or quantity != round(quantity, 4):
            refusals.append(f"{plain_decimal(quantity)} is no number of licenses we can use.")
        elif quantity and not center.is_there(change.effective_at):
            refusals.append(_why_not_there(center, change.effective_at))
    wanted = {name: quantity for name, quantity in change.allocated if quantity}
    had = {
        name: quantity
        for name, quantity in held.items()
        if quantity and not (name in by_id and by_id[name].is_default)
    }
    if wanted == had:
        refusals.append("Nothing changes: the split is like this already.")
    over = change.allocated_total - change.total_quantity
    if over > 0:
        warnings.append(
            f"{wording.exact(change.allocated_total)} licenses are given away of"
            f" {wording.exact(change.total_quantity)}: shares will be taken of what is given away."
        )
    elif over < 0:
        warnings.append(
            f"{wording.exact(change.default_quantity)} of"
            f" {wording.exact(change.total_quantity)} licenses are given to nobody: Default takes"
            " them."
        )
    if overtaken_at is not None:
        warnings.append(
            f"A newer split of {wording.instant(overtaken_at)} UTC takes over from then on."
        )
    return Verdict(tuple(refusals), tuple(warnings))


def _why_not_there(center: CostCenter, at: datetime) -> str:
    if center.valid_to is not None and center.valid_to <= at:
        return (
            f"{center.name} was deleted on {wording.instant(center.valid_to)} and can have no"
            " licenses then."
        )
    return (
        f"{center.name} exists from {wording.instant(center.valid_from)} on and can have no"
        " licenses before."
    )


def path_in_landing(change: Change, recorded_at: datetime) -> str:
    """Where the file of a change goes, below landing: dated to the second."""
    subscription = file_name(change.subscription_id)
    return f"split_history/split-{subscription}-{recorded_at:%Y%m%dT%H%M%SZ}.csv"


def content(change: Change, cost_centers: Iterable[CostCenter], recorded_at: datetime) -> str:
    """A change as a file of the feed split_history: every cost center, Default with the rest.

    Cost centers that are not there at that instant are left out.
    """
    allocated = dict(change.allocated)
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADER)
    for center in sorted(cost_centers, key=lambda each: (each.is_default, each.cost_center_id)):
        if not center.is_default and not center.is_there(change.effective_at):
            continue
        quantity = (
            change.default_quantity
            if center.is_default
            else allocated.get(center.cost_center_id, Decimal())
        )
        writer.writerow(
            (
                change.subscription_id,
                EVENT,
                _utc(change.effective_at),
                plain_decimal(change.total_quantity),
                center.name,
                plain_decimal(quantity),
                center.cost_center_id,
                change.organization_id,
                _utc(recorded_at),
            )
        )
    return file.getvalue()


def _utc(instant: datetime) -> str:
    return f"{instant.replace(tzinfo=None):%Y-%m-%dT%H:%M:%SZ}"


def save(data: DataFolder, name: str, text: str) -> Path:
    """Put a file into landing, whole or not at all, and never over another. Returns its path.

    Raises AlreadyWritten.
    """
    path = data.landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    # Runs do not read hidden files; linking fails where a rename would replace.
    building = path.with_name(f".{path.name}.{os.getpid()}.building")
    try:
        with building.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(building, path)
        except FileExistsError as error:
            raise AlreadyWritten(f"{name} is in landing already: try again in a second") from error
    finally:
        building.unlink(missing_ok=True)
    return path
