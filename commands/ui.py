"""Serve the MLflow pages on this machine alone, and say where the comparison is.

    python -m commands.ui [--port 5000]

It runs until it is interrupted. Where `MLFLOW_TRACKING_URI` is a server's address, that server
is there already, and this only says where its pages are.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote

from common.command_line import CommandError, argument_parser, echo, port, redact_credentials, run
from stages.track import location as store
from stages.track import runs as records

HOST = "127.0.0.1"
START_SECONDS = 60
STOP_SECONDS = 10


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
    # Without it the pages are about language models. Last, for the table wants its runs first.
    workflow = "workflowType=machine_train_steping"
    return {
        "charts": f"{base}/#/experiments/{experiment}/runs?compareRunsMode=CHART&{workflow}",
        "table": f"{base}/#/compare-runs?runs={identifiers}&experiments={experiments}&{workflow}",
    }


@contextmanager
def served(port: int, root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Serve the store to this machine alone, as long as the context lasts."""
    command = [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--default-artifact-root", store.artifacts(root)),
        *("--host", HOST, "--port", str(port), "--workers", "1"),
        *("--allowed-hosts", f"{HOST}:{port},localhost:{port}"),
        *("--uvicorn-opts", "--log-level warning"),
    ]
    environment = os.environ | {
        # Not as an argument, for everyone on this machine sees those.
        "MLFLOW_BACKEND_STORE_URI": store.address(root),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONWARNINGS": "ignore",
    }
    # What it says is no answer of ours: stdout is for the addresses.
    server = subprocess.Popen(command, env=environment, stdout=sys.stderr.fileno())
    try:
        yield server
    finally:
        server.terminate()
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise CommandError(
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
    raise CommandError(f"mlflow server did not start at {base}; what it said stands above")


def main() -> None:
    """Read the arguments, start the server, and wait until it ends."""
    parser = argument_parser("commands.ui", __doc__)
    parser.add_argument("--port", type=port, default=5000, help="5000 unless told otherwise")
    arguments = parser.parse_args()
    root = Path.cwd()
    current = list(records.gather(records.from_folder(root)))
    address = store.address(root)
    elsewhere = address.startswith(("http:", "https:"))
    if not elsewhere:
        _check_free(arguments.port)

    # Here, and not above: MLflow takes a second to start.
    from stages.track.mlflow_store import open_store

    with open_store(root) as opened:
        found = [opened.find(record) for record in current]
    if None in found:
        raise CommandError(
            "a run of the last `dvc repro` is not in MLflow; `make ui` brings it there"
        )
    (experiment, *_), runs = zip(*filter(None, found), strict=True)
    base = (
        redact_credentials(address).rstrip("/") if elsewhere else f"http://{HOST}:{arguments.port}"
    )
    lines = [f"{name}: {page}" for name, page in pages(base, experiment, list(runs)).items()]
    if elsewhere:
        echo("\n".join(lines))
        return
    with served(arguments.port, root) as server, suppress(KeyboardInterrupt):
        _wait_until_served(base, server)
        echo("\n".join([*lines, "Ctrl+C ends it"]))
        status = server.wait()
        raise CommandError(f"mlflow server ended with status {status}; what it said stands above")


if __name__ == "__main__":
    run(main)
