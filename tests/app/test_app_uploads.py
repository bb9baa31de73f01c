"""Files that are uploaded in the app: checked as a run would read them, and put into landing."""

import json
from pathlib import Path

import pytest
from conftest import MadeOnce
from published_company import BILL_HEADER, copied, published_company

from app import uploads
from app.uploads import UploadRefused
from dagster_project.records import Person
from dagster_project.settings import DataFolder

ANN = Person("Ann", "sub-1")
BILL = BILL_HEADER + (
    "123,Microsoft 365 E3,20,100,120,28 Feb 2026,6 Mar 2026,"
    "cycleCharge. From 28 Feb 2026 to 27 Mar 2026 (28 days),evergreen,USD\n"
)


@pytest.fixture
def data(made_once: MadeOnce, tmp_path: Path) -> DataFolder:
    return copied(published_company(made_once), tmp_path / "data")


def test_a_checked_file_lands_as_it_is_and_is_recorded(data: DataFolder) -> None:
    before = sorted(path for path in data.landing.rglob("*"))
    checked = uploads.check(data, "march.csv", BILL.encode())
    assert checked.place == "billing_lines/march.csv"
    assert checked.is_usable
    assert "USD: billed_quantity 20, total_cost 100" in checked.report
    assert sorted(path for path in data.landing.rglob("*")) == before, "a check keeps nothing"

    assert uploads.land(data, ANN, checked, BILL.encode()) == "billing_lines/march.csv"
    assert (data.landing / "billing_lines" / "march.csv").read_text() == BILL
    entry = json.loads(data.changes.read_text().splitlines()[-1])
    assert (entry["by"], entry["by_id"], entry["file"]) == (
        "Ann",
        "sub-1",
        "billing_lines/march.csv",
    )
    with pytest.raises(UploadRefused, match=r"landing has a file billing_lines/march.csv already"):
        uploads.land(data, ANN, checked, b"another one")
    assert (data.landing / "billing_lines" / "march.csv").read_text() == BILL


def test_a_file_with_faults_is_explained_and_does_not_land(data: DataFolder) -> None:
    content = BILL.replace(",20,100,", ",20,a hundred,").encode()
    checked = uploads.check(data, "march.csv", content, "billing_lines")
    assert not checked.is_usable
    assert "TotalCost" in checked.report and "a hundred" in checked.report
    with pytest.raises(UploadRefused, match="correct it first"):
        uploads.land(data, ANN, checked, content)
    unknown = uploads.check(data, "holiday.csv", b"Beach,Sun\n1,2\n")
    assert unknown.place is None and not unknown.is_usable


@pytest.mark.parametrize("name", [".hidden.csv", "", "~$march.xlsx", "../.."])
def test_a_name_that_a_run_ignores_is_refused(data: DataFolder, name: str) -> None:
    with pytest.raises(UploadRefused, match="is not the name of a file that a run reads"):
        uploads.check(data, name, BILL.encode())


def test_folders_in_a_name_do_not_count(data: DataFolder) -> None:
    checked = uploads.check(data, "..\\..\\up/march.csv", BILL.encode())
    assert checked.place == "billing_lines/march.csv"
