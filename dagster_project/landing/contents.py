"""One file: its format, its rows, and the rows put into its raw table."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from dagster_project.errors import (
    EmptyFile,
    RefusedFile,
    RepeatedColumns,
    UnknownFeed,
    UnknownFormat,
)
from dagster_project.feeds import formats, manifests, parquet_files, readers, workbooks
from dagster_project.feeds.formats import FileFormat, match_key
from dagster_project.landing import folder, raw_tables, registry
from dagster_project.landing.forgetting import ForgottenIdentifier
from dagster_project.landing.registry import KnownContents, LandedFile
from dagster_project.settings import FEEDS, Limits

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Reading:
    """How this run reads: within which limits, whom to leave out, and whom to tell."""

    limits: Limits
    forgotten: tuple[ForgottenIdentifier, ...]
    progress: Progress


def recognize(path: Path, limits: Limits | None = None) -> tuple[bytes, FileFormat]:
    """The bytes of a file that lies anywhere, and its format, found as it would be in landing.

    Raises RefusedFile, and FileNotFoundError.
    """
    limits = limits or Limits.from_environment()
    folder.require_finished(path)
    data, _ = folder.read_bytes(path, limits)
    if manifests.is_manifest(data):
        raise UnknownFormat("the manifest of a billing export, which is nothing without its blobs")
    reading = Reading(limits, (), progress=lambda message: None)
    rows = rows_of(readers.unpack(data, limits.unpacked_bytes), reading, path.name)
    try:
        file_format = formats.identify(rows.headers)
    except RefusedFile as refusal:
        raise on_sheet(rows, refusal) from refusal
    formats.require_container(file_format, rows.container)
    if not rows.table.num_rows and not rows.rejected:
        raise EmptyFile("the file has a header and no rows")
    return data, file_format


def read_file(
    path: Path,
    name: str,
    connection: duckdb.DuckDBPyConnection,
    reading: Reading,
    known: KnownContents,
) -> LandedFile:
    """One file of landing that is no part of an export. Raises RefusedFile."""
    feed = folder.feed_of(name)
    folder.require_finished(path)
    if feed is None:
        raise UnknownFeed(f"not in the folder of a feed; the feeds are {', '.join(FEEDS)}")
    data, modified_ns = folder.read_bytes(path, reading.limits)
    here = registry.as_read(name, feed, data, modified_ns)
    return known.find(here) or read_content(here, data, connection, reading, known)


def read_content(
    here: LandedFile,
    data: bytes,
    connection: duckdb.DuckDBPyConnection,
    reading: Reading,
    known: KnownContents,
    part: str | None = None,
) -> LandedFile:
    """The rows of a file's bytes, inserted unless the same content is there already."""
    assert here.feed is not None
    content = readers.unpack(data, reading.limits.unpacked_bytes)
    # The feed is part of the identity: a file in the wrong folder is refused there. So are the
    # export and the part of it: parts count together, also where they are alike.
    identity = f"{here.feed}\0{here.delivery or ''}\0{part or ''}\0".encode()
    content_hash = hashlib.sha256(identity + content).hexdigest()
    rows = rows_of(content, reading, here.file)
    try:
        file_format = formats.find_format(here.feed, rows.headers)
    except (UnknownFormat, RepeatedColumns) as refusal:
        if here.feed == "directory":
            # A file without a header has a person in its place.
            raise type(refusal)("the header is of no format known for directory") from None
        raise on_sheet(rows, refusal) from refusal
    except RefusedFile as refusal:
        raise on_sheet(rows, refusal) from refusal
    formats.require_container(file_format, rows.container)
    _, unknown = file_format.assign(rows.headers)
    landed = replace(
        here,
        format=file_format.name,
        content_hash=content_hash,
        row_count=rows.table.num_rows,
        rejected_count=len(rows.rejected),
        unknown_columns=json.dumps(unknown, ensure_ascii=False),
        sheet=rows.sheet,
        column_letters=json.dumps(
            {match_key(header): letters for header, letters in rows.column_letters.items()}
        ),
    )
    if content_hash not in known.contents:
        reading.progress(
            f"reading   {landed.file} ({file_format.name}, {rows.table.num_rows:,} rows)"
        )
        raw_tables.insert(connection, landed, file_format, rows, reading.forgotten)
    return landed


def on_sheet(rows: readers.LandedRows, refusal: RefusedFile) -> RefusedFile:
    """The refusal with the sheet's name, where the file is a workbook."""
    return type(refusal)(f"sheet {rows.sheet}: {refusal}") if rows.sheet else refusal


def rows_of(content: bytes, reading: Reading, name: str) -> readers.LandedRows:
    """The rows of a file's content, whatever kind of file it is."""
    if workbooks.is_workbook(content):
        book = workbooks.read_workbook(content, reading.limits.workbook_bytes)
        if book.ignored_sheets:
            ignored = ", ".join(book.ignored_sheets)
            reading.progress(f"sheets    {name}: {book.sheet} is read, not {ignored}")
        return replace(
            book.rows,
            container=formats.WORKBOOK,
            sheet=book.sheet,
            column_letters=book.column_letters,
        )
    if parquet_files.is_parquet(content):
        rows = parquet_files.read_parquet(content, reading.limits.unpacked_bytes)
        return replace(rows, container=formats.PARQUET)
    return readers.read_rows(content)
