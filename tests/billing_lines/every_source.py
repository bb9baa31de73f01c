"""Bills and prices of every source, each of an organization of its own.

Alder has legacy bills, Birch usage of Azure, Cedar FOCUS files, Dale billing exports, Elm and Fern
sales prices.
"""

import gzip
import io
import json
import shutil
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from bills_of_subscriptions import bill, bill_rows, json_lines
from conftest import Company
from written_tables import csv, table

ORGANIZATIONS = csv(
    "Organization,Name",
    [[name.lower(), name] for name in ("Alder", "Birch", "Cedar", "Dale", "Elm", "Fern")],
)

COST_CENTERS = """
    CC-0  birch  Default  yes  -     -           -
    CC-1  birch  Sales    no   4711  -           -
    CC-2  birch  IT       no   4712  -           -
    CC-3  birch  Trade    no   4713  2025-12-31  CC-1
    CC-0  cedar  Default  yes  -     -           -
    CC-1  cedar  Sales    no   4711  -           -
"""

INVOICES = """
    U1      2026-02-06  USD  91.00
    WHOLE   2026-02-06  USD  30.00
    MISSES  2026-02-06  USD  30.00
    CUT     2026-02-06  USD  30.00
    SIZE    2026-02-06  USD  30.00
    COUNT   2026-02-06  USD  30.00
    SPARE   2026-02-06  USD  30.00
    AGAIN   2026-02-06  USD  35.00
    TWICE   2026-02-06  USD  30.00
    KEPT    2026-02-06  USD  30.00
    TWINS   2026-02-06  USD  130.00
    P1      2026-02-06  USD  435.97
    F1      2026-02-06  USD  9.00
    F1      2026-02-06  GBP  100.00
"""

# After a change on 12 Jan the provider credits the cycle and charges it again in two pieces. It
# prints prorated and truncated unit prices, and calculates with 51.93: 51.93 x 27 / 31 x 500 =
# 22,614.68 and 51.93 x 4 / 31 x 550 = 3,685.35.
LEGACY = """
    Cycle fee               2025-12-16  2026-01-15  51.93  500  25965.00
    Cycle instance prorate  2025-12-16  2026-01-15  51.93  500  -25965.00
    Cycle instance prorate  2025-12-16  2026-01-11  45.22  500  22614.68
    Cycle instance prorate  2026-01-12  2026-01-15  6.70   550  3685.35
"""

LEGACY_HEADER = (
    "CustomerId,SubscriptionId,OfferName,ChargeType,ChargeStartDate,ChargeEndDate,UnitPrice,"
    "Quantity,Subtotal,Amount,Currency"
)


def legacy_csv() -> str:
    return csv(
        LEGACY_HEADER,
        [
            ["alder", "legacy", "Office 365 E3", kind, start, f"{end}T23:59:00", *money, "0", "USD"]
            for kind, start, end, *money in table(LEGACY)
        ],
    )


def legacy_json() -> str:
    """The same lines as the API gives them: camelCase, numbers as numbers, instants."""
    lines = [
        f'{{"currency": "USD", "amount": 0, "subtotal": {cost}, "quantity": {quantity},'
        f' "unitPrice": {price}, "chargeType": "{kind}", "chargeStartDate": "{start}T00:00:00Z",'
        f' "chargeEndDate": "{end}T00:00:00Z", "customerId": "alder",'
        ' "subscriptionId": "legacy", "offerName": "Office 365 E3"}'
        for kind, start, end, price, quantity, cost in table(LEGACY)
    ]
    return "[" + ",\n".join(lines) + "]"


AZURE_BILL = """
    office   Microsoft 365 E3  cycleCharge  10  5  50.00  2026-01-05  2026-02-04
    azure    Azure plan        new          31  1  31.00  2026-01-01  2026-01-31
    storage  Azure plan        new          7   1  7.00   2026-01-01  2026-01-31
    trade    Azure plan        new          3   1  3.00   2026-01-01  2026-01-31
"""

