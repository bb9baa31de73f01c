"""The command line as a person types it, in processes of their own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from bills_of_subscriptions import bill
from conftest import SAMPLE

from dagster_project.settings import PROJECT_ROOT


def apportion(
    root: Path, data: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """`python -m dagster_project` in the checkout at `root` on a data folder."""
    return subprocess.run(
        [sys.executable, "-m", "dagster_project", *arguments, "--data", str(data)],
        cwd=root,
        env={
            **os.environ,
            "DAGSTER_HOME": str(root / ".dagster"),
            "TZ": "Pacific/Auckland",
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project that a test may break."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("dagster_project", "dbt", ".dagster", "requirements"):
        shutil.copytree(
            PROJECT_ROOT / name,
            root / name,
            ignore=shutil.ignore_patterns("target", "storage", "history", "schedules", "logs"),
        )
    return root


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample company's landing folder."""
    folder = tmp_path_factory.mktemp("data")
    shutil.copytree(SAMPLE / "landing", folder / "landing")
    return folder


def rows(data: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(data / "published" / "apportion.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def first(checkout: Path, data: Path) -> subprocess.CompletedProcess[str]:
    """The first run of the checkout: dbt parses and builds."""
    return apportion(checkout, data, "run")


def test_a_run_ends_with_a_summary_and_a_second_one_changes_nothing(
    checkout: Path, data: Path, first: subprocess.CompletedProcess[str]
) -> None:
    assert first.returncode == 0, first.stdout + first.stderr
    assert "Quarantine    no row or file" in first.stdout
    assert "Ties to invoice" in first.stdout
    published = (data / "published" / "apportion.duckdb").read_bytes()

    second = apportion(checkout, data, "run")
    assert second.returncode == 0
    assert "Nothing changed since the last run" in second.stdout
    assert (data / "published" / "apportion.duckdb").read_bytes() == published

    # The summary is the same one, whichever way it came about; what to do next was said before.
    assert "make export PERIOD=2026-04" in first.stdout
    assert "make export" not in second.stdout

    def body(output: str) -> str:
        return output[output.index("Files") : output.index("Results")]

    assert body(first.stdout) == body(second.stdout)


def test_a_run_without_changes_imports_no_slow_module(checkout: Path, data: Path) -> None:
    run = apportion(checkout, data, "run", PYTHONPROFILEIMPORTTIME="1")
    assert "Nothing changed since the last run" in run.stdout
    imported = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert "duckdb" in imported
    slow = {"dagster", "dbt", "numpy", "pandas", "pyarrow", "requests", "rich"}
    assert imported.isdisjoint(slow)


def test_landing_alone_rebuilds_everything(
    checkout: Path, data: Path, first: subprocess.CompletedProcess[str]
) -> None:
    before = rows(data, "from marts.billing_report order by all")
    assert before
    shutil.rmtree(data / "published")
    (data / "warehouse.duckdb").unlink()
    # From the statements that dbt compiled in the first run: the first log of dbt stays the last.
    log = data / ".run" / "dbt-logs" / "dbt.log"
    size = log.stat().st_size
    again = apportion(checkout, data, "run")
    assert again.returncode == 0
    assert log.stat().st_size == size
    assert rows(data, "from marts.billing_report order by all") == before
    # "Checks        320 of 322 passed" and those that found rows
    assert checks(again.stdout) == checks(first.stdout)
    assert checks(first.stdout)[-1].startswith("Checks")


def checks(output: str) -> list[str]:
    """The printed results of the checks."""
    return sorted(re.findall(r"Checks .* passed|^  .* against .*", output, re.MULTILINE))


def test_a_failing_blocking_check_keeps_what_was_published(checkout: Path, data: Path) -> None:
    before = (data / "published" / "apportion.duckdb").read_bytes()
    log = (data / ".run" / "dbt-logs" / "dbt.log").read_bytes()
    # It is undecided which of two files of an invoice with one line in common counts.
    line = "{}  Suite  cycleCharge  10  1  10.00  2026-01-05  2026-02-04\n".format
    undecided = {
        "one.csv": bill("alder", "G1", line("one") + line("two")),
        "two.csv": bill("alder", "G1", line("one") + line("three")),
    }
    for name, text in undecided.items():
        (data / "landing" / "billing_lines" / name).write_text(text)
    try:
        run = apportion(checkout, data, "run")
    finally:
        for name in undecided:
            (data / "landing" / "billing_lines" / name).unlink()
    assert run.returncode == 1
    assert "The build failed: every_delivery_is_decided_and_whole found 1 row\n" in run.stderr
    assert "published results are unchanged" in run.stderr
    assert (data / "published" / "apportion.duckdb").read_bytes() == before
    # What follows a failed check is left out without dbt.
    assert (data / ".run" / "dbt-logs" / "dbt.log").read_bytes() == log


def test_a_folder_without_landing_is_reported(checkout: Path, tmp_path: Path) -> None:
    run = apportion(checkout, tmp_path / "nowhere", "run")
    assert run.returncode == 2
    assert f"no folder {tmp_path / 'nowhere' / 'landing'}" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_period_is_closed_once_by_the_command_line(checkout: Path, data: Path) -> None:
    # The run of the test before did not publish what it built.
    refused = apportion(checkout, data, "close", "2026-01")
    assert refused.returncode == 1
    assert "Nothing was changed. Run `make run`" in refused.stderr
    assert not (data / "ledger").exists()
    assert apportion(checkout, data, "run").returncode == 0
    closing = apportion(checkout, data, "close", "2026-01")
    assert closing.returncode == 0, closing.stdout + closing.stderr
    # 24 lines of the December invoice, 15,043.25, and three of the broker report, 578.15.
    assert "Closed        2026-01: 101 rows in" in closing.stdout
    assert re.search(r"Receipt       posting 1, 2026-01, SHA-256 [0-9a-f]{64}", closing.stdout)
    verified = apportion(checkout, data, "ledger", "verify")
    assert verified.returncode == 0
    assert "Postings      1: files, hashes and chain are intact" in verified.stdout
    assert rows(data, "select status, line_count from marts.billing_periods order by 1, 2") == [
        ("closed", 27),
        ("open", 2),
        ("open", 10),
        ("open", 17),
        ("open", 36),
        ("open", 50),
    ]
    again = apportion(checkout, data, "close", "2026-01")
    assert again.returncode == 2
    assert "2026-01 is closed already" in again.stderr
