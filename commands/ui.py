"""Serve the MLflow UI to this machine only, and print the links that compare the runs.

    python -m commands.ui [--port 5000]

It updates the store, then serves until it is interrupted, and shows trainings while they run. If
`MLFLOW_TRACKING_URI` is that of a server, the links lead to this server.
"""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from urllib.parse import quote

from common.config import load_config
from stages.track.follow import SECONDS, Follower
from stages.track.provenance import current
from stages.track.runs import load_current_runs
from stages.track.store import experiment_name, is_server, open_store, tracking_uri
from support.command_line import (
    CommandError,
    InputError,
    argument_parser,
    echo,
    redact_credentials,
    run,
)
from support.files import repository

HOST = "127.0.0.1"
# Without it, MLflow shows its UI for language models. It has to be the last parameter.
WORKFLOW = "workflowType=machine_learning"


def show_links(base: str) -> None:
    """Bring MLflow up to date, and print the pages that compare the runs; `base` is its URL."""
    with open_store(repository()) as store:
        experiment = store.experiment_id(experiment_name(load_config().dataset.name))
        echo(f"charts: {base}/#/experiments/{experiment}/runs?compareRunsMode=CHART&{WORKFLOW}")
        try:
            origin = current()
            ids = [store.track(run, origin) for run in load_current_runs()]
        except InputError as error:
            echo(f"not in MLflow yet: {' '.join(str(error).split())}")
            return
    query = f"runs={quote(json.dumps(ids))}&experiments={quote(json.dumps([experiment]))}"
    echo(f"table: {base}/#/compare-runs?{query}&{WORKFLOW}")


def serve(port: int, uri: str) -> None:
    """Run MLflow's server on loopback, and follow the trainings, until interrupted."""
    options = (
        f"--workers 1 --host {HOST} --port {port} --allowed-hosts {HOST}:{port},localhost:{port}"
    )
    command = [sys.executable, "-m", "mlflow", "server", *options.split()]
    # lifespan would tidy up after MLflow's assistant, and end in a traceback at Ctrl+C.
    command += ["--uvicorn-opts", "--log-level warning --lifespan off"]
    # Not as an argument, which everyone on this machine can see.
    variables = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    follower = Follower()
    environment = {**os.environ, **variables, "PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(command, env=environment) as server, suppress(KeyboardInterrupt):
        try:
            while server.poll() is None:
                try:
                    follower.update()
                except (CommandError, OSError) as error:
                    _warn(f"trainings are not shown: {error}")
                time.sleep(SECONDS)
        finally:
            server.terminate()
        raise CommandError("the MLflow server has stopped; what it printed is above")


@cache  # once, although each update may fail for the same reason
def _warn(message: str) -> None:
    echo(message)


def main() -> None:
    parser = argument_parser("commands.ui", __doc__)
    parser.add_argument("--port", type=int, default=5000, help="default: 5000")
    port, uri = parser.parse_args().port, tracking_uri(repository())
    if not 0 < port < 65_536:
        raise InputError(f"port {port}: should be from 1 to 65535")
    if is_server(uri):
        show_links(redact_credentials(uri).rstrip("/"))
        return
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise CommandError(f"port {port}: {error}; try `make ui PORT={port + 1}`") from None
    show_links(f"http://{HOST}:{port}")
    echo("MLflow takes a few seconds to start; Ctrl+C stops it")
    serve(port, uri)


if __name__ == "__main__":
    run(main)
