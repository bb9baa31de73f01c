"""The workbook of a billing period: split lines as a table, with totals, charts and a pivot.

The amount charged comes first, as on statements: after shared costs, which are rows of the sheet
Detail. Cost, sales and margin are before sharing. Shared costs, forecast and budget have sheets if
they have rows.

Belongs here: sheets, formulas, formats. Does not: the rows (workbook_rows), the columns that a
customer may see (customer), the file format of a pivot (pivot).

Totals. The last columns of a row of the sheet Detail name the row of each other sheet that counts
it, by the number in the first column of that row. A total is therefore a SUMIFS over a column of
whole numbers. SUMIFS over names would confuse names with wildcards, ids that look like numbers, and
names that differ in case only. Formulas carry the published decimals as their result, for programs
that do not calculate; the sheet Summary compares both, since spreadsheet programs calculate with 15
digits.
"""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import xlsxwriter  # type: ignore[import-untyped]
from xlsxwriter.utility import (  # type: ignore[import-untyped]
    xl_col_to_name,
    xl_range_abs,
)

from dagster_project import wording
from dagster_project.exports.pivot import Pivot, add_pivot, area_of
from dagster_project.exports.scope import Scope
from dagster_project.exports.workbook_rows import (
    CHARGED,
    COST_CENTERS,
    INVOICE_HEADER,
    LISTINGS,
    ORGANIZATIONS,
    PERIODS,
    PRODUCTS,
    SHARED_COSTS,
    SHARED_KIND,
    Breakdown,
    Column,
    Invoice,
    Kind,
    Total,
    WorkbookRows,
    workbook_rows,
)
from dagster_project.files import replaced_at_once
from dagster_project.seeds import currency_decimals

SHEETS: Mapping[str, Breakdown | None] = {
    "Summary": PERIODS,
    "By organization": ORGANIZATIONS,
    "By product": PRODUCTS,
    "By cost center": COST_CENTERS,
    "Detail": None,
    "Pivot": None,
}

HEADER_ROW = 3
"""Header row of the sheets with totals, counted from 0; title and check are above it."""

SHARING_NOTE = f"Charged includes shared costs (sheet {SHARED_COSTS.sheet})."

ROWS, UNPRICED = "Rows", "Rows without price"

CHARTED_TOTALS = 15
GRAY = {"color": "#D9D9D9"}

PIVOT_FILTERS = ("Period", "Product")
PIVOT_ROW = len(PIVOT_FILTERS) + 3
"""Header row of the pivot, counted from 0; title, filters and a gap are above it."""

NUMBER_FORMATS: Mapping[Kind, str] = {
    "date": "yyyy-mm-dd",
    "month": "yyyy-mm",
    "instant": "yyyy-mm-dd hh:mm",
    "count": "#,##0",
    "share": "0.00%",
    "unit_amount": "#,##0.00########",
}

FIRST_YEAR = 1900
"""Spreadsheet programs have no earlier dates; these are written as text."""

TEXT_LIMIT = 32_767
"""Maximum number of characters in a cell."""

NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

OK, NO_PRICE, NO_INVOICE, IN_QUARANTINE = "OK", "no price", "no invoice", "in quarantine"
ALL_OK = "Check: OK"
NOT_OK = "Check: differences, see the check columns"


@dataclass(frozen=True)
class WorkbookFigures:
    """Content of a workbook: split lines, and totals by currency.

    `total_cost` is empty in the customer's edition; `total_sales` is null if no row has a price.
    """

    row_count: int
    total_cost: Mapping[str, Decimal]
    total_sales: Mapping[str, Decimal | None]


