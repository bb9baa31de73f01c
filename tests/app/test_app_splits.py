"""Changing a split: what is refused, and the file. What it moves is test_what_if's."""

import csv
import io
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import MadeOnce
from published_company import published_company

from app import splits
from app.splits import Change, CostCenter
from app.warehouse import splitting
from dagster_project.settings import DataFolder

CENTERS = (
    CostCenter("SALES", "Sales"),
    CostCenter("MKT", "Marketing"),
    CostCenter("OLD", "Mail Order", valid_to=datetime(2026, 2, 1)),
    CostCenter("NEW", "Web Shop", valid_from=datetime(2026, 3, 1)),
    CostCenter("DEFAULT", "Default", is_default=True),
)
HELD = {"SALES": Decimal(10), "MKT": Decimal(7), "DEFAULT": Decimal(3)}
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
    wanted: Change, open_from: date | None = None, overtaken_at: datetime | None = None
) -> splits.Verdict:
    return splits.check(wanted, CENTERS, held=HELD, open_from=open_from, overtaken_at=overtaken_at)


# --- rules -----------------------------------------------------------------------------


def test_what_is_given_to_nobody_goes_to_default_and_is_said() -> None:
    wanted = change(("SALES", "12"), ("MKT", "6"))
    assert wanted.default_quantity == 2
    verdict = check(wanted)
    assert verdict.is_allowed
    assert verdict.warnings == ("2 of 20 licenses are given to nobody: Default takes them.",)


def test_a_split_that_gives_away_all_licenses_is_allowed_without_a_word() -> None:
    assert check(change(("SALES", "12"), ("MKT", "8"))) == splits.Verdict()


def test_more_licenses_than_there_are_warn_and_default_is_never_negative() -> None:
    wanted = change(("SALES", "15"), ("MKT", "8"))
    assert wanted.default_quantity == 0
    verdict = check(wanted)
    assert verdict.is_allowed
    assert "23 licenses are given away of 20" in verdict.warnings[0]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (change(("OLD", "5")), "Mail Order was deleted on 1 Feb 2026"),
        (change(("OLD", "5"), at=datetime(2026, 2, 1)), "Mail Order was deleted"),
        (change(("NEW", "5")), "Web Shop exists from 1 Mar 2026 on"),
        (change(("ELSEWHERE", "5")), "ELSEWHERE is no cost center"),
        (change(("SALES", "-1")), "Sales cannot have less than no licenses"),
        (change(("SALES", "0.00001")), "0.00001 is no number of licenses"),
        (change(("SALES", "100000000")), "is no number of licenses"),
        (change(("SALES", "10"), ("MKT", "7"), ("OLD", "0")), "Nothing changes"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(wanted: Change, reason: str) -> None:
    verdict = check(wanted)
    assert not verdict.is_allowed
    assert len(verdict.refusals) == 1
    assert reason in verdict.refusals[0]


def test_a_deleted_cost_center_may_have_licenses_until_it_is_deleted() -> None:
    assert check(change(("OLD", "5"), at=datetime(2026, 1, 31, 23, 59))).is_allowed


def test_a_split_cannot_begin_before_the_last_closed_bill() -> None:
    early = change(("SALES", "12"), at=datetime(2026, 2, 5, 23, 59))
    assert "6 Feb 2026" in check(early, open_from=date(2026, 2, 6)).refusals[0]
    on_the_day = change(("SALES", "12"), at=datetime(2026, 2, 6))
    assert check(on_the_day, open_from=date(2026, 2, 6)).is_allowed


def test_a_newer_split_that_takes_over_is_told() -> None:
    verdict = check(change(("SALES", "20")), overtaken_at=datetime(2026, 2, 20, 9, 30))
    assert verdict.warnings == ("A newer split of 20 Feb 2026 09:30 UTC takes over from then on.",)


# --- the file --------------------------------------------------------------------------


def test_the_file_lists_every_cost_center_that_is_there_and_default_with_the_rest() -> None:
    wanted = change(("SALES", "12.5"), at=datetime(2026, 2, 10, 9, 30))
    rows = list(csv.DictReader(io.StringIO(splits.content(wanted, CENTERS, RECORDED_AT))))
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
        )
    }


def test_the_file_is_dated_and_never_written_over_another(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    name = splits.path_in_landing(change(), RECORDED_AT)
    assert name == "split_history/split-123-20260210T083015Z.csv"
    path = splits.save(data, name, "first")
    with pytest.raises(splits.AlreadyWritten):
        splits.save(data, name, "second")
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


def test_the_name_of_the_file_stays_in_its_folder_whatever_the_subscription_is_called() -> None:
    wanted = Change("evergreen", "../../etc/x", datetime(2026, 2, 10), Decimal(1), ())
    name = splits.path_in_landing(wanted, RECORDED_AT)
    assert Path(name).parent == Path("split_history")


# --- the warehouse ----------------------------------------------------------------------


def test_cost_centers_come_with_the_day_they_were_deleted_and_default_last(
    made_once: MadeOnce,
) -> None:
    data = published_company(made_once)
    how = splitting(data, "evergreen")
    assert [(center.cost_center_id, center.valid_to) for center in how.cost_centers] == [
        ("EVG-OLD", datetime(2026, 2, 1)),
        ("EVG-MKT", None),
        ("EVG-SALES", None),
        ("EVG-DEFAULT", None),
    ]
    assert not how.is_by_directory
    unlisted_default = splitting(data, "harbor").cost_centers[-1]
    assert unlisted_default == CostCenter("Default", "Default", is_default=True)
