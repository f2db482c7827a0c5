"""The MLflow UI as a person sees it.

UPDATE_SCREENSHOTS=1 pytest tests/commands/test_ui_browser.py     also writes docs/images
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.test_ui import serving
from tests.fixtures import ROOT, entry, synthetic_params, write_fake_results, write_yaml

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

pytestmark = pytest.mark.slow

IMAGES = ROOT / "docs" / "images"
UPDATE = bool(os.environ.get("UPDATE_SCREENSHOTS"))
SIZE = {"width": 1280, "height": 1050}
RUNS = {"short": 1000, "long": 10_000}
SECONDS = 60
# Dialogs that a person would have closed.
DISMISSED = {
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "mlflow.assistant.panelOpen_v1": "false",
}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the repository if screenshots of its results are wanted, or one with fake results."""
    if UPDATE:
        return ROOT
    path = tmp_path_factory.mktemp("result")
    write_fake_results(path, iterations=RUNS)
    write_yaml(path / "params.yaml", synthetic_params())
    write_yaml(path / "datasets.yaml", {"synthetic": entry("https://example.org/{file}")})
    return path


@pytest.fixture(scope="module")
def links(result: Path) -> Iterator[dict[str, str]]:
    """Return the links that `commands.ui` prints, while it serves them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(result)
        with serving() as (_, _, links):
            yield links


@pytest.fixture
def page(browser: playwright.Browser) -> Iterator[playwright.Page]:
    """Open a tab, which reaches this machine only."""
    context = browser.new_context(viewport=SIZE, locale="en-GB", timezone_id="UTC")
    context.route(lambda url: not url.startswith("http://127.0.0.1:"), lambda route: route.abort())
    script = f"Object.entries({json.dumps(DISMISSED)}).forEach(e => localStorage.setItem(...e))"
    context.add_init_script(script)
    page = context.new_page()
    page.set_default_timeout(SECONDS * 1000)
    yield page
    context.close()


def test_the_charts_have_both_cost_curves(links: dict[str, str], page: playwright.Page) -> None:
    """One chart has a curve of each run."""
    page.goto(links["charts"])
    for run in RUNS:
        page.get_by_role("link", name=run, exact=True).first.wait_for()
    chart = page.get_by_test_id("experiment-view-compare-runs-card").filter(
        has=page.get_by_role("heading", name="cost", exact=True)
    )
    lines = chart.locator("path.js-line")
    # Each curve is there twice, because it is hidden behind itself.
    lines.nth(2 * len(RUNS) - 1).wait_for(state="attached")
    curves = set(lines.evaluate_all("all => all.map(e => e.getAttribute('d'))"))
    assert len(curves) == len(RUNS)
    assert all(curve.count("L") > 20 for curve in curves)
    _screenshot(page, "mlflow-charts.png")


def test_the_table_has_iterations_and_accuracies(
    links: dict[str, str], page: playwright.Page, result: Path
) -> None:
    """Both runs are side by side, in their order, with the numbers of accuracy.json."""
    measured = json.loads((result / "metrics" / "accuracy.json").read_text())
    page.goto(links["table"])
    page.get_by_text("Comparing 2 Runs").wait_for()
    row = page.get_by_role("row").filter(
        has=page.get_by_role("rowheader", name="iterations", exact=True)
    )
    assert row.locator("td").all_inner_texts() == [str(count) for count in RUNS.values()]
    # Names and numbers are two grids beside each other.
    names, numbers = page.locator(".ReactVirtualized__Grid").all()[-2:]
    names.get_by_text("accuracy_test").wait_for()
    first = names.get_by_role("link").all_inner_texts().index("accuracy_test") * len(RUNS)
    values = [float(text) for text in numbers.locator("span").all_inner_texts()]
    expected = [round(measured[run]["test"], 3) for run in RUNS]
    assert values[first : first + len(RUNS)] == expected
    page.get_by_text("Visualizations").click()
    page.get_by_role("switch", name="Parameters - Show diff only").click()
    _screenshot(page, "mlflow-table.png")


def _screenshot(page: playwright.Page, name: str) -> None:
    """Write a screenshot if that is wanted, without the button that covers a corner."""
    if UPDATE:
        page.get_by_role("button", name="MLflow Assistant").last.evaluate("e => e.remove()")
        page.wait_for_timeout(3000)
        page.screenshot(path=IMAGES / name, animations="disabled")
