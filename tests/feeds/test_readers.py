"""Bytes to rows: the defects of CSV and JSON files by people and programs, one at a time.

Landed rows are written as (row number, value, value, ...), rejected ones as
(row number, raw row). Row 1 is the header, as a spreadsheet shows it.
"""

import csv
import io
import json
import os
import time
from collections.abc import Callable

import pytest
from hypothesis import given, note, seed, settings
from hypothesis import strategies as st

from dagster_project.errors import EmptyFile, RefusedFile, TooManyBadRows, UnreadableText
from dagster_project.feeds.readers import RAW_ROW_LIMIT, LandedRows, read_rows

SEED = int(os.environ.get("APPORTION_TEST_SEED", "20260106"))
THREE = "seat,product,cost\n1,E3,10\n2,E5,20\n"


def read(content: str | bytes) -> LandedRows:
    return read_rows(content.encode() if isinstance(content, str) else content)


def landed(rows: LandedRows) -> list[tuple[object, ...]]:
    values = [tuple(row.values()) for row in rows.table.to_pylist()]
    return [(at, *each) for at, each in zip(rows.row_numbers.to_pylist(), values, strict=True)]


def rejected(rows: LandedRows) -> list[tuple[int, str]]:
    return [(each.row_number, each.raw_row) for each in rows.rejected]


# --- encodings and line ends ------------------------------------------------------------------


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r\n").encode("utf-16"),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.rstrip("\n").encode(),
    ],
    ids=["plain", "mark", "utf-16", "utf-16-be", "crlf", "utf-16 crlf", "cr", "no last newline"],
)
def test_a_file_reads_the_same_in_every_encoding_and_line_ending(
    encode: Callable[[str], bytes],
) -> None:
    rows = read(encode("seat,produit,coût\n1,Café,10\n2,E5,20\n"))
    assert rows.headers == ("seat", "produit", "coût")
    assert landed(rows) == [(2, "1", "Café", "10"), (3, "2", "E5", "20")]
    assert rows.rejected == ()


def test_a_header_that_ends_in_cr_before_rows_that_end_in_lf_is_read() -> None:
    assert landed(read("seat,cost\r1,10\n2,20\n")) == [(2, "1", "10"), (3, "2", "20")]


def test_one_row_in_another_encoding_is_rejected_and_the_others_are_read() -> None:
    rows = read(b"seat,product,cost\n1,E3,10\n2,Caf\xe9,20\n3,E5,30\n")
    assert landed(rows) == [(2, "1", "E3", "10"), (4, "3", "E5", "30")]
    (bad,) = rows.rejected
    assert (bad.row_number, bad.column_name) == (3, "product")
    assert bad.value == "Caf\N{REPLACEMENT CHARACTER}"
    assert "UTF-8" in bad.reason
    assert bad.known_values["cost"] == "20"
    assert '"cost": "20"' in bad.raw_row


@pytest.mark.parametrize(
    ("content", "first"),
    [
        ("a,b\n1,2\n" + "x\n" * 10_001, "row 3: the row has 1 columns, the header has 2"),
        ("a,b\n" + '"x\n' * 10_001, "row 2: an opening quote has no closing quote"),
        (b"a,b\n" + b"\xe9,1\n" * 10_001, "row 2: not UTF-8 text"),
        ('{"a": 1}\n' + "x\n" * 10_001, "row 2: "),
    ],
    ids=["width", "quotes", "encoding", "JSON"],
)
def test_a_file_of_bad_rows_is_refused_in_seconds(content: str | bytes, first: str) -> None:
    begun = time.process_time()
    with pytest.raises(TooManyBadRows) as caught:
        read(content)
    assert f"more than 10,000 rows cannot be read, the first is {first}" in str(caught.value)
    assert time.process_time() - begun < 10


def test_ten_thousand_bad_rows_are_rejected_one_by_one() -> None:
    rows = read("a,b\n1,2\n" + "x\n" * 10_000)
    assert len(rows.rejected) == 10_000
    assert landed(rows) == [(2, "1", "2")]


def test_a_byte_order_mark_between_rows_is_a_character_of_its_value() -> None:
    rows = read('a,b\n\ufeff"x,1\n')
    assert landed(rows) == [(2, '\ufeff"x', "1")]


