"""Changes that people make in the app: files in landing, and the record of who made them.

Belongs here: `changes.jsonl`, and changes of splits that wait for a second person. Does not: the
checks of a change (splits, cost_centers), Streamlit.
"""

import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app import records, splits
from app.records import Person, RecordDamaged
from app.splits import AlreadyWritten, Change, CostCenter, Note
from dagster_project.errors import ApportionError
from dagster_project.files import file_name
from dagster_project.settings import DataFolder

Action = Literal["saved", "proposed", "approved", "declined", "withdrawn"]

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
class Proposal:
    """A change of a split that waits for a second person."""

    id: str
    change: Change
    subject: str
    reason: str
    author: str
    author_id: str
    proposed_at: datetime

    def is_by(self, person: Person) -> bool:
        """Whether the person proposed it, and therefore cannot approve it."""
        return person.is_same_as(self.author, self.author_id)


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
    **more: object,
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
            **more,
        },
    )


def save(
    data: DataFolder,
    person: Person,
    organization_id: str,
    name: str,
    text: str,
    *,
    subject: str,
    reason: str,
) -> None:
    """Write a file of a change to landing and record it. Raises AlreadyWritten."""
    with records.held(data, data.changes):
        splits.save(data, name, text)
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
    with records.held(data, data.changes):
        at = records.now()
        key = f"{at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        _add(
            data, person, "proposed", change.organization_id, subject=subject, reason=reason,
            proposal=key, change=splits.as_json(change),
        )  # fmt: skip
    return Proposal(key, change, subject, reason, person.name, person.id, at)


def pending(data: DataFolder, organization_id: str) -> list[Proposal]:
    """The changes of an organization that wait, oldest first. Raises RecordDamaged."""
    waiting: dict[str, Proposal] = {}
    for entry in records.read(data.changes):
        key = str(entry.get("proposal") or "")
        if not key or entry.get("organization_id") != organization_id:
            continue
        if entry.get("action") != "proposed":
            waiting.pop(key, None)
            continue
        try:
            kept = entry["change"]
            if not isinstance(kept, dict):
                raise ValueError("change is no object")
            waiting[key] = Proposal(
                key,
                splits.from_json(kept),
                str(entry["subject"]),
                str(entry["reason"]),
                str(entry["by"]),
                str(entry["by_id"]),
                records.instant_of(entry["at"]),
            )
        except (KeyError, ValueError) as error:
            raise RecordDamaged("changes.jsonl has a line that the app did not write") from error
    return list(waiting.values())


def approve(
    data: DataFolder, person: Person, proposal: Proposal, centers: Sequence[CostCenter]
) -> str:
    """Write the file of a proposal; returns its name.

    Raises NotPending, also for its author.
    """
    change = proposal.change
    with records.held(data, data.changes):
        _require_pending(data, proposal)
        if proposal.is_by(person):
            raise NotPending("somebody other than the author approves a change")
        at = records.now()
        # The name is that of the proposal: approved twice, it is written once.
        name = f"split_history/split-{file_name(change.subscription_id)}-{proposal.id}.csv"
        note = Note(proposal.author, proposal.reason, person.name)
        # If the app ended between the file and the line of the record, the file is there.
        with contextlib.suppress(AlreadyWritten):
            splits.save(data, name, splits.content(change, centers, at, note))
        _add(
            data, person, "approved", change.organization_id, subject=proposal.subject,
            reason=proposal.reason, file=name, proposal=proposal.id,
        )  # fmt: skip
    return name


def decline(data: DataFolder, person: Person, proposal: Proposal, reason: str) -> None:
    """Decline a proposal; by its author, withdraw it. Raises NotPending."""
    with records.held(data, data.changes):
        _require_pending(data, proposal)
        _add(
            data,
            person,
            "withdrawn" if proposal.is_by(person) else "declined",
            proposal.change.organization_id,
            subject=proposal.subject,
            reason=reason,
            proposal=proposal.id,
        )


def _require_pending(data: DataFolder, proposal: Proposal) -> None:
    waiting = pending(data, proposal.change.organization_id)
    if proposal.id not in {each.id for each in waiting}:
        raise NotPending("somebody has decided this change already")
