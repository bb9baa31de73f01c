"""Statements: a page to print and a PDF per billing period and cost center, and a CSV of all.

Belongs here: the content and layout of a statement. Does not: rounding (the mart statement_lines,
whose amounts sum to the bill), the sections of a statement (the seed statement_sections).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

import duckdb
import jinja2

from dagster_project import wording
from dagster_project.errors import ApportionError
from dagster_project.exports.scope import NothingInScope, Scope, shared_cost_sides
from dagster_project.exports.statement_look import Look
from dagster_project.exports.statement_parts import (
    CORRECTION_KEY,
    SHARED_KEY,
    Account,
    Bill,
    Line,
    Section,
    Statement,
    section_of,
)
from dagster_project.exports.statement_pdf import NotPrintable, statement_pdf
from dagster_project.exports.unit_statements import unit_statements
from dagster_project.exports.visibility import require_customer_tables
from dagster_project.files import file_name, replaced_at_once, write_csv
from dagster_project.seeds import seed


class StatementDiffers(ApportionError):
    """The lines of a statement do not sum to its published amount, or belong to no section."""


ACCOUNT_CONDITION = """
    billing_period = $period and organization_id = $organization
    and currency = $currency and cost_center_id = $cost_center
    """


WITHOUT_PDF = "statements_without_pdf.csv"


def write_statements(
    connection: duckdb.DuckDBPyConnection, scope: Scope, folder: Path, look: Look | None = None
) -> tuple[Path, ...]:
    """Write `statements.csv`, and a page per statement below `statements/<organization>`.

    If costs are shared, `shared_costs.csv` lists them; `unit_charges.csv` has the sums by unit, and
    `statements/<organization>/units` a page per unit.
    With a `look` there is a PDF beside each page; WITHOUT_PDF lists those that its font cannot set.
    Returns the files. `connection` has the published tables; for the edition `customer`, that
    customer's own (customer.py writes them), else ValueError. Raises NothingInScope and
    StatementDiffers.
    """
    if scope.edition == "customer":
        for table in (
            "statement_lines", "billing_report", "shared_costs", "unit_charges", "unit_members",
        ):  # fmt: skip
            require_customer_tables(connection, table)
    count = _write_table(connection, "statement_lines", scope, folder / "statements.csv")
    if not count:
        raise NothingInScope(
            f"no statement for {scope.words}: no bill in scope is published"
            + (", or none has sales" if scope.edition == "customer" else "")
        )
    files = [folder / "statements.csv"]
    for table in ("shared_costs", "unit_charges"):
        if _write_table(connection, table, scope, folder / f"{table}.csv"):
            files.append(folder / f"{table}.csv")
    taken: set[Path] = set()
    refused: list[tuple[str, ...]] = []
    for below, statement, bill in _every_statement(connection, scope):
        account = statement.account
        kind = f"{below}-" if below else ""
        path = _free_name(
            folder / "statements" / file_name(account.organization_id) / ("units" if below else ""),
            f"{account.billing_period}-{kind}{file_name(account.cost_center_id)}"
            f"-{file_name(account.currency)}",
            taken,
        )
        # There are thousands of pages, and an export can be made again.
        with replaced_at_once(path, is_flushed=False) as building:
            building.write_text(_page(statement, bill, has_bill_total=True), encoding="utf-8")
        files.append(path)
        if look is None:
            continue
        try:
            content = statement_pdf(statement, bill, look, has_bill_total=True)
        except NotPrintable as error:
            refused.append(
                (
                    account.billing_period,
                    account.organization_id,
                    account.cost_center_id,
                    account.currency,
                    str(error),
                )
            )
            continue
        with replaced_at_once(path.with_suffix(".pdf"), is_flushed=False) as building:
            building.write_bytes(content)
        files.append(path.with_suffix(".pdf"))
    if refused:
        columns = ("billing_period", "organization_id", "cost_center_id", "currency", "reason")
        write_csv(folder / WITHOUT_PDF, columns, refused)
        files.append(folder / WITHOUT_PDF)
    return tuple(files)


@dataclass(frozen=True)
class Document:
    """A statement as a file of its own: `.pdf`, or `.html` without PDF."""

    statement: Statement
    suffix: str
    content: bytes

    @property
    def name(self) -> str:
        """The name of the file: period, cost center and currency."""
        account = self.statement.account
        center, currency = file_name(account.cost_center_id), file_name(account.currency)
        return f"statement-{account.billing_period}-{center}-{currency}{self.suffix}"


def statement_documents(
    connection: duckdb.DuckDBPyConnection,
    scope: Scope,
    look: Look | None,
    *,
    has_bill_total: bool = True,
) -> Iterator[Document]:
    """Each statement in scope as PDF; raises StatementDiffers.

    Without a `look`, and where its font cannot set a name, it is a page as HTML. A cost center
    without licenses and amounts has no document. `has_bill_total` adds the sum of all statements of
    the organization, which owners of cost centers do not see.
    """
    for statement, bill in _printed(connection, scope):
        if look is not None:
            with suppress(NotPrintable):
                content = statement_pdf(statement, bill, look, has_bill_total=has_bill_total)
                yield Document(statement, ".pdf", content)
                continue
        page = _page(statement, bill, has_bill_total=has_bill_total)
        yield Document(statement, ".html", page.encode())


def _every_statement(
    connection: duckdb.DuckDBPyConnection, scope: Scope
) -> Iterator[tuple[str | None, Statement, Bill]]:
    """The statements of cost centers, then those of units with their kind, each with its bill."""
    for statement, bill in _printed(connection, scope):
        yield None, statement, bill
    bills = _bills(connection, scope)
    for unit in unit_statements(connection, scope, _titles()):
        account = unit.statement.account
        bill = bills[account.billing_period, account.organization_id, account.currency]
        if sum(part.billed_amount for part in unit.statement.parts) != unit.statement.billed_amount:
            raise StatementDiffers(
                f"statement {account.billing_period}, {account.organization_id},"
                f" {unit.statement.kind} {account.cost_center_id}: the cost centers do not sum to"
                " its sections"
            )
        yield unit.kind, unit.statement, bill


def _printed(
    connection: duckdb.DuckDBPyConnection, scope: Scope
) -> Iterator[tuple[Statement, Bill]]:
    """The statements in scope that have lines, each with the bill that it is a part of."""
    bills = _bills(connection, scope)
    for statement in _statements(connection, scope):
        if any(section.lines for section in statement.sections):
            account = statement.account
            yield (
                statement,
                bills[account.billing_period, account.organization_id, account.currency],
            )


def _page(statement: Statement, bill: Bill, *, has_bill_total: bool) -> str:
    """The page of a statement as HTML."""
    account = statement.account
    return _template().render(
        statement=statement,
        account=account,
        bill=bill,
        period=wording.period(account.billing_period),
        has_bill_total=has_bill_total,
    )


def _write_table(
    connection: duckdb.DuckDBPyConnection, table: str, scope: Scope, path: Path
) -> int:
    """Write the rows of a table in scope as CSV if there are any; returns their number."""
    rows = connection.execute(
        f"select * from {table} where {scope.condition} order by all", scope.parameters
    ).fetchall()
    return write_csv(path, connection.table(table).columns, rows) if rows else 0


def _free_name(folder: Path, stem: str, taken: set[Path]) -> Path:
    """A name that no other statement of this export has: two ids may have the same file name."""
    names = (stem, *(f"{stem}-{number}" for number in range(2, 10_000)))
    path = next(folder / f"{name}.html" for name in names if folder / f"{name}.html" not in taken)
    taken.add(path)
    return path


def _bills(
    connection: duckdb.DuckDBPyConnection, scope: Scope
) -> Mapping[tuple[str, str, str], Bill]:
    """The bills in scope by billing period, organization and currency."""
    return {
        (period, organization, currency): Bill(*bill)
        for period, organization, currency, *bill in connection.execute(
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
            where {scope.condition}
            group by lines.billing_period, lines.organization_id, lines.currency
            """,
            scope.parameters,
        ).fetchall()
    }


