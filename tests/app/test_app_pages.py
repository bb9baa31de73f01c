"""Each page, run by Streamlit on a published company."""

import re
import sys
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from html import escape, unescape
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qsl
from xml.etree import ElementTree

import duckdb
import pypdf
import pytest
from conftest import Company, MadeOnce
from published_company import BILL_HEADER, copied, published_company, query
from streamlit.testing.v1 import AppTest

from app import changes, screen
from app.own_statements import own_statements
from app.published import Viewer, tables
from app.queries import changes as changes_shown
from app.roles import Roles
from app.splits import Change
from dagster_project import records, reviews, wording
from dagster_project.records import Person, now
from dagster_project.settings import PROJECT_ROOT, DataFolder

Open = Callable[..., AppTest]
TIMEOUT_SECONDS = 120


@pytest.fixture(scope="module")
def data(made_once: MadeOnce) -> DataFolder:
    return published_company(made_once)


@pytest.fixture
def opened(data: DataFolder, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a page of the app with the parameters of its address."""
    monkeypatch.setattr(sys, "argv", ["main.py"])
    # Streamlit replaces the main module with the app; processes of later tests would run it.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    for name in ("APPORTION_CUSTOMER", "APPORTION_EDIT"):
        monkeypatch.delenv(name, raising=False)

    def open_page(page: str = "", of: DataFolder = data, **address: str) -> AppTest:
        monkeypatch.setenv("APPORTION_DATA", str(of.root))
        app = AppTest.from_file(
            str(PROJECT_ROOT / "app" / "main.py"), default_timeout=TIMEOUT_SECONDS
        )
        for name, value in address.items():
            app.query_params[name] = value
        app.run()
        if page:
            app.switch_page(f"views/{page}.py").run()
            # Streamlit resets the address when the page changes; a link would set it.
            for name, value in address.items():
                app.query_params[name] = value
            app.run()
        assert not app.exception
        return app

    return open_page


def text(app: AppTest) -> str:
    """All markup of the page."""
    return "\n".join(element.proto.body for element in app.get("html"))


def pdf_words(content: bytes) -> str:
    """The words of a PDF, with one space between them."""
    pages = pypdf.PdfReader(BytesIO(content)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def picker(app: AppTest, label: str) -> list[str]:
    """The options of a picker."""
    (found,) = [box for box in app.selectbox if box.label == label]
    return list(found.options)


def test_this_month_shows_amounts_per_currency_notices_and_largest_cost_centers(
    opened: Open,
) -> None:
    app = opened()
    shown = text(app)
    assert "February 2026" in shown
    assert '1,236,403.89 <span class="currency">USD</span>' in shown
    assert '90.00 <span class="currency">EUR</span>' in shown
    assert "1 bill is incomplete or different from the invoice" in shown
    assert "1 error, 3 warnings, 1 note" in shown
    assert "1 cost center is over its budget, 1 more by year end" in shown
    assert "Sales and margin exclude 1 line without a sales price (cost 90.00 EUR)" in shown
    assert shown.index("Sales</a>") < shown.index("Marketing</a>")
    assert picker(app, "Billing period") == ["February 2026 (open)", "January 2026 (closed)"]


def test_pages_have_the_form_of_the_locale(opened: Open, data: DataFolder, tmp_path: Path) -> None:
    german = copied(data, tmp_path / "german")
    german.declarations.write_text('[display]\nlocale = "de-DE"\n')
    shown = text(opened(of=german))
    assert '1.236.403,89 <span class="currency">USD</span>' in shown
    assert '90,00 <span class="currency">EUR</span>' in shown
    assert "February 2026" in shown and "1,236" not in shown
    shown = text(opened("chargeback", of=german, period="2026-01", organization="evergreen"))
    assert "722,68" in shown and "722.68" not in shown
    # A viewer of another data folder, in the same process.
    assert "1,236,403.89" in text(opened())
    german.declarations.write_text('[display]\nlocale = "Deutsch"\n')
    shown = unescape(text(opened(of=german)))
    assert "apportion.toml: display.locale: unknown locale 'Deutsch'; e.g. de-DE" in shown


def test_an_organization_confirms_the_same_amounts_in_every_locale(
    opened: Open, data: DataFolder, tmp_path: Path
) -> None:
    own = copied(data, tmp_path / "own")
    reviews.confirm(own, Person("Ada"), "evergreen", "2026-02", "1,301,860.00 USD", "")
    reviews.confirm(own, Person("Ada"), "harbor", "2026-02", "1,080.00 EUR", "")
    own.declarations.write_text('[display]\nlocale = "de-DE"\n')
    shown = text(opened("findings", of=own, period="2026-02"))
    # Unchanged amounts are not repeated.
    assert "Confirmed by Ada on " in shown and "1.301.860,00" not in shown
    assert "with 1.080,00 EUR; 90,00 EUR is charged now" in shown


def test_names_from_files_are_escaped(opened: Open) -> None:
    shown = text(opened(organization="harbor"))
    assert "Harbor &lt;b&gt;&amp;&lt;/b&gt; Co" in shown
    assert "<b>&" not in shown


def test_the_selection_and_the_address_stay_in_step(
    opened: Open,
) -> None:
    app = opened(period="2026-01", organization="harbor")
    assert "January 2026" in text(app)
    assert "Evergreen" not in text(app)
    (box,) = [box for box in app.selectbox if box.label == "Organization"]
    box.select("evergreen").run()
    assert app.query_params["organization"] == "evergreen"
    assert app.query_params["period"] == "2026-01"
    assert "Evergreen Retail" in text(app)


def test_a_value_in_the_address_that_is_no_option_is_named(opened: Open) -> None:
    app = opened(period="1999-99", organization="<b>nobody</b>")
    shown = text(app)
    assert "1999-99 is not in the list; showing February 2026 (open)." in shown
    assert "&lt;b&gt;nobody&lt;/b&gt; is not in the list; showing All organizations." in shown
    assert app.query_params["period"] == "2026-02"
    assert "is not in the list" not in text(app.run())
    # Copilot is a product of harbor.
    app = opened("chargeback", organization="evergreen", product="Copilot")
    assert "Copilot is not in the list; showing All products." in text(app)
    app = opened("chargeback", organization="evergreen", subscription="900", invoice="<i>")
    shown = text(app)
    assert "No billing line has the subscription 900; showing all." in shown
    assert "No billing line has the invoice &lt;i&gt;; showing all." in shown
    assert not {"subscription", "invoice"} & set(app.query_params)
    assert rows_of(app, "By product")
    address = {"organization": "evergreen", "cost_center": "EVG-MKT", "period": "2026-01"}
    assert "is not in the list" not in text(opened("chargeback", **address))


def test_shared_costs_are_shown_where_they_change_an_amount(opened: Open) -> None:
    shown = text(opened("chargeback", organization="evergreen"))
    assert "Cost after sharing" in shown
    # Marketing receives 183.60 of Power BI and has no line of it.
    shown = text(opened("chargeback", organization="evergreen", cost_center="EVG-MKT"))
    assert "Shared costs" in shown
    assert "from Default" in shown
    assert "183.60" in shown
    for address in (
        {"organization": "evergreen", "period": "2026-01"},
        {"organization": "evergreen", "cost_center": "EVG-SALES"},
        {"organization": "harbor"},
        {},
    ):
        shown = text(opened("chargeback", **address))
        assert "after sharing" not in shown
        assert "from Default" not in shown


def test_chargeback_leads_from_organization_to_cost_center_to_product(opened: Open) -> None:
    assert "organization=evergreen" in text(opened("chargeback"))
    shown = text(opened("chargeback", organization="evergreen"))
    assert "cost_center=EVG-SALES" in shown
    assert "product=Power+BI+Pro" in shown
    shown = text(opened("chargeback", organization="evergreen", cost_center="EVG-SALES"))
    assert "product=Microsoft+365+E3" in shown
    assert "Power BI Pro" not in shown


def test_billing_lines_are_paged_and_lead_to_their_explanation(
    opened: Open, data: DataFolder
) -> None:
    shown = text(opened("chargeback", organization="evergreen", product="Power BI Pro"))
    assert shown.count("line=") == 50
    ((line, explanation),) = query(
        data,
        "select line_id, explanation from billing_report where cost_center_id = 'EVG-SALES'"
        " and billing_period = '2026-02' and product_name = 'Microsoft 365 E3'",
    )
    shown = text(opened("chargeback", line=line, billed="2026-02"))
    assert "1,234,567.891234" in shown
    assert "617,283.945617" in shown
    assert escape(explanation) in shown


def test_a_refund_leads_to_the_refunded_charge(opened: Open, data: DataFolder) -> None:
    ((refund,),) = query(
        data, "select distinct line_id from billing_report where charge_kind = 'refund'"
    )
    shown = text(opened("chargeback", line=refund))
    assert "-145.65" in shown
    assert "Sales" in shown
    assert "This billing line is not published" in text(opened("chargeback", line="not a line"))


def chart(app: AppTest) -> str:
    """The specification of the first chart of the page."""
    (drawn, *_) = app.get("arrow_vega_lite_chart") or app.get("vega_lite_chart")
    return str(drawn.proto.spec)


def captions(app: AppTest) -> str:
    """The captions of the page."""
    return "\n".join(caption.value for caption in app.caption)


def test_trend_shows_one_currency_and_bands_at_every_level(opened: Open) -> None:
    app = opened("trend")
    # Charged amounts are sales here, and continue with their forecast.
    assert "Charged" in picker(app, "Measure")
    assert "charged, as billed, after shared costs" in captions(app)
    assert "Sales forecast" in text(app)
    app = opened("trend", measure="total_cost")
    assert picker(app, "Currency") == ["USD", "EUR"]
    shown = text(app)
    assert "578.15" in shown
    assert "90.00" not in shown
    assert "upper_95" in chart(app)
    assert "The bands are expected to contain the actual cost" in captions(app)
    for expected in (
        "March 2026", "Upper bound (80 %)", "Renewals", "Based on committed charges",
        "1 month ahead, forecasts of cost centers differed from actuals by",
    ):  # fmt: skip
        assert expected in shown, expected
    for address in ({"organization": "harbor"}, {"organization": "harbor", "cost_center": "HAR-1"}):
        app = opened("trend", **address)
        assert '"upper_80"' in chart(app)
        assert (
            "differed from actuals by 0.0 %. 100.0 % of the actuals were within the 80 % band"
            in text(app)
        )


def test_trend_of_sales_and_margin_has_no_bands(opened: Open) -> None:
    app = opened("trend", measure="total_sales", currency="USD")
    assert "Sales forecast" in text(app)
    assert "area" not in chart(app) and "strokeDash" in chart(app)
    assert "bands" not in captions(app)
    app = opened("trend", measure="total_sales", currency="EUR")
    assert "No forecast: no future charges, or no sales price" in text(app)
    app = opened("trend", measure="total_margin", currency="USD")
    assert "Forecast" not in [header.value for header in app.subheader]
    app = opened("trend", measure="amortized_cost", organization="harbor")
    assert "Amortized cost" in text(app)
    assert "upper_95" in chart(app)


def test_trend_states_that_there_is_no_forecast(
    opened: Open, data: DataFolder, tmp_path: Path
) -> None:
    mine = copied(data, tmp_path / "data")
    with duckdb.connect(str(mine.published_database)) as connection:
        connection.execute("update marts.cost_forecast_summary set forecast = 0, lower_80 = 0")
    app = opened("trend", mine, measure="total_cost")
    assert "No forecast: no subscription has future charges." in text(app)
    assert "upper_95" not in chart(app)
    assert "Bars: billed." in captions(app).splitlines()


def test_trend_divides_months_by_organization_cost_center_or_product(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened("trend", currency="USD")
    assert picker(app, "By") == ["By organization", "By cost center", "By product"]
    (row,) = rows_of(app, "Charged by organization")
    assert row == {
        "Organization": "Evergreen Retail", "Jan 2026": "722.68 USD",
        "Feb 2026": "1,301,860.00 USD", "Total": "1,302,582.68 USD",
    }  # fmt: skip
    # Bars as billed and a forecast that is amortized share an axis, which its title states.
    assert '"title": "USD, bars as billed, forecast amortized"' in chart(app)
    drawn = [str(each.proto.spec) for each in app.get("vega_lite_chart")]
    assert len(drawn) == 2 and '"title": "USD, as billed"' in drawn[1]
    app = opened("trend", currency="USD", by="product", measure="amortized_cost")
    assert {row["Product"] for row in rows_of(app, "Amortized cost by product")} == {
        "Microsoft 365 E3", "Power BI Pro",
    }  # fmt: skip
    assert '"title": "USD, amortized"' in chart(app) and "as billed" not in captions(app)
    app = opened("trend", organization="evergreen", cost_center="EVG-MKT")
    assert picker(app, "By") == ["By product"]
    # It has no line of Power BI and receives a tenth of it.
    amounts = {row["Product"]: row["Feb 2026"] for row in rows_of(app, "Charged by product")}
    assert amounts == {"Microsoft 365 E3": "455,000.00 USD", "Power BI Pro": "186.00 USD"}
    monkeypatch.setenv("APPORTION_CUSTOMER", "evergreen")
    app = opened("trend")
    assert picker(app, "By") == ["By cost center", "By product"]
    assert {row["Cost center"] for row in rows_of(app, "Amount by cost center")} == {
        "Default", "Marketing", "Sales",
    }  # fmt: skip


def test_budget_shows_what_is_used_and_a_chart_per_currency(
    opened: Open, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened("budget")
    assert [header.value for header in app.subheader] == [
        "Budget and charged, USD", "Budget and charged, EUR",
        "Manual forecasts, EUR", "Manual forecasts, USD",
    ]  # fmt: skip
    for spec, currency in zip(
        [str(each.proto.spec) for each in app.get("vega_lite_chart")],
        ("USD", "EUR", "EUR", "USD"),
        strict=True,
    ):
        assert f'"title": "{currency}"' in spec
    assert "=Dock" not in str(app.get("vega_lite_chart")[0].proto)
    rows = {row["Cost center"]: row for row in rows_of(app, "Budget")}
    # By hand: 650,000.00 of 300; 90.00 of 100, and 180.00 of 200 to date.
    sales, dock = rows["Sales"], rows["=Dock"]
    assert (sales["Budget"], sales["Charged"], sales["Used"]) == (
        "300.00 USD", "650,000.00 USD", "216,666.7 %",
    )  # fmt: skip
    assert (dock["Used"], dock["Used to date"], dock["Used of year"]) == (
        "90.0 %", "90.0 %", "90.0 %",
    )  # fmt: skip
    ((charged,),) = query(
        data,
        "select sum(charged_amount) from chargeback"
        " where cost_center_id = 'EVG-MKT' and billing_period = '2026-02'",
    )
    assert number(rows["Marketing"]["Charged"]) == round(charged, 2)
    monkeypatch.setenv("APPORTION_CUSTOMER", "evergreen")
    app = opened("budget")
    assert {row["Cost center"] for row in rows_of(app, "Budget")} <= {"Sales", "Marketing"}
    # Budgets, and the manual forecast of Sales.
    assert len(app.get("vega_lite_chart")) == 2


def test_budget_lists_overruns_first_and_totals_per_currency(opened: Open) -> None:
    app = opened("budget")
    shown = text(app)
    places = [
        shown.index(f"</span>{words}</span>")
        for words in ("Over budget", "Over budget by year end", "Within budget")
    ]
    assert places == sorted(places)
    assert "1 cost center is over its budget." in shown
    assert "1,080.00" in shown
    assert ">Basis<" in shown
    assert shown.count(">Total<") == 2
    shown = text(opened("budget", organization="evergreen"))
    assert ">Basis<" not in shown
    assert "cost_center=EVG-SALES" in shown
    assert ">Total<" in shown


def test_budget_shows_manual_forecasts_beside_the_other_amounts(opened: Open) -> None:
    app = opened("budget")
    rows = rows_of(app, "Manual forecasts")
    assert [(row["Month"], row["Cost center"], row["Manual forecast"]) for row in rows] == [
        ("February 2026", "=Dock", "95.00 EUR"),
        ("March 2026", "Sales", "320.00 USD"),
    ]
    assert (rows[0]["Budget"], rows[0]["Charged"], rows[0]["Variance"]) == (
        "100.00 EUR", "90.00 EUR", "-5.00 EUR",
    )  # fmt: skip
    assert rows[1]["Computed forecast"]
    assert "Manual forecasts, EUR" in [each.value for each in app.subheader]


def test_converted_totals_are_shown_with_their_rates(
    opened: Open, data: DataFolder, tmp_path: Path
) -> None:
    # Without the setting nothing is converted.
    assert "at the rates of" not in text(opened()) + text(opened("chargeback"))
    mine = copied(data, tmp_path / "data")
    with duckdb.connect(str(mine.published_database)) as connection:
        connection.execute(
            """
            insert into marts.chargeback_in_reporting_currency by name
            with charged as (
                select
                    billing_period, billing_period_start, organization_id, organization_name,
                    cost_center_id, cost_center_name, currency, amount_basis,
                    sum(charged_amount) as charged_amount
                from marts.chargeback group by all
            )
            select
                *, 'EUR' as reporting_currency, if(currency = 'EUR', 1, 0.8) as exchange_rate,
                if(currency = 'EUR', null, date '2026-02-27') as exchange_rate_date,
                charged_amount * exchange_rate as charged_amount_in_reporting_currency
            from charged
            """
        )
        ((usd, eur),) = connection.execute(
            """
            select
                sum(charged_amount) filter (currency = 'USD'),
                sum(charged_amount) filter (currency = 'EUR')
            from marts.chargeback where billing_period = '2026-02'
            """
        ).fetchall()
    words = f"In EUR at the rates of 28 Feb 2026: {usd * 8 / 10 + eur:,.2f} EUR charged."
    for page in ("", "chargeback"):
        shown = text(opened(page, mine) if page else opened(of=mine))
        assert words in shown
        assert f"{usd:,.2f} USD at 0.8 EUR, the rate of 27 Feb 2026." in shown
    # In its own currency alone nothing is converted.
    assert "at the rates of" not in text(opened("chargeback", mine, organization="harbor"))
    with duckdb.connect(str(mine.published_database)) as connection:
        connection.execute(
            """
            update marts.chargeback_in_reporting_currency
            set exchange_rate = null, charged_amount_in_reporting_currency = null
            where currency = 'USD'
            """
        )
    shown = text(opened("chargeback", mine))
    assert "at the rates of" not in shown
    assert "No total in EUR: no exchange rate of 28 Feb 2026 or before is known from USD." in shown


def test_budget_states_that_there_is_none(opened: Open, data: DataFolder, tmp_path: Path) -> None:
    mine = copied(data, tmp_path / "data")
    with duckdb.connect(str(mine.published_database)) as connection:
        connection.execute("delete from marts.budget_variance where organization_id = 'harbor'")
    of_harbor = text(opened("budget", mine, organization="harbor"))
    assert "No budget of Harbor &lt;b&gt;&amp;&lt;/b&gt; Co for February 2026" in of_harbor
    with duckdb.connect(str(mine.published_database)) as connection:
        connection.execute("delete from marts.budget_variance")
    shown = text(opened("budget", mine))
    assert "No budget yet. Add a file to landing/budgets" in shown
    home = text(opened(of=mine))
    assert "over its budget" not in home
    assert "over their budgets" not in home
    with duckdb.connect(str(mine.published_database)) as connection:
        for mart in (
            "budget_variance",
            "forecast_variance",
            "cost_forecast_summary",
            "forecast_accuracy",
        ):
            connection.execute(f"drop table marts.{mart}")
    # A file published before there were budgets and forecasts.
    assert "No budget yet" in text(opened("budget", mine))
    assert "578.15" in text(opened("trend", mine))


def test_findings_are_grouped_by_kind(opened: Open) -> None:
    app = opened("findings")
    shown = text(app)
    assert shown.index("Error") < shown.index("Warning")
    assert "A subscription is billed but has no split" in shown
    (box,) = [box for box in app.selectbox if box.label == "Severity"]
    box.select("error").run()
    assert "billed but has no split" not in text(app)


def test_a_finding_is_accepted_and_leaves_the_open_ones(
    opened: Open, monkeypatch: pytest.MonkeyPatch, editable: DataFolder
) -> None:
    shown = text(opened("findings", editable))
    found = re.search(r'href="findings\?finding=(\w+)[^"]*"[^>]*>The subscription has no', shown)
    assert found is not None
    assert "cost_center_history?period=2026-02&amp;organization=evergreen" in shown
    key = found[1]
    # Without the right to edit, a finding is only seen.
    app = opened("findings", editable, finding=key)
    assert "nobody" in text(app) and not app.text_input and len(app.button) == 0
    monkeypatch.setenv("APPORTION_EDIT", "1")
    app = opened("findings", editable, finding=key)
    assert "change_split?period=2026-02&amp;organization=evergreen&amp;subscription=" in text(app)
    for label, words in (("Your name", "Ann"), ("Comment or reason", "<b>agreed</b>")):
        (box,) = [box for box in app.text_input if box.label == label]
        box.set_value(words)
    app.button(key="accept").click().run()
    assert not app.exception
    shown = text(app)
    assert "Accepted until" in shown and "&lt;b&gt;agreed&lt;/b&gt;" in shown
    assert "<b>agreed" not in shown
    shown = text(opened("findings", editable))
    assert key not in shown and "review before billing, 1 accepted" in shown
    assert key in text(opened("findings", editable, state="accepted"))
    assert "1 accepted." in text(opened(of=editable))
    assert "did not find this any more" in text(opened("findings", editable, finding="other"))


def test_an_organization_reviews_its_own_findings(
    opened: Open,
    monkeypatch: pytest.MonkeyPatch,
    editable: DataFolder,
    costs: re.Pattern[str],
) -> None:
    def sign_in(viewer: Viewer, name: str) -> None:
        person = Person(name, name)
        monkeypatch.setattr(screen, "_viewer", lambda data: (viewer, person, Roles()))

    sign_in(Viewer("evergreen"), "eve")
    assert "1 warning, 1 note to review before billing" in text(opened(of=editable))
    app = opened("findings", editable)
    shown = text(app)
    found = re.search(r'href="findings\?finding=(\w+)[^"]*"[^>]*>The subscription has no', shown)
    assert found is not None
    # By hand: Power BI has no split, and 3 of 20 are in Default. The broker also sees a budget,
    # a file and harbor's budget.
    assert shown.count("?finding=") == 2 and "Power BI Pro" in shown and "3 of 20" in shown
    assert "Amount at stake" not in shown and costs.search(shown) is None
    assert "Nobody has confirmed the allocations" in shown and not app.button
    reviews.add(editable, Person("ann"), found[1], "commented", "costs 183.60")
    reviews.accept(
        editable, Person("ann"), found[1], "agreed", until=now().date(), amount=None,
        today=now().date(),
    )  # fmt: skip
    sign_in(Viewer("evergreen", may_edit=True), "kim")
    app = opened("findings", editable, finding=found[1])
    assert "183.60" not in text(app) and "not accepted" in text(app)
    assert "change_split?period=2026-02&amp;organization=evergreen&amp;subscription=" in text(app)
    (box,) = [box for box in app.text_input if box.label == "Comment or reason"]
    box.set_value("we split it in March")
    app.button(key="comment").click().run()
    assert "we split it in March" in text(app)
    app = opened("findings", editable)
    assert app.button(key="confirm").label == "Confirm 1,301,860.00 USD"
    app.button(key="confirm").click().run()
    assert not app.exception
    assert "Confirmed by kim on" in text(app) and "is charged now" not in text(app)
    monkeypatch.setattr(screen, "_viewer", lambda data: (Viewer(), Person("ann"), Roles()))
    shown = text(opened("findings", editable, finding=found[1]))
    assert "kim (evergreen)" in shown and "183.60" in shown
    assert "Evergreen Retail: Confirmed by kim on" in text(opened("findings", editable))


def test_reconciliation_shows_quarantined_rows_with_their_reason(opened: Open) -> None:
    shown = text(opened("reconciliation"))
    assert "Rows in quarantine" in shown
    assert "not a number" in shown
    assert "billing_lines/2026-02.csv" in shown
    shown = text(opened("reconciliation", period="2026-01"))
    assert "No rows or files in quarantine" in shown


def test_the_license_pool_omits_pending_licenses_without_a_directory(opened: Open) -> None:
    shown = text(opened("license_pool"))
    assert "Microsoft 365 E3, 20 bought" in shown
    assert "no directory yet" in shown
    assert "Pending" not in shown


def test_a_unit_leads_to_its_cost_centers(opened: Open) -> None:
    assert "unit=Commerce" in text(opened("by_unit"))
    shown = text(opened("by_unit", organization="evergreen", unit="Commerce"))
    assert "cost_center=EVG-MKT" in shown
    assert "cost_center=EVG-DEFAULT" not in shown


def test_cost_center_history_shows_every_split_of_a_subscription(opened: Open) -> None:
    shown = text(opened("cost_center_history", organization="evergreen", subscription="123"))
    assert "Since 20 Dec 2025" in shown
    assert "15 Dec 2025 to 20 Dec 2025" in shown
    assert "66.67 %" in shown


def test_a_subscription_without_a_split_has_a_history_that_says_so(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened("cost_center_history", organization="evergreen")
    assert picker(app, "Subscription") == [
        "Microsoft 365 E3 (123)",
        "Power BI Pro, no split yet (456)",
    ]
    app = opened("cost_center_history", organization="evergreen", subscription="456")
    shown = text(app)
    assert "No split yet: the whole amount is in Default." in shown
    assert not app.get("vega_lite_chart") and "change_split" not in shown
    (link,) = addresses(app, "chargeback")
    app = opened("chargeback", **link)
    assert {row["Product"] for row in rows_of(app, "Billing lines")} == {"Power BI Pro"}
    monkeypatch.setenv("APPORTION_EDIT", "1")
    app = opened("cost_center_history", organization="evergreen", subscription="456")
    assert {"period": "2026-02", "organization": "evergreen", "subscription": "456"} in addresses(
        app, "change_split"
    )


def test_a_finding_without_editing_leads_to_its_own_subscription(opened: Open) -> None:
    found = [
        link
        for link in addresses(opened("findings"), "cost_center_history")
        if link["subscription"] == "456"
    ]
    app = opened("cost_center_history", **found[0])
    (box,) = [box for box in app.selectbox if box.label == "Subscription"]
    assert box.value == "456"
    assert "is not in the list" not in text(app)


def test_the_amount_in_default_leads_to_its_charges(opened: Open) -> None:
    expected = {
        "period": "2026-02", "organization": "evergreen", "cost_center": "EVG-DEFAULT",
    }  # fmt: skip
    for address in ({}, {"organization": "evergreen"}):
        app = opened(**address)
        (notice,) = re.findall(
            r'<p class="notice[^>]*>(?:(?!</p>).)*are in Default.*?</p>', text(app)
        )
        href = re.findall(r'href="chargeback\?([^"]*)"', notice)
        assert [dict(parse_qsl(unescape(each))) for each in href] == [expected]
    shown = text(opened("chargeback", **expected))
    assert "Default</li>" in shown and "is not in the list" not in shown


# --- customers -------------------------------------------------------------------------

CUSTOMER_PAGES = (
    "", "chargeback", "by_unit", "trend", "budget", "license_pool", "cost_center_history"
)  # fmt: skip


@pytest.fixture(scope="module")
def costs(data: DataFolder) -> re.Pattern[str]:
    """Any cost of Evergreen that is no sales figure too, as the app writes amounts."""
    rows = query(
        data,
        """
        select sum(total_cost), sum(total_sales) from billing_report
        where organization_id = 'evergreen'
        group by grouping sets (
            (billing_period), (billing_period, cost_center_id), (billing_period, product_name),
            (line_id), (line_id, cost_center_id)
        )
        """,
    )
    cost, sales = ({f"{row[at]:,.2f}" for row in rows} for at in range(2))
    # A short number may also be a share or a count.
    unseen = {each for each in cost - sales if len(each) > 5}
    assert "1,234,567.89" in unseen
    return re.compile(rf"(?<![\d.,])(?:{'|'.join(map(re.escape, sorted(unseen)))})(?!\d)")


@pytest.mark.parametrize("page", CUSTOMER_PAGES)
def test_a_customer_page_shows_no_cost_and_no_other_organization(
    opened: Open, monkeypatch: pytest.MonkeyPatch, costs: re.Pattern[str], page: str
) -> None:
    monkeypatch.setenv("APPORTION_CUSTOMER", "evergreen")
    asked = {"organization": "harbor", "cost_center": "HAR-1", "subscription": "900"}
    broker = {"customer": "", "measure": "total_cost", "view": "billing_report", "currency": "EUR"}
    app = opened(page, **asked, **broker, edit="1")
    shown = text(app)
    assert costs.search("\n".join(str(getattr(each, "proto", "")) for each in app.main)) is None
    assert costs.search(shown) is None
    assert not [box for box in app.selectbox if box.label == "Organization"]
    for box in app.selectbox:
        assert not any("Harbor" in option or "900" in option for option in box.options)
    for unseen in ("Harbor", "Dock", "EUR", "1,236,403.89", ">Cost<", ">Margin<"):
        assert unseen not in shown
    if page in ("", "chargeback", "trend"):
        assert "Amount" in shown


def test_a_customer_sees_the_sales_forecast_without_cost(
    opened: Open, monkeypatch: pytest.MonkeyPatch, data: DataFolder
) -> None:
    monkeypatch.setattr(sys, "argv", ["main.py", "--customer", "evergreen"])
    app = opened("trend")
    shown = text(app)
    assert "Amount forecast" in shown
    for unseen in ("Upper bound", "Renewals", "differed from actuals"):
        assert unseen not in shown
    for (cost,) in query(
        data, "select forecast from cost_forecast_summary where organization_id = 'evergreen'"
    ):
        assert f"{cost:,.2f}" not in shown
    shown = text(opened("budget"))
    assert "1 cost center is over its budget." in shown
    assert "Over budget by year end" not in shown
    assert "1 cost center is over its budget: see" in text(opened())
    monkeypatch.setattr(sys, "argv", ["main.py", "--customer", "harbor"])
    assert "No budget yet" in text(opened("budget"))


@pytest.mark.parametrize("owner", ["harbor", "evergreen"])
def test_a_customer_opens_no_line_by_the_brokers_id(
    opened: Open, monkeypatch: pytest.MonkeyPatch, data: DataFolder, owner: str
) -> None:
    # The id is a hash of the line with its cost, so that a customer has another one.
    ((line,), *_) = query(
        data,
        "select distinct line_id from billing_report"
        f" where organization_id = '{owner}' and billing_period = '2026-02' order by all",
    )
    monkeypatch.setattr(sys, "argv", ["main.py", "--customer", "evergreen"])
    app = opened("chargeback", line=line, billed="2026-02")
    assert "This billing line is not published" in text(app)


@pytest.mark.parametrize("page", ["reconciliation", "check_file", "change_split", "cost_centers"])
def test_a_customer_has_no_broker_pages(
    opened: Open, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["main.py", "--customer", "evergreen"])
    monkeypatch.setenv("APPORTION_EDIT", "1")
    with pytest.raises(ValueError, match="navigation page"):
        opened(page)


def test_an_owner_has_no_findings(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Viewer("evergreen", cost_center_ids=("EVG-SALES",))
    monkeypatch.setattr(screen, "_viewer", lambda data: (owner, Person("sam", "s1"), Roles()))
    with pytest.raises(ValueError, match="navigation page"):
        opened("findings")


def test_an_owner_downloads_own_statements_only(
    opened: Open, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Viewer("evergreen", cost_center_ids=("EVG-SALES",))
    (sales,) = own_statements(data, owner, "2026-01")
    assert sales.name == "statement-2026-01-EVG-SALES-USD.pdf"
    printed = pdf_words(sales.content)
    assert "Sales" in printed and "Total 331.00" in printed
    # Neither the total of the organization, 722.68, nor another cost center, nor a cost.
    for unseen in ("722.68", "sum to", "Marketing", "264.80"):
        assert unseen not in printed
    # The owner of one that receives a shared cost.
    (marketing,) = own_statements(
        data, Viewer("evergreen", cost_center_ids=("EVG-MKT",)), "2026-02"
    )
    assert "Sales" not in pdf_words(marketing.content)
    assert own_statements(data, Viewer("evergreen", cost_center_ids=("HAR-1",)), "2026-01") == ()
    # An organization that is charged its cost.
    assert own_statements(data, Viewer("harbor", cost_center_ids=("HAR-1",)), "2026-01") == ()
    for other in (Viewer(), Viewer("evergreen")):
        with pytest.raises(ValueError, match="for their owners"):
            own_statements(data, other, "2026-01")

    monkeypatch.setattr(screen, "_viewer", lambda data: (owner, Person("sam", "s1"), Roles()))
    app = opened("statements", period="2026-01")
    assert '331.00 <span class="currency">USD</span>' in text(app)
    (button,) = app.get("download_button")
    assert button.proto.label == "Download EVG-SALES, USD (PDF)"
    monkeypatch.setattr(screen, "_viewer", lambda data: (Viewer(), None, None))
    with pytest.raises(ValueError, match="navigation page"):
        opened("statements")


@pytest.mark.parametrize("arguments", [["--customer", "nobody"], ["--custmer", "evergreen"]])
def test_an_app_for_an_unknown_customer_shows_no_data(
    opened: Open, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["main.py", *arguments])
    app = opened()
    assert "Evergreen" not in text(app)
    assert "USD" not in text(app)


def test_an_app_without_published_marts_shows_what_to_do(opened: Open, tmp_path: Path) -> None:
    assert "Run make run first" in text(opened(of=DataFolder(tmp_path)))


# --- changing a split ------------------------------------------------------------------


def test_changing_splits_must_be_enabled(opened: Open) -> None:
    with pytest.raises(ValueError, match="navigation page"):
        opened("change_split")


@pytest.fixture(scope="module")
def editable(data: DataFolder, tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    return copied(data, tmp_path_factory.mktemp("editable") / "data")


def submitted(app: AppTest, at: datetime, **licenses: int) -> AppTest:
    """The form of the page, filled in and submitted."""
    (instant,) = app.get("datetime_input")
    instant.set_value(at)
    for label, quantity in licenses.items():
        (box,) = [box for box in app.number_input if box.label == label]
        box.set_value(quantity)
    (button,) = [button for button in app.button if button.label.startswith("Check and")]
    button.click().run()
    assert not app.exception
    return app


def test_a_split_before_the_last_closed_bill_is_refused(
    opened: Open, monkeypatch: pytest.MonkeyPatch, editable: DataFolder
) -> None:
    monkeypatch.setenv("APPORTION_EDIT", "1")
    app = opened("change_split", editable, organization="evergreen", subscription="123")
    shown = text(submitted(app, datetime(2026, 1, 5, 12), Sales=1))
    assert "Closed periods never change" in shown
    assert not [button for button in app.button if button.label == "Save this split"]


def test_the_effect_of_a_split_is_computed_and_the_split_saved_as_a_file(
    opened: Open, monkeypatch: pytest.MonkeyPatch, editable: DataFolder
) -> None:
    monkeypatch.setenv("APPORTION_EDIT", "1")
    folder = editable.landing / "split_history"
    before = set(folder.iterdir())
    app = opened("change_split", editable, organization="evergreen", subscription="123")
    shown = text(submitted(app, datetime(2026, 1, 20, 9, 30), Sales=5, Marketing=12))
    assert "3 of 20 licenses are unallocated" in shown
    assert "Closed periods do not change" in shown
    # 10 of 20 licenses become 5: a quarter of 1,234,567.89 goes from Sales to Marketing.
    assert "-308,641.97" in shown
    assert set(folder.iterdir()) == before
    (save,) = [button for button in app.button if button.label == "Save this split"]
    save.click().run()
    assert "Nothing was saved: enter your name and a reason" in text(app)
    assert set(folder.iterdir()) == before
    for label, words in (("Your name", "Ann"), ("Reason", "two  people moved")):
        (box,) = [box for box in app.text_input if box.label == label]
        box.set_value(words)
    (save,) = [button for button in app.button if button.label == "Save this split"]
    save.click().run()
    shown = text(app)
    assert "The next run applies it" in shown
    assert "Marketing 12, Sales 5, Default 3 of 20 from 20 Jan 2026 09:30 UTC" in shown
    (written,) = set(folder.iterdir()) - before
    lines = written.read_text().splitlines()
    assert {line.split("Z,")[-1] for line in lines[1:]} == {"Ann,,two people moved"}
    (recorded,) = records.read(editable.changes)
    assert (recorded["by"], recorded["reason"]) == ("Ann", "two people moved")
    assert recorded["file"] == f"split_history/{written.name}"
    assert lines[1].startswith(
        "123,Cost center split adjusted,2026-01-20T09:30:00Z,20,Marketing,12,EVG-MKT,evergreen,"
    )
    assert [line.split(",")[4:6] for line in lines[1:]] == [
        ["Marketing", "12"],
        ["Mail Order", "0"],
        ["Sales", "5"],
        ["Default", "3"],
    ]


def test_a_subscription_without_a_split_gets_its_first_one(
    opened: Open, monkeypatch: pytest.MonkeyPatch, editable: DataFolder
) -> None:
    monkeypatch.setenv("APPORTION_EDIT", "1")
    app = opened("change_split", editable, organization="evergreen")
    assert picker(app, "Subscription") == [
        "Microsoft 365 E3 (123)",
        "Power BI Pro, no split yet (456)",
    ]
    app = opened("change_split", editable, organization="evergreen", subscription="456")
    assert "No split yet: the whole amount is in Default" in text(app)
    # Streamlit shows the value of a bare expression, such as a comment in quotes.
    assert not app.markdown
    (total,) = [box for box in app.number_input if box.label == "Licenses in total"]
    total.set_value(20)
    (sales,) = [box for box in app.number_input if box.label == "Sales"]
    sales.set_value(17).run()
    assert "17 of 20 licenses allocated, 3 go to Default." in text(app)
    sales.set_value(21).run()
    assert "21 of 20 licenses allocated, 1 too many" in text(app)


def filled(app: AppTest, **fields: str) -> None:
    """Fill fields with a text, by their labels; an underscore stands for a space."""
    for label, words in fields.items():
        (box,) = [box for box in app.text_input if box.label == label.replace("_", " ")]
        box.set_value(words)


def test_an_organization_creates_and_closes_cost_centers(
    opened: Open, monkeypatch: pytest.MonkeyPatch, editable: DataFolder, costs: re.Pattern[str]
) -> None:
    viewer = Viewer("evergreen", may_edit=True)
    kim = Person("kim@evergreen.example", "k2")
    monkeypatch.setattr(screen, "_viewer", lambda data: (viewer, kim, Roles()))
    folder = editable.landing / "cost_centers"
    before = set(folder.iterdir())

    def save(app: AppTest) -> str:
        (button,) = [button for button in app.button if button.label == "Save"]
        button.click().run()
        assert not app.exception
        return text(app)

    app = opened("cost_centers", editable, organization="harbor")
    assert "Mail Order" in text(app) and "Dock" not in text(app)
    assert "Enter a reason." in save(app) and "The name is empty." in text(app)
    filled(app, Name="<i>Web</i>", Id="EVG-WEB", Reason="new shop")
    shown = save(app)
    assert "Created &lt;i&gt;Web&lt;/i&gt; (EVG-WEB). Saved as landing/cost_centers/" in shown
    assert "open, not in the results yet" in shown and costs.search(shown) is None
    app = opened("cost_centers", editable, change="close")
    (box,) = [box for box in app.selectbox if box.label == "Cost center"]
    assert "<i>Web</i> (EVG-WEB)" in box.options and not any("Default" in it for it in box.options)
    box.set_value("EVG-SALES").run()
    filled(app, Reason="moved")
    assert "licenses on that day: name the successor" in save(app)
    (successor,) = [box for box in app.selectbox if box.label == "Successor"]
    successor.set_value("EVG-WEB")
    assert "succeeded by &lt;i&gt;Web&lt;/i&gt;" in save(app)
    written = set(folder.iterdir()) - before
    assert {path.name.rsplit("-", 1)[0] for path in written} == {
        "cost-center-evergreen-EVG-WEB", "cost-center-evergreen-EVG-SALES",
    }  # fmt: skip
    # The new cost center can be used in a split at once.
    app = opened("change_split", editable, subscription="123")
    assert "<i>Web</i>" in [box.label for box in app.number_input]


def test_an_organization_approves_what_the_broker_proposed(
    opened: Open,
    monkeypatch: pytest.MonkeyPatch,
    editable: DataFolder,
    costs: re.Pattern[str],
) -> None:
    roles = Roles(two_people=("evergreen",))
    viewer = Viewer("evergreen", may_edit=True)
    kim = Person("kim@evergreen.example", "k2")
    monkeypatch.setattr(screen, "_viewer", lambda data: (viewer, kim, roles))
    change = Change(
        "evergreen", "123", datetime(2026, 2, 9), Decimal(20), (("EVG-SALES", Decimal(4)),)
    )
    proposed = changes.propose(
        editable, Person("ann", "a1"), change, subject="<b>Sales 4</b>", reason="fewer"
    )
    own = changes.propose(editable, kim, change, subject="Sales 4", reason="fewer")
    app = opened("change_split", editable, organization="harbor", subscription="900")
    shown = text(app)
    assert "Waiting for approval" in "".join(header.value for header in app.subheader)
    assert "&lt;b&gt;Sales 4&lt;/b&gt;" in shown and "<b>Sales" not in shown
    assert costs.search(shown) is None and "Harbor" not in shown
    buttons = {button.key: button for button in app.button if button.key}
    assert {key for key in buttons if key.split()[0] in ("approve", "decline", "withdraw")} == {
        f"approve {proposed.id}", f"decline {proposed.id}", f"withdraw {own.id}",
    }  # fmt: skip
    assert not [button for button in app.button if button.label == "Run now"]
    buttons[f"approve {proposed.id}"].click().run()
    assert not app.exception
    assert "Saved as landing/split_history/split-123-" in text(app)
    assert [each.id for each in changes.pending(editable, "evergreen")] == [own.id]


def test_a_cost_center_needs_a_second_person(
    opened: Open, monkeypatch: pytest.MonkeyPatch, editable: DataFolder
) -> None:
    roles = Roles(two_people=("evergreen",))

    def sign_in(name: str) -> None:
        viewer = Viewer("evergreen", may_edit=True)
        monkeypatch.setattr(screen, "_viewer", lambda data: (viewer, Person(name, name), roles))

    sign_in("ann")
    before = set((editable.landing / "cost_centers").iterdir())
    app = opened("cost_centers", editable)
    filled(app, Name="Kiosk", Id="EVG-KIOSK", Reason="new")
    (button,) = [button for button in app.button if button.label == "Propose"]
    button.click().run()
    assert "It is saved when somebody else approves it." in text(app)
    (proposal,) = changes.pending_centers(editable, "evergreen")
    keys = {button.key for button in app.button}
    assert f"withdraw {proposal.id}" in keys and f"approve {proposal.id}" not in keys
    assert set((editable.landing / "cost_centers").iterdir()) == before
    sign_in("kim")
    app = opened("cost_centers", editable)
    app.button(key=f"approve {proposal.id}").click().run()
    assert not app.exception
    shown = text(app)
    assert "Saved as landing/cost_centers/cost-center-evergreen-EVG-KIOSK" in shown
    assert "Kiosk" in shown and "open, not in the results yet" in shown
    assert changes.pending_centers(editable, "evergreen") == []


def rows_of(app: AppTest, caption: str) -> list[dict[str, str]]:
    """The rows of the tables with a caption, as texts by title; totals are left out."""
    found = []
    for element in app.get("html"):
        if f'aria-label="{escape(caption)}' not in element.proto.body:
            continue
        table = ElementTree.fromstring(element.proto.body.replace("<br>", "<br/>"))
        titles = ["".join(cell.itertext()) for cell in table.iterfind(".//thead//th")]
        for row in table.iterfind(".//tbody/tr"):
            if row.get("class") != "group":
                cells = ["".join(cell.itertext()) for cell in row]
                found.append(dict(zip(titles, cells, strict=True)))
    return found


def number(shown: str) -> Decimal:
    """An amount as a table shows it, without its currency; a dash is zero."""
    figure = shown.split(" ")[0].replace(",", "")
    return Decimal(0) if figure == wording.NOTHING else Decimal(figure)


def addresses(app: AppTest, page: str) -> list[dict[str, str]]:
    """The parameters of the links of a page to a page."""
    found = re.findall(rf'href="{page}\?([^"]*)"', text(app))
    return [dict(parse_qsl(unescape(parameters))) for parameters in dict.fromkeys(found)]


def test_the_parts_of_a_change_lead_to_cost_centers_and_subscriptions(opened: Open) -> None:
    shown = text(opened("what_changed"))
    assert "January 2026" in shown
    assert "New subscriptions" in shown
    assert "cost_center=EVG-SALES" in shown
    shown = text(opened("what_changed", organization="evergreen", cost_center="EVG-SALES"))
    # 331.00 + 91.0166667 of January's addition become 650,000.00 of the cycle.
    assert "product=Microsoft+365+E3" in shown
    assert "Moved splits" not in shown


@pytest.mark.parametrize(
    "address",
    [
        {},
        {"organization": "dunmore"},
        {"organization": "dunmore", "part": "splits"},
        {"organization": "dunmore", "cost_center": "DUN-100"},
        {"organization": "brightwater", "period": "2026-04", "since": "2026-01"},
    ],
)
def test_the_parts_shown_of_every_row_sum_to_its_change(
    opened: Open, sample_company: Company, address: dict[str, str]
) -> None:
    app = opened("what_changed", sample_company.data, **{"period": "2026-02"} | address)
    titles = [wording.change_part(part) for part in changes_shown.PARTS]
    half_a_cent = Decimal("0.005")
    for row in rows_of(app, "Changes by cost center"):
        amounts = [number(row[title]) for title in titles if title in row]
        assert abs(sum(amounts) - number(row["Change"])) <= half_a_cent * (len(amounts) + 1), row
        before_and_now = number(row["Now"]) - number(row["Before"])
        assert abs(before_and_now - number(row["Change"])) <= half_a_cent * 3, row
    parts = rows_of(app, "Parts of the change")
    assert parts
    if "organization" in address and "part" not in address:
        by_subscription = rows_of(app, "Changes by subscription")
        assert by_subscription
        for part in parts:
            changes = [
                number(row["Change"]) for row in by_subscription if row["Part"] == part["Part"]
            ]
            allowed = half_a_cent * (len(changes) + 1)
            assert abs(sum(changes) - number(part["Change"])) <= allowed, part
    if address == {"organization": "dunmore"}:
        # Moved splits and shared costs sum to zero over the organization: no bar, but a column.
        assert [part["Part"] for part in parts] == ["Seats", "Credits and corrections"]
        (row,) = [
            row
            for row in rows_of(app, "Changes by cost center")
            if row["Cost center"] == "Engineering"
        ]
        assert {title: row[title] for title in ("Change", "Seats", "Moved splits")} == {
            "Change": "799.08 USD", "Seats": "443.79 USD", "Moved splits": "105.06 USD",
        }  # fmt: skip


def test_quantities_of_a_change_are_those_of_the_whole_subscription(
    opened: Open, sample_company: Company
) -> None:
    expected = {
        (row[0], row[1]): row[2:]
        for row in query(
            sample_company.data,
            """
            select
                subscription_id, product_name, previous_quantity, quantity, previous_unit_amount,
                unit_amount
            from subscription_changes
            where billing_period = '2026-02' and organization_id = 'dunmore'
            """,
        )
    }
    app = opened("what_changed", sample_company.data, period="2026-02", organization="dunmore")
    compared = [
        row
        for row in rows_of(app, "Changes by subscription")
        if row["Quantity before"] != wording.NOTHING or row["Quantity now"] != wording.NOTHING
    ]
    assert [row["Product"] for row in compared] == ["Microsoft 365 E5"]
    for row in compared:
        shown = [number(row[title]) for title in (
            "Quantity before", "Quantity now", "Per unit before", "Per unit now",
        )]  # fmt: skip
        assert tuple(shown) == expected[row["Subscription"], row["Product"]]
        assert (row["Quantity before"], row["Quantity now"]) == ("85", "99")
    # Of one cost center, its own.
    app = opened(
        "what_changed", sample_company.data, period="2026-02", organization="dunmore",
        cost_center="DUN-100",
    )  # fmt: skip
    first = rows_of(app, "Changes by subscription")[0]
    assert (first["Quantity before"], first["Quantity now"]) == ("40", "48")


def test_every_change_leads_to_its_lines_in_the_period_that_has_them(
    opened: Open, sample_company: Company
) -> None:
    data = sample_company.data
    own = {"period": "2026-04", "organization": "brightwater"}
    for more in ({}, {"cost_center": "BRW-200"}):
        app = opened("what_changed", data, **own, **more)
        led = {
            (row["Product"], row["Lines before"], row["Lines now"])
            for row in rows_of(app, "Changes by subscription")
        }
        assert ("Visio Plan 2", "March 2026", wording.NOTHING) in led
        assert ("Microsoft 365 Copilot", wording.NOTHING, "April 2026") in led
        of_lines = [link for link in addresses(app, "chargeback") if "product" in link]
        assert len(of_lines) == len(led)
        for link in of_lines:
            assert link.items() >= more.items()
            app = opened("chargeback", data, **link)
            shown = text(app)
            assert f"Subscription {link['subscription']}</li>" in shown
            assert f"{wording.period(link['period'])}, Brightwater" in shown
            assert rows_of(app, "Billing lines")
            assert "is not in the list" not in shown
    # All levels above lead to the charges of both periods.
    for address in ({}, {"organization": "brightwater"}):
        app = opened("what_changed", data, period="2026-04", **address)
        periods = {link["period"] for link in addresses(app, "chargeback")}
        assert periods == {"2026-03", "2026-04"}
        assert {"period": "2026-03", **address} in addresses(app, "chargeback")
        assert any("part" in link for link in addresses(app, "what_changed"))
    # IT Services passes all of its cost on: zero, and yet it has charges.
    app = opened("what_changed", data, period="2026-02", organization="dunmore")
    assert {"period": "2026-02", "organization": "dunmore", "cost_center": "DUN-900"} in addresses(
        app, "chargeback"
    )


def test_a_shared_cost_leads_to_the_shared_costs_of_the_cost_center(
    opened: Open, sample_company: Company
) -> None:
    own = {"period": "2026-02", "organization": "dunmore", "cost_center": "DUN-100"}
    app = opened("what_changed", sample_company.data, part="sharing", **own)
    assert {row["Part"] for row in rows_of(app, "Changes by subscription")} == {"Shared costs"}
    assert own in addresses(app, "chargeback")
    assert rows_of(opened("chargeback", sample_company.data, **own), "Shared costs")


def test_the_home_page_shows_twelve_months_movers_default_and_what_is_searched(
    opened: Open,
) -> None:
    app = opened()
    shown = text(app)
    assert len(app.get("vega_lite_chart")) == 2, "a chart per currency"
    assert "Biggest movers" in [header.value for header in app.subheader]
    assert (
        "what_changed?period=2026-02&amp;organization=evergreen&amp;cost_center=EVG-SALES" in shown
    )
    assert "without a decision" in shown
    app.text_input(key="search").input("mark").run()
    assert "cost_center=EVG-MKT" in text(app)
    app.text_input(key="search").input("nowhere").run()
    assert "Nothing has &#x27;nowhere&#x27; in its name or id." in text(app)
    app.text_input(key="search").input("commerce").run()
    (link,) = addresses(app, "by_unit")
    assert rows_of(opened("by_unit", **link), "Cost centers")
    app.text_input(key="search").input("mail order").run()
    assert {row["Last charged"] for row in rows_of(app, "Found")} == {"no charges"}
    app.text_input(key="search").input("456").run()
    (row,) = rows_of(app, "Found")
    assert (row["Kind"], row["ID"], row["Last charged"]) == (
        "Subscription", "456", "February 2026",
    )  # fmt: skip
    assert "organization=evergreen&amp;subscription=456" in text(app)


def test_an_invoice_leads_to_its_lines(opened: Open, sample_company: Company) -> None:
    app = opened(of=sample_company.data)
    app.text_input(key="search").input("LXD-2026-0318").run()
    (link,) = [link for link in addresses(app, "chargeback") if "invoice" in link]
    app = opened("chargeback", sample_company.data, **link)
    assert "Invoice LXD-2026-0318</li>" in text(app)
    ((lines,),) = query(
        sample_company.data,
        "select count(*) from billing_report where invoice_number = 'LXD-2026-0318'",
    )
    assert len(rows_of(app, "Billing lines")) == lines


def test_exports_are_written_and_offered_where_the_viewer_may(
    opened: Open, data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = copied(data, tmp_path / "data")
    app = opened("exports", own, period="2026-01")
    assert "Nothing is exported of these results yet" in text(app)
    assert not app.button, "without editing, the app writes nothing"
    monkeypatch.setenv("APPORTION_EDIT", "1")
    app = opened("exports", own, period="2026-01")
    (write,) = [button for button in app.button if button.label == "Write exports"]
    write.click().run()
    assert not app.exception
    assert "journal-2026-01.csv" in text(app)
    assert "statements/" in text(app)
    (download,) = app.get("download_button")
    assert re.fullmatch(r"Download \d+ files \(zip\)", download.proto.label)

    monkeypatch.delenv("APPORTION_EDIT")
    monkeypatch.setenv("APPORTION_CUSTOMER", "evergreen")
    app = opened("exports", own, period="2026-01")
    assert "evergreen-2026-01.xlsx" in text(app)
    assert "journal" not in text(app)
    app = opened("exports", own, period="2026-02")
    assert "The broker has not exported these results yet" in text(app)


def test_a_customer_reads_how_a_charge_was_split(
    opened: Open, monkeypatch: pytest.MonkeyPatch, data: DataFolder
) -> None:
    monkeypatch.setattr(sys, "argv", ["main.py", "--customer", "evergreen"])
    with tables(data, Viewer("evergreen")) as connection:
        ((line,),) = connection.execute(
            "select distinct line_id from billing_report"
            " where billing_period = '2026-01' and charge_type = 'cycleCharge'"
        ).fetchall()
    shown = text(opened("chargeback", line=line, billed="2026-01"))
    # Sold at 662.00, which cost 529.60: 662 x 7 / 20 = 231.70.
    assert "Marketing has 7 of 20, so the amount is 231.7." in shown
    assert "cost is" not in shown and "529" not in shown
    assert "Sales price" not in shown


def test_a_file_is_checked_and_put_into_landing(
    opened: Open, data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = copied(data, tmp_path / "data")
    monkeypatch.setenv("APPORTION_EDIT", "1")
    app = opened("check_file", own)
    bill = BILL_HEADER + (
        "123,Microsoft 365 E3,20,100,120,28 Feb 2026,6 Mar 2026,"
        "cycleCharge. From 28 Feb 2026 to 27 Mar 2026 (28 days),evergreen,USD\n"
    )
    app.file_uploader[0].set_value(("march.csv", bill.encode(), "text/csv")).run()
    assert not app.exception
    assert "A run would use every row" in app.success[0].value
    assert "billing_lines/march.csv" in app.code[0].value
    (name,) = [field for field in app.text_input if field.label == "Your name"]
    name.set_value("Ann").run()
    (land,) = [button for button in app.button if button.label == "Put into landing"]
    land.click().run()
    assert (own.landing / "billing_lines" / "march.csv").read_text() == bill
