"""Bills as three clerks save them from Excel: in Berlin, in Boston and in Osaka.

Each is a distributor's bill under column names of its own. Each lands with one entry in
apportion.toml, and each setting that is missing from the entry is named by a message.
"""

from dataclasses import dataclass
from decimal import Decimal

import pytest
from conftest import Company, NewCompany

LISTS = {
    "organizations/o.csv": "Organization,Name\nvet,Vet Clinic\n",
    "cost_centers/c.csv": "Cost Center ID,Organization,Name\nF,vet,Front Office\nS,vet,Surgery\n",
    "split_history/s.csv": (
        "Subscription ID,Event,Datetime,Total Quantity,Cost Center,Allocated Quantity,"
        "Organization\n"
        "office,Cost center split adjusted,2025-11-01,10,F,7,vet\n"
        "office,Cost center split adjusted,2025-11-01,10,S,3,vet\n"
    ),
}


@dataclass(frozen=True)
class Clerk:
    """A clerk's bill, the settings that it needs, and its columns with those of the format."""

    currency: str
    rows: str
    encoding: str
    settings: dict[str, str]
    columns: dict[str, str]
    unit: int = 1
    """The least amount of the yen is a hundred times that of the others."""

    def bill(self, invoice: str) -> bytes:
        return self.rows.replace("INVOICE", invoice).replace("\n", "\r\n").encode(self.encoding)

    def entry(self, pattern: str, without: str | None = None) -> str:
        """The entry of apportion.toml for files of the pattern."""
        settings = [f"{name} = {each}" for name, each in self.settings.items() if name != without]
        columns = [f'"{theirs}" = "{ours}"' for theirs, ours in self.columns.items()]
        values = {"Organization": "vet", "Charge Type": "cycleCharge", "Currency": self.currency}
        return "\n".join(
            [
                "[[files]]",
                f'pattern = "{pattern}"',
                *settings,
                *(["[files.columns]", *columns] if without != "columns" else []),
                "[files.values]",
                *(f'"{name}" = "{value}"' for name, value in values.items() if name != without),
            ]
        )


GERMAN_ROWS = """\
Vertrag;Bezeichnung;Stückzahl;Beginn;Ende;Betrag;Beleg
office;Büro;10;01.12.2025;31.12.2025;1.234,50;INVOICE
office;Büro;-1;05.12.2025;31.12.2025;-65,50;INVOICE
Summe;;;;;1.169,00;
"""
GERMAN_COLUMNS = {
    "Vertrag": "Subscription ID",
    "Bezeichnung": "Product Name",
    "Stückzahl": "Quantity",
    "Beginn": "Charge Start Date",
    "Ende": "Charge End Date",
    "Betrag": "Total Cost",
    "Beleg": "Invoice Number",
}
GERMAN_SETTINGS = {
    "date_order": '"DMY"',
    "decimals": '"comma"',
    "thousands": '"point"',
    "skip_rows": '["Summe"]',
}
CLERKS = {
    "berlin": Clerk(
        currency="EUR",
        rows=GERMAN_ROWS,
        encoding="cp1252",
        settings={"encoding": '"cp1252"', **GERMAN_SETTINGS},
        columns=GERMAN_COLUMNS,
    ),
    # "Unicode text" of Excel: tabs, and a mark that states the encoding.
    "vienna": Clerk(
        currency="EUR",
        rows=GERMAN_ROWS.replace(";", "\t"),
        encoding="utf-16",
        settings=GERMAN_SETTINGS,
        columns=GERMAN_COLUMNS,
    ),
    "boston": Clerk(
        currency="USD",
        rows=(
            "Agreement,Item,Qty,From,Through,Extended Cost,Doc No\n"
            'office,"Office, monthly",10,12/01/2025,12/31/2025,"1,234.50",INVOICE\n'
            'office,"Office, monthly",-1,12/05/2025,12/31/2025,-65.50,INVOICE\n'
        ),
        encoding="utf-8-sig",
        settings={"date_order": '"MDY"', "thousands": '"comma"'},
        columns={
            "Agreement": "Subscription ID",
            "Item": "Product Name",
            "Qty": "Quantity",
            "From": "Charge Start Date",
            "Through": "Charge End Date",
            "Extended Cost": "Total Cost",
            "Doc No": "Invoice Number",
        },
    ),
    "osaka": Clerk(
        currency="JPY",
        rows=(
            "契約番号,商品名,数量,開始日,終了日,金額,請求書番号\n"
            'office,オフィス表,10,2025/12/01,2025/12/31,"123,450",INVOICE\n'
            "office,オフィス表,-1,2025/12/5,2025/12/31,-6550,INVOICE\n"
        ),
        encoding="shift_jis",
        settings={"encoding": '"shift_jis"', "thousands": '"comma"'},
        columns={
            "契約番号": "Subscription ID",
            "商品名": "Product Name",
            "数量": "Quantity",
            "開始日": "Charge Start Date",
            "終了日": "Charge End Date",
            "金額": "Total Cost",
            "請求書番号": "Invoice Number",
        },
        unit=100,
    ),
}

