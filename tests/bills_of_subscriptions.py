"""Bills of subscriptions as text tables, and their rows in the marts."""

import json
from collections.abc import Mapping, Sequence

from conftest import Company
from written_tables import csv, in_words, table

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
    """Rows of the billing report with an amount or a quantity, as words, sorted."""
    return in_words(
        company.query(
            f"""
            select {columns} from marts.billing_report
            where (total_cost <> 0 or quantity <> 0) and {where}
            """
        )
    )


def reconciliation(company: Company, invoice: str) -> list[str]:
    """The totals of the invoice, its lines and the report, and the status."""
    return in_words(
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