def test_a_row_in_another_encoding_is_rejected_even_next_to_a_real_replacement_character() -> None:
    rows = read("product,cost\n\N{REPLACEMENT CHARACTER},10\n".encode() + b"Caf\xe9,20\n")
    assert (3, "Caf\N{REPLACEMENT CHARACTER}", "20") not in landed(rows)
    assert [each.row_number for each in rows.rejected] == [3]


@pytest.mark.parametrize(
    "content",
    [
        "seat,cost\n1,10\n".encode("utf-16-le"),
        "seat,cost\n1,10\n".encode("utf-32"),
        b"seat,cost\n1,\x0010\n",
    ],
    ids=["utf-16 without mark", "utf-32", "zero byte"],
)
def test_binary_content_is_refused_with_a_message(content: bytes) -> None:
    with pytest.raises(UnreadableText, match="CSV UTF-8"):
        read(content)


def test_a_zero_byte_far_into_a_file_is_reported() -> None:
    content = "seat,cost\n" + "1,10\n" * 20_000 + "2,\x0020\n"
    try:
        rows = read(content)
    except UnreadableText:
        return
    assert [each.row_number for each in rows.rejected] == [20_002]


# --- nothing to read --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    ["", " ", "  \r\n \n\t\n", "\ufeff", ",,,\n", ",,,\n1,2,3,4\n"],
    ids=["no byte", "a space", "spaces", "a mark", "delimiters", "a header of nothing"],
)
def test_a_file_without_header_is_refused_as_empty(content: str) -> None:
    with pytest.raises(EmptyFile, match="empty"):
        read(content)


@pytest.mark.parametrize("content", ["seat,cost", "seat,cost\n", "seat,cost\r\n\r\n,\r\n"])
def test_a_header_alone_is_a_file_of_no_rows(content: str) -> None:
    rows = read(content)
    assert rows.headers == ("seat", "cost")
    assert landed(rows) == []
    assert rows.rejected == ()


# --- delimiters -------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_from_the_header(delimiter: str) -> None:
    rows = read(THREE.replace(",", delimiter))
    assert landed(rows) == [(2, "1", "E3", "10"), (3, "2", "E5", "20")]


def test_a_decimal_comma_stays_in_its_cell_where_semicolons_delimit() -> None:
    assert landed(read("seat;cost\n1;12,5\n")) == [(2, "1", "12,5")]


@pytest.mark.parametrize("line", ["sep=;\n", "sep=;\r\n", "SEP=;\n", "\ufeffsep=;\n"])
def test_the_line_that_names_the_delimiter_counts_as_row_1(line: str) -> None:
    rows = read(line + "seat;cost\n1;12,5\n")
    assert rows.headers == ("seat", "cost")
    assert landed(rows) == [(3, "1", "12,5")]


def test_a_declared_delimiter_line_precedes_the_header() -> None:
    rows = read('sep=;\n"a,b,c,d";cost\n1;2\n')
    assert rows.headers == ("a,b,c,d", "cost")


def test_a_tab_can_be_named_as_delimiter() -> None:
    assert landed(read("sep=\t\nseat\tcost\n1\t10\n")) == [(3, "1", "10")]


@pytest.mark.parametrize(
    "line",
    [
        "#TYPE Microsoft.Store.PartnerCenter.PowerShell.Models.Invoices.PSInvoiceLineItem\r\n",
        "\ufeff#TYPE Selected.System.Management.Automation.PSCustomObject\n",
        '"#TYPE System.Object"\n',
        "#TYPE System.Object,,\n",
        '"sep=,"\n',
    ],
)
def test_the_type_that_windows_powershell_writes_first_is_passed_over(line: str) -> None:
    rows = read(line + '"seat","cost"\n"1","10"\n')
    assert rows.headers == ("seat", "cost")
    assert landed(rows) == [(3, "1", "10")]


def test_the_type_and_the_delimiter_may_both_precede_the_header() -> None:
    rows = read("#TYPE System.Object\nsep=;\nseat;a,b,c\n1;12,5\n")
    assert rows.headers == ("seat", "a,b,c")
    assert landed(rows) == [(4, "1", "12,5")]


