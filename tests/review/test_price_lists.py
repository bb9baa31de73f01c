"""Price lists as they land: Microsoft's own, prices per term, and sales compared with cost.

Each organization has one case. The expected result is next to each case.
"""

import io
import shutil
import zipfile
from collections.abc import Callable
from decimal import Decimal

import pytest
from conftest import Company

from dagster_project.settings import PROJECT_ROOT

BILL_COLUMNS = (
    "CustomerId,InvoiceNumber,ProductId,SkuId,ProductName,ChargeType,UnitPrice,Quantity,Subtotal,"
    "Currency,SubscriptionId,ChargeStartDate,ChargeEndDate,TermAndBillingCycle,BillableQuantity"
)
MONTH = "2026-01-05,2026-02-04"
YEAR = "2026-01-05,2027-01-04"
BILL = {
    "alder": f"CFQ7,0001,Basic,cycleCharge,4,10,40,USD,s1,{MONTH},,",
    "birch": f"CFQ7,0001,Basic,cycleCharge,40,10,400,USD,s2,{YEAR},,",
    "cedar": f"CFQ8,0002,Plus,cycleCharge,4,10,40,USD,s3,{MONTH},,",
    "dale": f"CFQ8,0002,Plus,cycleCharge,4,10,40,USD,s4,{MONTH},"
    "One-Month commitment for monthly billing,",
    "elm": f"DZH3,0003,Firewall,New,820,1,2592.67,USD,s5,{MONTH},,3.1618",
    "fir": f"CFQ9,0004,Phone,cycleCharge,4,10,40,USD,s6,{MONTH},,",
    "gum": f"CFQ9,0005,Fax,cycleCharge,4,10,40,USD,s7,{MONTH},,",
    "hazel": "CFQ7,0001,Basic,addQuantity,4,10,20,USD,s8,2026-01-20,2026-02-04,"
    "One-Year commitment for monthly billing,",
    "ivy": f"CFQ10,0006,Scan,cycleCharge,4,9,36,USD,s9,{MONTH},,",
    "juniper": f"CFQ10,0006,Scan,cycleCharge,4,10,40,USD,s10,{MONTH},,",
    "kapok": f"CFQ10,0006,Scan,cycleCharge,4,500,2000,USD,s11,{MONTH},,",
}
MICROSOFT = (
    "ProductTitle,ProductId,SkuId,SkuTitle,Publisher,SkuDescription,UnitOfMeasure,TermDuration,"
    "BillingPlan,Market,Currency,UnitPrice,PricingTierRangeMin,PricingTierRangeMax,"
    "EffectiveStartDate,EffectiveEndDate,Tags,ERP Price,Segment"
)


def listed(
    product: str, sku: str, term: str, plan: str, price: str, *, to: str = "", tier: str = ","
) -> str:
    """A row of Microsoft's list, open at both ends unless `to` is given. `tier` is its range."""
    end = to or "9999-11-30T23:59:59.0000000Z"
    return (
        f"{product},{product},{sku},{product},Microsoft,x,,{term},{plan},US,USD,1,{tier},"
        f"1753-01-01T00:00:00.0000000Z,{end},License,{price},Commercial"
    )


def zipped(name: str, content: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, content)
    return packed.getvalue()


@pytest.fixture(scope="module")
def priced(new_company: Callable[[], Company]) -> Company:
    company = new_company()
    organizations = "".join(f"{name},{name.title()},{name}-tenant,USD\n" for name in BILL)
    company.drop("organizations/o.csv", f"Organization,Name,Tenant ID,Currency\n{organizations}")
    rows = "".join(f"{name}-tenant,G1,{row}\n" for name, row in BILL.items())
    company.drop("billing_lines/b.csv", f"{BILL_COLUMNS}\n{rows}")
    company.drop(
        "price_list/nce.zip",
        zipped(
            "NCE_US.csv",
            "\n".join(
                [
                    MICROSOFT,
                    listed("CFQ7", "0001", "P1Y", "Monthly", "60"),
                    listed("CFQ7", "0001", "P1Y", "Annual", "57"),
                    listed("CFQ8", "0002", "P1M", "Monthly", "6"),
                    listed("CFQ8", "0002", "P1Y", "Monthly", "60"),
                    listed("CFQ8", "0002", "P1Y", "Monthly", "1", to="2025-12-31T23:59:59Z"),
                    listed("CFQ8", "0002", "forever", "Monthly", "1"),
                    listed("CFQ10", "0006", "P1M", "Monthly", "6", tier="1,9"),
                    listed("CFQ10", "0006", "P1M", "Monthly", "5", tier="10,99"),
                    listed("CFQ10", "0006", "P1M", "Monthly", "4.5", tier="100,"),
                    listed("CFQ10", "0006", "P1M", "Monthly", "4", tier="many,"),
                ]
            ),
        ),
    )
    company.drop(
        "price_list/own.csv",
        "Product,SKU,Unit Price,Currency,Valid From,Valid To,Term Duration,Billing Plan\n"
        "Basic,0001,60,USD,2023-02-01,,,\n"
        "Firewall,,900,USD,1753-01-01T00:00:00.0000000Z,9999-11-30T23:59:59.0000000Z,,\n"
        "Phone,0004,60,USD,2023-02-01,11/30/9999,,\n"
        "Fax,0005,60,USD,2023-02-01,9999-12-31,P1Y,Monthly\n",
    )
    return company.build()


