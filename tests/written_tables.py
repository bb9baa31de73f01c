"""Small tables as text: files that tests land, and rows that they expect."""

from collections.abc import Sequence
from decimal import Decimal


def lines_of(text: str) -> list[str]:
    """The lines of a text without blank ones and comments (#)."""
    lines = [line.strip() for line in text.strip().splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def table(text: str) -> list[list[str]]:
    """The cells of a table whose columns are two or more spaces apart; `-` is an empty cell."""
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines_of(text)]
    return [["" if cell == "-" else cell for cell in row] for row in rows]


def csv(header: str, rows: Sequence[Sequence[str]]) -> str:
    """A CSV file whose cells contain no comma."""
    return "\n".join([header, *(",".join(row) for row in rows)]) + "\n"


def book(text: str) -> list[str]:
    """Expected rows: the lines of a table, sorted, with one space between words."""
    return sorted(" ".join(line.split()) for line in lines_of(text))


def plain(value: object) -> str:
    """A value as tests write it: decimals without trailing zeros, `-` for null."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    return "-" if value is None else str(value)


def in_words(rows: Sequence[Sequence[object]]) -> list[str]:
    """Rows as words, sorted, for comparison with a `book`."""
    return sorted(" ".join(map(plain, row)) for row in rows)
