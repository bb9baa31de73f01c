"""Suggested settings of apportion.toml for reading a file.

Belongs here: finding a setting from the header and the values. Does not: the words (concepts) and
applying a setting (feeds). A choice that the file leaves open is written as a comment for a person.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from dagster_project.errors import RefusedFile
from dagster_project.feeds import conventions, mapping, readers, workbooks
from dagster_project.feeds.declarations import Declaration
from dagster_project.feeds.formats import DISTRIBUTOR_BILL, FORMATS, FileFormat, match_key
from dagster_project.feeds.readers import LandedRows
from dagster_project.feeds.totals import total_words
from dagster_project.inspection.concepts import NAMES, word_key
from dagster_project.settings import Limits

SEARCHED_HEADER_ROWS = 20
SEARCHED_BYTES = 65_536
SHOWN_END = 3
"""Rows at the end of a file that can be sums."""
FEEDS_OF_PERSONS = ("directory",)
"""A file without a header has a person in its first row, so nothing of it is suggested."""
CONSTANTS = ("Currency", "Charge Type", "Organization", "Billing Date", "Distributor")
"""Columns that can have one value for all rows of a file."""
NUMBER_FORMS = (
    Declaration(decimals="comma", thousands="none"),
    Declaration(decimals="comma", thousands="point"),
    Declaration(decimals="comma", thousands="space"),
    Declaration(decimals="comma", thousands="apostrophe"),
    Declaration(decimals="point", thousands="comma"),
    Declaration(decimals="point", thousands="space"),
    Declaration(decimals="point", thousands="apostrophe"),
)


@dataclass(frozen=True)
class Suggestion:
    """A table `[[files]]` without its pattern. A line of `settings` is TOML or a comment."""

    file_format: FileFormat
    settings: tuple[str, ...]
    columns: dict[str, str] = field(default_factory=dict)
    values: tuple[str, ...] = ()
    """Columns of the format that the file lacks and that one value could fill."""
    lacking: tuple[str, ...] = ()
    """Columns of the format that neither the file nor one value can fill."""

    def as_toml(self, pattern: str) -> str:
        """The suggestion as lines for apportion.toml."""
        lines = ["[[files]]", f"pattern = {_text(pattern)}", *self.settings]
        if self.columns:
            lines.append("[files.columns]")
            lines += [f"{_text(ours)} = {_text(theirs)}" for ours, theirs in self.columns.items()]
        if self.values:
            lines.append("[files.values]")
            lines += [f'# {_text(each)} = "the value of every row"' for each in self.values]
        lines += [f"# No column of the file looks like {each}." for each in self.lacking]
        return "\n".join(lines)


def suggest(
    content: bytes,
    as_they_stand: LandedRows,
    declared: Declaration,
    feed: str | None,
    file_format: FileFormat | None,
) -> Suggestion | None:
    """Settings with which the file could be read; None where it needs none or none is found.

    `file_format` is the format it is read as already, if it is.
    """
    if feed in FEEDS_OF_PERSONS:
        return None
    settings: list[str] = []
    rows = as_they_stand
    if encoding := _encoding(content, rows, declared):
        settings.append(f"encoding = {_text(encoding)}")
        declared = declared.model_copy(update={"encoding": encoding})
        rows = readers.read_rows(content, declared)
    if file_format is None and rows.sheet is not None:
        place, rows = _on_a_sheet(content, rows, declared, feed)
        settings += place
    elif file_format is None and (found := _below_a_title(content, rows, declared, feed)):
        header_row, rows = found
        settings.append(f"header_row = {header_row}")
    mapped = _mapped(rows, declared)
    target = file_format or _nearest(mapped, declared, feed)
    if target is None:
        return None
    columns = _columns(mapped, target)
    known = {match_key(columns.get(each, each)) for each in mapped.headers}
    missing = target.missing([*mapped.headers, *columns.values()])
    is_new_bill = target is DISTRIBUTOR_BILL and file_format is None
    if is_new_bill:
        settings.insert(0, f"format = {_text(target.name)}")
    headers = {match_key(columns.get(each, each)): each for each in mapped.headers}
    settings += _date_order(mapped, target, headers, declared)
    settings += _number_form(mapped, target, headers, declared)
    if words := _totals(rows, declared):
        settings.append(f"skip_rows = [{', '.join(map(_text, words))}]")
    constants = [each for each in missing if each in CONSTANTS]
    if (
        target is DISTRIBUTOR_BILL
        and file_format is None
        and match_key("Organization") not in known
    ):
        constants.append("Organization")
    lacking = tuple(each for each in missing if each not in CONSTANTS)
    if not (settings or columns or constants):
        return None
    return Suggestion(target, tuple(settings), columns, tuple(constants), lacking)


def _mapped(rows: LandedRows, declared: Declaration) -> LandedRows:
    try:
        return mapping.mapped(rows, declared).rows
    except RefusedFile:
        return rows


def _text(value: str) -> str:
    """A string of TOML; those of JSON are a part of them."""
    return json.dumps(value, ensure_ascii=False)


# --- columns ---------------------------------------------------------------------------


def _nearest(rows: LandedRows, declared: Declaration, feed: str | None) -> FileFormat | None:
    """The format with most of the columns, if the file has half of its required ones."""
    if declared.format is not None:
        return next((each for each in FORMATS if each.name == declared.format), None)

    def known_and_found(each: FileFormat) -> tuple[int, float]:
        columns = _columns(rows, each)
        headers = [columns.get(header, header) for header in rows.headers]
        needed = len(each.needed_in_words)
        known, _ = each.assign(headers)
        return len(known), (needed - len(each.missing(headers))) / needed

    candidates = [
        each for each in FORMATS if feed in (None, each.feed) and each.feed not in FEEDS_OF_PERSONS
    ]
    best = max(candidates, key=known_and_found)
    _, found_share = known_and_found(best)
    return best if found_share >= 0.5 else None


def _columns(rows: LandedRows, target: FileFormat) -> dict[str, str]:
    """Our column by the file's, for columns of the format that the file has by another name."""
    assigned, others = target.assign(rows.headers)
    wanted = [
        each for each in target.headers if target.column_by_key[match_key(each)] not in assigned
    ]
    found: dict[str, str] = {}
    for column in wanted:
        names = NAMES.get(match_key(column), frozenset()) | {word_key(column)}
        # Two columns of one meaning leave open which of them is meant.
        alike = [
            each
            for each in others
            if each not in found and word_key(each) in names and _fits(rows, each, column, target)
        ]
        if len(alike) == 1:
            found[alike[0]] = column
    return found


