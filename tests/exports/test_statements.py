"""Statements for cost centers, and the journal for the accounting system."""

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest
from browsers import NEEDS_CHROMIUM, chromium
from conftest import Company
from spreadsheets import copied_marts

from dagster_project import dbt_runner, publish, seeds
from dagster_project.exports import journal, statement_parts, statements
from dagster_project.exports.customer import write_customer_edition
from dagster_project.exports.scope import NothingInScope, NothingPublished, Scope, open_published
from dagster_project.settings import DataFolder

HEADER = (
    "Subscription ID,ProductName,Quantity,TotalCost,TotalSales,ChargeStartDate,BillingDate,"
    "BillingLineDetails,Organization,Currency\n"
)
CYCLE = "cycleCharge. From 1 Dec 2025 to 31 Dec 2025 (31 days)"
EXTRA = "addQuantity. From 17 Dec 2025 to 31 Dec 2025 (15 days)"


@pytest.fixture(scope="module")
def company(new_company: Callable[[], Company]) -> Company:
    """Thirds of 100 dollars, of 100 yen, a refund, and an organization without sales."""
    company = new_company()
    company.drop(
        "billing_lines/january.csv",
        HEADER
        + f"S1,Suite,3,80,100,1 Dec 2025,6 Jan 2026,{CYCLE},acme,USD\n"
        + f"S1,Suite,3,-8,-10,17 Dec 2025,6 Jan 2026,{EXTRA},acme,USD\n"
        + f"S1,=Suite,3,80,100,1 Dec 2025,6 Jan 2026,{CYCLE},acme,JPY\n"
        + f"S2,Suite,1,7.005,,1 Dec 2025,6 Jan 2026,{CYCLE},own use,USD\n",
    )
    company.drop(
        "split_history/splits.csv",
        "Subscription ID,Event,Datetime,Total Quantity,Cost Center,Allocated Quantity\n"
        + "".join(
            f"S1,Cost center split adjusted,2025-11-01,3,{name},1\n"
            for name in ("Arts", "<b>Books</b>", "Crafts & Co")
        ),
    )
    company.drop(
        "cost_centers/centers.csv",
        "Cost Center ID,Organization,Name,GL Account\n"
        "A,acme,Arts,4100\nB,acme,<b>Books</b>,4200\nC,acme,Crafts & Co,\n",
    )
    company.build()
    publish.publish(company.data, dbt_runner.read_manifest(), "state")
    return company


@pytest.fixture
def published(company: Company) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_published(company.data) as connection:
        yield connection


class Page(HTMLParser):
    """The cells of the tables of a page, by row; fails on markup from data."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.in_cell = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag != "b", "a name is rendered as markup"
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.in_cell = False

    def handle_data(self, data: str) -> None:
        if self.in_cell:
            self.rows[-1][-1] += data


def test_all_statements_of_an_organization_sum_to_its_bill(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    files = statements.write_statements(published, Scope("2026-01", "2026-01"), tmp_path)
    totals: dict[str, list[Decimal]] = defaultdict(list)
    for path in (each for each in files if each.suffix == ".html"):
        page = Page(path)
        (total,) = [row[1] for row in page.rows if row and row[0] == "Total"]
        sections = [row[1] for row in page.rows[1 : page.rows.index(["Total", total])]]
        amount = Decimal(total.replace(",", ""))
        assert sum(Decimal(each.replace(",", "")) for each in sections) == amount
        totals[f"{path.parent.name} {path.stem[-3:]}"].append(amount)
    # 100.00 less 10.00; three thirds of 100 yen; cost, since there are no sales.
    assert sum(totals["acme USD"]) == Decimal("90.00")
    assert sorted(totals["acme JPY"]) == [33, 33, 34]
    assert totals["own-use USD"] == [Decimal("7.01")]


def test_a_page_shows_sections_rounded_and_lines_exactly(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    statements.write_statements(published, Scope("2026-01", "2026-01", "acme"), tmp_path)
    rows = Page(tmp_path / "statements" / "acme" / "2026-01-A-USD.html").rows
    assert ["Charges in advance (whole billing cycles)", "33.33"] in rows
    assert ["Refunds", "-3.33"] in rows
    assert ["Total", "30.00"] in rows
    words = CYCLE.replace("cycleCharge", "Cycle charge")
    assert ["Suite", words, "33.33 %", "1", "Licenses", "33.333333"] in rows
    words = EXTRA.replace("addQuantity", "Added seats")
    assert ["Suite", words, "33.33 %", "1", "Licenses", "-3.333333"] in rows


def test_names_are_escaped_on_the_page(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    statements.write_statements(published, Scope("2026-01", "2026-01", "acme"), tmp_path)
    page = (tmp_path / "statements" / "acme" / "2026-01-B-USD.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;Books&lt;/b&gt;" in page
    yen = Page(tmp_path / "statements" / "acme" / "2026-01-A-JPY.html").rows
    assert any(row[:1] == ["=Suite"] for row in yen)


def customer_statements(company: Company, organization: str, folder: Path) -> tuple[Path, ...]:
    """The statements of a customer's edition for January 2026."""
    scope = Scope("2026-01", "2026-01", organization, "customer")
    with open_published(company.data) as connection:
        return write_customer_edition(connection, company.data, scope, folder).statements


