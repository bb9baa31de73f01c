"""A made-up company of any size for benchmarks: landing files written by SQL.

Every value is computed from the numbers of the subscription and the month, so that the same shape
gives the same bytes on every machine. A month has one invoice. Each subscription is charged its
cycle every month; in one month of twelve its seats change, which the provider bills as a refund of
the old seats and a charge of the new ones. Its split has four cost centers. It is recorded when
the subscription is created, when its seats change, and once more every twelve months.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

ORGANIZATIONS = 200
COST_CENTERS = 10
"""Cost centers of an organization, Default included."""
LINES_A_YEAR = 14
"""Billing lines of a subscription in twelve months: its cycles, and a change of seats."""


@dataclass(frozen=True)
class Shape:
    """The size of a company. `seed` gives other amounts, days and splits of the same size."""

    subscriptions: int
    months: int = 12
    seed: int = 0
    first_month: str = "2025-01-01"

    @property
    def line_count(self) -> int:
        """Billing lines, exact if the subscriptions or the months are a multiple of twelve."""
        return self.subscriptions * self.months * LINES_A_YEAR // 12


SIZES = {
    "XS": Shape(subscriptions=120),
    "S": Shape(subscriptions=10_000),
    "M": Shape(subscriptions=71_500),
    "L": Shape(subscriptions=715_000),
}

MACROS = """
create or replace macro month_start(month) as
    cast($first_month as date) + to_months(cast(month as integer));

create or replace macro identifier(kind, number) as (
    select substr(hash, 1, 8) || '-' || substr(hash, 9, 4) || '-' || substr(hash, 13, 4)
        || '-' || substr(hash, 17, 4) || '-' || substr(hash, 21, 12)
    from (select md5(kind || ':' || number || ':' || $seed) as hash)
);

-- A whole number from 0 to limit - 1.
create or replace macro drawn(limited, kind, number) as
    cast(md5_number_lower(kind || ':' || number || ':' || $seed) % limited as integer);
"""

SUBSCRIPTIONS = """
create or replace table subscriptions as
with numbered as (
    select
        range as number,
        range % $organizations as organization_number,
        drawn(12, 'change', range) as change_month,
        drawn(12, 'split', range) as split_month,
        1 + drawn(10, 'start', range) as start_day,
        1 + drawn(17, 'days', range) as days_to_change,
        5 + drawn(200, 'seats', range) as first_seats,
        1 + drawn(5, 'more', range) as more_seats,
        drawn(6, 'product', range) as product_number
    from range($subscriptions)
)
select
    numbered.*,
    identifier('subscription', number) as subscription_id,
    'org-' || lpad(organization_number::varchar, 3, '0') as organization_id,
    products.*
from numbered
inner join (
    values
        (0, 'CFQ7TTC0LH18', 'Microsoft 365 Business Basic', 6.00),
        (1, 'CFQ7TTC0LDPB', 'Microsoft 365 Business Standard', 12.50),
        (2, 'CFQ7TTC0LCHC', 'Microsoft 365 Business Premium', 17.60),
        (3, 'CFQ7TTC0LFLX', 'Microsoft 365 E3', 31.20),
        (4, 'CFQ7TTC0HD32', 'Visio Plan 2', 12.00),
        (5, 'CFQ7TTC0MM8R', 'Microsoft 365 Copilot', 24.00)
) as products (product_key, product_id, product_name, price)
    on numbered.product_number = products.product_key;
"""

# Seats at the beginning of a month: a change of this month is not counted yet.
LINES = """
create or replace temp table lines as
with months as (
    select
        subscriptions.*,
        month,
        month_start(month) as month_start,
        cast(month_start(month) + to_days(start_day - 1) as date) as cycle_start,
        cast(month_start(month + 1) + to_days(start_day - 2) as date) as cycle_end,
        first_seats + more_seats * cast(
            month // 12 + case when month % 12 > change_month then 1 else 0 end as integer
        ) as seats,
        month % 12 = change_month as is_changed,
        date_diff('day', cycle_start, cycle_end) + 1 as days_in_cycle
    from subscriptions
    cross join (select cast($month as integer) as month)
),
charged as (
    select
        *,
        'cycleCharge' as charge_type,
        cycle_start as charge_start,
        seats as quantity,
        cast(seats * price as decimal(18, 2)) as subtotal,
        0 as line_order
    from months
    union all
    select
        months.*,
        'addQuantity' as charge_type,
        cast(cycle_start + to_days(days_to_change) as date) as charge_start,
        case when sign < 0 then seats else seats + more_seats end as quantity,
        -- Whole cents, halves up.
        sign * cast(
            (
                2
                * case when sign < 0 then seats else seats + more_seats end
                * cast(price * 100 as bigint)
                * (days_in_cycle - days_to_change)
                + days_in_cycle
            ) // (2 * days_in_cycle) as decimal(16, 0)
        ) * 0.01 as subtotal,
        case when sign < 0 then 1 else 2 end as line_order
    from months
    cross join (values (-1), (1)) as signs (sign)
    where is_changed
)
select
    *,
    'G' || lpad(cast(100000 + month as varchar), 9, '0') as invoice_number
