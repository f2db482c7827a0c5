"""The MLflow UI: on this machine only, with links that compare the runs.

UPDATE_SCREENSHOTS=1 pytest tests/commands/test_ui.py     also writes docs/images/mlflow-charts.png
"""

import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from commands.ui import show_links
from tests.workspace import (
    ROOT,
    Workspace,
    entry,
    synthetic_params,
    write_fake_results,
    write_yaml,
)

# MLflow's libraries warn about each other.
pytestmark = pytest.mark.filterwarnings("ignore")

UPDATE = bool(os.environ.get("UPDATE_SCREENSHOTS"))
RUNS = {"short": 1000, "long": 10_000}
# As if a person had closed the dialogs.
CLOSE_DIALOGS = """
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true")
localStorage.setItem("mlflow.assistant.panelOpen_v1", "false")
"""


def test_a_port_in_use_is_one_line(workspace: Workspace) -> None:
    """It is reported before MLflow starts."""
    write_fake_results(workspace.path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = workspace.run("commands.ui", "--port", port)
    assert "Address already in use" in outcome.error()
    assert outcome.error().endswith(f"; try `make ui PORT={port + 1}`")


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_an_impossible_port_is_refused(workspace: Workspace, port: int) -> None:
    outcome = workspace.run("commands.ui", f"--port={port}")
    assert (outcome.status, outcome.error()) == (2, f"port {port}: should be from 1 to 65535")


def test_the_links_name_both_runs(finished: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """Or say why a run is not in MLflow yet."""
    show_links("http://localhost:7")
    charts, *tracked, table = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in tracked] == list(RUNS)
    with closing(sqlite3.connect("mlflow.db")) as store:
        runs = dict(store.execute("SELECT run_uuid, name FROM runs ORDER BY start_time"))
    address = "http://localhost:7/#"
    assert charts == (
        f"charts: {address}/experiments/1/runs?compareRunsMode=CHART&workflowType=machine_learning"
    )
    address, _, query = table.removeprefix(f"table: {address}/").partition("?")
    assert address == "compare-runs"
    values = parse_qs(query)
    assert {runs[run] for run in json.loads(values["runs"][0])} == set(RUNS)
    assert json.loads(values["experiments"][0]) == ["1"]
    (finished.path / "metrics/accuracy.json").unlink()
    show_links("http://localhost:7")
    expected = "not in MLflow yet: metrics/accuracy.json: not found; run `dvc repro`"
    assert capsys.readouterr().out.splitlines()[1:] == [expected]


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
            yield port, dict(line.split(": ", 1) for line in lines if ": http" in line)
        finally:
            process.send_signal(number)
            # It ends when the last process that writes to it has ended.
            _, errors = process.communicate()
    assert "Traceback" not in errors
    # Ctrl+C is how a user stops it.
    assert process.returncode == (0 if number == signal.SIGINT else 128 + number)
    assert request(port, f"localhost:{port}") == 0


def request(port: int, host: str) -> int:
    """Return the status of a reply, 0 if there is none."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        try:
            connection.request("GET", "/", headers={"Host": host})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0


@pytest.mark.slow
@pytest.mark.usefixtures("finished")
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
    """Return the printed links to fake results, or to the repository's for a screenshot."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT if UPDATE else tmp_path_factory.mktemp("results"))
        patch.setenv("DVC_STAGE", "track")  # which DVC runs only if its inputs are complete
        if not UPDATE:
            write_yaml(Path("params.yaml"), synthetic_params())
            write_yaml(Path("datasets.yaml"), {"synthetic": entry("https://example.org/{file}")})
            write_fake_results(Path(), iterations=RUNS)
        with serving(signal.SIGTERM) as (_, links):
            yield links


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """Open a tab, which reaches this machine only."""
    size = {"width": 1280, "height": 1050}
    elsewhere = re.compile(r"^(?!http://127\.0\.0\.1:)")
    with browser.new_context(viewport=size, locale="en-GB", timezone_id="UTC") as context:
        context.route(elsewhere, lambda route: route.abort())
        context.add_init_script(CLOSE_DIALOGS)
        context.set_default_timeout(60_000)
        yield context.new_page()


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
    if UPDATE:
        # The button covers a corner.
        page.get_by_role("button", name="MLflow Assistant").last.evaluate("e => e.remove()")
        page.wait_for_timeout(3000)
        page.screenshot(path=ROOT / "docs/images/mlflow-charts.png", animations="disabled")


@pytest.mark.slow
def test_the_table_has_the_iterations_of_both_runs(links: dict[str, str], page: Any) -> None:
    from playwright.sync_api import expect

    page.goto(links["table"])
    title = page.get_by_role("rowheader", name="iterations", exact=True)
    cells = page.get_by_role("row").filter(has=title).locator("td")
    expect(cells).to_have_text([str(count) for count in RUNS.values()], timeout=60_000)
