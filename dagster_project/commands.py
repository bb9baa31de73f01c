"""The commands of the command line: each calls one or two packages and prints what came of it.

Every function returns the exit code, where 0 is success, and raises ApportionError. Belongs here:
the order of steps and what is printed. Does not: arguments and help (cli).

Imports are inside the functions: dbt, Dagster and PyArrow take seconds, and no command needs all.
"""

import contextlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dagster_project import faults
from dagster_project.errors import ApportionError, UsageError
from dagster_project.settings import DataFolder, Engine, Limits


def run(data: DataFolder, again: bool = False, full_refresh: bool = False) -> int:
    """Run the pipeline on `data` unless nothing has changed; print the summary.

    A full refresh begins with an empty warehouse.
    """
    from dagster_project.partner_center.settings import ExportSettings

    if Engine.from_environment() is Engine.SPARK:
        from dagster_project.spark.engine import python_with_spark

        python_with_spark()
    started = time.monotonic()
    print(f"Apportion     {data.root}", flush=True)
    # A provider's export is downloaded by the run itself: its state is not known before.
    must_run = again or full_refresh or ExportSettings.from_environment() is not None
    if not must_run and _is_up_to_date(data):
        print("Nothing changed since the last run; its results are current.\n")
        summary: str | None = locked_summary(data, has_next_steps=False)
    else:
        summary = _run_pipeline(data, must_run, full_refresh)
    if summary is None:
        print(f"\nThe run failed. {faults.UNHARMED}", file=sys.stderr)
        return 1
    print(summary)
    print(f"\nDone in {time.monotonic() - started:.1f} s")
    return 0


def locked_summary(data: DataFolder, *, has_next_steps: bool = True) -> str:
    """The summary, for which no run may write to the warehouse."""
    from dagster_project.summary import summarize
    from dagster_project.writer import only_writer

    with contextlib.ExitStack() as stack:
        # An account that may only read cannot take the lock; it may see the results all the same.
        with contextlib.suppress(OSError):
            stack.enter_context(only_writer(data, Limits.from_environment(), progress=print))
        return summarize(data, has_next_steps=has_next_steps)


def _is_up_to_date(data: DataFolder) -> bool:
    from dagster_project import run_state

    return run_state.is_published(data, run_state.current(data))


def _run_pipeline(data: DataFolder, must_run: bool, full_refresh: bool) -> str | None:
    """The summary of the results; None if the run failed.

    The results may be those of a run that this run waited for. The lock is held until the summary
    is made, as the next run changes the warehouse.
    """
    from dagster_project import copies, history
    from dagster_project.summary import summarize
    from dagster_project.writer import only_writer

    messages: list[str] = []

    def progress(message: str) -> None:
        messages.append(message)
        print(message, flush=True)

    history.use_home_of(data)
    with only_writer(data, Limits.from_environment(), progress):
        has_waited = bool(messages)
        copies.remove_abandoned(data)
        if has_waited and not must_run and _is_up_to_date(data):
            print("The other run has brought the results up to date.\n")
            return summarize(data)
        print("Starting      Dagster and dbt ...", flush=True)
        import dagster as dg

        from dagster_project import warehouse_file
        from dagster_project.pipeline import run_pipeline

        if full_refresh:
            warehouse_file.remove(data)
        failures = run_pipeline(data)
        if failures and warehouse_file.set_aside_if_damaged(data, print):
            failures = run_pipeline(data)
        with dg.DagsterInstance.get() as instance:
            history.remove_old_runs(instance)
        summary = None if failures else summarize(data)
    for failure in failures:
        print(failure, file=sys.stderr)
    return summary


