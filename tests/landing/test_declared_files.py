"""Bills as distributors and clerks send them, read as apportion.toml declares."""

import io
from datetime import date
from decimal import Decimal

import openpyxl
from conftest import Company

ORGANIZATIONS = "Organization,Name,Tenant ID\nvet,Vet Clinic,t-1\n"
CENTERS = "Cost Center ID,Organization,Name\nF,vet,Front Office\nS,vet,Surgery\n"
SPLITS = (
    "Subscription ID,Event,Datetime,Total Quantity,Cost Center,Allocated Quantity,Organization\n"
    "office,Cost center split adjusted,2025-12-01,10,F,7,vet\n"
    "office,Cost center split adjusted,2025-12-01,10,S,3,vet\n"
)


def with_lists(company: Company) -> Company:
    company.drop("organizations/o.csv", ORGANIZATIONS)
    company.drop("cost_centers/c.csv", CENTERS)
    company.drop("split_history/s.csv", SPLITS)
    return company


def declare(company: Company, text: str) -> None:
    company.data.root.mkdir(parents=True, exist_ok=True)
    company.data.declarations.write_text(text, encoding="utf-8")


def charged(company: Company) -> dict[str, Decimal]:
    return dict(
        company.query(
            "select cost_center_name, sum(total_cost) from marts.billing_report"
            " group by all having sum(total_cost) <> 0"
        )
    )


def test_a_german_clerks_report_lands_with_one_declaration(company: Company) -> None:
    with_lists(company)
    declare(
        company,
        """
        [[files]]
        pattern = "billing_lines/berlin/*"
        encoding = "cp1252"
        date_order = "DMY"
        decimals = "comma"
        thousands = "point"
        skip_rows = ["Summe"]
        header_row = 3
        [files.columns]
        Abonnement = "Subscription ID"
        Produkt = "ProductName"
        Menge = "Quantity"
        Kosten = "TotalCost"
        Beginn = "ChargeStartDate"
        Rechnungsdatum = "BillingDate"
        Einzelheiten = "BillingLineDetails"
        [files.values]
        Organization = "vet"
        Currency = "EUR"
        """,
    )
    company.drop(
        "billing_lines/berlin/januar.csv",
        (
            "Rechnung für Praxis Süd;;;;;;\n;;;;;;\n"
            "Abonnement;Produkt;Menge;Kosten;Beginn;Rechnungsdatum;Einzelheiten\n"
            "office;Büro;10;1.000,50;01.01.2026;02.02.2026;"
            "cycleCharge. From 1 Jan 2026 to 31 Jan 2026 (31 days)\n"
            "Summe;;;1.000,50;;;\n"
        ).encode("cp1252"),
    )
    company.build()
    assert charged(company) == {"Front Office": Decimal("700.35"), "Surgery": Decimal("300.15")}
    assert company.query("select distinct product_name from marts.billing_report") == [("Büro",)]
    assert company.query("select count(*) from marts.quarantined_rows") == [(0,)]
    assert company.query("select message from marts.findings where kind = 'rows_skipped'") == [
        (
            "billing_lines/berlin/januar.csv: 1 rows are skipped as apportion.toml states"
            " (skip_rows = Summe)",
        )
    ]


WORKBOOK_DECLARATION = """
[[files]]
pattern = "billing_lines/berlin/*"
sheet = "Rechnung"
header_row = 4
skip_rows = ["Summe"]
date_order = "DMY"
decimals = "comma"
thousands = "point"
[files.columns]
Abonnement = "Subscription ID"
Produkt = "Product Name"
Menge = "Quantity"
Kosten = "Total Cost"
Beginn = "Charge Start Date"
Ende = "Charge End Date"
Rechnung = "Invoice Number"
[files.values]
Organization = "vet"
Currency = "EUR"
"Charge Type" = "cycleCharge"
"""


def german_workbook() -> bytes:
    """A bill with cells of numbers and dates and cells of text, on the second sheet."""
    book = openpyxl.Workbook()
    cover = book.worksheets[0]
    cover.title = "Deckblatt"
    cover.append(["Kunde", "Praxis Süd"])
    cover.append(["Summe", 2346.75])
    sheet = book.create_sheet("Rechnung")
    sheet.append(["Rechnung R-7", "Praxis Süd", "Berlin", "Januar", "Seite", "1", "von 1"])
    sheet.append([])
    sheet.append(["alle Beträge in EUR"])
    sheet.append(["Abonnement", "Produkt", "Menge", "Kosten", "Beginn", "Ende", "Rechnung"])
    month = (date(2026, 1, 1), date(2026, 1, 31))
    # 1.234 is a number of one euro and some cents; as text it is a thousand.
    sheet.append(["office", "Büro", 10, 1.234, *month, "R-7"])
    sheet.append(["office", "Büro", "10", "1.234", "01.01.2026", "31.01.2026", "R-7"])
    sheet.append(["office", "Büro", 10, "1.111,516", *month, "R-7"])
    sheet.append(["Summe", None, None, 2346.75])
    sheet.merge_cells("A8:C8")
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def test_a_bill_on_the_second_sheet_of_a_workbook_lands_as_declared(company: Company) -> None:
    with_lists(company)
    declare(company, WORKBOOK_DECLARATION)
    company.drop("billing_lines/berlin/januar.xlsx", german_workbook())
    company.build()
    assert company.query("select file, reason from marts.quarantined_rows") == []
    assert company.query(
        "select total_cost, quantity, charge_start_date::varchar, charge_end_date::varchar"
        " from (select line_id, sum(total_cost) as total_cost, sum(quantity) as quantity,"
        " any_value(charge_start_date) as charge_start_date,"
        " any_value(charge_end_date) as charge_end_date from marts.billing_report group by all)"
        " order by total_cost"
    ) == [
        (Decimal("1.234"), Decimal(10), "2026-01-01", "2026-01-31"),
        (Decimal("1111.516"), Decimal(10), "2026-01-01", "2026-01-31"),
        (Decimal("1234"), Decimal(10), "2026-01-01", "2026-01-31"),
    ]
    # 70 % and 30 % of 2,346.75
    assert charged(company) == {"Front Office": Decimal("1642.725"), "Surgery": Decimal("704.025")}
    assert company.query("select sheet from raw.landed_files where feed = 'billing_lines'") == [
        ("Rechnung",)
    ]


