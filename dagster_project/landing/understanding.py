"""Files to rows under the columns of their format: what a file says, without a database.

Belongs here: unpacking, the format, the rows and their forms, for one file and for each file in an
archive. Does not: the process that this runs in (reader_process) and raw tables (contents).
"""

import hashlib
from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from dagster_project.errors import (
    RefusedFile,
    RepeatedColumns,
    UnknownFormat,
    UnreadableText,
)
from dagster_project.feeds import (
    archives,
    cut_digits,
    formats,
    json_records,
    licenses,
    mapping,
    parquet_files,
    readers,
    totals,
    workbooks,
)
from dagster_project.feeds.conventions import convert
from dagster_project.feeds.declarations import NO_DECLARATIONS, Declaration, Declarations
from dagster_project.feeds.formats import FileFormat
from dagster_project.landing import folder
from dagster_project.landing.forgetting import ForgottenIdentifier
from dagster_project.landing.registry import FileNote
from dagster_project.settings import Limits

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Reading:
    """The settings of a reading: limits, forgotten people, log and declarations."""

    limits: Limits
    forgotten: tuple[ForgottenIdentifier, ...]
    progress: Progress
    declarations: Declarations = NO_DECLARATIONS
    scratch: Path | None = None
    """The folder for rows on their way from the process that reads them; the system's without."""


@dataclass(frozen=True)
class UnderstoodFile:
    """The rows of a file under the columns of its format, in the forms that staging reads."""

    file_format: FileFormat
    rows: readers.LandedRows
    subscription_header: str | None
    """The column that apportion.toml declares to hold the subscription."""
    notes: tuple[FileNote, ...]


@dataclass(frozen=True)
class ParsedFile:
    """A landed file, or one file of a landed archive, with its rows unless they are known."""

    name: str
    """The name in the archive; empty for a file that is no archive of several."""
    size_bytes: int
    file_hash: str | None
    """For a file of an archive: the hash of its bytes."""
    content_hash: str
    understood: UnderstoodFile | None


def parse(
    members: tuple[archives.Member | archives.StreamedMember, ...],
    name: str,
    feed: str | None,
    reading: Reading,
    known_hashes: Container[str] = (),
) -> tuple[ParsedFile, ...]:
    """The rows of each file that `archives.unpack` or `archives.open_members` found.

    An archive whose files are all in `known_hashes` is not parsed. Raises RefusedFile for the whole
    archive where one of its files cannot be used.
    """
    if not members[0].name:
        content = members[0].content
        rows = understand(content, name, feed, reading)
        return (ParsedFile("", _size(content), None, _content_hash(feed, content), rows),)
    hashes = [hashlib.sha256(_bytes(member)).hexdigest() for member in members]
    is_known = all(each in known_hashes for each in hashes)
    parsed = []
    for member, file_hash in zip(members, hashes, strict=True):
        understood = None
        if not is_known:
            place = f"{name}/{folder.printable(member.name)}"
            try:
                understood = understand(member.content, place, feed, reading)
            except RefusedFile as refusal:
                whole = "the whole zip archive is refused: " if len(members) > 1 else ""
                raise type(refusal)(
                    f"{whole}{folder.printable(member.name)}: {refusal}"
                ) from refusal
        # A file that also landed alone, or in another archive, has the same content.
        content_hash = _content_hash(feed, member.content)
        size = _size(member.content)
        parsed.append(ParsedFile(member.name, size, file_hash, content_hash, understood))
    return tuple(parsed)


def _bytes(member: archives.Member | archives.StreamedMember) -> bytes:
    assert isinstance(member.content, bytes)
    return member.content


def _size(content: bytes | archives.Unpacked) -> int:
    return len(content) if isinstance(content, bytes) else content.size_bytes


def hash_prefix(feed: str | None) -> bytes:
    """The beginning of what a content hash is of: a file in the wrong folder is refused there."""
    return f"{feed}\0".encode()


def _content_hash(feed: str | None, content: bytes | archives.Unpacked) -> str:
    if isinstance(content, bytes):
        digest = hashlib.sha256(hash_prefix(feed))
        digest.update(content)
        return digest.hexdigest()
    return content.digest()


def understand(
    content: bytes | BinaryIO, name: str, feed: str | None, reading: Reading
) -> UnderstoodFile:
    """The rows of a file's unpacked content in a format of `feed`, or of any feed if it is None.

    A stream is text. Raises RefusedFile.
    """
    declared = reading.declarations.of_file(name)
    as_they_stand = rows_as_they_stand(content, reading, name, declared)
    try:
        mapping_done = mapping.mapped(as_they_stand, declared)
        rows = mapping_done.rows
        file_format = _format_of(rows, feed, declared)
        mapping.require_known_columns(declared, file_format)
        licenses.require_licenses(file_format, rows)
        rows = licenses.with_ids(file_format, rows)
        subscription_header = mapping.subscription_header(rows, declared)
    except (UnknownFormat, RepeatedColumns) as refusal:
        if feed == "directory":
            # In a file without a header, the first row names a person.
            raise type(refusal)("the header matches no format of directory") from None
        if isinstance(refusal, UnknownFormat) and (envelope := _unread_list(as_they_stand)):
            raise UnknownFormat(envelope) from refusal
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
    if cut := cut_digits.note_on_ids(converted.rows, file_format, subscription_header):
        notes.append(FileNote("id_digits_cut", cut))
    if mapping_done.skipped_count:
        notes.append(
            FileNote(
                "rows_skipped",
                f"{mapping_done.skipped_count} rows are skipped as apportion.toml states"
                f" (skip_rows = {', '.join(declared.skip_rows)})",
            )
        )
    landed = totals.explain_totals(converted.rows, file_format)
    return UnderstoodFile(file_format, landed, subscription_header, tuple(notes))


def _format_of(rows: readers.LandedRows, feed: str | None, declared: Declaration) -> FileFormat:
    if declared.format is not None:
        file_format = formats.require_format(declared.format, rows.headers, feed)
    elif feed is not None:
        file_format = formats.find_format(feed, rows.headers)
    else:
        file_format = formats.identify(rows.headers)
    formats.require_container(file_format, rows.container, is_declared=bool(declared.stated()))
    return file_format


def _unread_list(rows: readers.LandedRows) -> str | None:
    """The problem of a JSON object that has its rows under a name that is not read."""
    is_json = rows.container == formats.TEXT and rows.delimiter is None
    if not is_json or rows.table.num_rows != 1:
        return None
    path = json_records.unread_rows(rows.table.to_pylist()[0])
    if path is None:
        return None
    names = ", ".join((*json_records.ROWS_OF_AN_ANSWER, json_records.OLDER_ODATA))
    return (
        f"the JSON is one object with a list of objects in {path}; rows are read from an array,"
        f" from JSON lines, or from a list named {names}: save the list alone, as an array"
    )


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
    content: bytes | BinaryIO, reading: Reading, name: str, declared: Declaration
) -> readers.LandedRows:
    """The rows of a file's content under its own header, whatever kind of file it is.

    Raises RefusedFile.
    """
    return readers.within_limits(_rows_of_any_kind(content, reading, name, declared))


def _rows_of_any_kind(
    content: bytes | BinaryIO, reading: Reading, name: str, declared: Declaration
) -> readers.LandedRows:
    if not isinstance(content, bytes):
        return readers.read_rows(content, declared)
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
