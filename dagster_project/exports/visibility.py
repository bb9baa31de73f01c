"""The marts, columns and rows that an organization may see: denied unless dbt's YAML allows them.

Belongs here: reading `meta` of marts and their columns, and SQL of the visible part of a mart. Does
not: the form in which a masked value is shown, which each export decides.

    config:
      meta:
        visibility: organization            # on a mart and on each visible column
        organization_rows: amount_basis = 'sales'   # optional, on a mart: SQL of the visible rows

`organization_masked` allows a column only in a form that reveals no cost: the export replaces its
value, or leaves the column out. On a mart it means that only an export which replaces its costs may
show it. A mart or column without `visibility` is for the broker only, so a new column stays hidden
until somebody decides otherwise.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import duckdb

from dagster_project import dbt_runner
from dagster_project.errors import ApportionError
from dagster_project.quoting import sql_identifier

OWN_ROWS = "organization_id = getvariable('organization')"
"""SQL of the rows of the organization that the connection's variable `organization` names."""

OWN_PERIODS = f"""
    (billing_period, currency) in (
        select (billing_period, currency) from {{chargeback}} where {OWN_ROWS}
    )
    """
"""SQL of the rows of a mart without organizations: the periods that bill the organization."""


class Visibility(StrEnum):
    """The values of `visibility`."""

    ORGANIZATION = "organization"
    MASKED = "organization_masked"


class UnknownVisibility(ApportionError):
    """A mart or column has a `visibility` that does not exist."""


@dataclass(frozen=True)
class VisibleMart:
    """The part of a mart that an organization may see, of its own rows."""

    name: str
    visibility: Visibility
    columns: Mapping[str, Visibility]
    """In the order of the mart."""
    rows: str | None
    """SQL of the visible rows; all of the organization's rows if null."""

    def values(self, masks: Mapping[str, str], published: Collection[str]) -> dict[str, str]:
        """SQL per visible column: its own name, or its mask.

        A masked column without a mask is left out, and so is a column that is not `published`.
        """
        values = {
            column: masks.get(column, sql_identifier(column))
            for column, visibility in self.columns.items()
            if visibility is Visibility.ORGANIZATION or column in masks
        }
        return {column: value for column, value in values.items() if column in published}

    def condition(self, chargeback: str = "chargeback") -> str:
        """SQL of the rows of the organization that the variable `organization` names.

        `chargeback` is the published mart of that name.
        """
        own = (
            OWN_ROWS
            if "organization_id" in self.columns
            else OWN_PERIODS.format(chargeback=chargeback)
        )
        return f"{own} and ({self.rows})" if self.rows else own


@cache
def visible_marts() -> Mapping[str, VisibleMart]:
    """The marts of which an organization may see a part, by name. Raises UnknownVisibility."""
    return read_visible_marts(dbt_runner.read_manifest())


def read_visible_marts(manifest: Mapping[str, Any]) -> dict[str, VisibleMart]:
    """The visible parts of the marts in a dbt manifest, by name. Raises UnknownVisibility."""
    marts: dict[str, VisibleMart] = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] != "model" or node["config"]["schema"] != "marts":
            continue
        meta = node["config"].get("meta", {})
        visibility = _visibility(meta, node["name"])
        if visibility is None:
            continue
        columns = {
            name: column_visibility
            for name, column in node["columns"].items()
            if (
                column_visibility := _visibility(
                    column.get("config", {}).get("meta", {}), f"{node['name']}.{name}"
                )
            )
        }
        marts[node["name"]] = VisibleMart(
            node["name"], visibility, columns, meta.get("organization_rows")
        )
    return dict(sorted(marts.items()))


def customer_marts() -> Iterable[VisibleMart]:
    """The marts that an organization may see as they are, without an export that masks costs."""
    return [mart for mart in visible_marts().values() if mart.visibility is Visibility.ORGANIZATION]


def require_customer_tables(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Raise ValueError if a table has a column that an organization may not see.

    Exports for a customer read the customer's own tables, so that they cannot show anything else.
    """
    visible = {mart.name: mart.columns for mart in customer_marts()}.get(table, {})
    hidden = [name for name in connection.table(table).columns if name not in visible]
    if hidden:
        raise ValueError(
            f"a customer's export reads the customer's own tables; {table} has {hidden[0]}"
        )


def _visibility(meta: Mapping[str, Any], where: str) -> Visibility | None:
    value = meta.get("visibility")
    try:
        return Visibility(value) if value is not None else None
    except ValueError as error:
        raise UnknownVisibility(
            f"{where}: visibility is {value!r}; allowed are {', '.join(Visibility)}, or none for"
            " the broker only"
        ) from error
