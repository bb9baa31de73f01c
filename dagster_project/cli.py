"""The command line `apportion`, also callable as `python -m dagster_project`.

Belongs here: arguments, help, exit codes, and how errors are printed. Does not: what a command does
(commands).

Only light modules are imported here, so that `--help` and a run in which nothing has changed stay
quick.
"""

import gc
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from dagster_project import commands, faults
from dagster_project.errors import ApportionError
from dagster_project.landing.folder import require_landing
from dagster_project.settings import PROJECT_ROOT, DataFolder

INTERRUPTED = 130

app = typer.Typer(
    help="Split bills for Microsoft 365 licenses over cost centers.\n\n"
    "A data folder has your files in landing/. Apportion builds everything else in it: the"
    " warehouse, the published tables, the ledger of closed periods and the exports.",
    epilog="\b\nExamples:\n"
    "  apportion run                              the sample company\n"
    "  apportion run --data /my/folder            your own data folder\n"
    "  apportion export --period 2026-01          files for people and accounting systems\n"
    "  apportion inspect /my/bill.csv             what a run would read from a file\n"
    "  apportion what-if /my/seats.csv            the effect of a file before it lands\n"
    "\n\b\nExit status:\n"
    "  0  success\n"
    "  1  blocked: a check failed, a period cannot be closed, the disk is full ...\n"
    "  2  usage: an argument, a setting or a named file is wrong",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Data = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        envvar="APPORTION_DATA",
        show_default=False,
        help="The data folder; data/sample without it.",
    ),
]
Organization = Annotated[
    str | None, typer.Option(metavar="ID", show_default=False, help="One organization only.")
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in the arguments (default: those of the process); returns the exit code."""
    try:
        app(arguments)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            print(f"\nInterrupted. {faults.UNHARMED}", file=sys.stderr)
        return ended.code if isinstance(ended.code, int) else 0
    except ApportionError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    except Exception as error:
        explanation = faults.explain(error)
        if explanation is None:
            raise
        print(f"Error: {explanation}", file=sys.stderr)
        return 1
    finally:
        # Python would search everything for garbage once more before it ends, for over a second.
        gc.freeze()
    raise AssertionError("Typer ends every command by SystemExit")


@app.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Options of `apportion` itself."""
    if version:
        import tomllib

        project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        print(f"apportion {project['project']['version']}")
        raise typer.Exit


@app.command(short_help="Run the pipeline and print a summary.")
def run(
    again: Annotated[
        bool, typer.Option("--again", help="Run even if nothing has changed since the last run.")
    ] = False,
    full_refresh: Annotated[
        bool,
        typer.Option(
            "--full-refresh",
            help="Read all of landing and build every table again. The results are the same.",
        ),
    ] = False,
    data: Data = None,
) -> None:
    """Run the pipeline on a data folder and print a summary.

    Reads new landing files, splits the bills, runs every check and publishes the results. Tables
    and checks whose inputs are unchanged are left out. If nothing has changed since the last run,
    only the summary is printed.
    """
    raise typer.Exit(commands.run(_data_folder(data), again, full_refresh))


def _month(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", value):
        raise typer.BadParameter(f"{value!r} is not a month like 2026-01")
    return value


@app.command(short_help="Close a billing period.")
def close(
    period: Annotated[
        str,
        typer.Argument(metavar="PERIOD", callback=_month, help="The billing period, like 2026-01."),
    ],
    reason: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Close despite obstacles; the ledger records the reason."
        ),
    ] = None,
    data: Data = None,
) -> None:
    """Close a billing period: its lines are posted to the ledger and never change again.

    Rows in quarantine, an invoice that does not tie and shared costs that cannot be passed on are
    obstacles. Close them with a reason, or remove them first.
    """
    raise typer.Exit(commands.close(_data_folder(data), period, reason))


@app.command(short_help="Mail statements of a closed period to their recipients.")
def notify(
    period: Annotated[
        str,
        typer.Argument(metavar="PERIOD", callback=_month, help="A closed period, like 2026-01."),
    ],
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Write .eml files to exports/mail/ and send nothing."),
    ] = False,
    again: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", show_default=False, help="Send to it again; repeatable."),
    ] = None,
    data: Data = None,
) -> None:
    """Mail a closed period: statements to owners and organizations, a summary to the broker.

    Recipients and mail server are in delivery.toml of the data folder. Each recipient gets a
    posting once, however often the command runs.
    """
    raise typer.Exit(commands.notify(_data_folder(data), period, dry_run, again or []))


