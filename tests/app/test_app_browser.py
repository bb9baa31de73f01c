"""The app in a real browser: every page without errors and without requests to other hosts.

Needs the Debian package chromium. Screenshots of all pages stay in the temporary folder of pytest.
"""

import http.client
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from browsers import NEEDS_CHROMIUM, WAIT_MILLISECONDS, chromium
from conftest import MadeOnce
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect
from published_company import published_company

from dagster_project.settings import PROJECT_ROOT, DataFolder

PAGES = (
    "This month at a glance",
    "Chargeback",
    "By unit",
    "What changed",
    "Trend",
    "Budget",
    "Exports",
    "Findings to review",
    "Reconciliation",
    "Check a file",
    "License pool",
    "Cost center history",
    "Change a split",
    "Cost centers",
)
pytestmark = NEEDS_CHROMIUM

# Relative luminance and contrast as WCAG 2.2 defines them; text over half-transparent grounds is
# blended. Icons and disabled elements are exempt there too.
LOW_CONTRASTS = """
() => {
  const parse = (color) => {
    const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, under) => ({
    r: top.r * top.a + under.r * (1 - top.a),
    g: top.g * top.a + under.g * (1 - top.a),
    b: top.b * top.a + under.b * (1 - top.a),
    a: 1,
  });
  const ground = (element) => {
    if (!element) return { r: 255, g: 255, b: 255, a: 1 };
    const own = parse(getComputedStyle(element).backgroundColor);
    return own.a === 1 ? own : over(own, ground(element.parentElement));
  };
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility() || element.closest("style, script, svg")) continue;
    if (element.closest('[disabled], [aria-hidden="true"], .unseen')) continue;
    const under = ground(element);
    const shown = over(parse(getComputedStyle(element).color), under);
    const [high, low] = [luminance(shown), luminance(under)].sort((a, b) => b - a);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < 4.5) found.push(`${text}: ${contrast.toFixed(2)}`);
  }
  return found;
}
"""


@dataclass
class Tab:
    """A browser tab, with its errors and its requests to other hosts."""

    page: Page
    screenshots: Path
    problems: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(WAIT_MILLISECONDS)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        # Streamlit probes for its server below the address of the page first.
        is_probe = urlsplit(message.location["url"]).path.endswith(
            ("/_stcore/health", "/_stcore/host-config")
        )
        if message.type == "error" and not is_probe:
            self.problems.append(message.text)

    def _on_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            self.outside.append(request.url)

    def settle(self) -> None:
        """Wait until the page is drawn."""
        expect(self.page.locator("h1.page")).to_be_visible()
        expect(self.page.get_by_test_id("stApp")).to_have_attribute(
            "data-test-script-state", "notRunning"
        )

    def photograph(self, name: str) -> None:
        """Keep a picture of the whole page."""
        self.page.screenshot(path=self.screenshots / f"{name}.png", full_page=True)

    def expect_nothing_wrong(self) -> None:
        """No error, no request to another host, no text of low contrast."""
        assert self.problems == []
        assert self.outside == []
        assert self.page.get_by_test_id("stException").count() == 0
        assert self.page.evaluate(LOW_CONTRASTS) == []


@pytest.fixture(scope="module")
def data(made_once: MadeOnce) -> DataFolder:
    return published_company(made_once)


