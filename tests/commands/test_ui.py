"""The MLflow UI: on this machine only, with links that compare the runs."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.fixtures import Workspace
from tests.synthetic import ITERATIONS, ROOT

# MLflow's libraries warn about each other.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_port_in_use_is_one_line(completed_workspace: Workspace) -> None:
    """It is noticed before anything takes time."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = completed_workspace.run("commands.ui", "--port", port)
    expected = f"port {port}: Address already in use; try `make ui PORT={port + 1}`"
    assert (outcome.status, outcome.error()) == (1, expected)


def test_without_results_it_says_what_to_do(workspace: Workspace) -> None:
    """Nothing is served."""
    outcome = workspace.run("commands.ui")
    assert (outcome.status, outcome.error()) == (2, "dvc.lock: not found; `dvc repro` makes it")


@contextmanager
def serving(**variables: str) -> Iterator[tuple[subprocess.Popen[str], int, dict[str, str]]]:
    """Serve the working directory; yield the process, the port, and the printed links."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    inherited = {name: value for name, value in os.environ.items() if "MLFLOW_" not in name}
    with (
        Path("stderr").open("w", encoding="utf-8") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "commands.ui", "--port", str(port)],
            env=inherited | {"PYTHONPATH": str(ROOT)} | variables,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        assert process.stdout
        lines = [process.stdout.readline().rstrip("\n") for _ in range(len(ITERATIONS) + 3)]
        try:
            while process.poll() is None and not request(port, f"localhost:{port}"):
                time.sleep(0.1)
            yield process, port, dict(line.split(": ", 1) for line in lines[-3:-1])
        finally:
            process.terminate()


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
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_this_machine_only(number: signal.Signals) -> None:
    """Whatever the user's variables say; and nothing is left when it ends."""
    variables = {
        "MLFLOW_STATIC_PREFIX": "/x",
        "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true",
        "http_proxy": "http://127.0.0.1:9",
    }
    with serving(**variables) as (process, port, _):
        assert request(port, f"127.0.0.1:{port}") == 200
        assert request(port, "example.org") == 403
        process.send_signal(number)
        process.wait()
        while request(port, f"localhost:{port}"):
            time.sleep(0.1)
    assert "Traceback" not in Path("stderr").read_text("utf-8")
