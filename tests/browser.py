"""One browser for all of these tests."""

import shutil
from collections.abc import Iterator

import pytest

# Playwright may not be installed, then the tests are skipped.
playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[playwright.Browser]:
    """Start Chromium; each context of it has a profile of its own, and an empty one."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()