# 10.123456789012345678 + 12.376543210987654322 + 8.5 = 31.
AZURE_DAYS: list[tuple[str, str, str, str | None]] = [
    ("azure", "2026-01-02", "10.123456789012345678", '{"CostCenter": "CC-1"}'),
    ("azure", "2026-01-03", "12.376543210987654322", '"env": "prod","ChargeCode": "4712"'),
    ("azure", "2026-01-04", "8.5", None),
    ("storage", "2026-01-10", "7", '{"CostCenter": "CC-1"}'),
    ("trade", "2026-01-05", "3", '{"CostCenter": "CC-3"}'),
]


def daily_usage() -> str:
    return json_lines(
        [
            {
                "customerId": "birch",
                "invoiceNumber": "U1",
                "productId": "id of Azure plan",
                "skuId": "0002",
                "productName": "Azure plan",
                "subscriptionId": subscription,
                "chargeStartDate": "2026-01-01T00:00:00Z",
                "chargeEndDate": "2026-01-31T00:00:00Z",
                "usageDate": f"{day}T00:00:00Z",
                "unitPrice": 1,
                "quantity": 1,
                "billingPreTaxTotal": cost,
                "billingCurrency": "USD",
                "tags": tags,
            }
            for subscription, day, cost, tags in AZURE_DAYS
        ]
    )


# CC-1 has everything, except from 10 Jan 18:00 to 11 Jan 00:00.
STORAGE_SPLITS = """
    2026-01-09            CC-1  1
    2026-01-09            CC-2  0
    2026-01-10T18:00:00Z  CC-1  0
    2026-01-10T18:00:00Z  CC-2  1
    2026-01-11            CC-1  1
    2026-01-11            CC-2  0
"""

FOCUS = """
    Usage       Usage-Based  3.25  2026-01-03  2026-01-04  0.5   2.6
    Purchase    Recurring    40    2026-01-01  2026-02-01  1     4
    Tax         One-Time     8.2   2026-01-01  2026-02-01  -     -
    Credit      One-Time     -5    2026-01-01  2026-02-01  -     -
"""
TAGGED = {"Usage", "Credit"}


def focus_rows() -> list[dict[str, object]]:
    """Values as a Parquet file has them: decimals, instants, a map of tags."""

    def decimal(text: str) -> Decimal | None:
        return Decimal(text) if text else None

    def instant(text: str) -> datetime:
        return datetime.fromisoformat(f"{text}T00:00:00+00:00")

    return [
        {
            "BilledCost": Decimal(cost),
            "BillingAccountId": "cedar",
            "BillingCurrency": "USD",
            "BillingPeriodStart": instant("2026-01-01"),
            "BillingPeriodEnd": instant("2026-02-01"),
            "ChargeCategory": category,
            "ChargeFrequency": frequency,
            "ChargePeriodStart": instant(start),
            "ChargePeriodEnd": instant(end),
            "ListUnitPrice": decimal(price),
            "PricingQuantity": decimal(quantity),
            "ServiceName": "Cloud",
            "SubAccountId": "focus",
            "ResourceId": f"resource of {category}",
            "Tags": {"CostCenter": "CC-1"} if category in TAGGED else None,
        }
        for category, frequency, cost, start, end, price, quantity in table(FOCUS)
    ]


def focus_csv() -> str:
    def text(value: object) -> str:
        if isinstance(value, dict):
            return '"' + json.dumps(value).replace('"', '""') + '"'
        if isinstance(value, datetime):
            return f"{value:%Y-%m-%dT%H:%M:%SZ}"
        return "" if value is None else str(value)

    rows = focus_rows()
    return csv(",".join(rows[0]), [[text(value) for value in row.values()] for row in rows])


def focus_parquet() -> bytes:
    number, instant = pa.decimal128(28, 12), pa.timestamp("us", tz="UTC")
    kinds = {
        "BilledCost": number,
        "ListUnitPrice": number,
        "PricingQuantity": number,
        "BillingPeriodStart": instant,
        "BillingPeriodEnd": instant,
        "ChargePeriodStart": instant,
        "ChargePeriodEnd": instant,
        "Tags": pa.map_(pa.string(), pa.string()),
    }
    rows = focus_rows()
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in rows[0]])
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), content)
    return content.getvalue()