def test_a_price_for_the_term_counts_per_cycle(priced: Company) -> None:
    assert priced.query(
        """
        select organization_id, quantity, round(total_sales, 6)
        from marts.billing_report where organization_id <> 'default' order by all
        """
    ) == [
        # 60 for a year billed monthly is 5 a month: 10 seats are 50. A price without a term is
        # for a cycle as billed, and one with a term comes first.
        ("alder", 10, 50),
        # The plan with yearly bills.
        ("birch", 10, 570),
        # 6 with a term of a month, 5 with one of a year: the bill leaves it open.
        ("cedar", 10, None),
        ("dale", 10, 60),
        # 900 x 3.1618.
        ("elm", Decimal("3.1618"), Decimal("2845.62")),
        # A price of a year without its term.
        ("fir", 10, 600),
        ("gum", 10, 50),
        # 16 of 31 days: 5 x 10 x 16 / 31.
        ("hazel", 10, Decimal("25.806452")),
        # Three tiers by quantity: from 1 at 6, from 10 at 5, from 100 at 4.50.
        ("ivy", 9, 54),
        ("juniper", 10, 50),
        ("kapok", 500, 2250),
    ]


def test_sales_far_from_cost_and_open_terms_are_findings(priced: Company) -> None:
    findings = priced.query(
        """
        select kind, organization_id, amount_at_stake, message from marts.findings
        where kind in ('sold_below_cost', 'sold_far_above_cost', 'no_price') order by all
        """
    )
    assert [finding[:3] for finding in findings] == [
        ("no_price", "cedar", 40),
        ("sold_far_above_cost", "fir", 560),
    ]
    assert "its prices depend on the term" in str(findings[0][3])
    assert '"Phone" costs 40 and is sold for 600' in str(findings[1][3])


def test_only_an_unknown_term_and_an_unknown_quantity_are_refused(priced: Company) -> None:
    assert priced.query(
        "select row_number, column_name, value from marts.quarantined_rows order by 1"
    ) == [
        (7, "TermDuration", "forever"),
        (11, "PricingTierRangeMin", "many"),
    ]


def test_a_line_that_is_sold_below_its_cost_is_a_finding(company: Company) -> None:
    company.drop("organizations/o.csv", "Organization,Name,Tenant ID\nelm,Elm,elm-tenant\n")
    # 900 for one unit, where the bill has 820 for each of 3.1618 hours and no BillableQuantity.
    row = f"DZH3,0003,Firewall,New,820,1,2592.67,USD,s5,{MONTH},,"
    company.drop("billing_lines/b.csv", f"{BILL_COLUMNS}\nelm-tenant,G1,{row}\n")
    company.drop(
        "price_list/p.csv", "Product,Unit Price,Currency,Valid From\nFirewall,900,USD,2025-01-01\n"
    )
    company.build()
    assert company.query(
        """
        select severity, organization_id, amount_at_stake from marts.findings
        where kind = 'sold_below_cost'
        """
    ) == [("warning", "elm", Decimal("1692.67"))]


def test_the_example_has_the_prices_and_findings_of_its_readme(
    new_company: Callable[[], Company],
) -> None:
    company = new_company()
    shutil.copytree(PROJECT_ROOT / "data" / "price-example" / "landing", company.data.landing)
    company.build()
    amounts = company.query(
        """
        select product_name, sum(quantity), round(sum(total_cost), 2), round(sum(total_sales), 2)
        from marts.billing_report group by product_name order by product_name
        """
    )
    assert amounts == [
        ("Microsoft 365 Business Premium", 12, Decimal("211.20"), 264),
        ("Microsoft 365 Copilot", 3, 72, 63),
        ("Power BI Pro", 3, Decimal("33.60"), 42),
        ("Visio Plan 2", 1, 12, None),
    ]
    assert company.query(
        "select kind, amount_at_stake from marts.findings where severity <> 'info' order by kind"
    ) == [("no_price", 12), ("sold_below_cost", 9)]
    assert company.query("select status from marts.invoice_reconciliation") == [("reconciled",)]
    assert company.query("select file from marts.quarantined_rows") == []
