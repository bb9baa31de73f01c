"""Cost centers that people create, rename and close: the checks, the file, and what a run reads."""

import csv
import os
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from conftest import Company

from app import cost_centers, splits
from app.cost_centers import Listed
from app.splits import Note
from dagster_project.settings import DataFolder

SALES = Listed("S-1", "Sales", business_unit="Shops", charge_code="4100",
               valid_from=datetime(2024, 7, 1))  # fmt: skip
MARKETING = Listed("M-1", "Marketing", parent_id="S-1")
CLOSED = Listed("O-1", "Mail Order", successor_id="S-1", valid_to=datetime(2026, 1, 1))
DEFAULT = Listed("D-1", "Default", is_default=True)
LISTED = (SALES, MARKETING, CLOSED, DEFAULT)
AT = datetime(2026, 2, 10, 8, 30, 15)


# --- the checks --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (Listed("N-1", ""), "The name is empty"),
        (Listed("N-1", " sales "), "The name  sales  is taken by S-1."),
        (Listed("N-1", "mail order"), "taken by O-1, closed from 1 Jan 2026 on"),
        (Listed("N-1", "DEFAULT"), "taken by D-1"),
        (Listed("s-1", "New"), "The id s-1 is taken"),
        (Listed("", "New"), "The id has 1 to 64"),
        (Listed("N 1", "New"), "The id has 1 to 64"),
        (Listed("../x", "New"), "The id has 1 to 64"),
        (Listed("N-1", "New", parent_id="X"), "The parent X is not a cost center"),
    ],
)
def test_a_new_cost_center_with_a_fault_is_refused(new: Listed, reason: str) -> None:
    refusals = cost_centers.create(LISTED, new)
    assert len(refusals) == 1 and reason in refusals[0], refusals


def test_a_new_cost_center_is_allowed_with_a_name_and_an_id_of_its_own() -> None:
    assert cost_centers.create(LISTED, Listed("N-1", "Grün & Söhne", parent_id="S-1")) == []
    # Default exists even if nothing lists it; no other cost center may have its name.
    assert "name Default" in cost_centers.create([SALES], Listed("N-1", "default"))[0]


@pytest.mark.parametrize(
    ("key", "name", "reason"),
    [
        ("S-1", "Sales", "the name already"),
        ("S-1", "marketing", "taken by M-1"),
        ("S-1", "", "is empty"),
        ("X", "New", "not a cost center"),
    ],
)
def test_a_new_name_with_a_fault_is_refused(key: str, name: str, reason: str) -> None:
    assert reason in cost_centers.rename(LISTED, key, name)[0]


def test_a_name_may_change_its_case() -> None:
    assert cost_centers.rename(LISTED, "S-1", "SALES") == []


def closing(
    key: str = "S-1",
    day: date = date(2026, 3, 1),
    successor: str = "M-1",
    seats: int = 5,
    open_from: date | None = date(2026, 2, 6),
) -> list[str]:
    return cost_centers.close(
        LISTED, key, day, successor, seats=Decimal(seats), open_from=open_from
    )


def test_closing_needs_a_successor_while_there_are_licenses() -> None:
    assert closing() == []
    assert closing(seats=0, successor="") == []
    (reason,) = closing(successor="")
    assert "Sales has 5 licenses on that day" in reason


@pytest.mark.parametrize(
    ("refusals", "reason"),
    [
        (closing(successor="S-1"), "cannot succeed itself"),
        (closing(successor="O-1"), "Mail Order is not valid on that day"),
        (closing(successor="X"), "X is not a cost center"),
        (closing("D-1"), "cannot be closed"),
        (closing("O-1"), "is closed from 1 Jan 2026 on"),
        (closing("X"), "X is not a cost center"),
        (closing(day=date(2026, 2, 5)), "Closed periods never change"),
        (closing(day=date(2024, 7, 1), open_from=None), "exists from 1 Jul 2024"),
    ],
)
def test_a_closing_with_a_fault_is_refused(refusals: list[str], reason: str) -> None:
    assert len(refusals) == 1 and reason in refusals[0], refusals


