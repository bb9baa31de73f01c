"""The journal as a CSV file for an accounting system, with that system's column names.

Belongs here: names and order of columns. Does not: the entries, which are in journal_entries.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import duckdb

from dagster_project.errors import UsageError
from dagster_project.exports.scope import NothingInScope, Scope
from dagster_project.files import write_csv

COLUMNS = {
    "posting_date": "Posting Date",
    "entry_id": "Entry",
    "entry_line": "Line",
    "gl_account": "Account",
    "account_name": "Account Name",
    "cost_center_id": "Cost Center",
    "organization_id": "Organization",
    "debit": "Debit",
    "credit": "Credit",
    "currency": "Currency",
    "entry_text": "Text",
    "entry_type": "Type",
    "billing_period": "Billing Period",
    "corrected_period": "Corrected Period",
}
"""Columns of the file in order, by column of the mart."""


class UnknownJournalColumn(UsageError):
    """The names for the journal's columns name one that the journal does not have."""


def read_column_names(path: Path) -> dict[str, str]:
    """The columns an accounting system wants, from a JSON object {our column: its name}.

    The file's order is the order of the columns; what it leaves out is left out. Raises
    UnknownJournalColumn.
    """
    names = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(names, dict) or not names:
        raise UnknownJournalColumn(f"{path}: not a JSON object of column names")
    unknown = sorted(set(names) - set(COLUMNS))
    if unknown:
        raise UnknownJournalColumn(
            f"{path}: the journal has no column {', '.join(unknown)}; it has {', '.join(COLUMNS)}"
        )
    return {str(column): str(name) for column, name in names.items()}


def write_journal(
    connection: duckdb.DuckDBPyConnection,
    scope: Scope,
    path: Path,
    column_names: Mapping[str, str] | None = None,
) -> Decimal:
    """Write the entries in scope in their order; returns the sum of debits, equal to the credits.

    Raises NothingInScope.
    """
    names = dict(column_names or COLUMNS)
    rows = connection.execute(
        f"""
        select {", ".join(names)}
        from journal_entries
        where {scope.condition}
        order by entry_id, entry_line
        """,
        scope.parameters,
    ).fetchall()
    if not rows:
        raise NothingInScope(f"no journal entries for {scope.words}")
    write_csv(path, list(names.values()), rows)
    total = connection.execute(
        f"select sum(debit) from journal_entries where {scope.condition}", scope.parameters
    ).fetchone()
    return Decimal(total[0] if total else 0)
