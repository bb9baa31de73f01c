"""What-if: the effect of files on charges, computed on a copy of the sample.

January 2026 is closed in it, February to April are open. Alder's Business Premium is charged 31
seats at 17.60 in April, split 12 / 9 / 4 and 6 in Default; Brightwater's E3 108 seats at 31.20.
"""

import csv
import hashlib
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from builds import MODELS_ONLY
from conftest import SAMPLE, Company

from dagster_project import dbt_runner, publish, run_state, wording
from dagster_project.__main__ import main
from dagster_project.errors import LedgerBroken
from dagster_project.ledger import closing
from dagster_project.settings import FEEDS, DataFolder
from dagster_project.what_if import UnknownOrganization, WhatIf, compare, report
from dagster_project.what_if.effects import Account, Charge
from dagster_project.what_if.notes import HINTS, Notes
from dagster_project.what_if.scenario import Scenario, ScenarioRefused

HEADER = "Subscription ID,Event,Datetime,Total Quantity,Cost Center,Allocated Quantity\n"
PREMIUM = "bed6d197-b728-4c8c-9189-04ed26d5ea27"
E3 = "68ef7dde-1b71-426a-a102-f87f4777182c"
ALDER = HEADER + "".join(
    f"{PREMIUM},Cost center split adjusted,2026-02-20,31,{center},{quantity}\n"
    for center, quantity in (("Litigation", 18), ("Corporate", 9), ("Administration", 4))
)
SEATS = HEADER + f"{E3},Subscription quantity changed,2026-05-01,118,,\n"
LATE_BILL = (
    "Subscription ID,ProductName,Quantity,TotalCost,ChargeStartDate,BillingDate,"
    "BillingLineDetails,Organization,Currency\n"
    "123,Microsoft 365 E3,20,26.48,28 Dec 2025,6 Jan 2026,"
    "cycleCharge. From 28 Dec 2025 to 27 Jan 2026 (31 days),evergreen,USD\n"
)
SHARED = "Organization,Shared Cost Center ID,Method,Valid From\ncobalt,COB-200,even,2026-04-01\n"
BACKDATED = HEADER + "123,Cost center split adjusted,2025-12-16,15,Sales,15\n"


@pytest.fixture(scope="module")
def data(new_company: Callable[[], Company]) -> DataFolder:
    """The sample company with January closed, published. No test may change it."""
    company = new_company()
    shutil.copytree(SAMPLE / "landing", company.data.landing)
    company.build(*MODELS_ONLY)
    closing.close(company.data, "2026-01")
    run_state.begin(company.data)
    company.build(*MODELS_ONLY)
    publish.publish(company.data, dbt_runner.read_manifest(), run_state.begun(company.data))
    run_state.remember(company.data)
    return company.data


