"""A query of a page: its SQL, its parameters, the columns shown; and how an answer is fetched.

Belongs here: code that all queries share. Does not: any one query, Streamlit, markup.

A query is SQL with parameters: its text contains no values. Names of measures come from
`Viewer.measures`; a customer's connection has no others.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import duckdb

from dagster_project import wording

Kind = Literal[
    "text",
    "amount",
    "exact",
    "quantity",
    "share",
    "percent",
    "day",
    "instant",
    "status",
    "code",
    "sharing_method",
    "change_part",
    "change_meaning",
]
"""How the values of a column are written (markup)."""

Row = Mapping[str, object]
"""One row of an answer, by column; besides the columns shown it has keys for links."""


WORDS: Mapping[Kind, Callable[[str], str]] = {
    "code": wording.code,
    "sharing_method": wording.sharing_method,
    "change_part": wording.change_part,
    "change_meaning": wording.change_meaning,
}
"""Kinds of codes, with the function that puts a code into words."""


@dataclass(frozen=True)
class Column:
    """A column that is shown: its name in the answer, its title, how its values are written."""

    name: str
    title: str
    kind: Kind = "text"


@dataclass(frozen=True)
class Query:
    """SQL with a complete order, the values of its parameters, and the columns shown.

    `most` limits the answer to its first rows.
    """

    sql: str
    parameters: tuple[tuple[str, str], ...] = ()
    columns: tuple[Column, ...] = ()
    most: int | None = None

    def without(self, *names: str) -> "Query":
        """The same query with fewer columns shown."""
        kept = tuple(column for column in self.columns if column.name not in names)
        return replace(self, columns=kept)

    @property
    def export_columns(self) -> tuple[Column, ...]:
        """Columns of a downloaded file: the columns shown, and the currency of amounts."""
        has_money = any(column.kind in ("amount", "exact") for column in self.columns)
        is_shown = any(column.name == "currency" for column in self.columns)
        if has_money and not is_shown:
            return (*self.columns, Column("currency", "Currency"))
        return self.columns


@dataclass(frozen=True)
class Selection:
    """The rows a page shows: a billing period, narrowed by every field that is set."""

    period: str | None = None
    organization_id: str | None = None
    cost_center_id: str | None = None
    product_name: str | None = None
    currency: str | None = None
    subscription_id: str | None = None
    invoice_number: str | None = None
    """Both of billing lines only: sums have no subscription and no invoice."""

    def where(self, period_column: str = "billing_period") -> str:
        """SQL condition of the selected rows; its values are in `parameters`."""
        conditions = [
            f"{period_column if name == 'period' else name} = ${name}"
            for name, _ in self.parameters
        ]
        return " and ".join(conditions) or "true"

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """The values of `where`, by name."""
        fields = (
            "period", "organization_id", "cost_center_id", "product_name", "currency",
            "subscription_id", "invoice_number",
        )  # fmt: skip
        values = ((name, getattr(self, name)) for name in fields)
        return tuple((name, value) for name, value in values if value is not None)


def fetch(
    connection: duckdb.DuckDBPyConnection, query: Query, limit: int, offset: int = 0
) -> list[Row]:
    """At most `limit` rows of an answer, from row `offset` on."""
    if query.most is not None:
        limit = max(0, min(limit, query.most - offset))
    result = connection.execute(
        f"{query.sql} limit {int(limit)} offset {int(offset)}", dict(query.parameters)
    )
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def count(connection: duckdb.DuckDBPyConnection, query: Query) -> int:
    """The number of rows of the whole answer."""
    row = connection.execute(f"select count(*) from ({query.sql})", dict(query.parameters))
    counted = int((row.fetchone() or (0,))[0])
    return counted if query.most is None else min(counted, query.most)


def every_row(connection: duckdb.DuckDBPyConnection, query: Query) -> Iterator[tuple[object, ...]]:
    """All rows with the columns of `Query.export_columns`; holds one batch in memory at a time."""
    most = "" if query.most is None else f" limit {int(query.most)}"
    result = connection.execute(query.sql + most, dict(query.parameters))
    names = [column[0] for column in result.description or ()]
    wanted = [(names.index(column.name), column.kind) for column in query.export_columns]
    while batch := result.fetchmany(10_000):
        for row in batch:
            yield tuple(WORDS[kind](str(row[i])) if kind in WORDS else row[i] for i, kind in wanted)


Measures = tuple[tuple[str, str], ...]
"""Amount columns with their titles."""


def sums(measures: Measures) -> str:
    """SQL that sums amount columns."""
    return ", ".join(f"sum({name}) as {name}" for name, _ in measures)


def money_columns(measures: Measures, kind: Kind = "amount") -> tuple[Column, ...]:
    """Amount columns that are shown."""
    return tuple(Column(name, title, kind) for name, title in measures)


QUANTITY: tuple[Column, ...] = (
    Column("quantity", "Quantity", "quantity"),
    Column("quantity_unit", "Unit"),
)
"""A quantity that is shown, and its unit."""


def quantity_sum() -> str:
    """SQL that sums `quantity`; null for several units, because their sum has no meaning."""
    # A sum of a mart is null if its lines have several units; a quantity of zero needs none.
    several = "bool_or(quantity is null or quantity <> 0 and quantity_unit is null)"
    one = f"min(quantity_unit) is not distinct from max(quantity_unit) and not ({several})"
    return (
        f"case when {one} then sum(quantity) end as quantity,"
        f" case when {one} then min(quantity_unit) end as quantity_unit"
    )
