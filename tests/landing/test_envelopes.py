"""JSON objects around rows: which are read, and what the message says about the others."""

import json

import pytest

from dagster_project.errors import MissingColumns, UnknownFormat
from dagster_project.landing.understanding import Reading, UnderstoodFile, understand
from dagster_project.settings import Limits

RATE = {
    "FromCurrency": "USD",
    "ToCurrency": "EUR",
    "Date": "/Date(1769817600000)/",
    "Rate": "0.8",
    "__metadata": {"uri": "Rates(1)"},
}


def understood(content: object, feed: str = "exchange_rates") -> UnderstoodFile:
    reading = Reading(Limits(), (), print)
    return understand(json.dumps(content).encode(), f"{feed}/saved.json", feed, reading)


@pytest.mark.parametrize("content", [{"d": [RATE]}, {"d": {"results": [RATE]}}, {"d": RATE}])
def test_a_response_of_an_older_odata_service_is_read_with_its_dates(content: object) -> None:
    table = understood(content).rows.table
    assert table.column("Date").to_pylist() == ["2026-01-31T00:00:00Z"]
    assert table.column("Rate").to_pylist() == ["0.8"]


def test_a_link_of_an_older_odata_service_is_a_missing_page() -> None:
    (note,) = understood({"d": {"results": [RATE], "__next": "Rates?$skiptoken=2"}}).notes
    assert note.kind == "pages_missing"


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"rates": [RATE]}, "rates"),
        ({"status": "ok", "response": {"page": {"rates": [RATE]}}}, "response.page.rates"),
        ({"d": {"rates": [RATE]}}, "rates"),
    ],
)
def test_rows_under_another_name_are_refused_with_the_name_and_what_is_expected(
    content: object, path: str
) -> None:
    with pytest.raises(UnknownFormat, match=f"list of objects in {path}; rows are read") as refusal:
        understood(content)
    assert "items, value, results, records, data, d: save the list alone" in str(refusal.value)


def test_a_row_without_a_list_is_refused_for_its_columns() -> None:
    with pytest.raises(MissingColumns, match="Rate"):
        understood([{each: RATE[each] for each in ("FromCurrency", "ToCurrency", "Date")}])
    with pytest.raises(UnknownFormat, match="matches no format of exchange_rates: status"):
        understood({"status": "ok", "warnings": [], "codes": [1]})


def test_a_message_about_a_list_of_users_names_no_key() -> None:
    with pytest.raises(UnknownFormat) as refusal:
        understood({"Kim Doe": [{"office": "Lab"}]}, "directory")
    assert "Kim" not in str(refusal.value)
