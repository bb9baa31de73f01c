"""All exports of a period, into `exports/<period>/`.

Belongs here: the files of a delivery and their folders. Does not: their content.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import duckdb

from dagster_project import wording
from dagster_project.exports import (
    broker_report,
    customer,
    focus,
    journal,
    split_history,
    statements,
    workbook,
)
from dagster_project.exports.scope import NothingInScope, Scope, open_published
from dagster_project.exports.statement_look import read_look
from dagster_project.feeds.declarations import read_locale
from dagster_project.files import file_name
from dagster_project.mail.settings import read_delivery
from dagster_project.publish import published_state
from dagster_project.published_tables import STATE
from dagster_project.settings import DataFolder


@dataclass(frozen=True)
class Delivery:
    """The written folder, and the number of files per kind, in order of writing."""

    folder: Path
    file_counts: dict[str, int]
    state_id: str
    """The published state, also in the file `state.json` of the folder."""


def latest_period(connection: duckdb.DuckDBPyConnection) -> str:
    """The latest published billing period. Raises NothingInScope."""
    row = connection.execute("select max(billing_period) from billing_report").fetchone()
    if not row or row[0] is None:
        raise NothingInScope("no bill is published yet")
    return str(row[0])


def deliver(
    data: DataFolder,
    first_period: str | None = None,
    last_period: str | None = None,
    organization_id: str | None = None,
    journal_columns: Path | None = None,
    progress: Callable[[str], None] = lambda message: None,
    *,
    is_focus_guarded: bool = False,
) -> Delivery:
    """Write every export of the periods (default: the latest) into `exports/`, all or nothing.

    There is one folder per period or range, with one folder per customer for the edition without
    cost prices. The folder is built beside the old one and replaces it at the end. Raises
    NothingPublished, NothingInScope, DeclarationInvalid and the errors of the exports.
    """
    with open_published(data) as connection:
        scope = _scope(connection, first_period, last_period, organization_id)
        folder = folder_of(data, scope)
        building = folder.with_name(f".{folder.name}.building")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        state_id = published_state(data) or "unknown"
        try:
            # Customers' folders do not have it: the id depends on costs.
            (building / STATE).write_text(f'{{"state_id": "{state_id}"}}\n', encoding="ascii")
            with wording.written_in(read_locale(data.declarations)):
                counts = _write_all(
                    connection, data, scope, building, journal_columns, progress, is_focus_guarded
                )
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)
        building.rename(folder)
    return Delivery(folder, counts, state_id)


def folder_of(data: DataFolder, scope: Scope) -> Path:
    """The folder of the exports of a scope."""
    name = file_name(scope.words)
    if scope.organization_id is not None:
        name = f"{name}-{file_name(scope.organization_id)}"
    return data.exports / name


def deliver_focus(
    data: DataFolder,
    folder: Path,
    first_period: str | None = None,
    last_period: str | None = None,
    organization_id: str | None = None,
    *,
    is_guarded: bool = False,
) -> tuple[focus.FocusFile, ...]:
    """Write only the FOCUS files, in every version and format, into a folder; returns them.

    Other files in the folder stay. Periods and errors are those of `deliver`.
    """
    folder = folder.absolute()
    with open_published(data, folder) as connection:
        scope = _scope(connection, first_period, last_period, organization_id)
        return _write_focus(connection, scope, folder, is_guarded)


def _scope(
    connection: duckdb.DuckDBPyConnection,
    first_period: str | None,
    last_period: str | None,
    organization_id: str | None,
) -> Scope:
    first = first_period or last_period or latest_period(connection)
    return Scope(first, last_period or first, organization_id)


def _write_focus(
    connection: duckdb.DuckDBPyConnection, scope: Scope, folder: Path, is_guarded: bool
) -> tuple[focus.FocusFile, ...]:
    return tuple(
        file
        for version in get_args(focus.Version)
        for file in focus.write_focus(connection, scope, folder, version, is_guarded=is_guarded)
    )


def _write_all(
    connection: duckdb.DuckDBPyConnection,
    data: DataFolder,
    scope: Scope,
    folder: Path,
    journal_columns: Path | None,
    progress: Callable[[str], None],
    is_focus_guarded: bool,
) -> dict[str, int]:
    counts: dict[str, int] = {}
    period = file_name(scope.words)
    look = read_look(data, read_delivery(data).statements)
    progress("statements ...")
    files = statements.write_statements(connection, scope, folder, look)
    pages = [path for path in files if path.suffix == ".html"]
    by_unit = sum(path.parent.name == "units" for path in pages)
    counts["statements"] = len(pages) - by_unit
    if by_unit:
        counts["statements by unit"] = by_unit
    if look is not None:
        counts["of them as PDF"] = sum(path.suffix == ".pdf" for path in files)
    if folder / statements.WITHOUT_PDF in files:
        counts[f"without PDF: {statements.WITHOUT_PDF} has the reasons"] = (
            len(pages) - counts["of them as PDF"]
        )
    progress("workbook ...")
    workbook.write_workbook(connection, scope, folder / f"chargeback-{period}.xlsx")
    counts["workbook"] = 1
    progress("billing report ...")
    for with_cost_center, name in ((False, "billing_report"), (True, "split_billing_report")):
        broker_report.write_broker_report(
            connection, scope, folder / f"{name}-{period}.csv", with_cost_center
        )
    counts["billing reports"] = 2
    split_history.write_split_history(
        connection, scope, folder / f"cost_center_report-{period}.csv"
    )
    counts["cost center report"] = 1
    progress("journal ...")
    names = journal.read_column_names(journal_columns) if journal_columns else None
    journal.write_journal(connection, scope, folder / f"journal-{period}.csv", names)
    counts["journal"] = 1
    progress("FOCUS ...")
    counts["FOCUS files"] = len(_write_focus(connection, scope, folder / "focus", is_focus_guarded))
    progress("customers' editions ...")
    counts["customers' editions"] = 0
    # All databases that readers see are of one version: those of others are made again.
    refreshed = customer.databases_to_refresh(connection, data)
    for organization_id in customer.organization_file_names(connection):
        if scope.organization_id not in (None, organization_id):
            if organization_id in refreshed:
                customer.write_customer_database(connection, data, organization_id)
            continue
        own = Scope(scope.first_period, scope.last_period, organization_id, "customer")
        if customer.is_sold_to(connection, own):
            customer.write_customer_edition(connection, data, own, folder / "organizations")
            counts["customers' editions"] += 1
    customer.remove_gone_customers(connection, data)
    customer.show_customers(data)
    return counts