@pytest.mark.parametrize("encode", [str.encode, lambda text: text.encode("utf-16")])
def test_a_type_alone_is_a_header_without_rows(encode: Callable[[str], bytes]) -> None:
    assert landed(read(encode("#TYPE System.Object\n"))) == []


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"], ids=["little", "big"])
def test_the_unicode_text_of_a_spreadsheet_program_is_read(mark: bytes) -> None:
    encoding = "utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"
    rows = read(mark + 'seat\tcity\tcost\r\n1\t"Zürich, West"\t10,5\r\n'.encode(encoding))
    assert landed(rows) == [(2, "1", "Zürich, West", "10,5")]


@pytest.mark.parametrize("line", ["sep=é", 'sep="', "sep= ", "sep="])
def test_an_impossible_delimiter_does_not_crash(line: str) -> None:
    try:
        read(line + "\nseat,cost\n1,10\n")
    except RefusedFile as refusal:
        assert str(refusal)


def test_delimiters_after_the_last_column_are_ignored() -> None:
    rows = read("seat,cost,,\n1,10,,\n2,20,,\n")
    assert rows.headers == ("seat", "cost")
    assert landed(rows) == [(2, "1", "10"), (3, "2", "20")]


def test_a_column_without_name_that_has_values_is_kept() -> None:
    rows = read("seat,,cost,\n1,x,10,y\n")
    assert rows.headers == ("seat", "column 2", "cost", "column 4")
    assert landed(rows) == [(2, "1", "x", "10", "y")]


def test_delimiters_after_the_rows_only_lose_no_row() -> None:
    rows = read("seat,cost\n1,10,\n2,20,\n")
    found = [row[0] for row in landed(rows)] + [each.row_number for each in rows.rejected]
    assert sorted(map(str, found)) == ["2", "3"]


# --- quotes -----------------------------------------------------------------------------------


def test_quoted_delimiters_newlines_and_doubled_quotes_are_part_of_the_value() -> None:
    rows = read('seat,product,cost\n1,"a, ""b""\nc",10\n2,E5,20\n')
    assert landed(rows) == [(2, "1", 'a, "b"\nc', "10"), (3, "2", "E5", "20")]
    assert rows.rejected == ()


def test_a_line_break_inside_a_header_cell_is_part_of_its_name() -> None:
    rows = read('seat,"cost\n(EUR)",note\n1,10,x\n2,20,y\n')
    assert [header.split()[0] for header in rows.headers] == ["seat", "cost", "note"]
    assert landed(rows) == [(2, "1", "10", "x"), (3, "2", "20", "y")]


def test_an_inch_mark_inside_a_value_is_kept() -> None:
    rows = read('seat,product,cost\n1,24" screen,10\n2,E5,20\n')
    assert landed(rows) == [(2, "1", '24" screen', "10"), (3, "2", "E5", "20")]


def test_an_unclosed_quote_rejects_only_its_row() -> None:
    rows = read('seat,product,cost\n1,E3,10\n2,"E5,20\n3,F1,30\n4,F3,40\n')
    assert landed(rows) == [(2, "1", "E3", "10"), (4, "3", "F1", "30"), (5, "4", "F3", "40")]
    assert rejected(rows) == [(3, '2,"E5,20')]
    assert "quote" in rows.rejected[0].reason


def test_an_unclosed_quote_before_a_quoted_value_rejects_only_its_row() -> None:
    rows = read('seat,product,cost\n1,"E3,10\n2,E5,20\n3,"F1",30\n4,F3,40\n')
    assert sorted(landed(rows)) == [
        (3, "2", "E5", "20"),
        (4, "3", "F1", "30"),
        (5, "4", "F3", "40"),
    ]
    assert rejected(rows) == [(2, '1,"E3,10')]


def test_an_unclosed_quote_before_a_quoted_delimiter_keeps_every_row_number() -> None:
    rows = read('seat,product,cost\n1,"E3,10\n2,E5,20\n3,"F1, new",30\n4,F3,40\n')
    assert sorted(landed(rows)) == [
        (3, "2", "E5", "20"),
        (4, "3", "F1, new", "30"),
        (5, "4", "F3", "40"),
    ]
    assert rejected(rows) == [(2, '1,"E3,10')]