def exported(number: str, *blobs: str) -> dict[str, bytes]:
    """The blobs of an export by name, with a line of Dale's for each cost in `blobs`."""
    return {
        f"part-{place}.json.gz": gzip.compress(
            json_lines(
                bill_rows(
                    "dale",
                    number,
                    "\n".join(
                        f"s{place}  Chat  new  {cost}  1  {cost}  2026-01-05  2026-02-04"
                        for cost in costs.splitlines()
                    ),
                )
            ).encode(),
            mtime=0,
        )
        for place, costs in enumerate(blobs, start=1)
    }


def drop_export(
    company: Company,
    folder: str,
    blobs: Mapping[str, bytes],
    made_at: str = "2026-02-07T08:00:00Z",
    e_tag: str = "1",
    manifest_says: Mapping[str, Mapping[str, object]] | None = None,
) -> None:
    """Land an export, and a manifest that is correct except for `manifest_says`."""
    listed = [
        {"name": name, "size": len(content), "rowCount": 1}
        | dict((manifest_says or {}).get(name, {}))
        for name, content in blobs.items()
    ]
    manifest = {
        "id": folder.partition(" ")[0],
        "eTag": e_tag,
        "createdDateTime": made_at,
        "blobCount": len(listed),
        "rootDirectory": f"https://storage.example/BillingMonth=202601/InvoiceId={folder}",
        "blobs": listed,
    }
    company.drop(f"billing_lines/exports/{folder}/manifest.json", json.dumps(manifest))
    for name, content in blobs.items():
        company.drop(f"billing_lines/exports/{folder}/{name}", content)


def drop_exports(company: Company) -> None:
    """One export per possible defect. Complete, each would be 10.00 + 20.00."""
    landing = company.data.landing / "billing_lines" / "exports"
    drop_export(company, "WHOLE", exported("WHOLE", "10.00", "20.00"))
    drop_export(company, "MISSES", exported("MISSES", "10.00", "20.00"))
    (landing / "MISSES" / "part-2.json.gz").unlink()
    drop_export(company, "CUT", exported("CUT", "10.00", "20.00"))
    cut = landing / "CUT" / "part-2.json.gz"
    content = cut.read_bytes()
    # The same size, so that only the archive shows the damage.
    cut.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    blobs = exported("SIZE", "10.00", "20.00")
    drop_export(company, "SIZE", blobs, manifest_says={"part-2.json.gz": {"size": 7}})
    blobs = exported("COUNT", "10.00", "20.00")
    drop_export(company, "COUNT", blobs, manifest_says={"part-2.json.gz": {"rowCount": 2}})
    drop_export(company, "SPARE", exported("SPARE", "10.00", "20.00"))
    spare = exported("SPARE", "0", "0", "40.00")["part-3.json.gz"]
    company.drop("billing_lines/exports/SPARE/part-3.json.gz", spare)
    # The newer version is older by name and was downloaded first.
    drop_export(
        company, "AGAIN a", exported("AGAIN", "10.00", "25.00"), "2026-02-08T08:00:00Z", "2"
    )
    drop_export(company, "AGAIN b", exported("AGAIN", "10.00", "20.00"))
    drop_export(company, "TWICE", exported("TWICE", "10.00", "20.00"))
    shutil.copytree(landing / "TWICE", landing / "TWICE downloaded again")
    drop_export(company, "KEPT a", exported("KEPT", "10.00", "20.00"))
    drop_export(company, "KEPT b", exported("KEPT", "10.00", "99.00"), "2026-02-08T08:00:00Z", "2")
    (landing / "KEPT b" / "part-2.json.gz").unlink()
    # One purchase created two identical lines, in two blobs with one other line each.
    drop_export(
        company,
        "TWINS",
        {
            "part-1.json.gz": exported("TWINS", "50.00\n10.00")["part-1.json.gz"],
            "part-2.json.gz": exported("TWINS", "50.00\n20.00")["part-1.json.gz"],
        },
        manifest_says={"part-1.json.gz": {"rowCount": 2}, "part-2.json.gz": {"rowCount": 2}},
    )


