"""A file that has not landed: its content and its format."""

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dagster_project.errors import EmptyFile, UnknownFormat
from dagster_project.landing.contents import recognize

RATES = b"From Currency,To Currency,Date,Rate\n"
RATE = b"EUR,USD,2026-01-31,1.2\n"


def written(folder: Path, content: bytes, name: str = "rates.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def zipped(*contents: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for at, content in enumerate(contents):
            archive.writestr(f"{at}.csv", content)
    return packed.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zipped], ids=["plain", "gzip", "zip"])
def test_the_content_of_a_file_is_returned_unpacked(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    content, file_format = recognize(written(tmp_path, pack(RATES + RATE)))
    assert (content, file_format.name) == (RATES + RATE, "exchange_rates")


def test_an_archive_of_two_files_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, zipped(RATES + RATE, RATES + b"EUR,GBP,2026-01-31,0.8\n"))
    with pytest.raises(UnknownFormat, match="2 files; unpack it"):
        recognize(path)


def test_a_header_alone_is_refused_and_a_row_that_cannot_be_read_is_not(tmp_path: Path) -> None:
    with pytest.raises(EmptyFile, match="a header and no rows"):
        recognize(written(tmp_path, RATES))
    content, _ = recognize(written(tmp_path, RATES + b"EUR,USD\n"))
    assert content == RATES + b"EUR,USD\n"


def test_a_manifest_is_no_file_of_rows(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormat, match="no rows without its blobs"):
        recognize(written(tmp_path, b'{"blobs": []}', "manifest.json"))
