"""One file: its format, its rows, and the rows put into its raw table."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from dagster_project.errors import (
    EmptyFile,
    IncompleteExport,
    RefusedFile,
    RepeatedColumns,
    UnknownFeed,
    UnknownFormat,
    UnreadableText,
)
from dagster_project.feeds import (
    archives,
    formats,
    licenses,
    manifests,
    mapping,
    parquet_files,
    readers,
    workbooks,
)
from dagster_project.feeds.conventions import convert
from dagster_project.feeds.declarations import NO_DECLARATIONS, Declaration, Declarations
from dagster_project.feeds.formats import FileFormat, match_key
from dagster_project.landing import deliveries, folder, raw_tables, registry
from dagster_project.landing.forgetting import ForgottenIdentifier
from dagster_project.landing.registry import FileNote, KnownContents, LandedFile
from dagster_project.settings import FEEDS, Limits

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Reading:
    """The settings of a reading: limits, forgotten people, log and declarations."""

    limits: Limits
    forgotten: tuple[ForgottenIdentifier, ...]
    progress: Progress
    declarations: Declarations = NO_DECLARATIONS


@dataclass(frozen=True)
class UnderstoodFile:
    """The rows of a file under the columns of its format, in the forms that staging reads."""

    file_format: FileFormat
    rows: readers.LandedRows
    subscription_header: str | None
    """The column that apportion.toml declares to hold the subscription."""
    notes: tuple[FileNote, ...]


def recognize(
    path: Path, limits: Limits | None = None, declarations: Declarations = NO_DECLARATIONS
) -> tuple[bytes, FileFormat]:
    """The unpacked content of a file anywhere, and its format, found as it would be in landing.

    Raises RefusedFile, and FileNotFoundError.
    """
    limits = limits or Limits.from_environment()
    folder.require_finished(path)
    data, _ = folder.read_bytes(path, limits)
    if manifests.is_manifest(data, path.name):
        raise UnknownFormat("the manifest of a billing export; it has no rows without its blobs")
    reading = Reading(limits, (), progress=lambda message: None, declarations=declarations)
    content = only_content(data, limits)
    understood = understand(content, path.name, None, reading)
    if not understood.rows.table.num_rows and not understood.rows.rejected:
        raise EmptyFile("the file has a header and no rows")
    return content, understood.file_format


def read_file(
    path: Path,
    name: str,
    connection: duckdb.DuckDBPyConnection,
    reading: Reading,
    known: KnownContents,
) -> list[LandedFile]:
    """A landed file that is not part of an export, or each file in a landed zip archive.

    Raises RefusedFile.
    """
    feed = folder.feed_of(name)
    folder.require_finished(path)
    if feed is None:
        raise UnknownFeed(f"not in the folder of a feed; the feeds are {', '.join(FEEDS)}")
    if feed == "billing_lines" and deliveries.EXPORT_BLOB.fullmatch(path.name):
        raise IncompleteExport(
            "a blob of a billing export without its manifest.json: copy the manifest here too, or"
            " rename the file if it is a whole bill"
        )
    data, modified_ns = folder.read_bytes(path, reading.limits)
    here = registry.as_read(name, feed, data, modified_ns)
    if landed := known.find(here):
        return [landed]
    members = archives.unpack(data, reading.limits.unpacked_bytes)
    if not members[0].name:
        return [read_content(here, members[0].content, connection, reading, known)]
    return _read_members(here, members, connection, reading, known)


def _read_members(
    archive: LandedFile,
    members: tuple[archives.Member, ...],
    connection: duckdb.DuckDBPyConnection,
    reading: Reading,
    known: KnownContents,
) -> list[LandedFile]:
    """The files of a zip archive, all or none, as if the archive were a folder."""
    assert archive.feed is not None
    files = [
        replace(
            archive,
            file=f"{archive.file}/{folder.printable(member.name)}",
            file_hash=hashlib.sha256(member.content).hexdigest(),
            size_bytes=len(member.content),
        )
        for member in members
    ]
    found = [landed for file in files if (landed := known.find(file))]
    if len(found) == len(files):
        return found
    understood = []
    for member, file in zip(members, files, strict=True):
        try:
            understood.append(understand(member.content, file.file, archive.feed, reading))
        except RefusedFile as refusal:
            whole = "the whole zip archive is refused: " if len(members) > 1 else ""
            raise type(refusal)(f"{whole}{folder.printable(member.name)}: {refusal}") from refusal
    return [
        # A file that also landed alone, or in another archive, has the same content.
        _store(file, _content_hash(archive.feed, member.content), each, connection, reading, known)
        for member, file, each in zip(members, files, understood, strict=True)
    ]


def only_content(data: bytes, limits: Limits) -> bytes:
    """The content of a file that may be packed. Raises RefusedFile, also for several files."""
    members = archives.unpack(data, limits.unpacked_bytes)
    if len(members) > 1:
        raise UnknownFormat(f"a zip archive of {len(members)} files; unpack it")
    return members[0].content


def read_content(
    here: LandedFile,
    content: bytes,
    connection: duckdb.DuckDBPyConnection,
    reading: Reading,
    known: KnownContents,
) -> LandedFile:
    """The rows of a file's unpacked content, inserted unless the same content is there already."""
    assert here.feed is not None
    understood = understand(content, here.file, here.feed, reading)
    content_hash = _content_hash(here.feed, content)
    return _store(here, content_hash, understood, connection, reading, known)


