"""The expected split of each line, calculated by brute force from the documented rules.

Belongs here: a history (events, lines, cost centers) as plain data, and its splits in Fraction and
Decimal. Does not: code of the pipeline, or the format of files.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

DEFAULT = "Default"
MANUAL_EVENT = "Cost center split adjusted"
CENTER_DELETED = "Cost center deleted"

# The kind of an amount >= 0 by charge type in lower case. A negative amount is a refund, except for
# the two credits. An unlisted type is an extra charge.
CYCLE_TYPES = frozenset(
    (
        "new",
        "renew",
        "cyclecharge",
        "changebillingplan",
        "extendterm",
        "cycle fee",
        "new purchase cycle fee",
        "purchase fee",
        "prorate fees when purchase",
        "prorate fee when renew",
    )
)
CREDIT_TYPES = frozenset(("customercredit", "offset a line item"))


@dataclass(frozen=True)
class CostCenter:
    """A row of the cost_centers feed; without `is_listed`, known from the split history only."""

    cost_center_id: str
    name: str
    is_default: bool = False
    is_listed: bool = True
    successor_id: str | None = None
    deleted_on: date | None = None


@dataclass(frozen=True)
class Organization:
    organization_id: str
    refund_policy: str
    cost_centers: tuple[CostCenter, ...]

    @property
    def default_id(self) -> str:
        return next((each.cost_center_id for each in self.cost_centers if each.is_default), DEFAULT)

    def listed(self, cost_center_id: str) -> CostCenter | None:
        """The center's row in the cost_centers feed."""
        return next(
            (
                each
                for each in self.cost_centers
                if each.is_listed and each.cost_center_id == cost_center_id
            ),
            None,
        )

    def find(self, named: "Allocation") -> str:
        """The id of a cost center in the split history: its id, else by name, else the name."""
        if named.cost_center_id:
            return named.cost_center_id
        if named.name == DEFAULT:
            return self.default_id
        return next(
            (
                each.cost_center_id
                for each in self.cost_centers
                if each.is_listed and each.name == named.name
            ),
            named.name,
        )

    def receiver(self, cost_center_id: str, instant: datetime, gone: Container[str] = ()) -> str:
        """The cost center with the seats at `instant`: itself, its successor or Default.

        `gone` has the centers that events deleted since the subscription's last full snapshot.
        """
        seen = set()
        while cost_center_id not in seen:
            center = self.listed(cost_center_id)
            if cost_center_id not in gone and not (center and is_deleted(center, instant)):
                return cost_center_id
            seen.add(cost_center_id)
            cost_center_id = (center and center.successor_id) or self.default_id
        return self.default_id


@dataclass(frozen=True)
class Allocation:
    """A cost center as a row of the split history names it; without seats on a bare event."""

    name: str
    cost_center_id: str | None
    seats: Decimal | None


@dataclass(frozen=True)
class SplitEvent:
    """One event of a subscription. Bare without allocated seats, else a full snapshot."""

    name: str
    effective_at: datetime
    is_date_only: bool
    total: Decimal
    allocations: tuple[Allocation, ...] = ()
    recorded_at: datetime | None = None
    sequence: int | None = None

    @property
    def is_bare(self) -> bool:
        return all(each.seats is None for each in self.allocations)


@dataclass(frozen=True)
class BillingLine:
    """One line as printed: quantity of any sign, money with any number of decimals."""

    source: str
    charge_type: str
    charge_start: date
    charge_end: date
    billing_date: date
    printed_quantity: Decimal
    printed_cost: Decimal
    printed_sales: Decimal | None
    product: str
    sku: str | None
    unit_price: Decimal | None
    currency: str

    @property
    def quantity(self) -> Decimal:
        return abs(staged(self.printed_quantity))

    @property
    def total_cost(self) -> Decimal:
        return staged(self.printed_cost)

    @property
    def total_sales(self) -> Decimal | None:
        return None if self.printed_sales is None else staged(self.printed_sales)

    @property
    def money(self) -> Decimal:
        """The amount whose sign identifies refunds: the cost, or the sales without a cost."""
        return self.total_cost or self.total_sales or Decimal(0)

    @property
    def kind(self) -> str:
        charge_type = self.charge_type.lower()
        if self.money < 0:
            return "credit" if charge_type in CREDIT_TYPES else "refund"
        return "cycle" if charge_type in CYCLE_TYPES else "extra"

    @property
    def billing_cut(self) -> datetime:
        return start_of(self.billing_date)

    @property
    def cutoff(self) -> datetime:
        """The instant before which the line looks for its snapshot, the billing cut included."""
        anchor = self.charge_end if self.kind == "extra" else self.charge_start
        days_after = 0 if self.kind == "refund" else 1
        return min(start_of(anchor + timedelta(days=days_after)), self.billing_cut)


