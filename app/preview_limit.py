"""A limit on how often an organization computes the effect of a change, which takes a minute.

Belongs here: counting. Does not: Streamlit, the computation (split_effect).

The counts are of one process: they begin again when the app starts.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dagster_project import wording
from dagster_project.errors import ApportionError
from dagster_project.records import now

MOST = 12
WITHIN = timedelta(hours=1)


class TooOften(ApportionError):
    """The organization has computed as many effects as it may in an hour."""


@dataclass
class PreviewLimit:
    """The last computations of each organization, in this process."""

    most: int = MOST
    clock: Callable[[], datetime] = now
    _at: dict[str, deque[datetime]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, organization_id: str) -> None:
        """Count a computation. Raises TooOften, with the time of the next possible one."""
        with self._lock:
            at = self.clock()
            earlier = self._at.setdefault(organization_id, deque())
            while earlier and earlier[0] <= at - WITHIN:
                earlier.popleft()
            if len(earlier) >= self.most:
                raise TooOften(
                    f"Your organization has computed {self.most} effects within an hour. The next"
                    f" one is possible at {wording.instant(earlier[0] + WITHIN)} UTC."
                )
            earlier.append(at)


LIMIT = PreviewLimit()
"""Of this process: Streamlit runs pages again and imports modules once."""
