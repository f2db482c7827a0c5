"""Serve the MLflow UI to this machine only, and print the links that compare the runs.

    python -m commands.ui [--port 5000]

It updates the store, then serves until it is interrupted. If `MLFLOW_TRACKING_URI` is that of a
server, the links lead to this server.
"""

import json
import os
import socket
import sys
from pathlib import Path
from urllib.parse import quote

from stages.track import location, provenance
from stages.track.runs import load_runs
from support.command_line import CommandError, argument_parser, echo, port, redact_credentials, run
from support.files import repository

HOST = "127.0.0.1"


def pages(base: str, experiment_id: str, run_ids: list[str]) -> list[str]:
    """Return a line for each of MLflow's pages that compare runs; `base` is the URL of MLflow."""
    runs = quote(json.dumps(run_ids, separators=(",", ":")))
    experiments = quote(json.dumps([experiment_id]))
    # Without it MLflow shows its UI for language models. Last, because the table needs runs first.
    workflow = "workflowType=machine_learning"
    charts = f"{base}/#/experiments/{experiment_id}/runs?compareRunsMode=CHART&{workflow}"
    table = f"{base}/#/compare-runs?runs={runs}&experiments={experiments}&{workflow}"
    return [f"charts: {charts}", f"table: {table}"]


def serve(port: int, root: Path) -> None:
    """Replace this process with MLflow's server, on loopback."""
    command = [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--default-artifact-root", location.artifact_location(root)),
        *("--host", HOST, "--port", str(port), "--workers", "1"),
        *("--allowed-hosts", f"{HOST}:{port},localhost:{port}"),
        # lifespan would tidy up after MLflow's assistant, and end in a traceback at Ctrl+C.
        *("--uvicorn-opts", "--log-level warning --lifespan off"),
    ]
    # The user's own settings are for other servers: a prefix, or hosts that may connect.
    environment = {name: value for name, value in os.environ.items() if "MLFLOW_" not in name}
    environment |= {
        # Not as an argument, which everyone on this machine can see.
        "MLFLOW_BACKEND_STORE_URI": location.tracking_uri(root),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONWARNINGS": "ignore",
    }
    os.execve(sys.executable, command, environment)  # noqa: S606 - no shell is wanted


def _check_free(port: int) -> None:
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise CommandError(f"port {port}: {reason}; try `make ui PORT={port + 1}`") from None


def main() -> None:
    """Read the arguments, print the URLs, and serve."""
    parser = argument_parser("commands.ui", __doc__)
    parser.add_argument("--port", type=port, default=5000, help="default: 5000")
    arguments = parser.parse_args()
    root, runs = repository(), load_runs(Path())
    uri = location.tracking_uri(root)
    if not location.is_server(uri):
        _check_free(arguments.port)
        if "%" in str(root):
            raise CommandError(f"{root}: MLflow's server cannot run in a path with a %")
    from stages.track.mlflow_store import open_store  # MLflow takes seconds to start

    current = provenance.current()
    with open_store(root) as store:
        run_ids = [store.track(finished, current) for finished in runs]
        experiment_id = store.experiment_id(runs[0].dataset)
    here = f"http://{HOST}:{arguments.port}"
    base = redact_credentials(uri).rstrip("/") if location.is_server(uri) else here
    echo("\n".join(pages(base, experiment_id, run_ids)))
    if not location.is_server(uri):
        echo("MLflow takes a few seconds to start; Ctrl+C stops it")
        serve(arguments.port, root)


if __name__ == "__main__":
    run(main)
