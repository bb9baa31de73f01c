"""The rooms of the project, as the tests see them: what `make test ROOM=splits` runs.

A room is a subject: a folder of dbt models (`dbt/models/<layer>/splits`), a Python package, or
both under one name. Its tests are the files of `tests/<room>` and the unit tests of its models.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from dagster_project.settings import DBT_FOLDER

TESTS = Path(__file__).parent
UNIT_TESTS = TESTS / "test_unit_tests.py"


class UnknownRoom(Exception):
    """No room has this name."""

    def __init__(self, room: str) -> None:
        super().__init__(f'there is no room "{room}"; the rooms are {", ".join(rooms())}')


@dataclass(frozen=True, order=True)
class UnitTest:
    """A dbt unit test: its room, the model it tests and its name, unique within the model."""

    room: str
    model: str
    name: str

    @property
    def unique_id(self) -> str:
        """The name that dbt gives it in the manifest and in events."""
        return f"unit_test.apportion.{self.model}.{self.name}"


@cache
def unit_tests() -> tuple[UnitTest, ...]:
    """The unit tests of all models, by room."""
    return tuple(sorted(_read_unit_tests()))


def _read_unit_tests() -> Iterator[UnitTest]:
    for path in (DBT_FOLDER / "models").rglob("*.yml"):
        text = path.read_text()
        # To parse all of the documentation for nothing would take a second.
        if "unit_tests:" in text:
            for each in yaml.load(text, Loader=yaml.CSafeLoader)["unit_tests"]:
                yield UnitTest(path.parent.name, each["model"], each["name"])


@cache
def rooms() -> tuple[str, ...]:
    """The names of all rooms that have tests, in alphabetical order."""
    folders = {path.parent.relative_to(TESTS).parts[0] for path in TESTS.glob("*/**/test_*.py")}
    return tuple(sorted(folders | {each.room for each in unit_tests()}))


def tests_of(room: str) -> list[Path]:
    """The files and folders that pytest runs for a room; `UnknownRoom` if there is none."""
    if room not in rooms():
        raise UnknownRoom(room)
    folder = TESTS / room
    has_unit_tests = any(each.room == room for each in unit_tests())
    return [folder] * folder.is_dir() + [UNIT_TESTS] * has_unit_tests