@app.command(short_help="Alert of new findings and exceeded budgets.")
def alert(
    test: Annotated[
        bool, typer.Option("--test", help="Send a test message instead of new findings.")
    ] = False,
    data: Data = None,
) -> None:
    """Alert of findings that no earlier alert had, to APPORTION_ALERT_URLS and by mail."""
    raise typer.Exit(commands.alert(_data_folder(data), test))


ledger_app = typer.Typer(no_args_is_help=True, help="The ledger of closed periods.")
app.add_typer(ledger_app, name="ledger")


@ledger_app.command("verify", short_help="Check the ledger of closed periods.")
def verify_ledger(data: Data = None) -> None:
    """Check every file, hash, recorded head and signature of the ledger; changes nothing."""
    raise typer.Exit(commands.verify_ledger(_data_folder(data)))


@app.command(short_help="Write statements, workbook, journal and FOCUS files.")
def export(
    period: Annotated[
        str | None,
        typer.Option(
            metavar="PERIOD",
            callback=_month,
            show_default=False,
            help="One billing period, like 2026-01; the latest without it.",
        ),
    ] = None,
    first_period: Annotated[
        str | None,
        typer.Option("--from", metavar="PERIOD", callback=_month, help="The first of a range."),
    ] = None,
    last_period: Annotated[
        str | None,
        typer.Option("--to", metavar="PERIOD", callback=_month, help="The last of a range."),
    ] = None,
    organization: Organization = None,
    journal_columns: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help='Names for the journal\'s columns, as JSON: {"our name": "yours"}.'
        ),
    ] = None,
    focus_only: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the FOCUS files only, into this folder."),
    ] = None,
    guard_focus: Annotated[
        bool,
        typer.Option(
            "--guard-focus",
            help="Put an apostrophe before texts in FOCUS CSV files that a spreadsheet would"
            " evaluate. Programs then read other ids.",
        ),
    ] = False,
    data: Data = None,
) -> None:
    """Write statements, workbook, journal, FOCUS files and customers' editions.

    The files of a period or range are in exports/ of the data folder, from the published results.
    """
    if period and (first_period or last_period):
        raise typer.BadParameter("not together with --from or --to", param_hint="'--period'")
    if journal_columns and focus_only:
        raise typer.BadParameter("not together with --focus-only", param_hint="'--journal-columns'")
    folder, first, last = _data_folder(data), period or first_period, period or last_period
    if focus_only:
        raise typer.Exit(
            commands.export_focus(folder, focus_only, first, last, organization, guard_focus)
        )
    raise typer.Exit(
        commands.export(folder, first, last, organization, journal_columns, guard_focus)
    )


@app.command(
    "what-if",
    short_help="Show the amounts that files would change.",
    epilog="A scenario is any file that can land: a split history with other splits or seats, a"
    " price list, cost centers ... Its header determines the feed. Exit status 2: a file or a row"
    " of it cannot be used, and nothing was computed.",
)
def what_if(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files that have not landed.")
    ],
    organization: Organization = None,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write every affected cost center, all decimals."),
    ] = None,
    data: Data = None,
) -> None:
    """Show the amounts that files would change if they landed, in open periods and in the forecast.

    The rules run on a copy. Nothing in the data folder changes.
    """
    raise typer.Exit(commands.what_if(_data_folder(data), files, organization, csv))


@app.command(
    short_help="Show what a run would read from a file.",
    epilog="Exit status: 0 if a run would use every row, 1 if it would refuse the file or put rows"
    " into quarantined_rows, 2 if an argument or a setting is wrong.",
)
def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file, landed or not.")],
    place: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="PATH",
            show_default=False,
            help="The path below landing that the file would have, like billing_lines/january.csv.",
        ),
    ] = None,
    data: Data = None,
) -> None:
    """Show what a run would read from a file, without a run.

    Shows the format, the encoding, the columns, the first three rows as understood, sums per
    currency and unusable rows, and suggests settings for apportion.toml. Nothing in the data folder
    changes.
    """
    raise typer.Exit(commands.inspect(_data_folder(data), file, place))


