"""Every source beyond the plain bill, end to end through real dbt builds.

Builds cost seconds, so that each tells several stories. `bills` has an organization per source of
bills and prices: Alder gets legacy bills, Birch usage of Azure, Cedar FOCUS files, Dale billing
exports, Elm a price list. `people` has organizations that split by their directory, and `forgotten`
is what becomes of it when one person is to be forgotten.

Bills and lists are tables of words two spaces apart; `-` is an empty cell.
"""

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Company

from dagster_project import dbt_runner, publish
from dagster_project.landing import forgetting
from dagster_project.landing.sync import sync
from dagster_project.ledger import closing
from dagster_project.settings import PROJECT_ROOT, DataFolder

NewCompany = Callable[[], Company]


def table(text: str) -> list[list[str]]:
    """The cells of a table whose columns stand two or more spaces apart."""
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines_of(text)]
    return [["" if cell == "-" else cell for cell in row] for row in rows]


def lines_of(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines() if line.strip()]


def csv(header: str, rows: Sequence[Sequence[str]]) -> str:
    return "\n".join([header, *(",".join(row) for row in rows)]) + "\n"


def book(text: str) -> list[str]:
    """Expected rows: a table, sorted, with one space between words."""
    return sorted(" ".join(line.split()) for line in lines_of(text))


