"""Signing in with a real OpenID Connect provider, in a real browser: each role and what it sees."""

import secrets
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import oidc_provider_mock
import pytest
from browsers import NEEDS_CHROMIUM, chromium
from conftest import MadeOnce
from playwright.sync_api import Browser, Page, expect
from published_company import copied, published_company
from test_app_browser import free_port, served

from app import changes
from app.splits import Change
from dagster_project.records import Person
from dagster_project.settings import DataFolder

pytestmark = NEEDS_CHROMIUM
ROLES = """
two_people = ["evergreen"]

[[roles]]
people = ["ann@broker.example"]
broker = true

[[roles]]
groups = ["evergreen-finance"]
organization = "evergreen"
may_edit = true

[[roles]]
people = ["sam@evergreen.example"]
organization = "evergreen"
cost_centers = ["EVG-SALES"]
"""
PEOPLE = (
    ("ann", {"email": "ann@broker.example", "email_verified": True}),
    ("kim", {"email": "kim@evergreen.example", "groups": ["evergreen-finance"]}),
    ("lee", {"email": "lee@evergreen.example", "groups": ["evergreen-finance"]}),
    ("sam", {"email": "sam@evergreen.example", "email_verified": True}),
    ("eve", {"email": "ann@broker.example", "email_verified": False}),
)
CUSTOMER_PAGES = (
    "Chargeback", "By unit", "What changed", "Trend", "Budget", "License pool",
    "Cost center history",
)  # fmt: skip


