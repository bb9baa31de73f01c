"""Limits of requests, and headers of every answer.

Belongs here: how often a caller may ask, how long an address may be, security headers. Does not:
who may read what (tokens, datasets).
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

SECURITY_HEADERS: Mapping[str, str] = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Authorization, Accept",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every answer. Source: OWASP REST Security Cheat Sheet."""

LONGEST_QUERY = 4096
"""Characters of an address after the question mark."""

MOST_CALLERS = 10_000


class RateLimit:
    """A number of requests a minute per caller, which may come at once (a token bucket)."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self.per_minute = per_minute
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def seconds_to_wait(self, caller: str) -> int:
        """Count a request: 0 if the caller may go on, else the seconds until it may."""
        per_second = self.per_minute / 60
        now = self._clock()
        with self._lock:
            left, since = self._left.pop(caller, (float(self.per_minute), now))
            left = min(self.per_minute, left + (now - since) * per_second)
            is_allowed = left >= 1
            self._left[caller] = (left - 1 if is_allowed else left, now)
            while len(self._left) > MOST_CALLERS:
                self._left.popitem(last=False)
        return 0 if is_allowed else max(1, round((1 - left) / per_second))
