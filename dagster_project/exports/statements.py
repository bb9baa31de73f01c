"""Statements: per billing period, organization and cost center, a page to print and a CSV.

The amounts are those of the mart statement_lines, which add up to the organization's bill. Belongs
here: how a statement looks. Does not: what it says.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
import jinja2

from dagster_project.exports.scope import (
    BROKER_ONLY_COLUMNS,
    CUSTOMER_DETAILS,
    NothingInScope,
    Scope,
    file_name,
    shared_cost_sides,
    write_csv,
)

SECTION_TITLES = {
    "advance": "Charges in advance (whole billing cycles)",
    "prorated": "Prorated charges (parts of a billing cycle)",
    "refund": "Refunds",
    "usage": "Metered use",
    "credit": "Credits",
    "tax": "Tax",
    "correction": "Corrections of closed periods",
    "shared": "Shared costs (received, less passed on)",
}

METHODS = {
    "percent": "fixed percentage",
    "even": "in even parts",
    "direct_cost": "by own cost",
    "seats": "by seats",
    "headcount": "by headcount",
}


@dataclass(frozen=True)
class Line:
    """One billing line's part of a statement, or what came of a shared cost or went to somebody.

    Amounts are exact, null without a price; shared costs have no quantity.
    """

    product_name: str | None
    billing_line_details: str | None
    share: Decimal
    quantity: Decimal | None
    amount: Decimal | None


@dataclass(frozen=True)
class Section:
    """A section of a statement; billed_amount in whole units of the currency."""

    section: str
    title: str
    billed_amount: Decimal
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Statement:
    """What one cost center is told of one billing period in one currency."""

    billing_period: str
    organization_id: str
    organization_name: str
    cost_center_id: str
    cost_center_name: str
    currency: str
    currency_decimals: int
    unpriced_line_count: int
    sections: tuple[Section, ...]

    @property
    def billed_amount(self) -> Decimal:
        """The total: the sum of the sections."""
        return sum((section.billed_amount for section in self.sections), Decimal(0))


def write_statements(
    connection: duckdb.DuckDBPyConnection, scope: Scope, folder: Path
) -> tuple[Path, ...]:
    """Write `statements.csv` and, per organization, a page for each of its statements.

    Where costs are shared, `shared_costs.csv` lists what came from whom. Returns the files.
    `connection` has the published tables. Raises NothingInScope.
    """
    columns = _columns(connection, "statement_lines", scope)
    condition = scope.condition
    if scope.edition == "customer":
        # Who is sold nothing has statements of cost, and cost is no customer's business.
        condition = f"{condition} and amount_basis = 'sales'"
    rows = connection.execute(
        f"select {', '.join(columns)} from statement_lines where {condition} order by all",
        scope.parameters,
    ).fetchall()
    if not rows:
        raise NothingInScope(
            f"no statement for {scope.words}: no bill of it is published"
            + (", or nothing on it is sold" if scope.edition == "customer" else "")
        )
    table = folder / "statements.csv"
    write_csv(table, columns, rows)
    files = [table, *_write_shared_costs(connection, scope, folder)]
    template = _environment().get_template("statement.html.jinja")
    bills = {
        (period, organization, currency): (amount, is_open, bill_date)
        for period, organization, currency, amount, is_open, bill_date in connection.execute(
            f"""
            select
                lines.billing_period, lines.organization_id, lines.currency,
                sum(lines.billed_amount), bool_or(periods.status = 'open'),
                (
                    select max(billing_date) from billing_report
                    where billing_report.billing_period = lines.billing_period
                        and billing_report.organization_id = lines.organization_id
                        and billing_report.currency = lines.currency
                )
            from statement_lines as lines
            inner join billing_periods as periods using (billing_period, currency)
            where {condition}
            group by lines.billing_period, lines.organization_id, lines.currency
            """,
            scope.parameters,
        ).fetchall()
    }
    taken: set[Path] = set()
    for statement in _statements(connection, scope, condition):
        if not any(section.lines for section in statement.sections):
            # Who has no license and no money has nothing to be told; the CSV has the zeros.
            continue
        key = (statement.billing_period, statement.organization_id, statement.currency)
        bill_amount, is_open, bill_date = bills[key]
        path = _free_name(
            folder / "statements" / file_name(statement.organization_id),
            f"{statement.billing_period}-{file_name(statement.cost_center_id)}"
            f"-{file_name(statement.currency)}",
            taken,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        page = template.render(
            statement=statement,
            period=statement.billing_period,
            bill_amount=bill_amount,
            is_open=is_open,
            bill_date=bill_date,
        )
        building = path.with_suffix(".building")
        building.write_text(page, encoding="utf-8")
        building.replace(path)
        files.append(path)
    return tuple(files)


def _write_shared_costs(
    connection: duckdb.DuckDBPyConnection, scope: Scope, folder: Path
) -> tuple[Path, ...]:
    """What was passed on of shared costs, whole, as one more CSV file; none if nothing was."""
    columns = _columns(connection, "shared_costs", scope)
    is_sold = " and shared_sales is not null" if scope.edition == "customer" else ""
    rows = connection.execute(
        f"select {', '.join(columns)} from shared_costs where {scope.condition}{is_sold}"
        " order by all",
        scope.parameters,
    ).fetchall()
    if not rows:
        return ()
    path = folder / "shared_costs.csv"
    write_csv(path, columns, rows)
    return (path,)


def _columns(connection: duckdb.DuckDBPyConnection, table: str, scope: Scope) -> list[str]:
    """The columns of a table that the edition may show."""
    described = connection.execute(f"select * from {table} limit 0").description or []
    return [
        column[0]
        for column in described
        if scope.edition == "broker" or column[0] not in BROKER_ONLY_COLUMNS
    ]


def _free_name(folder: Path, stem: str, taken: set[Path]) -> Path:
    """A name that no other statement of this export has, should two ids be written alike."""
    names = (stem, *(f"{stem}-{number}" for number in range(2, 10_000)))
    path = next(folder / f"{name}.html" for name in names if folder / f"{name}.html" not in taken)
    taken.add(path)
    return path


def _statements(
    connection: duckdb.DuckDBPyConnection, scope: Scope, condition: str
) -> Iterator[Statement]:
    """The statements of the scope one after the other, so that few are in memory at once."""
    heads = connection.execute(
        f"""
        select
            billing_period, organization_id, currency, cost_center_id, any_value(organization_name),
            any_value(cost_center_name), any_value(currency_decimals), sum(unpriced_line_count),
            list((section, billed_amount) order by section_order, corrected_period),
            any_value(amount_basis)
        from statement_lines
        where {condition}
        group by billing_period, organization_id, currency, cost_center_id
        order by billing_period, organization_id, currency, cost_center_id
        """,
        scope.parameters,
    ).fetchall()
    for (
        period,
        organization,
        currency,
        cost_center,
        organization_name,
        cost_center_name,
        decimals,
        unpriced,
        amounts,
        basis,
    ) in heads:
        billed: dict[str, Decimal] = {}
        for section, amount in amounts:
            billed[section] = billed.get(section, Decimal(0)) + amount
        lines = _lines(connection, scope, period, organization, currency, cost_center, basis)
        yield Statement(
            billing_period=period,
            organization_id=organization,
            organization_name=organization_name,
            cost_center_id=cost_center,
            cost_center_name=cost_center_name,
            currency=currency,
            currency_decimals=decimals,
            unpriced_line_count=int(unpriced) if basis == "sales" else 0,
            sections=tuple(
                Section(section, SECTION_TITLES[section], amount, lines.get(section, ()))
                for section, amount in billed.items()
            ),
        )


def _lines(
    connection: duckdb.DuckDBPyConnection,
    scope: Scope,
    period: str,
    organization: str,
    currency: str,
    cost_center: str,
    basis: str,
) -> dict[str, tuple[Line, ...]]:
    """The lines of one statement by section, oldest first; lines of nothing are left out."""
    measure = "sales" if basis == "sales" else "cost"
    details = CUSTOMER_DETAILS if scope.edition == "customer" else "billing_line_details"
    parameters = {
        "period": period,
        "organization": organization,
        "currency": currency,
        "cost_center": cost_center,
    }
    rows = connection.execute(
        f"""
        select
            case
                when charge_class = 'Correction' then 'correction'
                when charge_kind = 'cycle' then 'advance'
                when charge_kind = 'extra' then 'prorated'
                else charge_kind
            end as section,
            product_name, {details}, share, quantity, total_{measure}
        from billing_report
        where billing_period = $period and organization_id = $organization
            and currency = $currency and cost_center_id = $cost_center
            and (quantity <> 0 or total_cost <> 0)
        order by section, charge_start_date, product_name, line_id
        """,
        parameters,
    ).fetchall()
    lines = {
        section: tuple(Line(*row[1:]) for row in group)
        for section, group in itertools.groupby(rows, key=lambda row: str(row[0]))
    }
    return lines | {"shared": _shared_lines(connection, parameters, f"shared_{measure}")}


def _shared_lines(
    connection: duckdb.DuckDBPyConnection, parameters: dict[str, str], measure: str
) -> tuple[Line, ...]:
    """What the cost center received of shared costs, then what it passed on, by product."""
    rows = connection.execute(
        f"""
        select product_name, other_name, source_kind, source_name, method, share, {measure}
        from ({shared_cost_sides([measure])})
        where billing_period = $period and organization_id = $organization
            and currency = $currency and cost_center_id = $cost_center
        order by side, product_name, other_name, source_kind, source_name
        """,
        parameters,
    ).fetchall()
    return tuple(
        Line(
            product_name,
            f"{whom}, {METHODS[method]}"
            + (
                "" if kind == "cost_center" else f" (shared {kind} {name.removeprefix(f'{kind} ')})"
            ),
            share,
            None,
            amount,
        )
        for product_name, whom, kind, name, method, share, amount in rows
    )


# --- how numbers look -----------------------------------------------------------------------


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dagster_project.exports", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "money": _money,
        "exact": _exact,
        "number": _number,
        "percent": _percent,
    }
    return environment


@jinja2.pass_context
def _money(context: jinja2.runtime.Context, amount: Decimal) -> str:
    """An amount with the decimals of the statement's currency: -1,234.50."""
    return f"{amount:,.{context['statement'].currency_decimals}f}"


def _exact(amount: Decimal) -> str:
    """An amount with as many decimals as it has, two at least."""
    whole, _, decimals = f"{amount.normalize():,f}".partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}"


def _number(quantity: Decimal) -> str:
    return f"{quantity.normalize():,f}"


def _percent(share: Decimal) -> str:
    return f"{share * 100:.2f} %"
