"""Parquet to rows: every type of a cloud's export, and files with wrong declarations.

Each value is written by Arrow and must be read as the text in the test.
"""

import io
import json
import os
import time
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as time_of_day
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, note, seed, settings
from hypothesis import strategies as st

from dagster_project.errors import EmptyFile, RefusedFile, TooLarge, UnreadableText
from dagster_project.feeds.parquet_files import BATCH_ROWS, is_parquet, read_parquet
from dagster_project.feeds.readers import LandedRows

SEED = int(os.environ.get("APPORTION_TEST_SEED", "20260106"))
LIMIT = 100_000_000


def written(table: pa.Table, **options: object) -> bytes:
    content = io.BytesIO()
    pq.write_table(table, content, **options)
    return content.getvalue()


def read(table: pa.Table, **options: object) -> LandedRows:
    return read_parquet(written(table, **options), LIMIT)


def texts(array: pa.Array) -> list[str | None]:
    """The column after a way through a file, first with Arrow's own types, then without."""
    table = pa.table({"a": array})
    rows = read(table)
    assert rows.rejected == ()
    assert rows.table.schema.field("a").type == pa.string()
    assert rows.table.equals(read(table, store_schema=False, use_dictionary=False).table)
    values: list[str | None] = rows.table.column("a").to_pylist()
    return values


# --- types ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [pa.decimal128(38, 10), pa.decimal256(60, 10), pa.decimal64(18, 10)],
    ids=str,
)
def test_a_decimal_keeps_every_digit_and_zero_without_an_exponent(kind: pa.DataType) -> None:
    amounts = ["12.34", "0", "0.0000000001", "-0.0000012300", "-97.1", "12345678.1234567891"]
    assert texts(pa.array([*map(Decimal, amounts), None], kind)) == [
        "12.3400000000",
        "0.0000000000",
        "0.0000000001",
        "-0.0000012300",
        "-97.1000000000",
        "12345678.1234567891",
        None,
    ]


@seed(SEED)
@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 38).flatmap(
        lambda scale: st.lists(
            st.integers(-(10**38) + 1, 10**38 - 1).map(lambda units: Decimal(f"{units}E-{scale}")),
            min_size=1,
        ).map(lambda amounts: (scale, amounts))
    )
)
def test_random_decimals_keep_every_digit(drawn: tuple[int, list[Decimal]]) -> None:
    note(f"APPORTION_TEST_SEED={SEED}")
    scale, amounts = drawn
    found = texts(pa.array(amounts, pa.decimal128(38, scale)))
    assert found == [f"{amount:f}" for amount in amounts]


def test_a_float_is_its_shortest_text_without_an_exponent() -> None:
    values = [0.1, 1.0, -97.1, 1e-7, 123456789.123, 1e16, 1e20, 0.1 + 0.2, 0.0, 1e300, None]
    assert texts(pa.array(values, pa.float64())) == [
        "0.1",
        "1",
        "-97.1",
        "0.0000001",
        "123456789.123",
        "10000000000000000",
        "100000000000000000000",
        "0.30000000000000004",
        "0",
        "1E+300",
        None,
    ]


