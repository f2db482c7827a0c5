"""The MLflow UI: on this machine only, with links that compare the runs.

UPDATE_SCREENSHOTS=1 pytest tests/commands/test_ui.py     also writes docs/images
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from common.results import ACCURACY, load_results
from tests.fixtures import ROOT, Workspace, write_fake_results

# MLflow's libraries warn about each other.
pytestmark = pytest.mark.filterwarnings("ignore")

UPDATE = bool(os.environ.get("UPDATE_SCREENSHOTS"))
SIZE = {"width": 1280, "height": 1050}
RUNS = {"short": 1000, "long": 10_000}
MILLISECONDS = 60_000
# Dialogs that a person would have closed.
DISMISSED = {
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "mlflow.assistant.panelOpen_v1": "false",
}


def test_a_port_in_use_is_one_line(workspace: Workspace) -> None:
    """It is noticed before anything takes time."""
    write_fake_results(workspace.path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = workspace.run("commands.ui", "--port", port)
    expected = f"port {port}: Address already in use; try `make ui PORT={port + 1}`"
    assert (outcome.status, outcome.error()) == (1, expected)


def test_without_results_it_says_what_to_do(workspace: Workspace) -> None:
    outcome = workspace.run("commands.ui")
    assert (outcome.status, outcome.error()) == (2, "dvc.lock: not found; `dvc repro` makes it")


@contextmanager
def serving(number: signal.Signals, **variables: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Serve the working directory until a signal; yield the port, and the printed links."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    inherited = {name: value for name, value in os.environ.items() if "MLFLOW_" not in name}
    with subprocess.Popen(
        [sys.executable, "-m", "commands.ui", "--port", str(port)],
        env=inherited | {"PYTHONPATH": str(ROOT)} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        lines = [process.stdout.readline().rstrip("\n") for _ in range(len(RUNS) + 3)]
        try:
            while process.poll() is None and not request(port, f"localhost:{port}"):
                time.sleep(0.1)
            yield port, dict(line.split(": ", 1) for line in lines[-3:-1])
        finally:
            process.send_signal(number)
            # It ends when the last process that writes to it has ended.
            _, errors = process.communicate()
    assert "Traceback" not in errors
    assert request(port, f"localhost:{port}") == 0


def request(port: int, host: str) -> int:
    """Return the status of a reply, 0 if there is none."""
    with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        try:
            connection.request("GET", "/", headers={"Host": host})
            return connection.getresponse().status
        except ConnectionRefusedError:
            return 0


@pytest.mark.slow
@pytest.mark.usefixtures("completed_workspace")
def test_it_serves_this_machine_only() -> None:
    """Whatever the user's variables say; and nothing is left after Ctrl+C."""
    variables = {
        "MLFLOW_STATIC_PREFIX": "/x",
        "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true",
        "http_proxy": "http://127.0.0.1:9",
    }
    with serving(signal.SIGINT, **variables) as (port, _):
        assert request(port, f"127.0.0.1:{port}") == 200
        assert request(port, "example.org") == 403


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return the printed links to fake results, or to the repository's for screenshots of them.

    The working directory is where the results are.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT if UPDATE else tmp_path_factory.mktemp("results"))
        if not UPDATE:
            write_fake_results(Path(), iterations=RUNS)
        with serving(signal.SIGTERM) as (_, links):
            yield links


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """Open a tab, which reaches this machine only."""
    context = browser.new_context(viewport=SIZE, locale="en-GB", timezone_id="UTC")
    context.route(lambda url: not url.startswith("http://127.0.0.1:"), lambda route: route.abort())
    script = f"Object.entries({json.dumps(DISMISSED)}).forEach(e => localStorage.setItem(...e))"
    context.add_init_script(script)
    page = context.new_page()
    page.set_default_timeout(MILLISECONDS)
    yield page
    context.close()


@pytest.mark.slow
def test_one_chart_has_a_cost_curve_of_each_run(links: dict[str, str], page: Any) -> None:
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


@pytest.mark.slow
def test_the_table_has_iterations_and_accuracies_of_both_runs(
    links: dict[str, str], page: Any
) -> None:
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
    measured = load_results(ACCURACY)
    expected = [round(measured[run].test, 3) for run in RUNS]
    assert values[first : first + len(RUNS)] == expected
    page.get_by_text("Visualizations").click()
    page.get_by_role("switch", name="Parameters - Show diff only").click()
    _screenshot(page, "mlflow-table.png")


def _screenshot(page: Any, name: str) -> None:
    """Write a screenshot if that is wanted, without the button that covers a corner."""
    if UPDATE:
        page.get_by_role("button", name="MLflow Assistant").last.evaluate("e => e.remove()")
        page.wait_for_timeout(3000)
        page.screenshot(path=ROOT / "docs/images" / name, animations="disabled")