from charged;
"""

INVOICE_CSV = """
copy (
    select
        '38d69f70-d254-41a7-9ebf-aeab054c8c61' as "PartnerId",
        identifier('organization', organization_number) as "CustomerId",
        'Organization ' || organization_number as "CustomerName",
        organization_id || '.example' as "CustomerDomainName",
        'US' as "CustomerCountry",
        invoice_number as "InvoiceNumber",
        '6190427' as "MpnId",
        null as "ResellerMpnId",
        substr(md5(subscription_id), 1, 12) as "OrderId",
        strftime(month_start(-2), '%Y-%m-%dT00:00:00Z') as "OrderDate",
        product_id as "ProductId",
        '0001' as "SkuId",
        'CFQ7TTC067C2' as "AvailabilityId",
        product_name as "SkuName",
        product_name as "ProductName",
        charge_type as "ChargeType",
        price as "UnitPrice",
        quantity as "Quantity",
        subtotal as "Subtotal",
        0 as "TaxTotal",
        subtotal as "Total",
        'USD' as "Currency",
        null as "PriceAdjustmentDescription",
        'Microsoft' as "PublisherName",
        null as "PublisherId",
        product_name as "SubscriptionDescription",
        subscription_id as "SubscriptionId",
        strftime(charge_start, '%Y-%m-%dT00:00:00Z') as "ChargeStartDate",
        strftime(cycle_end, '%Y-%m-%dT00:00:00Z') as "ChargeEndDate",
        'One-Year commitment for monthly billing' as "TermAndBillingCycle",
        cast(subtotal / quantity as decimal(28, 18)) as "EffectiveUnitPrice",
        null as "UnitType",
        null as "AlternateId",
        quantity as "BillableQuantity",
        'Monthly' as "BillingFrequency",
        'USD' as "PricingCurrency",
        1 as "PCToBCExchangeRate",
        strftime(month_start, '%Y-%m-%dT00:00:00Z') as "PCToBCExchangeRateDate",
        null as "MeterDescription",
        null as "ReservationOrderId",
        null as "CreditReasonCode",
        strftime(
            month_start(12 * cast(month // 12 as integer)) + to_days(start_day - 1),
            '%Y-%m-%dT00:00:00Z'
        ) as "SubscriptionStartDate",
        strftime(
            month_start(12 * cast(month // 12 as integer) + 12) + to_days(start_day - 2),
            '%Y-%m-%dT00:00:00Z'
        ) as "SubscriptionEndDate",
        null as "ReferenceId",
        null as "ProductQualifiers",
        null as "PromotionId"
    from lines
    order by number, line_order
) to '{path}' (format csv, header)
"""

# Month -1 records the creations.
SPLITS_CSV = """
copy (
    with changes as (
        select
            subscriptions.*,
            'Subscription created' as event,
            0 as event_number,
            month_start(-1) + to_days(drawn(20, 'created', number)) + interval '9 hours 30 minutes'
                as effective_at,
            first_seats as seats
        from subscriptions
        where $month = -1
        union all
        select
            subscriptions.*,
            'Subscription quantity changed' as event,
            2 * $month + 1 as event_number,
            month_start($month) + to_days(start_day - 1 + days_to_change) + interval 10 hours
                as effective_at,
            cast(first_seats + more_seats * ($month // 12 + 1) as integer) as seats
        from subscriptions
        where $month >= 0 and $month % 12 = change_month
        union all
        select
            subscriptions.*,
            'Cost center split adjusted' as event,
            2 * $month + 2 as event_number,
            month_start($month) + to_days(drawn(28, 'adjusted', number)) + interval 15 hours
                as effective_at,
            cast(
                first_seats + more_seats * (
                    $month // 12
                    + case
                        when $month % 12 > change_month
                            or (
                                $month % 12 = change_month
                                and drawn(28, 'adjusted', number)
                                >= start_day - 1 + days_to_change
                            )
                            then 1
                        else 0
                    end
                ) as integer
            ) as seats
        from subscriptions
        where $month >= 0 and $month % 12 = split_month
    ),
    parts as (
        select
            *,
            seats * (2 + event_number % 3) // 10 as first_part,
            seats * (1 + (number + event_number) % 3) // 10 as second_part,
            case when number % 4 = 0 then 0 else seats // 10 end as third_part
        from changes
    ),
    allocated as (
        select
            *,
            unnest([
                {{center: 1 + (number // $organizations) % 3, part: first_part}},
                {{center: 4 + (number // $organizations) % 3, part: second_part}},
                {{center: 7 + (number // $organizations) % 3, part: third_part}},
                {{center: 0, part: seats - first_part - second_part - third_part}}
            ], recursive := true)
        from parts
    )
    select
        subscription_id as "Subscription ID",
        event as "Event",
        strftime(effective_at, '%Y-%m-%dT%H:%M:%SZ') as "Datetime",
        seats as "Total Quantity",
        case when center = 0 then 'Default' else 'Center ' || center end as "Cost Center",
        part as "Allocated Quantity",
        organization_id || case when center = 0 then '-DEFAULT' else '-0' || center end
            as "Cost Center ID",
        organization_id as "Organization",
        null as "Recorded At",
        null as "Sequence"
    from allocated
    order by effective_at, number, center
) to '{path}' (format csv, header)
"""

SMALL_FEEDS = {
    "organizations/organizations.csv": """
        select
            'org-' || lpad(range::varchar, 3, '0') as "Organization",
            'Organization ' || range as "Name",
            identifier('organization', range) as "Tenant ID",
            'org-' || lpad(range::varchar, 3, '0') || '.example' as "Domain",
            'USD' as "Currency"
        from range($organizations)
        order by range
    """,
    "cost_centers/cost_centers.csv": """
        select
            'org-' || lpad(organization::varchar, 3, '0')
            || case when center = 0 then '-DEFAULT' else '-0' || center end as "Cost Center ID",
            'org-' || lpad(organization::varchar, 3, '0') as "Organization",
            case when center = 0 then 'Default' else 'Center ' || center end as "Name",
            'Unit ' || center % 3 as "Business Unit",
            6000 + center as "GL Account",
            center = 0 as "Is Default",
            '2020-01-01' as "Valid From"
        from (select range as organization from range($organizations))
        cross join (select range as center from range($centers))
        order by organization, center
    """,
}


def write_company(landing: Path, shape: Shape) -> None:
    """Write the whole landing folder of a company."""
    with connect(shape) as connection:
        write_lists(landing, connection, shape)
        write_months(landing, connection, shape, range(-1, shape.months))


def connect(shape: Shape) -> duckdb.DuckDBPyConnection:
    """A database with the subscriptions of a company."""
    connection = duckdb.connect()
    literals = {"$seed": str(shape.seed), "$first_month": f"'{shape.first_month}'"}
    macros = MACROS
    for name, literal in literals.items():
        macros = macros.replace(name, literal)
    connection.execute(macros)
    connection.execute(
        SUBSCRIPTIONS, {"subscriptions": shape.subscriptions, "organizations": ORGANIZATIONS}
    )
    return connection


def write_lists(landing: Path, connection: duckdb.DuckDBPyConnection, shape: Shape) -> None:
    """Write organizations and cost centers."""
    values = {"$organizations": str(min(ORGANIZATIONS, shape.subscriptions))}
    for name, query in SMALL_FEEDS.items():
        query = query.replace("$organizations", values["$organizations"])
        query = query.replace("$centers", str(COST_CENTERS))
        _made(landing / name)
        connection.execute(f"copy ({query}) to '{landing / name}' (format csv, header)")


def write_months(
    landing: Path, connection: duckdb.DuckDBPyConnection, shape: Shape, months: Iterable[int]
) -> None:
    """Write the invoices and the splits of these months; month -1 has the first splits only."""
    for month in months:
        (label,) = connection.execute(
            "select strftime(month_start(?), '%Y-%m')", [month]
        ).fetchone() or ("",)
        splits = _made(landing / "split_history" / f"splits-{label}.csv")
        _copy(connection, SPLITS_CSV, splits, month)
        if month < 0:
            continue
        connection.execute(LINES, {"month": month})
        (number,) = connection.execute("select min(invoice_number) from lines").fetchone() or ("",)
        bill = landing / "billing_lines" / "new_commerce" / label / f"invoice-{number}.csv"
        _copy(connection, INVOICE_CSV, _made(bill), month)
        total = _made(landing / "invoices" / f"invoice-{number}.csv")
        # Issued on the seventh of the next month.
        connection.execute(
            f"""
            copy (
                select
                    '{number}' as "Invoice Number",
                    strftime(month_start({month + 1}) + to_days(6), '%Y-%m-%d') as "Invoice Date",
                    'USD' as "Currency",
                    sum(subtotal) as "Subtotal",
                    0 as "Tax Total",
                    sum(subtotal) as "Total"
                from lines
            ) to '{total}' (format csv, header)
            """
        )


def _copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path, month: int) -> None:
    query = query.format(path=path)
    query = query.replace("$month", f"({month})").replace("$organizations", str(ORGANIZATIONS))
    connection.execute(query)


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
