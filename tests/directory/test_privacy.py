"""Persons are in raw and staging only, and a forgotten person is nowhere."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from bills_of_subscriptions import report
from conftest import Company, MadeOnce
from people import (
    ALDERS,
    EVERYBODY,
    FEBRUARY,
    HEADERLESS,
    NEW_YEAR,
    USERS_HEADER,
    ZOE,
    copy_of,
    files_that_know,
    ledger_of,
    people_company,
    tables_of,
    users_of,
    words_in,
)
from written_tables import book, csv

from dagster_project.landing import forgetting
from dagster_project.landing.sync import sync
from dagster_project.ledger import closing
from dagster_project.settings import PROJECT_ROOT, DataFolder


@pytest.fixture(scope="module")
def people(made_once: MadeOnce) -> Company:
    return people_company(made_once)


# --- privacy -------------------------------------------------------------------------------------


def test_raw_tables_contain_people(people: Company) -> None:
    raw = repr(tables_of(people, "raw"))
    readable = [each for each in EVERYBODY if each not in (ALDERS["Jana"], ALDERS["Lars"])]
    for each in readable:
        assert words_in(raw, [each])


def test_no_table_or_view_beyond_staging_holds_a_person(people: Company) -> None:
    found = tables_of(people, "intermediate", "marts", "rules")
    assert len(found) > 60
    assert {
        name: words for name, rows in found.items() if (words := words_in(repr(rows), EVERYBODY))
    } == {}


def test_published_tables_contain_no_person(people: Company) -> None:
    parquet = sorted((people.data.published / "marts").glob("*.parquet"))
    assert len(parquet) > 8
    with duckdb.connect(str(people.data.published_database), read_only=True) as connection:
        for path in parquet:
            rows = connection.execute("select * from read_parquet($path)", {"path": str(path)})
            assert words_in(repr(rows.fetchall()), EVERYBODY) == []
            rows = connection.execute(f'select * from marts."{path.stem}"')
            assert words_in(repr(rows.fetchall()), EVERYBODY) == []


def test_a_broken_row_of_the_directory_is_reported_without_its_values(people: Company) -> None:
    rows = people.query(
        """
        select file, row_number, column_name, value, raw_row, reason
        from marts.quarantined_rows where feed = 'directory' and file <> $headerless
        order by file, row_number
        """,
        {"headerless": HEADERLESS},
    )
    assert [row[:5] for row in rows] == [
        ("directory/broken-2026-01-15.csv", 2, "Account Enabled", None, None),
        ("directory/broken-2026-01-15.csv", 3, None, None, None),
        ("directory/broken.jsonl", 1, "Snapshot Date", None, None),
        ("directory/broken.jsonl", 2, None, None, None),
    ]
    assert "neither true nor false" in rows[0][5]
    assert "3 columns, the header has 5" in rows[1][5]
    assert "not a date" in rows[2][5]
    assert "not JSON" in rows[3][5]


def test_a_refused_directory_file_without_a_header_reveals_no_name(people: Company) -> None:
    ((reason,),) = people.query(
        "select reason from marts.quarantined_rows where file = $file", {"file": HEADERLESS}
    )
    assert words_in(reason, [ZOE]) == []
    assert words_in(repr(tables_of(people, "intermediate", "marts")), [ZOE]) == []


def test_no_file_except_the_warehouse_contains_a_person(people: Company) -> None:
    knowing = {name for each in EVERYBODY for name in files_that_know(people, each)}
    assert knowing == {"warehouse.duckdb"}


# --- forgetting ----------------------------------------------------------------------------------


def apportion(company: Company, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m dagster_project` on a data folder, with a Dagster home of its own."""
    home = company.data.root.with_name(f"{company.data.root.name} home")
    home.mkdir(exist_ok=True)
    shutil.copy(PROJECT_ROOT / ".dagster" / "dagster.yaml", home)
    return subprocess.run(
        [sys.executable, "-m", "dagster_project", *arguments, "--data", str(company.data.root)],
        cwd=PROJECT_ROOT,
        env={**os.environ, "DAGSTER_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.fixture(scope="module")
def closed(people: Company) -> Company:
    """The company after February was closed."""
    company = copy_of(people, "closed")
    closing.close(company.data, "2026-02")
    return company.build()


@dataclass(frozen=True)
class Forgotten:
    """The company with February closed, before and after Dora was forgotten."""

    company: Company
    before: dict[str, list[tuple]]
    knew_before: list[str]
    ledger_before: dict[str, bytes]
    output: str
    after: dict[str, list[tuple]]
    know_after: list[str]


@pytest.fixture(scope="module")
def forgotten(closed: Company) -> Forgotten:
    company = copy_of(closed, "forgotten")
    before = tables_of(company, "intermediate", "marts", "rules")
    knew_before = files_that_know(company, ALDERS["Dora"])
    ledger_before = ledger_of(company)
    for interrupted in ("what-if-killed", "inspect-killed"):
        (company.data.run_folder / interrupted).mkdir(parents=True)
        shutil.copy(company.data.warehouse, company.data.run_folder / interrupted)
    forget = apportion(company, "forget", ALDERS["Dora"].sign_in_name.upper())
    assert forget.returncode == 0, forget.stdout + forget.stderr
    after = tables_of(company, "intermediate", "marts", "rules")
    know_after = files_that_know(company, ALDERS["Dora"])
    return Forgotten(company, before, knew_before, ledger_before, forget.stdout, after, know_after)


def test_a_forgotten_person_is_in_no_built_file(forgotten: Forgotten) -> None:
    assert "warehouse.duckdb" in forgotten.knew_before
    assert [name for name in forgotten.know_after if not name.startswith(".run/")] == []
    # Only Dora is removed.
    assert files_that_know(forgotten.company, ALDERS["Eve"]) == ["warehouse.duckdb"]


def test_every_copy_of_landed_rows_is_removed_and_nothing_else(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    copies = (
        "warehouse.duckdb",
        "warehouse.duckdb.wal",
        "warehouse.duckdb.tmp/duckdb_temp_storage-0.tmp",
        "warehouse.duckdb.damaged",
        ".run/what-if-killed/warehouse.duckdb",
        ".run/inspect-killed/raw.parquet",
        ".run/dbt/run_results.json",
        ".run/published_state",
    )
    kept = (
        ".run/writer.lock",
        ".run/ledger_head.json",
        "landing/directory/users.csv",
        "ledger/chain.jsonl",
        "published/versions/000001-3f9a51c0/apportion.duckdb",
        "exports/2026-01/journal.csv",
        "a user's own file",
    )
    for name in copies + kept:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("anna@example.com")
    forgetting.remove_copies(data)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == set(kept)


def test_the_logs_do_not_contain_the_forgotten_person(forgotten: Forgotten) -> None:
    assert [name for name in forgotten.know_after if name.startswith(".run/")] == []


def test_forgetting_a_person_changes_no_figure(forgotten: Forgotten) -> None:
    assert list(forgotten.after) == list(forgotten.before)
    changed = [name for name, rows in forgotten.before.items() if forgotten.after[name] != rows]
    assert changed == []


def test_forgetting_a_person_does_not_change_a_closed_period(forgotten: Forgotten) -> None:
    assert forgotten.company.query(
        "select distinct status from marts.billing_periods where billing_period = '2026-02'"
    ) == [("closed",)]
    assert ledger_of(forgotten.company) == forgotten.ledger_before
    assert forgotten.company.query(
        "select sum(total_cost) from marts.billing_report where billing_period = '2026-02'"
    ) == [(Decimal(147),)]
    assert forgotten.company.query(
        "select count(*) from marts.billing_report where charge_class is not null"
    ) == [(0,)]


def test_forgetting_lists_the_landing_rows_that_contain_the_person(
    forgotten: Forgotten,
) -> None:
    landing = forgotten.company.data.landing
    # The fourth of the list: row 5 under a header, line 4 of JSON.
    assert f"{landing / 'directory/2025-12-31/users.jsonl'}: row 4\n" in forgotten.output
    assert f"{landing / 'directory/users-2026-01-15.csv'}: row 5\n" in forgotten.output
    assert f"{landing / 'directory/february.csv'}: row 5\n" in forgotten.output
    assert f"{landing / 'directory/assignments.csv'}: row 5, 13, 21\n" in forgotten.output
    assert words_in(forgotten.output, [ALDERS["Dora"]]) == []


def test_a_forgotten_person_stays_forgotten_when_rows_land_again(forgotten: Forgotten) -> None:
    company = forgotten.company
    landing = company.data.landing / "directory"
    shutil.copy(landing / "users-2026-01-15.csv", landing / "the same list 2026-01-15.csv")
    dora = ALDERS["Dora"]
    again = [
        f" {dora.user_id.upper()} ",
        dora.display_name,
        dora.sign_in_name.upper(),
        "IT",
        "true",
    ]
    company.drop("directory/users-2026-03-01.csv", csv(USERS_HEADER, [again]))
    with duckdb.connect(str(company.data.warehouse)) as connection:
        remembered = forgetting.read_list(company.data.forgotten_users)
        report_of_files = sync(company.data.landing, connection, forgotten=remembered)
    status = {each.file: each.status for each in report_of_files.files}
    assert status["directory/users-2026-03-01.csv"] == "loaded"
    rows = company.query(
        """
        select user_id, user_principal_name, display_name from raw.directory_users
        where file = 'directory/users-2026-03-01.csv'
        """
    )
    ((user_id, sign_in_name, display_name),) = rows
    assert user_id.startswith("forgotten-")
    assert sign_in_name.lower() == f"{user_id}@alder.example"
    assert display_name is None
    assert company.query(
        "select count(*) from raw.directory_users where user_id = $user", {"user": user_id}
    ) == [(4,)]
    assert "warehouse.duckdb" not in files_that_know(company, dora)


def test_forgetting_an_unknown_person_is_an_error_and_changes_nothing(forgotten: Forgotten) -> None:
    kept = forgotten.company.data.forgotten_users.read_bytes()
    for unknown in ("nobody@alder.example", ALDERS["Dora"].user_id):
        forget = apportion(forgotten.company, "forget", unknown)
        assert forget.returncode == 2
        assert "no landed directory file has a user with this ID or sign-in name" in forget.stderr
        assert "Traceback" not in forget.stderr
    assert forgotten.company.data.forgotten_users.read_bytes() == kept
    assert forgotten.company.data.warehouse.exists()


# --- closed periods ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def late(closed: Company) -> Company:
    """Files that would change February's bill: an older price list and an older list of users."""
    company = copy_of(closed, "late")
    company.drop(
        "price_list/late.csv",
        csv(
            "Product,Unit Price,Currency,Valid From",
            [["Microsoft 365 E3", "11", "USD", "2025-01-01"]],
        ),
    )
    company.drop(
        "directory/late-2026-01-01.csv",
        csv(USERS_HEADER, users_of(NEW_YEAR.replace("Sales", "IT"))),
    )
    # A reorganization in March, which is open.
    company.drop(
        "directory/late-2026-03-03.csv",
        csv(USERS_HEADER, users_of(FEBRUARY.replace("Sales", "IT"), disabled=["Finn"])),
    )
    return company.build()


def test_a_late_price_list_or_directory_changes_no_closed_period(
    closed: Company, late: Company
) -> None:
    february = "select * from marts.billing_report where billing_period = '2026-02' order by all"
    assert late.query(february) == closed.query(february) != []
    assert late.query(
        "select count(*) from marts.billing_report where charge_class is not null"
    ) == [(0,)]
    assert ledger_of(late) == ledger_of(closed)


def test_late_files_change_open_periods(late: Company) -> None:
    # Anna, Ben, Carl, Dora and Eve of 12 are in IT at the end of the cycle to 4 Mar.
    assert report(
        late,
        "charge_start_date, cost_center_id, total_cost, total_sales, price_source",
        "invoice_number = 'A3'",
    ) == book(
        """
        2026-03-05  CC-0  70  77  global_price
        2026-03-05  CC-2  50  55  global_price
        """
    )
