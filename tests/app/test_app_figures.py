"""Who sees what, and that the questions to the published tables are answered in full."""

import csv
import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from conftest import MadeOnce
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
def data(made_once: MadeOnce) -> DataFolder:
    return published_company(made_once)


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
            figures.sales_forecast(selection, "Sales"),
            figures.budget(viewer, selection),
            figures.budget_totals(viewer, selection),
            figures.budget_states(selection),
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
            figures.spread_months(of_organization),
            figures.forecast(of_organization),
            figures.forecast_accuracy(of_organization),
            figures.budget_bases(of_organization),
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
            figures.sales_forecast(harbor, "Amount"),
            figures.budget(CUSTOMER, harbor),
        ):
            assert figures.count(connection, question) == 0
        for broker_only in (
            figures.totals(BROKER, harbor),
            figures.bills(FEBRUARY),
            figures.forecast(harbor),
            figures.forecast_accuracy(harbor),
            figures.spread_months(harbor),
            figures.budget(BROKER, harbor),
        ):
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


# --- what is expected and what was planned -----------------------------------------------


def expected(data: DataFolder, selection: Selection) -> list[figures.Row]:
    """The forecast of a selection."""
    with tables(data, BROKER) as connection:
        return figures.fetch(connection, figures.forecast(selection), 1000)


@pytest.mark.parametrize(
    ("selection", "level"),
    [
        (Selection(currency="USD"), "total"),
        (Selection(organization_id="evergreen", currency="USD"), "organization"),
        (Selection("2026-01", "evergreen", "EVG-SALES", currency="USD"), "cost_center"),
    ],
)
def test_a_forecast_has_the_bands_of_its_own_level(
    data: DataFolder, selection: Selection, level: str
) -> None:
    keys = {
        "organization_id": selection.organization_id,
        "cost_center_id": selection.cost_center_id,
    }
    published = query(
        data,
        "select strftime(month, '%Y-%m'), forecast, lower_95, lower_80, upper_80, upper_95, method"
        f" from cost_forecast_summary where level = '{level}' and currency = 'USD'"
        + "".join(f" and {key} = '{value}'" for key, value in keys.items() if value)
        + " order by month",
    )
    names = ("month", "forecast", "lower_95", "lower_80", "upper_80", "upper_95", "method")
    rows = expected(data, selection)
    assert [tuple(row[name] for name in names) for row in rows] == published
    assert len(rows) == 12 and rows[0]["month"] == "2026-03"
    for row in rows:
        low, middle, high = (row[name] for name in ("lower_80", "forecast", "upper_80"))
        assert isinstance(low, Decimal) and isinstance(middle, Decimal)
        assert isinstance(high, Decimal) and low < middle < high


def test_what_is_known_of_a_forecast_adds_up_to_it_while_it_is_all_there_is(
    data: DataFolder,
) -> None:
    for selection in (Selection(currency="EUR"), Selection(organization_id="evergreen")):
        for row in expected(data, selection):
            assert row["method"] == "committed_spend"
            known = [row[f"{name}_cost"] for name in ("committed", "renewal", "usage")]
            assert sum(each for each in known if isinstance(each, Decimal)) == row["forecast"]
    # Three licenses at 30 a month, whose term no bill tells: to be renewed, 31 days or not.
    assert [row["renewal_cost"] for row in expected(data, Selection(currency="EUR"))] == [90] * 12


def test_the_forecast_of_sales_has_no_bands_and_leaves_out_who_has_no_price(
    data: DataFolder,
) -> None:
    with tables(data, BROKER) as connection:
        usd = figures.sales_forecast(Selection(currency="USD"), "Sales")
        rows = figures.fetch(connection, usd, 100)
        assert [column.title for column in usd.columns] == ["Month", "Sales expected"]
        eur = figures.sales_forecast(Selection(currency="EUR"), "Sales")
        assert figures.count(connection, eur) == 0
    published = query(
        data,
        "select sum(sales_forecast) from cost_forecast_summary"
        " where level = 'total' and currency = 'USD' group by month order by month",
    )
    assert [(row["forecast"],) for row in rows] == published
    with tables(data, CUSTOMER) as connection:
        mine = figures.fetch(connection, figures.sales_forecast(Selection(), "Amount"), 100)
    assert [row["forecast"] for row in mine] == [row["forecast"] for row in rows]