def test_an_unclosed_quote_in_the_last_column_loses_no_row() -> None:
    rows = read('seat,cost,note\n1,10,fine\n2,20,"oops\n3,30,fine\n4,40,fine\n')
    assert landed(rows) == [(2, "1", "10", "fine"), (4, "3", "30", "fine"), (5, "4", "40", "fine")]
    assert rejected(rows) == [(3, '2,20,"oops')]


@pytest.mark.parametrize("last", ['2,20,"cut he', '2,20,"cut he\n', '2,"20'])
def test_a_file_that_ends_inside_quotes_shows_its_last_row_as_damaged(last: str) -> None:
    rows = read("seat,cost,note\n1,10,fine\n" + last)
    assert landed(rows) == [(2, "1", "10", "fine")]
    assert [each.row_number for each in rows.rejected] == [3]


def test_a_missing_closing_quote_shows_no_amount_of_another_column() -> None:
    rows = read('"seat","product","cost","sales"\n"1","E3,"10","99"\n"2","E5","20","88"\n')
    assert landed(rows) == [(3, "2", "E5", "20", "88")]
    (bad,) = rows.rejected
    assert bad.row_number == 2
    assert bad.known_values.get("cost") in (None, "10")


def test_a_row_with_a_line_break_that_is_too_long_is_rejected_as_one_row() -> None:
    rows = read('seat,product,cost\n1,"E3\nnew",10,oops\n2,E5,20\n3,F1,30\n')
    assert landed(rows) == [(3, "2", "E5", "20"), (4, "3", "F1", "30")]
    assert rejected(rows) == [(2, '1,"E3\nnew",10,oops')]


def test_the_second_half_of_a_damaged_row_is_not_a_row() -> None:
    rows = read('seat,product,cost\n1,"E3\nnew",10,20\n2,E5,20\n')
    assert landed(rows) == [(3, "2", "E5", "20")]


def test_thousands_of_damaged_rows_neither_crash_nor_take_forever() -> None:
    rows = read("seat,cost\n" + '5" x","y\n' * 3000 + "1,10\n")
    assert landed(rows) == [(3002, "1", "10")]
    assert len(rows.rejected) == 3000


CELL = st.text('a1 ,;"\n\té\x0b\x1c\x85\u2028', max_size=4)


@seed(SEED)
@settings(max_examples=300, deadline=None)
@given(
    st.integers(2, 4).flatmap(
        lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width))
    ),
    st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
    st.sampled_from(("\n", "\r\n")),
)
def test_well_formed_csv_round_trips(cells: list[list[str]], quoting: int, line_end: str) -> None:
    note(f"APPORTION_TEST_SEED={SEED}")
    cells = [row for row in cells if "".join(row).strip()]
    header = [f"column {index}" for index, _ in enumerate(cells[0] if cells else "ab")]
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting, lineterminator=line_end).writerows([header, *cells])
    rows = read(text.getvalue())
    assert landed(rows) == [(at, *row) for at, row in enumerate(cells, start=2)]
    assert rows.rejected == ()


PIECE = st.one_of(
    st.sampled_from(list(",;\t|\"'\n\r a1é\\{}[]:\x00\ufeff\ud800")),
    st.sampled_from(("sep=", '""', "\r\n", '{"a": 1}\n', "a,b,c\n1,2,3\n")),
)


@seed(SEED)
@settings(max_examples=1000, deadline=None)
@given(
    st.lists(PIECE, max_size=20).map("".join),
    st.sampled_from(("utf-8", "utf-8-sig", "utf-16", "cp1252")),
)
def test_random_content_does_not_crash_the_reader(text: str, encoding: str) -> None:
    note(f"APPORTION_TEST_SEED={SEED}")
    try:
        rows = read(text.encode(encoding, "replace"))
    except RefusedFile:
        return
    numbers = [row[0] for row in landed(rows)] + [each.row_number for each in rows.rejected]
    assert len(numbers) == len(set(numbers)), "two rows have one number"


# --- rows of another width --------------------------------------------------------------------


def test_a_row_that_is_too_short_is_rejected_with_its_readable_values() -> None:
    rows = read("seat,product,cost\n1,E3,10\n2,E5\n3,F1,30\n")
    assert landed(rows) == [(2, "1", "E3", "10"), (4, "3", "F1", "30")]
    (bad,) = rows.rejected
    assert (bad.row_number, bad.raw_row) == (3, "2,E5")
    assert bad.reason == "the row has 2 columns, the header has 3"
    assert bad.known_values == {"seat": "2", "product": "E5"}


