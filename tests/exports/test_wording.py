import threading
from datetime import date, datetime
from decimal import Decimal

import pytest

from dagster_project import wording
from dagster_project.forecasting import Method


@pytest.mark.parametrize(
    ("value", "currency", "shown"),
    [
        ("1234567.891234", "USD", "1,234,567.89"),
        ("0.005", "USD", "0.01"),
        ("-0.005", "USD", "-0.01"),
        ("-0.004", "USD", "0.00"),
        ("1234.5", "JPY", "1,235"),
        ("1.2345", "KWD", "1.235"),
        ("123456789012345678.9999999999", "EUR", "123,456,789,012,345,679.00"),
        ("1", None, "1.00"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(
    value: str, currency: str | None, shown: str
) -> None:
    assert wording.amount(Decimal(value), currency) == shown


def test_an_unknown_figure_is_a_dash_without_currency() -> None:
    assert wording.money(None, "USD") == wording.NOTHING
    assert wording.exact(None) == wording.NOTHING
    assert wording.exact_amount(None, "USD") == wording.NOTHING
    assert wording.share(None) == wording.percent(None) == wording.NOTHING


@pytest.mark.parametrize(
    ("value", "shown"),
    [("1234.5000000000", "1,234.5"), ("-0.25", "-0.25"), ("-1000", "-1,000"), ("0E-10", "0")],
)
def test_exact_figures_have_all_decimals_and_no_trailing_zeros(value: str, shown: str) -> None:
    assert wording.exact(Decimal(value)) == shown


@pytest.mark.parametrize(
    ("value", "currency", "shown"),
    [
        ("1234.5000000000", "USD", "1,234.50"),
        ("33.3333333333", "USD", "33.3333333333"),
        ("-5", "USD", "-5.00"),
        ("33", "JPY", "33"),
        ("33.5", "JPY", "33.5"),
        ("1.5", "KWD", "1.500"),
        ("7", None, "7.00"),
    ],
)
def test_exact_amounts_have_at_least_the_decimals_of_their_currency(
    value: str, currency: str | None, shown: str
) -> None:
    assert wording.exact_amount(Decimal(value), currency) == shown


def test_shares_have_two_decimals_and_rates_one() -> None:
    assert wording.share(Decimal(2) / 3) == "66.67 %"
    assert wording.percent(Decimal(2) / 3) == "66.7 %"
    assert wording.percent(Decimal("12.345")) == "1,234.5 %"


def test_a_change_is_an_amount_with_its_percentage() -> None:
    words = wording.change(Decimal("150"), Decimal("100"), "USD", "January 2026")
    assert words == "50.00 (50.0 %) more than in January 2026"
    words = wording.change(Decimal("75"), Decimal("100"), "USD", "January 2026")
    assert words == "25.00 (25.0 %) less than in January 2026"
    words = wording.change(Decimal("5"), Decimal("0"), "USD", "January 2026")
    assert words == "5.00 more than in January 2026"
    assert wording.change(Decimal("5"), None, "USD", "January 2026") == "no charge in January 2026"


def test_periods_days_and_instants_are_unambiguous() -> None:
    assert wording.period("2026-01") == "January 2026"
    assert wording.short_period("2026-12") == "Dec 2026"
    assert wording.period("2026-13") == "2026-13"
    assert wording.day(date(2026, 5, 4)) == "4 May 2026"
    assert wording.instant(datetime(2026, 5, 4, 9, 5)) == "4 May 2026 09:05"
    assert wording.instant(datetime(2026, 5, 4)) == "4 May 2026"


def test_every_forecast_method_has_a_sentence() -> None:
    for method in (*Method, "several"):
        if method in (Method.INTERMITTENT, Method.INTERMITTENT_YEARLY):
            # Intermittent histories have the method committed_spend.
            continue
        assert "_" not in wording.forecast_method(method)
        assert not wording.forecast_method(method).startswith("Method:")
    assert wording.forecast_method("of_tomorrow") == "Method: of tomorrow."


@pytest.mark.parametrize(
    ("code", "kind", "title"),
    [
        ("cycleCharge", "cycle", "Cycle charge"),
        ("addQuantity", "refund", "Added seats"),
        # Spelled as other bills print it.
        ("cyclecharge", "cycle", "Cycle charge"),
        ("Purchase One-Time", "extra", "One-time purchase"),
        # A daily rating has the charge type of a license.
        ("new", "cycle", "New subscription"),
        ("new", "usage", "Metered usage"),
        ("somethingNew", "extra", "somethingNew"),
    ],
)
def test_charge_types_have_titles(code: str, kind: str, title: str) -> None:
    assert wording.charge_type(code, kind) == title
    assert wording.charge_details(f"{code}. From 1 May", code, kind) == f"{title}. From 1 May"


def test_descriptions_that_name_no_charge_type_stay() -> None:
    for details in (None, "", "Azure virtual machine", "cycleCharges. From 1 May"):
        assert wording.charge_details(details, "cycleCharge", "cycle") == details
    assert wording.charge_details("addQuantity", None, "extra") == "addQuantity"


@pytest.mark.parametrize(
    ("locale", "amount", "large", "share", "day"),
    [
        ("de-DE", "1.234,50 EUR", "-1.234.567,5", "66,67\N{NO-BREAK SPACE}%", "30.04.2026"),
        (
            "fr-FR",
            "1\N{NARROW NO-BREAK SPACE}234,50 EUR",
            "-1\N{NARROW NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567,5",
            "66,67\N{NO-BREAK SPACE}%",
            "30/04/2026",
        ),
        (
            "de-CH",
            "1\N{RIGHT SINGLE QUOTATION MARK}234.50 EUR",
            "-1\N{RIGHT SINGLE QUOTATION MARK}234\N{RIGHT SINGLE QUOTATION MARK}567.5",
            "66.67%",
            "30.04.2026",
        ),
        ("ja-JP", "1,234.50 EUR", "-1,234,567.5", "66.67%", "2026/04/30"),
        ("en-US", "1,234.50 EUR", "-1,234,567.5", "66.67%", "4/30/2026"),
        ("en-GB", "1,234.50 EUR", "-1,234,567.5", "66.67%", "30/04/2026"),
        # Groups of two digits above the thousands.
        ("en-IN", "1,234.50 EUR", "-12,34,567.5", "66.67%", "30/04/2026"),
        # The minus of the locale, U+2212, is missing in the font of statements.
        (
            "sv-SE",
            "1\N{NO-BREAK SPACE}234,50 EUR",
            "-1\N{NO-BREAK SPACE}234\N{NO-BREAK SPACE}567,5",
            "66,67\N{NO-BREAK SPACE}%",
            "2026-04-30",
        ),
        # Its dates have marks of the direction of writing.
        ("ar-EG", "1,234.50 EUR", "-1,234,567.5", "66.67%", "30/4/2026"),
    ],
)
def test_figures_and_days_have_the_form_of_the_locale(
    locale: str, amount: str, large: str, share: str, day: str
) -> None:
    with wording.written_in(locale):
        assert wording.money(Decimal("1234.5"), "EUR") == amount
        assert wording.exact(Decimal("-1234567.500")) == large
        assert wording.share(Decimal(2) / 3) == share
        assert wording.day(date(2026, 4, 30)) == day
        assert wording.instant(datetime(2026, 4, 30, 9, 5)) == f"{day} 09:05"
        assert wording.period("2026-04") == "April 2026"
        assert wording.short_period("2026-04") == "Apr 2026"
    assert wording.money(Decimal("1234.5"), "EUR") == "1,234.50 EUR"


def test_a_locale_changes_no_digit() -> None:
    with wording.written_in("ja-JP"):
        assert wording.money(Decimal("1234"), "JPY") == "1,234 JPY"
        assert wording.money(Decimal("1234.5"), "JPY") == "1,235 JPY"
    with wording.written_in("de-DE"):
        assert wording.amount(Decimal("1.2345"), "KWD") == "1,235"
        assert wording.amount(Decimal("-0.004"), "EUR") == "0,00"
        assert wording.exact_amount(Decimal("33"), "EUR") == "33,00"
        # More digits than a float or the context of decimals has.
        exact = wording.exact(Decimal("12345678901234567890123456789.123456789012345"))
        assert exact == "12.345.678.901.234.567.890.123.456.789,123456789012345"
        assert wording.percent(Decimal("-12.345")) == "-1.234,5\N{NO-BREAK SPACE}%"
        assert wording.counted(1234, "row") == "1.234 rows"
        assert wording.money(None, "EUR") == wording.NOTHING
        assert wording.plain_decimal(Decimal("1234.50")) == "1234.5"


def test_each_thread_has_its_own_locale() -> None:
    seen: list[str] = []

    def view() -> None:
        wording.write_in("fr-FR")
        seen.append(wording.amount(Decimal("0.5"), "EUR"))

    with wording.written_in("ja-JP"):
        viewer = threading.Thread(target=view)
        viewer.start()
        viewer.join()
        seen.append(wording.amount(Decimal("0.5"), "EUR"))
    assert seen == ["0,50", "0.50"]
