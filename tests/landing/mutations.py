"""Damage to landed files, as disks, networks and programs cause it, and as an attacker writes it.

Belongs here: files of every kind and how they are damaged. Does not: what must be true of a damaged
file afterwards (test_mutations).
"""

import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import xlsxwriter
from conftest import SAMPLE

HEADERS = (
    *("Subscription ID", "ProductName", "Quantity", "TotalCost", "ChargeStartDate"),
    *("BillingDate", "BillingLineDetails"),
)
PERIOD = "cycleCharge. From 28 Dec 2025 to 27 Jan 2026 (31 days)"
ROWS = [
    (f"S{at}", "Office 365 E3", str(at % 7), f"{at * 3}.25", "28 Dec 2025", "6 Jan 2026", PERIOD)
    for at in range(60)
]
CENTERS = [("Cost Center ID", "Name", "Organization")] + [
    (f"CC{at}", f"Center {at}", "Alder") for at in range(40)
]


@dataclass(frozen=True)
class Landed:
    """A file before its damage: where it lands, and its bytes."""

    name: str
    content: bytes


def csv_text() -> str:
    return "\n".join(",".join(f'"{value}"' for value in row) for row in [HEADERS, *ROWS]) + "\n"


def json_lines() -> str:
    return "".join(json.dumps(dict(zip(HEADERS, row, strict=True))) + "\n" for row in ROWS)


def zipped(*files: tuple[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files:
            archive.writestr(name, text)
    return content.getvalue()


def workbook() -> bytes:
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    sheet = book.add_worksheet("Centers")
    for at, row in enumerate(CENTERS):
        sheet.write_row(at, 0, row)
    book.close()
    return content.getvalue()


def parquet() -> bytes:
    return (SAMPLE / "landing/billing_lines/focus/lexidraft-2026-03.parquet").read_bytes()


def manifest() -> bytes:
    blobs = [{"name": f"part-{at}.csv", "partitionValue": "1"} for at in range(3)]
    return json.dumps(
        {"version": "1", "blobCount": 3, "blobs": blobs, "eTag": "abc", "sizeInBytes": 100}
    ).encode()


def whole_files() -> dict[str, Landed]:
    """An intact file of each kind."""
    text = csv_text()
    half = len(ROWS) // 2
    parts = [text[: text.index(f'"S{half}"')], text]
    return {
        "csv": Landed("billing_lines/a.csv", text.encode()),
        "json lines": Landed("billing_lines/a.jsonl", json_lines().encode()),
        "json array": Landed(
            "billing_lines/a.json",
            json.dumps([dict(zip(HEADERS, row, strict=True)) for row in ROWS]).encode(),
        ),
        "gzip": Landed("billing_lines/a.csv.gz", gzip.compress(text.encode(), mtime=0)),
        "zip": Landed("billing_lines/a.zip", zipped(("1.csv", parts[0]), ("2.csv", parts[1]))),
        "xlsx": Landed("cost_centers/a.xlsx", workbook()),
        "parquet": Landed("billing_lines/a.parquet", parquet()),
        "manifest": Landed("billing_lines/export/manifest.json", manifest()),
    }


# --- damage ---------------------------------------------------------------------------------------

Damage = Callable[[random.Random, bytearray], None]


def _place(rng: random.Random, data: bytearray) -> int:
    return rng.randrange(len(data)) if data else 0


def flip(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.randint(1, 8)):
        if data:
            data[_place(rng, data)] ^= 1 << rng.randrange(8)


def cut(rng: random.Random, data: bytearray) -> None:
    del data[_place(rng, data) :]


def remove(rng: random.Random, data: bytearray) -> None:
    at = _place(rng, data)
    del data[at : at + rng.randint(1, 200)]


def repeat(rng: random.Random, data: bytearray) -> None:
    at = _place(rng, data)
    data[at:at] = data[at : at + rng.randint(1, 400)] * rng.randint(1, 20)


def overwrite(rng: random.Random, data: bytearray) -> None:
    at = _place(rng, data)
    data[at : at + rng.randint(1, 40)] = rng.choice((b"\0", b"\xff", b'"', b"{", b"9")) * 40


def insert(rng: random.Random, data: bytearray) -> None:
    what = rng.choice(
        (
            *(b"\n", b"\r", b'"', b",", b";", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"[" * 5000),
            *(b"1e999999", b"-0", b"NaN", b'":{"', b"9" * 500, b"x" * 200_000),
            *("\u202e".encode(), "\ud7ff".encode(), b"=cmd|'/c calc'!A1", b"../../etc/passwd"),
        )
    )
    at = _place(rng, data)
    data[at:at] = what


def swap(rng: random.Random, data: bytearray) -> None:
    first, second = sorted((_place(rng, data), _place(rng, data)))
    data[:] = data[second:] + data[first:second] + data[:first]


def number(rng: random.Random, data: bytearray) -> None:
    """A length or an offset of a binary format becomes an extreme one."""
    at = _place(rng, data)
    data[at : at + 4] = rng.choice(
        (b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x80")
    )


DAMAGES: tuple[Damage, ...] = (flip, cut, remove, repeat, overwrite, insert, swap, number)


def damaged(rng: random.Random, landed: Landed) -> tuple[str, bytes]:
    """The names of one to three damages, and the file after them."""
    data = bytearray(landed.content)
    chosen = [rng.choice(DAMAGES) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    for damage in chosen:
        damage(rng, data)
    return " + ".join(damage.__name__ for damage in chosen), bytes(data)
