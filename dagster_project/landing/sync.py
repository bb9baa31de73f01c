"""Landing files to raw tables, once per content.

`sync` makes the raw tables match landing: it reads new contents, removes the rows of contents that
were deleted, and counts the same content under two names or in two archives once. It is one
transaction: all of landing is read, or nothing changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from dagster_project.errors import RefusedFile
from dagster_project.feeds.declarations import NO_DECLARATIONS, Declarations
from dagster_project.feeds.formats import FORMATS
from dagster_project.landing import (
    billing_exports,
    contents,
    deliveries,
    folder,
    raw_tables,
    reader_process,
    registry,
)
from dagster_project.landing.forgetting import ForgottenIdentifier
from dagster_project.landing.registry import KnownContents, LandedFile
from dagster_project.landing.understanding import Progress, Reading
from dagster_project.settings import Limits


@dataclass(frozen=True)
class LandingReport:
    """The result of a `sync`: each file with its status, and the row count of each raw table."""

    files: tuple[LandedFile, ...]
    withdrawn_row_count: int
    row_counts: dict[str, int]

    def count(self, status: str) -> int:
        """The number of files with this status."""
        return sum(each.status == status for each in self.files)


def sync(
    landing: Path,
    connection: duckdb.DuckDBPyConnection,
    limits: Limits | None = None,
    progress: Progress = lambda message: None,
    forgotten: Sequence[ForgottenIdentifier] = (),
    declarations: Declarations = NO_DECLARATIONS,
) -> LandingReport:
    """Update the raw tables of `connection` from `landing`; returns the files and row counts.

    People in `forgotten` have a pseudonym in the raw tables. A file that cannot be used is listed
    with its reason and does not stop the others. Rows that do not fit the table of their file are
    in raw.rejected_rows. Raises NoLandingFolder.
    """
    folder.require_landing(landing)
    limits = limits or Limits.from_environment()
    connection.begin()
    try:
        # On the disk of the data folder: the system's folder may be in memory.
        run_folder = landing.parent / ".run"
        scratch = run_folder if run_folder.is_dir() else None
        reading = Reading(limits, tuple(forgotten), progress, declarations, scratch)
        report = _sync(landing, connection, reading)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
    return report


def _sync(landing: Path, connection: duckdb.DuckDBPyConnection, reading: Reading) -> LandingReport:
    raw_tables.create_tables(
        connection,
        raw_tables.reader_version(reading.forgotten, reading.declarations),
        reading.declarations,
    )
    registered = registry.read_registry(connection)
    known = KnownContents(registered)
    paths = list(folder.list_landing(landing))
    names = {each.file for each in registered}
    if any(
        path.suffix.lower() == ".parquet" and folder.name_of(path, landing) not in names
        for path in paths
    ):
        # Ready by the time that other files are read.
        reader_process.start()
    exports = billing_exports.find_exports(landing, paths, reading.limits)
    export_paths = {path for export in exports for path in export.paths}
    files: list[LandedFile] = []
    for path in paths:
        if path in export_paths:
            continue
        name = folder.name_of(path, landing)
        try:
            landed = contents.read_file(path, name, connection, reading, known)
        except FileNotFoundError:
            # The file was deleted after landing was listed.
            reading.progress(f"gone      {name}")
            continue
        except RefusedFile as refusal:
            reading.progress(f"refused   {name}: {refusal}")
            landed = [registry.refused(path, name, refusal)]
        for each in landed:
            known.add(each)
            if each.feed == "billing_lines" and each.status == "loaded":
                each = registry.in_delivery(each, deliveries.place_of(each.file))
            files.append(each)
    gaps = deliveries.missing_parts(each.file for each in files if each.feed == "billing_lines")
    files = [replace(each, missing_parts=gaps.get(each.file)) for each in files]
    for export in exports:
        files += billing_exports.read_export(export, landing, connection, reading, known)
    files.sort(key=lambda landed: landed.file)
    files = registry.mark_copies(files)
    withdrawn = raw_tables.withdraw_missing(connection, files)
    registry.write_registry(connection, files)
    return LandingReport(
        files=tuple(files),
        withdrawn_row_count=withdrawn,
        row_counts={each.name: raw_tables.count_rows(connection, each.name) for each in FORMATS},
    )
