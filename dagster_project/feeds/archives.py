"""Archives from unknown senders: opened within limits; damage and passwords are reported.

Belongs here: gzip and zip with any content. Does not: the meaning of the files in them. A
workbook is a zip archive too; its parts are for `workbooks`.
"""

import gzip
import hashlib
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, BinaryIO, NamedTuple, cast

from dagster_project.errors import BrokenArchive, EmptyFile, TooLarge, UnreadableText

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"
EMPTY_ZIP = b"PK\x05\x06"
ENTRY_MAGIC = b"PK\x01\x02"
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The first bytes of older workbooks, and of those that a password protects."""

PARQUET_MAGIC = (b"PAR1", b"PARE")
NOT_TEXT = (ZIP_MAGIC, OLE_MAGIC, *PARQUET_MAGIC)

PARTS_OF_A_WORKBOOK = ("[Content_Types].xml", "_rels/.rels", "mimetype")
"""Every workbook has one of these parts, .ods among them."""

FIRST_PARTS_OF_A_WORKBOOK = (*PARTS_OF_A_WORKBOOK, "docProps/", "xl/")
"""The first part of a workbook is one of these, or in one of these folders."""

ENTRY_LIMIT = 10_000
"""Entries of one archive; a large workbook has some hundreds."""


class Unpacked(io.BufferedReader):
    """Text that is unpacked while it is read, once; its size and hash are known at its end."""

    def __init__(self, source: BinaryIO, limit: int, what: str, prefix: bytes) -> None:
        """`what` names the text in the messages of BrokenArchive and TooLarge."""
        self._bounded = _Bounded(source, limit, what, prefix)
        super().__init__(self._bounded, buffer_size=1024**2)

    @property
    def size_bytes(self) -> int:
        """The bytes read so far."""
        return self._bounded.size_bytes

    def digest(self) -> str:
        """The SHA-256 of the prefix and the whole text."""
        while self.read(1024**2):
            pass
        return self._bounded.hash.hexdigest()


class _Bounded(io.RawIOBase):
    def __init__(self, source: BinaryIO, limit: int, what: str, prefix: bytes) -> None:
        self._source, self._limit, self._what = source, limit, what
        self.size_bytes = 0
        self.hash = hashlib.sha256(prefix)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._source.read(len(buffer))
        except (EOFError, OSError, zlib.error) as error:
            raise BrokenArchive(f"{self._what} is truncated or damaged ({error})") from error
        self.size_bytes += len(data)
        if self.size_bytes > self._limit:
            raise TooLarge(f"{self._what} unpacks to more than the limit of {self._limit:,} bytes")
        self.hash.update(data)
        buffer[: len(data)] = data
        return len(data)


class Member(NamedTuple):
    """A file in an archive, with its path there."""

    name: str
    content: bytes


class StreamedMember(NamedTuple):
    """A file that is text and no archive of several files; the name is empty."""

    name: str
    content: Unpacked


def unpack(data: bytes, limit: int) -> tuple[Member, ...]:
    """The files in a gzip or zip archive; any other data is one file without a name.

    `limit` is the size in bytes to which the archive may unpack. Folders and the hidden files
    that operating systems add are left out. Raises TooLarge, BrokenArchive if the archive is
    truncated or damaged, EmptyFile if it has no file, and UnreadableText if a password protects it
    or if it contains a further archive.
    """
    if data.startswith(GZIP_MAGIC):
        return (Member("", _unpack_gzip(data, limit)),)
    if not data.startswith((ZIP_MAGIC, EMPTY_ZIP)) or holds_workbook(data):
        return (Member("", data),)
    with open_zip(data, limit, "the zip archive") as archive:
        members = tuple(
            Member(entry.filename, archive.read(entry))
            for entry in archive.infolist()
            if not entry.is_dir() and not _is_hidden(entry.filename)
        )
    if not members:
        raise EmptyFile("the zip archive has no files")
    names = [member.name for member in members]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BrokenArchive(f"the zip archive has two files called {twice[0]}")
    for name, content in members:
        if content.startswith((GZIP_MAGIC, ZIP_MAGIC, OLE_MAGIC)):
            raise UnreadableText(
                f"{name} in the zip archive is an archive or a workbook; unpack the zip archive"
                " into this folder"
            )
    return members


def unpack_small(data: bytes, limit: int) -> tuple[Member, ...] | None:
    """As `unpack`, if everything in the file is text or a workbook of at most `limit` bytes.

    Raises BrokenArchive, EmptyFile and UnreadableText.
    """
    if len(data) > limit:
        return None
    try:
        members = unpack(data, limit)
        for each in members:
            if each.content.startswith(PARQUET_MAGIC):
                return None
            if holds_workbook(each.content):
                with open_zip(each.content, limit, "the workbook"):
                    pass
    except TooLarge:
        return None
    return members


def open_members(file: BinaryIO, limit: int, prefix: bytes) -> tuple[Member | StreamedMember, ...]:
    """As `unpack`, from a file; text that is no part of a zip archive becomes a stream.

    `prefix` is hashed before the text of a stream.
    """
    magic = file.read(8)
    file.seek(0)
    if magic.startswith(GZIP_MAGIC):
        what, source = "the gzip file", cast(BinaryIO, gzip.GzipFile(fileobj=file))
    else:
        what, source = "the file", file
    stream = Unpacked(source, limit, what, prefix)
    if magic.startswith((ZIP_MAGIC, EMPTY_ZIP)):
        return unpack(stream.read(), limit)
    if stream.peek(8).startswith(NOT_TEXT):
        return (Member("", stream.read()),)
    return (StreamedMember("", stream),)


def holds_workbook(data: bytes) -> bool:
    """Whether a zip archive is a workbook, as far as its list of entries can be read."""
    if not data.startswith(ZIP_MAGIC) or data.count(ENTRY_MAGIC) > ENTRY_LIMIT:
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, OverflowError, ValueError, struct.error):
        # The list is at the end. A truncated archive still has the first name.
        return data[30:].startswith(tuple(part.encode() for part in FIRST_PARTS_OF_A_WORKBOOK))
    return not set(PARTS_OF_A_WORKBOOK).isdisjoint(names)


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def _unpack_gzip(data: bytes, limit: int) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as archive:
            unpacked = archive.read(limit + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise BrokenArchive(f"the gzip file is truncated or damaged ({error})") from error
    if len(unpacked) > limit:
        raise TooLarge(f"the gzip file unpacks to more than the limit of {limit:,} bytes")
    return unpacked


class _BoundedZip(zipfile.ZipFile):
    """An archive whose entries never unpack to more than they declare, not even temporarily."""

    def read(self, name: str | zipfile.ZipInfo, pwd: bytes | None = None) -> bytes:
        with self.open(name, pwd=pwd) as entry:
            return b"".join(iter(lambda: entry.read(65536), b""))


@contextmanager
def open_zip(content: bytes, limit: int, what: str) -> Iterator[zipfile.ZipFile]:
    """The archive in `content`, checked before anything is unpacked; `what` names it in messages.

    `limit` is the size in bytes to which all entries together may unpack. Raises TooLarge,
    UnreadableText where a password protects an entry, and BrokenArchive where the archive is cut
    or damaged, also while its entries are read.
    """
    # Counted before the archive is opened: opening reads a record per entry into memory.
    if content.count(ENTRY_MAGIC) > ENTRY_LIMIT:
        raise TooLarge(f"{what} has more than the limit of {ENTRY_LIMIT:,} entries")
    try:
        with _BoundedZip(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > limit:
                raise TooLarge(
                    f"{what} unpacks to {unpacked:,} bytes, over the limit of {limit:,} bytes"
                )
            if any(entry.flag_bits & 0x1 for entry in archive.infolist()):
                raise UnreadableText(f"a password protects {what}; save it without one")
            yield archive
    except (
        EOFError,
        NotImplementedError,
        OSError,
        OverflowError,
        RuntimeError,
        ValueError,
        lzma.LZMAError,
        struct.error,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise BrokenArchive(f"{what} is truncated or damaged ({error})") from error
