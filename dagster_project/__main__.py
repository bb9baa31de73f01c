"""The command line: `python -m dagster_project` run, close, export, what-if, forget, dev."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from dagster_project import run_state
from dagster_project.errors import ApportionError
from dagster_project.partner_center.settings import ExportSettings
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
    export_command = commands.add_parser(
        "export", help="write statements, workbook, journal, FOCUS and customers' editions"
    )
    export_command.add_argument(
        "--period", help="a billing period like 2026-01 (default: the latest)"
    )
    export_command.add_argument("--from", dest="first_period", help="the first of a range")
    export_command.add_argument("--to", dest="last_period", help="the last of a range")
    export_command.add_argument("--organization", help="the id of one organization")
    of_all_or_one_kind = export_command.add_mutually_exclusive_group()
    of_all_or_one_kind.add_argument(
        "--journal-columns",
        type=Path,
        help="a JSON object {our column: its name} for the journal's columns",
    )
    of_all_or_one_kind.add_argument(
        "--focus-only",
        type=Path,
        metavar="FOLDER",
        help="write the FOCUS files only, into this folder",
    )
    what_if_command = commands.add_parser(
        "what-if",
        help="show the money that files would move if they landed, without touching anything",
        description=(
            "Show the money that files would move if they landed: in open billing periods and in"
            " the months to come. The real rules run on a copy; nothing of the data folder changes."
        ),
        epilog=(
            "A scenario is any file that could land: a split history with other splits or seats, a"
            " price list, cost centers ... Its header tells which. Exit code 0: computed; 2: a file"
            " or a row of it could not be used, and nothing was computed."
        ),
    )
    what_if_command.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a file that has not landed"
    )
    what_if_command.add_argument("--organization", help="show the id of one organization only")
    what_if_command.add_argument(
        "--csv",
        type=Path,
        metavar="OUT",
        help="also write every cost center of what moves to a CSV file, with all decimals",
    )
    forget_command = commands.add_parser("forget", help="erase one person from the raw tables")
    forget_command.add_argument("user", help="the user id or sign-in name, as the directory has it")
    dev_command = commands.add_parser("dev", help="Dagster's web UI on this project")
    for command in (
        run_command,
        close_command,
        export_command,
        what_if_command,
        forget_command,
        dev_command,
    ):
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
        if options.command == "export" and options.focus_only:
            return export_focus(
                data,
                options.focus_only,
                options.period or options.first_period,
                options.period or options.last_period,
                options.organization,
            )
        if options.command == "export":
            return export(
                data,
                options.period or options.first_period,
                options.period or options.last_period,
                options.organization,
                options.journal_columns,
            )
        if options.command == "what-if":
            return what_if(data, options.files, options.organization, options.csv)
        if options.command == "forget":
            return forget(data, options.user)
        return run(data, again=options.again)
    except ApportionError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2


def run(data: DataFolder, again: bool = False) -> int:
    """Run the pipeline on `data` unless nothing changed; print the summary. 0 is success."""
    started = time.monotonic()
    print(f"Apportion     {data.root}", flush=True)
    # What a provider's export holds is not known before it is asked.
    is_fetching = ExportSettings.from_environment() is not None
    if not again and not is_fetching and run_state.is_published(data, run_state.current(data)):
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
    from dagster_project.ledger import closing
    from dagster_project.settings import Limits
    from dagster_project.writer import only_writer

    with only_writer(data, Limits.from_environment(), progress=print):
        posting = closing.close(data, period, reason)
    print(
        f"\nClosed        {period}: {posting.row_count:,} rows, cost {posting.total_cost},"
        f" in {data.ledger / posting.file}\n"
    )
    return run(data)


def export(
    data: DataFolder,
    first_period: str | None,
    last_period: str | None,
    organization_id: str | None,
    journal_columns: Path | None,
) -> int:
    """Write all exports of the periods from what is published. 0 is success."""
    from dagster_project.exports.delivery import deliver
    from dagster_project.settings import Limits
    from dagster_project.writer import only_writer

    started = time.monotonic()
    with only_writer(data, Limits.from_environment(), progress=print):
        delivery = deliver(
            data,
            first_period,
            last_period,
            organization_id,
            journal_columns,
            progress=lambda step: print(f"Writing       {step}", flush=True),
        )
    print(f"\nExports       {delivery.folder}")
    for kind, count in delivery.file_counts.items():
        print(f"  {count:>6,} {kind}")
    print(f"\nDone in {time.monotonic() - started:.1f} s")
    return 0


def export_focus(
    data: DataFolder,
    folder: Path,
    first_period: str | None,
    last_period: str | None,
    organization_id: str | None,
) -> int:
    """Write the FOCUS files of the periods into a folder. 0 is success."""
    from dagster_project.exports.delivery import deliver_focus

    for file in deliver_focus(data, folder, first_period, last_period, organization_id):
        print(f"Written       {file.path}: {file.row_count:,} rows")
    return 0


def what_if(
    data: DataFolder, files: list[Path], organization_id: str | None, csv: Path | None
) -> int:
    """Show what the files would move if they landed; nothing of `data` changes. 0 is success."""
    from dagster_project.what_if import compare, report
    from dagster_project.what_if.scenario import Scenario

    started = time.monotonic()
    # Told before anything is computed, which takes a while.
    if csv is not None:
        report.require_free(csv, data, files)
    scenarios = [Scenario.read(file) for file in files]
    found = compare(
        data,
        scenarios,
        organization_id,
        progress=lambda message: print(f"{message} ...", flush=True),
    )
    print(f"\n{report.as_text(found)}\n")
    if csv is not None:
        count = report.write_rows(found, csv)
        print(f"Written       {csv}: {count:,} rows")
    print("Amounts are rounded as their currency is written; --csv has all decimals.")
    print(f"Nothing was changed in {data.root}. Done in {time.monotonic() - started:.1f} s")
    return 0


def forget(data: DataFolder, user: str) -> int:
    """Erase a person from the raw tables for good and build everything again. 0 is success."""
    import duckdb

    from dagster_project.feeds.declarations import read_declarations
    from dagster_project.landing import forgetting
    from dagster_project.landing.sync import sync
    from dagster_project.settings import Limits
    from dagster_project.writer import only_writer

    with only_writer(data, Limits.from_environment(), progress=print):
        # Read apart from the warehouse: a file that landed a moment ago may name the person too.
        with duckdb.connect() as connection:
            sync(
                data.landing,
                connection,
                forgotten=forgetting.read_list(data.forgotten_users),
                declarations=read_declarations(data.declarations),
            )
            traces = forgetting.find_traces(connection, user)
        pseudonym = forgetting.remember_to_forget(data.forgotten_users, traces)
        # A database file keeps what was deleted from it until the space is used again.
        for path in data.root.glob(f"{data.warehouse.name}*"):
            path.unlink()
    print(f"Forgotten     {len(traces.rows):,} rows are {pseudonym} from now on")
    print("Landing is yours to clean; the person still stands in")
    files: dict[str, list[int]] = {}
    for file, row_number in traces.rows:
        files.setdefault(file, []).append(row_number)
    for file, row_numbers in files.items():
        shown = ", ".join(map(str, row_numbers[:10]))
        more = f" and {len(row_numbers) - 10} more" if len(row_numbers) > 10 else ""
        print(f"  {data.landing / file}: row {shown}{more}")
    print(flush=True)
    # dbt writes down the command line it is run by.
    sys.argv = [sys.argv[0], "forget"]
    return run(data)


def serve_web_ui() -> NoReturn:
    """Become Dagster's web server and daemon; ends on Ctrl-C or SIGTERM."""
    # A process that a script starts with & ignores interrupts, and Dagster stops by them.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    dagster = str(Path(sys.executable).with_name("dagster"))
    os.execv(dagster, [dagster, "dev", "-m", "dagster_project.definitions"])


if __name__ == "__main__":
    sys.exit(main())
