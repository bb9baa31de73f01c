"""data/focus-example matches the sample, and every figure in its README matches the files.

`make focus-example` writes the files again; the README is written by hand.
"""

import re
import tempfile
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from conftest import Company
from focus_sample import Written, written_sample

from dagster_project.exports.focus import write_focus
from dagster_project.exports.scope import Scope
from dagster_project.settings import PROJECT_ROOT

EXAMPLE = PROJECT_ROOT / "data" / "focus-example"
README = (EXAMPLE / "README.md").read_text(encoding="utf-8")

CHARGES, DETAILS, COMMITMENTS = (
    f"focus-1.4-{dataset}-2026-01-to-2026-04"
    for dataset in ("cost-and-usage", "invoice-detail", "contract-commitment")
)

AMOUNTS = re.compile(r"(-?[\d.]+) ([A-Z]{3})")


def query(file: str, sql: str) -> list[tuple]:
    """Rows of a query on a shipped file, as the table `rows`."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"create view rows as from read_parquet('{EXAMPLE / file}.parquet')")
        return connection.execute(sql).fetchall()


def readme_tables() -> list[list[list[str]]]:
    """The README's tables: rows of cells, the header first."""
    blocks = re.findall(r"(?:^\|.*\n)+", README, flags=re.MULTILINE)
    return [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
        for block in blocks
    ]


def table(*header: str) -> list[list[str]]:
    """The rows below every header that begins so."""
    return [
        row
        for rows in readme_tables()
        if tuple(rows[0][: len(header)]) == header
        for row in rows[2:]
    ]


@pytest.fixture(scope="session")
def sample(sample_company: Company) -> Written:
    return written_sample(sample_company.data)


