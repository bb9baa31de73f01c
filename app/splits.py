"""A change of a split: its checks, and the file that records it.

Belongs here: the rules and the file. Does not: Streamlit, the effect on charges
(dagster_project.what_if).

The app never writes to a database. A change is a file in landing/split_history, like files from
other systems; the next run applies it.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from dagster_project import wording
from dagster_project.errors import ApportionError
from dagster_project.files import file_name, write_new
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
    "Recorded By",
    "Approved By",
    "Reason",
)

LARGEST_QUANTITY = 100_000_000
"""Staging rejects this quantity and larger ones."""


class AlreadyWritten(ApportionError):
    """A file of this name is already in landing; files are never overwritten."""


@dataclass(frozen=True)
class CostCenter:
    """A cost center of the organization, valid from `valid_from` until before `valid_to`."""

    cost_center_id: str
    name: str
    is_default: bool = False
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def is_valid(self, at: datetime) -> bool:
        """Whether the cost center is valid at a UTC instant."""
        began = self.valid_from is None or self.valid_from <= at
        return began and (self.valid_to is None or at < self.valid_to)


@dataclass(frozen=True)
class Change:
    """A new split, effective from `effective_at` (UTC).

    `allocated` has a quantity per cost center id; Default receives the remainder.
    """

    organization_id: str
    subscription_id: str
    effective_at: datetime
    total_quantity: Decimal
    allocated: tuple[tuple[str, Decimal], ...]

    @property
    def allocated_total(self) -> Decimal:
        """Licenses allocated to cost centers other than Default."""
        return sum((quantity for _, quantity in self.allocated), Decimal())

    @property
    def default_quantity(self) -> Decimal:
        """Licenses that remain for Default; never negative."""
        return max(self.total_quantity - self.allocated_total, Decimal())


@dataclass(frozen=True)
class Note:
    """Words beside a change, for people: who made and approved it, and why."""

    recorded_by: str = ""
    reason: str = ""
    approved_by: str = ""


NO_NOTE = Note()


@dataclass(frozen=True)
class Verdict:
    """The result of the checks: reasons to refuse a change, and warnings; sentences."""

    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_allowed(self) -> bool:
        """Whether there is no reason to refuse the change."""
        return not self.refusals


def check(
    change: Change,
    cost_centers: Iterable[CostCenter],
    *,
    present: Mapping[str, Decimal],
    open_from: date | None,
    superseded_at: datetime | None,
) -> Verdict:
    """Check a change.

    `present` is the split in force at that instant, by cost center id; empty before the first
    split. `open_from` is the billing date of the last closed period, null while none is closed.
    `superseded_at` is the instant of the next known split, null while there is none.
    """
    refusals, warnings = [], []
    by_id = {center.cost_center_id: center for center in cost_centers}
    if not 0 < change.total_quantity < LARGEST_QUANTITY:
        refusals.append(
            f"{wording.exact(change.total_quantity)} licenses in total; use a number from 1 to less"
            f" than {wording.number(LARGEST_QUANTITY)}."
        )
    if open_from is not None and change.effective_at.date() < open_from:
        refusals.append(
            f"The split starts before {wording.day(open_from)}, the billing date of the last closed"
            " period. Closed periods never change."
        )
    for cost_center_id, quantity in change.allocated:
        center = by_id.get(cost_center_id)
        if center is None:
            refusals.append(f"{cost_center_id} is not a cost center of this organization.")
        elif quantity < 0:
            refusals.append(f"{center.name}: the number of licenses is negative.")
        elif quantity >= LARGEST_QUANTITY or quantity != round(quantity, 4):
            refusals.append(
                f"{center.name}: {wording.exact(quantity)} licenses; use a number less than"
                f" {wording.number(LARGEST_QUANTITY)} with at most four decimals."
            )
        elif quantity and not center.is_valid(change.effective_at):
            refusals.append(_why_not_valid(center, change.effective_at))
    wanted = {name: quantity for name, quantity in change.allocated if quantity}
    unchanged = {
        name: quantity
        for name, quantity in present.items()
        if quantity and not (name in by_id and by_id[name].is_default)
    }
    if wanted == unchanged and present:
        refusals.append("This split is already in force.")
    over = change.allocated_total - change.total_quantity
    if over > 0:
        warnings.append(
            f"{wording.exact(change.allocated_total)} of {wording.exact(change.total_quantity)}"
            " licenses are allocated: shares are computed from the sum allocated."
        )
    elif over < 0:
        warnings.append(
            f"{wording.exact(change.default_quantity)} of"
            f" {wording.exact(change.total_quantity)} licenses are unallocated: Default receives"
            " them."
        )
    if superseded_at is not None:
        warnings.append(
            f"A later split of {wording.instant(superseded_at)} UTC supersedes this one."
        )
    return Verdict(tuple(refusals), tuple(warnings))


def _why_not_valid(center: CostCenter, at: datetime) -> str:
    if center.valid_to is not None and center.valid_to <= at:
        return (
            f"{center.name} was deleted on {wording.instant(center.valid_to)}; licenses cannot be"
            " allocated to it after that."
        )
    return (
        f"{center.name} exists from {wording.instant(center.valid_from)}; licenses cannot be"
        " allocated to it before that."
    )


def path_in_landing(change: Change, recorded_at: datetime) -> str:
    """The path of the file of a change below landing, dated to the second."""
    subscription = file_name(change.subscription_id)
    return f"split_history/split-{subscription}-{recorded_at:%Y%m%dT%H%M%SZ}.csv"


def content(
    change: Change,
    cost_centers: Iterable[CostCenter],
    recorded_at: datetime,
    note: Note = NO_NOTE,
) -> str:
    """A change as a file of the feed split_history: every cost center, Default with the remainder.

    Cost centers that are not valid at that instant are left out.
    """
    allocated = dict(change.allocated)
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADER)
    for center in sorted(cost_centers, key=lambda each: (each.is_default, each.cost_center_id)):
        if not center.is_default and not center.is_valid(change.effective_at):
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
                wording.plain_decimal(change.total_quantity),
                center.name,
                wording.plain_decimal(quantity),
                center.cost_center_id,
                change.organization_id,
                _utc(recorded_at),
                note.recorded_by,
                note.approved_by,
                note.reason,
            )
        )
    return file.getvalue()


def as_json(change: Change) -> dict[str, object]:
    """A change for a record."""
    return {
        "organization_id": change.organization_id,
        "subscription_id": change.subscription_id,
        "effective_at": _utc(change.effective_at),
        "total_quantity": wording.plain_decimal(change.total_quantity),
        "allocated": {name: wording.plain_decimal(number) for name, number in change.allocated},
    }


def from_json(entry: Mapping[str, object]) -> Change:
    """The change that `as_json` wrote. Raises KeyError and ValueError."""
    allocated = entry["allocated"]
    if not isinstance(allocated, dict):
        raise ValueError("allocated is no object")
    try:
        return Change(
            str(entry["organization_id"]),
            str(entry["subscription_id"]),
            datetime.strptime(str(entry["effective_at"]), "%Y-%m-%dT%H:%M:%SZ"),
            Decimal(str(entry["total_quantity"])),
            tuple((str(name), Decimal(str(number))) for name, number in allocated.items()),
        )
    except InvalidOperation as error:
        raise ValueError("a quantity is no number") from error


def _utc(instant: datetime) -> str:
    return f"{instant.replace(tzinfo=None):%Y-%m-%dT%H:%M:%SZ}"


def save(data: DataFolder, name: str, content: str | bytes) -> Path:
    """Write a file to landing atomically, without overwriting another. Returns its path.

    Raises AlreadyWritten.
    """
    path = data.landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_new(path, content.encode() if isinstance(content, str) else content)
    except FileExistsError as error:
        raise AlreadyWritten(f"{name} is already in landing: try again in a second") from error
    return path
