"""Reviews of findings and allocations: who did what with them, in `reviews.jsonl`.

Belongs here: the record, and the state of findings that follows from it, for the app and for the
summary of a run. Does not: which findings a page shows (app/queries/review), Streamlit.

The broker and each organization review by themselves: an organization never reads what the broker
wrote, which may name a cost.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from dagster_project import finding_keys, records, wording
from dagster_project.errors import ApportionError
from dagster_project.records import Person, RecordDamaged
from dagster_project.settings import DataFolder

Action = Literal["assigned", "commented", "accepted", "reopened", "confirmed"]

BROKER = ""
"""The side of the broker; that of an organization is its id."""

LONGEST_ACCEPTANCE_DAYS = 366

AMOUNT_GROWTH = "1.1"
"""An amount at stake that has grown by more than a tenth is no longer the accepted one."""

Reviewed = Mapping[str, Mapping[str, str | None]]
"""The state of reviewed findings by their key: assigned_to, accepted_until, accepted_amount."""


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
    """The amount at stake when it was accepted, or the amounts charged when it was confirmed."""
    side: str = BROKER

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
            case "confirmed":
                return "confirmed the allocations"
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
                str(entry.get("side", BROKER)),
            )
            if step.until:
                date.fromisoformat(step.until)
            key = str(entry["finding"])
        except (KeyError, ValueError) as error:
            raise RecordDamaged("reviews.jsonl has a line that the app did not write") from error
        steps[key] = (*steps.get(key, ()), step)
    return steps


def states(
    steps: Mapping[str, tuple[Step, ...]], side: str = BROKER
) -> dict[str, dict[str, str | None]]:
    """The state of every finding that one side has reviewed, by its key, for the queries."""
    found = {}
    for key, every in steps.items():
        history = [step for step in every if step.side == side]
        if not history:
            continue
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


def with_states(findings: str, reviewed: Reviewed) -> tuple[str, dict[str, str]]:
    """SQL of findings with their key and the state of their review, and its parameters.

    `findings` is a table, or a query in parentheses. The parameter `today` is the caller's.
    `accepted_until` is null if the acceptance has ended, or the amount at stake has grown since.
    """
    rows = [{"finding_key": key, **state} for key, state in reviewed.items()]
    return (
        f"""
        (
            with keyed as (
                select * from {finding_keys.with_keys(findings)}
            ),
            states as (
                select unnest(
                    from_json(
                        $reviewed::json,
                        '[{{"finding_key": "VARCHAR", "assigned_to": "VARCHAR",'
                        ' "accepted_until": "DATE", "accepted_amount": "DECIMAL(28, 10)"}}]'
                    ),
                    recursive := true
                )
            )
            select
                keyed.*, states.assigned_to,
                case
                    when
                        states.accepted_until >= $today::date
                        and abs(coalesce(keyed.amount_at_stake, 0))
                            <= abs(coalesce(states.accepted_amount, 0)) * {AMOUNT_GROWTH}
                        then states.accepted_until
                end as accepted_until
            from keyed
            left join states on keyed.finding_key = states.finding_key
        )
        """,
        {**dict(finding_keys.PARAMETERS), "reviewed": json.dumps(rows)},
    )


def _key_of_allocations(organization_id: str, period: str) -> str:
    return f"allocations {period} {organization_id}"


def confirm(
    data: DataFolder, person: Person, organization_id: str, period: str, charged: str, text: str
) -> None:
    """Record that an organization agrees to its allocations of a billing period.

    `charged` are the amounts that it saw, in words.
    """
    key = _key_of_allocations(organization_id, period)
    _add(data, person, key, "confirmed", text, amount=charged, side=organization_id)


def confirmed(
    steps: Mapping[str, tuple[Step, ...]], organization_id: str, period: str
) -> Step | None:
    """The latest confirmation of an organization's allocations of a period."""
    history = steps.get(_key_of_allocations(organization_id, period), ())
    return history[-1] if history else None


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
    side: str = BROKER,
) -> None:
    """Add a step of a finding. `message` is kept for people who read the record."""
    words = wording.plain_decimal(amount) if amount is not None else ""
    _add(data, person, key, action, text, until=until, amount=words, message=message, side=side)


def _add(
    data: DataFolder,
    person: Person,
    key: str,
    action: Action,
    text: str,
    *,
    until: date | None = None,
    amount: str = "",
    message: str = "",
    side: str = BROKER,
) -> None:
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
                "amount": amount,
                "message": message,
                "side": side,
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
    side: str = BROKER,
) -> None:
    """Accept a finding until a day, that day included. Raises NotAcceptable."""
    if not records.one_line(reason):
        raise NotAcceptable("enter the reason for which it is accepted")
    if until < today:
        raise NotAcceptable(f"{wording.day(until)} has passed")
    if (until - today).days > LONGEST_ACCEPTANCE_DAYS:
        raise NotAcceptable("a finding is accepted for a year at most")
    add(
        data, person, key, "accepted", reason,
        until=until, amount=amount, message=message, side=side,
    )  # fmt: skip
