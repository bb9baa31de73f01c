"""Who sees what, and that the questions to the published tables are answered in full."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from published_company import copied, published_company, query

from app import figures, screen
from app.figures import Query, Selection
from app.published import (
    CUSTOMER_COLUMNS,
    UnknownArgument,
    Version,
    Viewer,
    columns_by_mart,
    tables,
)
from dagster_project.exports.scope import BROKER_ONLY_COLUMNS, NothingPublished
from dagster_project.settings import DataFolder

BROKER = Viewer()
CUSTOMER = Viewer("evergreen")
FEBRUARY = Selection("2026-02")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    return published_company(tmp_path_factory)


def questions(viewer: Viewer) -> list[Query]:
    """Every question a viewer's pages ask, of all and of one organization."""
    asked = [figures.periods(), figures.organizations(), figures.history("123")]
    for selection in (FEBRUARY, Selection("2026-02", "evergreen", "EVG-SALES")):
        asked += [
            figures.cost_centers(selection),
            figures.currencies(selection),
            figures.totals(viewer, selection, "chargeback_as_corrected"),
            figures.charged(viewer, selection, "organization"),
            figures.charged(viewer, selection, "cost_center"),
            figures.charged(viewer, selection, "product"),
            figures.totals(viewer, selection, is_shared=True),
            figures.charged(viewer, selection, "cost_center", is_shared=True),
            figures.shared(viewer, selection),
            figures.lines(viewer, selection),
            figures.lines(viewer, selection, is_corrected=True),
            figures.unpriced(viewer, selection),
            figures.compared(viewer, selection, "2026-01"),
            figures.corrections(viewer, selection),
            figures.months(viewer, selection),
            figures.line(viewer, "x", "2026-02"),
            figures.period_of_line("x"),
        ]
    of_organization = Selection("2026-02", "evergreen")
    asked += [
        figures.pool(viewer, of_organization),
        figures.pool_totals(viewer, of_organization),
        figures.subscriptions(of_organization),
    ]
    if not viewer.is_customer:
        asked += [
            figures.finding_counts(of_organization),
            figures.findings(of_organization, "error"),
            figures.bills(FEBRUARY),
            figures.quarantined(FEBRUARY),
            figures.pending_costs(FEBRUARY),
            figures.last_closed_billing_date(),
        ]
    return asked


# --- who sees what ---------------------------------------------------------------------


def test_no_column_for_customers_shows_a_cost_price() -> None:
    for mart, columns in CUSTOMER_COLUMNS.items():
        assert not BROKER_ONLY_COLUMNS & set(columns), mart
        assert not any("cost" in name.replace("cost_center", "") for name in columns), mart
        assert not any("margin" in name or "price" in name for name in columns), mart


@pytest.mark.parametrize("viewer", [BROKER, CUSTOMER], ids=["broker", "customer"])
def test_every_question_is_answered(data: DataFolder, viewer: Viewer) -> None:
    with tables(data, viewer) as connection:
        for question in questions(viewer):
            rows = figures.fetch(connection, question, 1000)
            assert figures.count(connection, question) == len(rows)
            exported = list(figures.every_row(connection, question))
            assert len(exported) == len(rows)


def test_a_customers_tables_have_only_what_is_listed_and_only_their_rows(data: DataFolder) -> None:
    with tables(data, CUSTOMER) as connection:
        found = columns_by_mart(connection)
        assert set(found) == {*CUSTOMER_COLUMNS, "billing_periods"}
        for mart, columns in CUSTOMER_COLUMNS.items():
            assert set(found[mart]) == set(columns), mart
            organizations = connection.execute(
                f"select distinct organization_id from {mart}"
            ).fetchall()
            assert organizations == [("evergreen",)], mart
        for question in questions(CUSTOMER):
            for row in figures.fetch(connection, question, 1000):
                assert row.get("organization_id", "evergreen") == "evergreen"
                assert not BROKER_ONLY_COLUMNS & set(row)


def test_a_customer_gets_nothing_of_another_organization_by_asking_for_it(
    data: DataFolder,
) -> None:
    harbor = Selection("2026-02", "harbor")
    with tables(data, CUSTOMER) as connection:
        for question in (
            figures.totals(CUSTOMER, harbor),
            figures.lines(CUSTOMER, harbor),
            figures.pool(CUSTOMER, harbor),
            figures.subscriptions(harbor),
            figures.history("900"),
        ):
            assert figures.count(connection, question) == 0
        for broker_only in (figures.totals(BROKER, harbor), figures.bills(FEBRUARY)):
            with pytest.raises(duckdb.Error):
                figures.count(connection, broker_only)


