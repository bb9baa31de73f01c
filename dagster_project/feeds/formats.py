"""The formats of each feed, as data: which columns a file has, and which it needs.

A file's format is found from its header, never from its name. A new format is one entry here,
one source table and one staging model (CONTRIBUTING.md has the checklist).
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Literal

from dagster_project.errors import MissingColumns, RepeatedColumns, UnknownFormat, WrongFeed


def match_key(header: str) -> str:
    """The header without regard to case, spaces, underscores and other punctuation."""
    return re.sub(r"[^a-z0-9]", "", header.lower())


# Only headers of our own formats get here, again for each file that is read.
@cache
def snake_case(header: str) -> str:
    """The raw table's column name for a header: `SkuId` is `sku_id`, `MPNID` is `mpnid`."""
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", header)
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", words)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


DATE_HEADERS = frozenset(
    {
        "BillingDate",
        "BillingPeriodEnd",
        "BillingPeriodStart",
        "ChargeEndDate",
        "ChargePeriodEnd",
        "ChargePeriodStart",
        "ChargeStartDate",
        "Date",
        "Datetime",
        "EffectiveEndDate",
        "EffectiveStartDate",
        "InvoiceDate",
        "OrderDate",
        "PCToBCExchangeRateDate",
        "RecordedAt",
        "SnapshotDate",
        "SubscriptionEndDate",
        "SubscriptionStartDate",
        "UsageDate",
        "ValidFrom",
        "ValidTo",
    }
)
"""Columns of any format that hold a day or an instant."""

NUMBER_HEADERS = frozenset(
    {
        "AllocatedQuantity",
        "Amount",
        "BillableQuantity",
        "BilledCost",
        "BillingPreTaxTotal",
        "CommitmentDiscountQuantity",
        "ConsumedQuantity",
        "ContractedCost",
        "ContractedUnitPrice",
        "CreditPercentage",
        "ERPPrice",
        "EffectiveCost",
        "EffectiveUnitPrice",
        "ListCost",
        "ListUnitPrice",
        "MarkupPercent",
        "PCToBCExchangeRate",
        "PartnerEarnedCreditPercentage",
        "Percent",
        "PricingCurrencyContractedUnitPrice",
        "PricingCurrencyEffectiveCost",
        "PricingCurrencyListUnitPrice",
        "PricingPreTaxTotal",
        "PricingQuantity",
        "Quantity",
        "Rate",
        "Subtotal",
        "Tax",
        "TaxTotal",
        "Total",
        "TotalCost",
        "TotalForCustomer",
        "TotalMargin",
        "TotalOtherDiscount",
        "TotalQuantity",
        "TotalSales",
        "UnitPrice",
    }
)
"""Columns of any format that hold a number."""


