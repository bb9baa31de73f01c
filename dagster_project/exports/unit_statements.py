"""Statements of units: the statements of the cost centers in a unit, summed by section.

Belongs here: business units, locations, charge codes and parent entities. Does not: statements of
cost centers (statements), which units there are (the mart unit_members).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import duckdb

from dagster_project.exports.scope import Scope
from dagster_project.exports.statement_parts import Account, Part, Section, Statement

KINDS: Mapping[str, str] = {
    "business_unit": "Business unit",
    "location": "Location",
    "charge_code": "Charge code",
    "parent": "Parent entity",
}
"""Kinds of units with their titles."""

NO_UNIT = "(none)"
"""The unit of cost centers without one, which has no statement."""


@dataclass(frozen=True)
class UnitStatement:
    """The statement of a unit, and the kind of the unit."""

    kind: str
    statement: Statement


def unit_statements(
    connection: duckdb.DuckDBPyConnection, scope: Scope, titles: Mapping[str, str]
) -> Iterator[UnitStatement]:
    """The statements of the units in scope; their parts are the statements of cost centers.

    `titles` are those of sections.
    """
    rows = connection.execute(
        f"""
        with lines as (
            select *
            from statement_lines
            inner join (
                select organization_id, cost_center_id, unit_kind, unit_id, unit_name
                from unit_members
                where unit_id <> '{NO_UNIT}'
            ) using (organization_id, cost_center_id)
            where {scope.condition}
        ),
        sections as (
            select
                billing_period, organization_id, currency, unit_kind, unit_id, section,
                min(section_order) as section_order, sum(amount) as amount,
                sum(billed_amount) as billed_amount
            from lines
            group by all
        ),
        section_lists as (
            select
                billing_period, organization_id, currency, unit_kind, unit_id,
                list((section, amount, billed_amount) order by section_order, section) as sections
            from sections
            group by all
        ),
        cost_centers as (
            select
                billing_period, organization_id, currency, unit_kind, unit_id, cost_center_id,
                max(organization_name) as organization_name, max(unit_name) as unit_name,
                max(cost_center_name) as cost_center_name, max(amount_basis) as amount_basis,
                sum(unpriced_line_count) as unpriced_line_count,
                sum(billed_amount) as billed_amount
            from lines
            group by all
        )
        select
            billing_period, organization_id, currency, unit_id, max(amount_basis), unit_kind,
            max(organization_name), max(unit_name), sum(unpriced_line_count), any_value(sections),
            list(
                (cost_center_name, cost_center_id, billed_amount)
                order by cost_center_name, cost_center_id
            )
        from cost_centers
        inner join section_lists
            using (billing_period, organization_id, currency, unit_kind, unit_id)
        group by billing_period, organization_id, currency, unit_kind, unit_id
        order by billing_period, organization_id, currency, unit_kind, unit_id
        """,
        scope.parameters,
    ).fetchall()
    for *key, kind, organization_name, unit_name, unpriced_line_count, sections, parts in rows:
        account = Account(*key)
        yield UnitStatement(
            kind,
            Statement(
                account=account,
                organization_name=organization_name,
                cost_center_name=unit_name,
                unpriced_line_count=int(unpriced_line_count) if account.basis == "sales" else 0,
                sections=tuple(
                    Section(section, titles[section], amount, billed_amount, ())
                    for section, amount, billed_amount in sections
                ),
                kind=KINDS[kind],
                parts=tuple(_part(*each) for each in parts),
            ),
        )


def _part(name: str | None, cost_center_id: str, billed_amount: Decimal) -> Part:
    return Part(name or cost_center_id, cost_center_id, billed_amount)