def test_an_overlong_row_is_rejected_with_all_its_values() -> None:
    rows = read("seat,product,cost\n2,E5, new,20\n3,F1,30\n")
    assert landed(rows) == [(3, "3", "F1", "30")]
    (bad,) = rows.rejected
    assert (bad.row_number, bad.raw_row) == (2, "2,E5, new,20")
    assert bad.reason == "the row has 4 columns, the header has 3"
    assert bad.known_values == {}


def test_rows_after_rejected_ones_keep_their_visible_numbers() -> None:
    rows = read("seat,cost\n1\n2,20\n\n3,30,x\n4,40\n")
    assert landed(rows) == [(3, "2", "20"), (6, "4", "40")]
    assert rejected(rows) == [(2, "1"), (5, "3,30,x")]


def test_blank_lines_are_not_rows_but_count_in_row_numbers() -> None:
    rows = read("seat,cost\n1,10\n\n,\n2,20\n\n\n")
    assert landed(rows) == [(2, "1", "10"), (5, "2", "20")]
    assert rows.rejected == ()


def test_a_line_of_spaces_is_blank() -> None:
    rows = read("seat,cost\n1,10\n   \n2,20\n \n")
    assert landed(rows) == [(2, "1", "10"), (4, "2", "20")]
    assert rows.rejected == ()


@pytest.mark.parametrize("blank", ["\n", "\n\n", "\r\n", "  \n"])
def test_blank_lines_before_the_header_are_passed_over_but_count(blank: str) -> None:
    rows = read(blank + "seat,cost\n1,10\n")
    assert rows.headers == ("seat", "cost")
    assert landed(rows) == [(2 + blank.count("\n"), "1", "10")]


@pytest.mark.parametrize("word", ["NULL", "null", "\\N"])
@pytest.mark.parametrize("note", ["short", '"over\ntwo lines"'])
def test_an_unquoted_null_is_no_value_and_a_quoted_one_is_text(word: str, note: str) -> None:
    rows = read(f'note,a,b,c\n{note},{word},"{word}",\n')
    assert landed(rows) == [(2, note.strip('"'), None, word, "")]
    assert rows.rejected == ()


def test_a_row_of_nulls_alone_is_an_empty_row() -> None:
    assert landed(read("a,b\nNULL,NULL\n1,2\n")) == [(3, "1", "2")]


def test_words_that_may_be_text_stay_text() -> None:
    assert landed(read("a,b,c,d\nNA,nan,None,Null\n")) == [(2, "NA", "nan", "None", "Null")]


def test_a_null_in_a_truncated_row_is_not_a_known_value() -> None:
    (bad,) = read("invoice,cost,sales\nNULL,10\n").rejected
    assert bad.known_values == {"cost": "10"}


def test_a_value_of_a_million_characters_is_kept() -> None:
    ((_, value, _),) = landed(read(f"note,cost\n{'x' * 1_000_000},10\n"))
    assert value == "x" * 1_000_000


@pytest.mark.parametrize("row", ["x" * 200_000, f"1,10,{'x' * 200_000}"], ids=["short", "long"])
def test_a_damaged_row_of_great_length_is_rejected_and_kept_in_part(row: str) -> None:
    rows = read(f"seat,cost\n{row}\n2,20\n")
    assert landed(rows) == [(3, "2", "20")]
    assert rejected(rows) == [(2, row[:RAW_ROW_LIMIT])]


def test_a_very_long_header_does_not_crash() -> None:
    rows = read(f"seat,{'x' * 200_000}\n1,10\n")
    assert landed(rows) == [(2, "1", "10")]


# --- JSON -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        '{"seat":"1","cost":10}\n{"seat":"2","cost":20}\n',
        '[{"seat":"1","cost":10},{"seat":"2","cost":20}]',
    ],
    ids=["lines", "array"],
)
def test_json_lines_and_a_json_array_read_the_same(content: str) -> None:
    rows = read(content)
    assert rows.headers == ("seat", "cost")
    assert landed(rows) == [(1, "1", "10"), (2, "2", "20")]


