"""Faults of the machine that a person can remove: a full disk, a read-only folder, a file in use.

Belongs here: recognizing them, in an exception or in the text of one, and one message for each.
Does not: faults in what a person typed or landed, which are types of their own (errors).
"""

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

UNHARMED = "Landing files, closed periods and published results are unchanged."

DATABASE_MODULES = frozenset({"duckdb", "_duckdb", "sqlite3", "sqlalchemy"})
"""Packages whose exceptions repeat the operating system's message in their own."""


@dataclass(frozen=True)
class Fault:
    """One fault: how it is recognized, what it is, and what a person does about it."""

    error_numbers: tuple[int, ...]
    pattern: re.Pattern[str]
    fact: str
    remedy: str

    def message(self, path: str | None, holder: str | None = None) -> str:
        """The fault and its place, the unchanged data, and the remedy."""
        place = f": {path}" if path else ""
        used_by = f" (in use by {holder})" if holder else ""
        return f"{self.fact}{place}{used_by}. {UNHARMED} {self.remedy}"


FAULTS = (
    Fault(
        # A limit on the size of files (ulimit -f) has the same remedy as a full disk.
        (errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
        re.compile(r"no space left on device|disk is full|quota exceeded|file too large", re.I),
        "The disk is full",
        "Free some space and run the command again.",
    ),
    Fault(
        # SQLite says no more; Dagster keeps its records in it.
        (errno.EIO,),
        re.compile(r"disk i/o error|input/output error", re.I),
        "The disk cannot be read or written",
        "Check that it has free space and no defect, and run the command again.",
    ),
    Fault(
        (),
        re.compile(r"could not set lock on file", re.I),
        "Another program has the database open",
        "Close that program, or wait until it ends, and run the command again.",
    ),
    Fault(
        (errno.EROFS,),
        re.compile(r"read-only file system|readonly database", re.I),
        "The file system is read-only",
        "Make it writable, or name another data folder with --data.",
    ),
    Fault(
        (errno.EACCES, errno.EPERM),
        re.compile(r"permission denied|operation not permitted|unable to open database file", re.I),
        "Access is denied",
        "Give this account permission to read and write there, or name another data folder with"
        " --data.",
    ),
    Fault(
        (errno.EISDIR, errno.ENOTDIR),
        re.compile(r"\[Errno 2[01]\]"),
        "A folder is in the place of a file, or a file in the place of a folder",
        "Move it away and run the command again.",
    ),
    Fault(
        (errno.EMFILE, errno.ENFILE),
        re.compile(r"too many open files", re.I),
        "The limit of open files is reached",
        "Raise it, for example with `ulimit -n 4096`, and run the command again.",
    ),
    Fault(
        (),
        re.compile(r"not a valid duckdb database file", re.I),
        "The file is damaged",
        "Delete it and run the command again, which builds it from landing and the ledger.",
    ),
)

PATH = re.compile(r'"(/[^"]+)"')
HOLDER = re.compile(r"conflicting lock is held in (.*?\(PID \d+\))", re.I)


def explain(error: BaseException) -> str | None:
    """The message for a person if a fault of the machine caused the error, else None."""
    for cause in _causes(error):
        if isinstance(cause, OSError):
            for fault in FAULTS:
                if cause.errno in fault.error_numbers:
                    return fault.message(os.fsdecode(cause.filename) if cause.filename else None)
        elif type(cause).__module__.partition(".")[0] in DATABASE_MODULES:
            found = explain_text(str(cause))
            if found:
                return found
    return None


def explain_text(text: str) -> str | None:
    """The message for a person if the text reports a fault of the machine, else None."""
    for fault in FAULTS:
        if fault.pattern.search(text):
            path, holder = PATH.search(text), HOLDER.search(text)
            return fault.message(path and path[1], holder and holder[1])
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