@dataclass(frozen=True)
class FileFormat:
    """One layout of files: the raw table it fills and its columns as the source names them."""

    name: str
    feed: str
    description: str
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    needed_one_of: tuple[tuple[str, ...], ...] = ()
    """Groups of columns of which a file has at least one."""
    also_in: tuple[str, ...] = ()
    """Supported kinds of file besides delimited text and JSON."""
    also_called: tuple[tuple[str, str], ...] = ()
    """Pairs of (other header, our header) where one source has two names for one column."""
    date_order: Literal["DMY", "MDY", "YMD"] | None = None
    """Order of numeric dates, where the format's publisher defines it."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw table's columns, needed ones first."""
        return tuple(snake_case(header) for header in self.headers)

    @property
    def headers(self) -> tuple[str, ...]:
        """Every column as the source names it, needed ones first."""
        alternatives = tuple(header for group in self.needed_one_of for header in group)
        return tuple(dict.fromkeys(self.needed + alternatives + self.optional))

    @property
    def needed_in_words(self) -> tuple[str, ...]:
        """The required columns, with alternatives like `Product or SKU`."""
        return self.needed + tuple(" or ".join(group) for group in self.needed_one_of)

    @cached_property
    def column_by_key(self) -> dict[str, str]:
        """Raw column name by match key of each header, other names included."""
        others = {match_key(other): snake_case(ours) for other, ours in self.also_called}
        return self._column_by_own_key | others

    @cached_property
    def _column_by_own_key(self) -> dict[str, str]:
        return {match_key(header): snake_case(header) for header in self.headers}

    @cached_property
    def date_columns(self) -> tuple[str, ...]:
        """The raw columns that hold a day or an instant."""
        return self._columns_among(DATE_HEADERS)

    @cached_property
    def number_columns(self) -> tuple[str, ...]:
        """The raw columns that hold a number."""
        return self._columns_among(NUMBER_HEADERS)

    def _columns_among(self, headers: frozenset[str]) -> tuple[str, ...]:
        keys = {match_key(header) for header in headers}
        return tuple(snake_case(each) for each in self.headers if match_key(each) in keys)

    def assign(self, headers: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
        """Header by raw column, and the headers without a raw column, in the file's order."""
        headers = tuple(headers)
        header_by_column: dict[str, str] = {}
        # A column under its own name comes before one under another name.
        for columns in (self._column_by_own_key, self.column_by_key):
            for header in headers:
                if column := columns.get(match_key(header)):
                    header_by_column.setdefault(column, header)
        assigned = set(header_by_column.values())
        return header_by_column, tuple(header for header in headers if header not in assigned)

    def missing(self, headers: Iterable[str]) -> tuple[str, ...]:
        """The required columns not in `headers`, with alternatives like `Product or SKU`."""
        found = {self.column_by_key.get(match_key(header)) for header in headers}
        groups = [(header,) for header in self.needed] + list(self.needed_one_of)
        return tuple(
            " or ".join(group)
            for group in groups
            if not found.intersection(snake_case(header) for header in group)
        )


TEXT = "CSV or JSON"
WORKBOOK = "an .xlsx workbook"
PARQUET = "a Parquet file"

BROKER_REPORT = FileFormat(
    name="broker_report",
    feed="billing_lines",
    description="A broker's billing report, with charge type and period in BillingLineDetails.",
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
    # Microsoft documents the dates of its reconciliation files as month/day/year (en-US).
    date_order="MDY",
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

LEGACY_LICENSE_BASED = FileFormat(
    name="legacy_license_based",
    feed="billing_lines",
    description="Partner Center's legacy license-based reconciliation, CSV or JSON.",
    # Microsoft documents the dates of its reconciliation files as month/day/year (en-US).
    date_order="MDY",
    needed=(
        "CustomerId",
        "SubscriptionId",
        "OfferName",
        "ChargeStartDate",
        "ChargeEndDate",
        "ChargeType",
        "UnitPrice",
        "Quantity",
        "Amount",
        "Subtotal",
        "Currency",
    ),
    optional=(
        "PartnerId",
        "CustomerName",
        "MPNID",
        "ResellerMPNID",
        "OrderId",
        "SyndicationPartnerSubscriptionNumber",
        "OfferId",
        "DurableOfferId",
        "SubscriptionStartDate",
        "SubscriptionEndDate",
        "TotalOtherDiscount",
        "Tax",
        "TotalForCustomer",
        "DomainName",
        "SubscriptionName",
        "SubscriptionDescription",
        "BillingCycleType",
        # Not in the file as downloaded; users may add them.
        "InvoiceNumber",
        "BillingDate",
    ),
)

DAILY_RATED_USAGE = FileFormat(
    name="daily_rated_usage",
    feed="billing_lines",
    description="Partner Center's daily-rated usage of Azure and the like, CSV or JSON.",
    # Microsoft documents the dates of its reconciliation files as month/day/year (en-US).
    date_order="MDY",
    needed=(
        "CustomerId",
        "InvoiceNumber",
        "ProductId",
        "SkuId",
        "ProductName",
        "SubscriptionId",
        "ChargeStartDate",
        "ChargeEndDate",
        "UsageDate",
        "UnitPrice",
        "Quantity",
        "BillingPreTaxTotal",
        "BillingCurrency",
    ),
    optional=(
        "PartnerId",
        "PartnerName",
        "CustomerName",
        "CustomerDomainName",
        "CustomerCountry",
        "MPNID",
        "ResellerMPNID",
        "AvailabilityId",
        "SkuName",
        "PublisherName",
        "PublisherId",
        "SubscriptionDescription",
        "MeterType",
        "MeterCategory",
        "MeterId",
        "MeterSubCategory",
        "MeterName",
        "MeterRegion",
        "Unit",
        "ResourceLocation",
        "ConsumedService",
        "ResourceGroup",
        "ResourceURI",
        "ChargeType",
        "UnitType",
        "PricingPreTaxTotal",
        "PricingCurrency",
        "ServiceInfo1",
        "ServiceInfo2",
        "Tags",
        "AdditionalInfo",
        "EffectiveUnitPrice",
        "PCToBCExchangeRate",
        "PCToBCExchangeRateDate",
        "EntitlementId",
        "EntitlementDescription",
        "PartnerEarnedCreditPercentage",
        "CreditPercentage",
        "CreditType",
        "BenefitOrderId",
        "BenefitId",
        "BenefitType",
    ),
)

FOCUS_COST_AND_USAGE = FileFormat(
    name="focus_cost_and_usage",
    feed="billing_lines",
    description="FOCUS 1.0 to 1.4 Cost and Usage of any cloud or SaaS provider, CSV or Parquet.",
    # Required by every version from 1.0 on, and needed for splits.
    also_in=(PARQUET,),
    needed=(
        "BilledCost",
        "BillingAccountId",
        "BillingCurrency",
        "BillingPeriodStart",
        "BillingPeriodEnd",
        "ChargeCategory",
        "ChargePeriodStart",
        "ChargePeriodEnd",
    ),
    optional=(
        "AllocatedMethodDetails",
        "AllocatedMethodId",
        "AllocatedResourceId",
        "AllocatedResourceName",
        "AllocatedTags",
        "AvailabilityZone",
        "BillingAccountName",
        "BillingAccountType",
        "CapacityReservationId",
        "CapacityReservationStatus",
        "ChargeClass",
        "ChargeDescription",
        "ChargeFrequency",
        "CommitmentDiscountCategory",
        "CommitmentDiscountId",
        "CommitmentDiscountName",
        "CommitmentDiscountQuantity",
        "CommitmentDiscountStatus",
        "CommitmentDiscountType",
        "CommitmentDiscountUnit",
        "CommitmentProgramEligibilityDetails",
        "ConsumedQuantity",
        "ConsumedUnit",
        "ContractApplied",
        "ContractedCost",
        "ContractedUnitPrice",
        "EffectiveCost",
        "HostProviderName",
        "InvoiceDetailId",
        "InvoiceId",
        "InvoiceIssuerName",
        "ListCost",
        "ListUnitPrice",
        "PricingCategory",
        "PricingCurrency",
        "PricingCurrencyContractedUnitPrice",
        "PricingCurrencyEffectiveCost",
        "PricingCurrencyListUnitPrice",
        "PricingQuantity",
        "PricingUnit",
        "ProviderName",
        "PublisherName",
        "RegionId",
        "RegionName",
        "ResourceId",
        "ResourceName",
        "ResourceType",
        "ServiceCategory",
        "ServiceName",
        "ServiceProviderName",
        "ServiceSubcategory",
        "SkuId",
        "SkuMeter",
        "SkuPriceDetails",
        "SkuPriceId",
        "SubAccountId",
        "SubAccountName",
        "SubAccountType",
        "Tags",
        # Our own export, which is split already.
        "AllocatedMethodId",
        "x_BillingPeriod",
        "x_CostCenterId",
        "x_CostCenterName",
        "x_LineId",
        "x_TotalSales",
    ),
    # Columns of FOCUS 1.3 in our own export of FOCUS 1.2.
    also_called=(
        ("x_AllocatedMethodId", "AllocatedMethodId"),
        ("x_AllocatedResourceId", "AllocatedResourceId"),
        ("x_AllocatedTags", "AllocatedTags"),
    ),
)

DISTRIBUTOR_BILL = FileFormat(
    name="distributor_bill",
    feed="billing_lines",
    description="A distributor's bill, whose columns apportion.toml maps.",
    needed=(
        "Product Name",
        "Charge Type",
        "Charge Start Date",
        "Charge End Date",
        "Quantity",
        "Total Cost",
        "Currency",
    ),
    needed_one_of=(("Invoice Number", "Billing Date"),),
    optional=(
        "Distributor",
        "Organization",
        "Customer ID",
        "Customer Domain",
        "Customer Name",
        "Subscription ID",
        "Product ID",
        "SKU ID",
        "Unit",
        "Unit Price",
        "Total Sales",
        "Total Margin",
        "Reference ID",
    ),
)

SPLIT_HISTORY = FileFormat(
    name="split_history",
    feed="split_history",
    description="Changes to the split of a subscription's licenses over cost centers.",
    also_in=(WORKBOOK, PARQUET),
    needed=(
        "Subscription ID",
        "Event",
        "Datetime",
        "Total Quantity",
        "Cost Center",
        "Allocated Quantity",
    ),
    optional=(
        "Cost Center ID",
        "Organization",
        "Recorded At",
        "Sequence",
        # Read by people only.
        "Recorded By",
        "Approved By",
        "Reason",
    ),
)

COST_CENTERS = FileFormat(
    name="cost_centers",
    feed="cost_centers",
    description="The cost centers of each organization.",
    also_in=(WORKBOOK,),
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
        # Read by people only.
        "Recorded At",
        "Recorded By",
        "Approved By",
        "Reason",
    ),
)

ORGANIZATIONS = FileFormat(
    name="organizations",
    feed="organizations",
    description="The organizations that are billed.",
    also_in=(WORKBOOK,),
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
    description="The provider's invoices, for reconciliation with the lines.",
    needed=("Invoice Number", "Invoice Date", "Currency"),
    needed_one_of=(("Subtotal", "Total"),),
    # Two providers may use one number: then the list names whose invoice it is.
    optional=("Tax Total", "Amendments", "Provider"),
    # Partner Center's invoice resource; its charges are with tax.
    also_called=(
        ("Id", "Invoice Number"),
        ("CurrencyCode", "Currency"),
        ("TotalCharges", "Total"),
    ),
)

CORRECTIONS = FileFormat(
    name="corrections",
    feed="corrections",
    description="Approved corrections of splits in closed periods.",
    also_in=(WORKBOOK,),
    needed=(
        "Subscription ID",
        "Billing Period",
        "Cost Center ID",
        "Allocated Quantity",
        "Approved By",
        "Reason",
    ),
)

PRICE_LIST = FileFormat(
    name="price_list",
    feed="price_list",
    description="Prices, percentages and offers that organizations pay, with their dates.",
    also_in=(WORKBOOK,),
    needed=("Currency", "Valid From"),
    needed_one_of=(("Product", "SKU"), ("Unit Price", "Markup Percent")),
    optional=(
        "Organization",
        "Valid To",
        "Offer",
        "Percent Of",
        "Term Duration",
        "Billing Plan",
    ),
)

MICROSOFT_PRICE_LIST = FileFormat(
    name="microsoft_price_list",
    feed="price_list",
    description="Microsoft's new-commerce price list as Partner Center offers it for download.",
    # Microsoft writes the dates of its files as month/day/year (en-US) or as ISO 8601.
    date_order="MDY",
    # UnitPrice is what the partner pays. ERP Price is the estimated retail price.
    needed=(
        "ProductId",
        "SkuId",
        "TermDuration",
        "BillingPlan",
        "Currency",
        "ERP Price",
        "EffectiveStartDate",
    ),
    optional=(
        "ProductTitle",
        "SkuTitle",
        "Publisher",
        "SkuDescription",
        "UnitOfMeasure",
        "Market",
        "UnitPrice",
        "PricingTierRangeMin",
        "PricingTierRangeMax",
        "EffectiveEndDate",
        "Tags",
        "Segment",
    ),
)

DIRECTORY_USERS = FileFormat(
    name="directory_users",
    feed="directory",
    description="Users of the directory on a day: Microsoft Graph or the admin center's export.",
    needed=(),
    # Many things have an id; a user has some of the others.
    needed_one_of=(
        ("User ID", "User Principal Name"),
        (
            "Department",
            "Office Location",
            "Charge Code",
            "Licenses",
            "Assigned Licenses",
            "Account Enabled",
            "Block Credential",
            "User Principal Name",
        ),
    ),
    optional=("Snapshot Date", "Organization", "Display Name"),
    also_called=(
        ("Id", "User ID"),
        ("Object Id", "User ID"),
        ("Office", "Office Location"),
    ),
)

DIRECTORY_ASSIGNMENTS = FileFormat(
    name="directory_assignments",
    feed="directory",
    description="License assignments on a day: which user has a license of which subscription.",
    needed=(),
    needed_one_of=(("User ID", "User Principal Name"), ("Subscription ID", "SKU")),
    optional=("Snapshot Date", "Organization"),
    also_called=(("Object Id", "User ID"), ("SkuId", "SKU"), ("SkuPartNumber", "SKU")),
)

BUDGETS = FileFormat(
    name="budgets",
    feed="budgets",
    description="The budget of each cost center and month.",
    also_in=(WORKBOOK,),
    needed=("Cost Center ID", "Month", "Currency", "Amount"),
    optional=("Organization", "Note"),
)

# A plan like a budget, with the same columns: the folder decides.
MANUAL_FORECASTS = replace(
    BUDGETS,
    name="manual_forecasts",
    feed="manual_forecasts",
    description="The amount that a person expects to be charged, by cost center and month.",
)

EXCHANGE_RATES = FileFormat(
    name="exchange_rates",
    feed="exchange_rates",
    description="Exchange rates: units of one currency per unit of another, from a day on.",
    needed=("From Currency", "To Currency", "Date", "Rate"),
)

LICENSE_LIST = FileFormat(
    name="license_list",
    feed="license_skus",
    description="Microsoft's list of product names and service plan identifiers for licensing.",
    also_in=(WORKBOOK,),
    needed=("Product_Display_Name", "String_Id", "GUID"),
    optional=("Service_Plan_Name", "Service_Plan_Id", "Service_Plans_Included_Friendly_Names"),
)

SHARED_COSTS = FileFormat(
    name="shared_costs",
    feed="shared_costs",
    description="Rules by which shared costs are passed on to cost centers, with their dates.",
    also_in=(WORKBOOK,),
    needed=("Organization", "Method", "Valid From"),
    needed_one_of=(("Shared Cost Center ID", "Subscription ID", "Product"),),
    optional=("Cost Center ID", "Percent", "Valid To"),
)

FORMATS: tuple[FileFormat, ...] = (
    BROKER_REPORT,
    NEW_COMMERCE_RECONCILIATION,
    LEGACY_LICENSE_BASED,
    DAILY_RATED_USAGE,
    FOCUS_COST_AND_USAGE,
    DISTRIBUTOR_BILL,
    SPLIT_HISTORY,
    COST_CENTERS,
    ORGANIZATIONS,
    INVOICES,
    CORRECTIONS,
    PRICE_LIST,
    MICROSOFT_PRICE_LIST,
    DIRECTORY_USERS,
    DIRECTORY_ASSIGNMENTS,
    BUDGETS,
    MANUAL_FORECASTS,
    EXCHANGE_RATES,
    SHARED_COSTS,
    LICENSE_LIST,
)


def require_container(file_format: FileFormat, container: str, *, is_declared: bool) -> None:
    """Raise UnknownFormat where a format does not come in files of this kind.

    Spreadsheet programs change what bills print (long ids, leading zeros, decimals), so a bill in
    a workbook is read only where `apportion.toml` declares how.
    """
    if container in (TEXT, *file_format.also_in) or (container == WORKBOOK and is_declared):
        return
    allowed = " or ".join((TEXT, *file_format.also_in))
    hint = ", or declare the file in apportion.toml, e.g. with its sheet"
    raise UnknownFormat(
        f"a {file_format.name} in {container}; save or export it as {allowed}"
        f"{hint if container == WORKBOOK else ''}"
    )


def require_format(name: str, headers: tuple[str, ...], feed: str | None) -> FileFormat:
    """The format that apportion.toml names for a file, which must have its needed columns.

    Raises UnknownFormat where no format has the name, WrongFeed, or MissingColumns.
    """
    _require_distinct(headers)
    named = next((each for each in FORMATS if each.name == name), None)
    if named is None:
        names = ", ".join(each.name for each in FORMATS)
        raise UnknownFormat(f"apportion.toml names the format {name!r}; the formats are {names}")
    if feed is not None and named.feed != feed:
        raise WrongFeed(
            f"apportion.toml declares this a {named.name} file; it belongs in"
            f" landing/{named.feed}, not landing/{feed}"
        )
    missing = named.missing(headers)
    if missing:
        raise MissingColumns(
            f"missing column{'s'[: len(missing) != 1]} {', '.join(missing)} (read as {named.name},"
            f" as apportion.toml states; map them under columns or values)"
        )
    return named


def find_format(feed: str, headers: tuple[str, ...]) -> FileFormat:
    """The format of a file that is in `feed`'s folder and has these headers.

    If several match, the one with the most columns of the file. Raises WrongFeed if only a format
    of another feed matches, MissingColumns if the nearest format lacks some columns, and
    UnknownFormat if the file has less than half of the required columns of every format.
    """
    _require_distinct(headers)
    fitting = [each for each in FORMATS if not each.missing(headers)]
    best = max(
        fitting, key=lambda each: (_known_count(each, headers), each.feed == feed), default=None
    )
    if best and best.feed == feed:
        return best
    nearest = max(
        (each for each in FORMATS if each.feed == feed),
        key=lambda each: (_known_count(each, headers), -len(each.missing(headers))),
    )
    # A list of cost centers without ids also matches organizations, with fewer of its columns.
    if best and _known_count(best, headers) >= _known_count(nearest, headers):
        alike = [each for each in FORMATS if {*each.headers} == {*best.headers}]
        names = " or ".join(each.name for each in alike)
        folders = " or ".join(f"landing/{each.feed}" for each in alike)
        raise WrongFeed(
            f"the columns are those of {names}; the file belongs in {folders}, not landing/{feed}"
        )
    _require_needed(nearest, headers)
    raise UnknownFormat(
        f"the header matches no format of {feed}: {', '.join(headers)[:200]}"
        f"{_nearest_in_words(nearest, headers)}; map its columns under columns in apportion.toml,"
        " as apportion inspect suggests"
    )


def identify(headers: tuple[str, ...]) -> FileFormat:
    """The format, and therefore the feed, of a file that is in no feed's folder.

    Raises MissingColumns if the nearest format lacks some columns, and UnknownFormat if the file
    has less than half of the required columns of every format, or matches formats of two feeds.
    """
    _require_distinct(headers)
    counts = {each.name: _known_count(each, headers) for each in FORMATS}
    nearest = max(
        FORMATS, key=lambda each: (counts[each.name], -len(each.missing(headers)), each.name)
    )
    if nearest.missing(headers):
        _require_needed(nearest, headers)
        raise UnknownFormat(
            f"the header matches no format of any feed: {', '.join(headers)[:200]}"
            f"{_nearest_in_words(nearest, headers)}"
        )
    alike = [
        each
        for each in FORMATS
        if counts[each.name] == counts[nearest.name] and not each.missing(headers)
    ]
    if len({each.feed for each in alike}) > 1:
        names = " and ".join(each.name for each in alike)
        cure = (
            f"state the folder that it is for, e.g. --as {alike[0].feed}/FILE"
            if all({*each.headers} == {*nearest.headers} for each in alike)
            else "add more columns of one of them"
        )
        raise UnknownFormat(f"the header matches {names}; {cure}")
    return alike[0]


def _require_distinct(headers: tuple[str, ...]) -> None:
    keys = [match_key(header) or header for header in headers]
    counts = Counter(keys)
    repeated = sorted({headers[keys.index(key)] for key in counts if counts[key] > 1})
    if repeated:
        raise RepeatedColumns(f"the header contains a column twice: {', '.join(repeated)}")


def _require_needed(nearest: FileFormat, headers: tuple[str, ...]) -> None:
    """Raise MissingColumns if the file has at least half of the format's required columns."""
    missing = nearest.missing(headers)
    if len(missing) * 2 <= len(nearest.needed_in_words):
        raise MissingColumns(
            f"missing column{'s'[: len(missing) != 1]} {', '.join(missing)}"
            f" (read as {nearest.name}, whose required columns are:"
            f" {', '.join(nearest.needed_in_words)})"
        )


def _nearest_in_words(nearest: FileFormat, headers: tuple[str, ...]) -> str:
    """The columns that the nearest format lacks, where the header has any of its columns."""
    if not _known_count(nearest, headers):
        return ""
    missing = ", ".join(nearest.missing(headers))
    return f"; as {nearest.name} it lacks {missing}"


def _known_count(file_format: FileFormat, headers: tuple[str, ...]) -> int:
    return sum((match_key(each) or each) in file_format.column_by_key for each in headers)
