"""One file: its rows, read in the process that its size calls for, put into its raw table."""

import json
from dataclasses import replace
from pathlib import Path

import duckdb

from dagster_project.errors import (
    EmptyFile,
    IncompleteExport,
    ReaderEnded,
    RefusedFile,
    TooLarge,
    UnknownFeed,
    UnknownFormat,
)
from dagster_project.feeds import archives, manifests
from dagster_project.feeds.declarations import NO_DECLARATIONS, Declarations
from dagster_project.feeds.formats import FileFormat, match_key
from dagster_project.landing import (
    deliveries,
    folder,
    raw_tables,
    reader_process,
    registry,
    understanding,
)
from dagster_project.landing.folder import FileBytes
from dagster_project.landing.registry import KnownContents, LandedFile
from dagster_project.landing.understanding import ParsedFile, Reading
from dagster_project.settings import FEEDS, Limits


def recognize(
    path: Path, limits: Limits | None = None, declarations: Declarations = NO_DECLARATIONS
) -> tuple[bytes, FileFormat]:
    """The unpacked content of a file anywhere, and its format, found as it would be in landing.

    Raises RefusedFile, and FileNotFoundError.
    """
    limits = limits or Limits.from_environment()
    folder.require_finished(path)
    reading = Reading(limits, (), progress=lambda message: None, declarations=declarations)
    file = folder.examine(path, limits)
    if file.content is not None and manifests.is_manifest(file.content, path.name):
        raise UnknownFormat("the manifest of a billing export; it has no rows without its blobs")
    understood = only_file(parse(file, path.name, None, reading)).understood
    assert understood is not None
    if not understood.rows.table.num_rows and not understood.rows.rejected:
        raise EmptyFile("the file has a header and no rows")
    data, _ = folder.read_bytes(path, limits)
    return only_content(data, limits), understood.file_format


def require_within_limits(path: Path, reading: Reading) -> None:
    """Raise RefusedFile where reading the file would take more time or memory than it may."""
    try:
        parse(folder.examine(path, reading.limits), path.name, None, reading)
    except (ReaderEnded, TooLarge):
        raise
    except RefusedFile:
        # Refused for its content, about which an inspection says more.
        pass


def read_blob(
    here: LandedFile,
    file: FileBytes,
    connection: duckdb.DuckDBPyConnection,
    reading: Reading,
    known: KnownContents,
) -> LandedFile:
    """A file of a billing export, with its rows inserted. Raises RefusedFile."""
    parsed = only_file(parse(file, here.file, here.feed, reading))
    return store(here, parsed, connection, reading, known)


def only_file(parsed: tuple[ParsedFile, ...]) -> ParsedFile:
    """The file itself, or the only file in it. Raises UnknownFormat for several."""
    if len(parsed) > 1:
        raise UnknownFormat(f"a zip archive of {len(parsed)} files; unpack it")
    return parsed[0]


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
    file = folder.examine(path, reading.limits)
    here = registry.as_read(name, feed, file)
    if landed := known.find(here):
        return [landed]
    parsed = parse(file, name, feed, reading, known.hashes(feed))
    if not parsed[0].name:
        return [store(here, parsed[0], connection, reading, known)]
    # The files of a zip archive, all or none, as if the archive were a folder.
    landed_files: list[LandedFile] = []
    for each in parsed:
        part = replace(
            here,
            file=f"{here.file}/{folder.printable(each.name)}",
            file_hash=each.file_hash,
            size_bytes=each.size_bytes,
        )
        found = known.find(part)
        if found is None or each.understood is not None:
            found = store(part, each, connection, reading, known)
        landed_files.append(found)
    return landed_files


def parse(
    file: FileBytes,
    name: str,
    feed: str | None,
    reading: Reading,
    known_hashes: frozenset[str] = frozenset(),
) -> tuple[ParsedFile, ...]:
    """The rows of a landed file: small ones are read here, others in a process with limits.

    Raises RefusedFile.
    """
    if file.content is not None:
        members = archives.unpack_small(file.content, folder.SMALL_BYTES)
        if members is not None:
            return understanding.parse(members, name, feed, reading, known_hashes)
    return reader_process.parse(file, name, feed, reading, known_hashes)


def only_content(data: bytes, limits: Limits) -> bytes:
    """The content of a file that may be packed. Raises RefusedFile, also for several files."""
    members = archives.unpack(data, limits.unpacked_bytes)
    if len(members) > 1:
        raise UnknownFormat(f"a zip archive of {len(members)} files; unpack it")
    return members[0].content


def store(
    here: LandedFile,
    parsed: ParsedFile,
    connection: duckdb.DuckDBPyConnection,
    reading: Reading,
    known: KnownContents,
) -> LandedFile:
    """The file with its rows in their raw table, unless the same content is there already."""
    understood, content_hash = parsed.understood, parsed.content_hash
    assert understood is not None
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
