"""Bills as providers hand them over, written down as short tables."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from conftest import Company

FOCUS_HEADER = (
    "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,"
    "ChargeCategory,ChargePeriodStart,ChargePeriodEnd,PricingQuantity,ProviderName,ResourceId,"
    "ServiceName,SubAccountId,InvoiceId"
)
PARTNER_CENTER_HEADER = (
    "CustomerId,InvoiceNumber,ProductId,SkuId,ProductName,ChargeType,UnitPrice,Quantity,Subtotal,"
    "Currency,SubscriptionId,ChargeStartDate,ChargeEndDate"
)
USAGE_HEADER = (
    "CustomerId,InvoiceNumber,ProductId,SkuId,ProductName,SubscriptionId,ChargeStartDate,"
    "ChargeEndDate,UsageDate,UnitPrice,Quantity,BillingPreTaxTotal,BillingCurrency,MeterId"
)
BROKER_HEADER = (
    "Subscription ID,ProductName,Quantity,TotalCost,ChargeStartDate,BillingDate,BillingLineDetails,"
    "Currency"
)

JANUARY, FEBRUARY, MARCH = (datetime(2026, month, 1).timestamp() for month in (1, 2, 3))


def words(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines() if line.strip()]


def focus(invoice: str, rows: str, provider: str = "Northwind", account: str = "acc") -> str:
    """FOCUS lines of January. Columns: day, resource, cost."""
    lines = [
        f"{cost},{account},USD,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z,Usage,"
        f"2026-01-{int(day):02}T00:00:00Z,2026-01-{int(day) + 1:02}T00:00:00Z,1,{provider},"
        f"{resource},Compute,{account}-1,{invoice}"
        for day, resource, cost in words(rows)
    ]
    return "\n".join([FOCUS_HEADER, *lines]) + "\n"


def partner_center_rows(invoice: str, rows: str) -> list[list[str]]:
    """New-commerce rows of January. Columns: subscription, cost; azure is sold as product P2."""
    return [
        [
            *("customer", invoice, "P2" if subscription == "azure" else "P1", "S1", "Chat", "new"),
            *(cost, "1", cost, "USD", subscription, "2026-01-05", "2026-02-04"),
        ]
        for subscription, cost in words(rows)
    ]


def partner_center(invoice: str, rows: str) -> str:
    lines = [",".join(row) for row in partner_center_rows(invoice, rows)]
    return "\n".join([PARTNER_CENTER_HEADER, *lines]) + "\n"


def partner_center_json(invoice: str, rows: str) -> str:
    headers = PARTNER_CENTER_HEADER.split(",")
    return "".join(
        json.dumps(dict(zip(headers, row, strict=True))) + "\n"
        for row in partner_center_rows(invoice, rows)
    )


def usage(invoice: str, rows: str) -> str:
    """Daily usage of subscription azure. Columns: day, cost."""
    lines = [
        f"customer,{invoice},P2,S2,Azure plan,azure,2026-01-01,2026-01-31,2026-01-{int(day):02},"
        f"1,1,{cost},USD,meter"
        for day, cost in words(rows)
    ]
    return "\n".join([USAGE_HEADER, *lines]) + "\n"


def broker(rows: str) -> str:
    """A broker's report. Columns: subscription, billing date, cost."""
    lines = [
        f"{subscription},Chat,1,{cost},2026-01-05,{billed},"
        "cycleCharge. From 05 Jan 2026 to 04 Feb 2026 (31 days),USD"
        for subscription, billed, cost in words(rows)
    ]
    return "\n".join([BROKER_HEADER, *lines]) + "\n"


def invoices(rows: str) -> str:
    """A list of invoices. Columns: number, subtotal, provider or -."""
    lines = [
        f"{number},2026-02-06,USD,{subtotal},{'' if provider == '-' else provider}"
        for number, subtotal, provider in words(rows)
    ]
    return "\n".join(["Invoice Number,Invoice Date,Currency,Subtotal,Provider", *lines]) + "\n"


def azure_manifest(folder: str, parts: Mapping[str, str], submitted: str | None = None) -> str:
    """The manifest of parts by file name, in a container where they lie in another folder."""
    return json.dumps(
        {
            "manifestVersion": "2024-04-01",
            "blobCount": len(parts),
            "exportConfig": {"exportName": folder, "type": "FocusCost", "timeFrame": "MonthToDate"},
            "runInfo": {"runId": f"{folder} {submitted}", "submittedTime": submitted},
            "blobs": [
                {
                    "blobName": f"focus/{folder}/{name}",
                    "byteCount": len(content),
                    "dataRowCount": content.count("\n") - 1,
                }
                for name, content in parts.items()
            ],
        }
    )


@dataclass
class Landing:
    """Files of bills to be landed, each with the time at which it was written."""

    company: Company
    names: list[str] = field(default_factory=list)

    def put(self, name: str, content: str | bytes, written: float = FEBRUARY) -> None:
        path = self.company.drop(f"billing_lines/{name}", content)
        os.utime(path, (written, written))
        self.names.append(name)
