"""All exports of a period: their places, and that a delivery is complete or absent."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from conftest import Company

from dagster_project import dbt_runner, publish
from dagster_project.__main__ import main
from dagster_project.errors import DeclarationInvalid
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
        + "S2,=Suite,1,7.005,,1 Jan 2026,6 Feb 2026,"
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


def test_a_locale_changes_statements_and_no_file_for_machines(published: DataFolder) -> None:
    before = deliver(published)
    contents = {name: (before.folder / name).read_bytes() for name in names(before.folder)}
    published.declarations.write_text('[display]\nlocale = "de-DE"\n')
    try:
        german = deliver(published)
    finally:
        published.declarations.unlink()
    changed = {
        name for name, content in contents.items() if (german.folder / name).read_bytes() != content
    }
    assert names(german.folder) == set(contents)
    assert changed == {name for name in contents if name.endswith((".html", ".pdf"))}
    (page,) = [name for name in changed if name.startswith("statements/acme") and "html" in name]
    text = (german.folder / page).read_text(encoding="utf-8")
    assert '<td class="number">100,00</td>' in text
    assert "billed on 06.02.2026" in text
    assert "License statement for February 2026" in text


def test_an_unknown_locale_writes_no_exports(published: DataFolder) -> None:
    published.declarations.write_text('[display]\nlocale = "Deutsch"\n')
    try:
        with pytest.raises(
            DeclarationInvalid, match=r"apportion\.toml: display\.locale: .*'Deutsch'"
        ):
            deliver(published)
    finally:
        published.declarations.unlink()
    assert not [path for path in published.exports.iterdir() if path.name.startswith(".")]


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


def test_formulas_in_focus_files_are_guarded_on_request_only(
    published: DataFolder, tmp_path: Path
) -> None:
    name = "focus-1.4-cost-and-usage-2026-02.csv"
    texts = []
    for is_guarded in (False, True):
        folder = tmp_path / str(is_guarded)
        deliver_focus(published, folder, is_guarded=is_guarded)
        texts.append((folder / name).read_text("utf-8"))
        parquet = folder / name.replace(".csv", ".parquet")
        rows = duckdb.read_parquet(str(parquet)).fetchall()
        assert "=Suite" in {value for row in rows for value in row}
    plain, guarded = texts
    assert ",=Suite," in plain and ",'=Suite," not in plain
    assert ",'=Suite," in guarded and ",=Suite," not in guarded
    # Nothing else changes: numbers keep their sign, JSON and ids stay.
    assert guarded.replace("'=Suite", "=Suite") == plain


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


def test_customers_databases_are_all_of_the_version_that_was_exported(
    published: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "KEPT_SECONDS", 0)
    link = published.published / "organizations"

    def version_of_databases() -> Path:
        assert link.is_symlink()
        assert {path.name for path in link.iterdir()} == {"acme.duckdb"}
        return link.resolve().parent

    def current() -> Path:
        return (published.published / "current").resolve()

    deliver(published)
    exported = current()
    assert version_of_databases() == exported
    # Later versions do not remove it, and readers keep one version until the next export.
    for _ in range(3):
        publish.publish(published, dbt_runner.read_manifest(), "state")
    assert version_of_databases() == exported != current()
    # The export of another organization brings the database along.
    delivery = deliver(published, organization_id="own use")
    assert delivery.file_counts["customers' editions"] == 0
    assert version_of_databases() == current()
    with duckdb.connect(str(link / "acme.duckdb"), read_only=True) as own:
        assert own.execute("select count(*) from marts.billing_report").fetchall() == [(2,)]
    publish.publish(published, dbt_runner.read_manifest(), "state")
    publish.publish(published, dbt_runner.read_manifest(), "state")
    assert not exported.exists()
    # A data folder of Apportion 0.1.0 has a plain folder.
    link.unlink()
    link.mkdir()
    (link / "acme.duckdb").write_text("of an old version")
    deliver(published)
    assert version_of_databases() == current()