def close(data: DataFolder, period: str, reason: str | None) -> int:
    """Post the published lines of a period, print the receipt, and publish the period as closed."""
    from dagster_project.landing.folder import require_landing
    from dagster_project.ledger import closing
    from dagster_project.ledger.anchors import Head
    from dagster_project.writer import only_writer

    require_landing(data.landing)
    closing.require_closable(data, period)
    # Nothing may change between the checks, the posting and the run that publishes it.
    with only_writer(data, Limits.from_environment(), progress=print):
        posting = closing.close_published(data, period, reason)
        print(
            f"Closed        {period}: {posting.row_count:,} rows in {data.ledger / posting.file}\n"
            f"Receipt       {Head.of(posting).receipt()}\n"
            "              (file it apart from the data folder)\n",
            flush=True,
        )
        exit_code = 1
        try:
            exit_code = run(data)
        finally:
            if exit_code != 0:
                print(
                    f"\n{period} is closed in the ledger; published results do not show it yet."
                    " The next run that succeeds publishes it.",
                    file=sys.stderr,
                )
        if exit_code == 0:
            exit_code = _notify_on_closing(data, period)
    return exit_code


def _notify_on_closing(data: DataFolder, period: str) -> int:
    """Mail a period that was just closed, if delivery.toml asks for it."""
    from dagster_project.mail.notify import is_on_closing

    try:
        if not is_on_closing(data):
            return 0
        print(f"\nMail of {period}")
        return notify(data, period, is_dry_run=False, again=[])
    except ApportionError as error:
        print(
            f"{period} is closed and published, and its mail is not sent: {error}."
            f" apportion notify {period} sends it",
            file=sys.stderr,
        )
        return 1


def notify(data: DataFolder, period: str, is_dry_run: bool, again: Sequence[str]) -> int:
    """Mail what is not sent yet for a closed period; print what became of each message."""
    from dagster_project.mail import notify as mail
    from dagster_project.writer import only_writer

    def show(message: str) -> None:
        print(message, flush=True)

    with only_writer(data, Limits.from_environment(), progress=show):
        outcome = mail.notify(data, period, is_dry_run=is_dry_run, again=again, progress=show)
    for path in outcome.written:
        print(f"Written       {path}")
    print(f"Sent          {len(outcome.sent)}" if not is_dry_run else "Sent          nothing")
    if outcome.earlier:
        print(f"Sent earlier  {len(outcome.earlier)}")
    for each in outcome.skipped:
        print(f"Skipped       {each.address}: {each.reason}")
    for fault in outcome.refused:
        print(f"Refused       {fault}", file=sys.stderr)
    for fault in outcome.unknown:
        print(f"Unknown       {fault}", file=sys.stderr)
    return 1 if outcome.refused or outcome.unknown else 0


def alert(data: DataFolder, is_test: bool) -> int:
    """Send alerts of new findings, or a test message; print how many."""
    from dagster_project.mail import alerts
    from dagster_project.mail.settings import ALERT_URLS_VARIABLE

    if not alerts.is_configured(data):
        raise UsageError(
            f"alerts have no recipient: set {ALERT_URLS_VARIABLE}, or mail_to in [alerts] of"
            f" {data.delivery}"
        )
    if is_test:
        count = alerts.send(data, alerts.Alert("Apportion: test", "Alerts reach this recipient."))
        print(f"Sent          a test message to {count} recipients")
    else:
        print(f"Sent          {alerts.send_new_findings(data)} new findings")
    return 0


