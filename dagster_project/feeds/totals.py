"""Rows of a bill that sum up others, as people and spreadsheet programs add them.

Belongs here: recognizing such a row and naming the setting that skips it. Does not: skipping it
(mapping.py). Its amount is in quarantine until the setting is there, because a charge may begin
with one of these words too.
"""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.feeds.formats import FileFormat, snake_case
from dagster_project.feeds.readers import RAW_ROW_LIMIT, LandedRows, RejectedRow

TOTALS = ("total", "totals", "grand total", "sum", "summe", "gesamt", "gesamtsumme", "合計", "総計")
"""First words of rows that contain totals."""


def total_words(first_value: str) -> str | None:
    """The words of a total with which a row begins, as written; None for another row."""
    text = first_value.strip()
    key = text.casefold()
    word = max((each for each in TOTALS if key.startswith(each)), key=len, default=None)
    if word is None or key[len(word) : len(word) + 1].isalpha():
        return None
    return text[: len(word)]


def explain_totals(rows: LandedRows, file_format: FileFormat) -> LandedRows:
    """The rows of a bill, where the reason of each unusable total names the setting `skip_rows`.

    A row of a total has none of the dates that every charge needs. It is rejected here, where its
    first words are known, instead of in staging, which would miss a date.
    """
    if file_format.feed != "billing_lines":
        return rows
    rejected = [_with_hint(each, rows.delimiter) for each in rows.rejected]
    keep = np.ones(rows.table.num_rows, dtype=bool)
    for at in _rows_without_dates(rows, file_format):
        row = rows.table.slice(at, 1).to_pylist()[0]
        filled = {header: value for header, value in row.items() if value and value.strip()}
        header, first = next(iter(filled.items()), ("", ""))
        if words := total_words(first):
            keep[at] = False
            rejected.append(
                RejectedRow(
                    row_number=rows.row_numbers[at].as_py(),
                    reason=f"begins with {words} and has no dates{_hint(words)}",
                    raw_row=json.dumps(filled, ensure_ascii=False)[:RAW_ROW_LIMIT],
                    column_name=header,
                    value=first,
                    known_values={each: value for each, value in filled.items() if each != header},
                )
            )
    mask = pa.array(keep)
    return replace(
        rows,
        table=rows.table.filter(mask),
        row_numbers=rows.row_numbers.filter(mask),
        rejected=tuple(sorted(rejected, key=lambda each: each.row_number)),
    )


def _hint(words: str) -> str:
    return f'; if the row is a total, state skip_rows = ["{words}"] in apportion.toml'


def _with_hint(row: RejectedRow, delimiter: str | None) -> RejectedRow:
    """The row with the setting in its reason, if it begins like a total."""
    cells = [*row.known_values.values(), row.value or "", *row.raw_row.split(delimiter or "\n")]
    for cell in cells:
        if words := total_words(cell.strip(' "')):
            return replace(row, reason=row.reason + _hint(words))
    return row


def _rows_without_dates(rows: LandedRows, file_format: FileFormat) -> list[int]:
    """The rows of the table in which all needed dates of the format are empty."""
    header_by_column, _ = file_format.assign(rows.headers)
    needed = {snake_case(each) for each in file_format.needed}
    headers = [header_by_column[each] for each in file_format.date_columns if each in needed]
    lacking = np.full(rows.table.num_rows, bool(headers))
    for header in headers:
        texts = pc.utf8_trim_whitespace(pc.fill_null(rows.table[header], ""))
        lacking &= pc.equal(texts, "").to_numpy()
    return np.flatnonzero(lacking).tolist()