LACKING = [
    (
        "berlin",
        "encoding",
        2,
        "not UTF-8 text; save the file as CSV UTF-8, or state its encoding in apportion.toml",
    ),
    ("berlin", "columns", 1, "map its columns under columns in apportion.toml"),
    ("berlin", "date_order", 2, "state date_order in apportion.toml"),
    ("berlin", "decimals", 2, "with decimals = point and thousands = point"),
    ("berlin", "thousands", 1, "with decimals = comma and thousands = none"),
    ("berlin", "skip_rows", 1, 'state skip_rows = ["Summe"] in apportion.toml'),
    ("berlin", "Currency", 1, "missing column Currency"),
    ("vienna", "columns", 1, "map its columns under columns in apportion.toml"),
    ("vienna", "date_order", 2, "state date_order in apportion.toml"),
    ("boston", "columns", 1, "map its columns under columns in apportion.toml"),
    ("boston", "date_order", 2, "state date_order in apportion.toml"),
    ("boston", "thousands", 1, "state decimals and thousands in apportion.toml"),
    ("boston", "Charge Type", 1, "missing column Charge Type"),
    ("osaka", "encoding", 1, "is not UTF-8 text; state its encoding in apportion.toml"),
    ("osaka", "columns", 1, "map its columns under columns in apportion.toml"),
    ("osaka", "thousands", 1, "state decimals and thousands in apportion.toml"),
]
"""Clerk, the setting that is missing, the rows in quarantine for it, and their message."""


def with_lists(company: Company) -> Company:
    for name, content in LISTS.items():
        company.drop(name, content)
    return company


@pytest.fixture(scope="module")
def declared(new_company: NewCompany) -> Company:
    """The bills of all clerks, each with its entry."""
    company = with_lists(new_company())
    company.data.declarations.write_text(
        "\n".join(clerk.entry(f"billing_lines/{name}/*") for name, clerk in CLERKS.items()),
        encoding="utf-8",
    )
    for name, clerk in CLERKS.items():
        company.drop(f"billing_lines/{name}/december.csv", clerk.bill(name))
    return company.build()


@pytest.fixture(scope="module")
def lacking(new_company: NewCompany) -> Company:
    """A bill per missing setting, and one per clerk without any entry."""
    company = with_lists(new_company())
    entries = []
    for name, setting, *_ in LACKING:
        folder = f"billing_lines/{name} without {setting}"
        entries.append(CLERKS[name].entry(f"{folder}/*", setting))
        company.drop(f"{folder}/december.csv", CLERKS[name].bill(f"{name} {setting}"))
    for name, clerk in CLERKS.items():
        company.drop(f"billing_lines/undeclared/{name}.csv", clerk.bill(f"{name} undeclared"))
    company.data.declarations.write_text("\n".join(entries), encoding="utf-8")
    return company.build()


@pytest.mark.parametrize("name", CLERKS)
def test_a_clerks_bill_gives_the_same_figures_with_one_entry(declared: Company, name: str) -> None:
    unit = CLERKS[name].unit
    # 1,234.50 and -65.50 at 7 to 3.
    assert declared.query(
        "select cost_center_name, sum(total_cost), any_value(currency),"
        " min(charge_start_date)::varchar, max(charge_end_date)::varchar"
        " from marts.billing_report where invoice_number = $invoice group by all"
        " having sum(total_cost) <> 0 order by all",
        {"invoice": name},
    ) == [
        (
            center,
            Decimal(cost) * unit,
            CLERKS[name].currency,
            "2025-12-01",
            "2025-12-31",
        )
        for center, cost in (("Front Office", "818.30"), ("Surgery", "350.70"))
    ]
    assert declared.query("select file, reason from marts.quarantined_rows") == []


def test_product_names_keep_their_letters(declared: Company) -> None:
    assert declared.query(
        "select distinct product_name from marts.billing_report order by product_name"
    ) == [("Büro",), ("Office, monthly",), ("オフィス表",)]


@pytest.mark.parametrize(
    ("name", "setting", "count", "message"), LACKING, ids=[f"{a} {b}" for a, b, *_ in LACKING]
)
def test_a_missing_setting_is_named(
    lacking: Company, name: str, setting: str, count: int, message: str
) -> None:
    found = lacking.query(
        "select reason from marts.quarantined_rows where file = $file and contains(reason, $text)",
        {"file": f"billing_lines/{name} without {setting}/december.csv", "text": message},
    )
    assert len(found) == count, lacking.query(
        "select row_number, column_name, value, reason from marts.quarantined_rows"
        " where file = $file",
        {"file": f"billing_lines/{name} without {setting}/december.csv"},
    )


@pytest.mark.parametrize("name", CLERKS)
def test_a_bill_without_an_entry_states_what_to_write(lacking: Company, name: str) -> None:
    ((reason,),) = lacking.query(
        "select reason from marts.quarantined_rows where file = $file",
        {"file": f"billing_lines/undeclared/{name}.csv"},
    )
    needs_encoding = "encoding" in CLERKS[name].settings
    assert ("state its encoding in apportion.toml" in reason) == needs_encoding
    assert ("map its columns under columns in apportion.toml" in reason) != needs_encoding
