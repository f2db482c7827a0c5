"""Serve the MLflow pages on this machine alone, and say where the comparison is.

    python -m stages.ui [--port 5000]

It runs until it is interrupted.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote

from stages import settings, store
from stages.console import StageError, command_line, run, say

HOST = "127.0.0.1"
START_SECONDS = 60


def pages(base: str, experiment: str, runs: list[str]) -> dict[str, str]:
    """Give the addresses of MLflow's pages that compare runs.

    Parameters
    ----------
    base
        Where MLflow is served.
    experiment, runs
        Identifiers.
    """
    identifiers = quote(json.dumps(runs, separators=(",", ":")))
    experiments = quote(json.dumps([experiment], separators=(",", ":")))
    return {
        "charts": f"{base}/#/experiments/{experiment}/runs?compareRunsMode=CHART",
        "table": f"{base}/#/compare-runs?runs={identifiers}&experiments={experiments}",
    }


def command(port: int, root: Path) -> list[str]:
    """Give the command that serves the repository's store to this machine alone."""
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--backend-store-uri", store.address(root)),
        *("--default-artifact-root", store.artifacts(root)),
        *("--host", HOST, "--port", str(port), "--workers", "1"),
        *("--allowed-hosts", f"{HOST}:{port},localhost:{port}"),
    ]


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise StageError(
                f"port {port}: {error.strerror}; try another: `make ui PORT={port + 1}`"
            ) from None


def _wait_until_served(base: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{base}/health", timeout=1):  # noqa: S310 (loopback)
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise StageError(f"mlflow server did not start at {base}; what it said stands above")


def main() -> None:
    """Read the arguments, start the server, and wait until it ends."""
    parser = command_line("ui", __doc__)
    parser.add_argument("--port", type=int, default=5000, help="5000 unless told otherwise")
    arguments = parser.parse_args()
    chosen = settings.load()
    root = Path.cwd()

    # Here, and not above: MLflow takes a second to start.
    from stages.tracking import open_store

    _check_free(arguments.port)
    with open_store(root) as opened:
        experiment, newest = opened.newest(chosen.dataset_name)
    runs = [newest[name] for name in chosen.runs if name in newest]
    base = f"http://{HOST}:{arguments.port}"
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = subprocess.Popen(command(arguments.port, root), env=os.environ | quiet)
    try:
        _wait_until_served(base, server)
        for name, address in pages(base, experiment, runs).items():
            say(f"{name}: {address}")
        say("Ctrl-C ends it")
        server.wait()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    run(main)
