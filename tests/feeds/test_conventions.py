"""Dates and numbers in the conventions of people and spreadsheets."""

from dataclasses import replace

import pyarrow as pa
import pytest

from dagster_project.feeds import formats
from dagster_project.feeds.conventions import convert, iso_date, only_order, plain_number
from dagster_project.feeds.declarations import Declaration
from dagster_project.feeds.readers import LandedRows, RejectedRow


def landed(**columns: list[str]) -> LandedRows:
    table = pa.table({header: pa.array(values, pa.string()) for header, values in columns.items()})
    numbers = pa.array(range(2, table.num_rows + 2), pa.int64())
    return LandedRows(tuple(columns), table, numbers, ())


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["1/16/2026", "2/28/2026 0:00"], "MDY"),
        (["16.1.2026", "28.2.2026"], "DMY"),
        (["16/1/26", "03/03/26"], "DMY"),
        (["1/16/2026", "1/2/2026"], None),
        (["1/16/2026", "16/1/2026"], None),
        (["2026-01-16", "17 Jan 2026", ""], None),
        (["03/03/2026"], None),
    ],
)
def test_an_order_is_inferred_only_if_every_value_allows_no_other(
    values: list[str], order: str | None
) -> None:
    assert only_order(values) == order


@pytest.mark.parametrize(
    ("value", "order", "iso"),
    [
        ("5/25/2018 12:00:00 AM", "MDY", "2018-05-25T00:00:00"),
        ("2/1/2019 0:00", "MDY", "2019-02-01T00:00:00"),
        ("2/1/2019 1:05 PM", "MDY", "2019-02-01T13:05:00"),
        ("31.12.2025", "DMY", "2025-12-31"),
        ("31.12.25 23:59", "DMY", "2025-12-31T23:59:00"),
        ("2026/1/5", "YMD", "2026-01-05"),
        ("2026/1/5", "DMY", "2026-01-05"),
    ],
)
def test_numeric_dates_in_iso_form(value: str, order: str, iso: str) -> None:
    assert iso_date(value, order) == iso  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "settings", "number"),
    [
        ("1.234,56", {"decimals": "comma", "thousands": "point"}, "1234.56"),
        ("905,50", {"decimals": "comma"}, "905.50"),
        ("-0,5", {"decimals": "comma"}, "-0.5"),
        (",5", {"decimals": "comma"}, "0.5"),
        ("1'234.5", {"thousands": "apostrophe"}, "1234.5"),
        ("12 345,6", {"decimals": "comma", "thousands": "space"}, "12345.6"),
        ("1,000", {"thousands": "comma"}, "1000"),
        ("0E-20", {"decimals": "comma"}, "0E-20"),
    ],
)
def test_numbers_with_declared_separators(
    value: str, settings: dict[str, str], number: str
) -> None:
    assert plain_number(value, Declaration(**settings)) == number  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["905.50", "1.23,4", "1,2,3", "12 EUR", "(5,00)", "1.2345,0"])
def test_a_number_of_another_convention_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        plain_number(value, Declaration(decimals="comma", thousands="point"))


def test_the_publishers_order_counts_for_the_reconciliation_file() -> None:
    rows = landed(ChargeStartDate=["1/2/2026"], ChargeEndDate=["2/1/2026"])
    converted = convert(rows, formats.NEW_COMMERCE_RECONCILIATION, Declaration())
    assert converted.rows.table.to_pylist() == [
        {"ChargeStartDate": "2026-01-02", "ChargeEndDate": "2026-02-01"}
    ]
    assert converted.notes == ()


def test_a_file_saved_again_in_another_date_order_is_not_read_in_two_orders() -> None:
    rows = landed(ChargeStartDate=["1/2/2026", "16/1/2026"], ChargeEndDate=["2/1/2026"] * 2)
    converted = convert(rows, formats.NEW_COMMERCE_RECONCILIATION, Declaration())
    assert converted.rows.table.column("ChargeStartDate").to_pylist() == ["1/2/2026", "16/1/2026"]
    assert converted.rows.table.column("ChargeEndDate").to_pylist() == ["2/1/2026"] * 2


