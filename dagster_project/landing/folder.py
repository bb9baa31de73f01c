"""Files in landing as they lie there: names, feeds, states, safe reading of bytes."""

import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from dagster_project.errors import (
    ChangedWhileRead,
    NoLandingFolder,
    NotAPlainFile,
    RefusedFile,
    TooLarge,
)
from dagster_project.settings import FEEDS, Limits

UNFINISHED = {".part", ".crdownload", ".filepart", ".tmp"}
"""Endings that programs give to files they still write to."""


def require_landing(landing: Path) -> None:
    """Raise NoLandingFolder, with what to do, where there is nothing to read."""
    if not landing.is_dir():
        raise NoLandingFolder(
            f"no folder {landing}: put bills into {landing}/billing_lines/ (README.md, "
            "'The data folder', says what else may lie there)"
        )


def list_landing(landing: Path) -> Iterator[Path]:
    """Every file below `landing` in order of name; hidden ones and office lock files apart.

    A folder that cannot be looked into stands for what lies in it, so that it is told.
    """
    for path in sorted(landing.rglob("*")):
        hidden = any(part.startswith((".", "~$")) for part in path.relative_to(landing).parts)
        is_open_folder = (
            not path.is_symlink() and path.is_dir() and os.access(path, os.R_OK | os.X_OK)
        )
        if not hidden and not is_open_folder:
            yield path


def landing_fingerprint(landing: Path) -> str:
    """A hash that changes when any landed file is added, removed or written to."""
    digest = hashlib.sha256()
    for path in list_landing(landing):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        digest.update(os.fsencode(path.relative_to(landing)))
        digest.update(f"\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def name_of(path: Path, landing: Path) -> str:
    """The file's path below landing as text that is safe to print."""
    # A name in another encoding is shown as well as it can be.
    return printable(os.fsencode(path.relative_to(landing).as_posix()).decode("utf-8", "replace"))


def printable(name: str) -> str:
    """A name without the characters that control the terminal on which it is printed."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(each) in ("Cc", "Cf") else each
        for each in name
    )


def feed_of(name: str) -> str | None:
    """The feed whose folder the file lies in, None outside of all of them."""
    first, *rest = PurePosixPath(name).parts
    return first if first in FEEDS and rest else None


def require_finished(path: Path) -> None:
    """Raise RefusedFile where the name is that of a download under way."""
    if path.suffix.lower() in UNFINISHED:
        raise RefusedFile(f"looks like an unfinished download ({path.suffix}); rename it when done")


def read_bytes(path: Path, limits: Limits) -> tuple[bytes, int]:
    """The file's bytes and its time of change in nanoseconds."""
    before = path.lstat()
    if stat.S_ISDIR(before.st_mode):
        raise NotAPlainFile("a folder that cannot be looked into: permission denied")
    if not stat.S_ISREG(before.st_mode):
        raise NotAPlainFile("not a plain file (links, devices and pipes are not followed)")
    if before.st_size > limits.file_bytes:
        raise TooLarge(f"{before.st_size:,} bytes, over the limit of {limits.file_bytes:,}")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RefusedFile(f"cannot be read: {error.strerror}") from error
    after = path.lstat()
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise ChangedWhileRead("the file changed while it was read; the next run reads it again")
    return data, after.st_mtime_ns


def modified_at(nanoseconds: int) -> datetime:
    """A file's time of change as a UTC instant without zone."""
    # In whole microseconds: a float would lose the order of files written at once.
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000, tzinfo=None)