@seed(SEED)
@settings(max_examples=300, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_every_float_can_be_read_back_from_its_text(values: list[float]) -> None:
    note(f"APPORTION_TEST_SEED={SEED}")
    assert [float(str(text)) for text in texts(pa.array(values, pa.float64()))] == values


def test_a_float_nan_is_not_an_amount() -> None:
    array = pa.array([float("nan"), float("inf")], pa.float64(), from_pandas=False)
    assert texts(array) == ["nan", "inf"]


def test_a_float_of_single_precision_shows_no_more_digits_than_it_has() -> None:
    assert texts(pa.array([0.1, 1e-7], pa.float32())) == ["0.1", "0.0000001"]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([2**63 - 1, -5, None], pa.int64()), [str(2**63 - 1), "-5", None]),
        (pa.array([2**64 - 1], pa.uint64()), [str(2**64 - 1)]),
        (pa.array([-128], pa.int8()), ["-128"]),
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array([" E3 ", "", "0042", "é", None]), [" E3 ", "", "0042", "é", None]),
        (pa.array(["E3", None], pa.large_string()), ["E3", None]),
        (pa.array(["E3", "E5", "E3", None]).dictionary_encode(), ["E3", "E5", "E3", None]),
        (pa.array([b"E3", "é".encode(), None]), ["E3", "é", None]),
        (pa.array([b"E3"], pa.binary(2)), ["E3"]),
        (pa.nulls(2), [None, None]),
        (pa.array([date(2026, 1, 31), date(1, 1, 1)], pa.date32()), ["2026-01-31", "0001-01-01"]),
        (
            pa.array([time_of_day(9, 30), time_of_day(9, 30, 0, 5000)], pa.time64("us")),
            ["09:30:00", "09:30:00.005"],
        ),
        (
            pa.array([uuid.UUID(int=5).bytes, None], pa.uuid()),
            ["00000000-0000-0000-0000-000000000005", None],
        ),
        (pa.array(['{"b": 1}'], pa.json_()), ['{"b": 1}']),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_a_value_of_any_type_becomes_its_text(array: pa.Array, expected: list[str | None]) -> None:
    assert texts(array) == expected


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_timestamp_is_iso_and_an_instant_ends_in_z(unit: str) -> None:
    local = timezone(timedelta(hours=2))
    whole = [datetime(2026, 1, 31), datetime(2026, 1, 31, 9, 30, 10), None]
    assert texts(pa.array(whole, pa.timestamp(unit))) == [
        "2026-01-31T00:00:00",
        "2026-01-31T09:30:10",
        None,
    ]
    instants = [datetime(2026, 2, 1, 1, 30, tzinfo=local), datetime(2026, 1, 1, tzinfo=UTC), None]
    assert texts(pa.array(instants, pa.timestamp(unit, "Europe/Rome"))) == [
        "2026-01-31T23:30:00Z",
        "2026-01-01T00:00:00Z",
        None,
    ]


def test_fractions_of_a_second_are_kept_without_their_last_zeros() -> None:
    moments = [
        datetime(2026, 1, 31, 9, 30, 10, 120_000),
        datetime(2026, 1, 31, 9, 30, 10),
        datetime(2026, 1, 31, 9, 30, 10, 1),
    ]
    assert texts(pa.array(moments, pa.timestamp("us", "UTC"))) == [
        "2026-01-31T09:30:10.12Z",
        "2026-01-31T09:30:10Z",
        "2026-01-31T09:30:10.000001Z",
    ]


def test_old_hadoop_timestamps_are_read_far_from_today() -> None:
    moments = pa.array([datetime(2026, 1, 31, 9, 30), datetime(9999, 12, 31)], pa.timestamp("us"))
    rows = read(pa.table({"a": moments}), use_deprecated_int96_timestamps=True)
    assert rows.table.column("a").to_pylist() == ["2026-01-31T09:30:00", "9999-12-31T00:00:00"]


TAGS = pa.map_(pa.string(), pa.string())


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (
            pa.array([[("team", "é"), ("env", None)], [], None, [("a", "b")]], TAGS),
            ['{"env": null, "team": "é"}', "{}", None, '{"a": "b"}'],
        ),
        (pa.array([[("a", "1"), ("a", "2")]], TAGS), ['[["a", "1"], ["a", "2"]]']),
        (
            pa.array([{"b": Decimal("1.10"), "a": True}, None, {"b": None, "a": None}]),
            ['{"a": true, "b": "1.10"}', None, '{"a": null, "b": null}'],
        ),
        (pa.array([["x", None], [], None, ["y"]]), ['["x", null]', "[]", None, '["y"]']),
        (
            pa.array([[{"key": "team", "values": [1.5, 2]}], None, []]),
            ['[{"key": "team", "values": ["1.5", "2"]}]', None, "[]"],
        ),
        (
            pa.array([[(1, [("x", "y")])]], pa.map_(pa.int32(), TAGS)),
            ['{"1": {"x": "y"}}'],
        ),
        (
            pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int8(), 2)),
            ['["1", "2"]', None, '["3", "4"]'],
        ),
    ],
    ids=["map", "key twice", "struct", "list", "list of structs", "map of maps", "pairs"],
)
def test_tags_and_the_like_are_json_with_sorted_keys(
    array: pa.Array, expected: list[str | None]
) -> None:
    assert texts(array) == expected