def test_values_are_never_taken_for_sql(data: DataFolder) -> None:
    hostile = "evergreen' or '1' = '1"
    with tables(data, BROKER) as connection:
        assert figures.count(connection, figures.totals(BROKER, Selection("2026-02", hostile))) == 0
        assert figures.count(connection, figures.history(hostile)) == 0
    with tables(data, Viewer(hostile)) as connection:
        assert figures.count(connection, figures.organizations()) == 0


@pytest.mark.parametrize(
    ("arguments", "environment", "viewer"),
    [
        ([], {}, Viewer()),
        ([], {"APPORTION_CUSTOMER": "", "APPORTION_EDIT": ""}, Viewer()),
        ([], {"APPORTION_EDIT": "1"}, Viewer(may_edit=True)),
        ([], {"APPORTION_CUSTOMER": "harbor", "APPORTION_EDIT": "1"}, Viewer("harbor")),
        (["--customer", "harbor"], {"APPORTION_EDIT": "1"}, Viewer("harbor")),
        (["--customer", "harbor"], {"APPORTION_CUSTOMER": "evergreen"}, Viewer("harbor")),
    ],
)
def test_who_looks_is_said_when_the_app_is_started(
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    environment: dict[str, str],
    viewer: Viewer,
) -> None:
    for name in ("APPORTION_CUSTOMER", "APPORTION_EDIT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Viewer.from_start(arguments) == viewer


@pytest.mark.parametrize(
    "arguments", [["--custmer", "harbor"], ["harbor"], ["--customer"], ["--customer", " "]]
)
def test_a_mistyped_customer_is_no_broker(arguments: list[str]) -> None:
    with pytest.raises(UnknownArgument):
        Viewer.from_start(arguments)


# --- answers ---------------------------------------------------------------------------


def test_currencies_are_never_added_up(data: DataFolder) -> None:
    with tables(data, BROKER) as connection:
        rows = figures.fetch(connection, figures.totals(BROKER, FEBRUARY), 10)
    assert [(row["currency"], row["total_cost"]) for row in rows] == [
        ("EUR", Decimal("90")),
        ("USD", Decimal("1236403.891234")),
    ]


def test_the_pages_of_an_answer_are_the_whole_answer_in_its_order(data: DataFolder) -> None:
    question = figures.lines(BROKER, Selection("2026-02", "evergreen"))
    with tables(data, BROKER) as connection:
        whole = figures.fetch(connection, question, 1000)
        pages = [figures.fetch(connection, question, 7, offset) for offset in range(0, 70, 7)]
        assert [row for page in pages for row in page] == whole
        exported = list(figures.every_row(connection, question))
    assert [row["share"] for row in whole] == [
        row[[column.name for column in question.export_columns].index("share")] for row in exported
    ]
    assert len(whole) == 63


def test_a_file_has_what_is_shown_with_every_decimal_and_no_formulas(data: DataFolder) -> None:
    question = figures.charged(BROKER, Selection("2026-02"), "cost_center")
    rows = list(
        csv.reader(io.StringIO(screen.csv_file(data, BROKER, question).decode("utf-8-sig")))
    )
    assert rows[0] == ["Cost center", "Cost", "Sales", "Margin", "Currency"]
    assert ["'=Dock", "90", "", "", "EUR"] in rows
    expected = query(
        data,
        "select sum(total_cost) from chargeback"
        " where billing_period = '2026-02' and cost_center_id = 'EVG-MKT'",
    )
    ((marketing,),) = ([row[1]] for row in rows if row[0] == "Marketing")
    assert Decimal(marketing) == expected[0][0]
    assert marketing == "432098.761932"


def test_lines_of_customers_say_nothing_in_words_of_the_provider(data: DataFolder) -> None:
    text = screen.csv_file(data, CUSTOMER, figures.lines(CUSTOMER, FEBRUARY)).decode("utf-8-sig")
    header = text.splitlines()[0]
    assert header == "Charge,From,To,Cost center,Licenses,Share,Amount,Split by,Currency"
    assert "1234567.891234" not in text


# --- marts that need not be there ------------------------------------------------------


@pytest.fixture
def planned() -> Iterator[duckdb.DuckDBPyConnection]:
    """A forecast and a budget with the columns of the contract, for cost centers of two."""
    with duckdb.connect() as connection:
        connection.execute(
            """
            create table chargeback as
            select * from (values ('evergreen', 'S', 'USD'), ('evergreen', 'M', 'USD'),
                ('harbor', 'D', 'EUR')) as _ (organization_id, cost_center_id, currency);
            create table cost_forecast as
            select '2026-03' as month, cost_center_id, currency, 'mean' as method,
                100.5::decimal(28, 10) as forecast, 90.0 as lower_80, 110.0 as upper_80,
                80.0 as lower_95, 120.0 as upper_95
            from chargeback;
            create table budget_variance as
            select date '2026-02-01' as month, organization_id, cost_center_id, currency,
                500::decimal(28, 10) as budget_amount
            from chargeback
            """
        )
        yield connection


def test_bands_of_a_forecast_are_told_for_one_cost_center_and_never_added_up(
    planned: duckdb.DuckDBPyConnection,
) -> None:
    columns = list(columns_by_mart(planned)["cost_forecast"])
    whole = Selection(None, "evergreen", currency="USD")
    (row,) = figures.fetch(planned, figures.forecast(whole, columns), 10)
    assert (row["month"], row["forecast"], row["lower_80"]) == ("2026-03", Decimal(201), None)
    one = Selection("2026-02", "evergreen", "S", currency="USD")
    (row,) = figures.fetch(planned, figures.forecast(one, columns), 10)
    assert (row["forecast"], row["lower_80"], row["upper_95"]) == (Decimal("100.5"), 90, 120)


def test_a_budget_is_shown_of_the_period_and_organization_looked_at(
    planned: duckdb.DuckDBPyConnection,
) -> None:
    columns = columns_by_mart(planned)["budget_variance"]
    question = figures.budget(Selection("2026-02", "harbor"), columns)
    (row,) = figures.fetch(planned, question, 10)
    assert (row["cost_center_id"], row["budget_amount"], row["currency"]) == ("D", 500, "EUR")
    assert [(column.title, column.kind) for column in question.columns] == [
        ("Cost center id", "text"),
        ("Budget amount", "amount"),
    ]
    assert figures.count(planned, figures.budget(Selection("2026-03"), columns)) == 0


# --- shared costs ----------------------------------------------------------------------


@pytest.mark.parametrize("viewer", [BROKER, CUSTOMER])
def test_what_is_left_after_sharing_stands_beside_what_was_billed(
    data: DataFolder, viewer: Viewer
) -> None:
    # Power BI is 1.10 + 2.10 + ... + 60.10 = 1836 and sold for 1860: a tenth goes to Marketing.
    selection = Selection("2026-02", "evergreen")
    of_default = replace(selection, cost_center_id="EVG-DEFAULT")
    with tables(data, viewer) as connection:
        question = figures.charged(viewer, selection, "cost_center", is_shared=True)
        rows = {row["cost_center_id"]: row for row in figures.fetch(connection, question, 10)}
        (total,) = figures.fetch(connection, figures.totals(viewer, selection, is_shared=True), 10)
        moved = figures.fetch(connection, figures.shared(viewer, of_default), 10)
    assert [title for _, title in viewer.shared_measures] == [
        column.title for column in question.columns[-len(viewer.shared_measures) :]
    ]
    measures = {"sales": 186} if viewer.is_customer else {"cost": Decimal("183.6"), "sales": 186}
    for measure, amount in measures.items():
        before, after = f"total_{measure}", f"{measure}_after_sharing"
        assert rows["EVG-DEFAULT"][after] == rows["EVG-DEFAULT"][before] - amount
        assert rows["EVG-MKT"][after] == rows["EVG-MKT"][before] + amount
        assert rows["EVG-SALES"][after] == rows["EVG-SALES"][before]
        assert total[after] == total[before]
    (row,) = moved
    assert row["other_name"] == "to Marketing"
    assert {name: -row[f"shared_{name}"] for name in measures} == measures
    assert not viewer.is_customer or not {"shared_cost", "cost_after_sharing"} & {*row, *total}


# --- the published file ----------------------------------------------------------------


def test_a_switched_file_is_seen_while_others_still_read_the_old_one(
    data: DataFolder, tmp_path: Path
) -> None:
    mine = copied(data, tmp_path / "data")
    before = Version.now(mine)
    with tables(mine, BROKER) as old:
        building = mine.published / "next.duckdb"
        with duckdb.connect(str(building)) as connection:
            connection.execute("create schema marts")
            connection.execute("create table marts.chargeback as select 'new' as billing_period")
        building.replace(mine.published_database)
        assert Version.now(mine) != before
        with tables(mine, BROKER) as new:
            assert set(figures.marts(new)) == {"chargeback"}
        assert figures.count(old, figures.totals(BROKER, FEBRUARY)) == 2


def test_nothing_published_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(NothingPublished, match="make run"):
        Version.now(DataFolder(tmp_path))
