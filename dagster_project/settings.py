"""Paths of a data folder, and limits.

Belongs here: the folders of a data folder and the limits a user may set. Does not: anything
that reads or writes them.
"""

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dagster_project.errors import BadSetting

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DBT_FOLDER = PROJECT_ROOT / "dbt"
FEEDS = (
    "billing_lines",
    "split_history",
    "cost_centers",
    "organizations",
    "invoices",
    "corrections",
    "price_list",
    "directory",
    "budgets",
    "manual_forecasts",
    "exchange_rates",
    "shared_costs",
    "license_skus",
)


@dataclass(frozen=True)
class DataFolder:
    """The folders and files of one data folder (see "The data folder" in README.md)."""

    root: Path

    @classmethod
    def from_environment(cls) -> "DataFolder":
        """The folder named by APPORTION_DATA; without it, the sample company's."""
        named = os.environ.get("APPORTION_DATA")
        return cls(Path(named).resolve() if named else PROJECT_ROOT / "data" / "sample")

    @property
    def landing(self) -> Path:
        """The files of the users; Apportion never writes to it, except downloaded exports."""
        return self.root / "landing"

    @property
    def declarations(self) -> Path:
        """The settings for reading files; optional."""
        return self.root / "apportion.toml"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that ingestion and dbt write; disposable."""
        return self.root / "warehouse.duckdb"

    @property
    def ledger(self) -> Path:
        """Closed periods; the only state that landing cannot rebuild."""
        return self.root / "ledger"

    @property
    def ledger_timestamps(self) -> Path:
        """The answers of the time-stamping authority, one per posting."""
        return self.root / "ledger_timestamps"

    @property
    def forgotten_users(self) -> Path:
        """Salted hashes of people who are to stay erased; cannot be rebuilt either."""
        return self.root / "forgotten_users.jsonl"

    @property
    def published(self) -> Path:
        """The marts for BI."""
        return self.root / "published"

    @property
    def published_database(self) -> Path:
        """The DuckDB file for BI tools, switched in one step."""
        return self.published / "apportion.duckdb"

    @property
    def exports(self) -> Path:
        """Files for people and accounting systems, a folder per period."""
        return self.root / "exports"

    @property
    def delivery(self) -> Path:
        """The mail server, the recipients of statements, and alerts; optional."""
        return self.root / "delivery.toml"

    @property
    def sent_mail(self) -> Path:
        """The record of mail that was sent; append-only."""
        return self.root / "sent_mail.jsonl"

    @property
    def changes(self) -> Path:
        """The record of what people changed in the app; append-only."""
        return self.root / "changes.jsonl"

    @property
    def reviews(self) -> Path:
        """The record of who assigned, commented and accepted findings; append-only."""
        return self.root / "reviews.jsonl"

    @property
    def line_salt(self) -> Path:
        """The salt of the line ids that organizations see in the app; readable by its owner."""
        return self.root / "line_salt"

    @property
    def run_folder(self) -> Path:
        """Housekeeping of runs: the writer's lock, dbt's logs and compiled SQL."""
        return self.root / ".run"


class Engine(StrEnum):
    """What builds the models of a run."""

    DUCKDB = "duckdb"
    SPARK = "spark"

    @classmethod
    def from_environment(cls) -> "Engine":
        """The engine named by APPORTION_ENGINE; without it, DuckDB. Raises BadSetting."""
        named = os.environ.get("APPORTION_ENGINE", "").strip() or cls.DUCKDB
        try:
            return cls(named)
        except ValueError:
            known = " or ".join(cls)
            raise BadSetting(f"APPORTION_ENGINE is {named!r}; it must be {known}") from None


@dataclass(frozen=True)
class Limits:
    """Limits of one landed file, and of waiting. Sizes in bytes."""

    file_bytes: int = 4 * 1024**3
    unpacked_bytes: int = 8 * 1024**3
    workbook_bytes: int = 1024**3
    """Unpacked; a workbook of a million rows has about 0.7 GB, and takes a minute to read."""
    read_seconds: int = 60
    """Processor time for one file."""
    read_memory_bytes: int = 1_000_000_000
    lock_wait_seconds: int = 3600

    @classmethod
    def from_environment(cls) -> "Limits":
        """The defaults, or the values of APPORTION_MAX_FILE_BYTES and the other variables.

        Raises BadSetting.
        """
        return cls(
            file_bytes=_whole_number("APPORTION_MAX_FILE_BYTES", cls.file_bytes),
            unpacked_bytes=_whole_number("APPORTION_MAX_UNPACKED_BYTES", cls.unpacked_bytes),
            workbook_bytes=_whole_number("APPORTION_MAX_WORKBOOK_BYTES", cls.workbook_bytes),
            read_seconds=_whole_number("APPORTION_MAX_READ_SECONDS", cls.read_seconds),
            read_memory_bytes=_whole_number(
                "APPORTION_MAX_READ_MEMORY_BYTES", cls.read_memory_bytes
            ),
            lock_wait_seconds=_whole_number("APPORTION_LOCK_WAIT_SECONDS", cls.lock_wait_seconds),
        )


def _whole_number(variable: str, default: int) -> int:
    value = os.environ.get(variable, "").strip()
    # ASCII digits alone: int() also accepts signs, underscores and digits of other scripts.
    if value and not re.fullmatch(r"[0-9]+", value):
        raise BadSetting(f"{variable} is {value!r}; it must be a whole number like {default}")
    return int(value) if value else default


def named_outside(data: DataFolder, variable: str) -> Path | None:
    """The path in an environment variable; None without one. Raises BadSetting in `data`."""
    named = os.environ.get(variable)
    if not named:
        return None
    path = Path(named).resolve()
    if path.is_relative_to(data.root.resolve()):
        raise BadSetting(f"{variable} is {path}, in the data folder; keep it elsewhere")
    return path