def _statements(connection: duckdb.DuckDBPyConnection, scope: Scope) -> Iterator[Statement]:
    """The statements in scope, one at a time to limit memory."""
    heads = connection.execute(
        f"""
        select
            billing_period, organization_id, currency, cost_center_id, any_value(amount_basis),
            any_value(organization_name), any_value(cost_center_name), sum(unpriced_line_count),
            list((section, amount, billed_amount) order by section_order, corrected_period)
        from statement_lines
        where {scope.condition}
        group by billing_period, organization_id, currency, cost_center_id
        order by billing_period, organization_id, currency, cost_center_id
        """,
        scope.parameters,
    ).fetchall()
    for *key, organization_name, cost_center_name, unpriced_line_count, amounts in heads:
        account = Account(*key)
        yield Statement(
            account=account,
            organization_name=organization_name,
            cost_center_name=cost_center_name,
            unpriced_line_count=int(unpriced_line_count) if account.basis == "sales" else 0,
            sections=_sections(connection, account, amounts),
        )


# --- sections ------------------------------------------------------------------------------


def _titles() -> Mapping[str, str]:
    return {row["section"]: row["title"] for row in seed("statement_sections")}


def _sections(
    connection: duckdb.DuckDBPyConnection,
    account: Account,
    amounts: list[tuple[str, Decimal, Decimal]],
) -> tuple[Section, ...]:
    """The sections of a statement from its published amounts, each with its lines.

    Corrections of several periods are one section.
    """
    exact: dict[str, Decimal] = defaultdict(Decimal)
    billed: dict[str, Decimal] = defaultdict(Decimal)
    for section, amount, billed_amount in amounts:
        exact[section] += amount
        billed[section] += billed_amount
    lines = _lines(connection, account)
    titles = _titles()
    for section in (*exact, *lines):
        total = sum((line.amount or Decimal(0) for line in lines.get(section, ())), Decimal(0))
        if section not in titles or total != exact.get(section, 0):
            raise StatementDiffers(
                f"statement {account.billing_period}, {account.organization_id},"
                f" {account.cost_center_id}, {account.currency}: the lines of section {section}"
                f" sum to {total}, published is {exact.get(section)}. If the seed"
                " statement_sections has changed, run make run."
            )
    return tuple(
        Section(section, titles[section], amount, billed[section], tuple(lines.get(section, ())))
        for section, amount in exact.items()
    )


