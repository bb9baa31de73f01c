"""An inspection as text for a terminal.

Belongs here: layout. Does not: what was read (reading) and what is suggested (suggesting).
"""

import textwrap
from collections.abc import Sequence
from decimal import Decimal

from dagster_project import wording
from dagster_project.feeds.formats import TEXT, FileFormat, match_key
from dagster_project.feeds.readers import LandedRows
from dagster_project.inspection.grouped_faults import RowFault, grouped
from dagster_project.inspection.reading import SHOWN_ROWS, Inspection, StagedRows
from dagster_project.landing.folder import feed_of

SHOWN_FAULTS = 10
VALUE_WIDTH = 28
LINE_WIDTH = 100


def as_text(inspection: Inspection) -> str:
    """The report on one file, as lines of text."""
    rows, staged = inspection.as_they_stand, inspection.staged
    parts = [_head(inspection)]
    if rows is not None:
        parts.append(_columns(rows, inspection))
    if staged is not None:
        parts += [_first_rows(staged), _sums(staged), _unusable(staged)]
    elif rows is not None:
        parts.append(_as_they_stand(rows))
    parts.append(_suggestion(inspection))
    return "\n\n".join("\n".join(part) for part in parts if part)


def _head(inspection: Inspection) -> list[str]:
    is_known = feed_of(inspection.place) is not None
    place = f"landing/{inspection.place}" if is_known else "unknown; state it with --as"
    lines = [f"Place         {place}"]
    rows, file_format, staged = (
        inspection.as_they_stand,
        inspection.file_format,
        inspection.staged,
    )
    if inspection.refusal is not None:
        lines.append(f"Refused       {inspection.refusal}")
    if file_format is not None:
        lines.append(f"Format        {file_format.name}: {file_format.description}")
    if rows is not None:
        lines.append(f"File          {_container(rows)}")
    if staged is not None:
        unusable = f", {staged.unusable_count:,} of them unusable" if staged.unusable else ""
        lines.append(f"Rows          {staged.row_count:,}{unusable}")
    for name, value in inspection.declared.stated().items():
        # Mapped columns are among the known ones.
        if name != "columns":
            lines.append(f"Setting       {name} = {_setting(value)}")
    lines += [f"Note          {each}" for each in inspection.notes]
    return lines


def _container(rows: LandedRows) -> str:
    if rows.container != TEXT:
        return f"{rows.container}{f', sheet {rows.sheet}' if rows.sheet else ''}"
    encoding = "UTF-8" if rows.encoding == "utf-8-sig" else str(rows.encoding).upper()
    if rows.delimiter is None:
        return f"JSON, encoding {encoding}"
    delimiter = "tab" if rows.delimiter == "\t" else rows.delimiter
    return f"delimited text, encoding {encoding}, delimiter {delimiter}"


def _setting(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{column}: {each}" for column, each in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "tab" if value == "\t" else str(value)


def _columns(rows: LandedRows, inspection: Inspection) -> list[str]:
    file_format = inspection.file_format
    if file_format is None:
        return _listed("Columns", rows.headers)
    renamed = {
        match_key(theirs) or theirs: ours for theirs, ours in inspection.declared.columns.items()
    }
    used = {each: renamed.get(match_key(each) or each, each) for each in rows.headers}
    known, unknown = file_format.assign([*used.values(), *inspection.declared.values])
    known_headers = set(known.values())
    return [
        *_listed(
            "Known",
            [
                theirs if theirs == ours else f"{theirs} (as {ours})"
                for theirs, ours in used.items()
                if ours in known_headers
            ],
        ),
        *_listed("Declared", list(inspection.declared.values)),
        *_listed("Unknown", [*unknown, "(kept, not used)"] if unknown else []),
        *_listed("Missing", [*_missing(file_format, known), "(all optional)"]),
    ]


def _listed(label: str, names: Sequence[str]) -> list[str]:
    """The names after their label, on as many lines as they need."""
    if not names:
        return []
    return textwrap.wrap(
        ", ".join(names).replace(", (", " ("),
        width=LINE_WIDTH,
        initial_indent=f"{label:<14}",
        subsequent_indent=" " * 14,
        break_on_hyphens=False,
    )


def _missing(file_format: FileFormat, known: dict[str, str]) -> list[str]:
    return [
        each
        for each in file_format.headers
        if file_format.column_by_key[match_key(each)] not in known
    ]


def _first_rows(staged: StagedRows) -> list[str]:
    if not staged.first:
        return []
    names = [
        name
        for name in staged.first[0][1]
        if any(values[name] is not None for _, values in staged.first)
    ]
    return [
        "First rows as understood",
        *_table(
            ["column", *(f"row {number}" for number, _ in staged.first)],
            [[name, *(_value(values[name]) for _, values in staged.first)] for name in names],
        ),
    ]


def _as_they_stand(rows: LandedRows) -> list[str]:
    first = rows.table.slice(0, SHOWN_ROWS).to_pylist()
    if not first:
        return []
    numbers = rows.row_numbers.slice(0, SHOWN_ROWS).to_pylist()
    return [
        "First rows as in the file",
        *_table(
            ["column", *(f"row {number}" for number in numbers)],
            [[header, *(row[header] or "" for row in first)] for header in rows.headers],
        ),
    ]


def _sums(staged: StagedRows) -> list[str]:
    if not staged.sums:
        return []
    lines = ["Sums of the usable rows"]
    for currency, sums in staged.sums:
        shown = [
            f"{name} {wording.exact(total)}"
            for name, total in sums.items()
            if total != 0 or name == "total_cost"
        ]
        lines.append(f"  {currency or 'no currency'}: {', '.join(shown) or '0'}")
    return lines


def _unusable(staged: StagedRows) -> list[str]:
    """The faults, one line for all rows with the same fault."""
    if not staged.unusable:
        return []
    faults = [
        RowFault(
            f"row {each.row_number}",
            f"{each.column_name} {each.reason}" if each.column_name else each.reason,
            each.value,
        )
        for each in staged.unusable
    ]
    return [
        "Rows that a run would put into quarantined_rows",
        *(f"  {line}" for line in grouped(faults, SHOWN_FAULTS)),
    ]


def _suggestion(inspection: Inspection) -> list[str]:
    if inspection.suggestion is None:
        return []
    place = inspection.place
    if "/" not in place:
        place = f"{inspection.suggestion.file_format.feed}/{place}"
    return [
        "Suggestion for apportion.toml (check each line)",
        *(f"    {line}" for line in inspection.suggestion.as_toml(place).split("\n")),
    ]


def _value(value: object) -> str:
    if value is None:
        return ""
    return wording.plain_decimal(value) if isinstance(value, Decimal) else str(value)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    shown = [[_shortened(each) for each in row] for row in (header, *rows)]
    widths = [max(len(row[at]) for row in shown) for at in range(len(header))]
    return [
        ("  " + "  ".join(f"{each:<{widths[at]}}" for at, each in enumerate(row))).rstrip()
        for row in shown
    ]


def _shortened(value: str) -> str:
    value = " ".join(value.split())
    return value if len(value) <= VALUE_WIDTH else value[: VALUE_WIDTH - 3] + "..."
