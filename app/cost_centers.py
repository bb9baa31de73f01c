"""Cost centers that people create, rename and close: the checks, and the file that records it.

Belongs here: the rules and the file. Does not: Streamlit, queries.

A change is a file in landing/cost_centers with the whole row of each cost center that changes: for
a cost center in several files, the newest file counts.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Literal, cast, get_args

from app.queries.query import Row
from app.splits import NO_NOTE, CostCenter, Note
from dagster_project import wording
from dagster_project.files import file_name
from dagster_project.settings import DataFolder

OWN_FILES = "cost-center-*.csv"
"""The names of the files that the app writes."""

Action = Literal["create", "rename", "close"]

LONGEST = 200
DEFAULT = "Default"


@dataclass(frozen=True)
class Listed:
    """A row of the list of cost centers of an organization."""

    cost_center_id: str
    name: str
    parent_id: str = ""
    business_unit: str = ""
    location: str = ""
    charge_code: str = ""
    gl_account: str = ""
    is_default: bool = False
    is_shared: bool = False
    successor_id: str = ""
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    is_listed: bool = True
    """False for one that only bills or splits name."""

    @property
    def for_splits(self) -> CostCenter:
        """What a split needs to know."""
        return CostCenter(
            self.cost_center_id, self.name, self.is_default, self.valid_from, self.valid_to
        )

    def is_open(self, at: datetime) -> bool:
        """Whether it is not closed at a UTC instant."""
        return self.valid_to is None or at < self.valid_to


HEADER: Mapping[str, str] = {
    "Cost Center ID": "cost_center_id",
    "Organization": "",
    "Name": "name",
    "Parent ID": "parent_id",
    "Business Unit": "business_unit",
    "Location": "location",
    "Charge Code": "charge_code",
    "GL Account": "gl_account",
    "Is Default": "is_default",
    "Is Shared": "is_shared",
    "Successor ID": "successor_id",
    "Valid From": "valid_from",
    "Valid To": "valid_to",
}
"""Columns of the file, with the field of `Listed` that they show."""


# --- the list ----------------------------------------------------------------------------------


def from_rows(rows: Iterable[Row]) -> list[Listed]:
    """The published list. Default is added if nothing lists or charges it."""
    listed = [
        Listed(
            str(row["cost_center_id"]),
            str(row["cost_center_name"] or row["cost_center_id"]),
            str(row["parent_cost_center_id"] or ""),
            str(row["business_unit"] or ""),
            str(row["location"] or ""),
            str(row["charge_code"] or ""),
            str(row["gl_account"] or ""),
            bool(row["is_default"]),
            bool(row["is_shared"]),
            str(row["successor_cost_center_id"] or ""),
            cast("datetime | None", row["valid_from"]),
            cast("datetime | None", row["valid_to"]),
            bool(row["is_listed"]),
        )
        for row in rows
    ]
    if not any(each.is_default for each in listed):
        listed.append(Listed(DEFAULT, DEFAULT, is_default=True, is_listed=False))
    return listed


def with_own_files(
    data: DataFolder, organization_id: str, published: Sequence[Listed]
) -> tuple[list[Listed], frozenset[str]]:
    """The list with the changes that were saved here and are not published yet, and their ids.

    A file by hand that is newer than one of the app counts instead, so that the app's is left out.
    """
    files = [path for path in (data.landing / "cost_centers").rglob("*") if path.is_file()]
    own = [path for path in files if path.match(OWN_FILES)]
    newest_by_hand = max((path.stat().st_mtime_ns for path in files if path not in own), default=0)
    by_id = {each.cost_center_id: each for each in published}
    saved: set[str] = set()
    for path in sorted(own, key=lambda each: (each.stat().st_mtime_ns, each.name)):
        if path.stat().st_mtime_ns < newest_by_hand:
            continue
        for owner, row in _read(path):
            if owner != organization_id:
                continue
            if by_id.get(row.cost_center_id) != row:
                saved.add(row.cost_center_id)
            by_id[row.cost_center_id] = row
    return sorted(
        by_id.values(), key=lambda each: (each.is_default, each.name.lower(), each.cost_center_id)
    ), frozenset(saved)


def _read(path: Path) -> list[tuple[str, Listed]]:
    """The rows of a file of the app with their organization; none if somebody edited it."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [(row["Organization"], _listed(row)) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, KeyError, ValueError, csv.Error):
        return []


