"""The parts of a statement, as the pages to print and the PDF show them.

Belongs here: what a statement consists of. Does not: reading it (statements), its layout
(statement.html.jinja, statement_pdf).
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from dagster_project.seeds import seed_values

CORRECTION_KEY, SHARED_KEY = "(correction)", "(shared)"
"""Keys of the seed statement_sections besides charge kinds."""


def section_of(charge_kind: str) -> str | None:
    """The section of lines of a charge kind, or of one of the keys above; None without one."""
    return seed_values("statement_sections", "charge_kind", "section").get(charge_kind)


@dataclass(frozen=True)
class Line:
    """A cost center's part of a billing line, or a shared cost it received or passed on.

    Amounts are exact, and null without a price; shared costs have no quantity.
    """

    product_name: str | None
    details: str | None
    share: Decimal
    quantity: Decimal | None
    quantity_unit: str | None
    amount: Decimal | None


@dataclass(frozen=True)
class Section:
    """A section of a statement; `billed_amount` is in whole units of the currency."""

    section: str
    title: str
    amount: Decimal
    billed_amount: Decimal
    lines: tuple[Line, ...]

    @property
    def is_shared(self) -> bool:
        """Whether its lines are shared costs."""
        return self.section == section_of(SHARED_KEY)


@dataclass(frozen=True)
class Account:
    """The charges of one cost center in one billing period and currency.

    `basis` is the amount that is charged: sales or cost.
    """

    billing_period: str
    organization_id: str
    currency: str
    cost_center_id: str
    basis: str

    @property
    def parameters(self) -> dict[str, str]:
        """The values of CONDITION."""
        return {
            "period": self.billing_period,
            "organization": self.organization_id,
            "currency": self.currency,
            "cost_center": self.cost_center_id,
        }


@dataclass(frozen=True)
class Part:
    """The statement of a cost center as a part of its unit's."""

    cost_center_name: str
    cost_center_id: str
    billed_amount: Decimal


@dataclass(frozen=True)
class Statement:
    """The statement of one account, or of a unit: then its account has the id of the unit."""

    account: Account
    organization_name: str
    cost_center_name: str
    unpriced_line_count: int
    sections: tuple[Section, ...]
    kind: str = "Cost center"
    """The kind of what it is the statement of, in words."""
    parts: tuple[Part, ...] = ()
    """Of a unit: its cost centers, which sum to the total."""

    @property
    def billed_amount(self) -> Decimal:
        """The total: the sum of the sections."""
        return sum((section.billed_amount for section in self.sections), Decimal(0))


@dataclass(frozen=True)
class Bill:
    """The bill of an organization in one billing period and currency."""

    billed_amount: Decimal
    is_open: bool
    billing_date: date | None
