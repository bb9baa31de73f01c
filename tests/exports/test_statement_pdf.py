"""Statements as PDF: the figures of the statement, wrapped names, logo, refused scripts."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import duckdb
import pypdf
import pytest
from conftest import Company
from PIL import Image
from spreadsheets import pdf_text

from dagster_project import wording
from dagster_project.exports import statements
from dagster_project.exports.customer import write_customer_edition
from dagster_project.exports.scope import Scope, open_published
from dagster_project.exports.statement_look import Look, StyleInvalid, read_look, usual_look
from dagster_project.exports.statement_parts import Account, Bill, Line, Section, Statement
from dagster_project.exports.statement_pdf import NotPrintable, statement_pdf, whole_amounts
from dagster_project.files import file_name
from dagster_project.mail.settings import DeliveryInvalid, StatementStyle, read_delivery
from dagster_project.settings import DataFolder

BILL = Bill(Decimal("90.00"), False, date(2026, 1, 6))


def made(
    *lines: Line, name: str = "Arts", billed: str = "30.00", currency: str = "USD"
) -> Statement:
    """A statement of one section."""
    amount = sum((line.amount or Decimal(0) for line in lines), Decimal(0))
    section = Section("cycle", "Charges in advance", amount, Decimal(billed), lines)
    account = Account("2026-01", "acme", "USD", "A", "sales")
    return Statement(account, "Acme", name, 0, (section,))


def line(amount: str | None, product: str = "Suite") -> Line:
    exact = None if amount is None else Decimal(amount)
    return Line(product, "cycleCharge", Decimal("0.3333"), Decimal(1), "Licenses", exact)


def test_a_pdf_has_the_amounts_of_its_statement() -> None:
    statement = made(line("10.004999"), line("10.004999"), line("9.990002"), line(None))
    found = pdf_text(statement_pdf(statement, BILL, usual_look(), has_bill_total=True))
    # By largest remainder, the first of equal ones: 10.01 + 10.00 + 9.99 = 30.00.
    assert "Total 30.00" in found
    assert found.count("10.01") == 1 and found.count("10.00") == 1 and found.count("9.99") == 1
    assert "no price" in found
    assert "All statements of Acme for January 2026 in USD sum to 90.00" in found
    assert "sum to" not in pdf_text(
        statement_pdf(statement, BILL, usual_look(), has_bill_total=False)
    )


@pytest.mark.parametrize(
    ("amounts", "total", "currency", "expected"),
    [
        (("33.333333", "33.333333", "33.333334"), "100", "USD", ("33.33", "33.33", "33.34")),
        (("-3.333333", "-3.333333"), "-6.67", "USD", ("-3.33", "-3.34")),
        (("33.3", None, "33.4"), "67", "JPY", ("33", None, "34")),
        (("1.0005",), "1.001", "KWD", ("1.001",)),
        ((None,), "0", "USD", (None,)),
        ((), "0", "USD", ()),
    ],
)
def test_lines_are_rounded_so_that_they_add_up(
    amounts: tuple[str | None, ...],
    total: str,
    currency: str,
    expected: tuple[str | None, ...],
) -> None:
    exact = [None if each is None else Decimal(each) for each in amounts]
    rounded = whole_amounts(exact, Decimal(total), currency)
    assert rounded == [None if each is None else Decimal(each) for each in expected]


def test_a_long_name_wraps_and_other_alphabets_are_printed() -> None:
    name = "Verwaltung" * 20
    names = ("Отдел продаж", "Πωλήσεις", "Łódź & <b>Ñandú</b>")
    statement = made(*(line("10.00", product) for product in (name, *names)), billed="40.00")
    content = statement_pdf(replace(statement, cost_center_name=name), BILL, usual_look(),
                            has_bill_total=True)  # fmt: skip
    found = pdf_text(content)
    assert name in found.replace(" ", "")
    for each in names:
        assert each in found


@pytest.mark.parametrize(
    ("locale", "amount", "share"),
    [
        ("de-DE", "1.234,50", "33,33\N{NO-BREAK SPACE}%"),
        ("fr-FR", "1\N{NARROW NO-BREAK SPACE}234,50", "33,33\N{NO-BREAK SPACE}%"),
        ("de-CH", "1\N{RIGHT SINGLE QUOTATION MARK}234.50", "33.33%"),
        ("sv-SE", "1\N{NO-BREAK SPACE}234,50", "33,33\N{NO-BREAK SPACE}%"),
    ],
)
def test_the_font_has_the_signs_of_locales(locale: str, amount: str, share: str) -> None:
    statement = made(line("1244.5"), line("-10"), billed="1234.50")
    with wording.written_in(locale):
        content = statement_pdf(statement, BILL, usual_look(), has_bill_total=True)
    # A reader may return any space for the one that is set.
    found = "".join(pdf_text(content).split())
    assert "Total" + "".join(amount.split()) in found
    assert "".join(share.split()) in found
    assert "-10" in found


@pytest.mark.parametrize("name", ["株式会社", "مبيعات", "ไทย"])
def test_a_script_that_the_font_cannot_set_is_refused(name: str) -> None:
    with pytest.raises(NotPrintable, match=r"cannot set .+ \(U\+"):
        statement_pdf(made(line("30"), name=name), BILL, usual_look(), has_bill_total=True)


def logo(folder: Path, name: str = "logo.png") -> Path:
    path = folder / name
    Image.new("RGB", (300, 100), "#224488").save(path)
    return path


def test_a_logo_is_shown(tmp_path: Path) -> None:
    logo(tmp_path)
    look = read_look(DataFolder(tmp_path), StatementStyle(logo="logo.png"))
    assert look is not None
    content = statement_pdf(made(line("30")), BILL, look, has_bill_total=True)
    (image,) = pypdf.PdfReader(BytesIO(content)).pages[0].images
    assert image.image is not None and image.image.size == (300, 100)
    assert content == statement_pdf(made(line("30")), BILL, look, has_bill_total=True)


def test_a_file_that_is_no_logo_or_font_is_refused(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    data.root.mkdir()
    logo(tmp_path)
    (data.root / "logo.png").write_text("no image")
    for style, reason in (
        (StatementStyle(logo="missing.png"), "missing.png cannot be read: No such file"),
        (StatementStyle(logo="../logo.png"), "is not in the data folder"),
        (StatementStyle(logo="logo.png"), "is not a PNG or JPEG image"),
        (StatementStyle(font="logo.png"), "is not a TrueType font"),
    ):
        with pytest.raises(StyleInvalid, match=reason):
            read_look(data, style)
    assert read_look(data, StatementStyle(pdf=False)) is None
    data.delivery.write_text("[statements]\nlogos = 'logo.png'\n")
    with pytest.raises(DeliveryInvalid, match=r"statements\.logos"):
        read_delivery(data)


def written(connection: duckdb.DuckDBPyConnection, scope: Scope, folder: Path) -> dict[Path, bytes]:
    files = statements.write_statements(connection, scope, folder, usual_look())
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_the_pdfs_of_the_sample_have_the_totals_of_the_statements(
    sample_company: Company, tmp_path: Path
) -> None:
    scope = Scope("2026-04", "2026-04", "dunmore")
    with open_published(sample_company.data, tmp_path) as connection:
        files = written(connection, scope, tmp_path / "first")
        totals = connection.execute(
            f"""
            select cost_center_id, currency, sum(billed_amount) from statement_lines
            where {scope.condition} group by all having sum(line_count) > 0 order by all
            """,
            scope.parameters,
        ).fetchall()
        assert len(totals) == 5
        for cost_center, currency, total in totals:
            path = Path("statements", "dunmore", f"2026-04-{cost_center}-{currency}.pdf")
            assert f"Total {wording.amount(total, currency)}" in pdf_text(files[path])
        assert written(connection, scope, tmp_path / "second") == files


def test_the_statements_of_units_sum_their_cost_centers(
    sample_company: Company, tmp_path: Path
) -> None:
    scope = Scope("2026-04", "2026-04")
    with open_published(sample_company.data, tmp_path) as connection:
        files = written(connection, scope, tmp_path)
        units = connection.execute(
            """
            select
                charges.organization_id, charges.currency, unit_kind, unit_id, unit_name,
                charges.billed_amount,
                list((lines.cost_center_name, lines.cost_center_id, lines.billed_amount))
            from unit_charges as charges
            inner join unit_members using (organization_id, unit_kind, unit_id, unit_name)
            inner join (
                select
                    billing_period, organization_id, currency, cost_center_id,
                    any_value(cost_center_name) as cost_center_name,
                    sum(billed_amount) as billed_amount
                from statement_lines
                group by billing_period, organization_id, currency, cost_center_id
            ) as lines using (billing_period, organization_id, currency, cost_center_id)
            where billing_period = '2026-04' and unit_id <> '(none)'
            group by all
            """
        ).fetchall()
    assert {kind for _, _, kind, *_ in units} >= {"business_unit", "parent"}
    for organization, currency, kind, unit, name, total, parts in units:
        stem = f"2026-04-{kind}-{file_name(unit)}-{currency}"
        folder = Path("statements", file_name(organization), "units")
        text = pdf_text(files[folder / f"{stem}.pdf"])
        page = files[folder / f"{stem}.html"].decode()
        # Once of its sections, once of its cost centers.
        assert text.count(f"Total {wording.amount(total, currency)}") == 2
        assert name in page and page.count(f">{wording.amount(total, currency)}<") >= 2
        for center_name, center, amount in parts:
            assert f"{center_name} {center} {wording.amount(amount, currency)}" in text
    pdfs = [path for path in files if path.parent.name == "units" and path.suffix == ".pdf"]
    assert len(pdfs) == len(units) > 3


def test_a_customers_pdf_has_no_cost(sample_company: Company, tmp_path: Path) -> None:
    scope = Scope("2026-04", "2026-04", "fernhill", "customer")
    with open_published(sample_company.data, tmp_path) as connection:
        costs = connection.execute(
            """
            select total_cost from billing_report
            where organization_id = 'fernhill' and billing_period = '2026-04'
                and round(total_cost, 2) not in (select round(total_sales, 2) from billing_report)
            """
        ).fetchall()
        edition = write_customer_edition(connection, sample_company.data, scope, tmp_path)
    pages = [path for path in edition.statements if path.suffix == ".pdf"]
    found = " ".join(pdf_text(path.read_bytes()) for path in pages)
    assert sum(path.parent.name != "units" for path in pages) == 4 and costs
    words = set(found.split())
    assert not {wording.amount(cost, "USD") for (cost,) in costs} & words


def test_a_statement_without_pdf_is_listed(sample_company: Company, tmp_path: Path) -> None:
    usual = usual_look()
    plain = replace(usual.font, characters=usual.font.characters - {ord("&")})
    with open_published(sample_company.data, tmp_path) as connection:
        files = statements.write_statements(
            connection,
            Scope("2026-04", "2026-04", "dunmore"),
            tmp_path,
            Look(None, plain, usual.bold_font),
        )
    names = {path.name for path in files}
    assert "2026-04-DUN-200-USD.html" in names
    listed = (tmp_path / statements.WITHOUT_PDF).read_text(encoding="utf-8-sig")
    assert "the font of statements cannot set & (U+0026) of" in listed
