"""Changes that people make in the app: files in landing, and the record of who made them.

Belongs here: `changes.jsonl`, and changes of splits and cost centers that wait for a second
person. Does not: the checks of a change (splits, cost_centers), Streamlit.
"""

import contextlib
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app import cost_centers, splits
from app.cost_centers import CenterChange, Listed
from app.splits import AlreadyWritten, Change, CostCenter, Note
from dagster_project import records
from dagster_project.errors import ApportionError
from dagster_project.files import file_name
from dagster_project.records import Person, RecordDamaged
from dagster_project.settings import DataFolder

Action = Literal["saved", "proposed", "approved", "declined", "withdrawn"]

CENTER = "cost_center"
"""The key of a change of a cost center in the record; that of a split is `change`."""

NOTHING: Mapping[str, object] = {}

WORDS = {
    "saved": "Saved",
    "proposed": "Proposed",
    "approved": "Approved and saved",
    "declined": "Declined",
    "withdrawn": "Withdrawn",
}
"""Actions in words."""


class NotPending(ApportionError):
    """A change does not wait for this decision: somebody decided, or may not."""


@dataclass(frozen=True)
class Made:
    """A line of the record: what a person did."""

    at: datetime
    by: str
    action: Action
    organization_id: str
    subject: str
    """The change in words."""
    reason: str
    file: str
    """The file in landing; empty if none was written."""


@dataclass(frozen=True)
class Waiting:
    """A change that waits for a second person."""

    id: str
    organization_id: str
    subject: str
    reason: str
    author: str
    author_id: str
    proposed_at: datetime

    def is_by(self, person: Person) -> bool:
        """Whether the person proposed it, and therefore cannot approve it."""
        return person.is_same_as(self.author, self.author_id)


@dataclass(frozen=True)
class Proposal(Waiting):
    """A change of a split that waits."""

    change: Change


@dataclass(frozen=True)
class CenterProposal(Waiting):
    """A change of a cost center that waits."""

    change: CenterChange


def made(data: DataFolder, organization_id: str, most: int = 20) -> list[Made]:
    """The latest changes of an organization, newest first. Raises RecordDamaged."""
    found = [
        _made(entry)
        for entry in records.read(data.changes)
        if entry.get("organization_id") == organization_id
    ]
    return found[::-1][:most]


def _made(entry: dict[str, object]) -> Made:
    try:
        return Made(
            records.instant_of(entry["at"]),
            str(entry["by"]),
            entry["action"],  # type: ignore[arg-type]
            str(entry["organization_id"]),
            str(entry["subject"]),
            str(entry["reason"]),
            str(entry["file"]),
        )
    except (KeyError, ValueError) as error:
        raise RecordDamaged("changes.jsonl has a line that the app did not write") from error


def _add(
    data: DataFolder,
    person: Person,
    action: Action,
    organization_id: str,
    *,
    subject: str,
    reason: str,
    file: str = "",
    proposal: str = "",
    kept: Mapping[str, object] = NOTHING,
) -> None:
    records.append(
        data.changes,
        {
            "at": records.stamp(records.now()),
            "by": person.name,
            "by_id": person.id,
            "action": action,
            "organization_id": organization_id,
            "subject": subject,
            "reason": reason,
            "file": file,
            **({"proposal": proposal} if proposal else {}),
            **kept,
        },
    )


def save(
    data: DataFolder,
    person: Person,
    organization_id: str,
    name: str,
    content: str | bytes,
    *,
    subject: str,
    reason: str,
) -> None:
    """Write a file of a change to landing and record it. Raises AlreadyWritten."""
    with records.held(data, data.changes):
        splits.save(data, name, content)
        _add(data, person, "saved", organization_id, subject=subject, reason=reason, file=name)


def save_split(
    data: DataFolder,
    person: Person,
    change: Change,
    centers: Sequence[CostCenter],
    *,
    subject: str,
    reason: str,
) -> str:
    """Write the file of a split and record it; returns its name. Raises AlreadyWritten."""
    at = records.now()
    name = splits.path_in_landing(change, at)
    text = splits.content(change, centers, at, Note(person.name, reason))
    save(data, person, change.organization_id, name, text, subject=subject, reason=reason)
    return name


# --- by two people -----------------------------------------------------------------------------


def propose(
    data: DataFolder, person: Person, change: Change, *, subject: str, reason: str
) -> Proposal:
    """Keep a change until somebody else decides. Nothing is written to landing."""
    organization_id, kept = change.organization_id, {"change": splits.as_json(change)}
    return Proposal(*_propose(data, person, organization_id, subject, reason, kept), change)


def propose_center(
    data: DataFolder, person: Person, change: CenterChange, *, subject: str, reason: str
) -> CenterProposal:
    """Keep a change of a cost center until somebody else decides."""
    organization_id, kept = change.organization_id, {CENTER: cost_centers.as_json(change)}
    return CenterProposal(*_propose(data, person, organization_id, subject, reason, kept), change)