@pytest.fixture(scope="module")
def made_again(sample: Written, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The FOCUS files of all billing periods of the sample, as the export writes them."""
    folder = tmp_path_factory.mktemp("focus-example")
    ((first, last),) = sample.connection.execute(
        "select min(billing_period), max(billing_period) from billing_report"
    ).fetchall()
    for version in ("1.2", "1.4"):
        write_focus(sample.connection, Scope(first, last), folder, version)  # type: ignore[arg-type]
    return folder


# --- the files ------------------------------------------------------------------------------------


def test_exactly_the_files_of_all_periods_exist(made_again: Path) -> None:
    shipped = {path.name for path in EXAMPLE.iterdir()}
    assert shipped == {path.name for path in made_again.iterdir()} | {"README.md"}


def test_the_csv_files_match_the_sample(made_again: Path) -> None:
    stale = [
        path.name
        for path in sorted(made_again.glob("*.csv"))
        if path.read_bytes() != (EXAMPLE / path.name).read_bytes()
    ]
    assert stale == [], "make focus-example"


def test_the_parquet_files_match_the_sample(made_again: Path) -> None:
    stale = []
    with duckdb.connect() as connection:
        # Not byte by byte: they name the version of DuckDB that wrote them.
        for path in sorted(made_again.glob("*.parquet")):
            new, shipped = (
                connection.read_parquet(str(folder / path.name)) for folder in (made_again, EXAMPLE)
            )
            if (new.columns, new.types, new.fetchall()) != (
                shipped.columns,
                shipped.types,
                shipped.fetchall(),
            ):
                stale.append(path.name)
    assert stale == [], "make focus-example"


def test_files_do_not_reveal_when_or_where_they_were_made() -> None:
    for path in EXAMPLE.glob("focus-*"):
        content = path.read_bytes()
        for folder in (PROJECT_ROOT, tempfile.gettempdir()):
            assert str(folder).encode() not in content, path.name
    instants = {
        instant
        for path in EXAMPLE.glob("*.csv")
        for instant in re.findall(r"\d{4}-\d\d-\d\dT[\d:]+Z", path.read_text(encoding="utf-8"))
    }
    # Bills and terms of the sample: days, none of them later than the longest term.
    assert {instant[10:] for instant in instants} == {"T00:00:00Z"}
    assert max(instants) < "2027-04"


# --- the README -----------------------------------------------------------------------------------


def test_the_readme_lists_every_file_with_its_rows() -> None:
    listed = {row[0].strip("`"): int(row[2]) for row in table("file", "dataset", "rows")}
    assert listed == {
        path.stem: query(path.stem, "select count(*) from rows")[0][0]
        for path in EXAMPLE.glob("*.parquet")
    }


def test_the_readmes_totals_are_those_of_the_files() -> None:
    totals = """
        select x_BillingPeriod, BillingCurrency, count(*), sum(BilledCost)
        from rows group by all order by all
    """
    listed = [
        (dataset, period, currency, int(count), Decimal(cost))
        for dataset, period, currency, count, cost in table("dataset", "billing period")
    ]
    assert listed == [
        (dataset, *row)
        for dataset, file in (("Cost and Usage", CHARGES), ("Invoice Detail", DETAILS))
        for row in query(file, totals)
    ]
    assert query(CHARGES, totals) == query(CHARGES.replace("1.4", "1.2"), totals)


def test_the_readmes_query_gives_its_totals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLE)
    (sql,) = re.findall(r"(?:^    .*\n)+", README, flags=re.MULTILINE)
    with duckdb.connect() as connection:
        found = connection.execute(sql).fetchall()
    assert found == [
        (period, currency, int(count), Decimal(cost))
        for dataset, period, currency, count, cost in table("dataset", "billing period")
        if dataset == "Cost and Usage"
    ]


CONDITIONS = table("rows where", "rows", "BilledCost")


@pytest.mark.parametrize(
    ("condition", "row_count", "cost"), [row[:3] for row in CONDITIONS], ids=lambda cell: cell[:60]
)
def test_the_notable_rows_exist(condition: str, row_count: str, cost: str) -> None:
    found = query(
        CHARGES,
        f"""
        select BillingCurrency, count(*), sum(BilledCost)
        from rows where {condition.strip("`")} group by all
        """,
    )
    assert sum(count for _, count, _ in found) == int(row_count)
    assert {currency: total for currency, _, total in found} == {
        currency: Decimal(amount) for amount, currency in AMOUNTS.findall(cost)
    }


def test_every_promised_subject_has_a_notable_row() -> None:
    conditions = " ".join(row[0] for row in CONDITIONS)
    for word in ("Credit", "Tax", "Usage", "refund", "license-split", "tag-rule", "EUR"):
        assert f"'{word}'" in conditions


def test_the_number_of_rows_that_fail_a_rule_matches_the_readme() -> None:
    rules = table("rule", "rows where", "rows")
    assert len(rules) == 3
    for _, condition, row_count, _ in rules:
        found = query(CHARGES, f"select count(*) from rows where {condition.strip('`')}")
        assert found == [(int(row_count),)]


def test_the_readmes_commitments_have_the_stated_status() -> None:
    states = dict(
        query(
            COMMITMENTS,
            "select ContractCommitmentId, ContractCommitmentLifecycleStatus from rows",
        )
    )
    listed = dict(table("status", "commitments"))
    assert set(listed) == set(states.values())
    assert int(listed.pop("Active")) == sum(state == "Active" for state in states.values())
    for status, text in listed.items():
        named = re.findall(r"`([^`]+)`", text)
        # Those that follow one of this status are active themselves.
        assert {states[name] for name in named} <= {status, "Active"}
        assert {name for name in named if states[name] == status} == {
            name for name, state in states.items() if state == status
        }


def test_every_id_in_the_readme_is_in_the_files() -> None:
    ids = set(
        re.findall(r"\b[0-9a-f]{32}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", README)
    )
    charges = (EXAMPLE / f"{CHARGES}.csv").read_text(encoding="utf-8")
    assert len(ids) > 5
    assert [name for name in ids if name not in charges] == []


def test_the_columns_in_the_readme_are_in_the_files() -> None:
    headers = {
        column
        for path in EXAMPLE.glob("*.csv")
        for column in path.open(encoding="utf-8").readline().strip().split(",")
    }
    named = set(re.findall(r"`(x_\w+|(?:[A-Z][a-z]+){2,}[A-Z]?\w*)`", README))
    assert len(named) > 15
    assert named - headers == set()
