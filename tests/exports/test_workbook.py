"""Workbooks: their totals equal the published tables in every program."""

import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import pytest
from conftest import Company
from openpyxl.worksheet.worksheet import Worksheet
from spreadsheets import (
    calculated,
    check_package,
    copied_marts,
    needs_libreoffice,
    parts,
)

from dagster_project.exports import workbook_rows
from dagster_project.exports.scope import NothingInScope, Scope
from dagster_project.exports.workbook import HEADER_ROW, PIVOT_ROW, write_workbook
from dagster_project.exports.workbook_rows import TooManyRows

EVERYTHING = Scope("2000-01", "2199-12")
TOTALS = ("Summary", "By organization", "By product", "By cost center")
MEASURES = ("Charged", *(f"{word} before sharing" for word in ("Cost", "Sales", "Margin")))


@pytest.fixture
def published(sample_company: Company) -> Iterator[duckdb.DuckDBPyConnection]:
    with copied_marts(sample_company.data.published_database) as connection:
        yield connection


def table(sheet: Worksheet, header_row: int) -> list[dict[str, object]]:
    """The rows below a header, until the first empty one."""
    header, *rows = sheet.iter_rows(min_row=header_row, values_only=True)
    filled = rows[: next((at for at, row in enumerate(rows) if not any(row)), len(rows))]
    return [dict(zip(header, row, strict=True)) for row in filled]


def as_saved(path: Path, sheet: str) -> Worksheet:
    return openpyxl.load_workbook(path, data_only=True)[sheet]


def totals(path: Path, sheet: str) -> list[dict[str, object]]:
    return table(as_saved(path, sheet), HEADER_ROW + 1)


def detail(path: Path) -> list[dict[str, object]]:
    return table(as_saved(path, "Detail"), 1)


def formulas(path: Path) -> Iterator[tuple[str, str, str]]:
    """Sheet, cell and formula of every formula."""
    for sheet in openpyxl.load_workbook(path):
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    yield sheet.title, cell.coordinate, str(cell.value)


# --- totals ----------------------------------------------------------------------------------


@needs_libreoffice
@pytest.mark.parametrize("scope", [EVERYTHING, Scope("2026-02", "2026-02", "brightwater")])
def test_every_formula_calculates_to_the_published_decimals(
    published: duckdb.DuckDBPyConnection, tmp_path: Path, scope: Scope
) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, scope, path)
    saved = openpyxl.load_workbook(path, data_only=True)
    theirs = calculated(path, tmp_path)
    count = 0
    for sheet, cell, formula in formulas(path):
        mine, other = saved[sheet][cell].value, theirs[sheet][cell].value
        if isinstance(mine, int | float) and isinstance(other, int | float):
            assert other == pytest.approx(mine, abs=1e-7), (sheet, cell, formula)
        else:
            assert (other or "") == (mine or ""), (sheet, cell, formula)
        count += 1
    assert count > 50
    assert theirs["Summary"]["A2"].value == "Check: OK"


