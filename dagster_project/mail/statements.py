"""The messages of a closed period: each recipient with the figures and files that are theirs.

Belongs here: what is in a message. Does not: whether it was sent (record), sending (smtp).

Owners and organizations get files made from the customer's tables (exports.customer), which have
no cost. An organization that is charged cost has no such files: its recipients need
`may_see_cost`, and get the statements of the currencies that are charged cost.
"""

import tempfile
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from itertools import groupby
from pathlib import Path

import duckdb

from dagster_project import wording
from dagster_project.database import connect
from dagster_project.exports import journal, statements, workbook
from dagster_project.exports.customer import organization_file_names, write_customer_tables
from dagster_project.exports.scope import NothingInScope, Scope, open_published
from dagster_project.exports.statement_look import Look, read_look
from dagster_project.files import file_name
from dagster_project.mail.record import Item
from dagster_project.mail.settings import MailServer, Recipient, read_delivery
from dagster_project.quoting import sql_literal
from dagster_project.settings import DataFolder

ATTACHED = {
    ".html": ("text", "html"),
    ".csv": ("text", "csv"),
    ".pdf": ("application", "pdf"),
}
WORKBOOK = ("application", "vnd.openxmlformats-officedocument.spreadsheetml.sheet")


@dataclass(frozen=True)
class Page:
    """A statement to attach: its cost center, currency, total and file."""

    cost_center_id: str
    cost_center_name: str
    organization_name: str
    currency: str
    billed_amount: Decimal
    name: str
    content: bytes


