"""Erasing a person from the raw tables, also when landing is read again.

The list of forgotten people has a salted hash of each identifier. A hash identifies the person in
a new file, and the person cannot be found from the hash. The licenses stay counted under a
pseudonym, so that no figure changes. Belongs here: the list and its effect on landed rows. Does
not: landing files, which users delete themselves.
"""

import hashlib
import json
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from dagster_project.errors import UsageError
from dagster_project.feeds.formats import DIRECTORY_ASSIGNMENTS, DIRECTORY_USERS
from dagster_project.files import replaced_at_once
from dagster_project.quoting import sql_identifier
from dagster_project.settings import DataFolder

if TYPE_CHECKING:
    import pyarrow as pa

IDENTIFIERS = ("user_id", "user_principal_name")
PERSONAL = ("display_name", "other_columns")


KEPT_IN_RUN_FOLDER = ("writer.lock", "ledger_head.json")
"""Files of `.run` that contain no landed row and that a run cannot make again."""


class UnknownUser(UsageError):
    """No row of the directory has this user ID or sign-in name."""


@dataclass(frozen=True)
class ForgottenIdentifier:
    """One identifier of a forgotten person, as a salted hash."""

    pseudonym: str
    salt: str
    digest: str
    forgotten_on: str

    def is_of(self, identifier: str) -> bool:
        """Whether this is the identifier; case and surrounding spaces do not matter."""
        return _digest(self.salt, identifier) == self.digest


@dataclass(frozen=True)
class Traces:
    """The rows about a person: the identifiers as written, and each row's file and number."""

    identifiers: tuple[str, ...]
    rows: tuple[tuple[str, int], ...]


def read_list(path: Path) -> tuple[ForgottenIdentifier, ...]:
    """The list of forgotten identifiers, oldest first; empty without a file."""
    if not path.exists():
        return ()
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(ForgottenIdentifier(**json.loads(line)) for line in lines if line)


def find_traces(connection: duckdb.DuckDBPyConnection, user: str) -> Traces:
    """All rows of the raw tables about a person. Raises UnknownUser."""
    known = {user.strip().lower()}
    identifiers: set[str] = set()
    rows: set[tuple[str, int]] = set()
    while True:
        found = [
            row
            for table in (DIRECTORY_USERS.name, DIRECTORY_ASSIGNMENTS.name)
            for row in connection.execute(
                f"""
                select user_id, user_principal_name, file, row_number
                from {sql_identifier("raw", table)}
                where list_contains($known, lower(trim(user_id)))
                    or list_contains($known, lower(trim(user_principal_name)))
                """,
                {"known": sorted(known)},
            ).fetchall()
        ]
        rows.update((file, row_number) for _, _, file, row_number in found)
        identifiers.update(each for row in found for each in row[:2] if each)
        # An ID leads to a sign-in name, which leads to rows without an ID.
        more = {each.strip().lower() for each in identifiers} - known
        if not more:
            break
        known |= more
    if not rows:
        raise UnknownUser("no landed directory file has a user with this ID or sign-in name")
    return Traces(tuple(sorted(identifiers)), tuple(sorted(rows)))


def add_to_list(path: Path, traces: Traces) -> str:
    """Add a person's identifiers to the list; returns the person's new pseudonym."""
    pseudonym = f"forgotten-{secrets.token_hex(4)}"
    today = datetime.now(UTC).date().isoformat()
    entries = []
    for identifier in traces.identifiers:
        salt = secrets.token_hex(16)
        entries.append(
            ForgottenIdentifier(pseudonym, salt, _digest(salt, identifier), forgotten_on=today)
        )
    lines = [json.dumps(asdict(each)) for each in (*read_list(path), *entries)]
    with replaced_at_once(path) as building:
        building.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return pseudonym


def erase(rows: "pa.Table", forgotten: Iterable[ForgottenIdentifier]) -> "pa.Table":
    """The rows of a directory table, with pseudonyms in place of forgotten people.

    `rows` has raw columns. A sign-in name keeps its domain, which identifies the organization.
    """
    # Imported here: PyArrow takes long to import, and every run reads the list.
    import pyarrow as pa
    import pyarrow.compute as pc

    entries = tuple(forgotten)
    pseudonym_by_value: dict[str, str] = {}
    for column in set(IDENTIFIERS) & set(rows.column_names):
        for value in pc.unique(rows.column(column)).to_pylist():
            entry = next((each for each in entries if value and each.is_of(value)), None)
            if entry:
                pseudonym_by_value[value] = entry.pseudonym
    if not pseudonym_by_value:
        return rows
    erased = []
    for row in rows.to_pylist():
        pseudonym = next(
            (
                pseudonym_by_value[row[column]]
                for column in IDENTIFIERS
                if row.get(column) in pseudonym_by_value
            ),
            None,
        )
        if pseudonym:
            for column in IDENTIFIERS:
                if row.get(column):
                    _, at, domain = row[column].strip().partition("@")
                    row[column] = f"{pseudonym}{at}{domain}"
            row |= {column: None for column in PERSONAL if column in row}
        erased.append(row)
    return pa.Table.from_pylist(erased, schema=rows.schema)


def _digest(salt: str, identifier: str) -> str:
    return hashlib.sha256(f"{salt}{identifier.strip().lower()}".encode()).hexdigest()


def remove_copies(data: DataFolder) -> None:
    """Remove every copy of landed rows: what was built, and what a killed program left.

    A database file keeps deleted rows until the space is used again, so the warehouse is removed
    with its log, its temporary files and damaged versions of it. `.run` may hold the copies of an
    interrupted what-if, inspection or program of a later version. The caller holds the writer's
    lock, and a run builds the warehouse again.
    """
    copies = [
        *data.root.glob(f"{data.warehouse.name}*"),
        *(path for path in data.run_folder.glob("*") if path.name not in KEPT_IN_RUN_FOLDER),
    ]
    for path in copies:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
