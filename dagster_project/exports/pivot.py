"""A pivot table over a table of a finished workbook.

Belongs here: how a pivot is added to the file. Does not: its content. XlsxWriter cannot write
pivots. excelize can, but it reads and rewrites the whole workbook, which takes 2.7 GB for 100,000
rows and replaces the styles and strings of every sheet. Therefore excelize creates the pivot in a
small workbook that contains only the table's header, and the parts of the pivot are copied from
there. Nothing else in the finished workbook changes.
"""

import re
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import xlsxwriter  # type: ignore[import-untyped]
from xlsxwriter.utility import xl_range  # type: ignore[import-untyped]

from dagster_project.errors import ApportionError
from dagster_project.files import replaced_at_once

CACHE = "xl/pivotCache/pivotCacheDefinition1.xml"
TABLE = "xl/pivotTables/pivotTable1.xml"
TABLE_LINKS = "xl/pivotTables/_rels/pivotTable1.xml.rels"
RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
SHEET = "Pivot"


class NoPivot(ApportionError):
    """excelize could not create the pivot table."""


@dataclass(frozen=True)
class Pivot:
    """A pivot over all columns of a table, by header; `area` is its initial range.

    `values` are summed; their keys are the captions, which must differ from every header.
    `number_format` is a built-in format of workbooks: 3 is 1,234 and 4 is 1,234.00.
    """

    source_table: str
    source_headers: Sequence[str]
    area: str
    rows: Sequence[str]
    filters: Sequence[str]
    values: dict[str, str]
    has_grand_total: bool
    number_format: int = 4


def add_pivot(workbook: Path, sheet_number: int, pivot: Pivot) -> None:
    """Add the pivot to a sheet of the workbook, counted from 1, that has no other objects.

    The cells in its range should contain its result, for programs that do not refresh pivots.
    Other programs refresh it when they open the file. Raises NoPivot.
    """
    with _changed(workbook) as (source, target):
        parts = _pivot_parts(pivot)
        cache_id = re.findall(rb'cacheId="(\d+)"', parts[TABLE])[0].decode()
        additions = {
            "[Content_Types].xml": (
                "</Types>",
                f'<Override PartName="/{TABLE}" ContentType="{CONTENT_TYPE}.pivotTable+xml"/>'
                f'<Override PartName="/{CACHE}"'
                f' ContentType="{CONTENT_TYPE}.pivotCacheDefinition+xml"/>',
            ),
            "xl/workbook.xml": (
                "</workbook>",
                f'<pivotCaches><pivotCache cacheId="{cache_id}" r:id="rIdPivot"/></pivotCaches>',
            ),
            "xl/_rels/workbook.xml.rels": (
                "</Relationships>",
                f'<Relationship Id="rIdPivot" Type="{RELATIONSHIPS}/pivotCacheDefinition"'
                ' Target="pivotCache/pivotCacheDefinition1.xml"/>',
            ),
        }
        for entry in source.infolist():
            if entry.filename in additions:
                end, addition = additions[entry.filename]
                content = source.read(entry).decode()
                target.writestr(entry, content.replace(end, addition + end))
            else:
                with source.open(entry) as part, target.open(entry, "w") as copy:
                    while chunk := part.read(1 << 20):
                        copy.write(chunk)
        for name, added in parts.items():
            target.writestr(_entry(name), added)
        target.writestr(
            _entry(f"xl/worksheets/_rels/sheet{sheet_number}.xml.rels"),
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="rId1" Type="{RELATIONSHIPS}/pivotTable"'
            ' Target="../pivotTables/pivotTable1.xml"/></Relationships>',
        )


def _entry(name: str) -> zipfile.ZipInfo:
    """An entry with XlsxWriter's fixed date, so that the same rows give the same file."""
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


@contextmanager
def _changed(path: Path) -> Iterator[tuple[zipfile.ZipFile, zipfile.ZipFile]]:
    """The archive, and an empty one that replaces it on success."""
    with (
        replaced_at_once(path, is_flushed=False) as building,
        zipfile.ZipFile(path) as source,
        zipfile.ZipFile(building, "w") as target,
    ):
        yield source, target


def _pivot_parts(pivot: Pivot) -> dict[str, bytes]:
    """The parts of a pivot table created by excelize, by name."""
    # Imported only if needed, because it starts the runtime of another language in this process.
    import excelize  # type: ignore[import-untyped]

    def fields(headers: Sequence[str]) -> list[excelize.PivotTableField]:
        return [excelize.PivotTableField(data=header) for header in headers]

    with tempfile.TemporaryDirectory() as folder:
        bare, with_pivot = Path(folder, "bare.xlsx"), Path(folder, "pivot.xlsx")
        _write_bare_workbook(bare, pivot)
        book = excelize.open_file(str(bare))
        try:
            problem = book.add_pivot_table(
                excelize.PivotTableOptions(
                    name=SHEET,
                    data_range=pivot.source_table,
                    pivot_table_range=f"{SHEET}!{pivot.area}",
                    rows=fields(pivot.rows),
                    filter=fields(pivot.filters),
                    data=[
                        excelize.PivotTableField(
                            data=header,
                            name=caption,
                            subtotal="Sum",
                            num_fmt=pivot.number_format,
                        )
                        for caption, header in pivot.values.items()
                    ],
                    row_grand_totals=pivot.has_grand_total,
                    col_grand_totals=pivot.has_grand_total,
                    show_drill=True,
                    show_row_headers=True,
                    show_col_headers=True,
                    pivot_table_style_name="PivotStyleLight16",
                )
            ) or book.save_as(str(with_pivot))
        finally:
            book.close()
        if problem:
            raise NoPivot(f"the pivot table could not be created: {problem}")
        with zipfile.ZipFile(with_pivot) as archive:
            return {name: archive.read(name) for name in (CACHE, TABLE, TABLE_LINKS)}


def _write_bare_workbook(path: Path, pivot: Pivot) -> None:
    with xlsxwriter.Workbook(path) as book:
        source = book.add_worksheet("Source")
        corner = xl_range(0, 0, 1, len(pivot.source_headers) - 1)
        source.add_table(
            corner,
            {
                "name": pivot.source_table,
                "columns": [{"header": header} for header in pivot.source_headers],
            },
        )
        book.add_worksheet(SHEET)


def area_of(first_row: int, row_count: int, column_count: int) -> str:
    """A range from the first column: 3 rows of 2 columns from row 4 on are A5:B7."""
    return str(xl_range(first_row, 0, first_row + row_count - 1, column_count - 1))
