"""The command line: `python -m dagster_project run`, `close` and `dev`; `--help` says more."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from dagster_project import run_state
from dagster_project.errors import ApportionError
from dagster_project.settings import PROJECT_ROOT, DataFolder


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and do what it says; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dagster_project",
        description="License chargeback: landing files in, a reconciled and split bill out.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run_command = commands.add_parser("run", help="run the whole pipeline on a data folder")
    run_command.add_argument(
        "--again", action="store_true", help="run even if nothing changed since the last run"
    )
    close_command = commands.add_parser("close", help="close a billing period for good")
    close_command.add_argument("period", help="the billing period, a month like 2026-01")
    close_command.add_argument(
        "--reason", help="close in spite of obstacles; the reason is recorded in the ledger"
    )
    dev_command = commands.add_parser("dev", help="Dagster's web UI on this project")
    for command in (run_command, close_command, dev_command):
        command.add_argument(
            "--data",
            type=Path,
            help="the data folder (default: the variable APPORTION_DATA, else data/sample)",
        )
    options = parser.parse_args(arguments)
    if options.data:
        os.environ["APPORTION_DATA"] = str(options.data.resolve())
    os.environ.setdefault("DAGSTER_HOME", str(PROJECT_ROOT / ".dagster"))
    data = DataFolder.from_environment()
    try:
        if options.command == "dev":
            serve_web_ui()
        if options.command == "close":
            return close(data, options.period, options.reason)
        return run(data, again=options.again)
    except ApportionError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2


def run(data: DataFolder, again: bool = False) -> int:
    """Run the pipeline on `data` unless nothing changed; print the summary. 0 is success."""
    started = time.monotonic()
    print(f"Apportion     {data.root}", flush=True)
    if not again and run_state.is_published(data, run_state.current(data)):
        print("Nothing changed since the last run; its results stand.\n")
    else:
        # Imported only now: this takes seconds, which a run without changes need not spend.
        from dagster_project.pipeline import run_pipeline

        if not run_pipeline(data):
            print("\nThe run failed; what was published before stays as it was.", file=sys.stderr)
            return 1
    from dagster_project.summary import summarize

    print(summarize(data))
    print(f"\nDone in {time.monotonic() - started:.1f} s")
    return 0


def close(data: DataFolder, period: str, reason: str | None) -> int:
    """Bring the results up to date, post the period, publish it as closed. 0 is success."""
    if run(data) != 0:
        print(f"\n{period} is not closed: the run before closing failed.", file=sys.stderr)
        return 1
    from dagster_project import closing
    from dagster_project.settings import Limits
    from dagster_project.writer import only_writer

    with only_writer(data, Limits.from_environment(), progress=print):
        posting = closing.close(data, period, reason)
    print(
        f"\nClosed        {period}: {posting.row_count:,} rows, cost {posting.total_cost},"
        f" in {data.ledger / posting.file}\n"
    )
    return run(data)


def serve_web_ui() -> NoReturn:
    """Become Dagster's web server and daemon; ends on Ctrl-C or SIGTERM."""
    # A process that a script starts with & ignores interrupts, and Dagster stops by them.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    dagster = str(Path(sys.executable).with_name("dagster"))
    os.execv(dagster, [dagster, "dev", "-m", "dagster_project.definitions"])


if __name__ == "__main__":
    sys.exit(main())
