"""Workbooks to rows: the table on a spreadsheet becomes a table of text.

Belongs here: which cells are the table, and which of its rows cannot be used. Does not: the text
of a cell (`workbook_cells`), the archive (`archives`) and the meaning of columns (`formats`).

* The sheet is the one that apportion.toml names. Without it, the sheet is the first visible one
  with a row of two or more filled cells, else the first visible one with any content.
  `ignored_sheets` names the other visible sheets; without a named sheet, a second one with the
  same header is refused, because its rows would be lost.
* The header is the first filled row from the header_row that apportion.toml states. Without it, the
  header is the first of the first 50 filled rows that has words in more than two thirds as many
  cells as the row with most of them. Titles above it, empty rows and empty columns are skipped. A
  column with content and without a name is called "column C".
* Every filled row below is a row, also a hidden or filtered one, with the sheet's row number.
* A row with a cell that has no value (an error, a formula without a saved result) or with a
  merged cell in a named column is rejected as a whole, and the reason names the cell. The value
  of a merged cell belongs to its first cell; whether the others should repeat it is unknown.
"""

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pyarrow as pa
from openpyxl.utils import get_column_letter

from dagster_project.errors import (
    EmptyFile,
    RefusedFile,
    TooLarge,
    UnreadableText,
    WrongMapping,
    did_you_mean,
)
from dagster_project.feeds.archives import OLE_MAGIC, holds_workbook, open_zip
from dagster_project.feeds.declarations import NOTHING_DECLARED, Declaration
from dagster_project.feeds.formats import match_key
from dagster_project.feeds.readers import RAW_ROW_LIMIT, LandedRows, RejectedRow, require_few
from dagster_project.feeds.workbook_cells import SAVE_AGAIN, Problem, Row, Sheet, Workbook

CELL_LIMIT = 50_000_000
"""Rows times columns of one table; a full sheet of 1,048,576 rows may have 47 columns."""

SEARCHED_ROWS = 50
CHUNK_ROWS = 10_000
LONG_NUMBER = re.compile(r"\d{15}0+")


class SeveralTables(RefusedFile):
    """More than one visible sheet of a workbook holds a table with the same header."""


@dataclass(frozen=True)
class WorkbookRows:
    """The rows of a workbook's table and where they are.

    `rows.row_numbers` are the sheet's own; `column_letters` has the letter by header.
    `ignored_sheets` are visible sheets with content that were not read, in the workbook's order.
    """

    rows: LandedRows
    sheet: str
    column_letters: dict[str, str]
    ignored_sheets: tuple[str, ...] = ()

    def cell(self, header: str, row_number: int) -> str:
        """The place of a value: `sheet Prices, cell C7`."""
        return f"sheet {self.sheet}, cell {self.column_letters[header]}{row_number}"


def is_workbook(content: bytes) -> bool:
    """Whether `read_workbook` reads the content, or refuses it with a message that helps."""
    return content.startswith(OLE_MAGIC) or holds_workbook(content)


def read_workbook(
    content: bytes, limit: int, declared: Declaration = NOTHING_DECLARED
) -> WorkbookRows:
    """The rows of the table in an .xlsx or .xlsm workbook, by the rules of this module.

    `limit` is the size in bytes that the workbook may unpack to. Macros, links to other
    workbooks, charts and pictures are not read. Raises TooLarge, BrokenArchive where the zip
    archive is damaged, EmptyFile where no visible sheet has content, WrongMapping where the
    declared sheet does not exist, SeveralTables, and UnreadableText where it is another kind of
    file or its content is damaged.
    """
    if content.startswith(OLE_MAGIC):
        is_protected = "EncryptedPackage".encode("utf-16-le") in content
        raise UnreadableText(
            "a password protects the workbook; save it without one, as .xlsx"
            if is_protected
            else "an older .xls workbook or another Office file; save it as .xlsx"
        )
    with open_zip(content, limit, "the workbook") as archive:
        try:
            return _read_table(Workbook(archive), declared)
        except (ArithmeticError, LookupError, SyntaxError, TypeError, ValueError) as error:
            raise UnreadableText(f"the workbook is damaged ({error}); {SAVE_AGAIN}") from error


