"""How figures are written for people: amounts, quantities, shares, periods, dates, statuses;
and web addresses, without passwords.

Belongs here: one value to one text, for the app, statements, the summary and the what-if report.
Does not: tables, markup, number formats of spreadsheets.

Figures and days have the form of the current locale, which the entry of an app page, an export, a
mail or a command sets (`written_in`). Without one they have the form of the examples below. Words,
names of months included, are English.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import cache
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from dagster_project.feeds.formats import match_key
from dagster_project.seeds import currency_decimals, seed, seed_values

if TYPE_CHECKING:
    from babel import Locale
    from babel.numbers import NumberPattern

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


# --- the locale ------------------------------------------------------------------------

# Of the context, because the app serves each viewer in a thread.
_locale: ContextVar["Locale | None"] = ContextVar("locale", default=None)


def locale_named(name: str) -> "Locale":
    """The locale of a language tag such as de-DE. Raises ValueError if Babel has none."""
    # Babel takes as long to import as a small command to run.
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(name, sep="-")
    except (UnknownLocaleError, ValueError) as error:
        raise ValueError(f"unknown locale {name!r}; e.g. de-DE") from error


def write_in(locale: str | None) -> None:
    """Write figures in the form of a locale from here on, until this thread or task ends."""
    _locale.set(locale_named(locale) if locale else None)


@contextmanager
def written_in(locale: str | None) -> Iterator[None]:
    """Write figures in the form of a locale; None is the form without a locale."""
    token = _locale.set(locale_named(locale) if locale else None)
    try:
        yield
    finally:
        _locale.reset(token)


@cache
def _pattern(locale: "Locale", decimals: int, is_percent: bool) -> "NumberPattern":
    """The pattern of a locale's numbers or percentages, with a fixed number of decimals."""
    from babel.numbers import parse_pattern

    known = locale.percent_formats if is_percent else locale.decimal_formats
    pattern = parse_pattern(known[None].pattern)
    pattern.frac_prec = (decimals, decimals)
    return pattern


def _separated(value: Decimal, *, is_percent: bool = False) -> str:
    """A decimal with the decimals that it has, grouped; a percentage with its sign."""
    locale = _locale.get()
    if locale is None:
        return f"{value:,f} %" if is_percent else f"{value:,f}"
    _, digits, exponent = value.as_tuple()
    decimals = max(0, -int(exponent))
    # Babel computes in the context of decimals, which rounds to 28 digits.
    with localcontext(prec=len(digits) + abs(int(exponent)) + 4):
        unsigned = value.copy_abs().scaleb(-2 if is_percent else 0)
        text = _pattern(locale, decimals, is_percent).apply(unsigned, locale)
    # The minus of some locales is missing in the fonts of statements.
    return f"-{text}" if value.is_signed() else text


@cache
def _day_pattern(locale: "Locale") -> str:
    """A locale's short date, which has numbers only, with the year in four digits."""
    # Marks of the direction of writing stay out of English sentences.
    pattern = re.sub("[\N{LEFT-TO-RIGHT MARK}\N{RIGHT-TO-LEFT MARK}]", "", _short_date(locale))
    return re.sub("y+", "y", pattern)


def _short_date(locale: "Locale") -> str:
    return str(locale.date_formats["short"].pattern)


def separators() -> tuple[str, str, tuple[int, int]] | None:
    """The decimal and the group separator of the locale, and the digits of the last and of the
    other groups; None without a locale.
    """
    locale = _locale.get()
    if locale is None:
        return None
    from babel.numbers import get_decimal_symbol, get_group_symbol

    grouping = _pattern(locale, 0, is_percent=False).grouping
    return get_decimal_symbol(locale), get_group_symbol(locale), grouping


def day_directives() -> str:
    """The form of a day as directives of strftime: %-d %b %Y, %d.%m.%Y."""
    locale = _locale.get()
    if locale is None:
        return "%-d %b %Y"
    directives = {"d": "%-d", "dd": "%d", "M": "%-m", "MM": "%m", "y": "%Y"}
    pattern = _day_pattern(locale)
    return re.sub("[a-zA-Z]+", lambda found: directives.get(found[0], found[0]), pattern)


# --- figures ---------------------------------------------------------------------------


def amount(value: Decimal | None, currency: str | None) -> str:
    """Money rounded to the decimals of its currency: 1,234.50. None is a dash."""
    if value is None:
        return NOTHING
    unit = Decimal(1).scaleb(-currency_decimals(currency))
    rounded = value.quantize(unit, rounding=ROUND_HALF_UP)
    # A decimal can be -0.
    return _separated(abs(rounded) if rounded == 0 else rounded)


