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
def test_amounts_are_written_as_their_currency_is(
    value: str, currency: str | None, shown: str
) -> None:
    assert wording.amount(Decimal(value), currency) == shown


def test_what_is_not_known_is_a_dash_and_has_no_currency() -> None:
    assert wording.money(None, "USD") == wording.NOTHING
    assert wording.exact(None) == wording.NOTHING


@pytest.mark.parametrize(
    ("value", "shown"),
    [("1234.5000000000", "1,234.5"), ("-0.25", "-0.25"), ("-1000", "-1,000"), ("0E-10", "0")],
)
def test_exact_amounts_have_every_decimal_and_no_zeros_that_say_nothing(
    value: str, shown: str
) -> None:
    assert wording.exact(Decimal(value)) == shown


def test_changes_are_told_in_words_with_their_percentage() -> None:
    told = wording.change(Decimal("150"), Decimal("100"), "USD", "January 2026")
    assert told == "50.00 (50.0 %) more than in January 2026"
    told = wording.change(Decimal("75"), Decimal("100"), "USD", "January 2026")
    assert told == "25.00 (25.0 %) less than in January 2026"
    told = wording.change(Decimal("5"), Decimal("0"), "USD", "January 2026")
    assert told == "5.00 more than in January 2026"
    assert wording.change(Decimal("5"), None, "USD", "January 2026") == "nothing in January 2026"


def test_periods_days_and_instants_are_written_without_doubt_about_their_order() -> None:
    assert wording.period("2026-01") == "January 2026"
    assert wording.short_period("2026-12") == "Dec 2026"
    assert wording.period("2026-13") == "2026-13"
    assert wording.day(date(2026, 5, 4)) == "4 May 2026"
    assert wording.instant(datetime(2026, 5, 4, 9, 5)) == "4 May 2026 09:05"
    assert wording.instant(datetime(2026, 5, 4)) == "4 May 2026"


def test_every_method_of_the_forecast_is_told_in_words() -> None:
    for method in (*Method, "several"):
        if method in (Method.SHORT_HISTORY, Method.INTERMITTENT, Method.INTERMITTENT_YEARLY):
            # Such histories are expected to be what is committed.
            continue
        assert "_" not in wording.forecast_method(method)
        assert not wording.forecast_method(method).startswith("How:")
    assert wording.forecast_method("of_tomorrow") == "How: of tomorrow."
