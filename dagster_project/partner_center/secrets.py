"""Secrets kept out of messages and logs."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

SHOWN_CHARACTERS = 300

SHORTEST_SECRET = 6
"""Characters; replacing anything shorter would garble what it happens to be part of."""


def redact(text: str, secrets: tuple[str, ...] | list[str]) -> str:
    """The text with `***` for every secret that is long enough to be one."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return text


def printable(text: str, secrets: list[str]) -> str:
    """Words of the provider as a message may have them: one line, not endless, no secrets."""
    writable = redact(text, secrets).encode("utf-8", "replace").decode()
    return " ".join(writable.split())[:SHOWN_CHARACTERS]


class WithoutQueries(logging.Filter):
    """Cuts the query off every address in a message: a blob's is its shared access token."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: the record stays, its queries go."""
        record.msg = re.sub(r"\?[^\s'\"]*", "?***", record.getMessage())
        record.args = None
        return True


@contextmanager
def queries_kept_out_of_logs() -> Iterator[None]:
    """urllib3 logs whole addresses, at warning level when a connection breaks."""
    loggers = [
        logging.getLogger(f"urllib3.{name}")
        for name in ("connection", "connectionpool", "util.retry")
    ]
    redaction = WithoutQueries()
    for logger in loggers:
        logger.addFilter(redaction)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(redaction)
