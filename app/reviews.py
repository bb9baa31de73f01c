"""Reviews of findings: who assigned, commented and accepted them, in `reviews.jsonl`.

Belongs here: the record and the state that follows from it. Does not: the findings and their keys
(queries/review), Streamlit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from app import records
from app.records import Person, RecordDamaged
from dagster_project import wording
from dagster_project.errors import ApportionError
from dagster_project.settings import DataFolder

Action = Literal["assigned", "commented", "accepted", "reopened"]

LONGEST_ACCEPTANCE_DAYS = 366


class NotAcceptable(ApportionError):
    """A finding cannot be accepted until that day, or without a reason."""


@dataclass(frozen=True)
class Step:
    """What a person did with a finding."""

    at: datetime
    by: str
    action: Action
    text: str
    """The comment, the reason, or the assigned person."""
    until: str
    """The last day of an acceptance, in ISO form; else empty."""
    amount: str
    """The amount at stake when it was accepted."""

    @property
    def words(self) -> str:
        """The step in words."""
        match self.action:
            case "assigned":
                return f"assigned it to {self.text}" if self.text else "assigned it to nobody"
            case "accepted":
                return f"accepted it until {wording.day(date.fromisoformat(self.until))}"
            case "reopened":
                return "opened it again"
            case _:
                return "commented"


def read(data: DataFolder) -> dict[str, tuple[Step, ...]]:
    """The steps of every reviewed finding by its key, oldest first. Raises RecordDamaged."""
    steps: dict[str, tuple[Step, ...]] = {}
    for entry in records.read(data.reviews):
        try:
            step = Step(
                records.instant_of(entry["at"]),
                str(entry["by"]),
                entry["action"],  # type: ignore[arg-type]
                str(entry["text"]),
                str(entry["until"]),
                str(entry["amount"]),
            )
            if step.until:
                date.fromisoformat(step.until)
            key = str(entry["finding"])
        except (KeyError, ValueError) as error:
            raise RecordDamaged("reviews.jsonl has a line that the app did not write") from error
        steps[key] = (*steps.get(key, ()), step)
    return steps


def states(steps: Mapping[str, tuple[Step, ...]]) -> dict[str, dict[str, str | None]]:
    """The state of every reviewed finding by its key, as the queries take it."""
    found = {}
    for key, history in steps.items():
        assigned = next((step for step in reversed(history) if step.action == "assigned"), None)
        decided = next(
            (step for step in reversed(history) if step.action in ("accepted", "reopened")), None
        )
        is_accepted = decided is not None and decided.action == "accepted"
        found[key] = {
            "assigned_to": (assigned.text or None) if assigned else None,
            "accepted_until": decided.until if decided and is_accepted else None,
            "accepted_amount": (decided.amount or None) if decided and is_accepted else None,
        }
    return found


def add(
    data: DataFolder,
    person: Person,
    key: str,
    action: Action,
    text: str = "",
    *,
    until: date | None = None,
    amount: Decimal | None = None,
    message: str = "",
) -> None:
    """Add a step of a finding. `message` is kept for people who read the record."""
    with records.held(data, data.reviews):
        records.append(
            data.reviews,
            {
                "at": records.stamp(records.now()),
                "by": person.name,
                "by_id": person.id,
                "finding": key,
                "action": action,
                "text": records.one_line(text),
                "until": until.isoformat() if until else "",
                "amount": wording.plain_decimal(amount) if amount is not None else "",
                "message": message,
            },
        )


def accept(
    data: DataFolder,
    person: Person,
    key: str,
    reason: str,
    *,
    until: date,
    amount: Decimal | None,
    today: date,
    message: str = "",
) -> None:
    """Accept a finding until a day, that day included. Raises NotAcceptable."""
    if not records.one_line(reason):
        raise NotAcceptable("enter the reason for which it is accepted")
    if until < today:
        raise NotAcceptable(f"{wording.day(until)} has passed")
    if (until - today).days > LONGEST_ACCEPTANCE_DAYS:
        raise NotAcceptable("a finding is accepted for a year at most")
    add(data, person, key, "accepted", reason, until=until, amount=amount, message=message)