@dataclass(frozen=True)
class Part:
    """What an item adds to a message: lines of its text, and files."""

    item: Item
    lines: tuple[str, ...]
    files: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Letter:
    """A message before it is addressed. An owner of several cost centers gets one, in parts."""

    address: str
    subject: str
    first_line: str
    parts: tuple[Part, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        """The items of all parts."""
        return tuple(part.item for part in self.parts)

    @property
    def text(self) -> str:
        """The text of the message."""
        files = sum(len(part.files) for part in self.parts)
        attached = "The file is attached." if files == 1 else "The files are attached."
        lines = [f"  {line}" for part in self.parts for line in part.lines]
        return "\n".join([self.first_line, "", *lines, "", *([attached, ""] if files else [])])

    def without(self, done: Container[Item]) -> "Letter | None":
        """The message without parts that are done; None if nothing is left."""
        left = tuple(part for part in self.parts if part.item not in done)
        return replace(self, parts=left) if left else None


@dataclass(frozen=True)
class Skipped:
    """A recipient who gets nothing, and why."""

    address: str
    reason: str


def letters(
    data: DataFolder, period: str, posting: str, recipients: Sequence[Recipient]
) -> Iterator[Letter | Skipped]:
    """The messages of a closed and published period, one per address and organization.

    Their items have the hash `posting`. The caller holds the writer's lock.
    """
    look = read_look(data, read_delivery(data).statements)
    with tempfile.TemporaryDirectory(prefix="apportion-mail-") as name:
        folder = Path(name).resolve()
        with open_published(data, folder) as connection:
            yield from _broker_letters(connection, period, posting, recipients, folder)
            known = organization_file_names(connection)
            own = sorted(
                (each for each in recipients if each.organization is not None),
                key=lambda each: (str(each.organization), each.address, each.cost_center or ""),
            )
            for organization_id, theirs in groupby(own, lambda each: str(each.organization)):
                if organization_id not in known:
                    for each in theirs:
                        reason = f"no bill of the organization {organization_id!r} is published"
                        yield Skipped(each.address, reason)
                    continue
                yield from _organization_letters(
                    connection, period, posting, organization_id, list(theirs), folder, look
                )


def _broker_letters(
    connection: duckdb.DuckDBPyConnection,
    period: str,
    posting: str,
    recipients: Sequence[Recipient],
    folder: Path,
) -> Iterator[Letter]:
    addresses = sorted({each.address for each in recipients if each.broker})
    if not addresses:
        return
    scope = Scope(period, period)
    # The measures are beside each other, never added: cost is what the provider charges.
    totals = connection.execute(
        """
        select organization_name, currency, sum(charged_amount), sum(total_cost)
        from chargeback where billing_period = $period
        group by organization_id, organization_name, currency order by currency, 1
        """,
        {"period": period},
    ).fetchall()
    book, entries = folder / f"chargeback-{period}.xlsx", folder / f"journal-{period}.csv"
    workbook.write_workbook(connection, scope, book)
    journal.write_journal(connection, scope, entries)
    lines = tuple(
        f"{name}: {wording.money(charged, currency)} charged, {wording.money(cost, currency)} cost"
        for name, currency, charged, cost in totals
    )
    files = tuple((path.name, path.read_bytes()) for path in (book, entries))
    for address in addresses:
        yield Letter(
            address,
            f"Closed: {wording.period(period)}",
            f"{wording.period(period)} is closed. Its figures no longer change.",
            (Part(Item(posting, address), lines, files),),
        )


def _organization_letters(
    connection: duckdb.DuckDBPyConnection,
    period: str,
    posting: str,
    organization_id: str,
    recipients: Sequence[Recipient],
    folder: Path,
    look: Look | None,
) -> Iterator[Letter | Skipped]:
    with _customer_tables(connection, organization_id, folder) as own:
        scope = Scope(period, period, organization_id, "customer")
        sold = _pages(own, scope, look)
        # The total of the organization is not for the owner of one cost center.
        sold_to_owners = _pages(own, scope, look, has_bill_total=False)
        book: tuple[tuple[str, bytes], ...] = ()
        if sold and any(each.cost_center is None for each in recipients):
            path = folder / f"statement-{file_name(organization_id)}-{period}.xlsx"
            try:
                workbook.write_workbook(own, scope, path)
                book = ((path.name, path.read_bytes()),)
            except NothingInScope:
                book = ()
    scope = Scope(period, period, organization_id)
    at_cost = _pages(connection, scope, look, basis="cost")
    at_cost_to_owners = _pages(connection, scope, look, basis="cost", has_bill_total=False)
    for address, group in groupby(recipients, lambda each: each.address):
        rows = list(group)
        wants_all = any(each.cost_center is None for each in rows)
        may_see_cost = any(each.may_see_cost for each in rows)
        wanted = {each.cost_center for each in rows}
        with_cost = at_cost if wants_all else at_cost_to_owners
        allowed = [*(sold if wants_all else sold_to_owners), *(with_cost if may_see_cost else ())]
        pages = [each for each in allowed if wants_all or each.cost_center_id in wanted]
        if not pages:
            hidden = [each for each in at_cost if wants_all or each.cost_center_id in wanted]
            reason = f"{organization_id}: no statement for {wording.period(period)}"
            if hidden and not may_see_cost:
                reason += "; the organization is charged cost, and may_see_cost is not set"
            yield Skipped(address, reason)
            continue
        if wants_all:
            item = Item(posting, address, organization_id)
            parts = [_part(item, pages, book)]
        else:
            by_center: dict[str, list[Page]] = {}
            for page in pages:
                by_center.setdefault(page.cost_center_id, []).append(page)
            parts = [
                _part(Item(posting, address, organization_id, center), theirs)
                for center, theirs in sorted(by_center.items())
            ]
        names = sorted({each.cost_center_name for each in pages})
        about = pages[0].organization_name
        if len(names) == 1 and not wants_all:
            about = f"{names[0]}, {about}"
        yield Letter(
            address,
            f"License statement for {wording.period(period)}: {about}",
            f"The billing period {wording.period(period)} of {pages[0].organization_name} is"
            " closed. Its figures no longer change.",
            tuple(parts),
        )


def _part(
    item: Item,
    pages: Sequence[Page],
    more: tuple[tuple[str, bytes], ...] = (),
) -> Part:
    lines = tuple(
        f"{each.cost_center_name} ({each.cost_center_id}):"
        f" {wording.money(each.billed_amount, each.currency)}"
        for each in pages
    )
    files = tuple((each.name, each.content) for each in pages)
    return Part(item, lines, (*files, *more))


def _pages(
    connection: duckdb.DuckDBPyConnection,
    scope: Scope,
    look: Look | None,
    *,
    basis: str | None = None,
    has_bill_total: bool = True,
) -> list[Page]:
    """The statements in scope, or those that are charged on a basis."""
    return [
        Page(
            document.statement.account.cost_center_id,
            document.statement.cost_center_name,
            document.statement.organization_name,
            document.statement.account.currency,
            document.statement.billed_amount,
            document.name,
            document.content,
        )
        for document in statements.statement_documents(
            connection, scope, look, has_bill_total=has_bill_total
        )
        if basis in (None, document.statement.account.basis)
    ]


@contextmanager
def _customer_tables(
    connection: duckdb.DuckDBPyConnection, organization_id: str, folder: Path
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the customer's own tables, which have no cost."""
    path = folder / "customer.duckdb"
    write_customer_tables(connection, organization_id, path)
    try:
        with connect(folders=(folder,)) as own:
            own.execute(f"attach {sql_literal(path)} as customer (read_only)")
            own.execute("use customer.marts")
            yield own
    finally:
        path.unlink(missing_ok=True)


def as_message(letter: Letter, server: MailServer) -> EmailMessage:
    """The message with its headers. Line breaks in names cannot add headers."""
    message = EmailMessage(policy=SMTP)
    message["Subject"] = " ".join(letter.subject.split())
    message["From"] = Address(server.sender_name, addr_spec=server.sender)
    message["To"] = Address(addr_spec=letter.address)
    if server.reply_to:
        message["Reply-To"] = Address(addr_spec=server.reply_to)
    message["Date"] = format_datetime(_now())
    message["Message-ID"] = make_msgid(domain=server.sender.rpartition("@")[2])
    # Automatic answers of recipients who are away are not wanted.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    taken: Counter[str] = Counter()
    for name, content in (file for part in letter.parts for file in part.files):
        taken[name] += 1
        if taken[name] > 1:
            # Two ids may have the same file name.
            path = Path(name)
            name = f"{path.stem}-{taken[name]}{path.suffix}"
        kind = ATTACHED.get(Path(name).suffix, WORKBOOK)
        message.add_attachment(content, maintype=kind[0], subtype=kind[1], filename=name)
    return message


def _now() -> datetime:
    return datetime.now(UTC)
