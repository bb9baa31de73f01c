"""Append-only records of what people do in the app: files of JSON lines in the data folder.

Belongs here: reading and appending lines, whatever they record. Does not: their meaning (reviews,
app/changes).
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import filelock

from dagster_project.errors import ApportionError
from dagster_project.files import append_lines
from dagster_project.settings import DataFolder

LONGEST_TEXT = 500
"""Characters of a reason or a comment."""

LONGEST_NAME = 100
WAIT_SECONDS = 10


class RecordDamaged(ApportionError):
    """A line of a record is not one that the app wrote."""


@dataclass(frozen=True)
class Person:
    """A person who uses the app: the name shown, and the id that the identity provider gives.

    Without sign-in the name is the one that the person typed, and the id is empty.
    """

    name: str
    id: str = ""

    def is_same_as(self, name: str, person_id: str) -> bool:
        """Whether this is the person of a record."""
        return self.id == person_id if self.id or person_id else self.name == name


def one_line(text: str, longest: int = LONGEST_TEXT) -> str:
    """A text that a person typed, on one line, without spaces around it, not longer than that."""
    return " ".join(text.split())[:longest].strip()


def now() -> datetime:
    """The UTC instant, to the second."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def stamp(instant: datetime) -> str:
    """An instant for a record: 2026-02-10T08:30:15Z."""
    return f"{instant.replace(tzinfo=None):%Y-%m-%dT%H:%M:%SZ}"


def instant_of(text: object) -> datetime:
    """The instant that `stamp` wrote. Raises ValueError."""
    return datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def held(data: DataFolder, path: Path) -> Iterator[None]:
    """Hold a record, so that what was read is still true when a line is added."""
    data.run_folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(data.run_folder / f"{path.name}.lock", timeout=WAIT_SECONDS)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise ApportionError(f"{path.name} is in use: try again in a second") from error
    try:
        yield
    finally:
        lock.release()


def read(path: Path) -> list[dict[str, object]]:
    """The lines of a record, in their order; none without a file. Raises RecordDamaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    # A power failure can cut the last line.
    whole = content[: content.rfind(b"\n") + 1]
    entries = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            raise RecordDamaged(
                f"{path.name} line {number} is damaged; restore the file from a backup"
            )
        entries.append(entry)
    return entries


def append(path: Path, entry: Mapping[str, object]) -> None:
    """Add a line, on the disk when this returns. The caller holds the record."""
    append_lines(path, [json.dumps(dict(entry), ensure_ascii=False)])
