"""Files and queries of the tests of closing, as text tables with columns two spaces apart.

A build takes seconds, so tests share stories: a company is billed, closes, receives late files and
continues. A fixture builds a story; each chapter is a copy of the warehouse at that point. All
organizations have two cost centers, sales and market.
"""

import os
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import Company
from written_tables import csv, plain, table

from dagster_project.errors import ClosingRefused
from dagster_project.ledger import closing
from dagster_project.ledger.postings import Posting
from dagster_project.settings import DataFolder

SPLITS = """
writer   2024-12-01T08:00:00Z  6  4
reader   2024-12-01T08:00:00Z  4  0
viewer   2024-12-01T08:00:00Z  2  3
planner  2024-12-01T08:00:00Z  1  2
project  2024-12-01T08:00:00Z  4  4
"""
FIRST_BILL = """
writer   cycleCharge  10  100  2024-12-10  2025-01-09
reader   cycleCharge   4   20  2024-12-10  2025-01-09
viewer   cycleCharge   5   30  2024-12-10  2025-01-09
"""
SECOND_BILL = """
writer   cycleCharge  10  100  2024-12-10  2025-01-09
reader   cycleCharge   4   24  2024-12-10  2025-01-09
planner  cycleCharge   3    9  2024-12-10  2025-01-09
"""


def invoice(number: str, text: str) -> str:
    """A Partner Center invoice. Columns: subscription, charge type, seats, cost, from, to."""
    return csv(
        "CustomerId,InvoiceNumber,ProductId,SkuId,Currency,ProductName,SubscriptionId,ChargeType,"
        "UnitPrice,Quantity,Subtotal,ChargeStartDate,ChargeEndDate",
        [
            ["alder", number, "P", "0001", "USD", f"{name} license", name, kind, "10", *rest]
            for name, kind, *rest in table(text)
        ],
    )


BROKER_DETAILS = "cycleCharge. From 10 Dec 2024 to 9 Jan 2025 (31 days)"


def broker_report(text: str) -> str:
    """A broker's report. Columns: billing date, subscription, seats, cost, sales."""
    return csv(
        "Organization,Currency,BillingLineDetails,ChargeStartDate,BillingDate,ProductName,"
        "Subscription ID,Quantity,TotalCost,TotalSales",
        [
            ["alder", "USD", BROKER_DETAILS, "2024-12-10", day, f"{name} license", name, *rest]
            for day, name, *rest in table(text)
        ],
    )


def splits(text: str) -> str:
    """Split snapshots. Columns: subscription, instant, seats of sales, seats of market."""
    event = "Cost center split adjusted"
    return csv(
        "Subscription ID,Event,Datetime,Total Quantity,Cost Center ID,Cost Center,"
        "Allocated Quantity,Organization",
        [
            [name, event, instant, str(int(sales) + int(market)), *center, "alder"]
            for name, instant, sales, market in table(text)
            for center in (("sales", "Sales", sales), ("market", "Market", market))
        ],
    )


def corrections(text: str) -> str:
    """Approved corrections. Columns: subscription, period, cost center, seats."""
    return csv(
        "Subscription ID,Billing Period,Cost Center ID,Allocated Quantity,Approved By,Reason",
        [[*row, "Grace", "moved in December"] for row in table(text)],
    )


def invoices(text: str) -> str:
    """A list of invoices. Columns: number, date, subtotal."""
    return csv(
        "Invoice Number,Invoice Date,Currency,Subtotal",
        [[number, day, "USD", subtotal] for number, day, subtotal in table(text)],
    )


def cost_centers(sales: str = "Sales", market: str = "Market") -> str:
    return csv(
        "Cost Center ID,Organization,Name,Is Default",
        [
            ["default", "alder", "Default", "true"],
            ["sales", "alder", sales, "false"],
            ["market", "alder", market, "false"],
        ],
    )


def organizations(name: str = "Alder & Birch", refund_policy: str = "as_documented") -> str:
    return csv("Organization,Name,Refund Policy", [["alder", name, refund_policy]])


def land(company: Company, name: str, content: str | bytes, written: int) -> Path:
    """Drop a file that was written `written` hours after 2025-01-01."""
    path = company.drop(name, content)
    moment = 1_735_689_600 + 3600 * written
    os.utime(path, (moment, moment))
    return path


def rename_everybody(company: Company) -> None:
    land(company, "cost_centers/cost_centers.csv", cost_centers("Revenue", "Brand"), 20)
    land(company, "organizations/organizations.csv", organizations("Alder Group"), 20)


def close(company: Company, period: str, reason: str | None = None) -> Posting:
    return closing.close(company.data, period, reason)


def chapter(company: Company, name: str) -> Company:
    """A copy of the company in its current state, for later tests."""
    root = company.data.root
    copy = Company(DataFolder(root.with_name(f"{root.name} {name}")), company.failures)
    copy.data.root.mkdir()
    shutil.copy(company.data.warehouse, copy.data.warehouse)
    if company.data.ledger.is_dir():
        shutil.copytree(company.data.ledger, copy.data.ledger)
    return copy


def report(company: Company, columns: str, where: str = "true") -> list[str]:
    """Rows of the report with an amount or a quantity, as words, sorted."""
    rows = company.query(
        f"""
        select {columns} from marts.billing_report
        where (total_cost <> 0 or quantity <> 0) and {where}
        """
    )
    return sorted(" ".join(map(plain, row)) for row in rows)


def total(company: Company, where: str = "true", measure: str = "total_cost") -> Decimal:
    ((found,),) = company.query(
        f"select coalesce(sum({measure}), 0) from marts.billing_report where {where}"
    )
    return Decimal(found)


def charged(company: Company, mart: str, period: str) -> list[str]:
    """Quantity, cost and sales of each cost center and product in a period."""
    rows = company.query(
        f"""
        select product_name, cost_center_id, sum(quantity), sum(total_cost), sum(total_sales)
        from marts.{mart}
        where billing_period = $period
        group by all
        having sum(quantity) <> 0 or sum(total_cost) <> 0
        """,
        {"period": period},
    )
    return sorted(" ".join(map(plain, row)) for row in rows)


def as_corrected(company: Company, period: str) -> list[str]:
    return charged(company, "chargeback_as_corrected", period)


def as_billed(company: Company, period: str) -> list[str]:
    return charged(company, "chargeback", period)


def frozen(company: Company, period: str) -> list[tuple]:
    """All rows of a period, with all columns, in a fixed order."""
    return company.query(
        "select * from marts.billing_report where billing_period = $period order by all",
        {"period": period},
    )


def ledger_bytes(company: Company) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in company.data.ledger.iterdir()}


def all_marts(company: Company) -> dict[str, list[tuple]]:
    names = company.query(
        "select table_name from information_schema.tables where table_schema = 'marts'"
    )
    return {name: company.query(f'select * from marts."{name}" order by all') for (name,) in names}


def refusal(company: Company, period: str, reason: str | None = None) -> str:
    """The message of a refused closing, which must not change the ledger."""
    before = ledger_bytes(company) if company.data.ledger.exists() else {}
    with pytest.raises(ClosingRefused) as refused:
        close(company, period, reason)
    assert (ledger_bytes(company) if company.data.ledger.exists() else {}) == before
    return str(refused.value)
