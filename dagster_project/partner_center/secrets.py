"""Redaction of secrets in messages and logs."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

SHOWN_CHARACTERS = 300
READ_CHARACTERS = 10_000
"""Characters in which secrets are searched; more are not shown anyway."""

SHORTEST_SECRET = 6
"""In characters. Redacting shorter texts would damage words that contain them by chance."""

QUERY = re.compile(r"\?[^\s'\"<>?]*=[^\s'\"<>]*")
"""The query of an address: that of a storage is its shared access token."""
NAMED_SECRET = re.compile(
    r"\b(sig|signature|\w{0,40}(?:token|secret|password|key))"
    r"(\W{0,3}[=:]\W{0,3})[^\s&'\",;<>]+",
    re.IGNORECASE,
)
BEARER = re.compile(r"\bBearer\s+\S+|\beyJ[\w-]{8,}\.[\w.-]+", re.IGNORECASE)


def redact(text: str, secrets: tuple[str, ...] | list[str]) -> str:
    """The text with `***` in place of every secret of at least SHORTEST_SECRET characters."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return text


def printable(text: str, secrets: list[str]) -> str:
    """A text of the provider for a message: one line, at most 300 characters, no secrets.

    Besides the given secrets, whatever looks like one is left out: a storage answers an error with
    the address of the request, whose query is a token that the client may not know yet.
    """
    writable = redact(text, secrets)[:READ_CHARACTERS].encode("utf-8", "replace").decode()
    writable = BEARER.sub("***", QUERY.sub("?***", writable))
    writable = NAMED_SECRET.sub(r"\1\2***", writable)
    return " ".join(writable.split())[:SHOWN_CHARACTERS]


class WithoutQueries(logging.Filter):
    """Removes the query from every address: the query of a blob is its shared access token."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record; returns True, so that it is logged."""
        record.msg = re.sub(r"\?[^\s'\"]*", "?***", record.getMessage())
        record.args = None
        return True


@contextmanager
def queries_kept_out_of_logs() -> Iterator[None]:
    """Redact the logs of urllib3, which contain complete addresses."""
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