def free_port() -> int:
    """A port that no process listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(
    data: DataFolder, *arguments: str, port: int | None = None, **environment: str
) -> Iterator[str]:
    """Serve the app and return its address."""
    port = port or free_port()
    kept = {name: text for name, text in os.environ.items() if not name.startswith("APPORTION_")}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "streamlit", "run", "app/server.py"),
            *("--server.port", str(port), "--", *arguments),
        ],
        cwd=PROJECT_ROOT,
        env={**kept, "APPORTION_DATA": str(data.root), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                    break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                assert process.poll() is None, "the app ended while it started"
                assert time.monotonic() < deadline, "the app does not start"
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture
def new_tab(browser: Browser, tmp_path: Path) -> Iterator[Callable[[], Tab]]:
    context = browser.new_context(viewport={"width": 1360, "height": 900}, locale="en-US")
    yield lambda: Tab(context.new_page(), tmp_path)
    context.close()


def test_every_page_works_without_errors_and_without_other_hosts(
    data: DataFolder, new_tab: Callable[[], Tab]
) -> None:
    with served(data, APPORTION_EDIT="1") as address:
        tab = new_tab()
        tab.page.goto(address)
        for i, name in enumerate(PAGES):
            tab.page.get_by_test_id("stSidebarNav").get_by_role("link", name=name).click()
            heading = "February 2026" if name.startswith("This month") else name
            expect(tab.page.locator("h1.page")).to_have_text(heading)
            tab.settle()
            tab.photograph(f"{i + 1}-{name.lower().replace(' ', '-')}")
            tab.expect_nothing_wrong()
            # Only a mouse opens them.
            assert tab.page.get_by_test_id("stTooltipIcon").count() == 0
        charts = tab.page.get_by_test_id("stVegaLiteChart")
        tab.page.get_by_role("link", name="Trend").click()
        expect(charts.locator("canvas, svg").first).to_be_visible()

        # From the organizations down to the explanation of a line.
        tab.page.get_by_role("link", name="Chargeback", exact=True).click()
        # The page before has links of the same names.
        expect(tab.page.locator("h1.page")).to_have_text("Chargeback")
        tab.settle()
        table = tab.page.locator(".table")
        for step in ("Evergreen Retail", "Sales", "Microsoft 365 E3", "Cycle charge"):
            table.get_by_role("link", name=step, exact=True).first.click()
            tab.settle()
        expect(tab.page.get_by_text("1,234,567.891234").first).to_be_visible()
        assert "period=2026-02" in tab.page.url
        tab.photograph("10-line")
        tab.expect_nothing_wrong()
        tab.page.go_back()
        expect(tab.page.locator(".trail li").last).to_have_text("Microsoft 365 E3")

        # The selection stays when the page changes, and its address can be shared.
        tab.page.get_by_role("link", name="License pool").click()
        # Until the page has changed, the lines of the previous page are there too.
        expect(tab.page.locator("h1.page")).to_have_text("License pool")
        tab.settle()
        expect(tab.page.locator(".under")).to_have_text("Current licenses, Evergreen Retail")
        shared = new_tab()
        shared.page.goto(tab.page.url)
        expect(shared.page.locator(".under")).to_have_text("Current licenses, Evergreen Retail")

        # The download of the table.
        tab.page.get_by_role("link", name="Cost center history").click()
        tab.settle()
        with tab.page.expect_download() as download:
            tab.page.get_by_role("button", name="Download 6 rows (CSV)").click()
        saved = tab.screenshots / "download.csv"
        download.value.save_as(saved)
        assert download.value.suggested_filename.endswith("cost-center-history.csv")
        assert len(saved.read_text(encoding="utf-8-sig").splitlines()) == 7


IN_FOCUS = """
() => {
  const { tagName, innerText } = document.activeElement;
  const { left, right, top, bottom } = document.activeElement.getBoundingClientRect();
  const isInside = right > 0 && left < innerWidth && bottom > 0 && top < innerHeight;
  return [tagName, innerText.slice(0, 40), isInside];
}
"""
WIDER_THAN_SCREEN = """
() => [...document.querySelectorAll(".stMain *")]
  .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
  .filter((each) => !each.closest(".table, .unseen, svg"))
  .map((each) => each.outerHTML.slice(0, 200))
"""
TABLES_WIDER_THAN_PAPER = """
() => [...document.querySelectorAll(".table table")]
  .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
  .map((each) => each.caption.textContent)
