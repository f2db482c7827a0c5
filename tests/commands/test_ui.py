"""Serving MLflow's pages: to this machine alone, as long as it is asked to."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.fixtures import ROOT, Workspace, write_fake_results

from commands import ui

# MLflow's libraries warn of one another.
pytestmark = pytest.mark.filterwarnings("ignore")

SECONDS = 120


def test_the_pages_compare_the_runs_in_their_order() -> None:
    """Identifiers are JSON in the address, and encoded; the table wants its runs first."""
    pages = ui.pages("http://127.0.0.1:5000", "7", ["abc", "def"])
    assert list(pages) == ["charts", "table"]
    assert pages["charts"].startswith(
        "http://127.0.0.1:5000/#/experiments/7/runs?compareRunsMode=CHART&"
    )
    assert pages["table"].startswith(
        "http://127.0.0.1:5000/#/compare-runs?runs=%5B%22abc%22%2C%22def%22%5D"
        "&experiments=%5B%227%22%5D&"
    )


@pytest.fixture
def port() -> int:
    """Give a port that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_port_that_is_taken_is_one_line(completed_workspace: Workspace) -> None:
    """It is said before anything takes time, with another to try."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        outcome = completed_workspace.run("ui", "--port", number)
    assert outcome.status == 1
    assert f"port {number}: Address already in use; try another: `make ui PORT=" in outcome.error()


def test_without_the_runs_it_says_what_to_do(completed_workspace: Workspace, port: int) -> None:
    """Neither an empty store nor a repository without results is served."""
    outcome = completed_workspace.run("ui", "--port", port)
    assert (outcome.status, "`make ui`" in outcome.error()) == (1, True)
    (completed_workspace.path / "dvc.lock").unlink()
    outcome = completed_workspace.run("ui", "--port", port)
    assert (outcome.status, outcome.error()) == (2, "dvc.lock: not found; `dvc repro` makes it")


def _children(process: int) -> set[int]:
    found: set[int] = set()
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            found |= {child} | _children(child)
    return found


def _request(port: int, host: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    connection.request("GET", "/", headers={"Host": host})
    return connection.getresponse().status


@contextmanager
def _serving(port: int) -> Iterator[subprocess.Popen[str]]:
    """Start what `make ui` starts, in this folder; it ends with the test, however that ends."""
    inherited = {name: value for name, value in os.environ.items() if "MLFLOW" not in name}
    with subprocess.Popen(
        [sys.executable, "-m", "commands.ui", "--port", str(port)],
        env=inherited | {"PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_it_serves_this_machine_and_ends_as_asked(
    completed_workspace: Workspace, port: int, number: signal.Signals, status: int
) -> None:
    """One server, two addresses, no stranger's name; none of it is left when it ends."""
    write_fake_results(completed_workspace.path)
    assert completed_workspace.run("track").status == 0
    with _serving(port) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(3)]
        assert lines[0].startswith(f"charts: http://127.0.0.1:{port}/#/experiments/")
        assert lines[1].startswith(f"table: http://127.0.0.1:{port}/#/compare-runs?")
        assert lines[2] == "Ctrl+C ends it\n"
        assert (
            _request(port, f"127.0.0.1:{port}"),
            _request(port, f"localhost:{port}"),
        ) == (200, 200)
        assert (_request(port, "example.org"), _request(port, f"192.168.1.1:{port}")) == (403, 403)
        listening = {
            line.split()[1]
            for name in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{name}").read_text().splitlines()
            if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
        }
        assert {f"0100007F:{port:04X}"} == listening
        servers = _children(process.pid)
        commands = [
            Path(f"/proc/{one}/cmdline").read_text().replace("\0", " ") for one in sorted(servers)
        ]
        assert len(commands) == 2  # mlflow, and the one worker that it starts
        assert not any("mlflow.db" in command for command in commands)
        for one in servers:
            environment = Path(f"/proc/{one}/environ").read_text().split("\0")
            assert "MLFLOW_DISABLE_TELEMETRY=true" in environment
            assert "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false" in environment
        process.send_signal(number)
        _, err = process.communicate(timeout=SECONDS)
        assert (status, 0) == (process.returncode, err.count("Traceback"))
        assert "error:" not in err
    end = time.monotonic() + SECONDS
    while any(Path(f"/proc/{one}").exists() for one in servers):
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
def test_a_server_that_ends_by_itself_is_a_failure(
    completed_workspace: Workspace, port: int
) -> None:
    """It is not taken for the user's wish."""
    assert completed_workspace.run("track").status == 0
    with _serving(port) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("charts: ")
        (first,) = (one for one in _children(process.pid) if _children(one))
        os.kill(first, signal.SIGTERM)
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "error: mlflow server ended" in err
