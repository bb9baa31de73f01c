"""The formats of each feed, as data: which columns a file has, and which it needs.

A file's format is found from its header, never from its name. A new format is one entry here,
one source table and one staging model (CONTRIBUTING.md has the checklist).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from dagster_project.errors import MissingColumns, RepeatedColumns, UnknownFormat, WrongFeed


def match_key(header: str) -> str:
    """The header without regard to case, spaces, underscores and other punctuation."""
    return re.sub(r"[^a-z0-9]", "", header.lower())


def snake_case(header: str) -> str:
    """The raw table's column name for a header: `SkuId` is `sku_id`, `MPNID` is `mpnid`."""
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", header)
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", words)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


@dataclass(frozen=True)
class FileFormat:
    """One layout of files: the raw table it fills and its columns as the source names them."""

    name: str
    feed: str
    description: str
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    also_called: tuple[tuple[str, str], ...] = ()
    """Pairs of (other header, our header) where one source has two names for one column."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw table's columns, needed ones first."""
        return tuple(snake_case(header) for header in self.needed + self.optional)

    @cached_property
    def column_by_key(self) -> dict[str, str]:
        """Raw column name by match key of each header, other names included."""
        columns = {match_key(header): snake_case(header) for header in self.needed + self.optional}
        columns |= {match_key(other): snake_case(ours) for other, ours in self.also_called}
        return columns

    def assign(self, headers: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
        """Header by raw column, and the headers that fill none, in the file's order."""
        header_by_column: dict[str, str] = {}
        others = []
        for header in headers:
            column = self.column_by_key.get(match_key(header))
            if column is None or column in header_by_column:
                others.append(header)
            else:
                header_by_column[column] = header
        return header_by_column, tuple(others)

    def missing(self, headers: Iterable[str]) -> tuple[str, ...]:
        """The needed headers that are not among `headers`."""
        found = {self.column_by_key.get(match_key(header)) for header in headers}
        return tuple(header for header in self.needed if snake_case(header) not in found)


BROKER_REPORT = FileFormat(
    name="broker_report",
    feed="billing_lines",
    description="A broker's billing report; charge type and period stand in BillingLineDetails.",
    needed=(
        "Subscription ID",
        "ProductName",
        "Quantity",
        "TotalCost",
        "ChargeStartDate",
        "BillingDate",
        "BillingLineDetails",
    ),
    optional=("TotalSales", "TotalMargin", "Organization", "Currency", "SKU"),
)

NEW_COMMERCE_RECONCILIATION = FileFormat(
    name="new_commerce_reconciliation",
    feed="billing_lines",
    description="Partner Center's new-commerce invoice reconciliation, CSV or JSON lines.",
    needed=(
        "CustomerId",
        "InvoiceNumber",
        "ProductId",
        "SkuId",
        "ProductName",
        "ChargeType",
        "UnitPrice",
        "Quantity",
        "Subtotal",
        "Currency",
        "SubscriptionId",
        "ChargeStartDate",
        "ChargeEndDate",
    ),
    optional=(
        "PartnerId",
        "CustomerName",
        "CustomerDomainName",
        "CustomerCountry",
        "MpnId",
        "ResellerMpnId",
        "OrderId",
        "OrderDate",
        "AvailabilityId",
        "SkuName",
        "TaxTotal",
        "Total",
        "PriceAdjustmentDescription",
        "PublisherName",
        "PublisherId",
        "SubscriptionDescription",
        "TermAndBillingCycle",
        "EffectiveUnitPrice",
        "UnitType",
        "AlternateId",
        "BillableQuantity",
        "BillingFrequency",
        "PricingCurrency",
        "PCToBCExchangeRate",
        "PCToBCExchangeRateDate",
        "MeterDescription",
        "ReservationOrderId",
        "CreditReasonCode",
        "SubscriptionStartDate",
        "SubscriptionEndDate",
        "ReferenceId",
        "ProductQualifiers",
        "PromotionId",
    ),
    also_called=(("TotalForCustomer", "Total"),),
)

SPLIT_HISTORY = FileFormat(
    name="split_history",
    feed="split_history",
    description="Changes of how a subscription's licenses are split over cost centers.",
    needed=(
        "Subscription ID",
        "Event",
        "Datetime",
        "Total Quantity",
        "Cost Center",
        "Allocated Quantity",
    ),
    optional=("Cost Center ID", "Organization", "Recorded At", "Sequence"),
)

COST_CENTERS = FileFormat(
    name="cost_centers",
    feed="cost_centers",
    description="The cost centers of each organization.",
    needed=("Cost Center ID", "Organization", "Name"),
    optional=(
        "Parent ID",
        "Business Unit",
        "Location",
        "Charge Code",
        "GL Account",
        "Is Default",
        "Is Shared",
        "Successor ID",
        "Valid From",
        "Valid To",
    ),
)

ORGANIZATIONS = FileFormat(
    name="organizations",
    feed="organizations",
    description="The organizations that are billed.",
    needed=("Organization", "Name"),
    optional=(
        "Tenant ID",
        "Domain",
        "Currency",
        "Refund Policy",
        "Split Source",
        "Split Attribute",
    ),
)

INVOICES = FileFormat(
    name="invoices",
    feed="invoices",
    description="The provider's invoices, to tie the lines to.",
    needed=("Invoice Number", "Invoice Date", "Currency", "Subtotal"),
    optional=("Tax Total", "Total"),
)

CORRECTIONS = FileFormat(
    name="corrections",
    feed="corrections",
    description="Approved corrections of splits in closed periods.",
    needed=(
        "Subscription ID",
        "Billing Period",
        "Cost Center ID",
        "Allocated Quantity",
        "Approved By",
        "Reason",
    ),
)

FORMATS: tuple[FileFormat, ...] = (
    BROKER_REPORT,
    NEW_COMMERCE_RECONCILIATION,
    SPLIT_HISTORY,
    COST_CENTERS,
    ORGANIZATIONS,
    INVOICES,
    CORRECTIONS,
)


def find_format(feed: str, headers: tuple[str, ...]) -> FileFormat:
    """The format of a file that lies in `feed`'s folder and has these headers.

    Where several fit, the one that knows most of the headers. Raises WrongFeed where only
    another feed's format fits, MissingColumns where the nearest format lacks some columns, and
    UnknownFormat where not even half of any format's needed columns are there.
    """
    keys = [match_key(header) or header for header in headers]
    repeated = sorted({headers[keys.index(key)] for key in keys if keys.count(key) > 1})
    if repeated:
        raise RepeatedColumns(f"the header names a column twice: {', '.join(repeated)}")

    def known_count(file_format: FileFormat) -> int:
        return sum(key in file_format.column_by_key for key in keys)

    fitting = [each for each in FORMATS if not each.missing(headers)]
    best = max(fitting, key=lambda each: (known_count(each), each.feed == feed), default=None)
    if best and best.feed == feed:
        return best
    nearest = max((each for each in FORMATS if each.feed == feed), key=known_count)
    missing = nearest.missing(headers)
    # A list of cost centers without its ids also fits organizations, but it knows more here.
    if best and known_count(best) >= known_count(nearest):
        raise WrongFeed(
            f"this is a {best.name} file; it belongs in landing/{best.feed}, not landing/{feed}"
        )
    if len(missing) * 2 <= len(nearest.needed):
        raise MissingColumns(
            f"missing column{'s'[: len(missing) != 1]} {', '.join(missing)}"
            f" (read as {nearest.name}, whose needed columns are: {', '.join(nearest.needed)})"
        )
    raise UnknownFormat(f"the header is of no format known for {feed}: {', '.join(headers)[:200]}")