@pytest.mark.parametrize(
    "number",
    ["0.100000000000000001", "12345678901234567890123", "1E-20", "1.10", "-0.0", "1e400"],
)
def test_a_json_number_keeps_its_text_in_the_file(number: str) -> None:
    assert landed(read(f'{{"cost": {number}}}')) == [(1, number)]
    assert landed(read(f'[{{"cost": {number}}}]')) == [(1, number)]


def test_json_nulls_are_null_and_nested_values_keep_their_text() -> None:
    rows = read('{"a": null, "b": {"price": 1.10, "é": [1, null]}, "c": [], "d": true}')
    assert landed(rows) == [(1, None, '{"price": "1.10", "é": ["1", null]}', "[]", "true")]


def test_json_records_may_each_have_other_keys() -> None:
    rows = read('{"seat": "1"}\n{"cost": 20}\n')
    assert rows.headers == ("seat", "cost")
    assert landed(rows) == [(1, "1", None), (2, None, "20")]


def test_json_lines_survive_a_mark_crlf_and_blank_lines() -> None:
    rows = read('\ufeff{"seat":"1"}\r\n\r\n{"seat":"2"}\r\n')
    assert landed(rows) == [(1, "1"), (3, "2")]


def test_a_broken_json_line_is_rejected_and_the_others_are_read() -> None:
    rows = read('{"seat":"1"}\n{"seat":\n"text"\n{"seat":"2"}\n{"seat":"3", "cos')
    assert landed(rows) == [(1, "1"), (4, "2")]
    assert rejected(rows) == [(2, '{"seat":'), (3, '"text"'), (5, '{"seat":"3", "cos')]
    assert "not JSON" in rows.rejected[0].reason
    assert "not a JSON object" in rows.rejected[1].reason


def test_a_json_array_element_that_is_not_an_object_is_rejected() -> None:
    rows = read('[{"seat":"1"}, 7, {"seat":"2"}]')
    assert landed(rows) == [(1, "1"), (3, "2")]
    assert [each.row_number for each in rows.rejected] == [2]


@pytest.mark.parametrize("content", ['[{"seat":"1"},{"se', '[{"seat":"1"}', '[{"seat":"1"},]'])
def test_a_truncated_json_array_is_refused(content: str) -> None:
    with pytest.raises(UnreadableText, match="truncated or damaged"):
        read(content)


def test_json_without_any_object_is_refused_with_its_first_fault() -> None:
    with pytest.raises(UnreadableText, match=r"no JSON object .*row 1: not"):
        read("[1, 2]")


@pytest.mark.parametrize("content", ["[]", '{"totalCount": 0, "items": []}', '{"value": []}'])
def test_json_without_rows_is_empty(content: str) -> None:
    with pytest.raises(EmptyFile, match="no rows"):
        read(content)


@pytest.mark.parametrize("content", ["{", '{"items": [{"seat": "1"},', '{\n "value": [\n  {"se'])
def test_a_truncated_json_document_is_refused(content: str) -> None:
    with pytest.raises(UnreadableText, match="truncated or damaged"):
        read(content)


def test_one_object_over_several_lines_is_a_row() -> None:
    assert landed(read('{\n  "seat": "1",\n  "cost": 10\n}\n')) == [(1, "1", "10")]


def test_objects_over_several_lines_one_after_the_other_are_rows() -> None:
    assert landed(read('{\n  "seat": "1"\n}\n{\n  "seat": "2"\n}\n')) == [(1, "1"), (2, "2")]


def answer(rows: str, **others: object) -> dict[str, object]:
    """An API response with these seats, in the form of Partner Center."""
    return {"totalCount": 2, "items": [{"seat": each} for each in rows], **others}


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(answer("12", attributes={"objectType": "Collection"})),
        json.dumps(answer("12", attributes={"objectType": "Collection"}), indent=2),
        json.dumps({"@odata.context": "$metadata#users", "value": answer("12")["items"]}),
        '{"value": [\n{"seat": "1"},\n{"seat": "2"}\n]}\n',
        json.dumps(answer("1")) + "\n" + json.dumps(answer("2")) + "\n",
        json.dumps(answer("1"), indent=1) + json.dumps(answer("2"), indent=1),
        json.dumps([answer("1"), answer("2")]),
        json.dumps({"d": answer("12")["items"]}),
        json.dumps({"d": {"results": answer("12")["items"], "__count": "2"}}, indent=2),
        json.dumps({"d": {"seat": "1"}}) + "\n" + json.dumps({"d": {"seat": "2"}}),
    ],
    ids=[
        "one line",
        "indented",
        "odata",
        "row by row",
        "pages as lines",
        "pages",
        "page array",
        "older odata",
        "older odata with results",
        "older odata, single rows",
    ],
)
def test_the_rows_of_a_response_are_its_wrapped_objects(content: str) -> None:
    rows = read(content)
    assert rows.headers == ("seat",)
    assert landed(rows) == [(1, "1"), (2, "2")]
    assert (rows.rejected, rows.next_page) == ((), None)


