"""Random histories through the real dbt models, line by line against the brute-force oracle.

A history is one subscription: its split events and its billing lines. Over a thousand of them
share one build. APPORTION_TEST_SEED chooses others; every failure prints the seed and the
smallest history that went wrong, as a ledger.
"""

import csv
import gzip
import io
import math
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from random import Random
from time import monotonic

import pytest
from builds import MODELS_ONLY
from conftest import Company
from hypothesis import Phase, given, settings
from hypothesis import seed as starting_seed
from hypothesis import strategies as st
from oracle import (
    CENTER_DELETED,
    DEFAULT,
    MANUAL_EVENT,
    Allocation,
    BillingLine,
    CostCenter,
    History,
    Organization,
    Split,
    SplitEvent,
    parts,
    snapshots,
    split_of,
    start_of,
)

SEED = int(os.environ.get("APPORTION_TEST_SEED", "20260106"))
HISTORIES = 1200
ORGANIZATIONS = 60
FIRST_DAY = date(2025, 12, 1)
NewCompany = Callable[[], Company]


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


# --- making histories ---------------------------------------------------------------------------

NEW_COMMERCE_TYPES = words(
    "new, renew, cycleCharge, CycleCharge, cyclecharge, addQuantity, removeQuantity, "
    "moveQuantity, convert, cancelImmediate, changeBillingPlan, customerCredit, extendTerm, "
    "extendedServiceTerm"
)
LEGACY_TYPES = words(
    "Cycle fee, New purchase cycle fee, Purchase fee, Prorate fees when purchase, Prorate fee "
    "when renew, Cycle instance prorate, Cancel instance prorate, Cancel fee, Prorate fees when "
    "cancel, Prorate fees when convert to a new offering, Activation fee, Offset a line item"
)
AUTOMATIC_EVENTS = (
    "Subscription created",
    "Subscription quantity changed",
    "Subscription quantity changed on renewal",
    "Cost center created",
    CENTER_DELETED,
)
TIMES = (time(0), time(0, 0, 0, 1), time(9, 30), time(12), time(23, 59, 59, 999_999))


def some_day(random: Random) -> date:
    return FIRST_DAY + timedelta(days=random.randint(0, 40))


def make_organization(random: Random, number: int) -> Organization:
    name = f"org-{number}"
    policy = random.choice(("", "as_documented", "mirror_original", "mirror_original"))
    labels = random.sample(("Sales", "Marketing", "R&D", "Ärzte", "it", "Zoo, east"), 4)
    centers = []
    for label in labels:
        is_listed = random.random() < 0.8
        has_id = is_listed or random.random() < 0.5
        centers.append(CostCenter(f"{number}-{label[:2]}" if has_id else label, label))
        if not is_listed:
            centers[-1] = replace(centers[-1], is_listed=False)
        elif random.random() < 0.25:
            others = [each[:2] for each in labels if each != label] + ["D"]
            successor = random.choice((None, f"{number}-{random.choice(others)}"))
            deleted_on = random.choice((some_day(random), some_day(random), None))
            centers[-1] = replace(centers[-1], successor_id=successor, deleted_on=deleted_on)
    if random.random() < 0.6:
        label = random.choice((DEFAULT, "Unallocated"))
        centers.append(CostCenter(f"{number}-D", label, is_default=True))
    known = {each.cost_center_id for each in centers if each.is_listed}
    centers = [
        replace(each, successor_id=each.successor_id if each.successor_id in known else None)
        for each in centers
    ]
    return Organization(name, policy, tuple(centers))


