"""The queries of the app: what each viewer can see, and complete answers."""

import csv
import io
import re
import stat
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from conftest import Company, MadeOnce
from published_company import copied, published_company, query

from app import screen
from app.published import (
    LineSaltDamaged,
    UnknownArgument,
    Version,
    Viewer,
    columns_by_mart,
    tables,
)
from app.queries import (
    budgets,
    changes,
    charges,
    licenses,
    lines,
    overview,
    pickers,
    reporting,
    review,
    trend,
    units,
)
from app.queries.query import Query, Row, Selection, count, every_row, fetch, quantity_sum
from dagster_project.exports.scope import NothingPublished
from dagster_project.exports.visibility import customer_marts
from dagster_project.settings import PROJECT_ROOT, DataFolder

CUSTOMER_COLUMNS = {mart.name: set(mart.columns) for mart in customer_marts()}
"""The columns that customers see, by mart."""

OF_COST = re.compile(r"(^|_)(cost|margin|price)(_|$)")

BROKER = Viewer()
CUSTOMER = Viewer("evergreen")
FEBRUARY = Selection("2026-02")


@pytest.fixture(scope="module")
def data(made_once: MadeOnce) -> DataFolder:
    return published_company(made_once)


def queries(viewer: Viewer) -> list[Query]:
    """Every query of a viewer's pages, for all organizations and for one."""
    asked = [pickers.periods(), pickers.organizations(), licenses.split_history("123")]
    for selection in (FEBRUARY, Selection("2026-02", "evergreen", "EVG-SALES")):
        asked += [
            pickers.cost_centers(selection),
            pickers.currencies(selection),
            charges.totals(viewer, selection, "chargeback_as_corrected"),
            charges.totals_by(viewer, selection, "organization"),
            charges.totals_by(viewer, selection, "cost_center"),
            charges.totals_by(viewer, selection, "product"),
            charges.totals(viewer, selection, is_shared=True),
            charges.totals_by(viewer, selection, "cost_center", is_shared=True),
            charges.shared_costs(viewer, selection),
            lines.billing_lines(viewer, selection),
            lines.billing_lines(viewer, selection, is_corrected=True),
            lines.totals(viewer, selection),
            lines.unpriced(viewer, selection),
            charges.compared_with_earlier(viewer, selection, "2026-01"),
            charges.corrections(viewer, selection),
            trend.months_by(selection, "organization", viewer.measures[0][0], "2026-02"),
            trend.months_by(selection, "cost_center", viewer.measures[0][0]),
            trend.by_month(selection, "product", viewer.measures[0][0], ("2026-01", "2026-02")),
            trend.month_totals(selection, viewer.measures[0][0], ("2026-01", "2026-02")),
            overview.movers(selection),
            overview.without_owner(viewer, selection),
            overview.in_default(viewer, selection),
            overview.search(viewer, "SALES", selection),
            changes.totals(selection, "2026-01"),
            changes.parts(selection, "2026-01"),
            changes.occurring(selection, "2026-01"),
            changes.charged(selection, "2026-01"),
            changes.by_cost_center(selection, "2026-01"),
            changes.by_cost_center(selection, "2026-01", "splits"),
            changes.by_subscription(viewer, selection, "2026-01"),
            changes.by_subscription(viewer, selection, "2026-01", "seats"),
            trend.months(viewer, selection),
            trend.sales_forecast(selection, "Sales"),
            budgets.budgets(viewer, selection),
            budgets.totals(viewer, selection),
            budgets.statuses(selection),
            budgets.manual_forecasts(selection),
            reporting.total(selection),
            reporting.rates(selection),
            units.queue(viewer, selection),
            lines.billing_line(viewer, "x", "2026-02"),
            lines.periods_of_line("x"),
            lines.periods(replace(selection, subscription_id="123")),
            lines.billing_lines(viewer, replace(selection, invoice_number="1")),
        ]
    for kind in units.KINDS:
        asked += [
            units.charges(FEBRUARY, kind),
            units.totals(FEBRUARY, kind),
            units.units(FEBRUARY, kind),
            units.cost_centers(viewer, FEBRUARY, kind, "(none)"),
            units.quantities(FEBRUARY, kind, "(none)"),
            units.months(FEBRUARY, kind, "(none)"),
            units.licenses(FEBRUARY, kind),
        ]
    of_organization = Selection("2026-02", "evergreen")
    asked += [
        licenses.pool(viewer, of_organization),
        licenses.pool_totals(viewer, of_organization),
        pickers.subscriptions(of_organization),
        pickers.cost_center_list("evergreen"),
        pickers.split_source("evergreen"),
        pickers.organizations_by_directory(),
        licenses.billed_quantity("evergreen", "123"),
        licenses.seats_of("evergreen"),
    ]
    day, source = "2026-02-10", review.source_of(viewer)
    asked += [
        review.finding_counts(of_organization, {}, day, source),
        review.findings(of_organization, "warning", reviewed={}, today=day, source=source),
        review.finding("key", {}, day, source),
    ]
    if not viewer.is_customer:
        asked += [
            review.findings_by_amount(of_organization, {}, day),
            review.reconciliation(FEBRUARY),
            review.quarantine(FEBRUARY),
            licenses.pending_costs(FEBRUARY),
            licenses.last_closed_billing_date(),
            trend.months_amortized(of_organization),
            trend.bases(of_organization),
            trend.forecast(of_organization),
            trend.forecast_accuracy(of_organization),
            budgets.bases(of_organization),
        ]
    return asked


