"""The command line: help, exit codes, one sentence for each error."""

import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import builds
import duckdb
import pytest

from dagster_project.cli import main
from dagster_project.settings import PROJECT_ROOT, DataFolder

COMMANDS = ("run", "close", "export", "inspect", "what-if", "forget", "dev")
UNHARMED = "Landing files, closed periods and published results are unchanged."
BILL = """\
Subscription ID,ProductName,Quantity,TotalCost,ChargeStartDate,BillingDate,BillingLineDetails
S1,E3,1,10,28 Dec 2025,6 Jan 2026,cycleCharge. From 28 Dec 2025 to 27 Jan 2026 (31 days)
"""


def apportion(
    *arguments: object, limit: Callable[[], None] | None = None, **variables: object
) -> subprocess.CompletedProcess[str]:
    """`python -m dagster_project` in a process of its own, `limit` called before it begins."""
    return run_python("-m", "dagster_project", *arguments, limit=limit, **variables)


def run_python(
    *arguments: object, limit: Callable[[], None] | None = None, **variables: object
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=PROJECT_ROOT,
        env=os.environ | {name: str(value) for name, value in variables.items()},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """A data folder with the smallest bill, and a Dagster home beside it."""
    shutil.copytree(PROJECT_ROOT / ".dagster", tmp_path / "dagster", ignore=only_the_settings)
    data = DataFolder(tmp_path / "data")
    bill = data.landing / "billing_lines" / "january.csv"
    bill.parent.mkdir(parents=True)
    bill.write_text(BILL)
    return data


def only_the_settings(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name != "dagster.yaml"]


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


# --- help ---------------------------------------------------------------------------------------


def test_help_names_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\S", shown, re.MULTILINE), command
    assert "1  blocked" in shown and "2  usage" in shown
    assert max(map(len, shown.splitlines())) <= 100


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_every_option(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    options = re.findall(
        r"^  (?:-h, )?(--[a-z-]+(?: [A-Z]+)?|[A-Z.]+(?: <\S+>)?)  +(\S.*)", shown, re.M
    )
    assert [name.split()[0] for name, _ in options][-1:] == ["--help"]
    assert "--data" in [name.split()[0] for name, _ in options]
    assert all(text[0].isupper() for _, text in options), options


def test_help_is_printed_without_slow_imports() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert apportion("--help").returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Seconds of a processor; Dagster alone takes two to import.
    assert after.ru_utime - before.ru_utime < 1


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    version = re.search(r'^version = "(.+)"', (PROJECT_ROOT / "pyproject.toml").read_text(), re.M)
    assert version and capsys.readouterr().out == f"apportion {version[1]}\n"


# --- wrong arguments and settings ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "No such command 'rnu'. Did you mean 'run'?"),
        (["run", "--agian"], "No such option: --agian"),
        (["close"], "Missing argument 'PERIOD'"),
        (["close", "2026-13"], "'2026-13' is not a month like 2026-01"),
        (["close", "january"], "'january' is not a month like 2026-01"),
        (["export", "--period", "2026-1"], "'2026-1' is not a month like 2026-01"),
        (["export", "--period", "2026-01", "--to", "2026-02"], "not together with --from or --to"),
        (
            ["export", "--focus-only", "out", "--journal-columns", "names.json"],
            "not together with --focus-only",
        ),
        (["inspect"], "Missing argument 'FILE'"),
        (["what-if"], "Missing argument 'FILE...'"),
        (["forget"], "Missing argument 'USER'"),
    ],
)
def test_wrong_arguments_are_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["run"], ["close", "2026-01"], ["export"], ["what-if", "a.csv"], ["forget", "ada"], ["dev"]],
)
def test_a_data_folder_that_does_not_exist_is_named_and_not_created(
    arguments: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("APPORTION_DATA", "")
    missing = tmp_path / "nowhere"
    assert main([*arguments, "--data", str(missing)]) == 2
    assert f"no folder {missing / 'landing'}" in capsys.readouterr().err
    assert not missing.exists()


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("APPORTION_MAX_FILE_BYTES", "4GB", "must be a whole number"),
        ("APPORTION_LOCK_WAIT_SECONDS", "-1", "must be a whole number"),
        ("APPORTION_EXPORT_URL", "ftp://example.com", "APPORTION_EXPORT_URL must begin with https"),
        ("DAGSTER_HOME", "/no/such/folder", "must be the full path of an existing folder"),
        ("DAGSTER_HOME", "relative", "must be the full path of an existing folder"),
    ],
)
def test_a_wrong_setting_is_named(
    variable: str,
    value: str,
    message: str,
    data: DataFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("APPORTION_DATA", "")
    monkeypatch.setenv(variable, value)
    assert main(["run", "--data", str(data.root)]) == 2
    errors = capsys.readouterr().err
    assert variable in errors and message in errors


# --- faults of the machine ----------------------------------------------------------------------


def test_a_full_disk_is_explained_and_changes_nothing(data: DataFolder, tmp_path: Path) -> None:
    before = tree(data.landing)
    # dbt writes the statement of each model that it runs; on /dev/full nothing can be written. No
    # statements are kept, as after a change of the project, so that dbt builds.
    program = """
import sys
from dagster_project import cli, compiled_build
compiled_build.kept = lambda: None
sys.exit(cli.main())
"""
    statement = data.run_folder / "dbt/run/apportion/models/staging/stg_landing__files.sql"
    statement.parent.mkdir(parents=True)
    statement.symlink_to("/dev/full")
    run = run_python("-c", program, "run", "--data", data.root, DAGSTER_HOME=tmp_path / "dagster")
    assert run.returncode == 1
    assert run.stderr == (
        f"The disk is full. {UNHARMED} Free some space and run the command again.\n"
        f"\nThe run failed. {UNHARMED}\n"
    )
    assert tree(data.landing) == before
    assert not data.published_database.exists()


def test_a_disk_that_stops_writing_in_the_middle_is_explained(
    data: DataFolder, tmp_path: Path
) -> None:
    def no_large_files() -> None:
        # Dagster's records are the first files of a run to become larger.
        resource.setrlimit(resource.RLIMIT_FSIZE, (500 * 1024, 500 * 1024))

    builds.prepare()
    run = apportion(
        "run", "--data", data.root, limit=no_large_files, DAGSTER_HOME=tmp_path / "dagster"
    )
    assert run.returncode == 1
    assert UNHARMED in run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    assert not data.published_database.exists()


def test_a_folder_that_cannot_be_written_is_explained(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Not even root can create files there, so the test is the same for every account.
    data.run_folder.symlink_to("/sys/kernel")
    monkeypatch.setenv("APPORTION_DATA", "")
    assert main(["run", "--data", str(data.root)]) == 1
    errors = capsys.readouterr().err
    assert "writer.lock" in errors and UNHARMED in errors
    assert "Traceback" not in errors


def test_a_database_that_another_program_has_open_is_explained(
    data: DataFolder, tmp_path: Path
) -> None:
    with duckdb.connect(str(data.warehouse)):
        run = apportion("run", "--data", data.root, DAGSTER_HOME=tmp_path / "dagster")
    assert run.returncode == 1
    assert f"Another program has the database open: {data.warehouse}" in run.stderr
    assert f"(PID {os.getpid()})" in run.stderr
    assert "Close that program" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_lock_that_another_run_holds_is_explained(data: DataFolder, tmp_path: Path) -> None:
    data.run_folder.mkdir()
    holding = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time, filelock;"
            "lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True);"
            "time.sleep(60)",
            str(data.run_folder / "writer.lock"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holding.stdout is not None
        holding.stdout.readline()
        started = time.monotonic()
        run = apportion(
            "run",
            *("--data", data.root),
            APPORTION_LOCK_WAIT_SECONDS=1,
            DAGSTER_HOME=tmp_path / "dagster",
        )
        assert time.monotonic() - started < 60
    finally:
        holding.kill()
        holding.wait()
    assert run.returncode == 1
    assert f"Another run is writing to {data.root}; waiting for up to 1 seconds" in run.stdout
    assert "Nothing was changed. Wait until it ends, or stop it" in run.stderr
    assert "Traceback" not in run.stderr
