"""Archives to files: content, damage, and hostile archives."""

import gzip
import io
import time
import tracemalloc
import zipfile
from collections.abc import Callable

import openpyxl
import pytest

from dagster_project.errors import BrokenArchive, EmptyFile, RefusedFile, TooLarge, UnreadableText
from dagster_project.feeds.archives import ENTRY_LIMIT, Member, holds_workbook, unpack

LIMIT = 1_000_000


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return content.getvalue()


def only(data: bytes, limit: int = LIMIT) -> bytes:
    """The content of an archive of one file."""
    (member,) = unpack(data, limit)
    return member.content


ONE = zipped(("january.csv", b"seat,cost\n1,10\n"))


# --- zip --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_the_files_in_a_zip_archive_have_their_paths(method: int) -> None:
    data = zipped(("2026/a.csv", b"seat\n1\n"), ("2026/b.json", b"[]"), method=method)
    assert unpack(data, LIMIT) == (
        Member("2026/a.csv", b"seat\n1\n"),
        Member("2026/b.json", b"[]"),
    )


def test_folders_and_files_added_by_operating_systems_are_left_out() -> None:
    data = zipped(
        ("2026/", b""),
        ("2026/a.csv", b"seat\n1\n"),
        ("__MACOSX/2026/._a.csv", b"\x00\x05\x16"),
        (".DS_Store", b"\x00\x00"),
    )
    assert [member.name for member in unpack(data, LIMIT)] == ["2026/a.csv"]


@pytest.mark.parametrize("data", [zipped(), zipped(("2026/", b""))], ids=["nothing", "a folder"])
def test_a_zip_archive_without_files_is_empty(data: bytes) -> None:
    with pytest.raises(EmptyFile, match="no files"):
        unpack(data, LIMIT)


@pytest.mark.parametrize("inner", [ONE, gzip.compress(b"seat\n1\n")], ids=["zip", "gzip"])
def test_an_archive_in_an_archive_is_refused_with_what_to_do(inner: bytes) -> None:
    with pytest.raises(UnreadableText, match=r"more\.bin .*unpack the zip archive"):
        unpack(zipped(("a.csv", b"seat\n1\n"), ("more.bin", inner)), LIMIT)


def test_a_zip_archive_with_a_password_is_refused_with_advice() -> None:
    data = bytearray(ONE)
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UnreadableText, match="a password protects"):
        unpack(bytes(data), LIMIT)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused() -> None:
    with pytest.raises(BrokenArchive, match=r"two files called a\.csv"):
        unpack(zipped(("a.csv", b"seat\n1\n"), ("a.csv", b"seat\n2\n")), LIMIT)


@pytest.mark.parametrize("cut", [4, 40, len(ONE) // 2, len(ONE) - 1])
def test_a_truncated_zip_archive_is_refused(cut: int) -> None:
    with pytest.raises(BrokenArchive, match="the zip archive is truncated or damaged"):
        unpack(ONE[:cut], LIMIT)


def test_a_zip_archive_may_unpack_to_the_limit_and_not_a_byte_more() -> None:
    data = zipped(("a.csv", b"0" * 600), ("b.csv", b"0" * 400))
    assert len(unpack(data, 1000)) == 2
    with pytest.raises(TooLarge, match="1,000 bytes, over the limit of 999"):
        unpack(data, 999)


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    data = zipped(("a.csv", b"0" * 100_000_000))
    tracemalloc.start()
    with pytest.raises(TooLarge):
        unpack(data, LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_file_that_unpacks_to_more_than_it_declares_uses_no_extra_memory() -> None:
    size = 100_000_000
    data = zipped(("a.csv", b"0" * size))
    data = data.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    tracemalloc.start()
    with pytest.raises(RefusedFile):
        unpack(data, LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_zip_archive_with_too_many_entries_is_refused_quickly() -> None:
    data = zipped(*((f"{at}.csv", b"") for at in range(ENTRY_LIMIT + 1)))
    began = time.process_time()
    with pytest.raises(TooLarge, match="entries"):
        unpack(data, LIMIT)
    assert time.process_time() - began < 1


# --- workbooks, which are zip archives too ----------------------------------------------------


def test_a_workbook_is_one_file_complete_or_truncated() -> None:
    content = io.BytesIO()
    openpyxl.Workbook().save(content)
    book = content.getvalue()
    assert holds_workbook(book)
    assert holds_workbook(book[: len(book) // 2])
    assert unpack(book, 10) == (Member("", book),)
    assert not holds_workbook(ONE)
    assert not holds_workbook(ONE[:60])


# --- gzip -------------------------------------------------------------------------------------


def test_a_gzip_file_of_two_members_is_one_content() -> None:
    assert only(gzip.compress(b"seat\n1\n") + gzip.compress(b"2\n")) == b"seat\n1\n2\n"


def test_uncompressed_content_passes_through() -> None:
    assert only(b"seat\n1\n", 3) == b"seat\n1\n"


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[:-1],
        lambda packed: packed[:12],
        lambda packed: packed[:2],
        lambda packed: packed[:20] + b"\xff\xff" + packed[22:],
        lambda packed: packed + b"more",
    ],
    ids=["last byte", "in the middle", "after the magic", "overwritten", "something behind it"],
)
def test_a_truncated_gzip_file_is_refused(damage: Callable[[bytes], bytes]) -> None:
    packed = gzip.compress(bytes(range(256)) * 4)
    with pytest.raises(BrokenArchive, match="truncated or damaged"):
        unpack(damage(packed), 10_000)


def test_a_gzip_file_may_unpack_to_the_limit_and_not_a_byte_more() -> None:
    packed = gzip.compress(b"0" * 1000)
    assert len(only(packed, 1000)) == 1000
    with pytest.raises(TooLarge, match="999"):
        unpack(packed, 999)