@seed(SEED)
@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.none() | st.dictionaries(st.text("ab", min_size=1), st.text("xé", max_size=2))),
    st.integers(1, 3),
)
def test_tags_stay_in_their_rows_over_all_row_groups(
    tags: list[dict[str, str] | None], group_size: int
) -> None:
    note(f"APPORTION_TEST_SEED={SEED}")
    pairs = [None if each is None else list(each.items()) for each in tags]
    rows = read(pa.table({"tags": pa.array(pairs, TAGS)}), row_group_size=group_size)
    found = rows.table.column("tags").to_pylist()
    assert [None if each is None else json.loads(each) for each in found] == tags


# --- the table --------------------------------------------------------------------------------


def test_a_row_has_its_place_in_the_file_for_a_number_over_all_row_groups() -> None:
    count = 2 * BATCH_ROWS + 5
    rows = read(pa.table({"seat": range(count)}), row_group_size=50_000)
    assert rows.row_numbers.type == pa.int64()
    assert rows.row_numbers.to_pylist() == list(range(1, count + 1))
    assert rows.table.column("seat").to_pylist() == [str(each) for each in range(count)]


def test_headers_are_the_columns_as_they_are_named() -> None:
    table = pa.table([pa.array([1])] * 4, names=[" BilledCost ", "", "x_Tag.Name", "cost"])
    rows = read(table)
    assert rows.headers == ("BilledCost", "column 2", "x_Tag.Name", "cost")
    assert tuple(rows.table.column_names) == rows.headers


def test_a_text_column_with_a_dot_in_its_name_is_read() -> None:
    assert read(pa.table({"a.b": ["x"]})).table.to_pylist() == [{"a.b": "x"}]


def test_a_repeated_column_is_kept_for_refusal_by_the_format() -> None:
    rows = read(pa.table([pa.array(["1"]), pa.array(["2"])], names=["cost", "cost"]))
    assert rows.headers == ("cost", "cost")
    assert [column.to_pylist() for column in rows.table.columns] == [["1"], ["2"]]


def test_an_empty_table_is_a_table() -> None:
    rows = read(pa.table({"seat": pa.array([], pa.int64())}))
    assert (rows.headers, rows.table.num_rows, len(rows.row_numbers)) == (("seat",), 0, 0)


def test_invalid_bytes_reject_only_their_row() -> None:
    table = pa.table({"product": [b"E3", b"Caf\xe9", b"E5"], "cost": [10.5, 20, 30]})
    rows = read(table)
    assert rows.table.to_pylist() == [
        {"product": "E3", "cost": "10.5"},
        {"product": "E5", "cost": "30"},
    ]
    assert rows.row_numbers.to_pylist() == [1, 3]
    (bad,) = rows.rejected
    assert (bad.row_number, bad.column_name) == (2, "product")
    assert bad.value == "Caf\N{REPLACEMENT CHARACTER}"
    assert "UTF-8" in bad.reason
    assert bad.known_values == {"cost": "20"}
    assert '"cost": "20"' in bad.raw_row


@pytest.mark.parametrize("dictionary", [True, False])
def test_a_column_with_invalid_text_rejects_only_its_rows(
    dictionary: bool,
) -> None:
    lying = pa.array([b"E3", b"\xff", None]).view(pa.string())
    nested = pa.MapArray.from_arrays([0, 1, 1, 1], ["k"], pa.array([b"\xfe"]).view(pa.string()))
    table = pa.table({"product": lying, "tags": nested, "cost": ["1", "2", "3"]})
    rows = read(table, use_dictionary=dictionary)
    assert rows.table.to_pylist() == [{"product": None, "tags": "{}", "cost": "3"}]
    assert [(each.row_number, each.column_name) for each in rows.rejected] == [
        (1, "tags"),
        (2, "product"),
    ]
    assert rows.rejected[0].known_values == {"product": "E3", "cost": "1"}