# --- viewers ---------------------------------------------------------------------


def test_customer_columns_contain_no_cost() -> None:
    for mart, columns in CUSTOMER_COLUMNS.items():
        # The change of a price is the one of sales: rows with amounts of cost are not visible.
        about_cost = [
            name
            for name in columns
            if OF_COST.search(name.replace("cost_center", "")) and name != "price_change"
        ]
        assert not about_cost, mart


@pytest.mark.parametrize("viewer", [BROKER, CUSTOMER], ids=["broker", "customer"])
def test_every_query_has_an_answer(data: DataFolder, viewer: Viewer) -> None:
    with tables(data, viewer) as connection:
        for query_ in queries(viewer):
            rows = fetch(connection, query_, 1000)
            assert count(connection, query_) == len(rows)
            exported = list(every_row(connection, query_))
            assert len(exported) == len(rows)


def test_a_customer_sees_only_visible_columns_and_own_rows(data: DataFolder) -> None:
    with tables(data, CUSTOMER) as connection:
        found = columns_by_mart(connection)
        assert set(found) == set(CUSTOMER_COLUMNS)
        for mart, columns in CUSTOMER_COLUMNS.items():
            assert set(found[mart]) == set(columns), mart
            if "organization_id" in columns:
                organizations = connection.execute(
                    f"select distinct organization_id from {mart}"
                ).fetchall()
                # Without a directory, no license is known to wait; no reporting currency is set.
                empty = ("pending_queue", "chargeback_in_reporting_currency")
                own = [] if mart in empty else [("evergreen",)]
                assert organizations == own, mart
        currencies = connection.execute("select distinct currency from billing_periods").fetchall()
        assert currencies == [("USD",)]
        for query_ in queries(CUSTOMER):
            for row in fetch(connection, query_, 1000):
                assert row.get("organization_id", "evergreen") == "evergreen"
                assert not [name for name in row if "cost" in name.replace("cost_center", "")]


ANOTHER_START = """
import sys
from pathlib import Path

from app.published import Viewer, tables
from dagster_project.settings import DataFolder

with tables(DataFolder(Path(sys.argv[1])), Viewer("evergreen")) as connection:
    rows = connection.execute("select distinct line_id from billing_report order by 1")
    print(*(row[0] for row in rows.fetchall()), sep="\\n")
"""


def line_ids(data: DataFolder) -> list[str]:
    """The ids of lines that a customer sees."""
    with tables(data, CUSTOMER) as connection:
        rows = connection.execute("select distinct line_id from billing_report order by 1")
        return [str(row[0]) for row in rows.fetchall()]


