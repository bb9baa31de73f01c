"""Ids whose digits a spreadsheet program has cut are reported with file, cell and value."""

import io

import openpyxl
import pytest

from dagster_project.feeds.declarations import Declarations
from dagster_project.landing.understanding import Reading, understand
from dagster_project.settings import Limits

HEADER = [
    *("Subscription ID", "ProductName", "Quantity", "TotalCost", "ChargeStartDate"),
    *("BillingDate", "BillingLineDetails"),
]
REST = [
    *("Chat", 1, 10**16, "2026-01-01", "2026-02-06"),
    "new. From 1 Jan 2026 to 31 Jan 2026 (31 days)",
]
WHAT_TO_DO = (
    ": a spreadsheet program stored the id as a number and cut its digits; format the column as"
    " text and enter the ids again, or land the file as it was downloaded"
)


def notes(content: bytes, feed: str = "billing_lines") -> list[str]:
    # Bills in workbooks need a declaration.
    declared = Declarations.model_validate({"feeds": {"billing_lines": {"time_zone": "UTC"}}})
    reading = Reading(Limits.from_environment(), (), lambda message: None, declared)
    found = understand(content, f"{feed}/file", feed, reading).notes
    assert {each.kind for each in found} <= {"id_digits_cut"}
    return [each.message for each in found]


def workbook(*ids: object) -> bytes:
    """A broker's report below a title. The cost of every row is 10,000,000,000,000,000."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "January"
    sheet.append(["Our report"])
    sheet.append(HEADER)
    for each in ids:
        sheet.append([each, *REST])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def csv(name: str) -> bytes:
    return "\n".join([",".join(HEADER), ",".join([name, *map(str, REST)])]).encode()


def test_a_number_that_lost_its_last_digits_is_named_with_its_cell() -> None:
    # Excel stores 1234567890123456789 as 1.23456789012345E+18.
    assert notes(workbook("office", 1.23456789012345e18, 1.0e17)) == [
        "sheet January, cell A4, Subscription ID is 1234567890123450000 (and 1 more)" + WHAT_TO_DO
    ]


@pytest.mark.parametrize("kept", ["1234567890123450000", 123456789012345, "5d9c1e20-0001"], ids=str)
def test_an_id_with_all_its_digits_is_no_finding(kept: object) -> None:
    # Text, and fifteen digits.
    assert notes(workbook(kept)) == []


@pytest.mark.parametrize("shown", ["1.23457E+18", '"1,23457E+18"', "1E+21"])
def test_csv_that_a_spreadsheet_program_saved_shows_the_exponent(shown: str) -> None:
    assert notes(csv(shown)) == [f"row 2, Subscription ID is {shown.strip(chr(34))}" + WHAT_TO_DO]


def test_an_exponent_in_an_amount_is_none() -> None:
    assert notes(csv("office").replace(b",1,", b",1E+2,")) == []


def test_the_ids_of_people_are_not_shown() -> None:
    users = b"Snapshot Date,User ID,Department\n2026-01-01,1.23457E+18,Sales\n"
    assert notes(users, "directory") == ["row 2, User ID" + WHAT_TO_DO]
