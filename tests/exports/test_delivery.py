"""All exports of a period: their places, and that a delivery is complete or absent."""

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Company

from dagster_project import dbt_runner, publish
from dagster_project.__main__ import main
from dagster_project.exports import journal
from dagster_project.exports.delivery import deliver, deliver_focus
from dagster_project.exports.scope import NothingInScope, NothingPublished
from dagster_project.settings import DataFolder

HEADER = (
    "Subscription ID,ProductName,Quantity,TotalCost,TotalSales,ChargeStartDate,BillingDate,"
    "BillingLineDetails,Organization,Currency\n"
)


@pytest.fixture(scope="module")
def published(new_company: Callable[[], Company]) -> DataFolder:
    """Two months; acme has sales, the other organization has not."""
    company = new_company()
    company.drop(
        "billing_lines/winter.csv",
        HEADER
        + "S1,Suite,3,80,100,1 Dec 2025,6 Jan 2026,"
        + "cycleCharge. From 1 Dec 2025 to 31 Dec 2025 (31 days),acme,USD\n"
        + "S1,Suite,3,80,100,1 Jan 2026,6 Feb 2026,"
        + "cycleCharge. From 1 Jan 2026 to 31 Jan 2026 (31 days),acme,USD\n"
        + "S2,Suite,1,7.005,,1 Jan 2026,6 Feb 2026,"
        + "cycleCharge. From 1 Jan 2026 to 31 Jan 2026 (31 days),own use,USD\n",
    )
    company.build()
    publish.publish(company.data, dbt_runner.read_manifest(), "state")
    return company.data


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_latest_period_is_delivered_with_an_edition_per_customer_with_sales(
    published: DataFolder,
) -> None:
    delivery = deliver(published)
    assert delivery.folder == published.exports / "2026-02"
    assert delivery.file_counts["statements"] == 2
    assert delivery.file_counts["customers' editions"] == 1
    files = names(delivery.folder)
    assert files >= {
        "statements.csv",
        "chargeback-2026-02.xlsx",
        "billing_report-2026-02.csv",
        "split_billing_report-2026-02.csv",
        "cost_center_report-2026-02.csv",
        "journal-2026-02.csv",
        "focus/focus-1.4-cost-and-usage-2026-02.csv",
        "focus/focus-1.2-cost-and-usage-2026-02.parquet",
        "organizations/acme/statements.csv",
        "organizations/acme/acme-2026-02.xlsx",
    }
    assert not any("own-use" in name for name in files if name.startswith("organizations/"))
    # The state that the published tables were built from; a customer's folder does not have it.
    assert delivery.state_id == "state"
    assert (delivery.folder / "state.json").read_text() == '{"state_id": "state"}\n'
    assert [name for name in files if name.endswith("state.json")] == ["state.json"]
    databases = {path.name for path in (published.published / "organizations").iterdir()}
    assert databases == {"acme.duckdb"}


def test_a_range_and_one_organization_have_their_own_folder(published: DataFolder) -> None:
    delivery = deliver(published, "2026-01", "2026-02", "acme")
    assert delivery.folder == published.exports / "2026-01-to-2026-02-acme"
    assert delivery.file_counts["statements"] == 2
    journal_text = (delivery.folder / "journal-2026-01-to-2026-02.csv").read_text("utf-8-sig")
    assert "own use" not in journal_text


def test_focus_files_alone_keep_other_files_of_the_folder(
    published: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The command line sets these variables; monkeypatch restores them.
    monkeypatch.setenv("APPORTION_DATA", str(published.root))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "README.md").write_text("another file")
    arguments = ["--from", "2026-01", "--to", "2026-02", "--focus-only", str(tmp_path)]
    assert main(["export", "--data", str(published.root), *arguments]) == 0
    delivery = deliver(published, "2026-01", "2026-02")
    assert names(tmp_path) == names(delivery.folder / "focus") | {"README.md"}
    for name in names(delivery.folder / "focus"):
        assert (tmp_path / name).read_bytes() == (delivery.folder / "focus" / name).read_bytes()


def test_focus_files_alone_are_of_the_latest_period_by_default(
    published: DataFolder, tmp_path: Path
) -> None:
    files = deliver_focus(published, tmp_path, organization_id="acme")
    assert files[0].path.name == "focus-1.2-cost-and-usage-2026-02-acme.csv"
    with pytest.raises(NothingInScope):
        deliver_focus(published, tmp_path, "1999-01")


def test_a_failed_delivery_leaves_the_previous_one(published: DataFolder, tmp_path: Path) -> None:
    before = names(deliver(published, "2026-01").folder)
    wrong = tmp_path / "names.json"
    wrong.write_text('{"sum": "Summe"}')
    with pytest.raises(journal.UnknownJournalColumn):
        deliver(published, "2026-01", journal_columns=wrong)
    assert names(published.exports / "2026-01") == before
    assert not list(published.exports.glob(".*"))


def test_an_empty_scope_is_refused(published: DataFolder, tmp_path: Path) -> None:
    with pytest.raises(NothingInScope, match="2031-05"):
        deliver(published, "2031-05")
    with pytest.raises(NothingPublished):
        deliver(DataFolder(tmp_path))