def money(value: Decimal | None, currency: str | None) -> str:
    """Money rounded to the decimals of its currency, with the currency: 1,234.50 USD."""
    return amount(value, currency) + (f" {currency}" if value is not None and currency else "")


def exact_amount(value: Decimal | None, currency: str | None) -> str:
    """Money with all its decimals, at least those of its currency: 1,234.50, 0.333333."""
    if value is None:
        return NOTHING
    return _exact(value, currency_decimals(currency))


def exact(value: Decimal | None) -> str:
    """A decimal with all its decimals, without trailing zeros: 1,234.5. None is a dash."""
    return NOTHING if value is None else _exact(value, 0)


def _exact(value: Decimal, least_decimals: int) -> str:
    whole, _, decimals = plain_decimal(value).partition(".")
    decimals = decimals.ljust(least_decimals, "0")
    exact_value = Decimal(f"{whole}.{decimals}")
    return _separated(exact_value if exact_value else exact_value.copy_abs())


def plain_decimal(value: Decimal) -> str:
    """A decimal for machines: no exponent, separators or trailing zeros: 12.5, 1000, -0.25."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def share(value: Decimal | None) -> str:
    """A share of 0 to 1 in percent with two decimals: 66.67 %."""
    return _percent(value, Decimal("0.01"))


def percent(value: Decimal | None) -> str:
    """A rate of 0 to 1, such as a change or an error, in percent with one decimal: 12.5 %."""
    return _percent(value, Decimal("0.1"))


def _percent(value: Decimal | None, unit: Decimal) -> str:
    if value is None:
        return NOTHING
    return _separated((value * 100).quantize(unit, rounding=ROUND_HALF_UP), is_percent=True)


def number(value: int) -> str:
    """A count: 1,234."""
    return _separated(Decimal(value))


def change(now: Decimal, before: Decimal | None, currency: str, before_words: str) -> str:
    """The change of an amount since an earlier period, in words."""
    if before is None:
        return f"no charge in {before_words}"
    difference = now - before
    if difference == 0:
        return f"unchanged from {before_words}"
    # A percentage of 1,000 % and more is hard to read and says little.
    is_readable = before and abs(difference / before) < 10
    by = f" ({percent(abs(difference / before))})" if is_readable else ""
    more_or_less = "more" if difference > 0 else "less"
    return f"{amount(abs(difference), currency)}{by} {more_or_less} than in {before_words}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number with its noun: 1 bill, 2 bills."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


# --- periods, days and instants ----------------------------------------------------------


def period(value: str | None) -> str:
    """A billing period such as 2026-01 in words: January 2026."""
    if value is None:
        return NOTHING
    year, _, month = value.partition("-")
    if not month.isdigit() or not 1 <= int(month) <= 12:
        return value
    return f"{MONTHS[int(month) - 1]} {year}"


def short_period(value: str) -> str:
    """A billing period in short: Jan 2026."""
    month, _, year = period(value).partition(" ")
    return f"{month[:3]} {year}" if year else value


def day(value: date | None) -> str:
    """A day, without a locale in one form for readers of all countries: 5 Jan 2026."""
    if value is None:
        return NOTHING
    locale = _locale.get()
    if locale is not None:
        from babel.dates import format_date

        # Of an instant, its day: Babel would need a time zone.
        plain = date(value.year, value.month, value.day)
        return format_date(plain, _day_pattern(locale), locale)
    return f"{value.day} {MONTHS[value.month - 1][:3]} {value.year}"


def instant(value: datetime | None) -> str:
    """A UTC instant: 5 Jan 2026 14:30; without the time at midnight."""
    if value is None:
        return NOTHING
    return day(value) + (f" {value:%H:%M}" if (value.hour, value.minute) != (0, 0) else "")


# --- codes and statuses --------------------------------------------------------------------


def sentence(words: str) -> str:
    """Words with a capital first letter."""
    return words[:1].upper() + words[1:]


def code(value: str) -> str:
    """A code as words: `first_snapshot` is first snapshot."""
    return value.replace("_", " ")


def split_reason(reason: str) -> str:
    """The meaning of a reason code of a split, from the seed split_reasons."""
    return seed_values("split_reasons", "split_reason", "meaning").get(reason, code(reason))


def charge_type(value: str, kind: str = "") -> str:
    """The title of a charge type, from the seed charge_types: `addQuantity` is Added seats.

    A type that the seed does not list is shown as billed. Lines of the charge kind `usage` are
    metered usage: daily ratings have the charge type of a license.
    """
    key = kind if kind == "usage" else match_key(value)
    return _charge_titles().get(key) or value


def charge_details(details: str | None, type_: str | None, kind: str) -> str | None:
    """The description of a billing line that begins with its charge type, with the title instead.

    `cycleCharge. From 4 Mar 2026` is Cycle charge. From 4 Mar 2026.
    """
    if not details or not type_ or not details.startswith(f"{type_}."):
        return details
    return charge_type(type_, kind) + details.removeprefix(type_)


@cache
def _charge_titles() -> Mapping[str, str]:
    return {
        match_key(row["charge_type"]): row["title"] for row in seed("charge_types") if row["title"]
    }


def sharing_method(method: str) -> str:
    """The method of a shared cost rule: fixed percentage, by seats."""
    return SHARING_METHODS.get(method, code(method))


def change_part(part: str) -> str:
    """The title of a part of a change: Moved splits."""
    return CHANGE_PARTS.get(part, (sentence(code(part)), ""))[0]


def change_meaning(part: str) -> str:
    """The meaning of a part of a change: seats moved from one cost center to another."""
    return CHANGE_PARTS.get(part, ("", ""))[1]


def forecast_method(method: str) -> str:
    """The method of a forecast, in a sentence; an unknown method by its code."""
    return FORECAST_METHODS.get(method, f"Method: {code(method)}.")


SHARING_METHODS: Mapping[str, str] = {
    "percent": "fixed percentage",
    "even": "equal parts",
    "direct_cost": "by direct cost",
    "seats": "by seats",
    "headcount": "by headcount",
}

CHANGE_PARTS: Mapping[str, tuple[str, str]] = {
    "price": ("Price", "the amount per seat changed"),
    "seats": ("Seats", "seats were bought or returned, with charges for parts of a cycle"),
    "splits": ("Moved splits", "seats moved from one cost center to another"),
    "new_subscriptions": ("New subscriptions", "billed for the first time"),
    "ended_subscriptions": ("Ended subscriptions", "no longer billed"),
    "billing_cycles": ("Billing cycles", "more, fewer or other cycles fall in the period"),
    "usage": ("Usage", "metered usage changed"),
    "credits": ("Credits and corrections", "credits, and corrections of closed periods"),
    "taxes": ("Tax", "tax lines changed"),
    "currency": ("Currency", "billed in another currency"),
    "sharing": ("Shared costs", "received less passed on"),
}
"""The parts of a change, in their order: title and meaning."""

FORECAST_METHODS: Mapping[str, str] = {
    "combination": ("Known charges, with the trend and season of two or more years of bills."),
    "combination_without_season": (
        "Known charges, with the trend of one to two years of bills; the history is too short for"
        " a season."
    ),
    "short_history": (
        "Based on six months to a year of bills: the trend of seats continues; the bands have the"
        " width of like histories."
    ),
    "committed_spend": (
        "Based on committed charges, renewals, and the usage of the last three months. Expected"
        " changes need half a year of bills; the bands have the width of like histories."
    ),
    "several": (
        "Each cost center by its own history: expected changes from half a year of bills on,"
        " committed charges otherwise."
    ),
}

Tone = Literal["good", "bad", "warn", "neutral"]

STATUSES: Mapping[str, tuple[Tone, str]] = {
    "reconciled": ("good", "Ties to invoice"),
    "within_rounding": ("good", "Ties within rounding"),
    "variance": ("bad", "Does not tie to invoice"),
    "quarantined": ("bad", "Rows in quarantine"),
    "no_invoice": ("neutral", "No invoice"),
    "no_lines": ("bad", "No lines"),
    "replaced": ("neutral", "Replaced by another bill"),
    "tax_unknown": ("warn", "Tax unknown"),
    "not_allocated": ("bad", "Not fully allocated"),
    "blocking": ("bad", "Blocks publishing"),
    "error": ("bad", "Error"),
    "warning": ("warn", "Warning"),
    "info": ("neutral", "Note"),
    "open": ("neutral", "Open"),
    "closed": ("good", "Closed"),
    "over_budget": ("bad", "Over budget"),
    "over_budget_at_year_end": ("warn", "Over budget by year end"),
    "within_budget": ("good", "Within budget"),
    "not_billed": ("neutral", "Not billed yet"),
}
"""Statuses of invoices, findings, periods and budgets: their tone and their words."""


def status(value: str) -> tuple[Tone, str]:
    """The tone and the words of a status; an unknown one is neutral and is shown unchanged."""
    return STATUSES.get(value, ("neutral", value))


def address_without_secrets(url: str) -> str:
    """The scheme and host of an address; its other parts can be passwords."""
    parts = urlsplit(url)
    # Other forms have tokens in the place of the host.
    is_web = parts.scheme in ("http", "https")
    return f"{parts.scheme}://{parts.hostname}" if is_web else f"{parts.scheme or 'no'}://..."
