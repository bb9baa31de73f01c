"""Files that cost a parser its time, its memory or its life: each refuses itself and no other.

The limits of these tests are far below the defaults, so that small files reach them.
"""

import gzip
import io
import json
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Company

from dagster_project.errors import ReaderEnded, RefusedFile, TooLarge
from dagster_project.landing import contents, folder, reader_process, understanding
from dagster_project.landing.sync import LandingReport
from dagster_project.landing.understanding import ParsedFile, Reading
from dagster_project.settings import Limits

HEADER = (
    "Subscription ID,ProductName,Quantity,TotalCost,ChargeStartDate,BillingDate,"
    "BillingLineDetails\n"
)
PERIOD = '28 Dec 2025,6 Jan 2026,"cycleCharge. From 28 Dec 2025 to 27 Jan 2026 (31 days)"\n'
LINE = f"S1,E3,1,10,{PERIOD}"
PLACE = "billing_lines/a.csv"


def reading(**limits: int) -> Reading:
    return Reading(replace(Limits(), **limits), (), lambda message: None)


def parse(path: Path, **limits: int) -> tuple[ParsedFile, ...]:
    settings = reading(**limits)
    file = folder.examine(path, settings.limits)
    return reader_process.parse(file, PLACE, "billing_lines", settings, ())


def parquet(values: dict[str, list[str]]) -> bytes:
    content = io.BytesIO()
    pq.write_table(pa.table(values), content)
    return content.getvalue()


def long_bill(line_count: int) -> bytes:
    return (HEADER + "".join(f"S{at},E3,1,10,{PERIOD}" for at in range(line_count))).encode()


# --- the same rows in either process ----------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        (HEADER + LINE + "S2,E3\n" + LINE.replace("S1", "S3")).encode(),
        gzip.compress((HEADER + LINE).encode()),
        json.dumps([dict(zip(HEADER.strip().split(","), LINE.split(","), strict=False))]).encode(),
        (HEADER + '"S1\nS2",E3,1,10,' + PERIOD + LINE).encode("utf-16"),
    ],
    ids=["csv", "gzip", "json", "utf-16"],
)
def test_a_file_has_the_same_rows_in_either_process(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    (there,) = parse(path)
    (here,) = contents.parse(folder.examine(path, Limits()), PLACE, "billing_lines", reading())
    assert here.understood and there.understood
    assert there.content_hash == here.content_hash
    assert there.understood.rows.table.to_pydict() == here.understood.rows.table.to_pydict()
    assert replace(there.understood.rows, table=None, row_numbers=None) == replace(
        here.understood.rows, table=None, row_numbers=None
    )
    assert there.understood.rows.row_numbers.to_pylist() == (
        here.understood.rows.row_numbers.to_pylist()
    )


def test_a_text_of_many_blocks_is_read_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = HEADER + LINE + '"S2\n\n S3",E3,1,10,' + PERIOD + "S4\n\n" + LINE + '"S5,"x"\n' + LINE
    whole = understanding.understand(text.encode(), PLACE, "billing_lines", reading()).rows
    for size in (7, 64, 300):
        monkeypatch.setattr("dagster_project.feeds.readers.BLOCK_BYTES", size)
        parts = understanding.understand(text.encode(), PLACE, "billing_lines", reading()).rows
        assert parts.table.to_pydict() == whole.table.to_pydict(), size
        assert parts.row_numbers.to_pylist() == whole.row_numbers.to_pylist() == [2, 3, 6, 8]
        assert parts.rejected == whole.rejected


# --- limits -------------------------------------------------------------------------------------


def test_a_file_that_needs_too_much_memory_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress((HEADER + LINE * 600_000).encode(), 1))
    with pytest.raises(TooLarge, match="more than the limit of 150,000,000 bytes of memory"):
        parse(path, read_memory_bytes=150_000_000)