def test_a_customer_statement_shows_no_cost(company: Company, tmp_path: Path) -> None:
    files = customer_statements(company, "acme", tmp_path)
    text = "".join(path.read_text(encoding="utf-8") for path in files if path.suffix != ".pdf")
    assert "33.33" in text
    assert sum(path.suffix == ".html" for path in files) == 6
    # A third of 80 and of 8, and 80 itself.
    assert not re.search(r"26\.6|2\.66|\b80\b|cost_|own use", text.replace("cost_center", ""))
    assert customer_statements(company, "own use", tmp_path) == ()


def test_a_customer_statement_is_not_written_from_published_tables(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    customer = Scope("2026-01", "2026-01", "acme", "customer")
    with pytest.raises(ValueError, match="customer's own tables"):
        statements.write_statements(published, customer, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_changed_seed_never_loses_a_line_silently(
    published: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = seeds.seed("statement_sections")
    scope = Scope("2026-01", "2026-01", "acme")

    def changed(charge_kind: str, **values: str) -> None:
        """The seed with other values in one row, or without the row."""
        kept = [
            {**row, **values} if row["charge_kind"] == charge_kind else row
            for row in rows
            if values or row["charge_kind"] != charge_kind
        ]
        monkeypatch.setattr(statements, "seed", lambda name: tuple(kept))
        by_kind = {row["charge_kind"]: row["section"] for row in kept}
        monkeypatch.setattr(statement_parts, "seed_values", lambda name, key, value: by_kind)

    changed("cycle")
    with pytest.raises(statements.StatementDiffers, match="charge kind cycle has no row"):
        statements.write_statements(published, scope, tmp_path)
    # The published amounts have the old section, the lines the new one.
    changed("cycle", section="usage")
    with pytest.raises(statements.StatementDiffers, match="run make run"):
        statements.write_statements(published, scope, tmp_path)
    changed("cycle", title="Monthly charges")
    statements.write_statements(published, scope, tmp_path)
    rows_of_page = Page(tmp_path / "statements" / "acme" / "2026-01-A-USD.html").rows
    assert ["Monthly charges", "33.33"] in rows_of_page


def test_lines_must_sum_to_the_published_amount(company: Company, tmp_path: Path) -> None:
    with copied_marts(company.data.published_database) as connection:
        connection.execute(
            "delete from billing_report where cost_center_id = 'A' and charge_kind = 'refund'"
        )
        with pytest.raises(statements.StatementDiffers, match="section refund"):
            statements.write_statements(connection, Scope("2026-01", "2026-01"), tmp_path)


@pytest.fixture(scope="module")
def sharing(new_company: Callable[[], Company]) -> Company:
    """IT passes its 60 dollars on to Arts and Books, and receives half of the 8 of the archive."""
    company = new_company()
    company.drop(
        "billing_lines/january.csv",
        HEADER
        + f"S1,Suite,3,60,90,1 Dec 2025,6 Jan 2026,{CYCLE},acme,USD\n"
        + f"S2,Archive,1,8,10,1 Dec 2025,6 Jan 2026,{CYCLE},acme,USD\n",
    )
    company.drop(
        "split_history/splits.csv",
        "Subscription ID,Event,Datetime,Total Quantity,Cost Center ID,Cost Center,"
        "Allocated Quantity\n"
        "S1,Cost center split adjusted,2025-11-01,3,I,IT,3\n"
        "S2,Cost center split adjusted,2025-11-01,1,A,Arts,1\n",
    )
    company.drop(
        "cost_centers/centers.csv",
        "Cost Center ID,Organization,Name,Is Shared\n"
        "I,acme,IT,yes\nA,acme,Arts,no\nB,acme,<b>Books</b>,no\n",
    )
    company.drop(
        "shared_costs/rules.csv",
        "Organization,Shared Cost Center ID,Product,Method,Cost Center ID,Percent,Valid From\n"
        "acme,I,,even,,,2025-01-01\n"
        "acme,,Archive,percent,A,25,2025-01-01\n"
        "acme,,Archive,percent,I,50,2025-01-01\n",
    )
    company.build()
    publish.publish(company.data, dbt_runner.read_manifest(), "state")
    return company


def test_a_statement_lists_shared_costs_with_their_counterparty(
    sharing: Company, tmp_path: Path
) -> None:
    with open_published(sharing.data) as connection:
        scope = Scope("2026-01", "2026-01", "acme")
        files = statements.write_statements(connection, scope, tmp_path)
    pages = {path.stem[8:-4]: Page(path).rows for path in files if path.suffix == ".html"}
    # 10 of the archive: 5 to IT, 2.50 of Arts for Arts itself. 90 + 5 of IT go on in halves.
    section = "Shared costs (received less passed on)"
    assert [section, "42.50"] in pages["A"]
    assert ["Total", "52.50"] in pages["A"]
    assert [
        "Archive",
        "to IT, fixed percentage (shared product Archive)",
        "50.00 %",
        "",
        "",
        "-5.00",
    ] in (pages["A"])
    assert ["Archive", "from IT, equal parts", "50.00 %", "", "", "2.50"] in pages["A"]
    assert [section, "-90.00"] in pages["I"]
    assert ["Total", "0.00"] in pages["I"]
    assert ["Suite", "to <b>Books</b>, equal parts", "50.00 %", "", "", "-45.00"] in pages["I"]
    # Books has a statement although no billing line has it.
    assert pages["B"][1:3] == [[section, "47.50"], ["Total", "47.50"]]
    with (tmp_path / "shared_costs.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert sum(Decimal(row["shared_cost"]) for row in rows if row["step"] == "2") == 64


OVERLAPPING_OR_CUT = """
() => [...document.querySelectorAll("th, td")]
  .filter((cell) => cell.scrollWidth > cell.clientWidth + 1
    || cell.getBoundingClientRect().right > innerWidth)
  .map((cell) => cell.textContent)
"""


@NEEDS_CHROMIUM
def test_a_statement_fits_a_phone(sharing: Company, tmp_path: Path) -> None:
    with open_published(sharing.data) as connection:
        files = statements.write_statements(
            connection, Scope("2026-01", "2026-01", "acme"), tmp_path
        )
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 390, "height": 844})
        pages = [path for path in files if path.suffix == ".html"]
        for path in pages:
            page.goto(path.as_uri())
            assert page.evaluate(OVERLAPPING_OR_CUT) == [], path
    assert len(pages) >= 3


def test_a_customer_statement_lists_shared_sales_and_no_cost(
    sharing: Company, tmp_path: Path
) -> None:
    customer_statements(sharing, "acme", tmp_path)
    with (tmp_path / "acme" / "shared_costs.csv").open(encoding="utf-8-sig", newline="") as file:
        (header, *rows) = csv.reader(file)
    assert "shared_sales" in header
    assert not {"shared_cost", "shared_margin"} & {*header}
    words = [row[header.index("explanation")] for row in rows]
    assert words and all(" receives " in each and "cost" not in each for each in words)
    # Half of 60, of 8 and of 4, and a quarter of 8: what the parts cost.
    assert not {"30", "4", "2"} & {row[header.index("shared_sales")] for row in rows}


def test_without_shared_costs_there_is_no_list_of_them(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    statements.write_statements(published, Scope("2026-01", "2026-01"), tmp_path)
    assert not (tmp_path / "shared_costs.csv").exists()


def test_the_journal_balances_and_names_the_accounts(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "journal.csv"
    total = journal.write_journal(published, Scope("2026-01", "2026-01", "acme"), path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        entries = list(csv.DictReader(file))
    for currency in ("USD", "JPY"):
        sides = [entry for entry in entries if entry["Currency"] == currency]
        assert sum(Decimal(each["Debit"]) for each in sides) == sum(
            Decimal(each["Credit"]) for each in sides
        )
    # 100 yen are charged; in dollars every statement is 33.33 less 3.33, which makes 30.00 each and
    # 90.00 together. Refunded amounts are entered on the opposite side.
    assert total == Decimal("100") + 3 * (Decimal("33.33") + Decimal("3.33"))
    arts = [entry for entry in entries if entry["Cost Center"] == "A" and entry["Line"] == "1"]
    assert [(e["Account"], e["Debit"], e["Credit"], e["Type"]) for e in arts] == [
        # The yen that is left of 100 over thirds goes to the first cost center.
        ("4100", "34", "0", "charge"),
        ("4100", "33.33", "0", "charge"),
        ("4100", "0", "3.33", "reversal"),
    ]
    crafts = {entry["Account"] for entry in entries if entry["Cost Center"] == "C"}
    assert crafts == {"499999", "199000"}, "no account of its own, and clearing"
    assert not any(entry["Debit"].startswith("-") for entry in entries)


def test_the_journal_has_the_column_names_of_the_accounting_system(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    wanted = tmp_path / "names.json"
    wanted.write_text('{"gl_account": "Konto", "debit": "Soll", "credit": "Haben"}')
    path = tmp_path / "journal.csv"
    journal.write_journal(
        published, Scope("2026-01", "2026-01"), path, journal.read_column_names(wanted)
    )
    assert path.read_text(encoding="utf-8-sig").splitlines()[0] == "Konto,Soll,Haben"
    wanted.write_text('{"gl_account": "Konto", "sum": "Summe"}')
    with pytest.raises(journal.UnknownJournalColumn, match="no column sum"):
        journal.read_column_names(wanted)


def test_an_empty_scope_and_an_unpublished_folder_are_refused(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    with pytest.raises(NothingInScope, match="2031-01"):
        statements.write_statements(published, Scope("2031-01", "2031-01"), tmp_path)
    with pytest.raises(NothingInScope, match="2031-01"):
        journal.write_journal(published, Scope("2031-01", "2031-01"), tmp_path / "journal.csv")
    with pytest.raises(NothingPublished, match="make run"):
        open_published(DataFolder(tmp_path))