def write_workbook(
    connection: duckdb.DuckDBPyConnection, scope: Scope, path: Path
) -> WorkbookFigures:
    """Write the .xlsx workbook of the scope to `path`, atomically.

    `connection` has the published tables; for the edition `customer`, that customer's own
    (customer.py writes them), else ValueError. Raises NothingInScope and TooManyRows.

    Needs about 7 kB of memory per split line: XlsxWriter has no tables in its mode of constant
    memory.
    """
    with replaced_at_once(path) as building, workbook_rows(connection, scope) as rows:
        with xlsxwriter.Workbook(building) as workbook:
            pivot = _Book(workbook, rows).write_sheets()
            sheet_count = len(workbook.worksheets())
        add_pivot(building, sheet_count, pivot)
        return _figures(rows)


def _figures(rows: WorkbookRows) -> WorkbookFigures:
    totals = rows.by_currency()
    by_measure = {
        measure.name: {total.currency: total.sums[at] for total in totals}
        for at, measure in enumerate(rows.measures)
    }
    return WorkbookFigures(
        row_count=sum(total.row_count for total in totals),
        total_cost={
            currency: cost
            for currency, cost in by_measure.get("total_cost", {}).items()
            if cost is not None
        },
        total_sales=by_measure["total_sales"],
    )


