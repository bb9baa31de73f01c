"""The registry of landed files, raw.landed_files. Each content counts once."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path

import duckdb

from dagster_project.errors import IncompleteExport, RefusedFile
from dagster_project.landing import folder
from dagster_project.landing.deliveries import Place
from dagster_project.landing.folder import FileBytes


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
    """A landed file with its status. Sizes in bytes, times in UTC."""

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
    """Column letter by match key of the header, as JSON. For workbooks only."""
    known_columns: str | None = None
    """The columns of the format that the file has, in alphabetical order."""
    part: str | None = None
    """The blob of a manifest that this file is. Two blobs with the same content both count."""
    delivery: str | None = None
    """Id of the delivery: the files that a provider hands over at once. All of them count."""
    has_manifest: bool = False
    series: str | None = None
    """The export of which the delivery is one run."""
    run_group: str | None = None
    """The dated folder of the file."""
    delivered_at: datetime | None = None
    """The instant of the delivery, if its manifest, folder or name states one."""
    run_number: int | None = None
    is_whole_period: bool = False
    """Whether each run of the series contains its whole billing period to date."""
    base_name: str | None = None
    """The file name without the mark of a second download, such as (1)."""
    is_blocking: bool = False
    """Whether the file blocks publishing, because its amounts would be missing."""
    missing_parts: str | None = None
    """A sentence on a gap in the numbers of the parts that the file belongs to."""
    notes: str = "[]"
    """Findings on the file as JSON: objects with `kind` (a finding kind) and `message`."""


COLUMNS = tuple(each.name for each in fields(LandedFile))
"""The columns of raw.landed_files."""

OF_CONTENT = (
    "format",
    "content_hash",
    "row_count",
    "rejected_count",
    "unknown_columns",
    "sheet",
    "column_letters",
    "known_columns",
    "notes",
)
"""The columns that depend on the content only, not on the path."""


class KnownContents:
    """The contents that this run and earlier runs have read. No content is read twice."""

    def __init__(self, registry: list[LandedFile]) -> None:
        """Start from the registry of the last run."""
        self._by_file: dict[tuple[str | None, str | None], LandedFile] = {
            (each.file_hash, each.feed): each
            for each in registry
            if each.file_hash and each.status != "refused"
        }
        self.contents = {each.content_hash for each in self._by_file.values()}

    def find(self, here: LandedFile) -> LandedFile | None:
        """The result of an earlier reading of the same bytes, under the current path."""
        known = self._by_file.get((here.file_hash, here.feed))
        return known and replace(
            here,
            **{name: getattr(known, name) for name in OF_CONTENT},
        )

    def hashes(self, feed: str | None) -> frozenset[str]:
        """The hashes of the files of a feed that earlier runs have read."""
        return frozenset(
            file_hash for file_hash, known_feed in self._by_file if known_feed == feed and file_hash
        )

    def add(self, landed: LandedFile) -> None:
        """Record a content as read."""
        if landed.content_hash:
            self.contents.add(landed.content_hash)


def as_read(name: str, feed: str, file: FileBytes) -> LandedFile:
    """A file whose bytes are read, before its content is parsed."""
    return LandedFile(
        file=name,
        feed=feed,
        format=None,
        status="loaded",
        reason=None,
        file_hash=file.file_hash,
        content_hash=None,
        size_bytes=file.size_bytes,
        modified_at=folder.modified_at(file.modified_ns),
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
        is_blocking=isinstance(refusal, IncompleteExport),
        format=None,
        status="refused",
        reason=str(refusal),
        file_hash=None,
        content_hash=None,
        size_bytes=size_bytes,
        modified_at=folder.modified_at(modified_ns),
    )


def read_registry(connection: duckdb.DuckDBPyConnection) -> list[LandedFile]:
    """The registry of the last run."""
    rows = connection.execute(f"select {', '.join(COLUMNS)} from raw.landed_files").fetchall()
    return [LandedFile(*row) for row in rows]


def in_delivery(
    landed: LandedFile, place: Place, has_manifest: bool = False, part: str | None = None
) -> LandedFile:
    """The file of a bill with its delivery."""
    return replace(
        landed,
        part=part,
        delivery=place.delivery or f"file:{landed.content_hash}",
        has_manifest=has_manifest,
        series=place.series,
        run_group=place.run_group,
        delivered_at=place.delivered_at,
        run_number=place.run_number,
        is_whole_period=place.is_whole_period,
        base_name=place.base_name,
    )


def mark_copies(files: list[LandedFile]) -> list[LandedFile]:
    """Mark copies: a content counts once per delivery of several files, else once in total.

    The first file by name counts, with the earliest modification time of its copies. A content in
    two runs of an export belongs to both.
    """
    first: dict[tuple[str | None, ...], LandedFile] = {}
    in_delivery: dict[str, LandedFile] = {}
    for each in files:
        if each.content_hash:
            kept = first.setdefault(_identity(each), each)
            earliest = min(kept.modified_at, each.modified_at)
            first[_identity(each)] = replace(kept, modified_at=earliest)
            if _is_in_delivery(each):
                in_delivery.setdefault(each.content_hash, each)
    marked = []
    for each in files:
        kept_file = first.get(_identity(each)) if each.content_hash else None
        if kept_file and not _is_in_delivery(each):
            kept_file = in_delivery.get(each.content_hash or "", kept_file)
        if kept_file is None:
            marked.append(each)
        elif kept_file.file == each.file:
            marked.append(kept_file)
        else:
            marked.append(
                replace(each, status="duplicate", reason=f"same content as {kept_file.file}")
            )
    return marked


def _is_in_delivery(landed: LandedFile) -> bool:
    """Whether the delivery can have several files."""
    return landed.delivery is not None and not landed.delivery.startswith("file:")


def _identity(landed: LandedFile) -> tuple[str | None, ...]:
    if _is_in_delivery(landed):
        return (landed.content_hash, landed.delivery, landed.part)
    return (landed.content_hash,)


def newest_files(files: list[LandedFile]) -> dict[str, str]:
    """The file that is shown for each content: the file of the newest run that contains it."""
    counted = [each for each in files if each.status == "loaded" and each.content_hash]
    counted.sort(key=lambda each: each.file, reverse=True)
    counted.sort(
        key=lambda each: (
            each.delivered_at or datetime.min,
            each.run_number or 0,
            each.modified_at,
        )
    )
    return {each.content_hash: each.file for each in counted if each.content_hash}


def write_registry(connection: duckdb.DuckDBPyConnection, files: list[LandedFile]) -> None:
    """Replace the registry with the files of this run."""
    connection.execute("delete from raw.landed_files")
    for each in files:
        connection.execute(
            f"insert into raw.landed_files ({', '.join(COLUMNS)})"
            f" values ({', '.join('?' * len(COLUMNS))})",
            [getattr(each, column) for column in COLUMNS],
        )
