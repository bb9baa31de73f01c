"""Answers as HTML: tables, cards, marks. Every value is escaped.

Belongs here: markup; its style is in style.css. Does not: Streamlit, queries.

Plain HTML tables replace Streamlit's grid: amounts keep every digit, sentences wrap, and screen
readers, search and copying work.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from html import escape
from urllib.parse import urlencode

from app.queries.query import WORDS, Column, Row
from dagster_project import wording

RIGHT = frozenset({"amount", "exact", "quantity", "share", "percent"})
MARKS: Mapping[str, str] = {
    "good": "\N{CHECK MARK}",
    "warn": "!",
    "bad": "\N{MULTIPLICATION SIGN}",
    "neutral": "i",
}


def value(row: Row, column: Column) -> str:
    """A value of a row as text, without markup."""
    content = row.get(column.name)
    if content is None:
        return wording.NOTHING
    if isinstance(content, bool):
        return "yes" if content else "no"
    if isinstance(content, datetime):
        return wording.instant(content)
    if isinstance(content, date):
        return wording.day(content)
    if isinstance(content, Decimal):
        return _figure(content, column, str(row.get("currency") or ""))
    if isinstance(content, int):
        return wording.number(content) if column.kind == "quantity" else str(content)
    if column.kind == "status":
        return wording.status(str(content))[1]
    return WORDS[column.kind](str(content)) if column.kind in WORDS else str(content)


def _figure(content: Decimal, column: Column, currency: str) -> str:
    match column.kind:
        case "share":
            return wording.share(content)
        case "percent":
            return wording.percent(content)
        case "amount":
            return wording.amount(content, currency)
        case "exact":
            return wording.exact_amount(content, currency)
        case _:
            return wording.exact(content)


def money(row: Row, name: str) -> str:
    """An amount of a row with its currency, as text."""
    amount = row[name]
    return wording.money(amount if isinstance(amount, Decimal) else None, str(row["currency"]))


def mark(status: str) -> str:
    """A status as a sign and words in a color: never the color alone."""
    tone, words = wording.status(status)
    return (
        f'<span class="mark {tone}" title="{escape(status)}">'
        f'<span class="sign" aria-hidden="true">{MARKS[tone]}</span>'
        f"{escape(words)}</span>"
    )


def link(words: str, page: str, **parameters: str | None) -> str:
    """A link to a page of the app, with the selection in the address."""
    query = urlencode({name: text for name, text in parameters.items() if text is not None})
    return f'<a href="{escape(page)}?{escape(query)}" target="_self">{escape(words)}</a>'


def table(
    caption: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    totals: Sequence[Row] = (),
    links: Callable[[Row], Mapping[str, str]] = lambda row: {},
    group: Callable[[Row], str] | None = None,
    bars_on: str | None = None,
) -> str:
    """A table; each row begins with its heading.

    `totals` are the rows of its foot, one per currency. `links` gives markup for columns of a row
    in place of their text. `group` gives the heading of a row, as markup; rows must be ordered by
    it. `bars_on` is the column that shows `bar` (0 to 1) of each row as a bar.
    """
    head = "".join(
        f'<th scope="col" class="{"right" if column.kind in RIGHT else "left"}">'
        f"{escape(column.title)}</th>"
        for column in columns
    )
    body, last_group = [], None
    for row in rows:
        if group and (heading := group(row)) != last_group:
            body.append(
                f'<tr class="group"><th scope="rowgroup" colspan="{len(columns)}">'
                f'<div class="stays">{heading}</div></th></tr>'
            )
            last_group = heading
        given = links(row)
        cells = [
            _cell(
                row,
                column,
                given.get(column.name),
                is_heading=i == 0,
                has_bar=column.name == bars_on,
            )
            for i, column in enumerate(columns)
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    foot = "".join(
        "<tr>"
        + "".join(
            '<th scope="row">Total</th>'
            if i == 0
            else _cell(row, column)
            if column.name in row
            else "<td></td>"
            for i, column in enumerate(columns)
        )
        + "</tr>"
        for row in totals
    )
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f'<table><caption class="unseen">{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
        f"{f'<tfoot>{foot}</tfoot>' if foot else ''}</table></div>"
    )


def _cell(
    row: Row,
    column: Column,
    given: str | None = None,
    *,
    is_heading: bool = False,
    has_bar: bool = False,
) -> str:
    text = value(row, column)
    shown = given or (mark(str(row[column.name])) if column.kind == "status" else escape(text))
    if not given and column.kind in WORDS and row.get(column.name) is not None:
        # The code, for those who look for it in a mart.
        shown = f'<span title="{escape(str(row[column.name]))}">{shown}</span>'
    if column.kind in ("amount", "exact") and text != wording.NOTHING and row.get("currency"):
        shown += f' <span class="currency">{escape(str(row["currency"]))}</span>'
    if has_bar and isinstance(part := row.get("bar"), float | Decimal):
        shown += f'<span class="bar" style="width:{float(part) * 100:.1f}%"></span>'
    side = "right" if column.kind in RIGHT else "left"
    if is_heading:
        return f'<th scope="row" class="{side}">{shown}</th>'
    return f'<td class="{side} {column.kind}">{shown}</td>'


def cards(items: Sequence[tuple[str, str, str]]) -> str:
    """Key figures side by side: (label, value, note); value and note are markup."""
    return (
        '<dl class="cards">'
        + "".join(
            f'<div class="card"><dt>{escape(label)}</dt><dd class="figure">{figure}</dd>'
            f'<dd class="note">{note}</dd></div>'
            for label, figure, note in items
        )
        + "</dl>"
    )


def figure(amount: Decimal | None, currency: str) -> str:
    """An amount for a card, its currency smaller."""
    shown = escape(wording.amount(amount, currency))
    return f'{shown} <span class="currency">{escape(currency)}</span>'


def notice(words: str, tone: str = "neutral") -> str:
    """A sentence with the sign of its tone; `words` is markup."""
    return (
        f'<p class="notice {tone}"><span class="sign" aria-hidden="true">{MARKS[tone]}</span>'
        f"<span>{words}</span></p>"
    )


def trail(steps: Sequence[str]) -> str:
    """The path from the outermost level to the current one; steps are markup."""
    items = "".join(f"<li>{step}</li>" for step in steps)
    return f'<nav class="trail" aria-label="You are here"><ol>{items}</ol></nav>'


def pairs(items: Sequence[tuple[str, str]]) -> str:
    """Facts about one object: (name, value), plain text."""
    return (
        '<dl class="pairs">'
        + "".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(fact)}</dd></div>" for name, fact in items
        )
        + "</dl>"
    )
