"""Each page, run by Streamlit as it runs it, on a published company."""

import sys
from collections.abc import Callable
from datetime import datetime
from html import escape
from pathlib import Path

import pytest
from published_company import copied, published_company, query
from streamlit.testing.v1 import AppTest

from dagster_project.settings import PROJECT_ROOT, DataFolder

Open = Callable[..., AppTest]
TIMEOUT_SECONDS = 120


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    return published_company(tmp_path_factory)


@pytest.fixture
def opened(data: DataFolder, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a page of the app, with what its address says."""
    monkeypatch.setattr(sys, "argv", ["main.py"])
    # Streamlit puts the app in the place of the main module and leaves it there; processes that
    # later tests spawn would start by running the app.
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
            # Streamlit forgets the address when the page changes; a link would bring it.
            for name, value in address.items():
                app.query_params[name] = value
            app.run()
        assert not app.exception
        return app

    return open_page


def text(app: AppTest) -> str:
    """All markup of the page."""
    return "\n".join(element.proto.body for element in app.get("html"))


def picker(app: AppTest, label: str) -> list[str]:
    """The options of a picker."""
    (found,) = [box for box in app.selectbox if box.label == label]
    return list(found.options)


def test_this_month_tells_each_currency_what_ties_and_who_pays_most(opened: Open) -> None:
    app = opened()
    shown = text(app)
    assert "February 2026" in shown
    assert '1,236,403.89 <span class="currency">USD</span>' in shown
    assert '90.00 <span class="currency">EUR</span>' in shown
    assert "1 bill not complete, or not as the invoice says" in shown
    assert "1 error, 1 warning, 1 note" in shown
    assert "leave out 1 line that cost 90.00 EUR" in shown
    assert shown.index("Sales</a>") < shown.index("Marketing</a>")
    assert picker(app, "Billing period") == ["February 2026 (open)", "January 2026 (closed)"]


def test_names_from_files_are_text_and_never_markup(opened: Open) -> None:
    shown = text(opened(organization="harbor"))
    assert "Harbor &lt;b&gt;&amp;&lt;/b&gt; Co" in shown
    assert "<b>&" not in shown


def test_what_the_address_says_is_picked_and_what_is_picked_is_in_the_address(
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


def test_nonsense_in_the_address_counts_for_nothing(opened: Open) -> None:
    app = opened(period="1999-99", organization="nobody")
    assert "February 2026" in text(app)
    assert app.query_params["period"] == "2026-02"


def test_what_was_passed_on_is_shown_where_it_makes_a_difference(opened: Open) -> None:
    shown = text(opened("chargeback", organization="evergreen"))
    assert "Cost after sharing" in shown
    # Marketing bears 183.60 of Power BI, and has no line of it.
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


def test_lines_come_a_page_at_a_time_and_lead_to_their_explanation(
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


def test_a_refund_leads_to_the_charge_it_gives_back_where_it_is_known(
    opened: Open, data: DataFolder
) -> None:
    ((refund,),) = query(
        data, "select distinct line_id from billing_report where charge_kind = 'refund'"
    )
    shown = text(opened("chargeback", line=refund))
    assert "-145.65" in shown
    assert "Sales" in shown
    assert "No such line" in text(opened("chargeback", line="not a line"))


def test_trend_has_months_of_one_currency_and_says_when_no_forecast_is_there(
    opened: Open, data: DataFolder
) -> None:
    app = opened("trend")
    assert picker(app, "Currency") == ["USD", "EUR"]
    shown = text(app)
    assert "578.15" in shown
    assert "90.00" not in shown
    assert app.get("arrow_vega_lite_chart") or app.get("vega_lite_chart")


def test_budget_says_in_words_that_there_is_none(opened: Open) -> None:
    assert "No budget has landed yet: put one into landing/budgets" in text(opened("budget"))


def test_findings_are_grouped_by_what_they_mean(opened: Open) -> None:
    app = opened("findings")
    shown = text(app)
    assert shown.index("Error") < shown.index("Warning")
    assert "A subscription is billed but nobody ever split it" in shown
    (box,) = [box for box in app.selectbox if box.label == "Show"]
    box.select("error").run()
    assert "nobody ever split it" not in text(app)


def test_reconciliation_shows_what_is_missing_and_why(opened: Open) -> None:
    shown = text(opened("reconciliation"))
    assert "Rows missing" in shown
    assert "not a number" in shown
    assert "billing_lines/2026-02.csv" in shown
    shown = text(opened("reconciliation", period="2026-01"))
    assert "everything that landed could be read" in shown


def test_the_license_pool_tells_no_pending_licenses_without_a_directory(opened: Open) -> None:
    shown = text(opened("license_pool"))
    assert "Microsoft 365 E3, 20 bought" in shown
    assert "no directory has landed" in shown
    assert "Pending" not in shown


def test_cost_center_history_shows_every_split_of_a_subscription(opened: Open) -> None:
    shown = text(opened("cost_center_history", organization="evergreen", subscription="123"))
    assert "Since 20 Dec 2025" in shown
    assert "15 Dec 2025 to 20 Dec 2025" in shown
    assert "66.7 %" in shown


# --- customers -------------------------------------------------------------------------

CUSTOMER_PAGES = ("", "chargeback", "trend", "license_pool", "cost_center_history")


@pytest.mark.parametrize("page", CUSTOMER_PAGES)
def test_a_customers_pages_have_no_cost_and_nobody_else(
    opened: Open, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["main.py", "--customer", "evergreen"])
    app = opened(page, organization="harbor", cost_center="HAR-1", subscription="900")
    shown = text(app)
    assert not [box for box in app.selectbox if box.label == "Organization"]
    for box in app.selectbox:
        assert not any("Harbor" in option or "900" in option for option in box.options)
    for unseen in ("Harbor", "Dock", "EUR", "1,236,403.89", ">Cost<", ">Margin<"):
        assert unseen not in shown
    if page in ("", "chargeback", "trend"):
        assert "Amount" in shown


def test_a_line_of_another_customer_cannot_be_opened(
    opened: Open, monkeypatch: pytest.MonkeyPatch, data: DataFolder
) -> None:
    ((line,),) = query(
        data,
        "select distinct line_id from billing_report"
        " where organization_id = 'harbor' and billing_period = '2026-02'",
    )
    monkeypatch.setattr(sys, "argv", ["main.py", "--customer", "evergreen"])
    app = opened("chargeback", line=line, billed="2026-02")
    assert "No such line is published" in text(app)


@pytest.mark.parametrize("page", ["budget", "findings", "reconciliation", "change_split"])
def test_customers_have_no_pages_of_the_broker(
    opened: Open, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["main.py", "--customer", "evergreen"])
    monkeypatch.setenv("APPORTION_EDIT", "1")
    with pytest.raises(ValueError, match="navigation page"):
        opened(page)


@pytest.mark.parametrize("arguments", [["--customer", "nobody"], ["--custmer", "evergreen"]])
def test_an_app_started_for_nobody_known_shows_nothing(
    opened: Open, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["main.py", *arguments])
    app = opened()
    assert "Evergreen" not in text(app)
    assert "USD" not in text(app)


def test_an_app_without_anything_published_says_what_to_do(opened: Open, tmp_path: Path) -> None:
    assert "make run comes first" in text(opened(of=DataFolder(tmp_path)))


# --- changing a split ------------------------------------------------------------------


def test_splits_are_changed_only_where_that_was_asked_for(opened: Open) -> None:
    with pytest.raises(ValueError, match="navigation page"):
        opened("change_split")


@pytest.fixture(scope="module")
def editable(data: DataFolder, tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    return copied(data, tmp_path_factory.mktemp("editable") / "data")


def asked_for(app: AppTest, at: datetime, **licenses: int) -> AppTest:
    """The form of the page, filled in and sent."""
    (instant,) = app.get("datetime_input")
    instant.set_value(at)
    for label, quantity in licenses.items():
        (box,) = [box for box in app.number_input if box.label == label]
        box.set_value(quantity)
    (button,) = [button for button in app.button if button.label.startswith("Check it")]
    button.click().run()
    assert not app.exception
    return app


def test_a_split_before_the_last_closed_bill_is_refused(
    opened: Open, monkeypatch: pytest.MonkeyPatch, editable: DataFolder
) -> None:
    monkeypatch.setenv("APPORTION_EDIT", "1")
    app = opened("change_split", editable, organization="evergreen", subscription="123")
    shown = text(asked_for(app, datetime(2026, 1, 5, 12), Sales=1))
    assert "Closed periods never change" in shown
    assert not [button for button in app.button if button.label == "Save this split"]


def test_a_split_is_previewed_by_the_real_rules_and_saved_as_a_file(
    opened: Open, monkeypatch: pytest.MonkeyPatch, editable: DataFolder
) -> None:
    monkeypatch.setenv("APPORTION_EDIT", "1")
    folder = editable.landing / "split_history"
    before = set(folder.iterdir())
    app = opened("change_split", editable, organization="evergreen", subscription="123")
    shown = text(asked_for(app, datetime(2026, 1, 20, 9, 30), Sales=5, Marketing=12))
    assert "3 of 20 licenses are given to nobody" in shown
    assert "Closed periods do not change" in shown
    # 10 of 20 licenses become 5: a quarter of 1,234,567.89 goes from Sales to Marketing.
    assert "-308,641.97" in shown
    assert set(folder.iterdir()) == before
    (save,) = [button for button in app.button if button.label == "Save this split"]
    save.click().run()
    assert "The next run applies it" in text(app)
    (written,) = set(folder.iterdir()) - before
    lines = written.read_text().splitlines()
    assert lines[1].startswith(
        "123,Cost center split adjusted,2026-01-20T09:30:00Z,20,Marketing,12,EVG-MKT,evergreen,"
    )
    assert [line.split(",")[4:6] for line in lines[1:]] == [
        ["Marketing", "12"],
        ["Mail Order", "0"],
        ["Sales", "5"],
        ["Default", "3"],
    ]
