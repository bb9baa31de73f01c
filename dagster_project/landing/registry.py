"""The registry of landed files: raw.landed_files, and each content counted once."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import duckdb

from dagster_project.errors import RefusedFile
from dagster_project.landing import folder


@dataclass(frozen=True)
class FileNote:
    """A finding on a file as a whole: a kind of the seed `finding_kinds` and a message."""

    kind: str
    message: str


def notes_as_json(notes: Iterable[FileNote]) -> str:
    """The notes as raw.landed_files keeps them: a JSON array of objects with kind and message."""
    return json.dumps([asdict(note) for note in notes], ensure_ascii=False)


@dataclass(frozen=True)
class LandedFile:
    """One file of landing and what became of it. Sizes in bytes, times in UTC."""

    file: str
    feed: str | None
    format: str | None
    status: str
    reason: str | None
    file_hash: str | None
    content_hash: str | None
    size_bytes: int
    modified_at: datetime
    row_count: int = 0
    rejected_count: int = 0
    unknown_columns: str = "[]"
    sheet: str | None = None
    column_letters: str = "{}"
    """Column letter by match key of the header, as JSON: where a workbook's values stand."""
    delivery: str | None = None
    """The billing export the file is a part of; all parts of one count together."""
    delivered_at: datetime | None = None
    """When the export was made, where its manifest tells."""
    notes: str = "[]"
    """Findings on the file as JSON: objects with `kind` (a finding kind) and `message`."""


class KnownContents:
    """What earlier runs and this one have read, so that no content is read twice."""

    def __init__(self, registry: list[LandedFile]) -> None:
        """Begin with the registry that the last run left."""
        self._by_file: dict[tuple[str | None, str | None, str | None], LandedFile] = {
            (each.file_hash, each.feed, each.delivery): each
            for each in registry
            if each.file_hash and each.status != "refused"
        }
        self.contents = {each.content_hash for each in self._by_file.values()}

    def find(self, here: LandedFile) -> LandedFile | None:
        """What became of these bytes when they were read, put under the name they have now."""
        known = self._by_file.get((here.file_hash, here.feed, here.delivery))
        return known and replace(
            known,
            file=here.file,
            status="loaded",
            reason=None,
            size_bytes=here.size_bytes,
            modified_at=here.modified_at,
        )

    def add(self, landed: LandedFile) -> None:
        """Count a content as read."""
        if landed.content_hash:
            self.contents.add(landed.content_hash)


def as_read(name: str, feed: str, data: bytes, modified_ns: int) -> LandedFile:
    """A file whose bytes are read and whose content is not yet."""
    return LandedFile(
        file=name,
        feed=feed,
        format=None,
        status="loaded",
        reason=None,
        file_hash=hashlib.sha256(data).hexdigest(),
        content_hash=None,
        size_bytes=len(data),
        modified_at=folder.modified_at(modified_ns),
    )


def refused(path: Path, name: str, refusal: RefusedFile) -> LandedFile:
    """A file that cannot be used, with the reason."""
    try:
        status = path.lstat()
        size_bytes, modified_ns = status.st_size, status.st_mtime_ns
    except FileNotFoundError:
        size_bytes, modified_ns = 0, 0
    return LandedFile(
        file=name,
        feed=folder.feed_of(name),
        format=None,
        status="refused",
        reason=str(refusal),
        file_hash=None,
        content_hash=None,
        size_bytes=size_bytes,
        modified_at=folder.modified_at(modified_ns),
    )


def read_registry(connection: duckdb.DuckDBPyConnection) -> list[LandedFile]:
    """The registry that the last run left."""
    rows = connection.execute(
        """
        select
            file, feed, format, status, reason, file_hash, content_hash, size_bytes,
            modified_at, row_count, rejected_count, unknown_columns, sheet, column_letters,
            delivery, delivered_at, notes
        from raw.landed_files
        """
    ).fetchall()
    return [LandedFile(*row) for row in rows]


def mark_copies(files: list[LandedFile]) -> list[LandedFile]:
    """Each content counts once: under its first name, with the earliest time it was written."""
    first: dict[str, LandedFile] = {}
    # A copy that is the part of a delivery comes before one that is a file of its own.
    for each in sorted(files, key=lambda file: file.delivery is None):
        if each.content_hash:
            kept = first.setdefault(each.content_hash, each)
            earliest = min(kept.modified_at, each.modified_at)
            first[each.content_hash] = replace(kept, modified_at=earliest)
    marked = []
    for each in files:
        kept_file = first.get(each.content_hash or "")
        if kept_file is None:
            marked.append(each)
        elif kept_file.file == each.file:
            marked.append(kept_file)
        else:
            marked.append(
                replace(each, status="duplicate", reason=f"same content as {kept_file.file}")
            )
    return marked


def write_registry(connection: duckdb.DuckDBPyConnection, files: list[LandedFile]) -> None:
    """Replace the registry by this run's files."""
    connection.execute("delete from raw.landed_files")
    for each in files:
        connection.execute(
            f"insert into raw.landed_files values ({', '.join('?' * 17)})",
            [
                each.file,
                each.feed,
                each.format,
                each.status,
                each.reason,
                each.file_hash,
                each.content_hash,
                each.size_bytes,
                each.modified_at,
                each.row_count,
                each.rejected_count,
                each.unknown_columns,
                each.sheet,
                each.column_letters,
                each.delivery,
                each.delivered_at,
                each.notes,
            ],
        )
