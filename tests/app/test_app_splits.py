"""Changes of splits: their checks and their file. test_what_if covers the effect on charges."""

import csv
import io
import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from app import splits
from app.splits import Change, CostCenter, Note
from dagster_project.settings import DataFolder

CENTERS = (
    CostCenter("SALES", "Sales"),
    CostCenter("MKT", "Marketing"),
    CostCenter("OLD", "Mail Order", valid_to=datetime(2026, 2, 1)),
    CostCenter("NEW", "Web Shop", valid_from=datetime(2026, 3, 1)),
    CostCenter("DEFAULT", "Default", is_default=True),
)
PRESENT = {"SALES": Decimal(10), "MKT": Decimal(7), "DEFAULT": Decimal(3)}
RECORDED_AT = datetime(2026, 2, 10, 8, 30, 15)


def change(
    *allocated: tuple[str, str], at: datetime = datetime(2026, 2, 10), total: str = "20"
) -> Change:
    return Change(
        "evergreen",
        "123",
        at,
        Decimal(total),
        tuple((name, Decimal(quantity)) for name, quantity in allocated),
    )


def check(
    wanted: Change, open_from: date | None = None, superseded_at: datetime | None = None
) -> splits.Verdict:
    return splits.check(
        wanted, CENTERS, present=PRESENT, open_from=open_from, superseded_at=superseded_at
    )


# --- rules -----------------------------------------------------------------------------


def test_unallocated_licenses_go_to_default_with_a_warning() -> None:
    wanted = change(("SALES", "12"), ("MKT", "6"))
    assert wanted.default_quantity == 2
    verdict = check(wanted)
    assert verdict.is_allowed
    assert verdict.warnings == ("2 of 20 licenses are unallocated: Default receives them.",)


def test_a_full_allocation_passes_without_warnings() -> None:
    assert check(change(("SALES", "12"), ("MKT", "8"))) == splits.Verdict()


def test_over_allocation_warns_and_default_is_never_negative() -> None:
    wanted = change(("SALES", "15"), ("MKT", "8"))
    assert wanted.default_quantity == 0
    verdict = check(wanted)
    assert verdict.is_allowed
    assert "23 of 20 licenses are allocated" in verdict.warnings[0]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (change(("OLD", "5")), "Mail Order was deleted on 1 Feb 2026"),
        (change(("OLD", "5"), at=datetime(2026, 2, 1)), "Mail Order was deleted"),
        (change(("NEW", "5")), "Web Shop exists from 1 Mar 2026;"),
        (change(("ELSEWHERE", "5")), "ELSEWHERE is not a cost center"),
        (change(("SALES", "-1")), "Sales: the number of licenses is negative"),
        (
            change(("SALES", "0.00001")),
            "Sales: 0.00001 licenses; use a number less than 100,000,000",
        ),
        (change(("SALES", "100000000")), "Sales: 100,000,000 licenses; use a number less"),
        (change(("SALES", "10"), ("MKT", "7"), ("OLD", "0")), "already in force"),
    ],
)
def test_an_invalid_split_is_refused_with_the_reason(wanted: Change, reason: str) -> None:
    verdict = check(wanted)
    assert not verdict.is_allowed
    assert len(verdict.refusals) == 1
    assert reason in verdict.refusals[0]


def test_a_cost_center_accepts_licenses_until_its_deletion() -> None:
    assert check(change(("OLD", "5"), at=datetime(2026, 1, 31, 23, 59))).is_allowed


def test_a_split_before_the_last_closed_bill_is_refused() -> None:
    early = change(("SALES", "12"), at=datetime(2026, 2, 5, 23, 59))
    assert "6 Feb 2026" in check(early, open_from=date(2026, 2, 6)).refusals[0]
    on_the_day = change(("SALES", "12"), at=datetime(2026, 2, 6))
    assert check(on_the_day, open_from=date(2026, 2, 6)).is_allowed


def test_the_first_split_may_leave_all_in_default_and_needs_a_total() -> None:
    def first(wanted: Change) -> splits.Verdict:
        return splits.check(wanted, CENTERS, present={}, open_from=None, superseded_at=None)

    assert first(change()).is_allowed
    assert "0 licenses in total" in first(change(("SALES", "1"), total="0")).refusals[0]


def test_a_change_is_read_from_a_record_as_it_was_written() -> None:
    wanted = change(("SALES", "12.5"), ("MKT", "0"), at=datetime(2026, 2, 10, 9, 30))
    assert splits.from_json(json.loads(json.dumps(splits.as_json(wanted)))) == wanted
    for damaged in ({"allocated": []}, {"total_quantity": "many"}, {"effective_at": "today"}):
        with pytest.raises(ValueError):
            splits.from_json(splits.as_json(wanted) | damaged)


def test_a_later_split_is_a_warning() -> None:
    verdict = check(change(("SALES", "20")), superseded_at=datetime(2026, 2, 20, 9, 30))
    assert verdict.warnings == ("A later split of 20 Feb 2026 09:30 UTC supersedes this one.",)


# --- the file --------------------------------------------------------------------------


def test_the_file_lists_all_valid_cost_centers_and_default_with_the_remainder() -> None:
    wanted = change(("SALES", "12.5"), at=datetime(2026, 2, 10, 9, 30))
    note = Note("Ann, of the broker", 'moved "two"', "Kim")
    text = splits.content(wanted, CENTERS, RECORDED_AT, note)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["Cost Center ID"], row["Allocated Quantity"]) for row in rows] == [
        ("MKT", "0"),
        ("SALES", "12.5"),
        ("DEFAULT", "7.5"),
    ]
    assert {
        (
            row["Subscription ID"],
            row["Organization"],
            row["Event"],
            row["Datetime"],
            row["Total Quantity"],
            row["Recorded At"],
            row["Recorded By"],
            row["Approved By"],
            row["Reason"],
        )
        for row in rows
    } == {
        (
            "123",
            "evergreen",
            "Cost center split adjusted",
            "2026-02-10T09:30:00Z",
            "20",
            "2026-02-10T08:30:15Z",
            "Ann, of the broker",
            "Kim",
            'moved "two"',
        )
    }


def test_the_file_is_dated_and_never_overwritten(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    name = splits.path_in_landing(change(), RECORDED_AT)
    assert name == "split_history/split-123-20260210T083015Z.csv"
    path = splits.save(data, name, "first")
    with pytest.raises(splits.AlreadyWritten):
        splits.save(data, name, "second")
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


def test_the_file_path_stays_in_its_folder() -> None:
    wanted = Change("evergreen", "../../etc/x", datetime(2026, 2, 10), Decimal(1), ())
    name = splits.path_in_landing(wanted, RECORDED_AT)
    assert Path(name).parent == Path("split_history")
