"""Random histories through the real dbt models, line by line against the brute-force oracle.

A history is one subscription: its split events and its billing lines. Over a thousand of them
share one build. APPORTION_TEST_SEED chooses others; every failure prints the seed and the
smallest history that went wrong, as a ledger.
"""

import csv
import gzip
import io
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from random import Random

import pytest
from conftest import Company
from hypothesis import given, seed, settings
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
    staged,
    start_of,
)

SEED = int(os.environ.get("APPORTION_TEST_SEED", "20260106"))
HISTORIES = 1200
ORGANIZATIONS = 60
FIRST_DAY = date(2025, 12, 1)
NewCompany = Callable[[], Company]


# --- making histories ---------------------------------------------------------------------------

NEW_COMMERCE_TYPES = (
    "new",
    "renew",
    "cycleCharge",
    "CycleCharge",
    "cyclecharge",
    "addQuantity",
    "removeQuantity",
    "moveQuantity",
    "convert",
    "cancelImmediate",
    "changeBillingPlan",
    "customerCredit",
    "extendTerm",
    "extendedServiceTerm",
)
LEGACY_TYPES = (
    "Cycle fee",
    "New purchase cycle fee",
    "Purchase fee",
    "Prorate fees when purchase",
    "Prorate fee when renew",
    "Cycle instance prorate",
    "Cancel instance prorate",
    "Cancel fee",
    "Prorate fees when cancel",
    "Prorate fees when convert to a new offering",
    "Activation fee",
    "Offset a line item",
)
AUTOMATIC_EVENTS = (
    "Subscription created",
    "Subscription quantity changed",
    "Subscription quantity changed on renewal",
    "Cost center created",
    CENTER_DELETED,
)
TIMES = (time(0), time(0, 0, 1), time(9, 30), time(12), time(23, 59, 59))


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
        elif random.random() < 0.2:
            others = [each[:2] for each in labels if each != label] + ["D"]
            successor = random.choice((None, f"{number}-{random.choice(others)}"))
            centers[-1] = replace(centers[-1], successor_id=successor, deleted_on=some_day(random))
    if random.random() < 0.6:
        label = random.choice((DEFAULT, "Unallocated"))
        centers.append(CostCenter(f"{number}-D", label, is_default=True))
    known = {each.cost_center_id for each in centers if each.is_listed}
    centers = [
        replace(each, successor_id=each.successor_id if each.successor_id in known else None)
        for each in centers
    ]
    return Organization(name, policy, tuple(centers))


def make_history(random: Random, organization: Organization, number: int) -> History:
    """A history of at most seven events and eight lines, all within some eight weeks."""
    ordering = random.choice(("by file", "by sequence", "by recorded_at"))
    unit = random.choice((Decimal(1), Decimal(1), Decimal(1), Decimal("0.25"), Decimal("0.000001")))
    scale = random.choice((12, 12, 40, 300_000))
    events: list[SplitEvent] = []
    for _ in range(random.choice((0, 1, 1, 2, 3, 4, 5, 7))):
        event = make_event(random, organization, events, scale, unit)
        if ordering == "by sequence":
            event = replace(event, sequence=len(events) + 1)
        if ordering == "by recorded_at":
            recorded_at = start_of(FIRST_DAY) + timedelta(days=90, minutes=len(events))
            event = replace(event, recorded_at=recorded_at)
        if ordering != "by file" or all(
            (event.name, event.effective_at) != (each.name, each.effective_at) for each in events
        ):
            events.append(event)
    if ordering != "by file":
        random.shuffle(events)
    lines: list[BillingLine] = []
    for _ in range(random.choice((1, 2, 2, 3, 4, 5, 6, 8))):
        charges = [line for line in lines if line.printed_cost > 0]
        if charges and random.random() < 0.45:
            lines.append(make_refund(random, random.choice(charges)))
        elif lines and random.random() < 0.08:
            lines.append(random.choice(lines))
        else:
            lines.append(make_line(random, scale))
    return History(f"S-{number}", organization, tuple(events), tuple(one_charge_per_key(lines)))


def make_event(
    random: Random,
    organization: Organization,
    earlier: Sequence[SplitEvent],
    scale: int,
    unit: Decimal,
) -> SplitEvent:
    is_date_only = random.random() < 0.35
    at = time(0) if is_date_only else random.choice(TIMES)
    effective_at = datetime.combine(some_day(random), at, UTC)
    if earlier and random.random() < 0.25:
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
    """The center by name and id, or by name alone where the name tells the id."""
    by_name = center.name in (DEFAULT, center.cost_center_id) or center.is_listed
    if by_name and random.random() < 0.5:
        return Allocation(center.name, None, seats)
    return Allocation(center.name, center.cost_center_id, seats)


def make_money(random: Random) -> Decimal:
    """Money of either sign with 2 to 18 decimals: none, tiny, common or of nine digits."""
    decimals = random.choice((2, 2, 2, 4, 8, 10, 11, 18))
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
        key = (line.source, line.product, line.sku, line.charge_start, line.charge_end)
        key += (line.quantity, line.unit_price, line.currency, line.billing_date)
        if line.printed_cost <= 0 or charges.setdefault(key, line) == line:
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

    def keep(self, is_kept: Callable[[tuple[str, ...]], bool]) -> "Table":
        return Table(self.header, tuple(row for row in self.rows if is_kept(row)))


BROKER_HEADER = (
    "Subscription ID",
    "ProductName",
    "Quantity",
    "TotalCost",
    "TotalSales",
    "ChargeStartDate",
    "BillingDate",
    "BillingLineDetails",
    "Organization",
    "Currency",
    "SKU",
)
NEW_COMMERCE_HEADER = (
    "InvoiceNumber",
    "CustomerId",
    "ProductId",
    "SkuId",
    "ProductName",
    "ChargeType",
    "UnitPrice",
    "Quantity",
    "Subtotal",
    "TaxTotal",
    "Total",
    "Currency",
    "SubscriptionId",
    "ChargeStartDate",
    "ChargeEndDate",
    "BillableQuantity",
)
SPLIT_HEADER = (
    "Subscription ID",
    "Datetime",
    "Event",
    "Total Quantity",
    "Cost Center",
    "Allocated Quantity",
    "Cost Center ID",
    "Organization",
    "Recorded At",
    "Sequence",
)
CENTER_HEADER = (
    "Cost Center ID",
    "Organization",
    "Name",
    "Is Default",
    "Successor ID",
    "Valid From",
    "Valid To",
)
ORGANIZATION_HEADER = ("Organization", "Name", "Tenant ID", "Refund Policy")
INVOICE_HEADER = ("Invoice Number", "Invoice Date", "Currency", "Subtotal")


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
    effective_at = f"{event.effective_at:%Y-%m-%dT%H:%M:%SZ}"
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
    """Histories, their feeds, and where each line stands in them."""

    seed: int
    histories: tuple[History, ...]

    @cached_property
    def tables(self) -> dict[str, Table]:
        """By feed, and for billing_lines by source."""
        invoices: dict[str, BillingLine] = {}
        subtotals: Counter[str] = Counter()
        for _, line in self.lines_of("new_commerce"):
            invoices[invoice_number(line)] = line
            subtotals[invoice_number(line)] += line.printed_cost  # type: ignore[assignment]
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
