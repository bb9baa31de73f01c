"""Header to format: spellings of headers, and messages for headers that do not fit."""

from collections.abc import Callable

import pytest

from dagster_project.errors import MissingColumns, RepeatedColumns, UnknownFormat, WrongFeed
from dagster_project.feeds.formats import (
    BROKER_REPORT,
    BUDGETS,
    COST_CENTERS,
    DIRECTORY_USERS,
    FORMATS,
    INVOICES,
    MANUAL_FORECASTS,
    NEW_COMMERCE_RECONCILIATION,
    SPLIT_HISTORY,
    FileFormat,
    find_format,
    identify,
    match_key,
    snake_case,
)
from dagster_project.settings import FEEDS

PLANS = (BUDGETS, MANUAL_FORECASTS)
"""Formats with the same columns."""


def by_name(file_format: FileFormat) -> str:
    return file_format.name


def least(file_format: FileFormat) -> tuple[str, ...]:
    """The fewest headers that a file of this format may have."""
    return file_format.needed + tuple(group[0] for group in file_format.needed_one_of)


@pytest.mark.parametrize("file_format", FORMATS, ids=by_name)
def test_a_format_is_found_by_its_needed_columns_and_by_all_of_its_columns(
    file_format: FileFormat,
) -> None:
    assert find_format(file_format.feed, least(file_format)) == file_format
    assert find_format(file_format.feed, file_format.headers) == file_format
    assert find_format(file_format.feed, least(file_format)[::-1]) == file_format


@pytest.mark.parametrize(
    "write",
    [
        str.upper,
        str.lower,
        snake_case,
        lambda header: snake_case(header).replace("_", " ").title(),
        lambda header: f"  {header}\u00a0",
        lambda header: header[0].lower() + header[1:],
    ],
    ids=["UPPER", "lower", "snake_case", "Title Case", "spaces around", "camelCase"],
)
@pytest.mark.parametrize("file_format", FORMATS, ids=by_name)
def test_headers_match_without_regard_to_case_spaces_and_underscores(
    file_format: FileFormat, write: Callable[[str], str]
) -> None:
    headers = tuple(write(header) for header in least(file_format))
    assert find_format(file_format.feed, headers) == file_format


@pytest.mark.parametrize("file_format", FORMATS, ids=by_name)
def test_all_columns_of_a_format_have_distinct_match_keys(file_format: FileFormat) -> None:
    headers = file_format.headers
    assert len({match_key(header) for header in headers}) == len(headers)
    assert len(set(file_format.columns)) == len(headers)


def test_unknown_columns_change_nothing() -> None:
    headers = ("Note", *SPLIT_HISTORY.needed, "備考", "%", "")
    assert find_format("split_history", headers) == SPLIT_HISTORY


@pytest.mark.parametrize("file_format", FORMATS, ids=by_name)
def test_every_missing_column_is_named(file_format: FileFormat) -> None:
    for column in file_format.needed:
        rest = tuple(each for each in least(file_format) if each != column)
        with pytest.raises((MissingColumns, WrongFeed)) as caught:
            find_format(file_format.feed, rest)
        if caught.type is MissingColumns:
            assert f"missing column {column} " in str(caught.value)


def test_several_missing_columns_are_named_with_the_format_that_was_meant() -> None:
    headers = tuple(each for each in BROKER_REPORT.needed if each not in ("Quantity", "TotalCost"))
    with pytest.raises(MissingColumns) as caught:
        find_format("billing_lines", headers)
    assert "missing columns Quantity, TotalCost (read as broker_report" in str(caught.value)


def test_missing_columns_are_those_of_the_nearest_format() -> None:
    headers = tuple(each for each in NEW_COMMERCE_RECONCILIATION.needed if each != "Subtotal")
    with pytest.raises(MissingColumns, match=r"Subtotal .*new_commerce_reconciliation"):
        find_format("billing_lines", headers)


@pytest.mark.parametrize("file_format", FORMATS, ids=by_name)
@pytest.mark.parametrize("feed", FEEDS)
def test_a_file_in_the_wrong_feed_folder_is_refused_with_the_right_one(
    file_format: FileFormat, feed: str
) -> None:
    if feed == file_format.feed or {feed, file_format.feed} == {each.feed for each in PLANS}:
        return
    with pytest.raises(WrongFeed) as caught:
        find_format(feed, file_format.headers)
    folders = " or ".join(
        f"landing/{each.feed}" for each in (PLANS if file_format in PLANS else (file_format,))
    )
    assert f"belongs in {folders}, not landing/{feed}" in str(caught.value)


INVOICE_RESOURCE = (
    "id", "invoiceDate", "totalCharges", "currencyCode", "documentType", "amendments",
)  # fmt: skip


def test_an_invoice_of_partner_center_is_an_invoice_and_no_user() -> None:
    assert find_format("invoices", INVOICE_RESOURCE) == INVOICES
    with pytest.raises(WrongFeed, match="those of invoices; the file belongs in landing/invoices"):
        find_format("directory", INVOICE_RESOURCE)