def verify_ledger(data: DataFolder) -> int:
    """Check the ledger and print the records that it was compared with."""
    from dagster_project.ledger import anchors, timestamps

    verification = anchors.verify(data)
    print(f"Ledger        {data.ledger}")
    for posting in verification.postings:
        print(f"  {anchors.Head.of(posting).receipt()}, {posting.row_count:,} rows")
    print(f"Postings      {len(verification.postings)}: files, hashes and chain are intact")
    for path in verification.anchors:
        print(f"Head          as recorded in {path}")
    if anchors.anchor_log(data) is None:
        print(f"Log           none outside: {anchors.ANCHOR_FILE_VARIABLE} is not set")
    for stamp in verification.stamps:
        print(
            f"Time stamp    posting {stamp.posting_number} at {stamp.stamped_at:%Y-%m-%d %H:%M:%S}"
            f" UTC, {stamp.path}"
        )
    if timestamps.authority(data) is None:
        print(f"Time stamps   none checked: {timestamps.URL_VARIABLE} is not set")
    elif missing := len(verification.postings) - len(verification.stamps):
        print(f"Time stamps   {missing} missing: the next run asks for them")
    if not verification.anchors:
        print("Head          not recorded anywhere: compare it with the receipts of closings")
    print(
        f"Signatures    {verification.signed_count} checked"
        if verification.signed_count
        else f"Signatures    none checked: {anchors.KEY_FILE_VARIABLE} is not set or no posting is"
        " signed"
    )
    return 0


def export(
    data: DataFolder,
    first_period: str | None,
    last_period: str | None,
    organization_id: str | None,
    journal_columns: Path | None,
    is_focus_guarded: bool,
) -> int:
    """Write all exports of the periods from the published results."""
    from dagster_project.exports.delivery import deliver
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
            is_focus_guarded=is_focus_guarded,
        )
    print(f"\nExports       {delivery.folder}, of the published state {delivery.state_id[:8]}")
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
    is_guarded: bool,
) -> int:
    """Write the FOCUS files of the periods into a folder."""
    from dagster_project.exports.delivery import deliver_focus

    files = deliver_focus(
        data, folder, first_period, last_period, organization_id, is_guarded=is_guarded
    )
    for file in files:
        print(f"Written       {file.path}: {file.row_count:,} rows")
    return 0


def what_if(
    data: DataFolder, files: list[Path], organization_id: str | None, csv: Path | None
) -> int:
    """Show the amounts that the files would change if they landed; `data` does not change."""
    from dagster_project import wording
    from dagster_project.feeds.declarations import read_locale
    from dagster_project.what_if import compare, report
    from dagster_project.what_if.scenario import Scenario

    started = time.monotonic()
    # Checked before the computation, which takes a while.
    if csv is not None:
        report.require_free(csv, data, files)
    scenarios = [Scenario.read(file) for file in files]
    with wording.written_in(read_locale(data.declarations)):
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
    print(f"Compared with state {found.state_id[:8]} of landing, ledger and rules.")
    print("Amounts are rounded as their currency is written; --csv has all decimals.")
    print(f"Nothing was changed in {data.root}. Done in {time.monotonic() - started:.1f} s")
    return 0


def inspect(data: DataFolder, file: Path, place: str | None) -> int:
    """Show what a run would read from a file; `data` does not change."""
    from dagster_project.inspection import report
    from dagster_project.inspection.reading import inspect_file

    inspections = inspect_file(file, data, place)
    print("\n\n".join(report.as_text(each) for each in inspections))
    is_usable = all(each.is_usable for each in inspections)
    print(f"\n{'A run would use every row.' if is_usable else 'A run would not use every row.'}")
    return 0 if is_usable else 1


def fetch(data: DataFolder, address: str) -> int:
    """Copy files from object storage into landing."""
    from dagster_project import object_storage

    fetched = object_storage.fetch(data, address, print)
    print(f"{fetched.new} fetched, {fetched.removed} removed, {fetched.kept} unchanged")
    return 0


def put(data: DataFolder, address: str) -> int:
    """Copy the published version into object storage."""
    from dagster_project import object_storage

    version = object_storage.put(data, address, print)
    print(f"{address} shows {version}" if version else "The published version is there already")
    return 0