def _lines(
    connection: duckdb.DuckDBPyConnection, account: Account
) -> Mapping[str, tuple[Line, ...]]:
    """The lines of one statement by section, oldest first; lines of zero are left out."""
    amount = "total_sales" if account.basis == "sales" else "total_cost"
    rows = connection.execute(
        f"""
        select
            if(charge_class = 'Correction', '{CORRECTION_KEY}', charge_kind),
            charge_type, billing_line_details, product_name, share, quantity, quantity_unit,
            {amount}
        from billing_report
        where {ACCOUNT_CONDITION}
            and (quantity <> 0 or {amount} <> 0 or {amount} is null and share <> 0)
        order by charge_start_date, product_name, line_id
        """,
        account.parameters,
    ).fetchall()
    lines: dict[str, list[Line]] = defaultdict(list)
    for charge_kind, charge_type, details, product_name, *amounts in rows:
        section = section_of(charge_kind)
        if section is None:
            raise StatementDiffers(
                f"charge kind {charge_kind} has no row in the seed statement_sections: add one,"
                " then run make run"
            )
        words = wording.charge_details(details, charge_type, charge_kind)
        lines[section].append(Line(product_name, words, *amounts))
    shared = _shared_lines(connection, account)
    if shared:
        lines[section_of(SHARED_KEY) or SHARED_KEY] += shared
    return {section: tuple(each) for section, each in lines.items()}


def _shared_lines(connection: duckdb.DuckDBPyConnection, account: Account) -> list[Line]:
    """Shared costs that the cost center received, then those it passed on, by product."""
    amount, share = (
        ("shared_sales", "sales_share") if account.basis == "sales" else ("shared_cost", "share")
    )
    rows = connection.execute(
        f"""
        select product_name, other_name, source_kind, source_name, method, {share}, {amount}
        from ({shared_cost_sides([amount])})
        where {ACCOUNT_CONDITION}
        order by side, product_name, other_name, source_kind, source_name
        """,
        account.parameters,
    ).fetchall()
    return [
        Line(
            product_name,
            _shared_details(counterparty, source_kind, source_name, method),
            share,
            None,
            None,
            amount,
        )
        for product_name, counterparty, source_kind, source_name, method, share, amount in rows
    ]


def _shared_details(counterparty: str, source_kind: str, source_name: str, method: str) -> str:
    """The counterparty and the method, e.g. to IT, by seats (shared product Archive)."""
    details = f"{counterparty}, {wording.sharing_method(method)}"
    if source_kind == "cost_center":
        return details
    return f"{details} (shared {source_kind} {source_name.removeprefix(f'{source_kind} ')})"


# --- figures -------------------------------------------------------------------------------


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dagster_project.exports", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "amount": wording.amount,
        "exact_amount": wording.exact_amount,
        "quantity": wording.exact,
        "share": wording.share,
        "day": wording.day,
        "counted": wording.counted,
    }
    return environment.get_template("statement.html.jinja")