# On 20 Jan 16 of the 31 days to 4 Feb are left: 10 x 30 x 16 / 31 = 154.84 are refunded and
# 12 x 30 x 16 / 31 = 185.81 are charged.
ELMS_BILL = """
    office  Office E3   cycleCharge     30  10  300.00   2026-01-05  2026-02-04
    office  Office E3   addQuantity     30  10  -154.84  2026-01-20  2026-02-04
    office  Office E3   addQuantity     30  12  185.81   2026-01-20  2026-02-04
    office  Office E3   extendTerm      0   10  0.00     2026-01-05  2026-02-04
    teams   Teams       cycleCharge     5   4   20.00    2026-01-05  2026-02-04
    visio   Visio       cycleCharge     15  2   30.00    2026-01-05  2026-02-04
    power   Power BI    new             10  3   30.00    2026-01-12  2026-02-11
    later   Power BI    new             10  3   30.00    2026-01-21  2026-02-20
    azure   Azure plan  customerCredit  -5  1   -5.00    2026-01-05  2026-02-04
"""

PRICES: list[list[object]] = [
    # Organization, product, price, percentage, of what, currency, from, to, offer
    ["Elm", "Office E3", 35, None, None, "EUR", date(2025, 7, 1), date(2026, 1, 14), None],
    ["Elm", "Office E3", 36, None, None, "EUR", date(2026, 1, 15), None, None],
    [None, "Office E3", 40, None, None, "USD", date(2025, 7, 1), None, None],
    ["Elm", "Visio", "abc", None, None, "USD", date(2025, 7, 1), None, None],
    ["Elm", "Whiteboard", None, "#REF!", None, "USD", date(2025, 7, 1), None, None],
    ["Elm", "*", None, 15, None, "USD", date(2025, 7, 1), None, None],
    [None, "Teams", 8, None, None, "USD", date(2025, 7, 1), None, None],
    ["Elm", "Teams", None, -25, "list", "USD", date(2025, 7, 1), None, None],
    ["Elm", "Power BI", 9, None, None, "USD", date(2026, 1, 10), date(2026, 1, 20), "winter"],
]


def price_list() -> bytes:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    sheet.title = "Prices"
    sheet.append(
        [
            "Organization",
            "Product",
            "Unit Price",
            "Markup Percent",
            "Percent Of",
            "Currency",
            "Valid From",
            "Valid To",
            "Offer",
        ]
    )
    for row in PRICES:
        sheet.append(row)
    content = io.BytesIO()
    workbook.save(content)
    return content.getvalue()


def land_every_source(company: Company) -> None:
    """Land a file of every source, and an export per possible defect."""
    company.drop("organizations/all.csv", ORGANIZATIONS)
    company.drop(
        "cost_centers/all.csv",
        csv(
            "Cost Center ID,Organization,Name,Is Default,Charge Code,Valid To,Successor ID",
            table(COST_CENTERS),
        ),
    )
    company.drop(
        "invoices/all.csv", csv("Invoice Number,Invoice Date,Currency,Subtotal", table(INVOICES))
    )
    company.drop("billing_lines/legacy/january.csv", legacy_csv())
    company.drop("billing_lines/legacy/january.json", legacy_json())
    company.drop("billing_lines/azure/bill.csv", bill("birch", "U1", AZURE_BILL))
    company.drop("billing_lines/azure/usage.jsonl", daily_usage())
    company.drop(
        "split_history/storage.csv",
        csv(
            "Subscription ID,Event,Datetime,Total Quantity,Cost Center,Cost Center ID,"
            "Allocated Quantity,Organization",
            [
                ["storage", "Cost center split adjusted", day, "1", "-", *center, "birch"]
                for day, *center in table(STORAGE_SPLITS)
            ],
        ),
    )
    company.drop("billing_lines/focus/january.csv", focus_csv())
    company.drop("billing_lines/focus/january.parquet", focus_parquet())
    drop_exports(company)
    company.drop("billing_lines/elm.csv", bill("elm", "P1", ELMS_BILL))
    pounds = "office-f  Office E3  new  50  2  100.00  2026-01-05  2026-02-04"
    dollars = "board-f  Whiteboard  new  9  1  9.00  2026-01-05  2026-02-04"
    company.drop(
        "billing_lines/fern.jsonl",
        json_lines(bill_rows("fern", "F1", pounds, "GBP") + bill_rows("fern", "F1", dollars)),
    )
    company.drop("price_list/prices.xlsx", price_list())
    company.drop(
        "exchange_rates/rates.csv",
        "From Currency,To Currency,Date,Rate\nEUR,USD,2026-01-02,1.1\n",
    )