def test_a_file_that_takes_too_long_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"a": "1"}\n' * 6_000_000)
    started = time.process_time()
    with pytest.raises(TooLarge, match="more than the limit of 1 seconds"):
        parse(path, read_seconds=1)
    assert time.process_time() - started < 1, "the run itself waits"


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGKILL"])
def test_a_parser_that_dies_refuses_its_file_and_the_next_is_read(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(long_bill(10))
    good = tmp_path / "b.csv"
    good.write_text(HEADER + LINE)
    parse(good)
    process = reader_process._READER._process
    assert process is not None

    def kill() -> None:
        os.kill(process.pid, getattr(signal, name))
        os.kill(process.pid, signal.SIGCONT)

    # It stands still until the signal arrives, while the run waits for the rows.
    os.kill(process.pid, signal.SIGSTOP)
    timer = threading.Timer(0.2, kill)
    timer.start()
    with pytest.raises(RefusedFile) as refusal:
        parse(path)
    timer.join()
    assert isinstance(refusal.value, TooLarge if name == "SIGKILL" else ReaderEnded)
    (after,) = parse(good)
    assert after.understood is not None and after.understood.rows.table.num_rows == 1


def test_damaged_parquet_refuses_itself_and_no_other_file(company: Company) -> None:
    content = bytearray(parquet({"a": [str(at) for at in range(1000)]}))
    content[30:60] = b"\xff" * 30
    company.drop("billing_lines/a.parquet", bytes(content))
    company.drop("billing_lines/b.csv", HEADER + LINE)
    report: LandingReport = company.ingest()
    assert {each.file: each.status for each in report.files} == {
        "billing_lines/a.parquet": "refused",
        "billing_lines/b.csv": "loaded",
    }


def test_the_process_has_no_token_and_no_variable_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPORTION_EXPORT_TOKEN", "secret")
    reader_process.close()
    path = tmp_path / "a.csv"
    path.write_text(HEADER + LINE)
    parse(path)
    process = reader_process._READER._process
    assert process is not None
    environment = Path(f"/proc/{process.pid}/environ")
    if environment.exists():
        assert b"APPORTION" not in environment.read_bytes()


# --- what people are shown ----------------------------------------------------------------------


def test_a_value_of_5_mb_is_quarantined_and_nowhere_shown_whole(company: Company) -> None:
    long = "x" * 5_000_000
    company.drop("billing_lines/a.csv", HEADER + LINE + LINE.replace("E3", long))
    report = company.ingest()
    (file,) = report.files
    assert (file.row_count, file.rejected_count) == (1, 1)
    ((column, value, why, raw_row, known),) = company.query(
        "select column_name, value, reason, raw_row, known_values from raw.rejected_rows"
    )
    assert column == "ProductName"
    assert why == "has 5,000,000 characters, over the limit of 100,000 bytes"
    assert value.endswith("... (5,000,000 characters)") and len(value) < 1_100
    assert len(raw_row) <= 10_000
    assert json.loads(known)["total_cost"] == "10"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("A" * 5_000_000 + "," + HEADER, "the name of column 1 has 5,000,000 characters"),
        (",".join(f"c{at}" for at in range(5_000)) + "\n", "5,000 columns, over the limit"),
        (HEADER + "x" * 11_000_000, "has more than the limit of 10,000,000 characters"),
        ("".join(f'{{"k{at}": 1}}\n' for at in range(6_000)), "columns, over the limit of 4,096"),
    ],
    ids=["name", "columns", "line", "keys"],
)
def test_a_refusal_is_short_whatever_the_file_holds(
    company: Company, content: str, reason: str
) -> None:
    company.drop("billing_lines/a.csv", content)
    (file,) = company.ingest().files
    assert file.status == "refused"
    assert reason in (file.reason or "")
    assert len(file.reason or "") < 300


def test_a_gzip_of_four_kilobytes_costs_seconds(company: Company) -> None:
    company.drop("billing_lines/a.csv.gz", gzip.compress((HEADER + "a\n" * 2_000_000).encode()))
    started = time.process_time()
    (file,) = company.ingest().files
    assert "more than 10,000 rows cannot be read" in (file.reason or "")
    assert time.process_time() - started < 10


def test_an_error_of_the_disk_is_the_runs_and_not_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + LINE)
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **options: full.open("wb", buffering=0))
    with pytest.raises(OSError, match="No space left"):
        parse(path)


def test_landing_has_the_rows_of_files_of_either_process(company: Company) -> None:
    company.drop("billing_lines/a.csv", long_bill(50_000))
    company.drop("billing_lines/b.csv", HEADER + LINE)
    company.ingest()
    ((count, distinct, lowest, highest),) = company.query(
        "select count(*), count(distinct (file, row_number)), min(row_number), max(row_number)"
        " from raw.broker_report"
    )
    assert (count, distinct, lowest, highest) == (50_001, 50_001, 2, 50_001)
