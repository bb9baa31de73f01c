"""Changes made in the app: their record, approval by a second person, and runs asked for."""

import csv
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import filelock
import pytest
from conftest import MadeOnce
from published_company import copied, published_company

from app import asked_run, changes, cost_centers
from app.asked_run import AskedRun, RunRefused
from app.changes import NotPending
from app.cost_centers import CenterChange, Listed
from app.made import rows_of
from app.preview_limit import PreviewLimit, TooOften
from app.published import Viewer
from app.split_effect import in_words
from app.split_effect import rows_of as effect_rows
from app.splits import AlreadyWritten, Change, CostCenter
from dagster_project import records
from dagster_project.records import Person, RecordDamaged
from dagster_project.settings import DataFolder
from dagster_project.what_if.effects import Charge

ANN, KIM = Person("ann@broker.example", "a1"), Person("kim@evergreen.example", "k2")
CENTERS = (
    CostCenter("SALES", "Sales"),
    CostCenter("MKT", "Marketing"),
    CostCenter("DEFAULT", "Default", is_default=True),
)
CHANGE = Change(
    "evergreen",
    "123",
    datetime(2026, 2, 10, 9, 30),
    Decimal(20),
    (("SALES", Decimal(12)), ("MKT", Decimal(5))),
)


def landed(data: DataFolder) -> list[Path]:
    return sorted(path for path in data.landing.rglob("*") if path.is_file())


# --- the record --------------------------------------------------------------------------------


def test_a_cut_last_line_is_dropped_and_a_damaged_one_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    assert records.read(path) == []
    records.append(path, {"n": 1, "text": "Grün\n"})
    with path.open("ab") as file:
        file.write(b'{"n": 2, "te')
    assert records.read(path) == [{"n": 1, "text": "Grün\n"}]
    records.append(path, {"n": 3})
    assert [entry["n"] for entry in records.read(path)] == [1, 3]
    path.write_bytes(b"damaged\n" + path.read_bytes())
    with pytest.raises(RecordDamaged, match="line 1"):
        records.read(path)


def test_typed_text_is_one_line_of_limited_length() -> None:
    assert records.one_line("  moved\n to\tStudio ") == "moved to Studio"
    assert len(records.one_line("x" * 10_000)) == records.LONGEST_TEXT