@dataclass(frozen=True)
class History:
    """One subscription: the events of its split in the order of the file, and its lines."""

    subscription_id: str
    organization: Organization
    events: tuple[SplitEvent, ...]
    lines: tuple[BillingLine, ...]


@dataclass(frozen=True)
class Snapshot:
    """Seats by cost center id; `rest` are the unallocated ones."""

    effective_at: datetime
    total: Fraction
    seats: Mapping[str, Fraction]
    rest: Fraction = Fraction(0)

    @property
    def is_over_allocated(self) -> bool:
        return sum(self.seats.values()) > self.total


@dataclass(frozen=True)
class Split:
    """The split of one line: `seats` includes those in Default; `linked` are positions."""

    reason: str
    snapshot: Snapshot | None
    seats: Mapping[str, Fraction]
    linked: tuple[int, ...] = ()
    default_id: str = DEFAULT

    def row_reason(self, cost_center_id: str) -> str:
        """The code on the row of a cost center."""
        if self.reason != "snapshot" or self.snapshot is None:
            return self.reason
        if self.snapshot.rest and cost_center_id == self.default_id:
            return "unallocated"
        return "over_allocated" if self.snapshot.is_over_allocated else "snapshot"

    def share(self, cost_center_id: str) -> Fraction:
        return self.seats[cost_center_id] / sum(self.seats.values())


def staged(printed: Decimal) -> Decimal:
    """A provider's number with 10 decimals, rounded half-even; never -0."""
    return printed.quantize(Decimal("1e-10"), ROUND_HALF_EVEN, Context(prec=60)) + 0


def start_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def is_deleted(center: CostCenter, instant: datetime) -> bool:
    return center.deleted_on is not None and start_of(center.deleted_on) <= instant


