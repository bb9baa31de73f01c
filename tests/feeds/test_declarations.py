"""apportion.toml: precedence of settings, and messages for wrong settings."""

from pathlib import Path

import pytest

from dagster_project.errors import DeclarationInvalid
from dagster_project.feeds.declarations import Declaration, read_declarations, read_locale
from dagster_project.landing.raw_tables import reader_version


@pytest.fixture
def declared(tmp_path: Path):  # type: ignore[no-untyped-def]
    def write(text: str):  # type: ignore[no-untyped-def]
        path = tmp_path / "apportion.toml"
        path.write_text(text, encoding="utf-8")
        return read_declarations(path)

    return write


def test_a_folder_without_a_file_declares_nothing(tmp_path: Path) -> None:
    declarations = read_declarations(tmp_path / "apportion.toml")
    assert declarations.of_file("billing_lines/a.csv") == Declaration()
    assert declarations.fiscal_year.first_month == 1


def test_a_file_pattern_overrides_its_feed_and_a_feed_overrides_the_folder(declared) -> None:
    declarations = declared(
        """
        [all_files]
        decimals = "comma"
        date_order = "DMY"
        [feeds.billing_lines]
        date_order = "MDY"
        encoding = "cp1252"
        [[files]]
        pattern = "billing_lines/japan/*"
        encoding = "shift_jis"
        """
    )
    of_japan = declarations.of_file("billing_lines/japan/2026/march.csv")
    assert (of_japan.decimals, of_japan.date_order, of_japan.encoding) == (
        "comma",
        "MDY",
        "shift_jis",
    )
    other = declarations.of_file("split_history/a.csv")
    assert (other.decimals, other.date_order, other.encoding) == ("comma", "DMY", None)


def test_a_later_pattern_overrides_an_earlier_one(declared) -> None:
    declarations = declared(
        """
        [[files]]
        pattern = "billing_lines/*"
        date_order = "DMY"
        [[files]]
        pattern = "billing_lines/us/*"
        date_order = "MDY"
        """
    )
    assert declarations.of_file("billing_lines/us/a.csv").date_order == "MDY"
    assert declarations.of_file("billing_lines/eu/a.csv").date_order == "DMY"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[all_files]\ndecimal = 'comma'", "unknown setting all_files.decimal; did you mean"),
        ("[reports]\nequal_lines = 'twice'", "reports.equal_lines"),
        ("[reports]\nequal = 'once'", "unknown setting reports.equal"),
        ("[fiscal_year]\nmonth = 4", "unknown setting fiscal_year.month"),
        ("[reporting]\ncurrency = 'euro'", "reporting.currency"),
        ("[reporting]\ncurrencies = 'EUR'", "unknown setting reporting.currencies"),
        ("[fiscal_year]\nfirst_month = 13", "fiscal_year.first_month"),
        ("[feeds.bills]\nsheet = 'a'", "'bills' is not a feed"),
        ("[[files]]\nsheet = 'a'", "files.0.pattern"),
        ("[all_files]\ntime_zone = 'Berlin'", "unknown time zone 'Berlin'"),
        ("[all_files]\nencoding = 'ansi-ish'", "unknown encoding 'ansi-ish'"),
        ("[all_files]\ndecimals = 'comma'\nthousands = 'comma'", "are both comma"),
        ("[all_files]\ndelimiter = ';;'", "write one character, or tab"),
        ("[display]\nlocale = 'german'", "display.locale: unknown locale 'german'; e.g. de-DE"),
        ("[display]\nlocale = 'de_DE'", "display.locale: unknown locale 'de_DE'; e.g. de-DE"),
        ("[display]\nlocale = ''", "display.locale: unknown locale ''; e.g. de-DE"),
        ("[display]\nlanguage = 'de-DE'", "unknown setting display.language"),
        ("[all_files", "is not valid TOML"),
    ],
)
def test_a_wrong_setting_is_an_error_that_names_it(declared, text: str, message: str) -> None:
    with pytest.raises(DeclarationInvalid, match=r"apportion\.toml") as error:
        declared(text)
    assert message in str(error.value)


def test_the_locale_is_read_in_spite_of_faults_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "apportion.toml"
    assert read_locale(path) is None
    path.write_text("[display]\nlocale = 'de-CH'\n[all_files]\ndecimal = 'comma'\n")
    assert read_locale(path) == "de-CH"
    path.write_text("[display]\nlocale = 'tlh-KX'\n")
    with pytest.raises(DeclarationInvalid) as error:
        read_locale(path)
    assert str(error.value).startswith("apportion.toml: display.locale: unknown locale 'tlh-KX'")


def test_a_locale_reads_no_file_again(declared) -> None:
    with_locale = declared("[display]\nlocale = 'de-CH'\n[all_files]\ndecimals = 'comma'\n")
    without = declared("[all_files]\ndecimals = 'comma'\n")
    other = declared("[all_files]\ndecimals = 'point'\n")
    assert reader_version(declarations=with_locale) == reader_version(declarations=without)
    assert reader_version(declarations=with_locale) != reader_version(declarations=other)
