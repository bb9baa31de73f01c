"""Landing to raw tables: loading once, refusal with messages, removal.

`raw` is the content of a table without the time of loading; `seats` are the subscriptions of all
broker reports, which identify the loaded rows.
"""

import gzip
import io
import json
import os
import shutil
import signal
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from conftest import Company

from dagster_project.errors import NoLandingFolder
from dagster_project.feeds import formats, readers
from dagster_project.landing import folder, raw_tables
from dagster_project.landing.sync import LandingReport, sync
from dagster_project.settings import Limits

HEADER = (
    "Subscription ID,ProductName,Quantity,TotalCost,ChargeStartDate,BillingDate,"
    "BillingLineDetails\n"
)
PERIOD = "28 Dec 2025,6 Jan 2026,cycleCharge. From 28 Dec 2025 to 27 Jan 2026 (31 days)\n"
NewCompany = Callable[[], Company]


def line(seat: str, cost: str = "10") -> str:
    return f"{seat},E3,1,{cost},{PERIOD}"


def zipped(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


JANUARY = HEADER + line("S1") + line("S2")
FEBRUARY = HEADER + line("S3")
DAMAGED = HEADER + line("S1") + "S2,E3\n"


def raw(company: Company, table: str = "broker_report") -> list[tuple]:
    columns = "* exclude loaded_at" if table not in ("rejected_rows", "landed_files") else "*"
    return sorted(company.query(f"select {columns} from raw.{table}"), key=repr)


def all_raw(company: Company) -> dict[str, list[tuple]]:
    tables = company.query("select table_name from duckdb_tables() where schema_name = 'raw'")
    return {
        name: sorted(company.query(f'select * from raw."{name}"'), key=repr) for (name,) in tables
    }


def seats(company: Company) -> list[str]:
    rows = company.query("select subscription_id from raw.broker_report order by all")
    return [seat for (seat,) in rows]


def loaded_at(company: Company) -> dict[str, object]:
    return dict(company.query("select subscription_id, loaded_at from raw.broker_report"))


def statuses(report: LandingReport) -> dict[str, str]:
    return {each.file: each.status for each in report.files}


def reason(report: LandingReport, file: str) -> str:
    (found,) = (each for each in report.files if each.file == file)
    assert found.status == "refused"
    return found.reason or ""


@pytest.fixture
def ten_seconds() -> Iterator[None]:
    """Ends a test that hangs."""

    def give_up(*_: object) -> None:
        raise TimeoutError("still reading after ten seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# --- once per content -------------------------------------------------------------------------


def test_the_same_file_under_other_names_and_packed_counts_once(company: Company) -> None:
    company.drop("billing_lines/january.csv", JANUARY)
    company.ingest()
    before = raw(company)
    company.drop("billing_lines/old/january (1).CSV", JANUARY)
    company.drop("billing_lines/january.csv.gz", gzip.compress(JANUARY.encode(), mtime=1))
    company.drop("billing_lines/january-again.csv.gz", gzip.compress(JANUARY.encode(), 1, mtime=2))
    halves = (JANUARY[:99].encode(), JANUARY[99:].encode())
    company.drop("billing_lines/january.gz", b"".join(map(gzip.compress, halves)))
    report = company.ingest()
    assert [row[1:] for row in raw(company)] == [row[1:] for row in before]
    assert seats(company) == ["S1", "S2"]
    assert sorted(statuses(report).values()) == ["duplicate"] * 4 + ["loaded"]
    assert report.row_counts["broker_report"] == 2


def test_the_same_file_in_a_zip_archive_counts_once(company: Company) -> None:
    company.drop("billing_lines/january.csv", JANUARY)
    company.drop("billing_lines/packed/january.zip", zipped({"bills/jan.csv": JANUARY}))
    report = company.ingest()
    assert statuses(report) == {
        "billing_lines/january.csv": "loaded",
        "billing_lines/packed/january.zip/bills/jan.csv": "duplicate",
    }
    assert seats(company) == ["S1", "S2"]


def test_a_kept_warehouse_reads_no_file_of_a_zip_archive_twice(company: Company) -> None:
    company.drop("billing_lines/two.zip", zipped({"a.csv": JANUARY, "b.csv": FEBRUARY}))
    before = company.ingest()
    rows = raw(company)
    assert company.ingest() == before
    assert raw(company) == rows
    company.drop("billing_lines/two.zip", zipped({"a.csv": JANUARY}))
    assert statuses(company.ingest()) == {"billing_lines/two.zip/a.csv": "loaded"}
    assert seats(company) == ["S1", "S2"]


def test_a_zip_archive_with_one_unusable_file_is_refused(
    company: Company,
) -> None:
    company.drop("billing_lines/two.zip", zipped({"a.csv": JANUARY, "notes.csv": "seat\n1\n"}))
    report = company.ingest()
    assert reason(report, "billing_lines/two.zip").startswith(
        "the whole zip archive is refused: notes.csv: "
    )
    assert report.row_counts["broker_report"] == 0


def test_copies_that_arrive_together_count_once_and_name_their_original(
    company: Company,
) -> None:
    company.drop("billing_lines/a.csv", JANUARY)
    company.drop("billing_lines/b.csv.gz", gzip.compress(JANUARY.encode()))
    report = company.ingest()
    assert seats(company) == ["S1", "S2"]
    assert [(each.file, each.status, each.reason) for each in report.files] == [
        ("billing_lines/a.csv", "loaded", None),
        ("billing_lines/b.csv.gz", "duplicate", "same content as billing_lines/a.csv"),
    ]


def test_a_renamed_file_adds_nothing_and_its_rows_show_the_new_name(company: Company) -> None:
    old = company.drop("billing_lines/january.csv", DAMAGED)
    company.ingest()
    old.rename(old.with_name("2026-01.csv"))
    report = company.ingest()
    assert seats(company) == ["S1"]
    assert report.withdrawn_row_count == 0
    assert company.query("select file from raw.broker_report") == [("billing_lines/2026-01.csv",)]
    assert company.query("select file from raw.rejected_rows") == [("billing_lines/2026-01.csv",)]


def test_rows_stay_when_one_of_two_copies_is_removed(company: Company) -> None:
    first = company.drop("billing_lines/a.csv", JANUARY)
    company.drop("billing_lines/b.csv", JANUARY)
    company.ingest()
    first.unlink()
    report = company.ingest()
    assert seats(company) == ["S1", "S2"]
    assert statuses(report) == {"billing_lines/b.csv": "loaded"}
    assert company.query("select distinct file from raw.broker_report") == [
        ("billing_lines/b.csv",)
    ]


def test_a_file_that_is_touched_but_not_changed_adds_nothing(company: Company) -> None:
    path = company.drop("billing_lines/january.csv", DAMAGED)
    company.ingest()
    rows, rejected, times = raw(company), raw(company, "rejected_rows"), loaded_at(company)
    os.utime(path, (2_000_000_000, 2_000_000_000))
    company.ingest()
    assert (raw(company), raw(company, "rejected_rows")) == (rows, rejected)
    assert loaded_at(company) == times


def test_ingesting_twice_changes_nothing_at_all(company: Company) -> None:
    company.drop("billing_lines/january.csv", JANUARY)
    company.drop("billing_lines/copy.csv", JANUARY)
    company.drop("billing_lines/damaged.csv", DAMAGED + line("S9"))
    company.drop("billing_lines/empty.csv", "")
    first = company.ingest()
    before = all_raw(company)
    assert company.ingest() == first
    assert all_raw(company) == before
    assert len(before["landed_files"]) == 4


def test_a_changed_file_replaces_its_rows_and_leaves_the_others_alone(company: Company) -> None:
    company.drop("billing_lines/january.csv", DAMAGED)
    company.drop("billing_lines/february.csv", FEBRUARY)
    company.ingest()
    times = loaded_at(company)
    company.drop("billing_lines/january.csv", HEADER + line("S1", "11") + line("S4"))
    report = company.ingest()
    assert seats(company) == ["S1", "S3", "S4"]
    assert raw(company, "rejected_rows") == []
    assert report.withdrawn_row_count == 2
    assert loaded_at(company)["S3"] == times["S3"]
    costs = company.query("select total_cost from raw.broker_report where subscription_id = 'S1'")
    assert costs == [("11",)]


def test_a_removed_file_withdraws_its_rows(company: Company) -> None:
    january = company.drop("billing_lines/january.csv", DAMAGED)
    company.drop("billing_lines/february.csv", FEBRUARY)
    company.ingest()
    january.unlink()
    report = company.ingest()
    assert seats(company) == ["S3"]
    assert raw(company, "rejected_rows") == []
    assert report.withdrawn_row_count == 2
    assert statuses(report) == {"billing_lines/february.csv": "loaded"}


def test_a_file_moved_to_another_feed_and_back_counts_once(company: Company) -> None:
    path = company.drop("billing_lines/january.csv", JANUARY)
    company.ingest()
    wrong = company.data.landing / "split_history" / "january.csv"
    wrong.parent.mkdir()
    path.rename(wrong)
    report = company.ingest()
    assert seats(company) == []
    assert "belongs in landing/billing_lines" in reason(report, "split_history/january.csv")
    wrong.rename(path)
    company.ingest()
    assert seats(company) == ["S1", "S2"]


def test_the_same_bytes_in_two_feeds_are_in_where_they_belong(company: Company) -> None:
    company.drop("billing_lines/january.csv", JANUARY)
    company.drop("corrections/january.csv", JANUARY)
    for _ in range(2):
        report = company.ingest()
        assert statuses(report) == {
            "billing_lines/january.csv": "loaded",
            "corrections/january.csv": "refused",
        }
        assert seats(company) == ["S1", "S2"]


def test_a_refused_file_is_read_once_it_is_repaired(company: Company) -> None:
    company.drop("billing_lines/january.csv.gz", gzip.compress(JANUARY.encode())[:-4])
    assert company.ingest().count("refused") == 1
    company.drop("billing_lines/january.csv.gz", gzip.compress(JANUARY.encode()))
    assert company.ingest().count("refused") == 0
    assert seats(company) == ["S1", "S2"]


def test_a_loaded_file_that_is_then_damaged_is_withdrawn_and_listed(company: Company) -> None:
    company.drop("billing_lines/january.csv", JANUARY)
    company.ingest()
    company.drop("billing_lines/january.csv", "")
    assert "empty" in reason(company.ingest(), "billing_lines/january.csv")
    assert seats(company) == []


def test_a_kept_warehouse_equals_a_rebuilt_one(company: Company, new_company: NewCompany) -> None:
    company.drop("billing_lines/b.csv", JANUARY)
    company.drop("billing_lines/c.csv", DAMAGED)
    company.ingest()
    company.drop("billing_lines/a.csv", DAMAGED)
    company.drop("billing_lines/b.csv", FEBRUARY)
    company.ingest()
    (company.data.landing / "billing_lines/c.csv").unlink()
    company.drop("billing_lines/d.csv.gz", gzip.compress(FEBRUARY.encode()))
    company.ingest()
    fresh = new_company()
    for path in folder.list_landing(company.data.landing):
        copy = fresh.drop(str(path.relative_to(company.data.landing)), path.read_bytes())
        os.utime(copy, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))
    fresh.ingest()
    for table in ("broker_report", "rejected_rows", "landed_files"):
        assert raw(company, table) == raw(fresh, table)


# --- one transaction --------------------------------------------------------------------------


def test_an_ingestion_that_fails_midway_leaves_everything_as_it_was(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.drop("billing_lines/a.csv", JANUARY)
    gone = company.drop("billing_lines/b.csv", DAMAGED + line("S9"))
    company.ingest()
    before = all_raw(company)
    gone.unlink()
    company.drop("billing_lines/c.csv", FEBRUARY)
    company.drop("billing_lines/d.csv", HEADER + line("S4"))
    read_rows, contents = readers.read_rows, []

    def fail_on_second(content: bytes, declared: object) -> readers.LandedRows:
        contents.append(content)
        if len(contents) == 2:
            raise RuntimeError("the power went out")
        return read_rows(content)

    monkeypatch.setattr(readers, "read_rows", fail_on_second)
    with pytest.raises(RuntimeError, match="power"):
        company.ingest()
    assert len(contents) == 2
    assert all_raw(company) == before
    monkeypatch.undo()
    company.ingest()
    assert seats(company) == ["S1", "S2", "S3", "S4"]


def test_after_a_change_of_the_readers_every_file_is_read_again(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.drop("billing_lines/a.csv", DAMAGED)
    company.drop("billing_lines/b.csv", FEBRUARY)
    company.ingest()
    rows, rejected, times = raw(company), raw(company, "rejected_rows"), loaded_at(company)
    monkeypatch.setattr(raw_tables, "reader_version", lambda *settings: "another")
    company.ingest()
    assert (raw(company), raw(company, "rejected_rows")) == (rows, rejected)
    again = loaded_at(company)
    assert all(again[seat] > times[seat] for seat in ("S1", "S3"))
    company.ingest()
    assert loaded_at(company) == again


def test_the_version_of_the_readers_changes_with_their_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = raw_tables.reader_version()
    feeds = tmp_path / "feeds"
    shutil.copytree(Path(formats.__file__).parent, feeds)
    monkeypatch.setattr(formats, "__file__", str(feeds / "formats.py"))
    assert raw_tables.reader_version() == before
    (feeds / "readers.py").write_bytes(Path(readers.__file__).read_bytes() + b"\n")
    assert raw_tables.reader_version() != before


def test_a_missing_landing_folder_is_named(tmp_path: Path) -> None:
    with (
        duckdb.connect() as connection,
        pytest.raises(NoLandingFolder, match=r"no folder .*landing.*billing_lines"),
    ):
        sync(tmp_path / "landing", connection)


def test_an_empty_landing_folder_gives_empty_raw_tables(company: Company) -> None:
    report = company.ingest()
    assert report.files == ()
    assert set(report.row_counts.values()) == {0}


# --- refused files and their messages ---------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("january.csv", JANUARY, "not in the folder of a feed; the feeds are billing_lines, "),
        ("invoice_lines/january.csv", JANUARY, "not in the folder of a feed; the feeds are "),
        ("Billing_Lines/january.csv", JANUARY, "not in the folder of a feed; the feeds are "),
        ("split_history/january.csv", JANUARY, "belongs in landing/billing_lines, not landing/"),
        ("billing_lines/letter.txt", "Dear Ada,\nhello\n", "no format of billing_lines: "),
        ("billing_lines/empty.csv", "", "the file is empty"),
        ("billing_lines/spaces.csv", "  \n \n", "the file is empty"),
        ("billing_lines/empty.csv.gz", gzip.compress(b"", mtime=0), "the file is empty"),
        (
            "billing_lines/cut.csv.gz",
            gzip.compress(JANUARY.encode(), mtime=0)[:50],
            "truncated or damaged",
        ),
        ("billing_lines/cut.json", '[{"SubscriptionId": "S1"},', "truncated or damaged"),
        ("billing_lines/short.csv", JANUARY.replace("TotalCost", "Cost"), "missing column TotalC"),
        ("billing_lines/twice.csv", JANUARY.replace("TotalCost", "Quantity"), "twice: Quantity"),
        ("billing_lines/deep.json", "[" * 100_000, "JSON"),
        ("billing_lines/备.csv", HEADER.strip() + ",备注,备注\n" + line("S1"), "twice: 备注"),
    ],
)
def test_an_unusable_file_is_listed_with_its_reason_and_stops_no_other(
    company: Company, file: str, content: str | bytes, words: str
) -> None:
    company.drop("billing_lines/0.csv", FEBRUARY)
    company.drop("billing_lines/~.csv", HEADER + line("S4"))
    company.drop(file, content)
    report = company.ingest()
    assert words in reason(report, file)
    assert seats(company) == ["S3", "S4"]
    assert company.query("select file, reason from raw.landed_files where status = 'refused'") == [
        (file, reason(report, file))
    ]


@pytest.mark.parametrize(
    ("file", "beginning", "words"),
    [
        (
            "cost_centers/centers.xlsx",
            b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00",
            "truncated",
        ),
        ("split_history/splits.parquet", b"PAR1\x15\x04\x15\x00\x15\x00PAR1", "Parquet"),
    ],
)
def test_a_truncated_workbook_and_parquet_file_are_refused(
    company: Company, file: str, beginning: bytes, words: str
) -> None:
    company.drop(file, beginning)
    assert words in reason(company.ingest(), file)


def test_control_characters_in_a_name_do_not_reach_the_terminal(company: Company) -> None:
    company.drop("billing_lines/\x1b[2J\u202egpj.csv", "no bill\n")
    (landed,) = company.ingest().files
    assert landed.status == "refused"
    mark = "\N{REPLACEMENT CHARACTER}"
    assert landed.file == f"billing_lines/{mark}[2J{mark}gpj.csv"


def test_an_unreadable_folder_is_reported(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.drop("billing_lines/a.csv", JANUARY)
    company.drop("billing_lines/locked/b.csv", FEBRUARY)
    access = os.access

    def access_for_others(path: str | Path, mode: int) -> bool:
        return Path(path).name != "locked" and access(path, mode)

    # The tests may run as root, who can read every folder.
    monkeypatch.setattr(os, "access", access_for_others)
    report = company.ingest()
    assert "a folder that cannot be read" in reason(report, "billing_lines/locked")


def test_a_file_over_the_limit_is_refused_unread(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPORTION_MAX_FILE_BYTES", str(len(JANUARY)))
    company.drop("billing_lines/as large as may be.csv", JANUARY)
    company.drop("billing_lines/larger.csv", JANUARY + "\n")
    report = company.ingest()
    assert f"limit of {len(JANUARY):,}" in reason(report, "billing_lines/larger.csv")
    assert seats(company) == ["S1", "S2"]


def test_a_gzip_bomb_is_refused_and_not_unpacked(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPORTION_MAX_UNPACKED_BYTES", "10000")
    company.drop("billing_lines/bomb.csv.gz", gzip.compress(HEADER.encode() + b" " * 50_000_000))
    company.drop("billing_lines/january.csv.gz", gzip.compress(JANUARY.encode()))
    report = company.ingest()
    assert "unpacks to more than the limit of 10,000" in reason(report, "billing_lines/bomb.csv.gz")
    assert seats(company) == ["S1", "S2"]


def test_limits_may_be_set_and_have_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPORTION_MAX_UNPACKED_BYTES", "7")
    assert Limits.from_environment() == Limits(unpacked_bytes=7)


@pytest.mark.usefixtures("ten_seconds")
def test_links_and_pipes_are_refused_without_waiting(company: Company, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.csv").write_text(JANUARY)
    folder = company.drop("billing_lines/february.csv", FEBRUARY).parent
    (folder / "link.csv").symlink_to(elsewhere / "secret.csv")
    (folder / "broken.csv").symlink_to(elsewhere / "nothing.csv")
    (folder / "folder").symlink_to(elsewhere)
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.csv")
    report = company.ingest()
    assert seats(company) == ["S3"]
    for name in ("link.csv", "broken.csv", "folder", "loop", "pipe.csv"):
        assert "not a plain file" in reason(report, f"billing_lines/{name}")
    assert len(report.files) == 6


def test_hidden_files_and_office_lock_files_are_ignored(company: Company) -> None:
    for name in (
        ".DS_Store",
        ".january.csv.swp",
        "~$january.xlsx",
        ".~lock.january.csv#",
        ".Trash/january.csv",
        "~$x/january.csv",
    ):
        company.drop(f"billing_lines/{name}", JANUARY)
    company.drop(".hidden.csv", JANUARY)
    company.drop("billing_lines/february.csv", FEBRUARY)
    report = company.ingest()
    assert statuses(report) == {"billing_lines/february.csv": "loaded"}
    assert seats(company) == ["S3"]


def test_a_folder_that_is_named_like_a_file_is_a_folder(company: Company) -> None:
    company.drop("billing_lines/january.csv/part.csv/1.csv", JANUARY)
    assert statuses(company.ingest()) == {"billing_lines/january.csv/part.csv/1.csv": "loaded"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_listed(company: Company) -> None:
    company.drop("billing_lines/january.csv", JANUARY).chmod(0)
    assert "cannot be read" in reason(company.ingest(), "billing_lines/january.csv")


def test_a_file_that_changes_while_it_is_read_waits_for_the_next_run(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.drop("billing_lines/january.csv", JANUARY)
    status = folder._status

    def look_and_append(path: Path, limits: Limits) -> os.stat_result:
        before = status(path, limits)
        path.write_bytes(path.read_bytes() + line("S9").encode())
        return before

    monkeypatch.setattr(folder, "_status", look_and_append)
    assert "changed while it was read" in reason(company.ingest(), "billing_lines/january.csv")
    assert seats(company) == []
    monkeypatch.undo()
    company.ingest()
    assert seats(company) == ["S1", "S2", "S9"]


def test_a_file_that_is_removed_while_others_are_read_does_not_stop_the_run(
    company: Company,
) -> None:
    company.drop("billing_lines/a.csv", JANUARY)
    going = company.drop("billing_lines/b.csv", FEBRUARY)
    with duckdb.connect(str(company.data.warehouse)) as connection:
        sync(company.data.landing, connection, progress=lambda _: going.unlink(missing_ok=True))
    assert seats(company) == ["S1", "S2"]


# --- names of files ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "Jänner 请求 🧾.csv",
        "Ja\u0308nner.csv",
        'o\'brien "x"; drop table raw.broker_report;--.csv',
        "new\nline.csv",
        "%s {} $1 ?.csv",
        "-rf.csv",
        "x" * 251 + ".csv",
        "/".join(["y" * 200] * 10) + "/january.csv",
        "no extension",
    ],
    ids=["letters", "decomposed", "quotes", "newline", "marks", "dash", "long", "deep", "bare"],
)
def test_a_file_may_have_any_name(company: Company, name: str) -> None:
    company.drop(f"billing_lines/{name}", DAMAGED)
    shown = f"billing_lines/{name}".replace("\n", "\N{REPLACEMENT CHARACTER}")
    for _ in range(2):
        report = company.ingest()
        assert statuses(report) == {shown: "loaded"}
    assert company.query("select file from raw.broker_report") == [(shown,)]
    assert company.query("select file from raw.rejected_rows") == [(shown,)]


def test_a_name_in_another_encoding_does_not_stop_the_run(company: Company) -> None:
    company.drop("billing_lines/february.csv", FEBRUARY)
    (company.data.landing / os.fsdecode(b"billing_lines/janv\xe9.csv")).write_text(JANUARY)
    before = folder.landing_fingerprint(company.data.landing)
    report = company.ingest()
    assert len(report.files) == 2
    assert "S3" in seats(company)
    (company.data.landing / "billing_lines/february.csv").write_text(JANUARY)
    assert folder.landing_fingerprint(company.data.landing) != before


def test_the_fingerprint_changes_when_a_file_is_added_removed_touched_or_renamed(
    company: Company,
) -> None:
    seen = []

    def look() -> None:
        seen.append(folder.landing_fingerprint(company.data.landing))

    path = company.drop("billing_lines/january.csv", JANUARY)
    look()
    os.utime(path, ns=(1, 1))
    look()
    path = path.rename(path.with_name("february.csv"))
    look()
    company.drop("billing_lines/march.csv", JANUARY)
    look()
    path.unlink()
    look()
    assert len(set(seen)) == 5
    assert folder.landing_fingerprint(company.data.landing) == seen[-1]


# --- content of the raw tables ----------------------------------------------------------------


def test_unknown_columns_are_kept_with_their_rows_and_reported(company: Company) -> None:
    header = "Note," + HEADER.strip() + ",Größe (m²),备注\n"
    company.drop(
        "billing_lines/january.csv",
        header
        + "hello,"
        + line("S1").strip()
        + ",12,\n"
        + ","
        + line("S2").strip()
        + ',,"a ""b"""\n',
    )
    report = company.ingest()
    unknown = ["Note", "Größe (m²)", "备注"]
    assert json.loads(report.files[0].unknown_columns) == unknown
    reported = company.query("select unknown_columns from raw.landed_files")
    assert json.loads(reported[0][0]) == unknown
    others = company.query("select other_columns from raw.broker_report order by row_number")
    assert [json.loads(other) for (other,) in others] == [
        {"Note": "hello", "Größe (m²)": "12"},
        {"备注": 'a "b"'},
    ]


def test_columns_in_any_order_and_casing_land_under_their_names(company: Company) -> None:
    company.drop(
        "cost_centers/centers.csv",
        "NAME;charge_code;cost center id;ORGANIZATION\nSales;4711;CC1;Alder\n",
    )
    company.ingest()
    assert company.query(
        "select row_number, cost_center_id, organization, name, charge_code from raw.cost_centers"
    ) == [(2, "CC1", "Alder", "Sales", "4711")]


def test_text_lands_unchanged(company: Company) -> None:
    values = [
        "'22.000000000000000000",
        "  padded ",
        "007",
        "1e5",
        "=1+1",
        "x" * 100_000,
        "\u00a0",
    ]
    rows = "".join(f"{value},,Alder\n" for value in values)
    company.drop("cost_centers/centers.csv", "Cost Center ID,Name,Organization\n" + rows)
    company.ingest()
    found = company.query("select cost_center_id from raw.cost_centers order by row_number")
    assert [value for (value,) in found] == values


def test_json_numbers_land_with_their_text(company: Company) -> None:
    company.drop(
        "invoices/invoices.json",
        '{"invoiceNumber": 12345678901234567890123, "invoiceDate": "2026-01-06",'
        ' "currency": null, "subtotal": 0.100000000000000001}\n',
    )
    company.ingest()
    assert company.query(
        "select row_number, invoice_number, currency, subtotal from raw.invoices"
    ) == [(1, "12345678901234567890123", None, "0.100000000000000001")]


def test_two_names_of_one_column_lose_no_value(company: Company) -> None:
    record = {
        "CustomerId": "C1",
        "InvoiceNumber": "G1",
        "ProductId": "P1",
        "SkuId": "0001",
        "ProductName": "E3",
        "ChargeType": "cycleCharge",
        "UnitPrice": 10,
        "Quantity": 1,
        "Subtotal": 10,
        "Currency": "USD",
        "SubscriptionId": "S1",
        "ChargeStartDate": "2026-01-01",
        "ChargeEndDate": "2026-01-31",
        "Total": 11.11,
        "TotalForCustomer": 22.22,
    }
    company.drop("billing_lines/january.json", json.dumps(record))
    if company.ingest().count("refused"):
        return
    (row,) = raw(company, "new_commerce_reconciliation")
    assert "11.11" in str(row)
    assert "22.22" in str(row)


def test_an_invalid_row_is_kept_complete_with_its_position(company: Company) -> None:
    company.drop("billing_lines/january.csv", HEADER + line("S1") + "S2,E3,1,7.25\n" + line("S3"))
    report = company.ingest()
    assert (report.files[0].row_count, report.files[0].rejected_count) == (2, 1)
    assert company.query(
        "select file, feed, format, row_number, reason, raw_row from raw.rejected_rows"
    ) == [
        (
            "billing_lines/january.csv",
            "billing_lines",
            "broker_report",
            3,
            "the row has 4 columns, the header has 7",
            "S2,E3,1,7.25",
        )
    ]
    ((known,),) = company.query("select known_values from raw.rejected_rows")
    assert json.loads(known) == {
        "subscription_id": "S2",
        "product_name": "E3",
        "quantity": "1",
        "total_cost": "7.25",
    }