@pytest.mark.parametrize(
    "link",
    [
        {"nextLink": "https://api.example/2"},
        {"@odata.nextLink": "https://api.example/2"},
        {"links": {"self": {"uri": "x"}, "next": {"uri": "https://api.example/2"}}},
        {"links": {"next": "https://api.example/2"}},
    ],
)
def test_a_response_that_links_to_a_next_page_is_incomplete(link: dict[str, object]) -> None:
    rows = read(json.dumps(answer("1", **link)))
    assert rows.next_page == "https://api.example/2"
    older = {"d": {"results": [{"seat": "1"}], "__next": "https://api.example/2"}}
    assert read(json.dumps(older)).next_page == "https://api.example/2"
    both = json.dumps(answer("1", **link)) + "\n" + json.dumps(answer("2", nextLink=None))
    assert read(both).next_page is None


def test_a_response_with_two_lists_of_rows_is_refused() -> None:
    with pytest.raises(UnreadableText, match="rows in items and in value"):
        read(json.dumps(answer("1", value=[{"seat": "2"}])))
    assert landed(read(json.dumps(answer("1", value=[])))) == [(1, "1")]


def test_a_key_d_among_others_is_a_column() -> None:
    assert landed(read('{"d": [{"a": "1"}], "seat": "1"}')) == [(1, '[{"a": "1"}]', "1")]


def test_a_list_inside_a_row_is_a_value() -> None:
    rows = read('{"seat": "1", "assignedLicenses": [{"skuId": "s"}], "items": ["a"]}')
    assert landed(rows) == [(1, "1", '[{"skuId": "s"}]', '["a"]')]


def test_a_json_row_in_another_encoding_is_rejected() -> None:
    rows = read(b'{"p":"E3"}\n{"p":"Caf\xe9"}\n')
    assert landed(rows) == [(1, "E3")]
    assert [each.row_number for each in rows.rejected] == [2]


def test_invalid_unicode_in_json_rejects_only_its_row() -> None:
    rows = read('{"p":"E3"}\n{"p":"\\ud800"}\n{"p":"E5"}\n')
    assert landed(rows) == [(1, "E3"), (3, "E5")]
    assert [each.row_number for each in rows.rejected] == [2]


def test_a_deeply_nested_json_line_rejects_only_its_row() -> None:
    rows = read('{"p":"E3"}\n{"p":' + "[" * 100_000 + "\n" + '{"p":"E5"}\n')
    assert landed(rows) == [(1, "E3"), (3, "E5")]
    assert [each.row_number for each in rows.rejected] == [2]


def test_a_json_array_nested_without_end_is_refused() -> None:
    with pytest.raises(RefusedFile):
        read("[" * 100_000)


def test_a_repeated_json_key_does_not_lose_a_value_silently() -> None:
    rows = read('{"seat":"1","cost":10}\n{"seat":"2","cost":20,"cost":30}\n')
    assert landed(rows) == [(1, "1", "10")]
    assert [each.row_number for each in rows.rejected] == [2]


def test_an_open_quote_beside_an_inch_mark_takes_no_other_row() -> None:
    rows = read_rows(b'a,b\n1,2\n3"x,"4\n5,6\n7,8\n')
    assert rows.table.to_pydict() == {"a": ["1", "5", "7"], "b": ["2", "6", "8"]}
    assert rows.row_numbers.to_pylist() == [2, 4, 5]
    (rejected,) = rows.rejected
    assert (rejected.row_number, rejected.raw_row) == (3, '3"x,"4')
    assert rejected.reason == "an opening quote has no closing quote"
