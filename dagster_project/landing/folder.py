"""The landing folder: which files it contains, their feeds, and how their bytes are read."""

import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
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
"""Suffixes of files that a program is still writing."""

SMALL_BYTES = 4 * 1024**2
"""Files of this size, unpacked, are read in the process of the run; see DECISIONS.md."""

CHANGED = "the file changed while it was read; the next run reads it again"


@dataclass(frozen=True)
class FileBytes:
    """A file as it was when its bytes were hashed; `content` has them if it is small."""

    path: Path
    size_bytes: int
    modified_ns: int
    file_hash: str
    content: bytes | None


def require_landing(landing: Path) -> None:
    """Raise NoLandingFolder, with what to do, if there is no folder to read."""
    if not landing.is_dir():
        raise NoLandingFolder(
            f"no folder {landing}: put bills into {landing}/billing_lines/"
            " (docs/feeds.md lists the other folders)"
        )


def list_landing(landing: Path) -> Iterator[Path]:
    """Every file below `landing` in order of name, except hidden files and Office lock files.

    A folder that cannot be read is listed itself, so that it is reported.
    """
    for path in sorted(landing.rglob("*")):
        hidden = any(part.startswith((".", "~$")) for part in path.relative_to(landing).parts)
        is_readable_folder = (
            not path.is_symlink() and path.is_dir() and os.access(path, os.R_OK | os.X_OK)
        )
        if not hidden and not is_readable_folder:
            yield path


def landing_fingerprint(landing: Path) -> str:
    """A hash that changes when a landed file is added, removed or changed."""
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
    """The feed in whose folder the file is; None if it is in no feed's folder."""
    first, *rest = PurePosixPath(name).parts
    return first if first in FEEDS and rest else None


def require_finished(path: Path) -> None:
    """Raise RefusedFile if the name is that of an unfinished download."""
    if path.suffix.lower() in UNFINISHED:
        raise RefusedFile(
            f"an unfinished download ({path.suffix}); rename the file when it is complete"
        )


def read_bytes(path: Path, limits: Limits) -> tuple[bytes, int]:
    """The file's bytes, and its modification time in nanoseconds. Raises RefusedFile."""
    before = _status(path, limits)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RefusedFile(f"cannot be read: {error.strerror}") from error
    _require_unchanged(path, before)
    return data, before.st_mtime_ns


def examine(path: Path, limits: Limits) -> FileBytes:
    """The file's hash, size and time, and the bytes of a small file. Raises RefusedFile."""
    before = _status(path, limits)
    content = None
    try:
        with path.open("rb", buffering=0) as file:
            if before.st_size <= SMALL_BYTES:
                content = file.read(SMALL_BYTES + 1)
                digest = hashlib.sha256(content)
            else:
                digest = hashlib.file_digest(file, "sha256")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RefusedFile(f"cannot be read: {error.strerror}") from error
    _require_unchanged(path, before)
    return FileBytes(path, before.st_size, before.st_mtime_ns, digest.hexdigest(), content)


def require_unchanged(file: FileBytes) -> None:
    """Raise ChangedWhileRead where the file is not as it was examined."""
    after = file.path.lstat()
    if (after.st_size, after.st_mtime_ns) != (file.size_bytes, file.modified_ns):
        raise ChangedWhileRead(CHANGED)


def _require_unchanged(path: Path, before: os.stat_result) -> None:
    after = path.lstat()
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise ChangedWhileRead(CHANGED)


def _status(path: Path, limits: Limits) -> os.stat_result:
    before = path.lstat()
    if stat.S_ISDIR(before.st_mode):
        raise NotAPlainFile("a folder that cannot be read: permission denied")
    if not stat.S_ISREG(before.st_mode):
        raise NotAPlainFile("not a plain file (links, devices and pipes are not read)")
    if before.st_size > limits.file_bytes:
        raise TooLarge(f"{before.st_size:,} bytes, over the limit of {limits.file_bytes:,}")
    return before


def modified_at(nanoseconds: int) -> datetime:
    """A file's modification time as a UTC instant without zone."""
    # Whole microseconds: a float would lose the order of files written at nearly the same time.
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000, tzinfo=None)
