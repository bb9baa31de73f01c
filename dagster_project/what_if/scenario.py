"""The files of a scenario: their format, their place in landing, and unusable rows.

Belongs here: reading and refusing files. Does not: their effect (effects).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from dagster_project import wording
from dagster_project.errors import RefusedFile, UsageError
from dagster_project.feeds.formats import FileFormat
from dagster_project.files import file_name
from dagster_project.inspection.grouped_faults import RowFault, grouped
from dagster_project.landing.contents import recognize
from dagster_project.settings import FEEDS, Limits

SHOWN_FAULTS = 10
"""Kinds of faults of one file that a message lists."""


class ScenarioRefused(UsageError):
    """A file of a scenario, or a row of it, cannot be used; nothing is computed."""


@dataclass(frozen=True)
class Scenario:
    """A file as it would land; `name` is the path its user gave."""

    name: str
    content: bytes
    format: FileFormat

    @classmethod
    def read(cls, path: Path, limits: Limits | None = None) -> "Scenario":
        """The scenario in a file, which may be anywhere. Raises ScenarioRefused."""
        try:
            if path.is_dir():
                raise ScenarioRefused(f"{path}: a folder; a scenario is a file")
            # Landing ignores links; a file named on the command line may be one.
            content, file_format = recognize(path.resolve(strict=True), limits)
        except FileNotFoundError:
            raise ScenarioRefused(f"{path}: the file does not exist") from None
        except RefusedFile as refusal:
            raise ScenarioRefused(f"{path}: {refusal}") from refusal
        except OSError as error:
            raise ScenarioRefused(f"{path}: cannot be read: {error.strerror}") from error
        return cls(str(path), content, file_format)

    @property
    def landing_name(self) -> str:
        """The name of the file in landing; some names contain a date."""
        return file_name(Path(self.name).name)


def landing_names(scenarios: Sequence[Scenario], landing: Path) -> dict[str, Scenario]:
    """The scenarios by an unused place below `landing`."""
    names: dict[str, Scenario] = {}
    number = 0
    for scenario in scenarios:
        number += 1
        while any((landing / feed / f"what-if-{number}").exists() for feed in FEEDS):
            number += 1
        names[f"{scenario.format.feed}/what-if-{number}/{scenario.landing_name}"] = scenario
    return names


def require_usable(
    connection: duckdb.DuckDBPyConnection, scenarios: Mapping[str, Scenario]
) -> dict[str, int]:
    """The number of rows of each scenario by its place in landing, if all of them are usable.

    `connection` has the database `after`. Raises ScenarioRefused with file, row, column and value,
    once for all rows of a file with the same fault.
    """
    rows = connection.execute(
        """
        select file, reason, row_number, value, cell
        from after.marts.quarantined_rows
        where list_contains($files, file)
        order by file, row_number, column_name, reason
        """,
        {"files": list(scenarios)},
    ).fetchall()
    if rows:
        raise ScenarioRefused("\n  ".join(_refusals(rows, scenarios)))
    row_counts: dict[str, int] = dict(
        connection.execute(
            "select file, row_count from after.raw.landed_files where list_contains($files, file)",
            {"files": list(scenarios)},
        ).fetchall()
    )
    return row_counts


def _refusals(rows: Sequence[tuple[Any, ...]], scenarios: Mapping[str, Scenario]) -> list[str]:
    """One line per file, and one for all of its rows with the same fault."""
    lines: list[str] = []
    for file, of_file in groupby(rows, key=lambda row: str(row[0])):
        faults: list[RowFault] = []
        name = scenarios[file].name
        for _, reason, row_number, value, cell in of_file:
            if row_number is None:
                lines.append(f"{name}: {reason}{f' (found: {value!r})' if value else ''}")
            else:
                faults.append(RowFault(cell or f"row {row_number}", reason, value))
        lines += [f"{name}: {line}" for line in grouped(faults, SHOWN_FAULTS)]
    if len(rows) == 1:
        return lines
    return [f"{wording.number(len(rows))} rows or files cannot be used", *lines]
