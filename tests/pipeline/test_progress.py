from pathlib import Path

import pytest

from dagster_project import progress
from dagster_project.settings import DataFolder


class Terminal:
    """The printed lines, and a clock that the test sets."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.seconds = 0.0

    def step(
        self, parts: tuple[str, ...] | None, before: dict[str, float] | None = None
    ) -> progress.Step:
        return progress.Step(
            "Building",
            "tables",
            {part: part for part in parts} if parts else None,
            before,
            self.lines.append,
            lambda: self.seconds,
        )

    def pass_seconds(self, seconds: float) -> None:
        self.seconds += seconds


def test_a_line_every_two_seconds_and_one_at_the_end() -> None:
    terminal = Terminal()
    step = terminal.step(("a", "b", "c", "d"))
    for part, seconds in (("a", 1.0), ("b", 1.5), ("c", 0.4), ("d", 1.2)):
        terminal.pass_seconds(seconds)
        step.ended(part, f"{part}: 10 rows")
    step.finish("40 rows")
    assert terminal.lines == [
        "Building      2 of 4 tables, b: 10 rows",
        "Building      4 tables, 40 rows in 4.1 s",
    ]
    assert step.seconds == pytest.approx({"a": 1.0, "b": 1.5, "c": 0.4, "d": 1.2})


def test_the_time_left_follows_the_earlier_run_at_the_speed_of_this_one() -> None:
    terminal = Terminal()
    step = terminal.step(("a", "b", "c"), {"a": 2.0, "b": 1.0, "c": 3.0})
    terminal.pass_seconds(4)
    step.ended("a")
    # Twice as slow as before: 4 seconds of work take 8.
    assert terminal.lines == ["Building      1 of 3 tables, about 8 s left"]


def test_a_long_part_is_announced() -> None:
    terminal = Terminal()
    step = terminal.step(("short", "long"), {"short": 0.1, "long": 30.0})
    terminal.pass_seconds(0.1)
    step.ended("short", "short: 1 rows")
    assert terminal.lines == ["Building      1 of 2 tables, next long"]


def test_the_number_of_parts_need_not_be_known() -> None:
    terminal = Terminal()
    step = terminal.step(None)
    terminal.pass_seconds(3)
    step.ended("bill.csv", "bill.csv")
    step.finish()
    assert terminal.lines == [
        "Building      1 tables, bill.csv",
        "Building      1 tables in 3.0 s",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (89, "89 s"), (150, "2 min"), (7000, "2 h")]
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert progress.in_words(seconds) == text


def test_the_next_run_knows_the_seconds_of_this_one(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    assert progress.seconds_before(data, "building") == {}
    progress.remember(data, "building", {"a": 1.23456})
    assert progress.seconds_before(data, "building") == {"a": 1.235}
    assert progress.seconds_before(data, "publishing") == {}


@pytest.mark.parametrize("content", ["", "[]", '{"a": "x"}', '{"a": null}'])
def test_damaged_seconds_are_not_used(tmp_path: Path, content: str) -> None:
    data = DataFolder(tmp_path)
    progress.remember(data, "building", {"a": 1})
    (data.run_folder / "seconds-building.json").write_text(content)
    assert progress.seconds_before(data, "building") == {}