def _fits(rows: LandedRows, header: str, column: str, target: FileFormat) -> bool:
    """Whether the values can be those of our column: numbers, dates, or text."""
    name = target.column_by_key[match_key(column)]
    values = _values(rows, header)
    if name in target.number_columns:
        return _most(_looks_like_a_number(each) for each in values)
    if name in target.date_columns:
        return _most(any(digit.isdigit() for digit in each) for each in values)
    return True


def _most(answers: Iterable[bool]) -> bool:
    # A sum row or a remark below the table has text in a column of numbers.
    counted = list(answers)
    return sum(counted) * 10 >= len(counted) * 8


def _looks_like_a_number(value: str) -> bool:
    return any(_reads(value, form) for form in NUMBER_FORMS)


def _reads(value: str, declared: Declaration) -> bool:
    try:
        conventions.plain_number(value, declared)
    except ValueError:
        return False
    return True


def _values(rows: LandedRows, header: str) -> list[str]:
    """The distinct values of a column that are not empty."""
    distinct = rows.table.column(header).unique().to_pylist()
    return [each for each in distinct if each and each.strip()]


# --- values ----------------------------------------------------------------------------


def _date_order(
    rows: LandedRows, target: FileFormat, headers: dict[str, str], declared: Declaration
) -> list[str]:
    """The setting if a numeric date of the file can be read in two orders."""
    if declared.date_order is not None:
        return []
    named = [headers[match_key(each)] for each in _of(target, "date") if match_key(each) in headers]
    columns = {header: _values(rows, header) for header in named}
    orders = conventions.date_orders(columns, target, declared)
    for header, order in orders.items():
        numeric = [each for each in columns[header] if conventions.is_open_date(each)]
        # 03/03/2026 is the same day in both orders, and shows nothing.
        numeric.sort(key=lambda value: len(set(re.split("[./-]", value)[:2])), reverse=True)
        if order is None and numeric:
            seen = {each for values in columns.values() if (each := conventions.only_order(values))}
            first = "MDY" if seen == {"MDY"} else "DMY"
            return [
                f'date_order = "{first}"  # decide: {numeric[0]} in {header} can be day/month/year'
                " (DMY) or month/day/year (MDY)"
            ]
    return []