def test_a_line_keeps_the_id_that_a_customer_sees_over_starts_of_the_app(
    data: DataFolder, tmp_path: Path
) -> None:
    mine = copied(data, tmp_path / "data")
    mine.line_salt.unlink(missing_ok=True)
    seen = line_ids(mine)
    assert stat.S_IMODE(mine.line_salt.stat().st_mode) == 0o600
    assert not list(mine.root.glob("line_salt.*"))
    started_again = subprocess.run(
        [sys.executable, "-c", ANOTHER_START, str(mine.root)],
        cwd=PROJECT_ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert started_again.stdout.splitlines() == seen
    # Another data folder has other ids; none is the broker's.
    assert not set(seen) & set(line_ids(copied(data, tmp_path / "other")))
    assert not set(seen) & {row[0] for row in query(data, "select line_id from billing_report")}


def test_a_damaged_salt_of_lines_is_refused(data: DataFolder, tmp_path: Path) -> None:
    mine = copied(data, tmp_path / "data")
    for content in (b"", b"short\n", b"\xff" * 32, b"' || total_cost || '"):
        mine.line_salt.write_bytes(content)
        with pytest.raises(LineSaltDamaged, match="line_salt is damaged"):
            line_ids(mine)


def found(data: DataFolder, viewer: Viewer, text: str) -> list[tuple[object, ...]]:
    """Kind, id and last period of what a text finds."""
    with tables(data, viewer) as connection:
        rows = fetch(connection, overview.search(viewer, text, Selection()), 100)
        return [(row["kind"], row["id"], row["period"]) for row in rows]


@pytest.mark.parametrize("viewer", [BROKER, CUSTOMER, Viewer("evergreen", False, ("EVG-MKT",))])
def test_a_line_is_found_by_the_beginning_of_its_id(data: DataFolder, viewer: Viewer) -> None:
    with tables(data, viewer) as connection:
        rows = connection.execute("select distinct line_id from billing_report").fetchall()
    for (line_id,) in rows[:3]:
        for text in (line_id, line_id[:8].upper()):
            assert [each[:2] for each in found(data, viewer, text)] == [("billing_line", line_id)]
        assert not [each for each in found(data, viewer, line_id[:5]) if each[0] == "billing_line"]


def test_units_invoices_and_cost_centers_without_lines_are_found(
    data: DataFolder, sample_company: Company
) -> None:
    assert found(data, BROKER, "commerce") == [("business_unit", "Commerce", "2026-02")]
    assert found(data, CUSTOMER, "mail ord") == [("cost_center", "EVG-OLD", None)]
    assert found(data, Viewer("evergreen", False, ("EVG-MKT",)), "mail ord") == []
    assert found(data, CUSTOMER, "har-1") == []
    sample = sample_company.data
    assert [each[0] for each in found(sample, BROKER, "G100200304")] == ["invoice"] * 4
    assert found(sample, Viewer("dunmore"), "g100200304") == [("invoice", "G100200304", "2026-04")]
    # It receives shared costs before it has a line.
    assert found(sample, BROKER, "DUN-300") == [("cost_center", "DUN-300", "2026-04")]


def test_a_customer_cannot_query_another_organization(
    data: DataFolder,
) -> None:
    harbor = Selection("2026-02", "harbor")
    with tables(data, CUSTOMER) as connection:
        for query_ in (
            charges.totals(CUSTOMER, harbor),
            lines.billing_lines(CUSTOMER, harbor),
            licenses.pool(CUSTOMER, harbor),
            pickers.subscriptions(harbor),
            licenses.split_history("900"),
            trend.sales_forecast(harbor, "Amount"),
            budgets.budgets(CUSTOMER, harbor),
        ):
            assert count(connection, query_) == 0
        for broker_only in (
            charges.totals(BROKER, harbor),
            review.reconciliation(FEBRUARY),
            trend.forecast(harbor),
            trend.forecast_accuracy(harbor),
            trend.months_amortized(harbor),
            budgets.budgets(BROKER, harbor),
        ):
            with pytest.raises(duckdb.Error):
                count(connection, broker_only)


def test_values_are_parameters_and_never_sql(data: DataFolder) -> None:
    hostile = "evergreen' or '1' = '1"
    with tables(data, BROKER) as connection:
        assert count(connection, charges.totals(BROKER, Selection("2026-02", hostile))) == 0
        assert count(connection, licenses.split_history(hostile)) == 0
    with tables(data, Viewer(hostile)) as connection:
        assert count(connection, pickers.organizations()) == 0


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
def test_the_viewer_comes_from_arguments_and_environment(
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
def test_a_mistyped_customer_argument_is_refused(arguments: list[str]) -> None:
    with pytest.raises(UnknownArgument):
        Viewer.from_start(arguments)


# --- answers ---------------------------------------------------------------------------


def test_totals_are_per_currency(data: DataFolder) -> None:
    with tables(data, BROKER) as connection:
        rows = fetch(connection, charges.totals(BROKER, FEBRUARY), 10)
    assert [(row["currency"], row["total_cost"]) for row in rows] == [
        ("EUR", Decimal("90")),
        ("USD", Decimal("1236403.891234")),
    ]


def test_the_pages_of_an_answer_are_complete_and_in_order(data: DataFolder) -> None:
    query_ = lines.billing_lines(BROKER, Selection("2026-02", "evergreen"))
    with tables(data, BROKER) as connection:
        whole = fetch(connection, query_, 1000)
        pages = [fetch(connection, query_, 7, offset) for offset in range(0, 70, 7)]
        assert [row for page in pages for row in page] == whole
        exported = list(every_row(connection, query_))
    assert [row["share"] for row in whole] == [
        row[[column.name for column in query_.export_columns].index("share")] for row in exported
    ]
    assert len(whole) == 63


def test_a_download_has_all_decimals_and_no_formulas(data: DataFolder) -> None:
    query_ = charges.totals_by(BROKER, Selection("2026-02"), "cost_center")
    rows = list(csv.reader(io.StringIO(screen.csv_file(data, BROKER, query_).decode("utf-8-sig"))))
    assert rows[0] == ["Cost center", "Charged", "Cost", "Sales", "Margin", "Currency"]
    assert ["'=Dock", "90", "90", "", "", "EUR"] in rows
    expected = query(
        data,
        "select sum(total_cost) from chargeback"
        " where billing_period = '2026-02' and cost_center_id = 'EVG-MKT'",
    )
    # Charged are 7 / 20 of 1,300,000 and 186.00 of the shared Power BI.
    ((charged, marketing),) = (row[1:3] for row in rows if row[0] == "Marketing")
    assert charged == "455186"
    assert Decimal(marketing) == expected[0][0]
    assert marketing == "432098.761932"


def test_customer_lines_omit_the_provider_description(data: DataFolder) -> None:
    text = screen.csv_file(data, CUSTOMER, lines.billing_lines(CUSTOMER, FEBRUARY)).decode(
        "utf-8-sig"
    )
    header = text.splitlines()[0]
    assert (
        header
        == "Charge,Product,From,To,Cost center,Quantity,Unit,Share,Amount,Split basis,Currency"
    )
    assert "1234567.891234" not in text


@pytest.mark.parametrize("by", trend.DIMENSIONS)
@pytest.mark.parametrize("selection", [Selection(), Selection(organization_id="dunmore")])
def test_series_of_months_sum_to_the_months(
    sample_company: Company, by: trend.By, selection: Selection
) -> None:
    periods = ("2026-01", "2026-02", "2026-03", "2026-04")
    with tables(sample_company.data, BROKER) as connection:
        expected = {
            (row["currency"], row["billing_period"]): row["charged_amount"]
            for row in fetch(connection, trend.months(BROKER, selection), 1000)
        }
        for most in (1, 8):
            query_ = trend.months_by(selection, by, "charged_amount", most=most)
            summed: dict[tuple[object, object], Decimal] = {}
            rows = fetch(connection, query_, 10_000)
            for row in rows:
                key = (row["currency"], row["billing_period"])
                assert isinstance(row["amount"], Decimal)
                summed[key] = summed.get(key, Decimal()) + row["amount"]
                assert (row["series"] is None) == (row["place"] == most + 1)
            assert summed == expected
            assert max(int(str(row["place"])) for row in rows) <= most + 1
        table = fetch(connection, trend.by_month(selection, by, "charged_amount", periods), 10_000)
        (of_usd, *_) = [
            row
            for row in fetch(
                connection, trend.month_totals(selection, "charged_amount", periods), 10
            )
            if row["currency"] == "USD"
        ]
        for name in ("month_0", "month_1", "month_2", "month_3", "total"):
            amounts = [
                amount
                for row in table
                if row["currency"] == "USD" and isinstance(amount := row[name], Decimal)
            ]
            assert sum(amounts, Decimal()) == of_usd[name]
        # Two organizations have a cost center with the same name.
        assert len({(row["currency"], row["id"]) for row in table}) == len(table)


# --- forecasts and budgets -----------------------------------------------


def forecast_rows(data: DataFolder, selection: Selection) -> list[Row]:
    """The forecast of a selection."""
    with tables(data, BROKER) as connection:
        return fetch(connection, trend.forecast(selection), 1000)


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
    rows = forecast_rows(data, selection)
    assert [tuple(row[name] for name in names) for row in rows] == published
    assert len(rows) == 12 and rows[0]["month"] == "2026-03"
    for row in rows:
        low, middle, high = (row[name] for name in ("lower_80", "forecast", "upper_80"))
        assert isinstance(low, Decimal) and isinstance(middle, Decimal)
        assert isinstance(high, Decimal) and low < middle < high


def test_committed_renewal_and_usage_sum_to_the_forecast_of_a_short_history(
    data: DataFolder,
) -> None:
    for selection in (Selection(currency="EUR"), Selection(organization_id="evergreen")):
        for row in forecast_rows(data, selection):
            assert row["method"] == "committed_spend"
            parts = [row[f"{name}_cost"] for name in ("committed", "renewal", "usage")]
            assert sum(each for each in parts if isinstance(each, Decimal)) == row["forecast"]
    # Three licenses at 30 per month without a known term: renewals in every month.
    assert [row["renewal_cost"] for row in forecast_rows(data, Selection(currency="EUR"))] == [
        90
    ] * 12


def test_the_sales_forecast_has_no_bands_and_excludes_unpriced_months(
    data: DataFolder,
) -> None:
    with tables(data, BROKER) as connection:
        usd = trend.sales_forecast(Selection(currency="USD"), "Sales")
        rows = fetch(connection, usd, 100)
        assert [column.title for column in usd.columns] == ["Month", "Sales forecast"]
        eur = trend.sales_forecast(Selection(currency="EUR"), "Sales")
        assert count(connection, eur) == 0
    published = query(
        data,
        "select sum(sales_forecast) from cost_forecast_summary"
        " where level = 'total' and currency = 'USD' group by month order by month",
    )
    assert [(row["forecast"],) for row in rows] == published
    with tables(data, CUSTOMER) as connection:
        mine = fetch(connection, trend.sales_forecast(Selection(), "Amount"), 100)
    assert [row["forecast"] for row in mine] == [row["forecast"] for row in rows]


def test_forecast_errors_are_relative_to_actuals(data: DataFolder) -> None:
    with tables(data, BROKER) as connection:
        rows = fetch(connection, trend.forecast_accuracy(Selection()), 100)
    by_currency = {(row["currency"], row["months_ahead"]): row for row in rows}
    published = query(
        data,
        "select currency, months_ahead, forecast, actual_cost, is_within_80, is_within_95"
        " from forecast_accuracy",
    )
    assert set(by_currency) == {(currency, ahead) for currency, ahead, *_ in published}
    for (currency, ahead), row in by_currency.items():
        mine = [each[2:] for each in published if each[:2] == (currency, ahead)]
        error = sum(abs(actual - forecast) for forecast, actual, *_ in mine)
        actuals = sum(abs(actual) for _, actual, *_ in mine)
        share, within = row["error_share"], row["within_80_share"]
        assert isinstance(share, Decimal) and isinstance(within, Decimal)
        assert abs(share - error / actuals) <= Decimal("0.000001")
        assert within == round(Decimal(sum(each[2] for each in mine)) / len(mine), 6)
        assert row["forecast_count"] == len(mine)
    # The January bill of Harbor forecasts exactly the 90 of February.
    assert by_currency["EUR", 1]["error_share"] == 0


def test_budgets_list_overruns_first_and_total_per_currency(data: DataFolder) -> None:
    with tables(data, BROKER) as connection:
        rows = fetch(connection, budgets.budgets(BROKER, FEBRUARY), 10)
        totals = fetch(connection, budgets.totals(BROKER, FEBRUARY), 10)
        statuses = fetch(connection, budgets.statuses(FEBRUARY), 10)
        assert count(connection, budgets.budgets(BROKER, Selection("2027-01"))) == 0
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
    assert {row["status"]: row["cost_center_count"] for row in statuses} == {
        "over_budget": 1,
        "over_budget_at_year_end": 1,
        "within_budget": 1,
    }


def test_manual_forecasts_are_listed_from_the_month_on(data: DataFolder) -> None:
    with tables(data, BROKER) as connection:
        rows = fetch(connection, budgets.manual_forecasts(FEBRUARY), 10)
        every = count(connection, budgets.manual_forecasts(Selection()))
    with tables(data, CUSTOMER) as connection:
        mine = fetch(connection, budgets.manual_forecasts(FEBRUARY), 10)
    assert every == 3
    # HAR-1 is charged 90.00 in February. March is not billed yet.
    assert [(row["label"], row["manual_forecast"], row["variance"]) for row in rows] == [
        ("=Dock (Harbor <b>&</b> Co), Feb 2026", 95, -5),
        ("Sales (Evergreen Retail), Mar 2026", 320, None),
    ]
    assert rows[1]["forecast"] is not None
    # Harbor's are compared with cost.
    assert [row["cost_center_id"] for row in mine] == ["EVG-SALES"]


def test_budgets_of_sales_and_cost_have_no_common_total(
    data: DataFolder,
) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{data.published_database}' as published (read_only)")
        connection.execute("create table budget_variance as from published.marts.budget_variance")
        (usd,) = fetch(connection, budgets.totals(BROKER, Selection("2026-03", currency="USD")), 10)
        assert usd["actual"] is None and usd["budget"] == 0
        connection.execute(
            "update budget_variance set amount_basis = 'cost' where cost_center_id = 'EVG-MKT'"
        )
        totals = fetch(connection, budgets.totals(BROKER, FEBRUARY), 10)
        assert [row["currency"] for row in totals] == ["EUR"]
        statuses = fetch(connection, budgets.statuses(Selection("2026-03")), 10)
        assert {row["status"]: row["cost_center_count"] for row in statuses} == {"not_billed": 3}


def test_a_customer_sees_no_budget_that_is_compared_with_cost(data: DataFolder) -> None:
    with tables(data, CUSTOMER) as connection:
        mine = fetch(connection, budgets.budgets(CUSTOMER, FEBRUARY), 10)
        assert [row["cost_center_id"] for row in mine] == ["EVG-SALES", "EVG-MKT"]
        assert "amount_basis" not in mine[0]
    with tables(data, Viewer("harbor")) as connection:
        assert count(connection, budgets.budgets(Viewer("harbor"), Selection())) == 0
        assert count(connection, trend.sales_forecast(Selection(), "Amount")) == 0


# --- shared costs ----------------------------------------------------------------------


@pytest.mark.parametrize("viewer", [BROKER, CUSTOMER])
def test_amounts_after_sharing_are_shown_next_to_billed_amounts(
    data: DataFolder, viewer: Viewer
) -> None:
    # Power BI is 1.10 + 2.10 + ... + 60.10 = 1836 and sold for 1860: a tenth goes to Marketing.
    selection = Selection("2026-02", "evergreen")
    of_default = replace(selection, cost_center_id="EVG-DEFAULT")
    with tables(data, viewer) as connection:
        query_ = charges.totals_by(viewer, selection, "cost_center", is_shared=True)
        rows = {row["cost_center_id"]: row for row in fetch(connection, query_, 10)}
        (total,) = fetch(connection, charges.totals(viewer, selection, is_shared=True), 10)
        moved = fetch(connection, charges.shared_costs(viewer, of_default), 10)
    assert [title for _, title in viewer.shared_measures] == [
        column.title for column in query_.columns[-len(viewer.shared_measures) :]
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


def test_a_new_version_is_read_while_old_connections_keep_the_old_one(
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
            assert set(columns_by_mart(new)) == {"chargeback"}
        assert count(old, charges.totals(BROKER, FEBRUARY)) == 2


def test_an_unpublished_data_folder_raises(tmp_path: Path) -> None:
    with pytest.raises(NothingPublished, match="make run"):
        Version.now(DataFolder(tmp_path))


def test_quantities_of_several_units_have_no_sum() -> None:
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"""
            select name, {quantity_sum()}
            from (
                values
                ('hours', 24.5, 'Hours'), ('hours', 12, 'Hours'), ('hours', 0, null),
                ('mixed', 24, 'Hours'), ('mixed', 3, 'GB'),
                ('mixed before', 24, 'Hours'), ('mixed before', 27, null),
                ('mixed in a mart', 24, 'Hours'), ('mixed in a mart', null, null),
                ('none', 0, null)
            ) as given(name, quantity, quantity_unit)
            group by name order by name
            """
        ).fetchall()
    assert rows == [
        ("hours", Decimal("36.5"), "Hours"),
        ("mixed", None, None),
        ("mixed before", None, None),
        ("mixed in a mart", None, None),
        ("none", Decimal(0), None),
    ]


def test_a_split_counts_what_its_subscription_is_billed_in(sample_company: Company) -> None:
    with tables(sample_company.data, BROKER) as connection:
        rows = fetch(connection, pickers.subscriptions(Selection("2026-04")), 100)
    found = {(row["organization_id"], row["product_name"], row["unit"]) for row in rows}
    assert {
        ("alder", "Lexidraft", "Seats"),
        # The same product, metered.
        ("alder", "Lexidraft", "Parts"),
        ("dunmore", "Azure plan", "Parts"),
        ("cobalt", "Microsoft 365 E5", "Licenses"),
    } <= found
    titles = [column.title for column in licenses.split_history("1", "Parts").columns]
    assert titles[-3:] == ["Parts", "Total parts", "Share"]


def test_no_published_sum_adds_licenses_and_seats(sample_company: Company) -> None:
    with tables(sample_company.data, BROKER) as connection:
        # 17 licenses and 7 seats were 24.
        section = connection.execute(
            """
            select quantity, quantity_unit, total_cost from statement_lines
            where billing_period = '2026-04' and cost_center_id = 'ALD-100' and section = 'advance'
            """
        ).fetchall()
        assert section == [(None, None, Decimal("604.2"))]
        for mart in ("statement_lines", "chargeback", "chargeback_as_corrected"):
            billed = connection.execute(
                f"""
                select count(*) filter (quantity is null), count(*) filter (quantity <> 0)
                from {mart} where quantity_unit is null
                """
            ).fetchall()
            # A credit has a quantity without any unit.
            assert billed[0][0] > 3 and billed[0][1] <= 1, mart


@pytest.mark.parametrize("viewer", [BROKER, CUSTOMER], ids=["broker", "customer"])
@pytest.mark.parametrize("kind", units.KINDS)
def test_units_sum_to_what_is_charged(data: DataFolder, viewer: Viewer, kind: str) -> None:
    charged = viewer.measures[0][0]
    with tables(data, viewer) as connection:
        found = fetch(connection, units.totals(FEBRUARY, kind), 100)
        totals = fetch(connection, charges.totals(viewer, FEBRUARY), 100)
        assert {row["currency"]: row["charged_amount"] for row in found} == {
            row["currency"]: row[charged] for row in totals
        }


def test_a_unit_has_its_cost_centers(data: DataFolder) -> None:
    with tables(data, CUSTOMER) as connection:
        (commerce, none) = fetch(connection, units.charges(FEBRUARY, "business_unit"), 100)
        rows = fetch(
            connection, units.cost_centers(CUSTOMER, FEBRUARY, "business_unit", "Commerce"), 100
        )
        months = fetch(connection, units.months(FEBRUARY, "business_unit", "Commerce"), 100)
    assert (commerce["unit_id"], none["unit_id"]) == ("Commerce", "(none)")
    assert [row["cost_center_id"] for row in rows] == ["EVG-SALES", "EVG-MKT"]
    assert sum(row["charged"] for row in rows) == commerce["charged_amount"]
    assert [row["billing_period"] for row in months] == ["2026-02", "2026-01"]
    assert months[0]["charged_amount"] == commerce["charged_amount"]


def test_subscriptions_have_the_names_of_their_latest_bill() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            """
            create table billing_report as
            select * from (
                values
                    ('a', 'A', '1', 'Office', '2026-01', 'cycle', 'Licenses'),
                    ('a', 'A', '1', 'Visio', '2026-02', 'cycle', 'Seats'),
                    ('a', 'A', 'account', 'Storage', '2026-02', 'usage', 'GB'),
                    ('a', 'A', 'account', 'Compute', '2026-02', 'usage', 'Hours'),
                    ('a', 'A', 'account', 'Compute', '2026-02', 'credit', null),
                    ('a', 'A', null, 'Support', '2026-02', 'cycle', 'Seats')
            ) as rows (
                organization_id, organization_name, subscription_id, product_name,
                billing_period, charge_kind, quantity_unit
            );
            create table cost_center_history as
            select * from (values ('a', '1'), ('a', '2')) as rows (
                organization_id, subscription_id
            );
            """
        )
        rows = fetch(connection, pickers.subscriptions(Selection("2026-01")), 100)
    assert [
        (row["subscription_id"], row["product_name"], row["unit"], row["is_split"]) for row in rows
    ] == [
        ("2", "(not billed)", "Licenses", True),
        ("account", "Compute and 1 more", "Parts", False),
        ("1", "Visio", "Seats", True),
    ]