def beginnings(content: bytes, limit: int) -> dict[str, list[Row]]:
    """The first filled rows of each sheet with content, visible ones first.

    Raises what `read_workbook` raises.
    """
    with open_zip(content, limit, "the workbook") as archive:
        try:
            book = Workbook(archive)
            found = {
                sheet.name: list(islice(sheet.rows(), SEARCHED_ROWS))
                for sheet in (*book.visible, *book.hidden)
            }
        except (ArithmeticError, LookupError, SyntaxError, TypeError, ValueError) as error:
            raise UnreadableText(f"the workbook is damaged ({error}); {SAVE_AGAIN}") from error
    return {name: rows for name, rows in found.items() if rows}


# --- the table ---------------------------------------------------------------------------


def _read_table(book: Workbook, declared: Declaration) -> WorkbookRows:
    named = None if declared.sheet is None else _named_sheet(book, declared.sheet)
    found = [
        (sheet, beginning)
        for sheet in (book.visible if named is None or named in book.visible else [named])
        if (beginning := list(islice(sheet.rows(), SEARCHED_ROWS)))
    ]
    if named is not None and all(sheet is not named for sheet, _ in found):
        raise EmptyFile(f"the sheet {named.name}, which apportion.toml names, is empty")
    if not found:
        hidden = ", ".join(sheet.name for sheet in book.hidden)
        raise EmptyFile(
            "no visible sheet of the workbook has content"
            + (f" (hidden sheets are not read: {hidden})" if hidden else "")
        )
    sheet, beginning = next(
        (
            each
            for each in found
            if (each[0] is named if named else any(row.filled_count > 1 for row in each[1]))
        ),
        found[0],
    )
    header = _header_of(sheet, beginning, declared.header_row)
    if header is None:
        raise EmptyFile(
            f"apportion.toml states header_row = {declared.header_row}, but the sheet {sheet.name}"
            " ends above it"
        )
    others = [each for each in found if each[0] is not sheet]
    for other, rows in others if named is None else []:
        other_header = _header_of(other, rows, declared.header_row)
        if other_header and _names(header) and _names(header) == _names(other_header):
            raise SeveralTables(
                f"the sheets {sheet.name} and {other.name} both hold a table with this header; "
                "put all rows into one sheet, hide or delete the other, or state sheet in "
                "apportion.toml"
            )
    for column, problem in header.problems.items():
        place = f"sheet {sheet.name}, cell {get_column_letter(column)}{header.number}"
        raise UnreadableText(f"{place}, in the header, {problem.reason}")
    landed, letters = _read_rows(sheet, header, declared)
    return WorkbookRows(landed, sheet.name, letters, tuple(other.name for other, _ in others))


def _named_sheet(book: Workbook, name: str) -> Sheet:
    """The sheet that apportion.toml names, which may be hidden."""
    sheets = [*book.visible, *book.hidden]
    for sheet in sheets:
        # Excel, too, regards names that differ in case as the same.
        if sheet.name.strip().casefold() == name.casefold():
            return sheet
    names = tuple(sheet.name for sheet in sheets)
    raise WrongMapping(
        f"apportion.toml states sheet = {name!r}, which the workbook does not have"
        + did_you_mean(name, names, otherwise=f"; its sheets are {', '.join(names)}")
    )


def _header_of(sheet: Sheet, beginning: list[Row], header_row: int | None) -> Row | None:
    """The row of the header; None where the sheet ends above the declared one."""
    if header_row is not None:
        return next((row for row in sheet.rows() if row.number >= header_row), None)
    most = max(row.word_count for row in beginning)
    return next(row for row in beginning if row.word_count * 3 >= most * 2 + (most > 0))


def _names(header: Row) -> set[str]:
    return {match_key(text) or text.strip() for text in header.texts.values()}