def _listed(row: Mapping[str, str]) -> Listed:
    return Listed(
        row["Cost Center ID"],
        row["Name"],
        row["Parent ID"],
        row["Business Unit"],
        row["Location"],
        row["Charge Code"],
        row["GL Account"],
        row["Is Default"] == "true",
        row["Is Shared"] == "true",
        row["Successor ID"],
        _midnight(row["Valid From"]),
        _midnight(row["Valid To"]),
    )


def _midnight(text: str) -> datetime | None:
    return datetime.combine(date.fromisoformat(text), time()) if text else None


# --- changes -----------------------------------------------------------------------------------


def create(listed: Sequence[Listed], new: Listed) -> list[str]:
    """The reasons to refuse a new cost center; sentences."""
    refusals = _name_refusals(listed, new)
    if not re.fullmatch(r"[\w.-]{1,64}", new.cost_center_id):
        refusals.append(
            "The id has 1 to 64 letters, digits, dots, hyphens or underscores, and no spaces."
        )
    if any(_key(each.cost_center_id) == _key(new.cost_center_id) for each in listed):
        refusals.append(f"The id {new.cost_center_id} is taken.")
    if new.parent_id and new.parent_id not in {each.cost_center_id for each in listed}:
        refusals.append(f"The parent {new.parent_id} is not a cost center of this organization.")
    return refusals


def rename(listed: Sequence[Listed], cost_center_id: str, name: str) -> list[str]:
    """The reasons to refuse a new name; sentences."""
    by_id = {each.cost_center_id: each for each in listed}
    center = by_id.get(cost_center_id)
    if center is None:
        return [f"{cost_center_id} is not a cost center of this organization."]
    if center.name == name:
        return ["This is the name already."]
    return _name_refusals(listed, replace(center, name=name))


def close(
    listed: Sequence[Listed],
    cost_center_id: str,
    closed_from: date,
    successor_id: str,
    *,
    seats: Decimal,
    open_from: date | None,
) -> list[str]:
    """The reasons to refuse that a cost center is closed from a day on; sentences.

    `seats` are the licenses that splits allocate to it on that day or later. `open_from` is the
    billing date of the last closed period.
    """
    by_id = {each.cost_center_id: each for each in listed}
    center = by_id.get(cost_center_id)
    if center is None:
        return [f"{cost_center_id} is not a cost center of this organization."]
    refusals = []
    at = datetime.combine(closed_from, time())
    if center.is_default:
        refusals.append(f"{center.name} receives what is unallocated and cannot be closed.")
    if center.valid_to is not None:
        refusals.append(f"{center.name} is closed from {wording.day(center.valid_to)} on.")
    if center.valid_from is not None and at <= center.valid_from:
        refusals.append(
            f"{center.name} exists from {wording.day(center.valid_from)}; it can be closed after"
            " that day only."
        )
    if open_from is not None and closed_from < open_from:
        refusals.append(
            f"The day is before {wording.day(open_from)}, the billing date of the last closed"
            " period. Closed periods never change."
        )
    if seats and not successor_id:
        refusals.append(
            f"{center.name} has {wording.exact(seats)} licenses on that day: name the successor"
            " that receives them."
        )
    if successor_id:
        refusals += _successor_refusals(by_id, center, successor_id, at)
    return refusals


def _successor_refusals(
    by_id: Mapping[str, Listed], center: Listed, successor_id: str, at: datetime
) -> list[str]:
    successor = by_id.get(successor_id)
    if successor is None:
        return [f"The successor {successor_id} is not a cost center of this organization."]
    if successor_id == center.cost_center_id:
        return ["A cost center cannot succeed itself."]
    if not successor.for_splits.is_valid(at):
        return [f"The successor {successor.name} is not valid on that day."]
    return []


