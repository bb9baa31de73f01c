"""A row with a total that nobody declared is unusable, and its message names the setting."""

import pytest

from dagster_project.feeds.declarations import NO_DECLARATIONS, Declarations
from dagster_project.landing.understanding import Reading, understand
from dagster_project.settings import Limits

HEADER = (
    "Subscription ID,ProductName,Quantity,TotalCost,ChargeStartDate,BillingDate,BillingLineDetails"
)
LINE = "office,Total Defense,1,5,2026-01-01,2026-02-06,new. From 1 Jan 2026 to 31 Jan 2026 (31 d)"


def unusable(
    *rows: str, declarations: Declarations = NO_DECLARATIONS
) -> list[tuple[int, str, dict[str, str]]]:
    reading = Reading(Limits.from_environment(), (), lambda message: None, declarations)
    content = "\n".join([HEADER, *rows]).encode()
    landed = understand(content, "billing_lines/a.csv", "billing_lines", reading).rows
    assert landed.table.num_rows + len(landed.rejected) == len(rows)
    return [(each.row_number, each.reason, each.known_values) for each in landed.rejected]


@pytest.mark.parametrize("words", ["TOTAL", "Grand Total", "Summe", "合計"])
def test_the_message_names_the_setting_with_the_words_of_the_row(words: str) -> None:
    assert unusable(LINE, f"{words}:,,1,5,,,", LINE) == [
        (
            3,
            f"begins with {words} and has no dates; if the row is a total, state skip_rows ="
            f' ["{words}"] in apportion.toml',
            {"Quantity": "1", "TotalCost": "5"},
        )
    ]


def test_a_total_of_fewer_columns_names_the_setting_too() -> None:
    ((row_number, reason, _),) = unusable(LINE, "Total,5")
    assert row_number == 3
    assert reason.endswith('; if the row is a total, state skip_rows = ["Total"] in apportion.toml')


@pytest.mark.parametrize(
    "row", [LINE.replace("office", "Total"), "Totality,,1,5,,,", "office,Total,1,5,,,", ",,,5,,,"]
)
def test_other_rows_are_left_to_staging(row: str) -> None:
    # A charge with dates, another word, other first words, and no words.
    assert unusable(LINE, row) == []