def test_a_sheet_that_is_not_in_the_workbook_refuses_it_by_name(company: Company) -> None:
    declare(company, "[feeds.billing_lines]\nsheet = 'Rechnungen'\n")
    company.drop("billing_lines/januar.xlsx", german_workbook())
    company.build()
    assert company.query("select reason from marts.quarantined_rows") == [
        (
            "apportion.toml states sheet = 'Rechnungen', which the workbook does not have; did you"
            " mean 'Rechnung'?",
        )
    ]


def test_a_mapped_column_that_is_not_in_the_file_refuses_it_by_name(company: Company) -> None:
    declare(company, "[feeds.billing_lines.columns]\n'Menge' = 'Quantity'\n")
    company.drop("billing_lines/a.csv", "Subscription,Mengen\noffice,1\n")
    company.build()
    assert company.query("select reason from marts.quarantined_rows") == [
        (
            "apportion.toml maps the column 'Menge', which the file does not have; did you mean"
            " 'Mengen'?",
        )
    ]


def test_azure_usage_is_split_by_the_declared_entitlement(company: Company) -> None:
    with_lists(company)
    declare(company, "[feeds.billing_lines]\nsubscription_id = 'EntitlementId'\n")
    company.drop(
        "billing_lines/usage.csv",
        "CustomerId,InvoiceNumber,ProductId,SkuId,ProductName,SubscriptionId,ChargeStartDate,"
        "ChargeEndDate,UsageDate,UnitPrice,Quantity,BillingPreTaxTotal,BillingCurrency,"
        "EntitlementId\n"
        "t-1,G1,P,S,Azure plan,plan,1/1/2026,1/31/2026,1/16/2026,1,100,100.00,USD,office\n",
    )
    company.build()
    assert charged(company) == {"Front Office": Decimal(70), "Surgery": Decimal(30)}


def test_a_legacy_bill_is_split_by_the_number_that_the_portal_shows(company: Company) -> None:
    with_lists(company)
    company.drop(
        "billing_lines/legacy.csv",
        "CustomerId,SubscriptionId,SyndicationPartnerSubscriptionNumber,OfferName,ChargeStartDate,"
        "ChargeEndDate,ChargeType,UnitPrice,Quantity,Amount,Subtotal,Currency\n"
        "t-1,internal,office,Office,1/1/2026,1/31/2026,Cycle fee,20,10,200,200,USD\n",
    )
    company.build()
    assert charged(company) == {"Front Office": Decimal(140), "Surgery": Decimal(60)}


def test_microsofts_dates_are_month_day_year(company: Company) -> None:
    with_lists(company)
    company.drop(
        "billing_lines/recon.csv",
        "CustomerId,InvoiceNumber,ProductId,SkuId,ProductName,ChargeType,UnitPrice,Quantity,"
        "Subtotal,Currency,SubscriptionId,ChargeStartDate,ChargeEndDate\n"
        "t-1,G1,P,S,Office,cycleCharge,12,10,120.00,USD,office,1/2/2026,2/1/2026\n",
    )
    company.build()
    assert company.query(
        "select distinct charge_start_date::varchar, charge_end_date::varchar"
        " from marts.billing_report"
    ) == [("2026-01-02", "2026-02-01")]


PAX = (
    "Company,Product,Plan,Start,End,Qty,Cost,Price,Invoice\n"
    "Vet Clinic,Office,office,2026-01-01,2026-01-31,10,100.00,130.00,PX-7\n"
)


def test_any_distributors_bill_lands_with_declared_columns(company: Company) -> None:
    with_lists(company)
    declare(
        company,
        """
        [[files]]
        pattern = "billing_lines/distributor/*"
        [files.columns]
        Company = "Organization"
        Product = "Product Name"
        Plan = "Subscription ID"
        Start = "Charge Start Date"
        End = "Charge End Date"
        Qty = "Quantity"
        Cost = "Total Cost"
        Price = "Total Sales"
        Invoice = "Invoice Number"
        [files.values]
        "Charge Type" = "cycleCharge"
        Currency = "USD"
        """,
    )
    company.drop("billing_lines/distributor/january.csv", PAX)
    company.build()
    assert company.query(
        "select cost_center_name, quantity, total_cost, total_sales, charge_kind"
        " from marts.billing_report where quantity <> 0 order by 1"
    ) == [
        ("Front Office", Decimal(7), Decimal(70), Decimal(91), "cycle"),
        ("Surgery", Decimal(3), Decimal(30), Decimal(39), "cycle"),
    ]