def test_how_forecasts_have_done_is_told_as_a_part_of_what_came(data: DataFolder) -> None:
    with tables(data, BROKER) as connection:
        rows = figures.fetch(connection, figures.forecast_accuracy(Selection()), 100)
    by_currency = {(row["currency"], row["months_ahead"]): row for row in rows}
    published = query(
        data,
        "select currency, months_ahead, forecast, actual_cost, is_within_80, is_within_95"
        " from forecast_accuracy",
    )
    assert set(by_currency) == {(currency, ahead) for currency, ahead, *_ in published}
    for (currency, ahead), row in by_currency.items():
        mine = [each[2:] for each in published if each[:2] == (currency, ahead)]
        off = sum(abs(actual - forecast) for forecast, actual, *_ in mine)
        came = sum(abs(actual) for _, actual, *_ in mine)
        share, within = row["error_share"], row["within_80_share"]
        assert isinstance(share, Decimal) and isinstance(within, Decimal)
        assert abs(share - off / came) <= Decimal("0.000001")
        assert within == round(Decimal(sum(each[2] for each in mine)) / len(mine), 6)
        assert row["forecast_count"] == len(mine)
    # Harbor's 90 of February were to be expected from January on.
    assert by_currency["EUR", 1]["error_share"] == 0


def test_budgets_come_overrun_first_and_add_up_per_currency(data: DataFolder) -> None:
    with tables(data, BROKER) as connection:
        rows = figures.fetch(connection, figures.budget(BROKER, FEBRUARY), 10)
        totals = figures.fetch(connection, figures.budget_totals(BROKER, FEBRUARY), 10)
        states = figures.fetch(connection, figures.budget_states(FEBRUARY), 10)
        assert figures.count(connection, figures.budget(BROKER, Selection("2027-01"))) == 0
    assert [(row["cost_center_id"], row["status"], row["amount_basis"]) for row in rows] == [
        ("EVG-SALES", "over_budget", "sales"),
        ("HAR-1", "over_budget_at_year_end", "cost"),
        ("EVG-MKT", "within_budget", "sales"),
    ]
    sales, dock, marketing = rows
    assert sales["budget_to_date"] == 600
    assert (dock["actual"], dock["actual_to_date"], dock["year_expected"]) == (90, 180, 1080)
    assert [row["currency"] for row in totals] == ["EUR", "USD"]
    usd = totals[1]
    for name in ("budget", "actual", "variance", "actual_to_date", "year_expected"):
        one, other = sales[name], marketing[name]
        assert isinstance(one, Decimal) and isinstance(other, Decimal)
        assert usd[name] == one + other
    assert {row["status"]: row["cost_center_count"] for row in states} == {
        "over_budget": 1,
        "over_budget_at_year_end": 1,
        "within_budget": 1,
    }


def test_sales_and_cost_are_never_added_up_and_what_is_not_known_has_no_total(
    data: DataFolder,
) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{data.published_database}' as published (read_only)")
        connection.execute("create table budget_variance as from published.marts.budget_variance")
        (usd,) = figures.fetch(
            connection, figures.budget_totals(BROKER, Selection("2026-03", currency="USD")), 10
        )
        assert usd["actual"] is None and usd["budget"] == 0
        connection.execute(
            "update budget_variance set amount_basis = 'cost' where cost_center_id = 'EVG-MKT'"
        )
        totals = figures.fetch(connection, figures.budget_totals(BROKER, FEBRUARY), 10)
        assert [row["currency"] for row in totals] == ["EUR"]
        states = figures.fetch(connection, figures.budget_states(Selection("2026-03")), 10)
        assert {row["status"]: row["cost_center_count"] for row in states} == {"not_billed": 3}


def test_a_customer_sees_no_budget_that_is_compared_with_cost(data: DataFolder) -> None:
    with tables(data, CUSTOMER) as connection:
        mine = figures.fetch(connection, figures.budget(CUSTOMER, FEBRUARY), 10)
        assert [row["cost_center_id"] for row in mine] == ["EVG-SALES", "EVG-MKT"]
        assert "amount_basis" not in mine[0]
    with tables(data, Viewer("harbor")) as connection:
        assert figures.count(connection, figures.budget(Viewer("harbor"), Selection())) == 0
        assert figures.count(connection, figures.sales_forecast(Selection(), "Amount")) == 0


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