def test_a_list_of_invoices_may_have_a_subtotal_or_a_total_with_tax() -> None:
    headers = ("Invoice Number", "Invoice Date", "Currency")
    assert find_format("invoices", (*headers, "Subtotal")) == INVOICES
    assert find_format("invoices", (*headers, "Total")) == INVOICES
    with pytest.raises(MissingColumns, match="missing column Subtotal or Total "):
        find_format("invoices", headers)


@pytest.mark.parametrize("header", ["id", "User ID", "objectId"])
def test_an_id_alone_makes_no_file_a_list_of_users(header: str) -> None:
    with pytest.raises(MissingColumns, match="missing column Department or "):
        find_format("directory", (header, "createdDateTime"))
    assert find_format("directory", (header, "department")) == DIRECTORY_USERS


def test_a_column_under_its_own_name_comes_before_one_under_another_name() -> None:
    columns, others = INVOICES.assign(("Id", "Invoice Number", "Currency"))
    assert columns == {"invoice_number": "Invoice Number", "currency": "Currency"}
    assert others == ("Id",)


def test_a_header_that_is_far_from_any_format_is_compared_with_the_nearest() -> None:
    with pytest.raises(UnknownFormat, match=r"matches no format .*; as broker_report it lacks Sub"):
        find_format("billing_lines", ("BillingLineDetails", "Vendor", "Amount"))


def test_cost_centers_in_the_folder_of_organizations_do_not_become_organizations() -> None:
    headers = ("Cost Center ID", "Organization", "Name", "Charge Code", "Is Default")
    assert find_format("cost_centers", headers) == COST_CENTERS
    with pytest.raises(WrongFeed, match="landing/cost_centers"):
        find_format("organizations", headers)


def test_cost_centers_without_their_id_are_not_sent_to_the_organizations() -> None:
    with pytest.raises(MissingColumns, match="missing column Cost Center ID "):
        find_format("cost_centers", ("Organization", "Name", "Charge Code", "Is Default"))


def test_a_header_of_no_known_format_is_shown_in_the_refusal() -> None:
    with pytest.raises(UnknownFormat, match="matches no format of billing_lines: hello, world"):
        find_format("billing_lines", ("hello", "world"))


def test_a_refusal_is_short_however_long_the_header_is() -> None:
    with pytest.raises(UnknownFormat) as caught:
        find_format("billing_lines", tuple(f"column {number}" for number in range(10_000)))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "again",
    ["Quantity", "quantity", "QUANTITY ", "Quan_tity"],
)
def test_a_column_that_is_named_twice_is_refused_by_name(again: str) -> None:
    with pytest.raises(RepeatedColumns, match="twice: Quantity"):
        find_format("billing_lines", (*BROKER_REPORT.needed, again))


@pytest.mark.parametrize("header", ["Note", "備考", "%"])
def test_an_unknown_column_that_is_named_twice_is_refused_by_name(header: str) -> None:
    with pytest.raises(RepeatedColumns, match=f"twice: {header}"):
        find_format("billing_lines", (*BROKER_REPORT.needed, header, header))


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("SkuId", "sku_id"),
        ("MPNID", "mpnid"),
        ("Subscription ID", "subscription_id"),
        ("BillingLineDetails", "billing_line_details"),
        ("PCToBCExchangeRate", "pc_to_bc_exchange_rate"),
        ("GL Account", "gl_account"),
    ],
)
def test_a_header_gives_the_column_name_a_person_would_write(header: str, column: str) -> None:
    assert snake_case(header) == column


DISTINCT = [each for each in FORMATS if each not in PLANS]


def test_the_folder_decides_between_formats_with_the_same_columns() -> None:
    assert BUDGETS.headers == MANUAL_FORECASTS.headers
    for each in PLANS:
        assert find_format(each.feed, each.needed) == each
        assert find_format(each.feed, each.headers) == each
        with pytest.raises(UnknownFormat, match=r"budgets and manual_forecasts; .* --as budgets/"):
            identify(each.headers)


@pytest.mark.parametrize("file_format", DISTINCT, ids=by_name)
def test_a_file_outside_the_feeds_is_recognized_by_all_columns(
    file_format: FileFormat,
) -> None:
    assert identify(file_format.headers) == file_format
    assert identify((*file_format.headers[::-1], "Note")) == file_format


@pytest.mark.parametrize("file_format", DISTINCT, ids=by_name)
def test_a_file_outside_the_feeds_is_recognized_by_its_required_columns(
    file_format: FileFormat,
) -> None:
    assert identify(least(file_format)) == file_format


def test_the_columns_missing_from_the_nearest_format_are_named() -> None:
    with pytest.raises(MissingColumns, match="missing column Event "):
        identify(tuple(header for header in SPLIT_HISTORY.needed if header != "Event"))
    # It has the columns of a list of organizations, but is nearer to one of cost centers.
    with pytest.raises(MissingColumns, match="missing column Cost Center ID"):
        identify(("Organization", "Name", "Location", "Charge Code"))
    with pytest.raises(UnknownFormat, match="matches no format of any feed: Who, Phone"):
        identify(("Who", "Phone"))
    with pytest.raises(RepeatedColumns):
        identify((*SPLIT_HISTORY.needed, "EVENT"))