# --- damaged and hostile files ----------------------------------------------------------------

FILE = written(
    pa.table(
        {
            "seat": pa.array(range(50), pa.int64()),
            "cost": pa.array([Decimal(each) for each in range(50)], pa.decimal128(38, 10)),
            "tags": pa.array([[("team", str(each))] for each in range(50)], TAGS),
            "note": [f"note {each % 7}" for each in range(50)],
            "at": pa.array(range(50), pa.timestamp("us", "UTC")),
        }
    ),
    write_page_checksum=True,
)


@pytest.mark.parametrize("cut", [4, 5, 11, 100, len(FILE) // 2, len(FILE) - 1, len(FILE) - 8])
def test_a_truncated_parquet_file_is_refused(cut: int) -> None:
    assert is_parquet(FILE[:cut])
    with pytest.raises(UnreadableText, match="truncated or damaged"):
        read_parquet(FILE[:cut], LIMIT)


def test_a_byte_that_changed_inside_a_page_is_noticed_where_the_writer_left_checksums() -> None:
    table = pa.table({"note": ["note 1", "note 2"]})
    content = written(table, write_page_checksum=True, compression="none", write_statistics=False)
    assert content.count(b"note 2") == 1
    with pytest.raises(UnreadableText, match="truncated or damaged"):
        read_parquet(content.replace(b"note 2", b"note 3"), LIMIT)


def test_an_encrypted_file_is_refused_with_advice() -> None:
    content = b"PARE" + FILE[4:-4] + b"PARE"
    assert is_parquet(content)
    with pytest.raises(UnreadableText, match="encrypted"):
        read_parquet(content, LIMIT)
    with pytest.raises(UnreadableText, match="encrypt"):
        read_parquet(FILE[:-4] + b"PARE", LIMIT)


def test_text_and_empty_files_are_not_parquet() -> None:
    assert not is_parquet(b"seat,cost\n")
    assert not is_parquet(b"")


def test_a_file_without_columns_is_empty() -> None:
    with pytest.raises(EmptyFile):
        read(pa.table({}))


def test_a_file_that_unpacks_to_more_than_the_limit_is_refused_unread() -> None:
    content = written(pa.table({"seat": np.arange(1_000_000)}), compression="zstd")
    size = sum(
        pq.read_metadata(io.BytesIO(content)).row_group(group).total_byte_size for group in (0,)
    )
    with pytest.raises(TooLarge, match=f"{size:,}"):
        read_parquet(content, size - 1)


def test_a_small_file_with_huge_text_is_refused_in_time() -> None:
    text = "x" * 1_000_000
    values = pa.DictionaryArray.from_arrays(pa.array(np.zeros(200_000, np.int32)), [text])
    content = written(pa.table({"note": values}), compression="zstd")
    assert len(content) < 100_000
    began, before = time.process_time(), pa.total_allocated_bytes()
    with pytest.raises(TooLarge, match="text"):
        read_parquet(content, LIMIT)
    assert time.process_time() - began < 5
    assert pa.default_memory_pool().max_memory() - before < 500_000_000


def test_endless_empty_rows_are_refused() -> None:
    content = written(pa.table({"note": pa.nulls(30_000_000, pa.string())}))
    assert len(content) < 100_000
    with pytest.raises(TooLarge):
        read_parquet(content, LIMIT)


@seed(SEED)
@settings(max_examples=500, deadline=None)
@given(st.integers(0, len(FILE) - 1), st.binary(min_size=1, max_size=6))
def test_random_bytes_do_not_crash_the_reader(at: int, put: bytes) -> None:
    note(f"APPORTION_TEST_SEED={SEED}")
    try:
        rows = read_parquet(FILE[:at] + put + FILE[at + len(put) :], LIMIT)
    except RefusedFile:
        return
    assert rows.table.num_rows == len(rows.row_numbers)
