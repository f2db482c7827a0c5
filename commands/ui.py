"""Serve the MLflow UI to this machine only, and print the links that compare the runs.

    python -m commands.ui [--port 5000]

If `MLFLOW_TRACKING_URI` is that of a server, the links lead to this server.
"""

import json
import os
import socket
import sys
from pathlib import Path
from urllib.parse import quote

from stages.track.provenance import current
from stages.track.runs import load_runs
from stages.track.store import experiment_name, is_server, open_store, tracking_uri
from support.command_line import CommandError, argument_parser, echo, redact_credentials, run
from support.files import repository

HOST = "127.0.0.1"


def serve(port: int, uri: str) -> None:
    """Replace this process with MLflow's server, on loopback."""
    options = (
        f"--workers 1 --host {HOST} --port {port} --allowed-hosts {HOST}:{port},localhost:{port}"
    )
    command = [sys.executable, "-m", "mlflow", "server", *options.split()]
    # lifespan would tidy up after MLflow's assistant, and end in a traceback at Ctrl+C.
    command += ["--uvicorn-opts", "--log-level warning --lifespan off"]
    # Not as an argument, which everyone on this machine can see.
    variables = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    environment = {**os.environ, **variables, "PYTHONWARNINGS": "ignore"}
    os.execve(sys.executable, command, environment)  # noqa: S606 - no shell is wanted


def main() -> None:
    parser = argument_parser("commands.ui", __doc__)
    parser.add_argument("--port", type=int, default=5000, help="default: 5000")
    port, uri, runs = parser.parse_args().port, tracking_uri(repository()), load_runs(Path())
    base = redact_credentials(uri).rstrip("/")
    if not is_server(uri):
        base = f"http://{HOST}:{port}"
        try:
            socket.create_server((HOST, port)).close()
        except (OSError, OverflowError) as error:
            raise CommandError(f"port {port}: {error}; try `make ui PORT={port + 1}`") from None
    with open_store(repository()) as store:
        origin = current()
        ids = [store.track(one, origin) for one in runs]
        experiment = store.experiment_id(experiment_name(runs[0].params["dataset"]))
    # Without the workflow, MLflow shows its UI for language models. It has to be the last.
    compared = f"runs={quote(json.dumps(ids))}&experiments={quote(json.dumps([experiment]))}"
    workflow = "workflowType=machine_learning"
    echo(f"charts: {base}/#/experiments/{experiment}/runs?compareRunsMode=CHART&{workflow}")
    echo(f"table: {base}/#/compare-runs?{compared}&{workflow}")
    if not is_server(uri):
        echo("MLflow takes a few seconds to start; Ctrl+C stops it")
        serve(port, uri)


if __name__ == "__main__":
    run(main)