"""
Media = Literal["screen", "print"]
PATHS = (
    *("", "chargeback", "by_unit", "what_changed", "trend", "budget", "exports"),
    *("findings", "reconciliation", "check_file", "license_pool", "cost_center_history"),
    *("change_split", "cost_centers"),
)


def every_page(
    address: str, context: BrowserContext, tmp_path: Path, media: Media
) -> Iterator[tuple[str, Tab]]:
    """The path and the tab of each page, one after the other."""
    for path in PATHS:
        tab = Tab(context.new_page(), tmp_path)
        tab.page.emulate_media(media=media)
        tab.page.goto(address.format(path=path))
        tab.settle()
        tab.photograph(f"{media}-{path or 'this-month'}")
        yield path, tab
        tab.page.close()
    context.close()


def test_on_a_phone_pages_fit_and_the_keyboard_reaches_only_what_is_visible(
    data: DataFolder, browser: Browser, tmp_path: Path
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="en-US")
    with served(data, APPORTION_EDIT="1") as address:
        pages = f"{address}/{{path}}?organization=evergreen&period=2026-02"
        for path, tab in every_page(pages, context, tmp_path, "screen"):
            assert tab.page.evaluate(WIDER_THAN_SCREEN) == [], path
            reached = []
            while (focused := _next_by_keyboard(tab.page))[0] != "BODY":
                reached.append(focused)
                assert len(reached) < 200, path
            assert [each for each in reached if not each[2]] == [], path
            # At least the button of the sidebar and one field, table or download.
            assert len(reached) > 2, path


def test_a_printed_page_has_all_columns_and_no_navigation(
    data: DataFolder, browser: Browser, tmp_path: Path
) -> None:
    # The width of A4 in landscape, less margins.
    context = browser.new_context(viewport={"width": 1032, "height": 720}, locale="en-US")
    with served(data, APPORTION_EDIT="1") as address:
        pages = f"{address}/{{path}}?period=2026-02"
        for path, tab in every_page(pages, context, tmp_path, "print"):
            assert tab.page.evaluate(TABLES_WIDER_THAN_PAPER) == [], path
            assert not tab.page.get_by_test_id("stSidebar").is_visible()
            for button in tab.page.get_by_test_id("stDownloadButton").all():
                assert not button.is_visible()


def _next_by_keyboard(page: Page) -> list:
    """The tag and the text of what Tab leads to next, and whether the screen shows it."""
    page.keyboard.press("Tab")
    focused: list = page.evaluate(IN_FOCUS)
    return focused


WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def asked(host: str, path: str, **headers: str) -> int:
    """The status of an answer to a request with these headers."""
    connection = http.client.HTTPConnection(host, timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_customer_cannot_reach_others_through_the_address(
    data: DataFolder, new_tab: Callable[[], Tab]
) -> None:
    with served(data, APPORTION_CUSTOMER="evergreen", APPORTION_EDIT="1") as address:
        tab = new_tab()
        downloads: list[str] = []
        for path in (*PATHS[:-2], "change_split"):
            tab.page.goto(f"{address}/{path}?organization=harbor&period=2026-02&currency=EUR")
            tab.settle()
            shown = tab.page.content()
            for unseen in ("Harbor", "Dock", "1,236,403.89", "Margin", "Reconciliation", "EUR"):
                assert unseen not in shown, (path, unseen)
            tab.photograph(f"customer-{path or 'this-month'}")
            # A dialog says that a page of the broker does not exist.
            buttons = tab.page.get_by_role("button", name="(CSV)").all()
            for button in buttons if tab.page.get_by_role("dialog").count() == 0 else ():
                with tab.page.expect_download() as download:
                    button.click()
                saved = download.value.path().read_text(encoding="utf-8-sig")
                for unseen in ("Harbor", "EUR", "Cost,", "Margin", "1234567.891234", "529.6,"):
                    assert unseen not in saved, (path, unseen)
                downloads.append(saved)
        assert tab.outside == []
        assert any("1300000" in saved for saved in downloads)

        # Pages of other sites, also under a name of theirs that leads to this machine.
        own = urlsplit(address).netloc
        assert asked(own, "/") == 200
        assert asked(own, "/", Host="evil.example") == 403
        for path in ("/", "/_stcore/host-config", "/_stcore/stream"):
            assert asked(own, path, Origin="https://evil.example") == 403
        assert asked(own, "/_stcore/stream", **WEBSOCKET, Origin="https://evil.example") == 403
        assert asked(own, "/_stcore/stream", **WEBSOCKET, Origin=address) == 101