def parts(amount: Decimal, seats: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """The exact parts of `amount` by cost center: cumulative rounding in order of id."""
    size, sign = abs(Fraction(amount)), -1 if amount < 0 else 1
    total = sum(seats.values())
    last = max(center for center, held in seats.items() if held)
    result, below, cumulated = {}, Fraction(0), Fraction(0)
    for center in sorted(seats):
        if not seats[center]:
            result[center] = Fraction(0)
            continue
        cumulated += seats[center]
        up_to = size if center == last else half_up(size * cumulated / total)
        result[center] = sign * (up_to - below)
        below = up_to
    return result


def half_up(size: Fraction) -> Fraction:
    """`size`, not negative, in whole millionths."""
    return Fraction((size * 10**6 + Fraction(1, 2)).__floor__(), 10**6)


def in_order(events: Sequence[SplitEvent]) -> list[SplitEvent]:
    """Events of one subscription, later ones last; ties keep the order of the file."""

    def place(event: SplitEvent) -> tuple[datetime, datetime, int, bool]:
        return (
            event.effective_at,
            event.recorded_at or event.effective_at,
            event.sequence or 0,
            event.is_date_only and event.name == MANUAL_EVENT,
        )

    return sorted(events, key=place)


def snapshots(history: History) -> list[Snapshot]:
    """The snapshots of the subscription in order of time; of one instant, the last alone."""
    organization = history.organization
    default_id = organization.default_id
    deletions = {
        center.cost_center_id: start_of(center.deleted_on)
        for center in organization.cost_centers
        if center.is_listed and center.deleted_on
    }
    made: list[Snapshot] = []
    named: dict[str, Fraction] = {}
    gone: set[str] = set()

    def hold(cost_center_id: str, seats: Fraction, instant: datetime) -> None:
        """Name the center; one that is deleted leaves its seats to its receiver, if it has one."""
        receiver = organization.receiver(cost_center_id, instant, gone)
        if receiver != default_id and (seats or receiver == cost_center_id):
            named[receiver] = named.get(receiver, Fraction(0)) + seats

    def carry_forward(instant: datetime, total: Fraction) -> None:
        held = dict(named)
        named.clear()
        for cost_center_id, seats in held.items():
            hold(cost_center_id, seats, instant)
        rest = max(total - sum(named.values()), Fraction(0))
        made.append(Snapshot(instant, total, {**named, default_id: Fraction(0)}, rest))

    def apply_deletions(after: datetime, until: datetime) -> None:
        """A bare event at each instant that deletes a center the subscription has seats in."""
        for instant in sorted(set(deletions.values())):
            moved = (seats for each, seats in named.items() if deletions.get(each) == instant)
            if after < instant <= until and any(moved):
                carry_forward(instant, made[-1].total)

    for event in in_order(history.events):
        if made:
            apply_deletions(made[-1].effective_at, event.effective_at)
        total = Fraction(event.total)
        instant = event.effective_at
        if event.is_bare:
            for center in event.allocations:
                cost_center_id = organization.find(center)
                if event.name == CENTER_DELETED:
                    gone.add(cost_center_id)
                else:
                    hold(cost_center_id, Fraction(0), instant)
            carry_forward(instant, total)
            continue
        named.clear()
        gone.clear()
        for center in event.allocations:
            hold(organization.find(center), Fraction(center.seats or 0), instant)
        in_default = sum(
            Fraction(center.seats or 0)
            for center in event.allocations
            if organization.receiver(organization.find(center), instant) == default_id
        )
        rest = max(total - sum(named.values()) - in_default, Fraction(0))
        made.append(Snapshot(instant, total, {**named, default_id: Fraction(in_default)}, rest))
    if made:
        apply_deletions(made[-1].effective_at, datetime.max.replace(tzinfo=UTC))
    in_force = {each.effective_at: each for each in made}
    return list(in_force.values())


def linked_lines(history: History, refund: BillingLine) -> tuple[int, ...]:
    """Positions of the line that `refund` refunds; several where lines are alike."""

    def key(line: BillingLine) -> tuple[object, ...]:
        return line.product, line.sku, line.charge_end, line.quantity, line.currency, price(line)

    def price(line: BillingLine) -> Decimal | None:
        return None if line.unit_price is None else staged(line.unit_price)

    candidates = {
        position: (line.charge_start, line.billing_date)
        for position, line in enumerate(history.lines)
        if line.money > 0
        and key(line) == key(refund)
        and line.charge_start <= refund.charge_start
        and line.billing_date <= refund.billing_date
    }
    latest = max(candidates.values(), default=None)
    return tuple(position for position, at in candidates.items() if at == latest)


def split_of(history: History, line: BillingLine, made: Sequence[Snapshot]) -> Split:
    """The split that applies to a line, and why."""
    default_id = history.organization.default_id
    all_default = {default_id: Fraction(1)}
    linked: tuple[int, ...] = ()

    def by(reason: str, snapshot: Snapshot) -> Split:
        seats = dict(snapshot.seats)
        if snapshot.rest:
            seats[default_id] = seats.get(default_id, Fraction(0)) + snapshot.rest
        return Split(reason, snapshot, seats, linked, default_id)

    def as_linked(reason: str) -> Split:
        original = split_of(history, history.lines[linked[0]], made)
        return Split(reason, original.snapshot, original.seats, linked, default_id)

    if line.kind == "credit":
        return Split("not_a_license", None, all_default)
    if line.kind == "refund" and (linked := linked_lines(history, line)):
        original = history.lines[linked[0]]
        if original.charge_start == line.charge_start and original.total_cost == -line.total_cost:
            return as_linked("full_reversal")
        if history.organization.refund_policy == "mirror_original":
            return as_linked("mirror_original")

    before = [each for each in made if each.effective_at < line.cutoff]
    reason = "snapshot"
    if not before and line.kind == "refund":
        return as_linked("original_charge") if linked else Split("no_snapshot", None, all_default)
    if not before:
        allowed = [each for each in made if each.effective_at < line.billing_cut]
        if not allowed:
            return Split("no_snapshot", None, all_default)
        before, reason = allowed[:1], "first_snapshot"
    if before[-1].total:
        return by(reason, before[-1])
    with_seats = [each for each in before if each.total]
    if with_seats:
        return by("zero_total", with_seats[-1])
    return Split("zero_total", None, all_default, linked)