def test_totals_are_those_of_chargeback(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    figures = write_workbook(published, EVERYTHING, path)
    for sheet, column, label in (
        ("By organization", "organization_id", "Organization ID"),
        ("By product", "product_name", "Product"),
        ("By cost center", "concat_ws('/', organization_name, cost_center_id)", None),
    ):
        expected = {
            (key, currency): amounts
            for key, currency, *amounts in published.execute(
                f"""
                select
                    {column}, currency, sum(charged_amount), sum(total_cost), sum(total_sales),
                    sum(total_margin)
                from chargeback
                group by all
                """
            ).fetchall()
        }
        shown = {}
        for row in totals(path, sheet):
            if row["No."] != "Sum":
                key = row[label] if label else f"{row['Organization']}/{row['Cost center ID']}"
                shown[key, row["Currency"]] = [row[header] for header in MEASURES]
        assert shown.keys() == expected.keys()
        for key, amounts in expected.items():
            for mine, theirs in zip(shown[key], amounts, strict=True):
                assert (mine or None) == (float(theirs) if theirs else None), key
    assert figures.total_cost == dict(
        published.execute("select currency, sum(total_cost) from chargeback group by 1").fetchall()
    )
    rows = detail(path)
    assert figures.row_count == len(rows) - sum(row["Kind"] == "shared costs" for row in rows)


def charged_by(published: duckdb.DuckDBPyConnection, *columns: str) -> dict[object, Decimal]:
    """The amounts charged of April, from chargeback, by two columns."""
    return {
        tuple(key): amount
        for *key, amount in published.execute(
            f"""
            select {", ".join(columns)}, sum(charged_amount) from chargeback
            where billing_period = '2026-04'
            group by all
            """
        ).fetchall()
    }


def test_every_cost_center_is_charged_the_total_of_its_statement(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, Scope("2026-04", "2026-04"), path)
    shown = {
        (row["Cost center ID"], row["Currency"]): row["Charged"]
        for row in totals(path, "By cost center")
        if row["No."] != "Sum"
    }
    expected = {
        (cost_center, currency): (exact, billed)
        for cost_center, currency, exact, billed in published.execute(
            """
            select cost_center_id, currency, sum(amount), sum(billed_amount) from statement_lines
            where billing_period = '2026-04'
            group by all
            """
        ).fetchall()
    }
    assert shown == {key: float(exact) for key, (exact, _) in expected.items()}
    # Engineering was 2,505.19: its sales before IT Services and Azure are shared.
    assert expected["DUN-100", "USD"] == (Decimal("2915.5765070000"), Decimal("2915.58"))
    exact_sum = charged_by(published, "cost_center_id", "currency")
    assert {key: exact for key, (exact, _) in expected.items()} == exact_sum
    # The pivot has the same figures, first.
    pivot = table(as_saved(path, "Pivot"), PIVOT_ROW + 1)
    (engineering,) = [row for row in pivot if row["Cost center"] == "Engineering"]
    assert engineering["Sum of charged"] == 2915.576507
    assert list(engineering)[3:5] == ["Sum of charged", "Sum of cost before sharing"]


def test_every_sheet_sums_to_the_amount_charged(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, Scope("2026-04", "2026-04"), path)
    expected = charged_by(published, "currency")
    assert len(expected) == 2
    for sheet in TOTALS:
        sums = {
            (row["Currency"],): row["Charged"] for row in totals(path, sheet) if row["No."] == "Sum"
        }
        assert sums == {key: float(amount) for key, amount in expected.items()}, sheet
    # Binary numbers: of each row exactly, of their sum to a millionth.
    for (currency,), amount in expected.items():
        charged = [row["Charged"] for row in detail(path) if row["Currency"] == currency]
        assert sum(map(float, charged)) == pytest.approx(float(amount), abs=1e-6)
    products = {
        (row["Product"], row["Currency"]): row["Charged"]
        for row in totals(path, "By product")
        if row["No."] != "Sum"
    }
    by_product = charged_by(published, "product_name", "currency")
    assert products == {key: float(amount) for key, amount in by_product.items()}


def test_a_cost_center_without_sales_is_charged_its_cost(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    published.execute(
        """
        update billing_report
        set total_sales = null, total_margin = null, amount_basis = 'cost',
            charged_amount = total_cost
        where organization_id = 'dunmore'
        """
    )
    path = tmp_path / "book.xlsx"
    write_workbook(published, Scope("2026-04", "2026-04", "dunmore"), path)
    shown = {
        row["Cost center ID"]: row["Charged"]
        for row in totals(path, "By cost center")
        if row["No."] != "Sum"
    }
    expected = published.execute(
        """
        select cost_center_id, sum(cost_after_sharing)::double from chargeback
        where billing_period = '2026-04' and organization_id = 'dunmore'
        group by all
        """
    ).fetchall()
    assert shown == dict(expected)


def test_each_row_is_counted_in_the_total_it_names(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, EVERYTHING, path)
    rows = detail(path)
    for sheet, number, columns in (
        ("Summary", "Period no", ("Period",)),
        ("By organization", "Organization no", ("Organization ID",)),
        ("By product", "Product no", ("Product",)),
        ("By cost center", "Cost center no", ("Cost center ID",)),
    ):
        by_number = {row["No."]: row for row in totals(path, sheet)}
        for row in rows:
            total = by_number[row[number]]
            for column in (*columns, "Currency"):
                assert total[column] == row[column]


def test_names_with_wildcards_or_numbers_have_separate_totals(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    names = ["*", "?", "~*", ">0", "=1", "1", "01", "1.0", "a", "A", "<>", "2026-01"]
    published.execute(
        """
        update billing_report set
            product_name = list_extract($names, 1 + cast(hash(line_id) % len($names) as int)),
            cost_center_id = list_extract($names, 1 + cast(hash(line_id) % len($names) as int))
        """,
        {"names": names},
    )
    path = tmp_path / "book.xlsx"
    write_workbook(published, EVERYTHING, path)
    shown = {
        (row["Product"], row["Currency"]): row["Cost before sharing"]
        for row in totals(path, "By product")
        if row["No."] != "Sum"
    }
    expected = published.execute(
        """
        select product_name, currency, sum(total_cost)::double from (
            select product_name, currency, total_cost from billing_report
            union all
            select product_name, currency, 0 from shared_costs
        ) group by all
        """
    ).fetchall()
    assert {(name, currency): cost for name, currency, cost in expected} == shown


@needs_libreoffice
def test_names_with_wildcards_do_not_change_calculated_totals(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    published.execute(
        "update billing_report set product_name = if(hash(line_id) % 2 = 0, '*', '1')"
    )
    path = tmp_path / "book.xlsx"
    write_workbook(published, EVERYTHING, path)
    saved, theirs = totals(path, "By product"), calculated(path, tmp_path)["By product"]
    for row, other in zip(saved, table(theirs, HEADER_ROW + 1), strict=False):
        for header in ("Charged", "Cost before sharing"):
            assert other[header] == pytest.approx(row[header]), row


def test_without_any_price_sales_are_empty_and_not_zero(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    published.execute(
        "update billing_report set total_sales = null, total_margin = null"
        " where organization_id = 'cobalt'"
    )
    path = tmp_path / "book.xlsx"
    figures = write_workbook(published, Scope("2026-01", "2026-03", "cobalt"), path)
    assert set(figures.total_sales.values()) == {None}
    (row, _) = totals(path, "By organization")
    assert row["Sales before sharing"] in (None, "")
    assert row["Rows without price"] == row["Rows"]
    assert as_saved(path, "Summary")["A2"].value == "Check: OK"


def test_amounts_have_the_decimals_of_their_currency(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    published.execute(
        """
        update billing_report set currency = case organization_id
            when 'cobalt' then 'JPY' when 'alder' then 'KWD' else 'USD'
        end
        """
    )
    path = tmp_path / "book.xlsx"
    write_workbook(published, EVERYTHING, path)
    sheet = openpyxl.load_workbook(path)["Detail"]
    header = [cell.value for cell in sheet[1]]
    formats = {
        row[header.index("Currency")].value: row[header.index("Cost")].number_format
        for row in sheet.iter_rows(min_row=2)
    }
    assert formats == {
        "JPY": "#,##0;[Red]-#,##0",
        "KWD": "#,##0.000;[Red]-#,##0.000",
        "USD": "#,##0.00;[Red]-#,##0.00",
    }


# --- the check -------------------------------------------------------------------------------


def invoices(path: Path) -> dict[object, dict[str, object]]:
    sheet = as_saved(path, "Summary")
    header_row = next(
        cell.row for cell in sheet["C"] if str(cell.value).startswith("Invoice (cost")
    )
    return {row["Invoice (cost before tax)"]: row for row in table(sheet, header_row)}


def test_an_invoice_ties_with_any_part_of_it_in_the_workbook(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, Scope("2026-01", "2026-01", "cobalt"), path)
    (invoice,) = invoices(path).values()
    cost, elsewhere = invoice["In this workbook"], invoice["Other periods and organizations"]
    assert isinstance(cost, float) and isinstance(elsewhere, float)
    assert cost > 0 and elsewhere > 0
    assert cost + elsewhere == pytest.approx(invoice["Invoice total"])
    assert invoice["Check"] == "OK"


def test_a_missing_line_and_rows_in_quarantine_show_in_the_check(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    short, waiting = published.execute(
        """
        select invoice_number from invoice_reconciliation
        where invoice_total is not null and quarantined_row_count = 0 and status = 'reconciled'
        order by billing_date limit 2
        """
    ).fetchall()
    published.execute(
        "update invoice_reconciliation set invoice_total = invoice_total + 12.34"
        " where invoice_number = ?",
        short,
    )
    published.execute(
        "update invoice_reconciliation set quarantined_row_count = 2 where invoice_number = ?",
        waiting,
    )
    path = tmp_path / "book.xlsx"
    write_workbook(published, EVERYTHING, path)
    assert invoices(path)[short[0]]["Check"] == pytest.approx(12.34)
    assert invoices(path)[waiting[0]]["Check"] == "in quarantine"
    assert str(as_saved(path, "Summary")["A2"].value).startswith("Check: differences")


def test_an_invoice_without_any_line_is_in_the_book_of_its_period(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    published.execute("delete from billing_report where billing_period = '2026-02'")
    published.execute("update invoice_reconciliation set allocated_total = 0")
    path = tmp_path / "book.xlsx"
    write_workbook(published, Scope("2026-01", "2026-02"), path)
    missing = [
        row for row in invoices(path).values() if str(row["Billing date"]).startswith("2026-02")
    ]
    assert missing
    assert all(row["In this workbook"] == 0 for row in missing)


# --- shared costs ----------------------------------------------------------------------------


def test_shared_costs_have_their_own_sheet(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, EVERYTHING, path)
    for sheet in TOTALS:
        note = "Charged includes shared costs (sheet Shared costs)."
        assert as_saved(path, sheet)["A3"].value == note
    rows = table(as_saved(path, "Shared costs"), 1)
    expected = published.execute(
        """
        select from_cost_center_id, to_cost_center_id, product_name, shared_cost, shared_sales
        from shared_costs
        """
    ).fetchall()
    assert expected
    names = ("From ID", "To ID", "Product", "Cost", "Sales")
    found = [tuple(row[name] for name in names) for row in rows]
    assert sorted(map(str, found)) == sorted(
        str((*row[:3], *map(float, row[3:]))) for row in expected
    )


def test_shared_costs_are_rows_of_the_detail_in_a_fixed_order(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, Scope("2026-04", "2026-04"), path)
    shared = [row for row in detail(path) if row["Kind"] == "shared costs"]
    assert {row["Cost"] for row in shared} == {row["Sales"] for row in shared} == {None}
    places = [
        tuple(str(row[name]) for name in ("Organization", "Cost center ID", "Product", "Details"))
        for row in shared
    ]
    assert places == sorted(places) and len(places) > 20
    words = {str(row["Details"]) for row in shared}
    assert {"from IT Services", "to IT Services, shared product Azure plan"} <= words
    assert any(", shared subscription 1e0f6fac" in each for each in words)


def test_a_workbook_without_shared_costs_has_no_sheet_for_them(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, Scope("2026-01", "2026-01"), path)
    assert "Shared costs" not in openpyxl.load_workbook(path).sheetnames
    check_package(path)


def test_an_organization_without_units_has_no_sheet_for_them(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, Scope("2026-01", "2026-01", "evergreen"), path)
    assert "By unit" not in openpyxl.load_workbook(path).sheetnames


# --- forecast and budget ---------------------------------------------------


def test_the_forecast_has_every_cost_center_and_future_month_with_its_bounds(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, Scope("2026-04", "2026-04"), path)
    rows = table(as_saved(path, "Forecast"), 1)
    shown = {
        (row["Cost center ID"], row["Currency"], f"{row['Month']:%Y-%m}"): tuple(
            row[name] for name in ("Cost forecast", "Lower bound (80 %)", "Upper bound (80 %)")
        )
        for row in rows
    }
    expected = published.execute(
        """
        select cost_center_id, currency, strftime(month, '%Y-%m'), forecast, lower_80, upper_80
        from cost_forecast
        """
    ).fetchall()
    assert len(rows) == len(shown) == len(expected)
    for center, currency, month, *amounts in expected:
        assert shown[center, currency, month] == tuple(
            pytest.approx(float(each), abs=1e-9) for each in amounts
        )
    sheet = openpyxl.load_workbook(path)["Forecast"]
    assert sheet.tables["Forecast"].autoFilter.ref == sheet.tables["Forecast"].ref
    cells = {cell.value: at for at, cell in enumerate(sheet[1])}
    first = sheet[2]
    assert first[cells["Month"]].number_format == "yyyy-mm"
    assert first[cells["Cost forecast"]].number_format == "#,##0.00;[Red]-#,##0.00"
    assert first[cells["Method"]].value == "committed spend"


def test_budgets_are_those_of_the_periods_in_scope(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, Scope("2026-03", "2026-04"), path)
    rows = table(as_saved(path, "Budget"), 1)
    shown = {
        (row["Cost center"], f"{row['Month']:%Y-%m}"): (row["Status"], row["Actual"])
        for row in rows
    }
    expected = published.execute(
        """
        select cost_center_name, strftime(month, '%Y-%m'), replace(status, '_', ' '), actual
        from budget_variance
        where month in ('2026-03-01', '2026-04-01')
        """
    ).fetchall()
    assert len(rows) == len(expected) == 10
    for center, month, state, actual in expected:
        assert shown[center, month] == (state, pytest.approx(float(actual), abs=1e-9))
    assert shown["Studio", "2026-04"][0] == "over budget at year end"
    sheet = openpyxl.load_workbook(path)["Budget"]
    assert sheet.tables["Budget"].autoFilter.ref == sheet.tables["Budget"].ref


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        # The forecast of March is no longer published.
        (Scope("2026-03", "2026-03", "cobalt"), ["By unit", "Budget"]),
        (Scope("2026-04", "2026-04", "alder"), ["By unit", "Forecast"]),
    ],
)
def test_a_listing_without_rows_has_no_sheet(
    published: duckdb.DuckDBPyConnection, tmp_path: Path, scope: Scope, names: list[str]
) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, scope, path)
    check_package(path)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == [*TOTALS, *names, "Detail", "Pivot"]
    rows = table(book[names[0]], 1)
    assert {row["Organization ID"] for row in rows} == {scope.organization_id}


def test_more_forecast_rows_than_a_sheet_holds_are_refused(
    published: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook_rows, "ROW_LIMIT", 200)
    with pytest.raises(TooManyRows, match="Forecast"):
        write_workbook(published, Scope("2026-04", "2026-04"), tmp_path / "book.xlsx")
    assert list(tmp_path.iterdir()) == []


# --- the file --------------------------------------------------------------------------------


def test_every_part_of_the_file_is_well_formed(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, EVERYTHING, path)
    check_package(path)
    sheets = openpyxl.load_workbook(path).sheetnames
    assert sheets == [*TOTALS, "By unit", "Shared costs", "Forecast", "Budget", "Detail", "Pivot"]
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_text_and_numbers_are_numbers(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    hostile = ["=1+1", "+1", "-1", "@SUM(A1)", "{=1}", "http://example.com", "0123", "_x0041_"]
    published.execute(
        """
        update billing_report set
            subscription_id = list_extract($names, 1 + cast(hash(line_id) % len($names) as int))
        """,
        {"names": hostile},
    )
    path = tmp_path / "book.xlsx"
    write_workbook(published, EVERYTHING, path)
    sheet = openpyxl.load_workbook(path)["Detail"]
    header = [cell.value for cell in sheet[1]]
    cells = [row[header.index("Subscription")] for row in sheet.iter_rows(min_row=2)]
    # Shared costs have no subscription.
    cells = [cell for cell in cells if cell.value is not None]
    assert {cell.value for cell in cells} == set(hostile)
    assert {cell.data_type for cell in cells} == {"s"}
    assert not any(cell.hyperlink for cell in cells)
    costs = [row[header.index("Charged")] for row in sheet.iter_rows(min_row=2)]
    assert {cell.data_type for cell in costs} == {"n"}
    assert min(cell.value for cell in costs) < 0


def test_characters_that_xml_cannot_contain_and_long_texts_are_written(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    published.execute(
        """
        update billing_report set
            organization_name = 'A' || chr(1) || chr(65535) || '<&>',
            explanation = repeat('x', 40000),
            cost_center_name = chr(8) || cost_center_name
        """
    )
    path = tmp_path / "book.xlsx"
    write_workbook(published, Scope("2026-01", "2026-03", "cobalt"), path)
    check_package(path)
    row = detail(path)[0]
    assert row["Organization"] == "A\ufffd\ufffd<&>"
    assert len(str(row["Explanation"])) == 32_767


def test_days_before_1900_are_written_as_text(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    published.execute("update billing_report set charge_start_date = date '0001-01-01'")
    path = tmp_path / "book.xlsx"
    write_workbook(published, Scope("2026-01", "2026-01", "cobalt"), path)
    assert {row["From"] for row in detail(path)} == {"0001-01-01"}


def test_the_detail_is_a_table_with_filters_below_a_frozen_header(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    figures = write_workbook(published, EVERYTHING, path)
    sheet = openpyxl.load_workbook(path)["Detail"]
    assert sheet.tables["Detail"].autoFilter.ref == sheet.tables["Detail"].ref
    shared = sum(row["Kind"] == "shared costs" for row in detail(path))
    assert shared > 0
    assert sheet.tables["Detail"].ref.endswith(str(figures.row_count + shared + 1))
    assert sheet.freeze_panes == "A2"


def test_the_same_rows_make_the_same_file(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for name in ("one.xlsx", "two.xlsx"):
        write_workbook(published, EVERYTHING, tmp_path / name)
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()


def test_properties_name_neither_a_person_nor_a_place(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, Scope("2026-01", "2026-01", "cobalt"), path)
    properties = openpyxl.load_workbook(path).properties
    assert properties.title == "Billing of 2026-01, Cobalt Games"
    assert not properties.creator and not properties.lastModifiedBy
    for name, content in parts(path).items():
        assert str(tmp_path).encode() not in content, name


# --- on paper --------------------------------------------------------------------------------


def page_count(sheet: Worksheet) -> int:
    """Pages of a sheet on A4 in landscape, from widths in characters and rows of 20 pixels."""
    columns, rows = sheet.max_column, sheet.max_row
    if sheet.print_area:
        (area,) = sheet.print_area.replace("$", "").split("!")[-1:]
        last = sheet[area.split(":")[1]]
        columns, rows = last.column, last.row
    letters = [openpyxl.utils.get_column_letter(at + 1) for at in range(columns)]
    width = sum(7 * (sheet.column_dimensions[letter].width or 9) + 5 for letter in letters)
    margins = sheet.page_margins
    paper_width, paper_height = 11.69 - margins.left - margins.right, 8.27 - 2 * margins.top
    scale = min(1.0, paper_width * 96 / width)
    return math.ceil(rows / (paper_height * 96 / (20 * scale)))


def test_the_workbook_of_a_month_prints_on_few_pages(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, Scope("2026-04", "2026-04"), path)
    book = openpyxl.load_workbook(path)
    for sheet in book:
        setup = sheet.page_setup
        assert setup.orientation == "landscape", sheet.title
        assert sheet.sheet_properties.pageSetUpPr.fitToPage, sheet.title
        # 1 is the default of the format.
        assert setup.fitToWidth in (None, 1) and setup.fitToHeight in (0, "0"), sheet.title
    listings = ("By unit", "Shared costs", "Forecast", "Budget", "Detail")
    for name in listings:
        assert book[name].print_title_rows == "$1:$1"
    header = [cell.value for cell in book["Detail"][1]]
    assert book["Detail"].print_area == f"'Detail'!$A$1:$L${book['Detail'].max_row}"
    assert header[:12] == [
        "Period", "Organization", "Product", "Charge type", "From", "To", "Cost center",
        "Quantity", "Unit", "Share", "Currency", "Charged",
    ]  # fmt: skip
    pages = {sheet.title: page_count(sheet) for sheet in book}
    assert sum(pages.values()) <= 20, pages


def test_charge_types_have_words(published: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, EVERYTHING, path)
    words = {(row["Kind"], row["Charge type"]) for row in detail(path)}
    assert {("cycle", "Cycle charge"), ("refund", "Added seats")} <= words
    # Daily-rated usage has the charge type `new`.
    assert {title for kind, title in words if kind == "usage"} == {"Metered usage"}
    assert not any("cycleCharge" in str(title) for _, title in words)


# --- the pivot -------------------------------------------------------------------------------


def test_the_pivot_is_over_the_table_and_asks_to_be_refreshed(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, EVERYTHING, path)
    (pivot,) = openpyxl.load_workbook(path)["Pivot"]._pivots
    assert pivot.cache.cacheSource.worksheetSource.name == "Detail"
    assert pivot.cache.refreshOnLoad
    headers = [field.name for field in pivot.cache.cacheFields]
    assert headers == list(detail(path)[0])
    assert [headers[each.x] for each in pivot.rowFields] == [
        "Currency",
        "Organization",
        "Cost center",
    ]
    assert [(headers[each.fld], each.name) for each in pivot.dataFields] == [
        ("Charged", "Sum of charged"),
        ("Cost", "Sum of cost before sharing"),
        ("Sales", "Sum of sales before sharing"),
        ("Margin", "Sum of margin before sharing"),
    ]
    assert [headers[each.fld] for each in pivot.pageFields] == ["Period", "Product"]
    # Different currencies have no total.
    currencies = {row["Currency"] for row in detail(path)}
    assert pivot.rowGrandTotals == (len(currencies) == 1)


@needs_libreoffice
def test_a_refreshed_pivot_has_the_written_figures(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(published, EVERYTHING, path)
    saved = table(as_saved(path, "Pivot"), PIVOT_ROW + 1)
    # LibreOffice adds a row above the headers.
    theirs = table(calculated(path, tmp_path)["Pivot"], PIVOT_ROW + 2)
    assert len(saved) == len(theirs) > 10
    for row, other in zip(saved, theirs, strict=True):
        for header, value in row.items():
            if isinstance(value, float):
                assert (other[header] or 0) == pytest.approx(value), row
            elif header and value != "Grand Total":
                assert other[header] == value, row


# --- refused scopes -------------------------------------------------------------------------


def test_an_empty_scope_leaves_the_existing_file(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    path.write_text("older")
    with pytest.raises(NothingInScope, match="2031-01"):
        write_workbook(published, Scope("2031-01", "2031-01"), path)
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]
    left = published.execute("select table_name from duckdb_tables() where temporary").fetchall()
    assert left == []


def test_more_rows_than_a_sheet_holds_are_refused(
    published: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook_rows, "ROW_LIMIT", 100)
    with pytest.raises(TooManyRows, match="a sheet has at most 100"):
        write_workbook(published, EVERYTHING, tmp_path / "book.xlsx")


def test_a_customer_workbook_is_not_written_from_tables_with_cost(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="customer's own tables"):
        write_workbook(
            published, Scope("2026-01", "2026-01", "cobalt", "customer"), tmp_path / "book.xlsx"
        )


def test_a_difference_below_half_a_cent_is_ok(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    published.execute(
        "update invoice_reconciliation set invoice_total = invoice_total + ?",
        [Decimal("0.0000001")],
    )
    path = tmp_path / "book.xlsx"
    write_workbook(published, Scope("2026-01", "2026-01", "cobalt"), path)
    assert {row["Check"] for row in invoices(path).values()} == {"OK"}
