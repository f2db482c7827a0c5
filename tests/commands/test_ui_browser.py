"""MLflow's pages as a person sees them: two runs, their accuracies, and both cost curves.

UPDATE_SCREENSHOTS=1 pytest tests/browser     also takes the pictures in docs/images
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fixtures import ROOT, entry, write_fake_results, synthetic_params, yaml

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

IMAGES = ROOT / "docs" / "images"
UPDATE = bool(os.environ.get("UPDATE_SCREENSHOTS"))
SIZE = {"width": 1280, "height": 960}
RUNS = {"short": 1000, "long": 10_000}
SECONDS = 60
# What a person would have clicked away.
DISMISSED = {
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "mlflow.assistant.panelOpen_v1": "false",
}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the repository if pictures of its real result are asked for, or a fabricated result."""
    if UPDATE:
        return ROOT
    path = tmp_path_factory.mktemp("result")
    write_fake_results(path, iterations=RUNS)
    yaml().dump(synthetic_params(), path / "params.yaml")
    yaml().dump({"synthetic": entry("https://example.org/{file}")}, path / "datasets.yaml")
    return path


@pytest.fixture(scope="module")
def addresses(result: Path) -> Iterator[dict[str, str]]:
    """Give the addresses that `commands.ui` prints, as long as it serves them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    inherited = {name: value for name, value in os.environ.items() if "MLFLOW" not in name}
    environment = inherited | {"PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}
    track = [sys.executable, "-m", "stages.track"]
    subprocess.run(track, cwd=result, env=environment, check=True)
    server = subprocess.Popen(
        [sys.executable, "-m", "commands.ui", "--port", port],
        cwd=result,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout
        yield dict(server.stdout.readline().rstrip("\n").split(": ", 1) for _ in range(2))
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=SECONDS)
    assert server.returncode == 0


@pytest.fixture
def page(browser: playwright.Browser) -> Iterator[playwright.Page]:
    """Give an empty tab, which reaches this machine alone."""
    context = browser.new_context(viewport=SIZE, locale="en-GB", timezone_id="UTC")
    context.route(
        lambda address: not address.startswith("http://127.0.0.1:"),
        lambda route: route.abort(),
    )
    script = f"Object.entries({json.dumps(DISMISSED)}).forEach(e => localStorage.setItem(...e))"
    context.add_init_script(script)
    page = context.new_page()
    page.set_default_timeout(SECONDS * 1000)
    yield page
    context.close()


def test_the_charts_show_both_cost_curves(addresses: dict[str, str], page: playwright.Page) -> None:
    """One chart has a curve of each run, drawn with as many points as MLflow gives."""
    page.goto(addresses["charts"])
    for run in RUNS:
        page.get_by_role("link", name=run, exact=True).first.wait_for()
    chart = page.get_by_test_id("experiment-view-compare-runs-card").filter(
        has=page.get_by_role("heading", name="cost", exact=True)
    )
    lines = chart.locator("path.js-line")
    # As soon as it is drawn; each curve is there twice, for it is hidden behind itself.
    lines.nth(2 * len(RUNS) - 1).wait_for(state="attached")
    curves = lines.evaluate_all("all => all.map(e => [e.style.stroke, e.getAttribute('d')])")
    assert len(RUNS) == len({colour for colour, _ in curves})
    # Straight ones, or those that begin and end in one place, would be empty.
    assert all(path.count("L") > 20 for _, path in curves)
    _picture(page, "mlflow-charts.png", height=1050)


def test_the_table_shows_iterations_and_accuracies(
    addresses: dict[str, str], page: playwright.Page, result: Path
) -> None:
    """The two runs stand side by side, with the numbers of accuracy.json."""
    measured = json.loads((result / "metrics" / "accuracy.json").read_text())
    page.goto(addresses["table"])
    page.get_by_text("Comparing 2 Runs").wait_for()
    row = page.get_by_role("row").filter(
        has=page.get_by_role("rowheader", name="iterations", exact=True)
    )
    assert [str(iterations) for iterations in RUNS.values()] == row.locator("td").all_inner_texts()
    # Names and numbers are two grids beside each other.
    names, numbers = page.locator(".ReactVirtualized__Grid").all()[-2:]
    names.get_by_text("accuracy_test").wait_for()
    metrics = names.get_by_role("link").all_inner_texts()
    values = [float(text) for text in numbers.locator("span").all_inner_texts()]
    assert len(metrics) * len(RUNS) == len(values)
    for part in ("test", "train", "validation"):
        first = metrics.index(f"accuracy_{part}") * len(RUNS)
        assert [round(measured[run][part], 3) for run in RUNS] == values[first : first + len(RUNS)]
    page.get_by_text("Visualizations").click()
    page.get_by_role("switch", name="Parameters - Show diff only").click()
    _picture(page, "mlflow-table.png", height=1050)


def _picture(page: playwright.Page, name: str, height: int) -> None:
    """Take a picture, if that is asked for, without the button that covers a corner."""
    if not UPDATE:
        return
    page.set_viewport_size(SIZE | {"height": height})
    page.get_by_role("button", name="MLflow Assistant").last.evaluate("e => e.remove()")
    page.wait_for_timeout(3000)
    IMAGES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=IMAGES / name, animations="disabled")
