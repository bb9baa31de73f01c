"""A real browser for tests: Debian's package chromium."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

WAIT_MILLISECONDS = 60_000
"""How long a test waits for what it expects or clicks."""

CHROMIUM = shutil.which("chromium")
NEEDS_CHROMIUM = pytest.mark.skipif(
    CHROMIUM is None,
    reason="NOT TESTED IN A BROWSER: there is no chromium (apt-get install chromium)",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that waits a minute for what a test expects."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        expect.set_options(timeout=WAIT_MILLISECONDS)
        yield launched
        launched.close()
