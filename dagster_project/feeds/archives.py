"""Zip archives from unknown senders: opened within limits, damage and passwords named.

Belongs here: what holds for every zip archive, whatever it contains. Does not: what its entries
mean (`workbooks`).
"""

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from dagster_project.errors import BrokenArchive, TooLarge, UnreadableText

ZIP_MAGIC = b"PK\x03\x04"
ENTRY_MAGIC = b"PK\x01\x02"

ENTRY_LIMIT = 10_000
"""Entries of one archive; a large workbook has some hundreds."""


class _BoundedZip(zipfile.ZipFile):
    """An archive whose entries never unpack to more than they declare, not even for a moment."""

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
        lzma.LZMAError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise BrokenArchive(f"{what} is cut or damaged ({error})") from error
