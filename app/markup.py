"""Answers as HTML: tables, cards, marks. Pure text in, text out; every value is escaped.

Belongs here: markup, whose looks are in style.css. Does not: Streamlit, questions.

Own tables instead of Streamlit's grid: amounts are text to the last digit, sentences wrap, and
screen readers, browsers' search and copying find a plain table.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from html import escape
from urllib.parse import urlencode

from app.figures import Column, Row
from dagster_project import wording

RIGHT = frozenset({"amount", "exact", "quantity", "share"})
MARKS: Mapping[str, str] = {
    "good": "\N{CHECK MARK}",
    "warn": "!",
    "bad": "\N{MULTIPLICATION SIGN}",
    "neutral": "i",
}


def value(row: Row, column: Column) -> str:
    """A value of a row as a person reads it, without markup."""
    held = row.get(column.name)
    currency = row.get("currency")
    if held is None:
        return wording.NOTHING
    if column.kind == "code":
        return wording.code(str(held))
    if isinstance(held, bool):
        return "yes" if held else "no"
    if isinstance(held, datetime):
        return wording.instant(held)
    if isinstance(held, date):
        return wording.day(held)
    if isinstance(held, Decimal):
        if column.kind == "share":
            return wording.percent(held)
        if column.kind == "amount":
            return wording.amount(held, str(currency) if currency else None)
        return wording.exact(held)
    if column.kind == "quantity" and isinstance(held, int):
        return f"{held:,}"
    if column.kind == "state":
        return wording.STATES.get(str(held), ("neutral", str(held)))[1]
    return str(held)


def money(row: Row, name: str) -> str:
    """An amount of a row with its currency, as text."""
    held = row[name]
    return wording.money(held if isinstance(held, Decimal) else None, str(row["currency"]))


def mark(state: str) -> str:
    """A state as a sign and a word in a color: never the color alone."""
    tone, words = wording.STATES.get(state, ("neutral", state))
    return (
        f'<span class="mark {tone}"><span class="sign" aria-hidden="true">{MARKS[tone]}</span>'
        f"{escape(words)}</span>"
    )


def link(words: str, page: str, **parameters: str | None) -> str:
    """A link to a page of the app, with what to look at in the address."""
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

    `totals` are rows of sums for its foot, one per currency. `links` gives markup for some columns
    of a row instead of their text; `group` the heading, as markup, under which a row stands, for
    rows that come in the order of their groups; `bars_on` is the column under whose amounts `bar`
    (0 to 1) of the rows is drawn.
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
                f'<tr class="group"><th scope="rowgroup" colspan="{len(columns)}">{heading}</th>'
                "</tr>"
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
    shown = given or (mark(str(row[column.name])) if column.kind == "state" else escape(text))
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


def said(words: str, tone: str = "neutral") -> str:
    """A sentence that tells a state, with its sign; `words` is markup."""
    return (
        f'<p class="said {tone}"><span class="sign" aria-hidden="true">{MARKS[tone]}</span>'
        f"<span>{words}</span></p>"
    )


def trail(steps: Sequence[str]) -> str:
    """Where one is, from the outermost to here; steps are markup."""
    items = "".join(f"<li>{step}</li>" for step in steps)
    return f'<nav class="trail" aria-label="You are here"><ol>{items}</ol></nav>'


def pairs(items: Sequence[tuple[str, str]]) -> str:
    """Facts of one thing: (name, value), plain text."""
    return (
        '<dl class="pairs">'
        + "".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(told)}</dd></div>" for name, told in items
        )
        + "</dl>"
    )