def test_licenses_count_from_the_day_on() -> None:
    def row(center: str, subscription: str, until: datetime | None, quantity: int) -> dict:
        return {
            "cost_center_id": center, "subscription_id": subscription, "valid_to": until,
            "allocated_quantity": Decimal(quantity),
        }  # fmt: skip

    rows = [
        row("S-1", "1", datetime(2026, 2, 1), 50),
        row("S-1", "1", datetime(2026, 4, 1), 7),
        row("S-1", "1", None, 3),
        row("S-1", "2", None, 2),
        row("M-1", "2", None, 9),
    ]
    assert cost_centers.seats_from(rows, "S-1", datetime(2026, 2, 1)) == 9
    assert cost_centers.seats_from(rows, "S-1", datetime(2026, 4, 1)) == 5
    assert cost_centers.seats_from(rows, "X", AT) == 0


# --- the file ----------------------------------------------------------------------------------


def test_the_file_has_the_whole_row_of_the_changed_cost_center() -> None:
    note = Note("Ann", "new name")
    text = cost_centers.content("evergreen", replace(SALES, name="Stores"), LISTED, AT, note)
    assert list(csv.DictReader(text.splitlines())) == [
        {
            "Cost Center ID": "S-1",
            "Organization": "evergreen",
            "Name": "Stores",
            "Parent ID": "",
            "Business Unit": "Shops",
            "Location": "",
            "Charge Code": "4100",
            "GL Account": "",
            "Is Default": "false",
            "Is Shared": "false",
            "Successor ID": "",
            "Valid From": "2024-07-01",
            "Valid To": "",
            "Recorded At": "2026-02-10T08:30:15Z",
            "Recorded By": "Ann",
            "Approved By": "",
            "Reason": "new name",
        }
    ]


def test_the_first_change_of_an_organization_without_a_list_writes_all() -> None:
    unlisted = [replace(each, is_listed=False) for each in (SALES, MARKETING, DEFAULT)]
    text = cost_centers.content("evergreen", Listed("N-1", "New"), unlisted, AT)
    assert [row["Cost Center ID"] for row in csv.DictReader(text.splitlines())] == [
        "N-1", "S-1", "M-1", "D-1",
    ]  # fmt: skip


def test_the_path_stays_in_its_folder() -> None:
    name = cost_centers.path_in_landing("../x", "../../y", AT)
    assert Path(name).parent == Path("cost_centers")


def saved(data: DataFolder, changed: Listed, organization: str = "evergreen") -> Path:
    name = cost_centers.path_in_landing(organization, changed.cost_center_id, AT)
    return splits.save(data, name, cost_centers.content(organization, changed, LISTED, AT))


def test_saved_changes_are_seen_before_the_next_run(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    stores = replace(SALES, name="Stores")
    path = saved(data, stores)
    saved(data, Listed("H-9", "Elsewhere"), "harbor")
    listed, changed = cost_centers.with_own_files(data, "evergreen", LISTED)
    assert stores in listed and SALES not in listed and changed == {"S-1"}
    # Once a run has published the change, the list and the file agree.
    assert cost_centers.with_own_files(data, "evergreen", listed)[1] == set()
    # A newer file by hand counts instead.
    by_hand = data.landing / "cost_centers" / "list.csv"
    by_hand.write_text("Cost Center ID,Organization,Name\nS-1,evergreen,Shops\n")
    later = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(by_hand, ns=(later, later))
    assert SALES in cost_centers.with_own_files(data, "evergreen", LISTED)[0]
    # A file that somebody edited is left to the next run.
    path.write_text("edited")
    os.utime(path, ns=(later * 2, later * 2))
    assert SALES in cost_centers.with_own_files(data, "evergreen", LISTED)[0]


def test_default_is_in_the_list_even_if_nothing_names_it() -> None:
    (default,) = cost_centers.from_rows([])
    assert (default.cost_center_id, default.is_default, default.is_listed) == (
        "Default", True, False,
    )  # fmt: skip


def test_a_run_reads_the_file_as_it_was_written(company: Company) -> None:
    changed = replace(
        MARKETING, name='Sales "B", Süd', successor_id="S-1", valid_to=datetime(2026, 3, 1)
    )
    saved(company.data, changed)
    report = company.ingest()
    assert [file.unknown_columns for file in report.files] == ["[]"]
    with duckdb.connect(str(company.data.warehouse), read_only=True) as connection:
        rows = connection.execute(
            "select cost_center_id, organization, name, parent_id, successor_id, valid_from,"
            " valid_to, is_default from raw.cost_centers"
        ).fetchall()
    assert rows == [("M-1", "evergreen", 'Sales "B", Süd', "S-1", "S-1", "", "2026-03-01", "false")]