def forget(data: DataFolder, user: str) -> int:
    """Erase a person from the raw tables permanently and build everything again."""
    from dagster_project import database, history
    from dagster_project.feeds.declarations import read_declarations
    from dagster_project.landing import forgetting
    from dagster_project.landing.folder import require_landing
    from dagster_project.landing.sync import sync
    from dagster_project.writer import only_writer

    require_landing(data.landing)
    history.use_home_of(data)
    with only_writer(data, Limits.from_environment(), progress=print):
        # Landing is read into memory: the warehouse may not have the newest files yet.
        with database.connect() as connection:
            sync(
                data.landing,
                connection,
                forgotten=forgetting.read_list(data.forgotten_users),
                declarations=read_declarations(data.declarations),
            )
            traces = forgetting.find_traces(connection, user)
        pseudonym = forgetting.add_to_list(data.forgotten_users, traces)
        forgetting.remove_copies(data)
        print(f"Forgotten     {len(traces.rows):,} rows are {pseudonym} from now on")
        print("Apportion does not change landing files. They still contain the person in")
        files: dict[str, list[int]] = {}
        for file, row_number in traces.rows:
            files.setdefault(file, []).append(row_number)
        for file, row_numbers in files.items():
            shown = ", ".join(map(str, row_numbers[:10]))
            more = f" and {len(row_numbers) - 10} more" if len(row_numbers) > 10 else ""
            print(f"  {data.landing / file}: row {shown}{more}")
        print(flush=True)
        # dbt logs the command line of its process.
        sys.argv = [sys.argv[0], "forget"]
        return run(data)


def serve_web_ui(data: DataFolder) -> int:
    """Run Dagster's web server and daemon until Ctrl-C or SIGTERM; returns the exit code."""
    from dagster_project import history, web_server

    history.use_home_of(data)
    return web_server.serve()


@dataclass(frozen=True)
class ApiSettings:
    """Where the HTTP service listens, and how many requests a minute it answers per token."""

    host: str
    port: int
    certificate: Path | None
    key: Path | None
    per_minute: int


def serve_api(data: DataFolder, settings: ApiSettings) -> int:
    """Serve the published tables over HTTP until Ctrl-C or SIGTERM."""
    from dagster_project.api import server, tokens

    path = tokens.path_of(data)
    if not tokens.read(path).tokens:
        print("There is no token yet: apportion api-token add LABEL --organization ID", flush=True)
    return server.serve(data, settings)


def add_api_token(
    data: DataFolder,
    label: str,
    organization_id: str | None,
    datasets: Sequence[str],
    days: int | None,
) -> int:
    """Issue a token and print it. Raises UsageError for an unknown dataset or organization."""
    from dagster_project.api import tokens
    from dagster_project.api.datasets import DATASETS
    from dagster_project.exports.scope import open_published

    for name in datasets:
        if name not in DATASETS:
            raise UsageError(
                f"there is no dataset {name!r}; the datasets are {', '.join(DATASETS)}"
            )
    if organization_id is not None:
        with open_published(data) as connection:
            known = connection.execute(
                "select count(*) from chargeback where organization_id = $id",
                {"id": organization_id},
            ).fetchone()
        if known == (0,):
            raise UsageError(f"no bill of the organization {organization_id!r} is published")
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    path = tokens.path_of(data)
    print(tokens.issue(path, label, organization_id, datasets, expires_at))
    print(f"Keep it: only its hash is in {path}.", file=sys.stderr)
    return 0


def list_api_tokens(data: DataFolder) -> int:
    """Print the tokens, one a line."""
    from dagster_project.api import tokens

    known = tokens.read(tokens.path_of(data)).tokens
    for token in known:
        print(
            f"{token.id}  {token.organization_id or 'broker'}  {token.label}"
            f"  {', '.join(token.datasets) or 'all datasets'}"
            f"  {f'until {token.expires_at}' if token.expires_at else 'no end'}"
        )
    if not known:
        print("There are no tokens.")
    return 0


def revoke_api_token(data: DataFolder, token_id: str) -> int:
    """Remove a token."""
    from dagster_project.api import tokens

    token = tokens.revoke(tokens.path_of(data), token_id)
    print(f"Revoked {token.id} ({token.label})")
    return 0