def test_a_split_is_saved_with_its_author_and_reason(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    name = changes.save_split(data, ANN, CHANGE, CENTERS, subject="E3", reason="moved")
    (path,) = landed(data)
    assert path == data.landing / name
    (made,) = changes.made(data, "evergreen")
    assert (made.by, made.action, made.reason, made.file) == (ANN.name, "saved", "moved", name)
    assert changes.made(data, "harbor") == []
    # A file of the same second is not overwritten, and not recorded.
    with pytest.raises(AlreadyWritten):
        changes.save(data, ANN, "evergreen", name, "other", subject="E3", reason="again")
    assert len(changes.made(data, "evergreen")) == 1


def test_what_was_saved_after_the_results_is_not_in_them() -> None:
    saved = changes.Made(datetime(2026, 2, 10, 8), "Ann", "saved", "e", "E3", "moved", "a.csv")
    proposed = replace(saved, action="proposed", file="")
    before, after = datetime(2026, 2, 10, 7), datetime(2026, 2, 10, 9)
    assert [row["what"] for row in rows_of([saved, proposed], before)] == [
        "Saved, not in the results yet", "Proposed",
    ]  # fmt: skip
    assert rows_of([saved], after)[0]["what"] == "Saved"


# --- approval ----------------------------------------------------------------------------------


def test_a_change_waits_until_somebody_other_than_its_author_approves(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    proposal = changes.propose(data, ANN, CHANGE, subject="E3", reason="moved")
    assert landed(data) == []
    assert changes.pending(data, "evergreen") == [proposal]
    assert changes.pending(data, "harbor") == []
    for same in (ANN, Person("Another name", "a1")):
        with pytest.raises(NotPending, match="other than the author"):
            changes.approve(data, same, proposal, CENTERS)
    assert landed(data) == []
    name = changes.approve(data, KIM, proposal, CENTERS)
    (path,) = landed(data)
    assert path == data.landing / name
    first = next(csv.DictReader(path.read_text().splitlines()))
    assert (first["Recorded By"], first["Approved By"]) == (ANN.name, KIM.name)
    assert changes.pending(data, "evergreen") == []
    for decide in (
        lambda: changes.approve(data, KIM, proposal, CENTERS),
        lambda: changes.decline(data, KIM, proposal, ""),
    ):
        with pytest.raises(NotPending, match="already"):
            decide()
    assert landed(data) == [path]
    assert [each.action for each in changes.made(data, "evergreen")] == ["approved", "proposed"]


SALES = Listed("SALES", "Sales", location="Oslo")
LISTED = (SALES, Listed("MKT", "Marketing"), Listed("DEFAULT", "Default", is_default=True))
UNTIL = datetime(2026, 3, 1)


def test_a_cost_center_waits_until_somebody_other_than_its_author_approves(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    renamed = CenterChange("evergreen", "rename", replace(SALES, name="Stores"))
    proposal = changes.propose_center(data, ANN, renamed, subject="Stores", reason="new name")
    split = changes.propose(data, ANN, CHANGE, subject="E3", reason="moved")
    assert changes.pending_centers(data, "evergreen") == [proposal]
    assert changes.pending(data, "evergreen") == [split]
    assert changes.pending_centers(data, "harbor") == [] and landed(data) == []
    with pytest.raises(NotPending, match="other than the author"):
        changes.approve_center(data, ANN, proposal, LISTED)
    # Another change since: only the name is of the proposal.
    moved = (replace(SALES, location="Bergen"), *LISTED[1:])
    name = changes.approve_center(data, KIM, proposal, moved)
    (path,) = landed(data)
    assert path == data.landing / name
    (row,) = csv.DictReader(path.read_text().splitlines())
    assert (row["Name"], row["Location"]) == ("Stores", "Bergen")
    assert (row["Recorded By"], row["Approved By"]) == (ANN.name, KIM.name)
    with pytest.raises(NotPending, match="already"):
        changes.approve_center(data, KIM, proposal, moved)
    assert changes.pending_centers(data, "evergreen") == []
    assert changes.pending(data, "evergreen") == [split]


@pytest.mark.parametrize(
    ("change", "now_listed", "reason"),
    [
        (CenterChange("evergreen", "create", Listed("WEB", "Web")), LISTED, None),
        (
            CenterChange("evergreen", "create", Listed("WEB", "Web")),
            (*LISTED, Listed("WEB", "Web shop")),
            "taken",
        ),
        (CenterChange("evergreen", "rename", replace(SALES, name="Marketing")), LISTED, "taken"),
        (CenterChange("evergreen", "close", replace(SALES, valid_to=UNTIL)), LISTED, "successor"),
        (
            CenterChange("evergreen", "close", replace(SALES, valid_to=UNTIL, successor_id="MKT")),
            LISTED,
            None,
        ),
    ],
)
def test_a_change_of_a_cost_center_is_checked_when_it_is_approved(
    change: CenterChange, now_listed: tuple[Listed, ...], reason: str | None
) -> None:
    rows = [
        {
            "subscription_id": "123", "cost_center_id": "SALES",
            "allocated_quantity": Decimal(5), "valid_to": None,
        }
    ]  # fmt: skip
    refusals = change.refusals(now_listed, rows, None)
    assert reason in " ".join(refusals) if reason else not refusals
    # The record keeps the change as it is.
    assert cost_centers.from_json(cost_centers.as_json(change)) == change


def test_an_approval_that_was_interrupted_writes_one_file(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    proposal = changes.propose(data, ANN, CHANGE, subject="E3", reason="moved")
    changes.approve(data, KIM, proposal, CENTERS)
    (path,) = landed(data)
    lines = data.changes.read_text().splitlines(keepends=True)
    data.changes.write_text(lines[0])
    changes.approve(data, KIM, proposal, CENTERS)
    assert landed(data) == [path]
    assert changes.pending(data, "evergreen") == []


def test_declined_and_withdrawn_changes_write_nothing(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    for person in (ANN, KIM):
        proposal = changes.propose(data, ANN, CHANGE, subject="E3", reason="moved")
        changes.decline(data, person, proposal, "not now")
    assert changes.pending(data, "evergreen") == []
    assert {each.action for each in changes.made(data, "evergreen")} == {
        "proposed", "withdrawn", "declined",
    }  # fmt: skip
    assert landed(data) == []


def test_a_record_that_is_not_of_the_app_is_an_error(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    records.append(
        data.changes, {"organization_id": "evergreen", "action": "proposed", "proposal": "x"}
    )
    with pytest.raises(RecordDamaged):
        changes.pending(data, "evergreen")


# --- the effect --------------------------------------------------------------------------------


def test_a_customer_sees_the_effect_in_sales_and_never_in_cost() -> None:
    sold = Charge(
        "open", "2026-02", None, "evergreen", "Evergreen", "USD", "SALES", "Sales",
        Decimal(111), Decimal(99), Decimal(150), Decimal(130), Decimal(150), Decimal(130),
    )  # fmt: skip
    unsold = replace(sold, sales_before=None, sales_after=None)
    broker, customer = Viewer(may_edit=True), Viewer("evergreen", may_edit=True)
    (row,) = effect_rows(broker, [sold])
    assert (row["before"], row["after"], row["difference"]) == (150, 130, -20)
    assert (row["cost_before"], row["cost_after"], row["cost_difference"]) == (111, 99, -12)
    # A change of cost alone changes nothing that is charged, and the broker sees it.
    same = replace(sold, sales_after=Decimal(150), charged_after=Decimal(150))
    assert [row["difference"] for row in effect_rows(broker, [same])] == [0]
    assert effect_rows(customer, [same]) == []
    assert [row["difference"] for row in effect_rows(customer, [sold])] == [Decimal(-20)]
    shown = effect_rows(customer, [sold, unsold])
    assert len(shown) == 2 and shown[1]["before"] is None
    for cost in ("111", "99", "-12"):
        assert cost not in str(shown)


def test_an_organization_computes_a_limited_number_of_effects_in_an_hour() -> None:
    times = [datetime(2026, 2, 10, 9, 0)]
    limit = PreviewLimit(2, lambda: times[-1])
    limit.take("evergreen")
    times.append(datetime(2026, 2, 10, 9, 20))
    limit.take("evergreen")
    times.append(datetime(2026, 2, 10, 9, 59, 59))
    with pytest.raises(TooOften, match=r"2 effects within an hour.*10 Feb 2026 10:00"):
        limit.take("evergreen")
    limit.take("harbor")
    times.append(datetime(2026, 2, 10, 10, 0))
    limit.take("evergreen")
    with pytest.raises(TooOften, match="10:20"):
        limit.take("evergreen")


def test_a_change_in_words_names_default_last() -> None:
    names = {"SALES": "Sales", "MKT": "Marketing"}
    assert in_words(CHANGE, names) == (
        "Sales 12, Marketing 5, Default 3 of 20 from 10 Feb 2026 09:30 UTC"
    )


# --- runs --------------------------------------------------------------------------------------


def test_a_run_is_asked_for_and_refused_while_another_one_writes(
    made_once: MadeOnce, tmp_path: Path
) -> None:
    data = copied(published_company(made_once), tmp_path / "data")
    assert asked_run.latest(data) is None
    writer = filelock.FileLock(data.run_folder / "writer.lock")
    with writer, pytest.raises(RunRefused, match="another run is writing"):
        asked_run.ask(data, ANN)
    assert asked_run.latest(data) is None
    asked_run.ask(data, ANN)
    deadline = time.monotonic() + 120
    while (run := asked_run.latest(data)) and run.state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert run is not None
    assert (run.state, run.by) == ("succeeded", ANN.name), run.lines
    assert any("Nothing changed since the last run" in line for line in run.lines)
    (data.run_folder / "asked_run" / "exit_code").write_text("1")
    assert asked_run.latest(data).state == "failed"  # type: ignore[union-attr]
    (data.run_folder / "asked_run" / "exit_code").unlink()
    assert asked_run.latest(data).state == "interrupted"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("Building      115 of 460 models and checks, next x, about 9 s left", 0.25),
        ("Building      1,150 of 4,600 models", 0.25),
        ("Building      460 models and checks in 24.1 s", None),
        ("Checks        0 of 0 passed", None),
        ("", None),
    ],
)
def test_the_output_states_how_far_a_run_is(line: str, part: float | None) -> None:
    at = datetime.now(UTC)
    run = AskedRun("Ann", at, "running", ("Apportion     /data", line, "  note  x"))
    assert run.part_done == part
    assert run.step == (line or "Apportion     /data")