def state(data: DataFolder) -> dict[str, str]:
    """A hash of every file of the data folder, lock files apart."""
    return {
        str(path.relative_to(data.root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(data.root.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def scenario(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def account(found: WhatIf, organization_id: str, horizon: str) -> list[Account]:
    return [
        each
        for each in found.accounts
        if (each.first.organization_id, each.first.horizon) == (organization_id, horizon)
    ]


def charge(
    center: str, before: str, after: str, sales: tuple[str | None, str | None] = (None, None)
) -> Charge:
    old, new = (None if amount is None else Decimal(amount) for amount in sales)
    return Charge(
        "open", "2026-04", None, "alder", "Alder", "USD", center, center.title(),
        Decimal(before), Decimal(after), old, new, old or Decimal(), new or Decimal(),
    )  # fmt: skip


# --- effects ------------------------------------------------------------------------


def test_splits_and_seats_change_open_and_future_amounts_but_never_closed_ones(
    data: DataFolder, tmp_path: Path
) -> None:
    files = [
        scenario(tmp_path, "alder.csv", ALDER),
        scenario(tmp_path, "seats.csv", SEATS),
        scenario(tmp_path, "backdated.csv", BACKDATED),
    ]
    before = state(data)
    progress: list[str] = []
    found = compare(data, [Scenario.read(file) for file in files], progress=progress.append)
    assert state(data) == before
    assert not any("current state" in words for words in progress)
    assert {each.first.horizon for each in found.accounts} == {"open", "future"}
    assert found.row_counts == (3, 1, 1)

    (april,) = account(found, "alder", "open")
    # The six seats in Default, 6 x 17.60, go to Litigation; their price for alder is 23.00.
    assert [
        (each.cost_center_id, each.cost_difference, each.sales_difference) for each in april.changed
    ] == [
        ("ALD-DEFAULT", Decimal("-105.60"), Decimal("-138.00")),
        ("ALD-100", Decimal("105.60"), Decimal("138.00")),
    ]
    assert (april.first.period, april.total.cost_difference, april.total.sales_difference) == (
        "2026-04", 0, 0,
    )  # fmt: skip
    # What is charged are the sales.
    assert [(each.charged_before, each.charged_after) for each in april.charges] == [
        (each.sales_before, each.sales_after) for each in april.charges
    ]
    assert april.total.cost_before == Decimal("1355.26")
    for future in account(found, "alder", "future"):
        assert {each.cost_center_id for each in future.changed} == {"ALD-DEFAULT", "ALD-100"}
        assert future.total.cost_difference == 0

    assert account(found, "brightwater", "open") == []
    future_by_commitment = {
        each.first.commitment: each for each in account(found, "brightwater", "future")
    }
    # Ten seats at 31.20 in each of the eleven cycles from 11 May on: eight in the term.
    differences = {kind: each.total.cost_difference for kind, each in future_by_commitment.items()}
    assert differences == {"committed": Decimal("2496.00"), "renewal": Decimal("936.00")}
    assert [each.cost_center_id for each in future_by_commitment["committed"].changed] == [
        "BRW-DEFAULT"
    ]
    assert future_by_commitment["committed"].first.period == "2026-05 to 2027-04"

    text = report.as_text(found)
    assert "Administration 4, Corporate 9, Litigation 18 of 31" in text
    assert "applies to 1 line of open bills" in text
    assert "it must start before 12 Mar 2026" in text
    assert (
        "1 split of the scenario starts before 7 Jan 2026, the billing date of January 2026" in text
    )
    assert "no open bill has a line of this subscription" in text
    assert "USD: the total does not change; amounts move between cost centers" in text
    assert "USD: the total changes: charged +3,946.80, cost +3,432.00" in text
    assert "WOULD CHANGE" not in text


def test_the_command_shows_one_organization_and_writes_all_decimals(
    data: DataFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header, *rows = ALDER.replace("Litigation", "=Litigation").splitlines()
    # In another order, and with a cost center whose name is a formula.
    alder = scenario(tmp_path, "alder.csv", "\n".join([header, *rows[::-1], ""]))
    seats = scenario(tmp_path, "seats.csv", SEATS)
    late = scenario(tmp_path, "late.csv", LATE_BILL)
    shared = scenario(tmp_path, "shared.csv", SHARED)
    out = tmp_path / "moves.csv"
    before = state(data)
    arguments = [
        "what-if",
        str(alder),
        str(seats),
        str(late),
        str(shared),
        "--data",
        str(data.root),
    ]
    assert main([*arguments, "--organization", "alder", "--csv", str(out)]) == 0
    assert state(data) == before
    shown = capsys.readouterr().out
    assert "alder has no cost center '=Litigation'; its licenses go to a new cost center" in shown
    assert "did you mean 'Litigation'?" in shown
    assert "Other organizations with changes: brightwater, cobalt, evergreen" in shown
    assert "February 2026 bills 3 correction rows for closed periods: cost 26.48" in shown
    assert f"Nothing was changed in {data.root}" in shown
    header_line = next(line for line in shown.splitlines() if "cost before" in line)
    amounts = next(line for line in shown.splitlines() if line.lstrip().startswith("total "))
    assert header_line.split()[2:6] == ["charged", "before", "charged", "after"]
    # Sales, which are charged, and cost.
    assert amounts.split()[1:] == ["1,642.31", "1,642.31", "0.00", "1,355.26", "1,355.26", "0.00"]
    assert len(amounts) <= len(header_line)

    with out.open(encoding="utf-8-sig", newline="") as file:
        written = list(csv.DictReader(file))
    assert {row["organization_id"] for row in written} == {"alder"}
    april = [row for row in written if row["horizon"] == "open"]
    assert sum(Decimal(row["cost_difference"]) for row in april) == 0
    assert sum(Decimal(row["cost_after"]) for row in april) == Decimal("1355.26")
    assert sum(Decimal(row["charged_after"]) for row in april) == Decimal("1642.309")
    # 18 of 31 seats at 17.60.
    assert {row["cost_center_name"]: row["cost_after"] for row in april}["'=Litigation"] == "316.8"


def test_an_unknown_organization_is_refused_before_any_computation(
    data: DataFolder, tmp_path: Path
) -> None:
    steps: list[str] = []
    with pytest.raises(UnknownOrganization, match="known organizations: alder, brightwater"):
        compare(
            data, [Scenario.read(scenario(tmp_path, "a.csv", ALDER))], "nobody", None, steps.append
        )
    assert steps == []


# --- scenarios without effect -----------------------------------------------------------


def test_a_scenario_without_effect_states_the_reason_even_if_landing_is_newer(
    data: DataFolder, tmp_path: Path
) -> None:
    mine = DataFolder(tmp_path / "data")
    shutil.copytree(data.root, mine.root)
    scenario(
        mine.landing, "budgets/none.csv", "Cost Center ID,Month,Currency,Amount\nX,2026-01,USD,1\n"
    )
    landed = (mine.landing / "split_history" / "alder.csv").read_text()
    same = HEADER + "".join(
        f"{E3},Cost center split adjusted,2026-03-01,108,{center},{quantity}\n"
        for center, quantity in (
            ("Field Operations", 68), ("Control Room", 19), ("Customer Service", 20),
        )
    )  # fmt: skip
    mistyped = HEADER + f"{E3[:-1]}d,Subscription quantity changed,2026-03-01,118,,\n"
    by_directory = HEADER + "2041,Cost center split adjusted,2026-03-01,15,Nursing,15\n"
    overtaken = (
        HEADER + f"{PREMIUM},Cost center split adjusted,2025-12-17T10:00:00Z,22,Corporate,22\n"
    )
    price = "Product,Unit Price,Currency,Valid From\nMicrosoft 365 E33,40,USD,2026-01-01\n"
    contents = {
        "again.csv": landed,
        "same.csv": same,
        "mistyped.csv": mistyped,
        "by directory.csv": by_directory,
        "overtaken.csv": overtaken,
        "price.csv": price,
    }
    files = [scenario(tmp_path, name, text) for name, text in contents.items()]
    before = state(mine)
    progress: list[str] = []
    found = compare(mine, [Scenario.read(file) for file in files], progress=progress.append)
    assert state(mine) == before
    assert any("current state" in words for words in progress)
    assert found.accounts == ()
    text = report.as_text(found)
    assert "no change" in text
    assert "again.csv has the same content as landing/split_history/alder.csv" in text
    assert "the shares are unchanged" in text
    assert f"no bill has the subscription '{E3[:-1]}d'; did you mean '{E3}'?" in text
    assert "no effect: no bill has this subscription" in text
    assert "not applied: Fernhill Animal Hospital splits by its user directory" in text
    assert "they use an earlier or a later split" in text
    assert "17 Dec 2025 14:20 UTC, when a later split supersedes it" in text
    assert "no bill has the product 'Microsoft 365 E33'; did you mean 'Microsoft 365 E3'?" in text
    assert "A price applies to charges that start within its dates" in text


# --- refused scenarios -----------------------------------------------------------------------


def test_unusable_rows_are_reported_and_nothing_is_computed(
    data: DataFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(
        f"{PREMIUM},Cost center split adjusted,2026-03-{day:02d},31,Litigation,{quantity}\n"
        for day, quantity in ((1, "ten"), (2, "eleven"), (3, 31))
    )
    bad = scenario(tmp_path, "bad.csv", ALDER.replace(",9\n", ",nine\n") + rows)
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "May"
    for line in (HEADER + f"{E3},Split,soon,108,Control Room,108\n").splitlines():
        sheet.append(line.split(","))
    book.save(tmp_path / "May.xlsx")
    before = state(data)
    out = tmp_path / "out.csv"
    files = [str(bad), str(tmp_path / "May.xlsx")]
    assert main(["what-if", *files, "--data", str(data.root), "--csv", str(out)]) == 2
    assert state(data) == before
    shown = capsys.readouterr()
    assert "Open billing periods" not in shown.out
    # Rows with one fault are one line, as in the report of an inspection.
    assert "4 rows or files cannot be used" in shown.err
    assert f"{bad}: row 3 and 2 more: Allocated Quantity is not a number" in shown.err
    assert "(found: 'nine')" in shown.err and "ten" not in shown.err
    assert f"{tmp_path / 'May.xlsx'}: May!C2: Datetime is not a date" in shown.err
    assert "(found: 'soon')" in shown.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.csv", "", "the file is empty"),
        ("header.csv", HEADER, "a header and no rows"),
        ("column.csv", ALDER.replace("Datetime", "When"), "missing column Datetime"),
        ("unknown.csv", "Who,Phone\nAnna,12\n", "no format of any feed: Who, Phone"),
        ("twice.csv", "Event,EVENT\na,b\n", "contains a column twice"),
        ("manifest.json", '{"blobs": []}', "no rows without its blobs"),
        ("cut.csv.gz", "\x1f\x8b\x08", "truncated or damaged"),
        ("download.csv.part", ALDER, "unfinished download"),
    ],
)
def test_an_unusable_file_is_refused_before_any_computation(
    tmp_path: Path, name: str, content: str, reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ScenarioRefused) as caught:
        Scenario.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioRefused, match="the file does not exist"):
        Scenario.read(tmp_path / "missing.csv")
    with pytest.raises(ScenarioRefused, match="a folder"):
        Scenario.read(tmp_path)


def test_the_csv_file_may_be_in_the_data_folder_only_below_exports(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    file = tmp_path / "scenario.csv"
    for path in (file, data.landing / "split_history" / "x.csv", data.ledger / "x.csv", tmp_path):
        with pytest.raises(report.NowhereToWrite):
            report.require_free(path, data, [file])
    report.require_free(data.exports / "x.csv", data, [file])
    report.require_free(tmp_path / "x.csv", data, [file])


def test_a_broken_ledger_stops_the_computation_and_leaves_no_copy(
    data: DataFolder, tmp_path: Path
) -> None:
    mine = DataFolder(tmp_path / "data")
    shutil.copytree(data.root, mine.root)
    (posting,) = mine.ledger.glob("*.parquet")
    posting.write_bytes(posting.read_bytes() + b"x")
    alder = Scenario.read(scenario(tmp_path, "alder.csv", ALDER))
    before = state(mine)
    with pytest.raises(LedgerBroken):
        compare(mine, [alder])
    assert state(mine) == before


def test_every_feed_has_a_hint() -> None:
    assert set(HINTS) == set(FEEDS)


# --- accounts --------------------------------------------------------------------


def test_the_total_of_an_account_ignores_missing_prices() -> None:
    account_of_three = Account(
        (
            charge("A", "10", "7", (None, None)),
            charge("B", "5", "8", (None, "4")),
            charge("C", "1", "1", ("2", "2")),
        )
    )
    assert [each.cost_center_id for each in account_of_three.changed] == ["A", "B"]
    assert account_of_three.changed[0].sales_difference is None
    assert account_of_three.changed[1].sales_difference == 4
    assert (account_of_three.total.cost_before, account_of_three.total.cost_difference) == (16, 0)
    assert (account_of_three.total.sales_before, account_of_three.total.sales_after) == (2, 6)


def test_the_report_has_the_form_of_the_locale() -> None:
    moved = Account((charge("A", "1000", "2234.5"), charge("B", "3000.004", "3000.003")))
    effect = WhatIf((), (), (moved,), (), Notes((), 0, (), (), (), ()), "state")
    shown = report.as_text(effect)
    assert "+1,234.50" in shown and " -0.001\n" in shown
    with wording.written_in("de-DE"):
        shown = report.as_text(effect)
    assert "1.000,00" in shown and "2.234,50" in shown and "+1.234,50" in shown
    # A difference that would round to zero has all its decimals.
    assert " -0,001\n" in shown