def make_history(random: Random, organization: Organization, number: int, most: int = 8) -> History:
    """A history of at most so many events and lines, all within some eight weeks."""
    ordering = random.choice(("by file", "by sequence", "by recorded_at"))
    unit = random.choice((Decimal(1), Decimal(1), Decimal(1), Decimal("0.25"), Decimal("0.0001")))
    scale = random.choice((12, 12, 40, 300_000))
    events: list[SplitEvent] = []
    for _ in range(min(random.choice((0, 1, 1, 2, 3, 4, 5, 7)), most)):
        event = make_event(random, organization, events, scale, unit)
        if ordering == "by sequence":
            event = replace(event, sequence=len(events) + 1)
        if ordering == "by recorded_at":
            recorded_at = start_of(FIRST_DAY) + timedelta(days=90, minutes=len(events) // 2)
            event = replace(event, recorded_at=recorded_at)
        if all(identity(event) != identity(each) for each in events):
            events.append(event)
    events = after_deletions(events)
    random.shuffle(events)
    lines: list[BillingLine] = []
    for _ in range(min(random.choice((1, 2, 2, 3, 4, 5, 6, 8)), most)):
        charges = [line for line in lines if line.printed_cost > 0]
        if charges and random.random() < 0.45:
            lines.append(make_refund(random, random.choice(charges)))
        elif lines and random.random() < 0.08:
            lines.append(random.choice(lines))
        else:
            lines.append(make_line(random, scale))
    return History(f"S-{number}", organization, tuple(events), tuple(one_charge_per_key(lines)))


def identity(event: SplitEvent) -> tuple[object, ...]:
    """The key that separates the rows of one event from those of another."""
    return event.name, event.effective_at, event.recorded_at, event.sequence


def after_deletions(events: Sequence[SplitEvent]) -> list[SplitEvent]:
    """The events without what names a center once a bare event has deleted it."""
    gone: dict[str, SplitEvent] = {}
    for event in sorted(events, key=lambda each: each.effective_at):
        if event.is_bare and event.name == CENTER_DELETED:
            gone.setdefault(event.allocations[0].name, event)

    def is_known(event: SplitEvent, center: Allocation) -> bool:
        end = gone.get(center.name, event)
        return end is event or event.effective_at < end.effective_at

    kept = []
    for event in events:
        known = tuple(each for each in event.allocations if is_known(event, each))
        if known or not event.allocations:
            kept.append(replace(event, allocations=known))
    return kept


def make_event(
    random: Random,
    organization: Organization,
    earlier: Sequence[SplitEvent],
    scale: int,
    unit: Decimal,
) -> SplitEvent:
    is_date_only = random.random() < 0.4
    at = time(0) if is_date_only else random.choice(TIMES)
    effective_at = datetime.combine(some_day(random), at, UTC)
    if earlier and random.random() < 0.3:
        same = random.choice(earlier)
        effective_at, is_date_only = same.effective_at, same.is_date_only
    elif not is_date_only and at == time(0):
        is_date_only = any(each.effective_at == effective_at for each in earlier)
    name = random.choice((MANUAL_EVENT, MANUAL_EVENT, *AUTOMATIC_EVENTS))
    total = random.choice((0, 1, *range(2, scale, max(scale // 9, 1)))) * unit
    is_bare = name != MANUAL_EVENT and random.random() < 0.6
    if is_bare:
        touched = [each for each in organization.cost_centers if not each.is_default]
        needs_center = name in (CENTER_DELETED, "Cost center created")
        centers = [random.choice(touched)] if needs_center else []
        allocations = [name_center(random, each, None) for each in centers]
    else:
        allocations = make_allocations(random, organization, total, unit)
    return SplitEvent(name, effective_at, is_date_only, total, tuple(allocations))


def make_allocations(
    random: Random, organization: Organization, total: Decimal, unit: Decimal
) -> list[Allocation]:
    """A full snapshot: all of the total allotted, or some of it, or too much."""
    centers = [each for each in organization.cost_centers if not each.is_default]
    centers = random.sample(centers, random.randint(1, len(centers)))
    left = int(total / unit)
    allocations = []
    for center in centers:
        seats = random.randint(0, left)
        left -= seats
        allocations.append(name_center(random, center, seats * unit))
    if random.random() < 0.15:
        first = allocations[0]
        allocations[0] = replace(first, seats=(first.seats or 0) + random.randint(1, 9) * unit)
    if random.random() < 0.6:
        default = CostCenter(organization.default_id, DEFAULT)
        held = random.choice((left, left, left, 0, left // 2))
        allocations.append(name_center(random, default, held * unit))
    random.shuffle(allocations)
    return allocations


def name_center(random: Random, center: CostCenter, seats: Decimal | None) -> Allocation:
    """The center by name and id, or by name alone if the name identifies the id."""
    by_name = center.name in (DEFAULT, center.cost_center_id) or center.is_listed
    if by_name and random.random() < 0.5:
        return Allocation(center.name, None, seats)
    return Allocation(center.name, center.cost_center_id, seats)


def make_money(random: Random) -> Decimal:
    """Money of either sign with 2 to 18 decimals: none, tiny, common or of nine digits."""
    decimals = random.choice((2, 2, 2, 4, 6, 7, 8, 10, 11, 18))
    digits = random.choice((0, 1, 2, 2, 3, 4, 9))
    size = random.randint(0, 10 ** (digits + decimals) - 1)
    if random.random() < 0.08:
        size = random.choice((0, 1, 5, 25))
    return random.choice((1, 1, 1, -1)) * Decimal(size).scaleb(-decimals) + 0


def make_line(random: Random, scale: int) -> BillingLine:
    source = random.choice(("broker", "new_commerce"))
    types = NEW_COMMERCE_TYPES + (LEGACY_TYPES if source == "broker" else ())
    charge_start = some_day(random)
    charge_end = charge_start + timedelta(days=random.choice((0, 1, 3, 10, 30)))
    quantity = random.choice(
        (Decimal(1), Decimal(7), Decimal(15), Decimal(20), Decimal(scale), Decimal("2.5"))
    )
    if random.random() < 0.05:
        quantity = Decimal("3.333333333333333333")
    cost = make_money(random)
    sales = cost * Decimal("1.25") if random.random() < 0.7 else make_money(random)
    is_broker = source == "broker"
    return BillingLine(
        source=source,
        charge_type=random.choice(types),
        charge_start=charge_start,
        charge_end=charge_end,
        billing_date=charge_start + timedelta(days=random.choice((-3, 0, 1, 2, 10, 20, 35))),
        printed_quantity=printed(random, quantity, cost),
        printed_cost=cost,
        printed_sales=sales if is_broker and random.random() < 0.85 else None,
        product=random.choice(("Microsoft 365 E3", "Visio, Plan 2")),
        sku=random.choice((None, "0001")) if is_broker else random.choice(("0001", "000A")),
        unit_price=None if is_broker else random.choice((Decimal("24"), Decimal("31.2"), None)),
        currency=random.choice(("USD", "USD", "EUR")),
    )


def make_refund(random: Random, charge: BillingLine) -> BillingLine:
    """Money back for `charge`: all of it, a part of it, or what links to nothing."""
    days = (charge.charge_end - charge.charge_start).days
    refund = replace(
        charge,
        charge_type=random.choice(("addQuantity", "removeQuantity", "cancelImmediate")),
        billing_date=charge.billing_date + timedelta(days=random.choice((0, 0, 1, 30))),
        printed_quantity=printed(random, abs(charge.printed_quantity), Decimal(-1)),
        printed_cost=-charge.printed_cost,
        printed_sales=None if charge.printed_sales is None else -charge.printed_sales,
    )
    what = random.choice(("all", "all", "later", "part", "other"))
    if what == "later":
        later = charge.charge_start + timedelta(days=random.randint(0, days))
        refund = replace(refund, charge_start=later)
    if what in ("later", "part"):
        refund = replace(refund, printed_cost=-abs(make_money(random)))
    if what == "other":
        changes: tuple[dict[str, object], ...] = (
            {"product": "Visio, Plan 2"},
            {"currency": "EUR"},
            {"unit_price": charge.unit_price and charge.unit_price + 1},
            {"printed_quantity": charge.printed_quantity + 1},
            {"charge_end": charge.charge_end + timedelta(days=1)},
            {"billing_date": charge.billing_date - timedelta(days=1)},
            {"charge_start": charge.charge_start - timedelta(days=1)},
        )
        refund = replace(refund, **random.choice(changes))  # type: ignore[arg-type]
    return refund


def printed(random: Random, quantity: Decimal, cost: Decimal) -> Decimal:
    """Refunds are printed with a quantity of either sign."""
    return -quantity if cost < 0 and random.random() < 0.5 else quantity


def one_charge_per_key(lines: Iterable[BillingLine]) -> list[BillingLine]:
    """Without charges that a refund could link to just as well as to another, unlike one."""
    charges: dict[tuple[object, ...], BillingLine] = {}
    kept = []
    for line in lines:
        period = line.charge_start, line.charge_end, line.billing_date
        what = line.product, line.sku, line.quantity, line.unit_price, line.currency
        if line.money <= 0 or charges.setdefault((*period, *what), line) == line:
            kept.append(line)
    return kept


# --- a landing folder of them -------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """A feed's rows before they are a file."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def as_csv(self, line_end: str = "\n") -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator=line_end)
        writer.writerows([self.header, *self.rows])
        return text.getvalue()


BROKER_HEADER = words(
    "Subscription ID, ProductName, Quantity, TotalCost, TotalSales, ChargeStartDate, "
    "BillingDate, BillingLineDetails, Organization, Currency, SKU"
)
NEW_COMMERCE_HEADER = words(
    "InvoiceNumber, CustomerId, ProductId, SkuId, ProductName, ChargeType, UnitPrice, Quantity, "
    "Subtotal, TaxTotal, Total, Currency, SubscriptionId, ChargeStartDate, ChargeEndDate, "
    "BillableQuantity"
)
SPLIT_HEADER = words(
    "Subscription ID, Datetime, Event, Total Quantity, Cost Center, Allocated Quantity, Cost "
    "Center ID, Organization, Recorded At, Sequence"
)
CENTER_HEADER = words(
    "Cost Center ID, Organization, Name, Is Default, Successor ID, Valid From, Valid To"
)
ORGANIZATION_HEADER = words("Organization, Name, Tenant ID, Refund Policy")
INVOICE_HEADER = words("Invoice Number, Invoice Date, Currency, Subtotal")


def text_of(value: object) -> str:
    if value is None:
        return ""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def invoice_number(line: BillingLine) -> str:
    return f"G-{line.billing_date}-{line.currency}"


def broker_row(history: History, line: BillingLine) -> tuple[str, ...]:
    first, last = (f"{day:%d %b %Y}".lstrip("0") for day in (line.charge_start, line.charge_end))
    days = (line.charge_end - line.charge_start).days + 1
    return (
        history.subscription_id,
        line.product,
        text_of(line.printed_quantity),
        text_of(line.printed_cost),
        text_of(line.printed_sales),
        first,
        f"{line.billing_date:%d %b %Y}",
        f"{line.charge_type}. From {first} to {last} ({days} days)",
        history.organization.organization_id,
        line.currency,
        text_of(line.sku),
    )


def new_commerce_row(history: History, line: BillingLine) -> tuple[str, ...]:
    quantity, cost = text_of(line.printed_quantity), text_of(line.printed_cost)
    return (
        invoice_number(line),
        f"tenant-of-{history.organization.organization_id}",
        line.product[:5],
        text_of(line.sku),
        line.product,
        line.charge_type,
        text_of(line.unit_price),
        f"'{quantity}",
        f"'{cost}" if line.printed_cost else "'0E-20",
        "'0E-20",
        f"'{cost}",
        line.currency,
        history.subscription_id,
        f"{line.charge_start}T00:00:00Z",
        f"{line.charge_end}T00:00:00Z",
        f"'{quantity}",
    )


def split_rows(history: History, event: SplitEvent) -> Iterable[tuple[str, ...]]:
    effective_at = event.effective_at.isoformat().replace("+00:00", "Z")
    for center in event.allocations or (Allocation("", None, None),):
        yield (
            history.subscription_id,
            effective_at[:10] if event.is_date_only else effective_at,
            event.name,
            text_of(event.total),
            center.name,
            text_of(center.seats),
            text_of(center.cost_center_id),
            history.organization.organization_id,
            f"{event.recorded_at:%Y-%m-%dT%H:%M:%SZ}" if event.recorded_at else "",
            text_of(event.sequence),
        )


def organization_tables(organizations: Iterable[Organization]) -> dict[str, Table]:
    companies, centers = [], []
    for each in organizations:
        name = each.organization_id
        companies.append((name, name.upper(), f"tenant-of-{name}", each.refund_policy))
        centers += [
            (
                center.cost_center_id,
                name,
                center.name,
                str(center.is_default).lower(),
                text_of(center.successor_id),
                "2024-07-01",
                text_of(center.deleted_on),
            )
            for center in each.cost_centers
            if center.is_listed
        ]
    return {
        "organizations": Table(ORGANIZATION_HEADER, tuple(companies)),
        "cost_centers": Table(CENTER_HEADER, tuple(centers)),
    }


@dataclass(frozen=True)
class Books:
    """Histories, their feeds, and the position of each line in them."""

    seed: int
    histories: tuple[History, ...]

    @cached_property
    def tables(self) -> dict[str, Table]:
        """By feed, and for billing_lines by source."""
        invoices: dict[str, BillingLine] = {}
        subtotals: dict[str, Decimal] = {}
        for _, line in self.lines_of("new_commerce"):
            number = invoice_number(line)
            invoices[number] = line
            subtotals[number] = subtotals.get(number, Decimal(0)) + line.printed_cost
        invoice_rows = tuple(
            (number, str(line.billing_date), line.currency, text_of(subtotals[number]))
            for number, line in invoices.items()
        )
        splits = tuple(
            row
            for history in self.histories
            for event in history.events
            for row in split_rows(history, event)
        )
        organizations = {
            each.organization.organization_id: each.organization for each in self.histories
        }
        broker, new_commerce = self.lines_of("broker"), self.lines_of("new_commerce")
        return {
            "broker": Table(BROKER_HEADER, tuple(broker_row(*each) for each in broker)),
            "new_commerce": Table(
                NEW_COMMERCE_HEADER, tuple(new_commerce_row(*each) for each in new_commerce)
            ),
            "split_history": Table(SPLIT_HEADER, splits),
            "invoices": Table(INVOICE_HEADER, invoice_rows),
            **organization_tables(organizations.values()),
        }

    def lines_of(self, source: str) -> list[tuple[History, BillingLine]]:
        """In the order of the source's file."""
        return [
            (history, line)
            for history in self.histories
            for line in history.lines
            if line.source == source
        ]

    def drop(self, company: Company) -> Company:
        """Land everything, one plain file for each table that has rows."""
        for name, table in self.tables.items():
            folder = "billing_lines" if name in ("broker", "new_commerce") else name
            if table.rows:
                company.drop(f"{folder}/{name}.csv", table.as_csv())
        return company


def make_books(random: Random, seed: int, history_count: int, organization_count: int) -> Books:
    organizations = [make_organization(random, number) for number in range(organization_count)]
    return Books(
        seed,
        tuple(
            make_history(random, random.choice(organizations), number)
            for number in range(history_count)
        ),
    )


# --- what came out, line by line ----------------------------------------------------------------

MEASURES = ("quantity", "total_cost", "total_sales")
PARTS = """
    select
        file, row_number, line_id, cost_center_id, quantity, total_cost, total_sales,
        total_margin, charge_kind, split_reason, snapshot_effective_at
    from marts.billing_report
"""


@dataclass(frozen=True)
class Part:
    """A row of `billing_report`."""

    file: str
    row_number: int
    line_id: str
    cost_center_id: str
    quantity: Decimal
    total_cost: Decimal
    total_sales: Decimal | None
    total_margin: Decimal | None
    charge_kind: str
    split_reason: str
    snapshot_effective_at: datetime | None

    def __str__(self) -> str:
        measures = " ".join(f"{getattr(self, measure)!s:>22}" for measure in MEASURES)
        return (
            f"{self.cost_center_id:<12} {measures}  {self.split_reason}"
            f" ({self.snapshot_effective_at or 'no snapshot'})"
        )


@dataclass(frozen=True)
class Case:
    """A line of a history, the result of the oracle and that of the warehouse."""

    history: History
    position: int
    split: Split
    parts: tuple[Part, ...]

    @property
    def line(self) -> BillingLine:
        return self.history.lines[self.position]

    def expected_parts(self, measure: str) -> dict[str, Fraction | None]:
        amount = getattr(self.line, measure)
        if amount is None:
            return dict.fromkeys(self.split.seats)
        return dict(parts(amount, self.split.seats))

    def ledger(self) -> str:
        """The whole history with the line marked, the expected and the actual result."""
        organization = self.history.organization
        text = [
            f"{self.history.subscription_id} of {organization.organization_id},"
            f" refund policy {organization.refund_policy or 'not given'},"
            f" Default is {organization.default_id}"
        ]
        for center in organization.cost_centers:
            if center.deleted_on or center.successor_id:
                until = center.deleted_on or "an event says so"
                heir = center.successor_id or "Default"
                text.append(f"  {center.cost_center_id} until {until}, then {heir}")
        for event in self.history.events:
            at = f"{event.effective_at:%Y-%m-%d}" if event.is_date_only else event.effective_at
            centers = ", ".join(
                f"{each.name} ({each.cost_center_id or 'by name'}) {text_of(each.seats)}"
                for each in event.allocations
            )
            order = f"recorded {event.recorded_at}" if event.recorded_at else ""
            order += f"sequence {event.sequence}" if event.sequence else ""
            text.append(f"  {at}  {event.name}, total {event.total:f}: {centers} {order}")
        for position, line in enumerate(self.history.lines):
            text.append(
                f"{'->' if position == self.position else '  '}{position} {line.charge_type}"
                f" ({line.source}) {line.charge_start} to {line.charge_end},"
                f" billed {line.billing_date}, {line.printed_quantity:f} x {line.product}"
                f" {line.sku} at {line.unit_price}, cost {line.printed_cost:f},"
                f" sales {text_of(line.printed_sales)} {line.currency}"
            )
        effective_at = self.split.snapshot and self.split.snapshot.effective_at
        text.append(f"  expected {self.line.kind}, {self.split.reason} ({effective_at})")
        measures = [self.expected_parts(measure) for measure in MEASURES]
        for each in sorted(self.split.seats):
            amounts = " ".join(f"{decimal_text(came[each]):>22}" for came in measures)
            text.append(f"    {each:<12} {amounts}  {self.split.row_reason(each)}")
        text += ["  came", *(f"    {part}" for part in self.parts)]
        return "\n".join(text)


def decimal_text(amount: Fraction | None) -> str:
    return "None" if amount is None else f"{Decimal(int(amount * 10**10)).scaleb(-10):f}"


def make_cases(books: Books, company: Company) -> list[Case]:
    """Every line of the books with its parts; lines and parts meet by file and row."""
    found: dict[tuple[str, int], list[Part]] = {}
    for row in company.query(PARTS):
        part = Part(*row)
        source = "broker" if "broker" in part.file else "new_commerce"
        found.setdefault((source, part.row_number), []).append(part)
    next_row = dict.fromkeys(("broker", "new_commerce"), 2)
    cases = []
    for history in books.histories:
        made = snapshots(history)
        for position, line in enumerate(history.lines):
            came = found.pop((line.source, next_row[line.source]), [])
            next_row[line.source] += 1
            came.sort(key=lambda part: part.cost_center_id)
            cases.append(Case(history, position, split_of(history, line, made), tuple(came)))
    assert not found, f"seed {books.seed}: parts of lines that were never billed: {found}"
    return cases


@dataclass(frozen=True)
class Outcome:
    """One build: its books and its cases."""

    books: Books
    cases: tuple[Case, ...]

    def report(self, complaint: Callable[[Case], str | None]) -> str | None:
        """The smallest history that `complaint` finds something wrong with, as a ledger."""
        wrong = [(case, said) for case in self.cases if (said := complaint(case))]
        if not wrong:
            return None
        wrong.sort(key=lambda each: len(each[0].history.events) * 2 + len(each[0].history.lines))
        case, said = wrong[0]
        return (
            f"{len(wrong)} of {len(self.cases)} lines, APPORTION_TEST_SEED={self.books.seed}.\n"
            f"{said}\n{case.ledger()}"
        )

    def check(self, complaint: Callable[[Case], str | None]) -> None:
        """Fail with what `complaint` finds wrong."""
        if report := self.report(complaint):
            pytest.fail(report, pytrace=False)

    def originals(self, case: Case) -> list[Case]:
        """The cases of the lines that a refund's line may be linked to."""
        return [
            each
            for each in self.cases
            if each.history is case.history and each.position in case.split.linked
        ]


def snapshot_and_reason_differ(case: Case) -> str | None:
    expected = case.split.snapshot and case.split.snapshot.effective_at.replace(tzinfo=None)
    if {part.charge_kind for part in case.parts} != {case.line.kind}:
        return "The charge kind differs."
    if {part.snapshot_effective_at for part in case.parts} != {expected}:
        return "The snapshot differs."
    reasons = {part.cost_center_id: part.split_reason for part in case.parts}
    if any(reasons.get(center) != case.split.row_reason(center) for center in case.split.seats):
        return "A reason differs."
    return None


def parts_differ(case: Case) -> str | None:
    """Centers that the oracle does not expect may have a row of zeros: an heir without seats."""
    centers = {part.cost_center_id for part in case.parts}
    if missing := case.split.seats.keys() - centers:
        return f"A cost center of the snapshot has no row: {missing}."
    for measure in MEASURES:
        expected = case.expected_parts(measure)
        for part in case.parts:
            amount = getattr(part, measure)
            came = None if amount is None else Fraction(amount)
            if came != expected.get(part.cost_center_id, came and Fraction(0)):
                return f"{measure} of {part.cost_center_id} differs."
    return None


def sums_differ(case: Case) -> str | None:
    if len({part.line_id for part in case.parts}) != 1:
        return "The line was lost, or is more than one."
    if len({part.cost_center_id for part in case.parts}) != len(case.parts):
        return "A cost center has two rows."
    for measure in MEASURES:
        amount = getattr(case.line, measure)
        amounts = [getattr(part, measure) for part in case.parts]
        if amount is None and any(each is not None for each in amounts):
            return f"The line has no {measure}, its parts have."
        if amount is not None and (None in amounts or sum(amounts) != amount):
            return f"The parts of {measure} do not sum to {amount}."
        if any(each is not None and each.is_zero() and each.is_signed() for each in amounts):
            return f"A part of {measure} is -0."
    return None


def margin_differs(case: Case) -> str | None:
    for part in case.parts:
        margin = None if part.total_sales is None else part.total_sales - part.total_cost
        if part.total_margin != margin:
            return f"total_margin of {part.cost_center_id} is {part.total_margin}, not {margin}."
    return None


def part_is_off(case: Case) -> str | None:
    """For lines with the oracle's split; the others have failed already."""
    if snapshot_and_reason_differ(case):
        return None
    for measure in MEASURES:
        amount = getattr(case.line, measure)
        for part in case.parts:
            if amount is None or part.cost_center_id not in case.split.seats:
                continue
            exact = Fraction(amount) * case.split.share(part.cost_center_id)
            if abs(Fraction(getattr(part, measure)) - exact) >= Fraction(1, 10**6):
                return f"{measure} of {part.cost_center_id} is off {decimal_text(exact)}."
    return None


# --- one build for all histories ----------------------------------------------------------------


@pytest.fixture(scope="module")
def company_of_all(new_company: NewCompany) -> tuple[Books, Company]:
    books = make_books(Random(SEED), SEED, HISTORIES, ORGANIZATIONS)
    return books, books.drop(new_company()).build()


@pytest.fixture(scope="module")
def outcome(company_of_all: tuple[Books, Company]) -> Outcome:
    books, company = company_of_all
    return Outcome(books, tuple(make_cases(books, company)))


def test_the_histories_reach_every_reason(outcome: Outcome) -> None:
    reached = Counter(
        case.split.row_reason(center) for case in outcome.cases for center in case.split.seats
    )
    reasons = words(
        "snapshot, first_snapshot, original_charge, full_reversal, mirror_original, "
        "over_allocated, unallocated, zero_total, no_snapshot, not_a_license"
    )
    assert min(reached[reason] for reason in reasons) >= 20, (outcome.books.seed, reached)


def test_each_line_has_the_snapshot_and_the_reason_of_the_oracle(outcome: Outcome) -> None:
    outcome.check(snapshot_and_reason_differ)


def test_each_cost_center_gets_the_oracles_part_to_the_last_decimal(outcome: Outcome) -> None:
    outcome.check(parts_differ)


def test_parts_sum_to_their_line_and_no_line_is_lost_or_doubled(outcome: Outcome) -> None:
    outcome.check(sums_differ)


def test_margin_is_sales_less_cost_on_each_row(outcome: Outcome) -> None:
    outcome.check(margin_differs)


def test_no_part_is_off_its_proportion_by_a_millionth(outcome: Outcome) -> None:
    outcome.check(part_is_off)


def test_a_refund_with_its_charges_split_mirrors_its_parts(outcome: Outcome) -> None:
    def is_no_mirror(case: Case) -> str | None:
        if case.split.reason not in ("full_reversal", "mirror_original"):
            return None
        original = outcome.originals(case)[0]
        for measure in MEASURES[1:]:
            amounts = getattr(case.line, measure), getattr(original.line, measure)
            if None in amounts or amounts[0] != -amounts[1]:
                continue
            here = {part.cost_center_id: getattr(part, measure) for part in case.parts}
            there = {part.cost_center_id: -getattr(part, measure) for part in original.parts}
            if here != there:
                return f"{measure} is {here}, the charge's turned round is {there}."
        return None

    outcome.check(is_no_mirror)


def test_every_refund_shows_the_line_it_refunds(
    outcome: Outcome, company_of_all: tuple[Books, Company]
) -> None:
    rows = company_of_all[1].query("select line_id, refund_of_line_id from marts.billing_report")
    shown: dict[str, set[str | None]] = {}
    for line_id, refund_of_line_id in rows:
        shown.setdefault(line_id, set()).add(refund_of_line_id)

    def link_differs(case: Case) -> str | None:
        line_ids = {part.line_id for each in outcome.originals(case) for part in each.parts}
        came = {linked for part in case.parts for linked in shown[part.line_id]}
        if came == {None} if not line_ids else len(came) == 1 and came <= line_ids:
            return None
        return f"refund_of_line_id is {came}, expected one of lines {case.split.linked}."

    outcome.check(link_differs)


# --- the same, landed in another way ------------------------------------------------------------

OF_THE_FILE = {"file", "row_number", "delivery", "replaced_by"}
Marts = dict[str, Counter[tuple[object, ...]]]


def mart_rows(company: Company) -> Marts:
    """Every mart as a bag of rows, without the columns that name files."""
    columns: dict[str, list[str]] = {}
    for mart, column in company.query(
        "select table_name, column_name from information_schema.columns"
        " where table_schema = 'marts' order by table_name, ordinal_position"
    ):
        if column not in OF_THE_FILE:
            columns.setdefault(mart, []).append(column)
    return {
        mart: Counter(company.query(f"select {', '.join(names)} from marts.{mart}"))
        for mart, names in columns.items()
    }


def assert_same_marts(
    now: Marts,
    before: Marts,
    seed: int,
) -> None:
    for mart, rows in before.items():
        gone, come = list((rows - now[mart]).elements()), list((now[mart] - rows).elements())
        assert not gone and not come, (
            f"APPORTION_TEST_SEED={seed}: {len(gone)} rows of {mart} changed, e.g.\n"
            f"from {sorted(gone, key=str)[:2]}\nto   {sorted(come, key=str)[:2]}"
        )


def shuffled(random: Random, table: Table) -> Table:
    """The rows in another order, the columns too."""
    rows = random.sample(table.rows, len(table.rows))
    columns = random.sample(range(len(table.header)), len(table.header))
    return Table(
        tuple(table.header[column].upper() for column in columns),
        tuple(tuple(row[column] for column in columns) for row in rows),
    )


def shuffled_splits(random: Random, table: Table) -> Table:
    """Split rows in another order; what only the file orders keeps it: rows of one instant."""
    blocks: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for number, row in enumerate(table.rows):
        subscription_id, instant, *_, sequence = row
        key = (str(number),) if sequence else (subscription_id, instant[:10])
        blocks.setdefault(key, []).append(row)
    mixed = random.sample(list(blocks.values()), len(blocks))
    return Table(table.header, tuple(row for block in mixed for row in block))


def drop_otherwise(books: Books, company: Company, random: Random) -> Company:
    """Land the books in other files: shuffled, two for a feed, Windows line ends, packed."""
    tables = books.tables
    invoice_lines = tables["new_commerce"]
    mixed_lines = random.sample(invoice_lines.rows, len(invoice_lines.rows))
    # The bill of a day, an invoice and a subscription's history each stay in one file.
    two_files = {
        "billing_lines/z/broker": (shuffled(random, tables["broker"]), "BillingDate"),
        "billing_lines/a/new_commerce": (
            replace(invoice_lines, rows=tuple(mixed_lines)),
            "InvoiceNumber",
        ),
        "split_history/deep/er/splits": (
            shuffled_splits(random, tables["split_history"]),
            "Subscription ID",
        ),
        "cost_centers/centers": (shuffled(random, tables["cost_centers"]), None),
    }
    one_file = {
        "organizations/all": shuffled(random, tables["organizations"]),
        "invoices/all": shuffled(random, tables["invoices"]),
    }
    for name, (table, key) in two_files.items():
        headers = [header.upper() for header in table.header]
        kept_together = slice(None)
        if key is not None:
            place = headers.index(key.upper())
            kept_together = slice(place, place + 1)
        keys = sorted({row[kept_together] for row in table.rows})
        in_first = set(random.sample(keys, len(keys) // 2))
        first = [row for row in table.rows if row[kept_together] in in_first]
        second = [row for row in table.rows if row[kept_together] not in in_first]
        company.drop(f"{name}-2.csv", replace(table, rows=tuple(first)).as_csv("\r\n"))
        packed = gzip.compress(replace(table, rows=tuple(second)).as_csv().encode())
        company.drop(f"{name}-1.csv.gz", packed)
    for name, table in one_file.items():
        company.drop(f"{name}.csv", "\ufeff" + table.as_csv("\r\n"))
    return company


@pytest.fixture(scope="module")
def landed_otherwise(
    company_of_all: tuple[Books, Company], new_company: NewCompany
) -> tuple[Company, Marts]:
    books, _ = company_of_all
    company = drop_otherwise(books, new_company(), Random(SEED)).build()
    return company, mart_rows(company)


def test_order_of_arrival_changes_nothing(
    company_of_all: tuple[Books, Company],
    landed_otherwise: tuple[Company, Marts],
) -> None:
    assert_same_marts(landed_otherwise[1], mart_rows(company_of_all[1]), SEED)


def horizon(history: History) -> datetime:
    """The first instant at which a snapshot can no longer matter to any line of the history."""
    made = snapshots(history)
    ends = []
    for line in history.lines:
        has_snapshot = any(each.effective_at < line.cutoff for each in made)
        ends.append(line.cutoff if has_snapshot or line.kind == "refund" else line.billing_cut)
    return max(ends)


def test_a_later_snapshot_changes_no_earlier_line(
    company_of_all: tuple[Books, Company],
    landed_otherwise: tuple[Company, Marts],
) -> None:
    books, _ = company_of_all
    company, before = landed_otherwise
    random = Random(SEED)
    rows: list[tuple[str, ...]] = []
    for history in books.histories:
        effective_at = horizon(history) + timedelta(seconds=random.choice((0, 0, 1, 86_400)))
        allocations = make_allocations(random, history.organization, Decimal(24), Decimal(1))
        recorded_at = start_of(FIRST_DAY) + timedelta(days=200)
        event = SplitEvent(
            MANUAL_EVENT, effective_at, False, Decimal(24), tuple(allocations), recorded_at
        )
        rows += split_rows(history, event)
    company.drop("split_history/later.csv", Table(SPLIT_HEADER, tuple(rows)).as_csv())
    company.build()
    report = "billing_report"
    assert_same_marts({report: mart_rows(company)[report]}, {report: before[report]}, SEED)


# --- one small history at a time, made smaller when it fails ------------------------------------

SECONDS_TO_SHRINK = 90


def report_alone(history: History, company: Company) -> str | None:
    """The differences for a history that is the only content of a data folder."""
    shutil.rmtree(company.data.landing, ignore_errors=True)
    company.data.warehouse.unlink(missing_ok=True)
    books = Books(SEED, (history,))
    books.drop(company).build(*MODELS_ONLY, expect_success=False)
    if company.failures:
        return "\n".join(company.failures)
    outcome = Outcome(books, tuple(make_cases(books, company)))
    complaints = (snapshot_and_reason_differ, parts_differ, sums_differ, margin_differs)
    return next(filter(None, map(outcome.report, complaints)), None)


def test_a_single_history_matches_the_oracle(new_company: NewCompany) -> None:
    company = new_company()
    reports: dict[History, str | None] = {}
    shrink_until = math.inf

    @starting_seed(SEED)
    @settings(
        max_examples=6,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
    )
    @given(st.randoms(use_true_random=False))
    def comes_out(random: Random) -> None:
        nonlocal shrink_until
        history = make_history(random, make_organization(random, 0), number=0, most=2)
        if history not in reports and monotonic() < shrink_until:
            reports[history] = report_alone(history, company)
        if report := reports.get(history):
            shrink_until = min(shrink_until, monotonic() + SECONDS_TO_SHRINK)
            pytest.fail(report, pytrace=False)

    comes_out()