@dataclass(frozen=True)
class CenterChange:
    """A change of one cost center: what is done, and the fields that it sets.

    Without the other fields, so that a change that waits does not undo another one.
    """

    organization_id: str
    action: Action
    center: Listed
    """For `create` the whole row; else the cost center with its new name or its end."""

    def applied(self, listed: Sequence[Listed]) -> Listed:
        """The row to write, of the list as it is now."""
        by_id = {each.cost_center_id: each for each in listed}
        present = by_id.get(self.center.cost_center_id)
        if present is None or self.action == "create":
            return self.center
        if self.action == "rename":
            return replace(present, name=self.center.name, is_listed=True)
        until, successor_id = self.center.valid_to, self.center.successor_id
        return replace(present, valid_to=until, successor_id=successor_id, is_listed=True)

    def refusals(
        self, listed: Sequence[Listed], split_rows: Iterable[Row], open_from: date | None
    ) -> list[str]:
        """The reasons to refuse the change, of the list as it is now; sentences.

        `split_rows` are splits of the organization with their validity, `open_from` is the billing
        date of the last closed period.
        """
        key, until = self.center.cost_center_id, self.center.valid_to
        if self.action == "create":
            return create(listed, self.center)
        if self.action == "rename" or until is None:
            return rename(listed, key, self.center.name)
        return close(
            listed,
            key,
            until.date(),
            self.center.successor_id,
            seats=seats_from(split_rows, key, until),
            open_from=open_from,
        )


def as_json(change: CenterChange) -> dict[str, object]:
    """A change for a record."""
    row = {
        column: _text(getattr(change.center, field)) for column, field in HEADER.items() if field
    }
    return {"organization_id": change.organization_id, "action": change.action, "row": row}


def from_json(entry: Mapping[str, object]) -> CenterChange:
    """The change that `as_json` wrote. Raises KeyError and ValueError."""
    row = entry["row"]
    if not isinstance(row, dict) or entry["action"] not in get_args(Action):
        raise ValueError("the change of a cost center is not one")
    action = cast("Action", entry["action"])
    texts = {str(name): str(text) for name, text in row.items()}
    return CenterChange(str(entry["organization_id"]), action, _listed(texts))


def _name_refusals(listed: Sequence[Listed], new: Listed) -> list[str]:
    if not new.name:
        return ["The name is empty."]
    others = [each for each in listed if each.cost_center_id != new.cost_center_id]
    taken = next((each for each in others if _key(each.name) == _key(new.name)), None)
    if taken is not None:
        closed = f", closed from {wording.day(taken.valid_to)} on" if taken.valid_to else ""
        return [f"The name {new.name} is taken by {taken.cost_center_id}{closed}."]
    if _key(new.name) == _key(DEFAULT) and not new.is_default:
        return ["The name Default is that of the cost center for what is unallocated."]
    return []


def _key(text: str) -> str:
    return " ".join(text.split()).lower()


def seats_from(rows: Iterable[Row], cost_center_id: str, at: datetime) -> Decimal:
    """The licenses of a cost center at an instant, or the most that a later split allocates.

    `rows` are splits of the organization with their validity.
    """
    at_once: dict[object, Decimal] = {}
    for row in rows:
        quantity, until = row["allocated_quantity"], row["valid_to"]
        is_over = isinstance(until, datetime) and until <= at
        if row["cost_center_id"] != cost_center_id or is_over or not isinstance(quantity, Decimal):
            continue
        known = at_once.get(row["subscription_id"], Decimal())
        at_once[row["subscription_id"]] = max(known, quantity)
    return sum(at_once.values(), Decimal())


# --- the file ----------------------------------------------------------------------------------


def path_in_landing(organization_id: str, cost_center_id: str, recorded_at: datetime) -> str:
    """The path of the file of a change below landing, dated to the second."""
    name = file_name(f"{organization_id}-{cost_center_id}")
    return f"cost_centers/cost-center-{name}-{recorded_at:%Y%m%dT%H%M%SZ}.csv"


def content(
    organization_id: str,
    changed: Listed,
    listed: Sequence[Listed],
    recorded_at: datetime,
    note: Note = NO_NOTE,
) -> str:
    """A change as a file of the feed cost_centers.

    With its instant no two files are equal: a file with the content of an older one adds nothing.
    An organization without a list gets one, with every cost center that bills and splits name: as
    soon as there is a list, a name that is not in it is a finding.
    """
    rows = [changed]
    if not any(each.is_listed for each in listed):
        rows += [each for each in listed if each.cost_center_id != changed.cost_center_id]
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow((*HEADER, "Recorded At", "Recorded By", "Approved By", "Reason"))
    at = f"{recorded_at:%Y-%m-%dT%H:%M:%SZ}"
    recorded = (at, note.recorded_by, note.approved_by, note.reason)
    for row in rows:
        values = (
            _text(getattr(row, field)) if field else organization_id for field in HEADER.values()
        )
        writer.writerow((*values, *recorded))
    return file.getvalue()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.date().isoformat()
    return str(value or "")
