"""The record of mail that was sent, `sent_mail.jsonl`: append-only, a line per step.

Belongs here: whether something was sent before. Does not: messages and sending.

A line is written before a message is sent, and another one after it. A message with the first line
alone may have reached its recipient, so that it is not sent again without being asked for.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from dagster_project.errors import ApportionError
from dagster_project.files import append_lines

Step = Literal["sending", "sent", "refused"]


class RecordDamaged(ApportionError):
    """A line of the record is not one that was written."""


@dataclass(frozen=True, order=True)
class Item:
    """A thing that one address gets once: a posting's figures of the broker, an organization or a
    cost center."""

    posting: str
    """The hash of the posting's entry in the ledger."""
    address: str
    organization_id: str = ""
    cost_center_id: str = ""


def read(path: Path) -> dict[Item, Step]:
    """The last step of every item. Raises RecordDamaged."""
    steps: dict[Item, Step] = {}
    if not path.exists():
        return steps
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            values = json.loads(line)
            step: Step = values["step"]
            item = Item(
                values["posting"],
                values["address"],
                values["organization_id"],
                values["cost_center_id"],
            )
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                # A power failure can cut the last line. A cut "sending" was not followed by a
                # message; after a cut "sent" the step is still "sending".
                continue
            raise RecordDamaged(
                f"{path} line {number} is damaged; restore the file from a backup, so that no"
                " message is sent twice"
            ) from error
        steps[item] = step
    return steps


def append(path: Path, items: Iterable[Item], step: Step, message_id: str) -> None:
    """Add a line per item, on the disk when this returns."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    lines = [
        json.dumps(asdict(item) | {"step": step, "at": now, "message_id": message_id})
        for item in items
    ]
    append_lines(path, lines)
