"""Faults of rows as lines of text, one line for all rows with the same fault.

Belongs here: grouping, for the report of an inspection and for what-if. Does not: finding faults.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dagster_project import wording


@dataclass(frozen=True)
class RowFault:
    """A fault of a row: where it is (row 3, May!C2), what is wrong, and the value."""

    place: str
    fault: str
    value: str | None

    def words(self, count: int) -> str:
        """The fault, for so many rows of which this is the first."""
        more = f" and {wording.number(count - 1)} more" if count > 1 else ""
        found = f" (found: {self.value!r})" if self.value else ""
        return f"{self.place}{more}: {self.fault}{found}"


def grouped(faults: Sequence[RowFault], most: int) -> list[str]:
    """At most so many lines of faults, the most frequent first, and a line with their number."""
    counts = Counter(each.fault for each in faults)
    first = {each.fault: each for each in reversed(faults)}
    lines = [first[fault].words(count) for fault, count in counts.most_common(most)]
    left = len(counts) - most
    return [*lines, f"... and {wording.counted(left, 'other fault')}"] if left > 0 else lines