def _content_hash(feed: str, content: bytes) -> str:
    # The feed is part of the hash, because a file in the wrong folder is refused there.
    return hashlib.sha256(f"{feed}\0".encode() + content).hexdigest()


def _store(
    here: LandedFile,
    content_hash: str,
    understood: UnderstoodFile,
    connection: duckdb.DuckDBPyConnection,
    reading: Reading,
    known: KnownContents,
) -> LandedFile:
    """The file with its rows in their raw table."""
    rows, file_format = understood.rows, understood.file_format
    header_by_column, unknown = file_format.assign(rows.headers)
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
        known_columns=", ".join(sorted(header_by_column)),
        notes=registry.notes_as_json(understood.notes),
    )
    if content_hash not in known.contents:
        reading.progress(
            f"reading   {landed.file} ({file_format.name}, {rows.table.num_rows:,} rows)"
        )
        for note in understood.notes:
            reading.progress(f"note      {landed.file}: {note.message}")
        raw_tables.insert(
            connection,
            landed,
            file_format,
            rows,
            reading.forgotten,
            understood.subscription_header,
        )
        known.add(landed)
    return landed


def understand(content: bytes, name: str, feed: str | None, reading: Reading) -> UnderstoodFile:
    """The rows of a file's unpacked content in a format of `feed`, or of any feed if it is None.

    Raises RefusedFile.
    """
    declared = reading.declarations.of_file(name)
    as_they_stand = rows_as_they_stand(content, reading, name, declared)
    try:
        mapping_done = mapping.mapped(as_they_stand, declared)
        rows = mapping_done.rows
        file_format = _format_of(rows, feed, declared)
        mapping.require_known_columns(declared, file_format)
        licenses.require_licenses(file_format, rows)
        subscription_header = mapping.subscription_header(rows, declared)
    except (UnknownFormat, RepeatedColumns) as refusal:
        if feed == "directory":
            # In a file without a header, the first row names a person.
            raise type(refusal)("the header matches no format of directory") from None
        raise _explained(as_they_stand, refusal, feed) from refusal
    except RefusedFile as refusal:
        raise _explained(as_they_stand, refusal, feed) from refusal
    converted = convert(rows, file_format, declared)
    notes = [FileNote("date_order_inferred", message) for message in converted.notes]
    if as_they_stand.next_page is not None:
        notes.append(
            FileNote(
                "pages_missing",
                "the file is a page of a response and links to a next page; its content does not"
                " show whether another file is that page: save all pages in one file, one after"
                " the other, and remove the files of single pages",
            )
        )
    if mapping_done.skipped_count:
        notes.append(
            FileNote(
                "rows_skipped",
                f"{mapping_done.skipped_count} rows are skipped as apportion.toml states"
                f" (skip_rows = {', '.join(declared.skip_rows)})",
            )
        )
    return UnderstoodFile(file_format, converted.rows, subscription_header, tuple(notes))


def _format_of(rows: readers.LandedRows, feed: str | None, declared: Declaration) -> FileFormat:
    if declared.format is not None:
        file_format = formats.require_format(declared.format, rows.headers, feed)
    elif feed is not None:
        file_format = formats.find_format(feed, rows.headers)
    else:
        file_format = formats.identify(rows.headers)
    formats.require_container(file_format, rows.container, is_declared=bool(declared.stated()))
    return file_format


def _explained(rows: readers.LandedRows, refusal: RefusedFile, feed: str | None) -> RefusedFile:
    """The refusal, or its cause: a header that is not text in the encoding of the file."""
    damaged = next((each for each in rows.headers if readers.REPLACEMENT in each), None)
    if damaged is None or rows.encoding is None or feed == "directory":
        return on_sheet(rows, refusal)
    name = rows.encoding.removesuffix("-sig").upper()
    return UnreadableText(
        f"the column {damaged} in the header is not {name} text; state its encoding in"
        " apportion.toml, e.g. cp1252 or shift_jis, or save the file as CSV UTF-8"
    )


def on_sheet(rows: readers.LandedRows, refusal: RefusedFile) -> RefusedFile:
    """The refusal with the sheet's name, where the file is a workbook."""
    return type(refusal)(f"sheet {rows.sheet}: {refusal}") if rows.sheet else refusal


def rows_as_they_stand(
    content: bytes, reading: Reading, name: str, declared: Declaration
) -> readers.LandedRows:
    """The rows of a file's content under its own header, whatever kind of file it is.

    Raises RefusedFile.
    """
    if workbooks.is_workbook(content):
        book = workbooks.read_workbook(content, reading.limits.workbook_bytes, declared)
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
    return readers.read_rows(content, declared)