@app.command(short_help="Copy files from object storage into landing.")
def fetch(
    address: Annotated[
        str,
        typer.Argument(metavar="ADDRESS", help="Where the files are, like s3://bucket/landing."),
    ],
    data: Data = None,
) -> None:
    """Copy new and changed files from object storage into landing.

    A file that was fetched and is gone there is removed. Files that landed otherwise stay.
    """
    raise typer.Exit(commands.fetch(_data_folder(data), address))


@app.command(short_help="Copy the published version into object storage.")
def put(
    address: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS", help="Where versions are put, like s3://bucket/published."
        ),
    ],
    data: Data = None,
) -> None:
    """Copy the published version into object storage, and switch readers to it at the end."""
    raise typer.Exit(commands.put(_data_folder(data), address))


@app.command(short_help="Erase one person from the raw tables.")
def forget(
    user: Annotated[
        str, typer.Argument(metavar="USER", help="User ID or sign-in name, as in the directory.")
    ],
    data: Data = None,
) -> None:
    """Erase one person from the raw tables, now and whenever landing is read again.

    No figure changes: the person's licenses stay counted under a pseudonym.
    """
    raise typer.Exit(commands.forget(_data_folder(data), user))


@app.command(short_help="Start Dagster's web UI.")
def dev(data: Data = None) -> None:
    """Start Dagster's web UI on this project, at http://127.0.0.1:3000, until Ctrl-C."""
    raise typer.Exit(commands.serve_web_ui(_data_folder(data)))


@app.command(short_help="Serve the published tables over HTTP.")
def api(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="The address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on.")] = 8450,
    certificate: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default=False, help="A TLS certificate, as PEM."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default=False, help="The key of the certificate."),
    ] = None,
    per_minute: Annotated[
        int, typer.Option(min=1, metavar="N", help="Requests a minute for each token.")
    ] = 300,
    data: Data = None,
) -> None:
    """Serve the published tables over HTTP, read-only, until Ctrl-C.

    Every request needs a token: see `apportion api-token`. Without --host only this machine can
    connect.
    """
    settings = commands.ApiSettings(host, port, certificate, key, per_minute)
    raise typer.Exit(commands.serve_api(_data_folder(data), settings))


token_app = typer.Typer(no_args_is_help=True, help="Tokens of the HTTP service.")
app.add_typer(token_app, name="api-token")


@token_app.command("add", short_help="Issue a token and print it once.")
def add_token(
    label: Annotated[str, typer.Argument(metavar="LABEL", help="The program that uses it.")],
    organization: Annotated[
        str | None,
        typer.Option(metavar="ID", show_default=False, help="Its own rows only, without cost."),
    ] = None,
    broker: Annotated[
        bool, typer.Option("--broker", help="All organizations, with cost and margin.")
    ] = False,
    dataset: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", show_default=False, help="This dataset only; repeatable."),
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, metavar="N", show_default=False, help="Days until it ends.")
    ] = None,
    data: Data = None,
) -> None:
    """Issue a token for one organization or for the broker, and print it. It is not shown again."""
    if broker == (organization is not None):
        raise typer.BadParameter("either --broker or --organization", param_hint="'--broker'")
    folder = _data_folder(data)
    raise typer.Exit(commands.add_api_token(folder, label, organization, dataset or [], days))


@token_app.command("list", short_help="List the tokens, without their text.")
def list_tokens(data: Data = None) -> None:
    """List the tokens: id, scope, label, datasets and last day."""
    raise typer.Exit(commands.list_api_tokens(_data_folder(data)))


@token_app.command("revoke", short_help="Revoke a token.")
def revoke_token(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The id from `list`.")],
    data: Data = None,
) -> None:
    """Revoke a token; the running service refuses it at once."""
    raise typer.Exit(commands.revoke_api_token(_data_folder(data), token_id))


def _data_folder(named: Path | None) -> DataFolder:
    """The data folder, also for processes that are started. Raises NoLandingFolder."""
    if named:
        os.environ["APPORTION_DATA"] = str(named.resolve())
    data = DataFolder.from_environment()
    if not data.root.is_dir():
        require_landing(data.landing)
    return data
