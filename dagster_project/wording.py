"""How figures are written for people: amounts, quantities, periods, dates, states.

Belongs here: one value to one text. Does not: tables and their markup.
"""

import csv
from collections.abc import Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache

from dagster_project.exports.scope import plain_decimal
from dagster_project.settings import DBT_FOLDER

NOTHING = "\N{EN DASH}"

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@cache
def _seed(name: str, key: str, value: str) -> Mapping[str, str]:
    with (DBT_FOLDER / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return {row[key]: row[value] for row in csv.DictReader(file)}


def decimals_of(currency: str | None) -> int:
    """How many decimals people write in a currency: 2, for JPY 0, for KWD 3 (ISO 4217)."""
    return int(_seed("currencies", "currency", "decimals").get(currency or "", "2"))


def amount(value: Decimal | None, currency: str | None) -> str:
    """Money rounded as its currency is written, without the currency: 1,234.50. None is a dash."""
    if value is None:
        return NOTHING
    unit = Decimal(1).scaleb(-decimals_of(currency))
    rounded = value.quantize(unit, rounding=ROUND_HALF_UP)
    # Decimals know a zero below zero; people do not.
    return f"{abs(rounded) if rounded == 0 else rounded:,f}"


def money(value: Decimal | None, currency: str | None) -> str:
    """Money with its currency: 1,234.50 USD."""
    return amount(value, currency) + (f" {currency}" if value is not None and currency else "")


def exact(value: Decimal | None) -> str:
    """A decimal with all its decimals and thousands separators, no more zeros than needed."""
    if value is None:
        return NOTHING
    whole, point, decimals = plain_decimal(value).partition(".")
    sign = "-" if whole.startswith("-") else ""
    return f"{sign}{abs(int(whole)):,}{point}{decimals}"


def percent(share: Decimal | None) -> str:
    """A share of 0 to 1 in percent with one decimal: 66.7 %."""
    if share is None:
        return NOTHING
    return f"{(share * 100).quantize(Decimal('0.1'), rounding=ROUND_HALF_UP):,f} %"


def change(now: Decimal, before: Decimal | None, currency: str, before_words: str) -> str:
    """How an amount differs from the one before, in words."""
    if before is None:
        return f"nothing in {before_words}"
    difference = now - before
    if difference == 0:
        return f"as in {before_words}"
    # Ten times as much and more is no percentage that tells anybody anything.
    is_telling = before and abs(difference / before) < 10
    by = f" ({percent(abs(difference / before))})" if is_telling else ""
    more_or_less = "more" if difference > 0 else "less"
    return f"{amount(abs(difference), currency)}{by} {more_or_less} than in {before_words}"


def period(value: str | None) -> str:
    """A billing period like 2026-01 as people say it: January 2026."""
    if value is None:
        return NOTHING
    year, _, month = value.partition("-")
    if not month.isdigit() or not 1 <= int(month) <= 12:
        return value
    return f"{MONTHS[int(month) - 1]} {year}"


def short_period(value: str) -> str:
    """A billing period where there is little room: Jan 2026."""
    month, _, year = period(value).partition(" ")
    return f"{month[:3]} {year}" if year else value


def day(value: date | None) -> str:
    """A day, the same for readers of all countries: 5 Jan 2026."""
    return f"{value.day} {MONTHS[value.month - 1][:3]} {value.year}" if value else NOTHING


def instant(value: datetime | None) -> str:
    """A UTC instant: 5 Jan 2026 14:30; without the time where it is midnight."""
    if value is None:
        return NOTHING
    return day(value) + (f" {value:%H:%M}" if (value.hour, value.minute) != (0, 0) else "")


def counted(count: int, one: str, many: str | None = None) -> str:
    """1 bill, 2 bills."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def code(value: str) -> str:
    """A code of the rules as words: `first_snapshot` is first snapshot."""
    return value.replace("_", " ")


def split_reason(reason: str) -> str:
    """What a reason code of a split means: the seed split_reasons says it."""
    return _seed("split_reasons", "split_reason", "meaning").get(reason, code(reason))


def sentence(words: str) -> str:
    """Words with a capital at their beginning."""
    return words[:1].upper() + words[1:]


def forecast_method(method: str) -> str:
    """How a forecast was made, in a sentence; a method that is not known, as it is called."""
    return FORECAST_METHODS.get(method, f"How: {code(method)}.")


FORECAST_METHODS: Mapping[str, str] = {
    "combination": "From two years of bills or more: trend and season go on as they were.",
    "combination_without_season": (
        "From one to two years of bills: the trend goes on; a season cannot be told yet."
    ),
    "committed_spend": (
        "From what is known: cycles owed by term, renewals, and usage as in the last three months."
        " For more, a year of bills is needed; the bands are as wide as is usual for so short a"
        " history."
    ),
    "several": (
        "Each cost center by its own history: some from a year of bills or more, others from what"
        " is known to come."
    ),
}
"""Methods of forecasts, as people are told."""

STATES: Mapping[str, tuple[str, str]] = {
    "reconciled": ("good", "Ties"),
    "within_rounding": ("good", "Ties within rounding"),
    "variance": ("bad", "Does not tie"),
    "quarantined": ("bad", "Rows missing"),
    "no_invoice": ("neutral", "No invoice to tie to"),
    "no_lines": ("bad", "No lines landed"),
    "not_allocated": ("bad", "Not allocated"),
    "error": ("bad", "Error"),
    "warning": ("warn", "Warning"),
    "info": ("neutral", "Note"),
    "open": ("neutral", "Open"),
    "closed": ("good", "Closed"),
    "over_budget": ("bad", "Over budget"),
    "over_budget_at_year_end": ("warn", "Over by year end"),
    "within_budget": ("good", "Within budget"),
    "not_billed": ("neutral", "Not billed yet"),
}
"""States of invoices, findings, periods and budgets: how it is marked, and in words."""