def _propose(
    data: DataFolder,
    person: Person,
    organization_id: str,
    subject: str,
    reason: str,
    kept: Mapping[str, object],
) -> tuple[str, str, str, str, str, str, datetime]:
    with records.held(data, data.changes):
        at = records.now()
        key = f"{at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        _add(
            data, person, "proposed", organization_id, subject=subject, reason=reason,
            proposal=key, kept=kept,
        )  # fmt: skip
    return key, organization_id, subject, reason, person.name, person.id, at


def pending(data: DataFolder, organization_id: str) -> list[Proposal]:
    """The splits of an organization that wait, oldest first. Raises RecordDamaged."""
    return [each for each in _pending(data, organization_id) if isinstance(each, Proposal)]


def pending_centers(data: DataFolder, organization_id: str) -> list[CenterProposal]:
    """The cost centers of an organization that wait, oldest first. Raises RecordDamaged."""
    return [each for each in _pending(data, organization_id) if isinstance(each, CenterProposal)]


def _pending(data: DataFolder, organization_id: str) -> list[Proposal | CenterProposal]:
    waiting: dict[str, Proposal | CenterProposal] = {}
    for entry in records.read(data.changes):
        key = str(entry.get("proposal") or "")
        if not key or entry.get("organization_id") != organization_id:
            continue
        if entry.get("action") != "proposed":
            waiting.pop(key, None)
            continue
        try:
            waiting[key] = _proposal(key, organization_id, entry)
        except (KeyError, ValueError) as error:
            raise RecordDamaged("changes.jsonl has a line that the app did not write") from error
    return list(waiting.values())


def _proposal(
    key: str, organization_id: str, entry: dict[str, object]
) -> Proposal | CenterProposal:
    kept = entry[CENTER] if CENTER in entry else entry["change"]
    if not isinstance(kept, dict):
        raise ValueError("change is no object")
    facts = (
        key,
        organization_id,
        str(entry["subject"]),
        str(entry["reason"]),
        str(entry["by"]),
        str(entry["by_id"]),
        records.instant_of(entry["at"]),
    )
    if CENTER in entry:
        return CenterProposal(*facts, cost_centers.from_json(kept))
    return Proposal(*facts, splits.from_json(kept))


def approve(
    data: DataFolder, person: Person, proposal: Proposal, centers: Sequence[CostCenter]
) -> str:
    """Write the file of a proposal; returns its name.

    Raises NotPending, also for its author.
    """
    change = proposal.change
    # The name is that of the proposal: approved twice, it is written once.
    name = f"split_history/split-{file_name(change.subscription_id)}-{proposal.id}.csv"
    note = Note(proposal.author, proposal.reason, person.name)
    text = splits.content(change, centers, records.now(), note)
    # If the app ended between the file and the line of the record, the file is there.
    return _approve(data, person, proposal, name, text, contextlib.suppress(AlreadyWritten))


def approve_center(
    data: DataFolder, person: Person, proposal: CenterProposal, listed: Sequence[Listed]
) -> str:
    """Write the file of a change of a cost center; returns its name.

    `listed` is the list as it is now. Raises NotPending, also for its author, and AlreadyWritten.
    """
    at, changed = records.now(), proposal.change.applied(listed)
    # Named by the instant of the approval: of the files with a cost center, the newest one counts.
    name = cost_centers.path_in_landing(proposal.organization_id, changed.cost_center_id, at)
    note = Note(proposal.author, proposal.reason, person.name)
    text = cost_centers.content(proposal.organization_id, changed, listed, at, note)
    return _approve(data, person, proposal, name, text, contextlib.nullcontext())


def _approve(
    data: DataFolder,
    person: Person,
    proposal: Waiting,
    name: str,
    text: str,
    allowed: AbstractContextManager[None],
) -> str:
    with records.held(data, data.changes):
        _require_pending(data, proposal)
        if proposal.is_by(person):
            raise NotPending("somebody other than the author approves a change")
        with allowed:
            splits.save(data, name, text)
        _add(
            data, person, "approved", proposal.organization_id, subject=proposal.subject,
            reason=proposal.reason, file=name, proposal=proposal.id,
        )  # fmt: skip
    return name


def decline(data: DataFolder, person: Person, proposal: Waiting, reason: str) -> None:
    """Decline a proposal; by its author, withdraw it. Raises NotPending."""
    with records.held(data, data.changes):
        _require_pending(data, proposal)
        _add(
            data,
            person,
            "withdrawn" if proposal.is_by(person) else "declined",
            proposal.organization_id,
            subject=proposal.subject,
            reason=reason,
            proposal=proposal.id,
        )


def _require_pending(data: DataFolder, proposal: Waiting) -> None:
    waiting = _pending(data, proposal.organization_id)
    if proposal.id not in {each.id for each in waiting}:
        raise NotPending("somebody has decided this change already")
