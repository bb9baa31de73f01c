"""The registry of landed files: raw.landed_files, and each content counted once."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path

import duckdb

from dagster_project.errors import IncompleteExport, RefusedFile
from dagster_project.landing import folder
from dagster_project.landing.deliveries import Place


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
    known_columns: str | None = None
    """The columns of the format that the file has, in alphabetical order."""
    part: str | None = None
    """The blob of a manifest that the file is; two blobs may be alike and count both."""
    delivery: str | None = None
    """The files of a bill that are handed over at once; all of them count together."""
    has_manifest: bool = False
    series: str | None = None
    """The export that the delivery is a run of."""
    run_group: str | None = None
    """The dated folder that the file lies in."""
    delivered_at: datetime | None = None
    """When the delivery was made, where its manifest, folder or name says so."""
    run_number: int | None = None
    is_whole_period: bool = False
    """Each run of the series holds its billing period to date, as a whole."""
    base_name: str | None = None
    """The file name without what marks a second download."""
    is_blocking: bool = False
    """Nothing is published while the file is as it is: its money would be missing."""
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
"""What a file's bytes say, wherever the file lies."""


class KnownContents:
    """What earlier runs and this one have read, so that no content is read twice."""

    def __init__(self, registry: list[LandedFile]) -> None:
        """Begin with the registry that the last run left."""
        self._by_file: dict[tuple[str | None, str | None], LandedFile] = {
            (each.file_hash, each.feed): each
            for each in registry
            if each.file_hash and each.status != "refused"
        }
        self.contents = {each.content_hash for each in self._by_file.values()}

    def find(self, here: LandedFile) -> LandedFile | None:
        """What became of these bytes when they were read, put under the name they have now."""
        known = self._by_file.get((here.file_hash, here.feed))
        return known and replace(
            here,
            **{name: getattr(known, name) for name in OF_CONTENT},
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
    """The registry that the last run left."""
    rows = connection.execute(f"select {', '.join(COLUMNS)} from raw.landed_files").fetchall()
    return [LandedFile(*row) for row in rows]


def in_delivery(
    landed: LandedFile, place: Place, has_manifest: bool = False, part: str | None = None
) -> LandedFile:
    """A file of a bill with what is known of the delivery that it belongs to."""
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
    """Each content counts once in a delivery of several files, and once among all other files.

    A copy keeps the first name and the earliest time it was written. A content that two runs of an
    export share is a part of both.
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
    """Whether the file is handed over together with others."""
    return landed.delivery is not None and not landed.delivery.startswith("file:")


def _identity(landed: LandedFile) -> tuple[str | None, ...]:
    if _is_in_delivery(landed):
        return (landed.content_hash, landed.delivery, landed.part)
    return (landed.content_hash,)


def newest_files(files: list[LandedFile]) -> dict[str, str]:
    """The file that shows for each content: of several runs that share it, the newest one's."""
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
    """Replace the registry by this run's files."""
    connection.execute("delete from raw.landed_files")
    for each in files:
        connection.execute(
            f"insert into raw.landed_files ({', '.join(COLUMNS)})"
            f" values ({', '.join('?' * len(COLUMNS))})",
            [getattr(each, column) for column in COLUMNS],
        )
