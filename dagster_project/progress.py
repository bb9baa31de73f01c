"""A run's progress on the terminal: what it does, how far it is, and the time left.

Belongs here: the lines, and the seconds of earlier runs from which the time left is estimated. Does
not: the work itself.
"""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from dagster_project.files import replaced_at_once
from dagster_project.settings import DataFolder

SECONDS_BETWEEN_LINES = 2.0
LONG_SECONDS = 5.0
"""The least duration of a part that is announced before it begins."""

LEAST_SECONDS_KNOWN = 1.0
"""Seconds of work, by the earlier run, after which its speed is compared with this run's."""


class Step:
    """A step of many parts, such as files or tables. Prints a line every few seconds.

        Building      120 of 460 models and checks, billing_report: 560,000 rows, about 12 s left
        Building      130 of 460 models and checks, next int_forecasts, about 9 s left
        Building      460 models and checks in 24.1 s

    `parts` are the names of the parts by their ids, in their order; None if they are not known
    before. `seconds_before` are those of each part in an earlier run. Where they are not known, no
    time left is printed.
    """

    def __init__(
        self,
        verb: str,
        unit: str,
        parts: Mapping[str, str] | None = None,
        seconds_before: Mapping[str, float] | None = None,
        show: Callable[[str], None] = lambda line: print(line, flush=True),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin the step now."""
        self._verb, self._unit, self._show, self._clock = verb, unit, show, clock
        before = seconds_before or {}
        self._names = dict(parts or {})
        self._waiting = {part: before.get(part, 0.0) for part in self._names}
        self._expected = sum(self._waiting.values())
        self._started = self._last_part = self._last_line = clock()
        self.seconds: dict[str, float] = {}
        """The seconds of each part that has ended."""

    def ended(self, part: str, detail: str = "") -> None:
        """Count a part as done. `detail`, such as a number of rows, is shown with it."""
        now = self._clock()
        self.seconds[part] = now - self._last_part
        self._last_part = now
        self._waiting.pop(part, None)
        if self._names and not self._waiting:
            return
        following = next(iter(self._waiting), None)
        is_long = following is not None and self._waiting[following] >= LONG_SECONDS
        if is_long or now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            self._line(f"next {self._names[following]}" if following and is_long else detail)

    def finish(self, detail: str = "") -> None:
        """Print the line of the whole step."""
        done = ", ".join(filter(None, [f"{len(self.seconds):,} {self._unit}", detail]))
        self._show(f"{self._verb:<14}{done} in {self._clock() - self._started:,.1f} s")

    def _line(self, detail: str) -> None:
        total = f" of {len(self._names):,}" if self._names else ""
        left = self._seconds_left()
        parts = [
            f"{len(self.seconds):,}{total} {self._unit}",
            detail,
            f"about {in_words(left)} left" if left is not None else "",
        ]
        self._show(f"{self._verb:<14}{', '.join(filter(None, parts))}")

    def _seconds_left(self) -> float | None:
        expected_left = sum(self._waiting.values())
        expected_done = self._expected - expected_left
        if expected_done < LEAST_SECONDS_KNOWN:
            return None
        # This run may have more rows than the earlier one, or a busier machine.
        return expected_left * (self._last_part - self._started) / expected_done


def in_words(seconds: float) -> str:
    """`8 s`, `3 min`, `2 h`: an estimate."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"


def seconds_before(data: DataFolder, step: str) -> dict[str, float]:
    """The seconds of each part of a step in the last run that succeeded; nothing if unknown."""
    try:
        kept = json.loads(_file(data, step).read_text(encoding="utf-8"))
        return {str(part): float(seconds) for part, seconds in kept.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        # An estimate only: a damaged file is as good as none.
        return {}


def remember(data: DataFolder, step: str, seconds: Mapping[str, float]) -> None:
    """Keep the seconds of each part of a step for the next run."""
    rounded = {part: round(value, 3) for part, value in seconds.items()}
    with replaced_at_once(_file(data, step), is_flushed=False) as building:
        building.write_text(json.dumps(rounded), encoding="utf-8")


def _file(data: DataFolder, step: str) -> Path:
    return data.run_folder / f"seconds-{step}.json"
