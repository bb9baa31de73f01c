"""Files as programs export them and as answers of APIs are saved, from landing to the report.

Each organization has one kind of file: Alder a FOCUS export with bare NULLs, Birch FOCUS with times
without seconds, Cedar answers of Partner Center and Microsoft Graph, Dale exports of PowerShell,
Elm an invoice in the parts of a zip archive, Fir and Gum invoices of Partner Center's API.
"""

import io
import json
import zipfile
from collections.abc import Callable
from decimal import Decimal

import pytest
from conftest import Company

FOCUS_COLUMNS = (
    "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,"
    "ChargeCategory,ChargePeriodStart,ChargePeriodEnd,PricingQuantity,ServiceName,SubAccountId,"
    "InvoiceId,Tags"
)
BILL_COLUMNS = (
    "CustomerId,InvoiceNumber,ProductId,SkuId,ProductName,ChargeType,UnitPrice,Quantity,Subtotal,"
    "Currency,SubscriptionId,ChargeStartDate,ChargeEndDate"
)


def focus(*rows: str) -> str:
    return "\n".join((FOCUS_COLUMNS, *rows)) + "\n"


def bill_row(customer: str, invoice: str, subscription: str, amount: str) -> str:
    return (
        f"{customer},{invoice},P-1,0001,Office,cycleCharge,{amount},1,{amount},USD,{subscription},"
        "2026-01-05,2026-02-04"
    )


def answer(*rows: str, **others: object) -> str:
    """A response of Partner Center, indented as in its documentation."""
    columns = BILL_COLUMNS.split(",")
    items = [dict(zip(columns, row.split(","), strict=True)) for row in rows]
    attributes = {"objectType": "Collection"}
    whole = {"totalCount": len(items), "items": items, "attributes": attributes}
    return json.dumps(whole | others, indent=2)


def invoice(number: str, total: float) -> dict[str, object]:
    """An invoice as Partner Center's API describes it; its charges are with tax."""
    return {
        "id": number,
        "invoiceDate": "2026-02-07T18:44:37.5381456Z",
        "totalCharges": total,
        "currencyCode": "USD",
        "documentType": "invoice",
        "amendments": [],
    }