def plain(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    return "-" if value is None else str(value)


def told(rows: Sequence[Sequence[object]]) -> list[str]:
    """Rows as words, sorted, to be compared with a `book`."""
    return sorted(" ".join(map(plain, row)) for row in rows)


BILL_COLUMNS = (
    "customerId",
    "invoiceNumber",
    "subscriptionId",
    "productName",
    "chargeType",
    "unitPrice",
    "quantity",
    "subtotal",
    "currency",
    "chargeStartDate",
    "chargeEndDate",
    "productId",
    "skuId",
)


def bill_rows(customer: str, number: str, text: str, currency: str = "USD") -> list[dict[str, str]]:
    """New-commerce lines. Columns: subscription, product, type, price, seats, cost, from, to."""
    return [
        dict(
            zip(
                BILL_COLUMNS,
                [customer, number, *row[:6], currency, *row[6:], f"id of {row[1]}", "0001"],
                strict=True,
            )
        )
        for row in table(text)
    ]


def bill(customer: str, number: str, text: str, currency: str = "USD") -> str:
    rows = bill_rows(customer, number, text, currency)
    return csv(",".join(BILL_COLUMNS), [list(row.values()) for row in rows])


def json_lines(rows: Sequence[Mapping[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def report(company: Company, columns: str, where: str) -> list[str]:
    """Rows of the billing report that are about something, as words, sorted."""
    return told(
        company.query(
            f"""
            select {columns} from marts.billing_report
            where (total_cost <> 0 or quantity <> 0) and {where}
            """
        )
    )


def reconciliation(company: Company, invoice: str) -> list[str]:
    """What the invoice, its lines and the report say, and how that is judged."""
    return told(
        company.query(
            """
            select invoice_total, lines_total, allocated_total, line_count, status
            from marts.invoice_reconciliation where invoice_number = $invoice
            """,
            {"invoice": invoice},
        )
    )


def findings(company: Company, kind: str, organization: str) -> list[tuple]:
    return company.query(
        """
        select amount_at_stake, message from marts.findings
        where kind = $kind and organization_id = $organization order by all
        """,
        {"kind": kind, "organization": organization},
    )


# --- what lands: bills and prices ---------------------------------------------------------------

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
# prints unit prices prorated and cut, and counts with 51.93: 51.93 x 27 / 31 x 500 = 22,614.68 and
# 51.93 x 4 / 31 x 550 = 3,685.35.
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


# Everything was CC-1's but for the hours from 10 Jan 18:00 to 11 Jan 00:00.
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
    """Land an export, and a manifest that is right unless told what to say of a blob."""
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
    """One export for everything that may be wrong with one. Each would be 10.00 + 20.00."""
    landing = company.data.landing / "billing_lines" / "exports"
    drop_export(company, "WHOLE", exported("WHOLE", "10.00", "20.00"))
    drop_export(company, "MISSES", exported("MISSES", "10.00", "20.00"))
    (landing / "MISSES" / "part-2.json.gz").unlink()
    drop_export(company, "CUT", exported("CUT", "10.00", "20.00"))
    cut = landing / "CUT" / "part-2.json.gz"
    content = cut.read_bytes()
    # The same size, so that the archive itself tells.
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
    # One purchase gave two lines that are alike; each is in a blob of its own, beside another line.
    drop_export(
        company,
        "TWINS",
        {
            "part-1.json.gz": exported("TWINS", "50.00\n10.00")["part-1.json.gz"],
            "part-2.json.gz": exported("TWINS", "50.00\n20.00")["part-1.json.gz"],
        },
        manifest_says={"part-1.json.gz": {"rowCount": 2}, "part-2.json.gz": {"rowCount": 2}},
    )


# Of the 31 days to 4 Feb 16 are left on 20 Jan: 10 x 30 x 16 / 31 = 154.84 come back and
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


@pytest.fixture(scope="module")
def bills(new_company: NewCompany) -> Company:
    company = new_company()
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
    company.build(expect_success=False)
    # The exports that are not whole block publishing; nothing else fails.
    (failure,) = company.failures
    assert failure.startswith("every_delivery_is_decided_and_whole")
    return company


# --- legacy bills -------------------------------------------------------------------------------


def test_a_legacy_bill_in_csv_and_in_json_counts_once(bills: Company) -> None:
    assert report(
        bills, "charge_type, charge_kind, quantity, total_cost", "organization_id = 'alder'"
    ) == book(
        """
        Cycle fee               cycle   500  25965
        Cycle instance prorate  refund  500  -25965
        Cycle instance prorate  extra   500  22614.68
        Cycle instance prorate  extra   550  3685.35
        """
    )
    # The second file is a replaced delivery: its four rows are accounted for, not billed again.
    assert bills.query(
        """
            select sum(billed_row_count), sum(replaced_row_count)
            from marts.delivery_reconciliation
            where file like 'billing_lines/legacy/january.%'
            """
    ) == [(4, 4)]


def test_a_legacy_bill_is_of_the_usual_day_after_its_last_charge_starts(bills: Company) -> None:
    assert bills.query(
        """
        select distinct billing_date, billing_period, invoice_number from marts.billing_report
        where organization_id = 'alder'
        """
    ) == [(date(2026, 2, 6), "2026-02", None)]
    assert len(findings(bills, "billing_date_assumed", "alder")) == 1


def test_the_pieces_of_a_legacy_cycle_are_explained_by_its_unrounded_price(bills: Company) -> None:
    assert told(
        bills.query(
            """
            select charge_days, cycle_days, total_cost, proration_rule
            from marts.prorated_lines where organization_id = 'alder'
            """
        )
    ) == book(
        """
        31  31  -25965    legacy
        27  31  22614.68  legacy
        4   31  3685.35   legacy
        """
    )


# --- daily usage --------------------------------------------------------------------------------


def test_an_invoice_whose_usage_is_told_day_by_day_ties_to_the_last_decimal(bills: Company) -> None:
    # 50 + (10.123456789012345678 + 12.376543210987654322 + 8.5) + 7 + 3, and no sums of usage.
    assert reconciliation(bills, "U1") == ["91 91 91 6 reconciled"]
    assert bills.query(
        "select variance, rounding_residual from marts.invoice_reconciliation"
        " where invoice_number = 'U1'"
    ) == [(Decimal(0), Decimal(0))]


def test_usage_goes_by_its_split_else_its_tags_else_to_default(bills: Company) -> None:
    assert report(
        bills,
        "subscription_id, charge_start_date, charge_kind, cost_center_id, total_cost, split_reason",
        "organization_id = 'birch' and subscription_id <> 'trade'",
    ) == book(
        """
        office   2026-01-05  cycle  CC-0  50            no_snapshot
        azure    2026-01-02  usage  CC-1  10.123456789  tag_rule
        azure    2026-01-03  usage  CC-2  12.376543211  tag_rule
        azure    2026-01-04  usage  CC-0  8.5           not_a_license
        storage  2026-01-10  usage  CC-2  7             snapshot
        """
    )


def test_usage_tagged_for_a_deleted_cost_center_goes_to_its_successor(bills: Company) -> None:
    # Trade ended with December; its successor is Sales.
    assert report(
        bills, "cost_center_id, total_cost, split_reason", "subscription_id = 'trade'"
    ) == ["CC-1 3 tag_rule"]


def test_usage_that_no_tag_rule_knows_is_a_finding(bills: Company) -> None:
    ((amount, message),) = findings(bills, "no_tag_rule", "birch")
    assert amount == Decimal("8.5")
    assert "Azure plan" in message and "Default" in message


# --- FOCUS --------------------------------------------------------------------------------------


def test_focus_in_csv_and_in_parquet_gives_the_same_lines(bills: Company) -> None:
    def staged(file: str) -> list[tuple]:
        return bills.query(
            """
            select * exclude (file, row_number, content_hash)
            from staging.stg_focus__billing_lines where file = $file order by all
            """,
            {"file": file},
        )

    in_csv = staged("billing_lines/focus/january.csv")
    assert len(in_csv) == 4
    assert staged("billing_lines/focus/january.parquet") == in_csv
    # Without an invoice, the same line in two files is one line.
    assert report(
        bills,
        "charge_type, charge_kind, charge_start_date, charge_end_date, quantity, total_cost,"
        " cost_center_id, split_reason",
        "organization_id = 'cedar'",
    ) == book(
        """
        Usage               usage   2026-01-03  2026-01-03  2.6  3.25  CC-1  tag_rule
        Purchase Recurring  cycle   2026-01-01  2026-01-31  4    40    CC-0  no_snapshot
        Tax                 tax     2026-01-01  2026-01-31  0    8.2   CC-0  not_a_license
        Credit              credit  2026-01-01  2026-01-31  0    -5    CC-1  tag_rule
        """
    )


def test_a_focus_bill_without_invoice_is_of_the_end_of_its_billing_period(bills: Company) -> None:
    assert bills.query(
        """
        select distinct billing_date, subscription_id, product_name from marts.billing_report
        where organization_id = 'cedar'
        """
    ) == [(date(2026, 2, 1), "focus", "Cloud")]
    assert findings(bills, "billing_date_assumed", "cedar") == []
    ((amount, _),) = findings(bills, "no_tag_rule", "cedar")
    assert amount == 40


# --- billing exports ----------------------------------------------------------------------------


def files_of(company: Company, folder: str) -> dict[str, tuple[str, str | None]]:
    """What became of the files of an export: status and reason by name."""
    return {
        Path(file).name: (status, reason)
        for file, status, reason in company.query(
            "select file, status, reason from raw.landed_files where starts_with(file, $folder)",
            {"folder": f"billing_lines/exports/{folder}/"},
        )
    }


def test_a_whole_export_is_billed_and_ties(bills: Company) -> None:
    assert {status for status, _ in files_of(bills, "WHOLE").values()} == {"loaded"}
    assert reconciliation(bills, "WHOLE") == ["30 30 30 2 reconciled"]


@pytest.mark.parametrize(
    ("number", "files", "reason"),
    [
        ("MISSES", {"manifest.json", "part-1.json.gz"}, "blob part-2.json.gz is missing"),
        (
            "CUT",
            {"manifest.json", "part-1.json.gz", "part-2.json.gz"},
            "blob part-2.json.gz: the gzip file is cut or damaged",
        ),
        (
            "SIZE",
            {"manifest.json", "part-1.json.gz", "part-2.json.gz"},
            "bytes, the manifest says 7",
        ),
        (
            "COUNT",
            {"manifest.json", "part-1.json.gz", "part-2.json.gz"},
            "blob part-2.json.gz has 1 rows, the manifest says 2",
        ),
    ],
)
def test_an_export_that_is_not_whole_is_refused_whole_and_shows(
    bills: Company, number: str, files: set[str], reason: str
) -> None:
    found = files_of(bills, number)
    assert set(found) == files
    for status, told_reason in found.values():
        assert status == "refused"
        assert told_reason and "the whole export is refused" in told_reason
        assert reason in told_reason
    assert bills.query(
        "select count(*) from raw.new_commerce_reconciliation where invoice_number = $number",
        {"number": number},
    ) == [(0,)]
    assert reconciliation(bills, number) == ["30 0 0 0 no_lines"]
    quarantined = bills.query(
        "select file from marts.quarantined_rows where starts_with(file, $folder)",
        {"folder": f"billing_lines/exports/{number}/"},
    )
    assert {Path(file).name for (file,) in quarantined} == files


def test_a_blob_that_no_manifest_lists_is_refused_and_not_billed(bills: Company) -> None:
    found = files_of(bills, "SPARE")
    status, reason = found.pop("part-3.json.gz")
    assert status == "refused"
    assert reason and "whose manifest does not list it" in reason
    assert {status for status, _ in found.values()} == {"loaded"}
    assert reconciliation(bills, "SPARE") == ["30 30 30 2 reconciled"]


def test_an_export_with_a_new_e_tag_replaces_the_older_one(bills: Company) -> None:
    assert reconciliation(bills, "AGAIN") == ["35 35 35 2 reconciled"]
    ((message,),) = bills.query(
        "select message from marts.findings"
        " where kind = 'delivery_replaced' and contains(message, 'AGAIN')"
    )
    assert "AGAIN a" in message


def test_the_same_export_in_two_folders_counts_once(bills: Company) -> None:
    folders = [files_of(bills, folder) for folder in ("TWICE", "TWICE downloaded again")]
    assert [len(files) for files in folders] == [3, 3]
    statuses = [{status for status, _ in files.values()} for files in folders]
    assert sorted(map(sorted, statuses)) == [["duplicate"], ["loaded"]]
    assert reconciliation(bills, "TWICE") == ["30 30 30 2 reconciled"]


def test_a_newer_export_that_is_not_whole_leaves_the_older_one_in_force(bills: Company) -> None:
    assert {status for status, _ in files_of(bills, "KEPT b").values()} == {"refused"}
    assert reconciliation(bills, "KEPT") == ["30 30 30 2 reconciled"]


def test_two_lines_that_are_alike_in_two_blobs_are_both_billed(bills: Company) -> None:
    assert reconciliation(bills, "TWINS") == ["130 130 130 4 reconciled"]


# --- sales prices -------------------------------------------------------------------------------


def test_sales_come_from_the_price_list_prorated_and_in_the_currency_of_the_bill(
    bills: Company,
) -> None:
    # 35 EUR = 38.50 USD: 10 x 38.5 = 385; the refund has the price of the charge it refunds,
    # 10 x 38.5 x 16 / 31 = 198.7096774194; from 15 Jan it is 36 EUR = 39.60 USD, and
    # 12 x 39.6 x 16 / 31 = 245.2645161290. Teams: 4 x (8 - 25 %). The offer of Power BI ends on
    # 20 Jan; then, as for Visio, whose own price is no number, and the credit, it is cost + 15 %.
    assert told(
        bills.query(
            """
            select subscription_id, total_cost, sum(total_sales), sum(total_margin), price_source
            from marts.billing_report where organization_id = 'elm'
            group by line_id, subscription_id, total_cost, price_source
            """
        )
    ) == book(
        """
        office  300      385              85              customer_price
        office  -154.84  -198.7096774194  -43.8696774194  customer_price
        office  185.81   245.264516129    59.454516129    customer_price
        office  0        0                0               free_of_charge
        teams   20       24               4               customer_percent
        visio   30       34.5             4.5             customer_percent
        power   30       27               -3              offer
        later   30       34.5             4.5             customer_percent
        azure   -5       -5.75            -0.75           customer_percent
        """
    )


def test_a_row_says_which_price_was_used_and_how(bills: Company) -> None:
    ((explanation,),) = bills.query(
        """
        select distinct price_explanation from marts.billing_report
        where organization_id = 'elm' and charge_kind = 'refund'
        """
    )
    for figure in ("2025-07-01", "35 EUR", "2026-01-02", "38.5 USD", "16 / 31 days", "x 10"):
        assert figure in explanation
    ((offer,),) = bills.query(
        "select distinct price_explanation from marts.billing_report"
        " where subscription_id = 'power'"
    )
    assert "winter" in offer and "9 USD" in offer


def test_a_rate_more_than_a_month_older_than_the_bill_is_a_finding(bills: Company) -> None:
    ((_, message),) = findings(bills, "old_exchange_rate", "elm")
    assert "2026-01-02" in message and "EUR" in message and "2026-02-06" in message


def test_without_a_rate_or_a_price_sales_are_unknown_and_a_finding(bills: Company) -> None:
    assert report(
        bills,
        "subscription_id, currency, total_cost, total_sales, total_margin, price_source",
        "organization_id = 'fern'",
    ) == book(
        """
        office-f  GBP  100  -  -  -
        board-f   USD  9    -  -  -
        """
    )
    ((amount, message),) = findings(bills, "no_exchange_rate", "fern")
    assert amount == 100
    assert "USD" in message and "GBP" in message and "2026-02-06" in message
    ((amount, message),) = findings(bills, "no_price", "fern")
    assert amount == 9
    assert "Whiteboard" in message


def test_a_bad_cell_of_a_workbook_is_named_by_sheet_and_cell(bills: Company) -> None:
    rows = bills.query(
        """
        select row_number, column_name, value, cell, reason from marts.quarantined_rows
        where file = 'price_list/prices.xlsx' order by row_number
        """
    )
    assert [row[:4] for row in rows] == [
        (5, "Unit Price", "abc", "Prices!C5"),
        (6, "Markup Percent", "#REF!", "Prices!D6"),
    ]
    assert "is not a number" in rows[0][4]
    assert "cell D6" in rows[1][4]


# --- what lands: people -------------------------------------------------------------------------


@dataclass(frozen=True)
class Person:
    """Somebody of the directory, by identifiers that stand nowhere else."""

    user_id: str
    display_name: str
    sign_in_name: str

    @property
    def words(self) -> tuple[str, ...]:
        """What no table for anybody else may hold, in lower case."""
        local_part = self.sign_in_name.partition("@")[0]
        return (self.user_id, self.display_name.lower(), local_part)


def person(number: int, first: str, last: str, domain: str) -> Person:
    return Person(
        user_id=f"{number:08x}-5eed-4bad-8bad-{number * 7919:012x}",
        display_name=f"{first} {last}",
        sign_in_name=f"{first.lower()}.{last.lower()}@{domain}",
    )


ALDERS = {
    first: person(number, first, last, "alder.example")
    for number, (first, last) in enumerate(
        [
            ("Anna", "Quistgaard"),
            ("Ben", "Okonkwo"),
            ("Carl", "Zetterlund"),
            ("Dora", "Vasquez"),
            ("Eve", "Ibarruri"),
            ("Finn", "Ytterberg"),
            ("Gus", "Pfefferkorn"),
            ("Hana", "Mizoguchi"),
            # The rows of these cannot be used.
            ("Ivo", "Jankulovski"),
            ("Jana", "Dvorzhak"),
            ("Kim", "Aaltonen"),
            ("Lars", "Bjerregaard"),
        ],
        start=0xA1,
    )
}
BIRCHES = {
    first: person(number, first, last, "birch.example")
    for number, (first, last) in enumerate([("Bo", "Xylander"), ("Cy", "Thackeray")], start=0xB1)
}
ZOE = person(0xC1, "Zoe", "Nomannsland", "alder.example")
EVERYBODY = (*ALDERS.values(), *BIRCHES.values())

NEW_YEAR = """
    Anna  Sales
    Ben   Sales
    Carl  Sales
    Dora  Sales
    Eve   IT
    Finn  IT
    Gus   Moonshots
    Hana  Moonshots
"""
# On 15 January Dora has moved to IT. On 20 February Finn's account is disabled and Gus is gone.
JANUARY = NEW_YEAR.replace("Dora  Sales", "Dora  IT")
FEBRUARY = JANUARY.replace("Gus   Moonshots\n", "")

USERS_HEADER = "Id,DisplayName,UserPrincipalName,Department,AccountEnabled"


def users_of(text: str, disabled: Sequence[str] = ()) -> list[list[str]]:
    return [
        [
            ALDERS[first].user_id,
            ALDERS[first].display_name,
            ALDERS[first].sign_in_name,
            department,
            "false" if first in disabled else "true",
        ]
        for first, department in table(text)
    ]


def graph_users(text: str) -> str:
    """A list of users as Microsoft Graph gives it."""
    names = ("id", "displayName", "userPrincipalName", "department")
    return json_lines(
        [dict(zip(names, row, strict=False)) | {"accountEnabled": True} for row in users_of(text)]
    )


def assignments() -> str:
    """Who has which license: office by subscription, all else by product."""
    everybody = [first for first, _ in table(NEW_YEAR)]
    seats = [
        (day, first, "office", "")
        for day in ("2025-12-31", "2026-01-15", "2026-02-20")
        for first in everybody
    ]
    # Two licenses of Visio were bought, and nobody buys Power BI.
    seats += [
        (day, first, "", "VISIOCLIENT")
        for day in ("2026-01-15", "2026-02-20")
        for first in ("Anna", "Ben", "Eve")
    ]
    seats.append(("2026-02-20", "Eve", "", "POWER_BI_PRO"))
    return csv(
        "Snapshot Date,User ID,Subscription ID,SKU",
        [[day, ALDERS[first].user_id, *license_] for day, first, *license_ in seats],
    )


HEADERLESS = "directory/users-2026-01-16.csv"


def drop_people(company: Company) -> None:
    company.drop("directory/2025-12-31/users.jsonl", graph_users(NEW_YEAR))
    company.drop("directory/users-2026-01-15.csv", csv(USERS_HEADER, users_of(JANUARY)))
    company.drop(
        "directory/february.csv",
        csv(
            f"{USERS_HEADER},Snapshot Date",
            [[*row, "20 Feb 2026"] for row in users_of(FEBRUARY, disabled=["Finn"])],
        ),
    )
    company.drop("directory/assignments.csv", assignments())
    # Birch's users are listed by id and by name, its licenses by name alone.
    company.drop(
        "directory/birch users 2025-12-31.csv",
        csv(
            USERS_HEADER,
            [[*astuple(each), "Sales", "true"] for each in BIRCHES.values()],
        ),
    )
    company.drop(
        "directory/birch licenses 2025-12-31.csv",
        csv(
            "User Principal Name,SKU",
            [[each.sign_in_name, "Microsoft 365 E5"] for each in BIRCHES.values()],
        ),
    )
    ivo, jana, kim, lars = (ALDERS[first] for first in ("Ivo", "Jana", "Kim", "Lars"))
    company.drop(
        "directory/broken-2026-01-15.csv",
        csv(
            USERS_HEADER,
            [[*astuple(ivo), "Sales", "maybe"], [jana.user_id, jana.display_name, "Sales"]],
        ),
    )
    company.drop(
        "directory/broken.jsonl",
        json_lines([{"id": kim.user_id, "displayName": kim.display_name, "snapshotDate": "soon"}])
        + f'{{"id": "{lars.user_id}", "displayName": "{lars.display_name}", "userPr',
    )
    # Here the first person stands where the header should.
    company.drop(HEADERLESS, csv(",".join([*astuple(ZOE), "Sales", "true"]), []))


def astuple(each: Person) -> tuple[str, str, str]:
    return each.user_id, each.display_name, each.sign_in_name


# 12 seats from 15 Feb on: of the 28 days to 4 Mar 18 are left, 100 x 18 / 28 = 64.29 come back and
# 120 x 18 / 28 = 77.14 are charged.
ALDERS_BILLS = {
    "A1": "office  Microsoft 365 E3  cycleCharge  10  10  100.00  2026-01-05  2026-02-04",
    "A2": """
        office  Microsoft 365 E3  cycleCharge  10  10  100.00  2026-02-05  2026-03-04
        office  Microsoft 365 E3  addQuantity  10  10  -64.29  2026-02-15  2026-03-04
        office  Microsoft 365 E3  addQuantity  10  12  77.14   2026-02-15  2026-03-04
        visio   Visio Plan 2      new          15  2   30.00   2026-02-05  2026-03-04
    """,
    "A3": "office  Microsoft 365 E3  cycleCharge  10  12  120.00  2026-03-05  2026-04-04",
}
BILLED = """
    A1  2026-02-06  USD  100.00
    B1  2026-02-06  USD  40.00
    C1  2026-02-06  USD  7.00
    A2  2026-03-06  USD  142.85
    A3  2026-04-08  USD  120.00
"""


@pytest.fixture(scope="module")
def people(new_company: NewCompany) -> Company:
    company = new_company()
    company.drop(
        "organizations/all.csv",
        csv(
            "Organization,Name,Domain,Split Source,Split Attribute",
            [
                ["alder", "Alder", "alder.example", "directory", "department"],
                ["birch", "Birch", "birch.example", "Directory", ""],
                ["cedar", "Cedar", "cedar.example", "directory", "location"],
            ],
        ),
    )
    company.drop(
        "cost_centers/all.csv",
        csv(
            "Cost Center ID,Organization,Name,Is Default",
            [
                [center, organization, name, is_default]
                for organization in ("alder", "birch")
                for center, name, is_default in (
                    ("CC-0", "Default", "yes"),
                    ("CC-1", "Sales", "no"),
                    ("CC-2", "IT", "no"),
                )
            ],
        ),
    )
    company.drop(
        "invoices/all.csv", csv("Invoice Number,Invoice Date,Currency,Subtotal", table(BILLED))
    )
    for number, text in ALDERS_BILLS.items():
        company.drop(f"billing_lines/{number}.csv", bill("alder", number, text))
    teams = "teams  Microsoft 365 E5  cycleCharge  10  4  40.00  2026-01-05  2026-02-04"
    company.drop("billing_lines/B1.csv", bill("birch", "B1", teams))
    nobodys = "nobodys  Visio Plan 2  cycleCharge  7  1  7.00  2026-01-05  2026-02-04"
    company.drop("billing_lines/C1.csv", bill("cedar", "C1", nobodys))
    # Who splits by the directory splits by nothing else.
    company.drop(
        "split_history/ignored.csv",
        "Subscription ID,Event,Datetime,Total Quantity,Cost Center,Cost Center ID,"
        "Allocated Quantity,Organization\n"
        "office,Cost center split adjusted,2026-01-04,10,Sales,CC-1,10,alder\n",
    )
    drop_people(company)
    company.build()
    publish.publish(company.data, dbt_runner.read_manifest(), "state")
    return company


# --- splits from the directory ------------------------------------------------------------------


def test_who_moves_takes_the_cost_along_from_the_next_cycle_on(people: Company) -> None:
    # 5 Jan: 4 of Sales and 2 of IT of 10. Dora moves on 15 Jan: 3 and 3 from 5 Feb on, which the
    # refund of 15 Feb goes by too. At the end of that cycle 3 and 2 of 12 are used, since Finn is
    # disabled: so the charge for added seats, and the next cycle.
    assert report(
        people,
        "charge_start_date, charge_kind, cost_center_id, quantity, total_cost, split_reason",
        "subscription_id = 'office' and cost_center_id <> 'CC-0'",
    ) == book(
        """
        2026-01-05  cycle   CC-1  4  40         snapshot
        2026-01-05  cycle   CC-2  2  20         snapshot
        2026-02-05  cycle   CC-1  3  30         snapshot
        2026-02-05  cycle   CC-2  3  30         snapshot
        2026-02-15  refund  CC-1  3  -19.287    snapshot
        2026-02-15  refund  CC-2  3  -19.287    snapshot
        2026-02-15  extra   CC-1  3  19.285     snapshot
        2026-02-15  extra   CC-2  2  12.856667  snapshot
        2026-03-05  cycle   CC-1  3  30         snapshot
        2026-03-05  cycle   CC-2  2  20         snapshot
        """
    )


def test_what_nobody_uses_or_no_cost_center_knows_is_defaults(people: Company) -> None:
    # 2 of Moonshots and 2 unused; the same after Dora moved; then Hana and 6 unused.
    assert report(
        people,
        "charge_start_date, charge_kind, quantity, total_cost",
        "subscription_id = 'office' and cost_center_id = 'CC-0'",
    ) == book(
        """
        2026-01-05  cycle   4  40
        2026-02-05  cycle   4  40
        2026-02-15  refund  4  -25.716
        2026-02-15  extra   7  44.998333
        2026-03-05  cycle   7  70
        """
    )


def test_a_split_by_the_directory_is_of_the_last_second_of_a_cycle(people: Company) -> None:
    assert people.query(
        """
        select distinct charge_start_date, charge_kind, snapshot_effective_at
        from marts.billing_report where subscription_id = 'office' order by all
        """
    ) == [
        (date(2026, 1, 5), "cycle", datetime(2026, 1, 4, 23, 59, 59)),
        (date(2026, 2, 5), "cycle", datetime(2026, 2, 4, 23, 59, 59)),
        (date(2026, 2, 15), "extra", datetime(2026, 3, 4, 23, 59, 59)),
        (date(2026, 2, 15), "refund", datetime(2026, 2, 4, 23, 59, 59)),
        (date(2026, 3, 5), "cycle", datetime(2026, 3, 4, 23, 59, 59)),
    ]


def test_the_invoices_of_a_directory_tie(people: Company) -> None:
    for number in ("A1", "A2", "A3", "B1", "C1"):
        assert [row.split()[-1] for row in reconciliation(people, number)] == ["reconciled"]


def test_the_license_pool_shows_what_is_bought_used_and_pending(people: Company) -> None:
    # 12 bought at 120.00; Anna, Ben, Carl; Dora, Eve; Hana: 12 - 6 = 6 are pending, at 60.00, two
    # of them with Finn and Gus.
    assert told(
        people.query(
            """
            select
                cost_center_id, bought_quantity, allotted_quantity, assigned_quantity,
                leaver_quantity, pending_quantity, pending_cost, directory_date
            from marts.license_pool where subscription_id = 'office'
            """
        )
    ) == book(
        """
        CC-0  12  7  1  1  6  60  2026-02-20
        CC-1  12  3  3  0  0  0   2026-02-20
        CC-2  12  2  2  1  0  0   2026-02-20
        """
    )
    assert findings(people, "pending_licenses", "alder") == [
        (
            Decimal(60),
            "6 of 12 licenses of Microsoft 365 E3 are pending, 2 of them assigned to users"
            " who have left",
        )
    ]


def test_more_licenses_assigned_than_bought_is_a_finding_and_shares_the_cost(
    people: Company,
) -> None:
    assert [message for _, message in findings(people, "over_assigned", "alder")] == [
        "on 2026-03-04 3 licenses are assigned but only 2 are bought"
    ]
    assert report(
        people, "cost_center_id, total_cost, split_reason", "subscription_id = 'visio'"
    ) == book(
        """
        CC-1  20  over_allocated
        CC-2  10  over_allocated
        """
    )


def test_what_the_directory_says_and_nobody_knows_is_a_finding(people: Company) -> None:
    ((_, message),) = findings(people, "unknown_attribute", "alder")
    assert '"Moonshots": 1 license' in message
    ((_, message),) = findings(people, "unknown_license", "alder")
    assert '1 license(s) of "power bi pro"' in message


def test_a_split_by_a_directory_that_never_landed_is_default_and_a_finding(
    people: Company,
) -> None:
    assert report(
        people, "cost_center_name, total_cost, split_reason", "organization_id = 'cedar'"
    ) == ["Default 7 no_snapshot"]
    assert len(findings(people, "directory_missing", "cedar")) == 1
    assert findings(people, "directory_missing", "alder") == []


def test_a_license_of_a_sign_in_name_is_of_the_user_who_has_an_id_too(people: Company) -> None:
    assert report(
        people, "cost_center_id, quantity, total_cost", "subscription_id = 'teams'"
    ) == book(
        """
        CC-0  2  20
        CC-1  2  20
        """
    )


# --- privacy ------------------------------------------------------------------------------------


def tables_of(company: Company, *schemas: str) -> dict[str, list[tuple]]:
    """The rows of every table and view of these schemas, in one order, by schema and name."""
    names = company.query(
        """
        select schema_name, table_name from duckdb_tables()
        where list_contains($schemas, schema_name)
        union all
        select schema_name, view_name from duckdb_views()
        where list_contains($schemas, schema_name)
        order by all
        """,
        {"schemas": list(schemas)},
    )
    return {
        f"{schema}.{name}": company.query(f'select * from "{schema}"."{name}" order by all')
        for schema, name in names
    }


def words_in(text: str, persons: Sequence[Person]) -> list[str]:
    text = text.lower()
    return [word for each in persons for word in each.words if word in text]


def test_raw_has_people_so_that_their_absence_elsewhere_means_something(people: Company) -> None:
    raw = repr(tables_of(people, "raw"))
    readable = [each for each in EVERYBODY if each not in (ALDERS["Jana"], ALDERS["Lars"])]
    for each in readable:
        assert words_in(raw, [each])


def test_no_table_or_view_beyond_staging_holds_a_person(people: Company) -> None:
    found = tables_of(people, "intermediate", "marts", "rules")
    assert len(found) > 60
    assert {
        name: words for name, rows in found.items() if (words := words_in(repr(rows), EVERYBODY))
    } == {}


def test_nothing_that_is_published_knows_anybody(people: Company) -> None:
    parquet = sorted((people.data.published / "marts").glob("*.parquet"))
    assert len(parquet) > 8
    with duckdb.connect(str(people.data.published_database), read_only=True) as connection:
        for path in parquet:
            rows = connection.execute("select * from read_parquet($path)", {"path": str(path)})
            assert words_in(repr(rows.fetchall()), EVERYBODY) == []
            rows = connection.execute(f'select * from marts."{path.stem}"')
            assert words_in(repr(rows.fetchall()), EVERYBODY) == []


def test_a_broken_row_of_the_directory_is_told_without_what_it_says(people: Company) -> None:
    rows = people.query(
        """
        select file, row_number, column_name, value, raw_row, reason
        from marts.quarantined_rows where feed = 'directory' and file <> $headerless
        order by file, row_number
        """,
        {"headerless": HEADERLESS},
    )
    assert [row[:5] for row in rows] == [
        ("directory/broken-2026-01-15.csv", 2, "Account Enabled", None, None),
        ("directory/broken-2026-01-15.csv", 3, None, None, None),
        ("directory/broken.jsonl", 1, "Snapshot Date", None, None),
        ("directory/broken.jsonl", 2, None, None, None),
    ]
    assert "neither true nor false" in rows[0][5]
    assert "3 columns, the header has 5" in rows[1][5]
    assert "not a date" in rows[2][5]
    assert "no JSON" in rows[3][5]


def test_a_directory_file_without_a_header_tells_nobodys_name(people: Company) -> None:
    ((reason,),) = people.query(
        "select reason from marts.quarantined_rows where file = $file", {"file": HEADERLESS}
    )
    assert words_in(reason, [ZOE]) == []
    assert words_in(repr(tables_of(people, "intermediate", "marts")), [ZOE]) == []


def test_no_file_but_the_warehouse_knows_anybody(people: Company) -> None:
    knowing = {name for each in EVERYBODY for name in files_that_know(people, each)}
    assert knowing == {"warehouse.duckdb"}


# --- forgetting ---------------------------------------------------------------------------------


def apportion(company: Company, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m dagster_project` on a data folder, with a Dagster home of its own."""
    home = company.data.root.with_name(f"{company.data.root.name} home")
    home.mkdir(exist_ok=True)
    shutil.copy(PROJECT_ROOT / ".dagster" / "dagster.yaml", home)
    return subprocess.run(
        [sys.executable, "-m", "dagster_project", *arguments, "--data", str(company.data.root)],
        cwd=PROJECT_ROOT,
        env={**os.environ, "DAGSTER_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def files_beside_landing(company: Company) -> dict[str, bytes]:
    return {
        str(path.relative_to(company.data.root)): path.read_bytes()
        for path in company.data.root.rglob("*")
        if path.is_file() and company.data.landing not in path.parents
    }


def files_that_know(company: Company, someone: Person) -> list[str]:
    """The files beside landing in whose bytes somebody stands."""
    return [
        name
        for name, content in files_beside_landing(company).items()
        if any(word.encode() in content.lower() for word in someone.words)
    ]


def ledger_of(company: Company) -> dict[str, bytes]:
    return {
        name: content
        for name, content in files_beside_landing(company).items()
        if name.startswith("ledger/")
    }


def copy_of(company: Company, name: str) -> Company:
    root = company.data.root
    copy = Company(DataFolder(root.with_name(f"{root.name} {name}")))
    shutil.copytree(root, copy.data.root)
    return copy


@pytest.fixture(scope="module")
def closed(people: Company) -> Company:
    """The same people after February was closed."""
    company = copy_of(people, "closed")
    closing.close(company.data, "2026-02")
    return company.build()


@dataclass(frozen=True)
class Forgotten:
    """The company of which February is closed, before and after Dora was forgotten."""

    company: Company
    before: dict[str, list[tuple]]
    knew_before: list[str]
    ledger_before: dict[str, bytes]
    output: str
    after: dict[str, list[tuple]]
    know_after: list[str]


@pytest.fixture(scope="module")
def forgotten(closed: Company) -> Forgotten:
    company = copy_of(closed, "forgotten")
    before = tables_of(company, "intermediate", "marts", "rules")
    knew_before = files_that_know(company, ALDERS["Dora"])
    ledger_before = ledger_of(company)
    forget = apportion(company, "forget", ALDERS["Dora"].sign_in_name.upper())
    assert forget.returncode == 0, forget.stdout + forget.stderr
    after = tables_of(company, "intermediate", "marts", "rules")
    know_after = files_that_know(company, ALDERS["Dora"])
    return Forgotten(company, before, knew_before, ledger_before, forget.stdout, after, know_after)


def test_who_is_forgotten_is_in_no_byte_of_what_is_built(forgotten: Forgotten) -> None:
    assert "warehouse.duckdb" in forgotten.knew_before
    assert [name for name in forgotten.know_after if not name.startswith(".run/")] == []
    # It is Dora who is gone, not everybody.
    assert files_that_know(forgotten.company, ALDERS["Eve"]) == ["warehouse.duckdb"]


def test_the_logs_do_not_keep_who_was_to_be_forgotten(forgotten: Forgotten) -> None:
    assert [name for name in forgotten.know_after if name.startswith(".run/")] == []


def test_forgetting_somebody_changes_no_figure(forgotten: Forgotten) -> None:
    assert list(forgotten.after) == list(forgotten.before)
    changed = [name for name, rows in forgotten.before.items() if forgotten.after[name] != rows]
    assert changed == []


def test_forgetting_somebody_changes_nothing_of_a_closed_period(forgotten: Forgotten) -> None:
    assert forgotten.company.query(
        "select distinct status from marts.billing_periods where billing_period = '2026-02'"
    ) == [("closed",)]
    assert ledger_of(forgotten.company) == forgotten.ledger_before
    assert forgotten.company.query(
        "select sum(total_cost) from marts.billing_report where billing_period = '2026-02'"
    ) == [(Decimal(147),)]
    assert forgotten.company.query(
        "select count(*) from marts.billing_report where charge_class is not null"
    ) == [(0,)]


def test_forgetting_says_in_which_rows_of_landing_the_person_still_stands(
    forgotten: Forgotten,
) -> None:
    landing = forgotten.company.data.landing
    # The fourth of the list: row 5 under a header, line 4 of JSON.
    assert f"{landing / 'directory/2025-12-31/users.jsonl'}: row 4\n" in forgotten.output
    assert f"{landing / 'directory/users-2026-01-15.csv'}: row 5\n" in forgotten.output
    assert f"{landing / 'directory/february.csv'}: row 5\n" in forgotten.output
    assert f"{landing / 'directory/assignments.csv'}: row 5, 13, 21\n" in forgotten.output
    assert words_in(forgotten.output, [ALDERS["Dora"]]) == []


def test_who_is_forgotten_stays_so_when_their_rows_land_again(forgotten: Forgotten) -> None:
    company = forgotten.company
    landing = company.data.landing / "directory"
    shutil.copy(landing / "users-2026-01-15.csv", landing / "the same list 2026-01-15.csv")
    dora = ALDERS["Dora"]
    again = [
        f" {dora.user_id.upper()} ",
        dora.display_name,
        dora.sign_in_name.upper(),
        "IT",
        "true",
    ]
    company.drop("directory/users-2026-03-01.csv", csv(USERS_HEADER, [again]))
    with duckdb.connect(str(company.data.warehouse)) as connection:
        remembered = forgetting.read_list(company.data.forgotten_users)
        report_of_files = sync(company.data.landing, connection, forgotten=remembered)
    status = {each.file: each.status for each in report_of_files.files}
    assert status["directory/users-2026-03-01.csv"] == "loaded"
    rows = company.query(
        """
        select user_id, user_principal_name, display_name from raw.directory_users
        where file = 'directory/users-2026-03-01.csv'
        """
    )
    ((user_id, sign_in_name, display_name),) = rows
    assert user_id.startswith("forgotten-")
    assert sign_in_name.lower() == f"{user_id}@alder.example"
    assert display_name is None
    assert company.query(
        "select count(*) from raw.directory_users where user_id = $user", {"user": user_id}
    ) == [(4,)]
    assert "warehouse.duckdb" not in files_that_know(company, dora)


def test_nobody_of_that_name_is_a_clear_error_and_changes_nothing(forgotten: Forgotten) -> None:
    kept = forgotten.company.data.forgotten_users.read_bytes()
    for unknown in ("nobody@alder.example", ALDERS["Dora"].user_id):
        forget = apportion(forgotten.company, "forget", unknown)
        assert forget.returncode == 2
        assert "no landed directory file has a user with this ID or sign-in name" in forget.stderr
        assert "Traceback" not in forget.stderr
    assert forgotten.company.data.forgotten_users.read_bytes() == kept
    assert forgotten.company.data.warehouse.exists()


# --- closed periods -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def late(closed: Company) -> Company:
    """What would change February's bill: a price list and a list of users from before it."""
    company = copy_of(closed, "late")
    company.drop(
        "price_list/late.csv",
        csv(
            "Product,Unit Price,Currency,Valid From",
            [["Microsoft 365 E3", "11", "USD", "2025-01-01"]],
        ),
    )
    company.drop(
        "directory/late-2026-01-01.csv",
        csv(USERS_HEADER, users_of(NEW_YEAR.replace("Sales", "IT"))),
    )
    # A reform of March, which is open.
    company.drop(
        "directory/late-2026-03-03.csv",
        csv(USERS_HEADER, users_of(FEBRUARY.replace("Sales", "IT"), disabled=["Finn"])),
    )
    return company.build()


def test_a_price_or_a_directory_that_comes_late_changes_no_closed_period(
    closed: Company, late: Company
) -> None:
    february = "select * from marts.billing_report where billing_period = '2026-02' order by all"
    assert late.query(february) == closed.query(february) != []
    assert late.query(
        "select count(*) from marts.billing_report where charge_class is not null"
    ) == [(0,)]
    assert ledger_of(late) == ledger_of(closed)


def test_what_comes_late_does_change_the_open_periods(late: Company) -> None:
    # Anna, Ben, Carl, Dora and Eve of 12 are in IT at the end of the cycle to 4 Mar.
    assert report(
        late,
        "charge_start_date, cost_center_id, total_cost, total_sales, price_source",
        "invoice_number = 'A3'",
    ) == book(
        """
        2026-03-05  CC-0  70  77  global_price
        2026-03-05  CC-2  50  55  global_price
        """
    )


# --- headers that are signs ---------------------------------------------------------------------


def test_an_error_in_a_column_that_is_called_by_a_sign_does_not_stop_the_run(
    company: Company,
) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    sheet.title = "Centers"
    sheet.append(["#", "Cost Center ID", "Organization", "Name"])
    sheet.append(["#REF!", "CC-1", "alder", "Sales"])
    sheet.append([2, "CC-2", "alder", "IT"])
    content = io.BytesIO()
    workbook.save(content)
    company.drop("cost_centers/centers.xlsx", content.getvalue())
    company.build("--exclude-resource-type", "test", "--select", "+quarantined_rows")
    ((row_number, column_name, cell),) = company.query(
        "select row_number, column_name, cell from marts.quarantined_rows"
    )
    assert (row_number, column_name, cell) == (2, "#", "Centers!A2")


def test_the_subscription_of_a_focus_row_is_its_resource_if_so_configured(company: Company) -> None:
    company.drop(
        "billing_lines/cloud.csv",
        "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,"
        "ChargeCategory,ChargePeriodStart,ChargePeriodEnd,SubAccountId,ResourceId,SubAccountName,"
        "ResourceName\n"
        "1,acme,USD,2026-01-01,2026-02-01,Usage,2026-01-05,2026-01-06,account,machine,Games,Build\n"
        "2,acme,USD,2026-01-01,2026-02-01,Tax,2026-01-05,2026-01-06,account,,Games,\n"
        "3,acme,USD,2026-01-01,2026-02-01,Usage,2026-01-05,2026-01-06,,machine,,Build\n",
    )
    staged = ("--select", "stg_focus__billing_lines", "stg_focus__services")
    lines = """
        select subscription_id, subscription_name
        from staging.stg_focus__billing_lines
        inner join staging.stg_focus__services using (file, row_number)
        order by row_number
    """
    machine, account = ("machine", "Build"), ("account", "Games")
    company.build(*staged, "--vars", "{focus_subscription: ResourceId}")
    # A row without a resource, as taxes are, has its account.
    assert company.query(lines) == [machine, account, machine]
    company.build(*staged)
    assert company.query(lines) == [account, account, machine]