def test_an_order_that_follows_from_the_values_is_noted() -> None:
    rows = landed(ChargeStartDate=["16.1.2026", "2026-02-01"], BillingDate=["7.2.2026"] * 2)
    converted = convert(rows, formats.BROKER_REPORT, Declaration())
    assert converted.rows.table.column("ChargeStartDate").to_pylist() == [
        "2026-01-16",
        "2026-02-01",
    ]
    assert converted.rows.table.column("BillingDate").to_pylist() == ["7.2.2026"] * 2
    assert converted.notes == (
        "dates of ChargeStartDate are read as day/month/year: no value allows another order",
    )


def test_an_impossible_date_names_the_order_and_its_source() -> None:
    rows = landed(BillingDate=["16.1.2026", "31.2.2026"])
    (rejected,) = convert(rows, formats.BROKER_REPORT, Declaration()).rows.rejected
    assert (rejected.row_number, rejected.column_name, rejected.value) == (
        3,
        "BillingDate",
        "31.2.2026",
    )
    assert rejected.reason.startswith(
        "is not a date as day/month/year, the order that the column itself states ("
    )


def test_a_value_that_contradicts_the_declaration_rejects_its_row() -> None:
    rows = landed(
        BillingDate=["7.2.2026", "2/27/2026", "8.2.2026"], TotalCost=["1,5", "2,5", "3.5"]
    )
    declared = Declaration(date_order="DMY", decimals="comma")
    converted = convert(rows, formats.BROKER_REPORT, declared).rows
    assert converted.table.to_pylist() == [{"BillingDate": "2026-02-07", "TotalCost": "1.5"}]
    assert converted.row_numbers.to_pylist() == [2]
    assert [(row.row_number, row.column_name, row.value) for row in converted.rejected] == [
        (3, "BillingDate", "2/27/2026"),
        (4, "TotalCost", "3.5"),
    ]
    assert "day/month/year" in converted.rejected[0].reason
    assert "decimals = comma" in converted.rejected[1].reason
    # The money of a rejected row still shows in the reconciliation.
    assert converted.rejected[0].known_values == {"TotalCost": "2.5"}


def test_an_instant_without_offset_uses_the_declared_zone_and_a_date_stays_a_date() -> None:
    rows = landed(
        Datetime=["2025-12-20 23:30", "20.12.2025", "2025-12-20T23:30:00Z", "20.7.2025 00:30"]
    )
    declared = Declaration(date_order="DMY", time_zone="Europe/Berlin")
    converted = convert(rows, formats.SPLIT_HISTORY, declared).rows
    assert converted.table.column("Datetime").to_pylist() == [
        "2025-12-20T22:30:00Z",
        "2025-12-20",
        "2025-12-20T23:30:00Z",
        "2025-07-19T22:30:00Z",
    ]


def test_a_japanese_date_is_unambiguous() -> None:
    rows = landed(BillingDate=["2026年2月7日", "2026/2/8"])
    converted = convert(rows, formats.BROKER_REPORT, Declaration()).rows
    assert converted.table.column("BillingDate").to_pylist() == ["2026-02-07", "2026-02-08"]


def test_an_instant_of_an_older_odata_service_is_unambiguous() -> None:
    values = ["/Date(1769817600000)/", "/Date(1769817600000+0060)/", "/Date(9999999999999999)/"]
    converted = convert(landed(BillingDate=values), formats.BROKER_REPORT, Declaration()).rows
    assert converted.table.column("BillingDate").to_pylist() == [
        "2026-01-31T00:00:00Z",
        "2026-01-31T00:00:00Z",
        "/Date(9999999999999999)/",
    ]


def test_a_number_of_a_workbook_is_no_text_in_a_convention() -> None:
    rows = replace(landed(Cost=["1.234", "1.234"]), typed_cells={"Cost": frozenset({2})})
    declared = Declaration(decimals="comma", thousands="point")
    made = formats.FileFormat(
        name="made", feed="billing_lines", description="", needed=("Total Cost",),
        also_called=(("Cost", "Total Cost"),),
    )  # fmt: skip
    assert convert(rows, made, declared).rows.table.column("Cost").to_pylist() == ["1.234", "1234"]


def test_the_known_amounts_of_a_rejected_row_are_in_its_convention_too() -> None:
    damaged = RejectedRow(4, "damaged", "", known_values={"TotalCost": "1.234", "Quantity": "a"})
    rows = replace(landed(TotalCost=["1,5"], Quantity=["1"]), rejected=(damaged,))
    declared = Declaration(decimals="comma", thousands="point")
    (rejected,) = convert(rows, formats.BROKER_REPORT, declared).rows.rejected
    assert rejected.known_values == {"TotalCost": "1234"}