def _read_rows(
    sheet: Sheet, header: Row, declared: Declaration
) -> tuple[LandedRows, dict[str, str]]:
    """The rows below the header, and the column letter by header."""
    names = {column: text.strip() for column, text in header.texts.items() if text.strip()}
    columns = set(names)
    numbers: list[int] = []
    problems: dict[int, dict[int, Problem]] = {}
    """By place of the row in the table, and by column."""
    typed: dict[int, set[int]] = {}
    """By column, the numbers of the rows whose cell is not text, where that makes a difference."""
    long_numbers: dict[int, set[int]] = {}
    """By column, the numbers of the rows whose number a program that keeps 15 digits has cut."""
    chunks = [pa.table({str(column): pa.array([], pa.string()) for column in names})]
    below = (row for row in sheet.rows() if row.number > header.number)
    while chunk := list(islice(below, CHUNK_ROWS)):
        texts = []
        for row in chunk:
            # A problem outside of the table does not matter.
            if named := {at: each for at, each in row.problems.items() if at in names}:
                problems[len(numbers)] = named
            texts.append(row.texts | {at: p.shown for at, p in row.problems.items() if p.shown})
            numbers.append(row.number)
            for at in row.typed:
                if LONG_NUMBER.fullmatch(row.texts[at]):
                    long_numbers.setdefault(at, set()).add(row.number)
            if declared.decimals is not None or declared.thousands is not None:
                for at in row.typed:
                    typed.setdefault(at, set()).add(row.number)
        columns.update(*texts)
        if len(numbers) * len(columns) > CELL_LIMIT:
            raise TooLarge(
                f"the table has {len(columns):,} columns and more rows than fit into the limit "
                f"of {CELL_LIMIT:,} cells"
            )
        arrays = {str(at): pa.array([row.get(at) for row in texts], pa.string()) for at in columns}
        chunks.append(pa.table(arrays))
    table = pa.concat_tables(chunks, promote_options="default")
    table = table.select([str(column) for column in sorted(columns)])
    for at, column, problem in _covered_by_merges(sheet, header, table, numbers, sorted(names)):
        problems.setdefault(at, {column: problem})
    letters = {column: get_column_letter(column) for column in sorted(columns)}
    headers = {column: names.get(column, f"column {letters[column]}") for column in letters}
    rejected = []
    for at in sorted(problems):
        (values,) = table.slice(at, 1).to_pylist()
        rejected.append(_reject(sheet.name, numbers[at], values, headers, problems[at]))
        require_few(rejected)
    keep = np.ones(len(numbers), dtype=bool)
    keep[list(problems)] = False
    good = table.filter(pa.array(keep)).rename_columns(list(headers.values()))
    row_numbers = pa.array(numbers, pa.int64()).filter(pa.array(keep))
    landed = LandedRows(
        tuple(headers.values()),
        good,
        row_numbers,
        tuple(rejected),
        typed_cells={headers[column]: frozenset(rows) for column, rows in typed.items()},
        long_numbers={headers[column]: frozenset(rows) for column, rows in long_numbers.items()},
    )
    return landed, {headers[column]: letters[column] for column in letters}


def _reject(
    sheet: str,
    row_number: int,
    values: dict[str, str | None],
    headers: dict[int, str],
    problems: dict[int, Problem],
) -> RejectedRow:
    """The row with the first of its problems."""
    column, problem = min(problems.items())
    shown = {at: value for at in headers if (value := values[str(at)]) is not None}
    by_header = {headers[at]: value for at, value in shown.items()}
    return RejectedRow(
        row_number=row_number,
        reason=f"sheet {sheet}, cell {get_column_letter(column)}{row_number} {problem.reason}",
        raw_row=json.dumps(by_header, ensure_ascii=False)[:RAW_ROW_LIMIT],
        column_name=headers[column],
        value=problem.shown,
        known_values={headers[at]: value for at, value in shown.items() if at not in problems},
    )


def _covered_by_merges(
    sheet: Sheet, header: Row, table: pa.Table, numbers: list[int], names: list[int]
) -> Iterator[tuple[int, int, Problem]]:
    """(place of the row, column, problem) where a merged cell with a value covers a named column.

    Each row is reported once per merge that begins in it, and once for all that begin above it.
    """
    columns = set(table.column_names)
    visited_to = 0
    for top, left, bottom, right in sorted(sheet.merges):
        first, below = bisect_left(numbers, top), bisect_right(numbers, top)
        if top > header.number and not (
            first < below and str(left) in columns and table[str(left)][first].as_py()
        ):
            # The merged cell is empty, so it hides nothing.
            continue
        corner = f"{get_column_letter(left)}{top}"
        problem = Problem(
            None,
            f"is merged with {corner}; unmerge the cells and write the value into every cell it "
            "is meant for",
        )
        beside, under = _first_between(names, left + 1, right), _first_between(names, left, right)
        if first < below and beside:
            yield first, beside, problem
        if under:
            behind = bisect_right(numbers, bottom)
            for at in range(max(below, visited_to), behind):
                yield at, under, problem
            visited_to = max(visited_to, behind)


def _first_between(columns: list[int], low: int, high: int) -> int | None:
    at = bisect_left(columns, low)
    return columns[at] if at < len(columns) and columns[at] <= high else None