def _number_form(
    rows: LandedRows, target: FileFormat, headers: dict[str, str], declared: Declaration
) -> list[str]:
    """The settings if the numbers of the file are not plain, and all fit one other form."""
    if declared.decimals is not None or declared.thousands is not None:
        return []
    named = [
        headers[match_key(each)] for each in _of(target, "number") if match_key(each) in headers
    ]
    values = [
        each for header in named for each in _values(rows, header) if _looks_like_a_number(each)
    ]
    if all(_reads(each, Declaration()) for each in values):
        return []
    read: dict[tuple[str, ...], Declaration] = {}
    for form in NUMBER_FORMS:
        if all(_reads(each, form) for each in values):
            read.setdefault(tuple(conventions.plain_number(each, form) for each in values), form)
    if not read:
        return []
    form = next(iter(read.values()))
    lines = [f'decimals = "{form.decimals}"', f'thousands = "{form.thousands}"']
    if len(read) > 1:
        value = next(each for each in values if not _reads(each, Declaration()))
        ways = " or ".join(
            f"{conventions.plain_number(value, each)}"
            f" (decimals {each.decimals}, thousands {each.thousands})"
            for each in read.values()
        )
        lines.append(f"# decide: {value} can be {ways}")
    return lines


def _of(target: FileFormat, kind: str) -> list[str]:
    columns = target.date_columns if kind == "date" else target.number_columns
    return [each for each in target.headers if target.column_by_key[match_key(each)] in columns]


def _totals(rows: LandedRows, declared: Declaration) -> list[str]:
    """The first words of rows at the end that sum others up."""
    count = rows.table.num_rows
    ending = [
        next((value for value in row.values() if value and value.strip()), "")
        for row in rows.table.slice(max(0, count - SHOWN_END)).to_pylist()
    ]
    ending += [each.raw_row for each in rows.rejected[-SHOWN_END:]]
    words = [words for first in ending if (words := total_words(first))]
    known = {each.casefold() for each in declared.skip_rows}
    return [each for each in dict.fromkeys(words) if each.casefold() not in known]


# --- the text itself -------------------------------------------------------------------


def _encoding(content: bytes, rows: LandedRows, declared: Declaration) -> str | None:
    """An encoding for text that is not UTF-8: one with Japanese words, else Western Europe's."""
    if declared.encoding is not None or rows.encoding is None or rows.encoding == "utf-16":
        return None
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    else:
        return None
    try:
        japanese = content.decode("cp932")
    except UnicodeDecodeError:
        return "cp1252"
    letters = [each for each in japanese if not each.isascii()]
    full_width = sum(
        "\u3040" <= each <= "\u30ff" or "\u4e00" <= each <= "\u9fff" for each in letters
    )
    return "cp932" if full_width * 2 > len(letters) else "cp1252"


def _below_a_title(
    content: bytes, rows: LandedRows, declared: Declaration, feed: str | None
) -> tuple[int, LandedRows] | None:
    """A row below the first that is a better header, with the rows below it."""
    if rows.delimiter is None or declared.header_row is not None:
        return None
    beginning = content[:SEARCHED_BYTES]
    best = _header_count(rows.headers, feed)
    found = None
    for header_row in range(2, SEARCHED_HEADER_ROWS + 1):
        settings = declared.model_copy(update={"header_row": header_row})
        try:
            below = readers.read_rows(beginning, settings)
        except RefusedFile:
            continue
        count = _header_count(below.headers, feed)
        if count > best:
            best, found = count, (header_row, below)
    return found


def _on_a_sheet(
    content: bytes, rows: LandedRows, declared: Declaration, feed: str | None
) -> tuple[list[str], LandedRows]:
    """The settings of the sheet and the row of the best header, with the rows below it.

    A bill in a workbook is read only if its file is declared, so the sheet is always named.
    """
    limit = Limits.from_environment().workbook_bytes
    best, place = _header_count(rows.headers, feed), (str(rows.sheet), 0)
    for name, beginning in workbooks.beginnings(content, limit).items():
        if declared.sheet is not None and name.casefold() != declared.sheet.casefold():
            continue
        for row in beginning[:SEARCHED_HEADER_ROWS]:
            count = _header_count(list(row.texts.values()), feed)
            if count > best:
                best, place = count, (name, row.number)
    settings = []
    found: dict[str, object] = {}
    if declared.sheet is None:
        found["sheet"] = place[0]
        settings.append(f"sheet = {_text(place[0])}")
    if place[1] > 1 and declared.header_row is None:
        found["header_row"] = place[1]
        settings.append(f"header_row = {place[1]}")
    book = workbooks.read_workbook(content, limit, declared.model_copy(update=found))
    return settings, replace(book.rows, sheet=book.sheet, column_letters=book.column_letters)


def _header_count(headers: Sequence[str], feed: str | None) -> int:
    """How many of the headers are those of one format, under its names or others."""
    keys = {word_key(each) for each in headers} - {""}
    return max(
        sum(
            bool(keys & (NAMES.get(match_key(column), frozenset()) | {word_key(column)}))
            for column in each.headers
        )
        for each in FORMATS
        if feed in (None, each.feed)
    )
