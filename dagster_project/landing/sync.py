"""Landing files to raw tables, once per content.

`sync` makes the raw tables hold exactly what lies in landing: new contents are read, contents
that are gone are withdrawn, the same content under two names or in two archives counts once.
All of it is one transaction: either the whole landing folder is in, or nothing changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
    registry,
)
from dagster_project.landing.contents import Progress, Reading
from dagster_project.landing.forgetting import ForgottenIdentifier
from dagster_project.landing.registry import KnownContents, LandedFile
from dagster_project.settings import Limits


@dataclass(frozen=True)
class LandingReport:
    """What one `sync` found: every file with its status, and the rows each raw table holds."""

    files: tuple[LandedFile, ...]
    withdrawn_row_count: int
    row_counts: dict[str, int]

    def count(self, status: str) -> int:
        """How many files have this status."""
        return sum(each.status == status for each in self.files)


def sync(
    landing: Path,
    connection: duckdb.DuckDBPyConnection,
    limits: Limits | None = None,
    progress: Progress = lambda message: None,
    forgotten: Sequence[ForgottenIdentifier] = (),
    declarations: Declarations = NO_DECLARATIONS,
) -> LandingReport:
    """Make the raw tables of `connection` hold what lies in `landing`, and say what was found.

    Who is in `forgotten` is in no raw table under a name of their own. Raises NoLandingFolder. A
    file that cannot be used is listed with its reason and does not stop the others; a row that is
    no row lands in raw.rejected_rows.
    """
    folder.require_landing(landing)
    limits = limits or Limits.from_environment()
    connection.begin()
    try:
        report = _sync(
            landing, connection, Reading(limits, tuple(forgotten), progress, declarations)
        )
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
    return report


def _sync(landing: Path, connection: duckdb.DuckDBPyConnection, reading: Reading) -> LandingReport:
    raw_tables.create_tables(
        connection, raw_tables.reader_version(reading.forgotten, reading.declarations)
    )
    known = KnownContents(registry.read_registry(connection))
    paths = list(folder.list_landing(landing))
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
            # It was there when landing was listed; whoever took it away meant to.
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