@pytest.fixture(scope="module")
def data(made_once: MadeOnce, tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """A published company with roles."""
    data = copied(published_company(made_once), tmp_path_factory.mktemp("sign_in") / "data")
    (data.root / "roles.toml").write_text(ROLES)
    return data


@pytest.fixture(scope="module")
def address(data: DataFolder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app, on a provider that knows five people."""
    folder = tmp_path_factory.mktemp("provider")
    users = [oidc_provider_mock.User(sub=sub, claims=claims) for sub, claims in PEOPLE]
    with oidc_provider_mock.run_server_in_thread(user_claims=users) as provider:
        port = free_port()
        settings = folder / "secrets.toml"
        settings.write_text(
            f"""
            [auth]
            redirect_uri = "http://127.0.0.1:{port}/oauth2callback"
            cookie_secret = "{secrets.token_hex(32)}"
            client_id = "apportion"
            client_secret = "apportion"
            server_metadata_url =
                "http://127.0.0.1:{provider.server_port}/.well-known/openid-configuration"
            """.replace("url =\n                ", "url = ")
        )
        with served(data, port=port, STREAMLIT_SECRETS_FILES=str(settings)) as app:
            yield app


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def sign_in(page: Page, address: str, name: str) -> None:
    page.goto(address)
    expect(page.locator("h1.page")).to_have_text("Apportion")
    # Before the sign-in, nothing is shown.
    assert page.get_by_test_id("stSidebarNav").count() == 0 and "Evergreen" not in page.content()
    page.get_by_role("button", name="Sign in").click()
    page.locator("input[name=sub]").fill(name)
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_text("Signed in as")).to_be_visible()


def settle(page: Page) -> None:
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    assert page.get_by_test_id("stException").count() == 0


def test_the_broker_sees_costs_of_all_organizations(page: Page, address: str) -> None:
    sign_in(page, address, "ann")
    expect(page.get_by_role("link", name="Reconciliation")).to_be_visible()
    page.get_by_role("link", name="Chargeback", exact=True).click()
    expect(page.locator("h1.page")).to_have_text("Chargeback")
    settle(page)
    assert "Harbor" in page.content() and "Margin" in page.content()


def test_an_owner_sees_own_cost_centers_on_every_page(page: Page, address: str) -> None:
    sign_in(page, address, "sam")
    for name in ("", *CUSTOMER_PAGES):
        if name:
            page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
            expect(page.locator("h1.page")).to_have_text(name)
        settle(page)
        shown = page.locator("body").inner_text()
        assert not any(word in shown for word in ("Marketing", "Harbor", "Margin")), name
    for name in ("Findings to review", "Reconciliation", "Change a split", "Cost centers"):
        assert page.get_by_role("link", name=name).count() == 0
    # Addresses of what belongs to others.
    for query in ("organization=harbor", "organization=evergreen&cost_center=EVG-MKT"):
        page.goto(f"{address}/chargeback?period=2026-01&{query}")
        expect(page.locator("h1.page")).to_have_text("Chargeback")
        settle(page)
        shown = page.locator("body").inner_text()
        assert "Harbor" not in shown and "Marketing" not in shown, query
    for name, title in (
        ("findings", "Findings"), ("change_split", "Change"), ("cost_centers", "Cost centers"),
    ):  # fmt: skip
        page.goto(f"{address}/{name}?organization=evergreen")
        expect(page.get_by_test_id("stSidebarNav")).to_be_visible()
        settle(page)
        assert title not in page.locator("h1.page").inner_text(), name


def test_a_group_has_the_role_of_its_organization(page: Page, address: str) -> None:
    sign_in(page, address, "kim")
    page.get_by_role("link", name="Chargeback", exact=True).click()
    expect(page.locator("h1.page")).to_have_text("Chargeback")
    settle(page)
    shown = page.locator("body").inner_text()
    assert "Marketing" in shown and "Harbor" not in shown and "Margin" not in shown
    # The role may edit, which shows no cost and starts no run.
    for name in ("Change a split", "Cost centers"):
        page.get_by_test_id("stSidebarNav").get_by_role("link", name=name).click()
        expect(page.locator("h1.page")).to_have_text(name)
        settle(page)
        shown = page.locator("body").inner_text()
        assert "Marketing" in shown and "Harbor" not in shown and "Cost before" not in shown
        assert page.get_by_role("button", name="Run now").count() == 0
        # The name is that of the person who signed in.
        assert page.get_by_role("textbox", name="Your name").count() == 0


def test_two_people_change_a_split_and_a_cost_center_in_two_browsers(
    browser: Browser, page: Page, data: DataFolder, address: str
) -> None:
    before = {path for path in data.landing.rglob("*") if path.is_file()}
    # As the button of the page does, after it has computed the effect for a minute.
    change = Change(
        "evergreen", "123", datetime(2026, 2, 9), Decimal(20), (("EVG-SALES", Decimal(4)),)
    )
    kim = Person("kim@evergreen.example", "kim")
    changes.propose(data, kim, change, subject="Sales 4", reason="two people left")
    sign_in(page, address, "kim")
    page.goto(f"{address}/change_split?subscription=123")
    expect(page.get_by_role("button", name="Withdraw")).to_be_visible()
    settle(page)
    assert page.get_by_role("button", name="Approve and save").count() == 0
    page.goto(f"{address}/cost_centers")
    for label, words in (("Name", "Kiosk"), ("Id", "EVG-KIOSK"), ("Reason", "a new shop")):
        field = page.get_by_role("textbox", name=label, exact=True)
        field.fill(words)
        field.press("Enter")
    page.get_by_role("button", name="Propose").click()
    expect(page.get_by_text("It is saved when somebody else approves it")).to_be_visible()
    assert {path for path in data.landing.rglob("*") if path.is_file()} == before

    other = browser.new_context()
    try:
        second = other.new_page()
        sign_in(second, address, "lee")
        for place, reason, file in (
            ("change_split", "two people left", "split_history/split-123-"),
            ("cost_centers", "a new shop", "cost_centers/cost-center-evergreen-EVG-KIOSK-"),
        ):
            second.goto(f"{address}/{place}")
            expect(second.get_by_text(reason).first).to_be_visible()
            second.get_by_role("button", name="Approve and save").click()
            expect(second.get_by_text(f"Saved as landing/{file}")).to_be_visible()
    finally:
        other.close()
    written = {path for path in data.landing.rglob("*") if path.is_file()} - before
    assert {path.parent.name for path in written} == {"split_history", "cost_centers"}
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert "kim" in text and ",lee," in text
    page.goto(f"{address}/change_split?subscription=123")
    expect(page.get_by_text("Approved and saved").first).to_be_visible()
    assert page.get_by_role("button", name="Withdraw").count() == 0


def test_a_person_without_a_role_sees_nothing(page: Page, address: str) -> None:
    sign_in(page, address, "eve")
    expect(page.get_by_text("have no role here")).to_be_visible()
    settle(page)
    assert page.get_by_test_id("stSidebarNav").count() == 0
    assert "Evergreen" not in page.content()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_cookie_that_the_app_did_not_sign_is_no_sign_in(page: Page, address: str) -> None:
    value = '"2|1:0|10:1700000000|15:_streamlit_user|8:eyJhIjoxfQ==|aaaa"'
    page.context.add_cookies([{"name": "_streamlit_user", "value": value, "url": address}])
    page.goto(address)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert "Evergreen" not in page.content()


def test_without_the_file_of_roles_nobody_sees_anything(
    page: Page, data: DataFolder, address: str
) -> None:
    roles = data.root / "roles.toml"
    roles.rename(data.root / "deleted.toml")
    try:
        page.goto(address)
        expect(page.get_by_text("the data folder has no roles.toml")).to_be_visible()
        assert page.get_by_test_id("stSidebarNav").count() == 0
        assert "Evergreen" not in page.content()
    finally:
        (data.root / "deleted.toml").rename(roles)