class _Book:
    """A workbook in progress; cells are `sheet, row, column`, counted from 0."""

    def __init__(self, workbook: Any, rows: WorkbookRows) -> None:
        self.workbook = workbook
        self.rows = rows
        self.measures = rows.measures
        # The broker's amounts charged are never null.
        is_of_customer = rows.scope.edition == "customer"
        self.nullable = {
            measure.name
            for measure in self.measures
            if measure.name != "total_cost" and (measure.name != CHARGED or is_of_customer)
        }
        self.by_currency = rows.by_currency()
        self.formats: dict[tuple[object, ...], Any] = {}

    def write_sheets(self) -> Pivot:
        """Write everything except the pivot, which is returned; its sheet is the last."""
        latest, name = self.rows.head()
        title = f"Billing of {self.rows.scope.words}"
        if self.rows.scope.organization_id:
            title += f", {name}"
        # Not the time of writing, so that the same rows give the same file.
        written = datetime.combine(latest, time())
        self.workbook.set_properties({"title": _text(title), "created": written})
        tables = {listing.sheet: self.rows.listing(listing) for listing in LISTINGS}
        tables = {name: table for name, table in tables.items() if table[1]}
        names = list(SHEETS)
        names[names.index("Detail") : names.index("Detail")] = tables
        sheets = {name: self.workbook.add_worksheet(name) for name in names}
        for name, breakdown in SHEETS.items():
            _set_page(sheets[name])
            if name != "Detail":
                bold = self._format("text", bold=True, font_size=14)
                sheets[name].write_string(0, 0, _text(title), bold)
            if breakdown:
                self._write_breakdown(sheets[name], breakdown)
                if self.rows.has_shared_costs():
                    sheets[name].write_string(2, 0, SHARING_NOTE)
        next_row = self._write_checks(sheets["Summary"])
        self._insert_charts(sheets["Summary"], next_row)
        for name, (columns, table_rows) in tables.items():
            _set_page(sheets[name])
            self._write_table(sheets[name], name, columns, table_rows)
        self._write_detail(sheets["Detail"])
        return self._write_pivot(sheets["Pivot"])

    # --- cells -------------------------------------------------------------------------------

    def _format(self, kind: Kind, currency: str = "", **properties: Any) -> Any:
        """The format of a kind of value; amounts have the decimals of their currency."""
        key = (kind, currency, *properties.items())
        if key not in self.formats:
            number_format = NUMBER_FORMATS.get(kind, "General")
            if kind == "money":
                decimals = currency_decimals(currency)
                number = f"#,##0.{'0' * decimals}" if decimals else "#,##0"
                number_format = f"{number};[Red]-{number}"
            self.formats[key] = self.workbook.add_format(
                {"num_format": number_format, **properties}
            )
        return self.formats[key]

    def _write(
        self, sheet: Any, row: int, column: int, value: Any, kind: Kind, currency: str
    ) -> None:
        """One cell; a null leaves it empty. Text stays text, regardless of its first character."""
        if value is None:
            return
        if kind == "text":
            sheet.write_string(row, column, _text(value))
        elif kind == "code":
            sheet.write_string(row, column, _text(wording.code(value)))
        elif kind == "charge_type":
            sheet.write_string(row, column, _text(wording.charge_type(value)))
        elif kind == "sharing_method":
            sheet.write_string(row, column, _text(wording.sharing_method(value)))
        elif kind == "flag":
            sheet.write_string(row, column, "yes" if value else "no")
        elif isinstance(value, date) and value.year < FIRST_YEAR:
            sheet.write_string(row, column, value.isoformat())
        elif isinstance(value, date):
            sheet.write_datetime(row, column, value, self._format(kind, currency))
        else:
            # Spreadsheet programs store binary floats in any case.
            sheet.write_number(row, column, float(value), self._format(kind, currency))

    def _write_headers(
        self, sheet: Any, row: int, headers: Iterable[str], first_column: int = 0
    ) -> None:
        bold = self._format("text", bold=True, text_wrap=True, valign="top", bottom=1)
        sheet.set_row(row, 30)
        for column, header in enumerate(headers, first_column):
            sheet.write_string(row, column, header, bold)

    # --- totals ------------------------------------------------------------------------------

    def _write_breakdown(self, sheet: Any, breakdown: Breakdown) -> None:
        """Write a row of formulas per total, and a sum per currency below."""
        totals = self.rows.totals(breakdown)
        first, last = HEADER_ROW + 1, HEADER_ROW + len(totals)
        widths = {"No.": 6, "Currency": 10}
        widths |= {header: width for header, _, width in breakdown.labels}
        widths |= {measure.total_header: 16 for measure in self.measures} | {ROWS: 12, UNPRICED: 12}
        at = {header: column for column, header in enumerate(widths)}
        for column, width in enumerate(widths.values()):
            sheet.set_column(column, column, width)
        self._write_headers(sheet, HEADER_ROW, widths)
        sheet.autofilter(HEADER_ROW, 0, last, len(widths) - 1)
        sheet.freeze_panes(first, 0)
        sheet.repeat_rows(HEADER_ROW)

        for row, total in enumerate(totals, first):
            sheet.write_number(row, 0, total.number)
            for (header, _, _), label in zip(breakdown.labels, total.labels, strict=True):
                sheet.write_string(row, at[header], _text(label or "(none)"))
            mine = f"Detail[{breakdown.number_header}],$A{row + 1}"
            billed = f'{mine},Detail[Kind],"<>{SHARED_KIND}"'
            formulas = {
                ROWS: f"COUNTIFS({billed})",
                UNPRICED: f'COUNTIFS({billed},Detail[Sales],"")',
            }
            for measure in self.measures:
                amounts = f"Detail[{measure.header}]"
                formula = f"SUMIFS({amounts},{mine})"
                if measure.name in self.nullable:
                    # Without any price, sales are null, not 0.
                    empty = f'COUNTIFS({mine},{amounts},"")=COUNTIFS({mine})'
                    formula = f'IF({empty},"",{formula})'
                formulas[measure.total_header] = formula
            self._write_total(sheet, row, at, total, formulas)
        currencies = xl_range_abs(first, at["Currency"], last, at["Currency"])
        for row, total in enumerate(self.by_currency, last + 1):
            sheet.write_string(row, 0, "Sum", self._format("text", bold=True))
            mine = f"--({currencies}=$B{row + 1})"
            formulas = {}
            for header, column in at.items():
                amounts = xl_range_abs(first, column, last, column)
                formulas[header] = f"SUMPRODUCT({mine},{amounts})"
                if header in {
                    each.total_header for each in self.measures if each.name in self.nullable
                }:
                    empty = f"SUMPRODUCT({mine},--ISNUMBER({amounts}))=0"
                    formulas[header] = f'IF({empty},"",{formulas[header]})'
            self._write_total(sheet, row, at, total, formulas, bold=True)

    def _write_total(
        self,
        sheet: Any,
        row: int,
        at: Mapping[str, int],
        total: Total,
        formulas: Mapping[str, str],
        **properties: Any,
    ) -> None:
        """Write currency, measures and counts of a row; formulas and columns are by header."""
        plain = self._format("text", **properties)
        sheet.write_string(row, at["Currency"], _text(total.currency), plain)
        number = self._format("count", **properties)
        for header, count in ((ROWS, total.row_count), (UNPRICED, total.unpriced_row_count)):
            _write_formula(sheet, row, at[header], formulas[header], number, count)
        money = self._format("money", total.currency, **properties)
        for measure, amount in zip(self.measures, total.sums, strict=True):
            header = measure.total_header
            _write_formula(sheet, row, at[header], formulas[header], money, amount)

    # --- checks ------------------------------------------------------------------------------

    def _write_checks(self, sheet: Any) -> int:
        """Published totals next to the periods, invoices below them; returns the row below."""
        totals = self.rows.totals(PERIODS)
        count = len(self.measures)
        published = 5 + count
        headers = [measure.total_header for measure in self.measures]
        self._write_headers(
            sheet,
            HEADER_ROW,
            [
                *(f"{each} as published" for each in headers),
                *(f"Check of {each}" for each in headers),
            ],
            published,
        )
        sheet.set_column(published, published + 2 * count - 1, 16)
        results: list[str | Decimal] = []
        for row, total in enumerate(totals, HEADER_ROW + 1):
            right = self._format("money", total.currency, align="right")
            for at, amount in enumerate(total.sums):
                column = published + at
                self._write(sheet, row, column, amount, "money", total.currency)
                shown, exact = (f"{xl_col_to_name(each)}{row + 1}" for each in (3 + at, column))
                check = _ok_or_difference(f"{shown}-{exact}", total.currency)
                results.append(NO_PRICE if amount is None else OK)
                formula = f'IF({shown}="","{NO_PRICE}",{check})'
                _write_formula(sheet, row, column + count, formula, right, results[-1])
        last = HEADER_ROW + len(totals)
        checks = [xl_range_abs(HEADER_ROW + 1, published + count, last, published + 2 * count - 1)]
        next_row = last + len(self.by_currency) + 2
        if invoices := self.rows.invoices():
            results += self._write_invoices(sheet, next_row, invoices)
            checks.append(xl_range_abs(next_row + 1, 10, next_row + len(invoices), 10))
            next_row += len(invoices) + 2
        good = (OK, NO_PRICE, NO_INVOICE)
        counts = "+".join(f'COUNTIF({each},"{word}")' for each in checks for word in good)
        is_good = all(result in good for result in results)
        formula = f'IF({counts}={len(results)},"{ALL_OK}","{NOT_OK}")'
        bold = self._format("text", bold=True)
        _write_formula(sheet, 1, 0, formula, bold, ALL_OK if is_good else NOT_OK)
        return next_row

    def _write_invoices(
        self, sheet: Any, header_row: int, invoices: list[Invoice]
    ) -> list[str | Decimal]:
        """Each invoice with the cost of its lines; returns the results of the checks."""
        self._write_headers(
            sheet,
            header_row,
            (
                "No.",
                "Currency",
                "Invoice (cost before tax)",
                "Invoice total",
                "In this workbook",
                "Other periods and organizations",
                "Billing date",
                "Rows in quarantine",
                "Rounding",
                "Difference",
                "Check",
            ),
        )
        results: list[str | Decimal] = []
        for row, invoice in enumerate(invoices, header_row + 1):
            currency, difference = invoice.currency, invoice.difference
            money = self._format("money", currency)
            values: tuple[tuple[Kind, object], ...] = (
                ("count", invoice.number),
                ("text", currency),
                ("text", invoice.invoice_number or "(none)"),
                ("money", invoice.invoice_total),
                ("money", None),
                ("money", invoice.elsewhere),
                ("date", invoice.billing_date),
                ("count", invoice.quarantined_row_count),
                ("money", invoice.rounding_residual),
            )
            for column, (kind, value) in enumerate(values):
                self._write(sheet, row, column, value, kind, currency)
            at = row + 1
            formula = f"SUMIFS(Detail[Cost],Detail[{INVOICE_HEADER}],$A{at})"
            _write_formula(sheet, row, 4, formula, money, invoice.total_cost)
            formula = f'IF(D{at}="","",D{at}-E{at}-F{at}-I{at})'
            _write_formula(sheet, row, 9, formula, money, difference)
            if invoice.quarantined_row_count:
                results.append(IN_QUARANTINE)
            elif difference is None:
                results.append(NO_INVOICE)
            else:
                results.append(OK if abs(difference) < _half_unit(currency) else difference)
            formula = (
                f'IF(H{at}>0,"{IN_QUARANTINE}",IF(D{at}="","{NO_INVOICE}",'
                f"{_ok_or_difference(f'J{at}', currency)}))"
            )
            right = self._format("money", currency, align="right")
            _write_formula(sheet, row, 10, formula, right, results[-1])
        return results

    # --- charts ------------------------------------------------------------------------------

    def _insert_charts(self, sheet: Any, row: int) -> None:
        """Per currency, the largest cost centers and, if there are several, the periods."""
        charts = []
        for name, kind in (("By cost center", "bar"), ("Summary", "column")):
            breakdown = SHEETS[name]
            assert breakdown
            totals = self.rows.totals(breakdown)
            for currency in (total.currency for total in self.by_currency):
                numbers = [total.number for total in totals if total.currency == currency]
                if breakdown is not PERIODS or len(numbers) > 1:
                    charts.append(
                        self._chart(name, breakdown, kind, numbers[:CHARTED_TOTALS], currency)
                    )
        for place, chart in enumerate(charts):
            sheet.insert_chart(row + place // 2 * 25, place % 2 * 6, chart)

    def _chart(
        self, sheet_name: str, breakdown: Breakdown, kind: str, numbers: list[int], currency: str
    ) -> Any:
        chart = self.workbook.add_chart({"type": kind})
        first, last = HEADER_ROW + numbers[0], HEADER_ROW + numbers[-1]
        # Names are in the last column before the measures.
        names = 1 + len(breakdown.labels)
        # The first measure is the amount charged.
        measure = self.measures[0]
        chart.add_series(
            {
                "name": measure.header,
                "categories": [sheet_name, first, names, last, names],
                "values": [sheet_name, first, names + 1, last, names + 1],
            }
        )
        title = f"{measure.header} by {breakdown.word.lower()}, {currency}"
        chart.set_title({"name": _text(title), "name_font": {"size": 12}})
        amounts = {"num_format": "#,##0", "major_gridlines": {"visible": True, "line": GRAY}}
        if kind == "bar":
            chart.set_x_axis(amounts)
            chart.set_y_axis({"reverse": True})
        else:
            chart.set_y_axis(amounts)
        chart.set_legend({"none": True})
        chart.set_size({"width": 640, "height": 480})
        return chart

    # --- detail and pivot --------------------------------------------------------------------

    def _write_detail(self, sheet: Any) -> None:
        numbers = (Column(header, header, 9, "count") for header in self.rows.numbers)
        columns = (*self.rows.columns, *numbers)
        self._write_table(sheet, "Detail", columns, self.rows.details())

    def _write_table(
        self,
        sheet: Any,
        name: str,
        columns: Sequence[Column],
        rows: Iterable[tuple[Any, ...]],
    ) -> None:
        """A table with filters; rows have one value per column, then their currency."""
        last = 0
        for last, (*values, currency) in enumerate(rows, 1):
            for at, (value, column) in enumerate(zip(values, columns, strict=True)):
                self._write(sheet, last, at, value, column.kind, currency)
        headers = [{"header": column.header} for column in columns]
        sheet.add_table(
            0, 0, last, len(columns) - 1, {"name": name.replace(" ", ""), "columns": headers}
        )
        for at, column in enumerate(columns):
            sheet.set_column(at, at, column.width)
        sheet.freeze_panes(1, 0)
        sheet.repeat_rows(0)
        printed = list(itertools.takewhile(lambda column: column.is_printed, columns))
        sheet.print_area(0, 0, last, len(printed) - 1)

    def _write_pivot(self, sheet: Any) -> Pivot:
        """The result of the pivot, for programs that do not refresh it; currencies are separate."""
        fields = {"Currency": "currency"}
        if not self.rows.scope.organization_id:
            fields["Organization"] = "organization_name"
        fields["Cost center"] = "cost_center_name"
        values = {
            f"Sum of {measure.total_header.lower()}": measure.header for measure in self.measures
        }
        sheet.set_column(0, 0, 14)
        sheet.set_column(1, len(fields) - 1, 32)
        sheet.set_column(len(fields), len(fields) + len(values) - 1, 16)
        for row, header in enumerate(PIVOT_FILTERS, 2):
            sheet.write_string(row, 0, header)
            sheet.write_string(row, 1, "(All)")
        self._write_headers(sheet, PIVOT_ROW, [*fields, *values])
        above: list[str | None] = []
        row = PIVOT_ROW
        for row, sums in enumerate(self.rows.sums_by(list(fields.values())), PIVOT_ROW + 1):
            labels = list(sums[: len(fields)])
            for column, label in enumerate(labels):
                if labels[: column + 1] != above[: column + 1]:
                    sheet.write_string(row, column, _text(label or "(blank)"))
            for column, amount in enumerate(sums[len(fields) :], len(fields)):
                self._write(sheet, row, column, amount, "money", labels[0])
            above = labels
        has_grand_total = len(self.by_currency) == 1
        if has_grand_total:
            row += 1
            sheet.write_string(row, 0, "Grand Total", self._format("text", bold=True))
            for column, amount in enumerate(self.by_currency[0].sums, len(fields)):
                self._write(sheet, row, column, amount, "money", self.by_currency[0].currency)
        return Pivot(
            source_table="Detail",
            source_headers=self.rows.headers,
            area=area_of(PIVOT_ROW, row - PIVOT_ROW + 1, len(fields) + len(values)),
            rows=list(fields),
            filters=PIVOT_FILTERS,
            values=values,
            has_grand_total=has_grand_total,
        )


def _set_page(sheet: Any) -> None:
    """Print a sheet in landscape, one page wide."""
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.5)


def _text(value: str) -> str:
    """A text that fits into a cell, without characters that are invalid in XML."""
    text = NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", value)
    return text if len(text) <= TEXT_LIMIT else f"{text[: TEXT_LIMIT - 1]}…"


def _write_formula(
    sheet: Any, row: int, column: int, formula: str, cell_format: Any, result: Any
) -> None:
    """A formula with its result; a null is empty."""
    shown = "" if result is None else float(result) if isinstance(result, Decimal) else result
    sheet.write_formula(row, column, f"={formula}", cell_format, shown)


def _ok_or_difference(difference: str, currency: str) -> str:
    """A formula with the result OK if a difference is too small to be shown."""
    return f'IF(ABS({difference})<{_half_unit(currency):f},"{OK}",{difference})'


def _half_unit(currency: str) -> Decimal:
    """Half of the smallest amount of a currency: 0.005 for dollars."""
    return Decimal(5).scaleb(-currency_decimals(currency) - 1)