def zipped(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


@pytest.fixture(scope="module")
def saved(new_company: Callable[[], Company]) -> Company:
    company = new_company()
    company.drop(
        "organizations/o.csv",
        "Organization,Name,Tenant ID,Currency\n"
        "alder,Alder,BA-1,USD\nbirch,Birch,BA-2,USD\ncedar,Cedar,t-3,USD\ndale,Dale,t-4,USD\n"
        "elm,Elm,t-5,USD\nfir,Fir,t-6,USD\ngum,Gum,t-7,USD\n",
    )
    company.drop(
        "billing_lines/alder-january.csv",
        focus(
            "111,BA-1,USD,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z,Usage,"
            "2026-01-04T00:00:00Z,2026-01-05T00:00:00Z,1,Compute,s-1,NULL,NULL",
            "14.28,BA-1,USD,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z,Tax,"
            "2026-01-05T00:00:00Z,2026-01-06T00:00:00Z,NULL,Compute,NULL,NULL,NULL",
        ),
    )
    company.drop(
        "billing_lines/alder-february.csv",
        focus(
            "222,BA-1,USD,2026-02-01T00:00:00Z,2026-03-01T00:00:00Z,Usage,"
            "2026-02-04T00:00:00Z,2026-02-05T00:00:00Z,1,Compute,s-1,NULL,NULL",
        ),
    )
    company.drop(
        "billing_lines/birch.csv",
        focus(
            "70,BA-2,USD,2026-01-01T00:00Z,2026-02-01T00:00Z,Usage,"
            "2026-01-04T00:00Z,2026-01-05T00:00Z,1,Compute,s-2,INV-1,",
        ),
    )
    company.drop("billing_lines/cedar.json", answer(bill_row("t-3", "G-3", "s-3", "30")))
    company.drop(
        "billing_lines/cedar-page-1.json",
        answer(
            bill_row("t-3", "G-31", "s-3", "31"),
            links={"next": {"uri": "/invoices/G-31/lineitems?page=2", "method": "GET"}},
        ),
    )
    company.drop(
        "directory/2026-01-01/graph.json",
        json.dumps(
            {
                "@odata.context": "https://graph.example/v1.0/$metadata#users",
                "value": [
                    {"id": "u-0", "userPrincipalName": "kim@cedar.example", "department": "Desk"},
                    {"id": "u-1", "userPrincipalName": "lee@cedar.example", "department": "Lab"},
                ],
            },
            indent=2,
        ),
    )
    company.drop(
        "billing_lines/dale.csv",
        "#TYPE Microsoft.Store.PartnerCenter.PowerShell.Models.Invoices.PSInvoiceLineItem\r\n"
        + f"{BILL_COLUMNS}\r\n{bill_row('t-4', 'G-4', 's-4', '120')}\r\n",
    )
    parts = {
        f"parts/{at}.csv": f"{BILL_COLUMNS}\n{bill_row('t-5', 'G-5', f's-5{at}', f'{at}0')}\n"
        for at in (1, 2, 3)
    }
    company.drop("billing_lines/elm.zip", zipped(parts))
    company.drop("billing_lines/again/elm-part.csv", parts["parts/2.csv"])
    company.drop("billing_lines/again/elm.zip", zipped(parts))
    company.drop(
        "billing_lines/fir.csv",
        f"{BILL_COLUMNS},TaxTotal\n{bill_row('t-6', 'G-6', 's-6', '120')},12\n",
    )
    company.drop(
        "billing_lines/gum.csv", f"{BILL_COLUMNS}\n{bill_row('t-7', 'G-7', 's-7', '120')}\n"
    )
    invoices = {"totalCount": 2, "items": [invoice("G-6", 132), invoice("G-7", 246.4)]}
    company.drop("invoices/api.json", json.dumps(invoices, indent=2))
    return company.build()


def charged(company: Company, organization: str) -> list[tuple[object, ...]]:
    """Billing date, invoice, subscription and cost of each line."""
    return company.query(
        """
        select
            cast(billing_date as varchar), invoice_number, subscription_id,
            cast(total_cost as decimal(18, 2))
        from marts.billing_report where organization_id = $organization
        order by all
        """,
        {"organization": organization},
    )


def test_an_unquoted_null_is_neither_an_invoice_nor_a_subscription(saved: Company) -> None:
    assert charged(saved, "alder") == [
        ("2026-02-01", None, "s-1", Decimal("111.00")),
        ("2026-02-01", None, None, Decimal("14.28")),
        ("2026-03-01", None, "s-1", Decimal("222.00")),
    ]


def test_times_without_seconds_are_times(saved: Company) -> None:
    assert [row[1:] for row in charged(saved, "birch")] == [("INV-1", "s-2", Decimal("70.00"))]
    assert saved.query(
        "select cast(charge_start_date as varchar), cast(charge_end_date as varchar)"
        " from marts.billing_report where organization_id = 'birch'"
    ) == [("2026-01-04", "2026-01-04")]


def test_the_rows_of_a_saved_response_are_billed(saved: Company) -> None:
    lines = [row[1:] for row in charged(saved, "cedar")]
    assert lines == [("G-3", "s-3", Decimal("30.00")), ("G-31", "s-3", Decimal("31.00"))]
    assert saved.query("select user_key from staging.stg_directory__users order by all") == [
        ("u-0",),
        ("u-1",),
    ]


def test_a_response_that_links_to_a_next_page_is_a_finding(saved: Company) -> None:
    ((severity, message),) = saved.query(
        "select severity, message from marts.findings where kind = 'pages_missing'"
    )
    assert severity == "error"
    # Another file that could be the next page does not show that it is.
    assert message.startswith("billing_lines/cedar-page-1.json: the file is a page of a response")
    assert "save all pages in one file" in message


def test_the_type_line_of_powershell_is_skipped(saved: Company) -> None:
    assert [row[1:] for row in charged(saved, "dale")] == [("G-4", "s-4", Decimal("120.00"))]


def test_the_files_of_a_zip_archive_are_the_parts_of_one_delivery(saved: Company) -> None:
    assert [row[1:] for row in charged(saved, "elm")] == [
        ("G-5", "s-51", Decimal("10.00")),
        ("G-5", "s-52", Decimal("20.00")),
        ("G-5", "s-53", Decimal("30.00")),
    ]
    assert saved.query("select * from marts.findings where kind = 'invoice_reissued'") == []


def test_an_invoice_that_is_known_with_tax_ties_by_the_tax_of_its_lines(saved: Company) -> None:
    assert saved.query(
        """
        select
            invoice_number, cast(billing_date as varchar), invoice_total, invoice_total_with_tax,
            lines_total, variance, status
        from marts.invoice_reconciliation where invoice_number in ('G-6', 'G-7')
        order by all
        """
    ) == [
        ("G-6", "2026-02-07", 120, 132, 120, 0, "reconciled"),
        ("G-7", "2026-02-07", None, Decimal("246.4"), 120, None, "tax_unknown"),
    ]
    ((kind, amount, message),) = saved.query(
        "select kind, amount_at_stake, message from marts.findings where message like '%G-7%'"
    )
    assert (kind, amount) == ("invoice_tax_unknown", Decimal("126.4"))
    assert "add Subtotal or Tax Total" in message


def test_no_row_of_these_files_is_in_quarantine(saved: Company) -> None:
    assert saved.query("select file, reason from marts.quarantined_rows") == []
