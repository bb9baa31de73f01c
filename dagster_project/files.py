"""Files that are complete whenever they exist, lines added to files, file names, links and CSV.

Belongs here: how a file is written, whatever it contains. Does not: the two files of a posting
(ledger/postings.py).
"""

import csv
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from dagster_project.wording import plain_decimal

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""First characters of texts that a spreadsheet program may evaluate."""

BUILDING = ".building"
"""The suffix of a file that is being written."""


@contextmanager
def replaced_at_once(path: Path, *, is_flushed: bool = True) -> Iterator[Path]:
    """The path of a new file that replaces `path` in one step, unless an error is raised.

    A reader sees the old file or the new one, never a part. With `is_flushed`, the new file is on
    the disk before it replaces the old one, so that a power failure leaves one of them too. The
    folder of `path` is created; a file that an interruption left is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    building = path.with_name(f"{path.name}{BUILDING}")
    building.unlink(missing_ok=True)
    try:
        yield building
        if is_flushed:
            flush(building)
        building.replace(path)
    finally:
        building.unlink(missing_ok=True)


def write_new(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file in one step, without replacing another; it is on the disk when this returns.

    `mode` are its permissions, less those that the process withholds. Raises FileExistsError.
    """
    # Runs ignore hidden files. A link fails if the file exists; a rename would replace it.
    building = path.with_name(f".{path.name}.{secrets.token_hex(4)}{BUILDING}")
    try:
        descriptor = os.open(building, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(building, path)
    finally:
        building.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Wait until a file's content is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Add lines to a file that only grows; they are on the disk when this returns.

    A last line without an end, which an interruption left, is removed first.
    """
    if path.exists() and not (content := path.read_bytes()).endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)
    with path.open("ab") as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
        file.flush()
        os.fsync(file.fileno())


def link_or_copy(path: Path, to: Path) -> None:
    """Give a file that does not change a second name, or copy it where the disk has no links."""
    try:
        os.link(path, to, follow_symlinks=False)
    except OSError:
        shutil.copy2(path, to, follow_symlinks=False)


def file_name(text: str) -> str:
    """A text as part of a file name, valid on every system; never empty or hidden."""
    name = re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-.")
    return name[:100] or "unnamed"


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write a CSV file in one step; returns the number of its rows.

    UTF-8 with a byte order mark, CRLF, ISO dates, decimals with a point. Texts pass `as_text`;
    numbers stay numbers; null is empty.
    """
    count = 0
    with (
        replaced_at_once(path) as building,
        building.open("w", encoding="utf-8-sig", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow([as_text(name) for name in header])
        for row in rows:
            writer.writerow([_csv_value(value) for value in row])
            count += 1
    return count


def as_text(value: str) -> str:
    """A text that no spreadsheet program evaluates as a formula.

    An apostrophe precedes a text that could be one; spreadsheet programs hide it. Source: OWASP on
    CSV injection.
    """
    return f"'{value}" if value[:1] in FORMULA_STARTS else value


def _csv_value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    return as_text(value) if isinstance(value, str) else str(value)
