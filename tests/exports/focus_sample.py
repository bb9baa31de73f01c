"""The sample company's bills in FOCUS, written once for all tests of FOCUS."""

import csv
import functools
import json
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
from conftest import Company

from dagster_project import dbt_runner
from dagster_project.exports.focus import FocusFile, write_focus
from dagster_project.exports.scope import Scope, open_published
from dagster_project.publish import publish
from dagster_project.settings import DataFolder

ALL_PERIODS = Scope("2000-01", "2199-12")


@dataclass(frozen=True)
class Written:
    """The files written for a company, and the published marts that they come from."""

    connection: duckdb.DuckDBPyConnection
    files: tuple[FocusFile, ...]

    def path(self, dataset: str, version: str, file_format: str = "csv") -> Path:
        """The file of a dataset, e.g. cost_and_usage."""
        return next(
            file.path
            for file in self.files
            if (file.dataset, file.version, file.file_format)
            == (f"focus_{dataset}", version, file_format)
        )

    def rows(self, dataset: str, version: str = "1.4") -> list[dict[str, str]]:
        """The rows of a CSV file, as text; null is the empty text."""
        with self.path(dataset, version).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


TEMPORARY = Path(tempfile.gettempdir())
"""Tests write files beside the data folder, too."""


def published(company: Company) -> duckdb.DuckDBPyConnection:
    """A connection to the published tables of the company."""
    publish(company.data, dbt_runner.read_manifest(), "state")
    return open_published(company.data, TEMPORARY)


@functools.cache
def written_sample(data: DataFolder) -> Written:
    """All periods of the sample company, in both versions and formats."""
    connection = open_published(data, TEMPORARY)
    folder = data.root / "exports"
    files = (
        *write_focus(connection, ALL_PERIODS, folder, "1.2"),
        *write_focus(connection, ALL_PERIODS, folder, "1.4"),
    )
    return Written(connection, files)


def ratio(row: dict[str, str]) -> Decimal | None:
    """The AllocatedRatio of a row as it is written, or None."""
    details = row["AllocatedMethodDetails"]
    if not details:
        return None
    elements = json.loads(details, parse_float=Decimal, parse_int=Decimal)["Elements"]
    return sum((element["AllocatedRatio"] for element in elements), Decimal(0))
