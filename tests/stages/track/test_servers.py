"""Real MLflow servers, of a company whose other teams use the same names."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.workspace import Response, Server, Workspace

# MLflow's libraries warn about each other.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

NAME = "synthetic"


@contextmanager
def serving(folder: Path, new_store: Path, *options: str) -> Iterator[str]:
    """Run a server whose files are in a folder; yield its URL once it replies."""
    folder.mkdir()
    shutil.copy(new_store, folder / "server.db")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
    command += ["--backend-store-uri", "sqlite:///server.db", *options]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            while process.poll() is None and socket.socket().connect_ex(("127.0.0.1", port)):
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def test_what_other_teams_made_is_left_alone(
    finished: Workspace, new_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs, versions and aliases; and the first line says where this writes."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(finished.path / "server", new_store) as url:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url.replace("//", "//name:hunter2@"))
        client = MlflowClient(url, url)
        client.create_registered_model(NAME)
        run = client.create_run(client.create_experiment(NAME), run_name="short")
        version = client.create_model_version(NAME, f"{run.info.artifact_uri}/x", run.info.run_id)
        client.set_registered_model_alias(NAME, "short", version.version)
        # It belongs to a training of the user's that is not ours.
        monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
        out = finished.run("track").out.splitlines()
        assert finished.run("track").out.count("in MLflow already") == 2
        runs = client.search_runs([run.info.experiment_id])
        aliases = client.get_registered_model(NAME).aliases
        untouched = client.get_run(run.info.run_id)
    assert out[0] == f"writing to MLflow at {url}"
    assert f"models:/{NAME}@short stays at version 1, which is not of this project" in out
    assert (len(runs), set(aliases), aliases["short"]) == (3, {"short", "long"}, version.version)
    assert (untouched.info.status, untouched.data.metrics) == ("RUNNING", {})
    assert list(finished.path.glob("server/mlartifacts/*/models/*/artifacts/MLmodel"))


def test_a_server_that_does_not_serve_artifacts_is_refused(
    finished: Workspace, new_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written: each client would keep them on its own disk."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    options = ("--no-serve-artifacts", "--default-artifact-root", f"{finished.path}/artifacts")
    with serving(finished.path / "server", new_store, *options) as url:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        error = finished.run("track").error()
        assert "does not serve artifacts" in error
        assert MlflowClient(url, url).get_experiment_by_name(NAME) is None
    assert not list(finished.path.glob("artifacts/*"))


def test_an_old_server_is_refused_before_anything_is_written(
    finished: Workspace, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow 2 has experiments but no logged models."""
    experiment = (
        b'{"experiment": {"experiment_id": "0", "artifact_location": "mlflow-artifacts:/0"}}'
    )
    path = f"/api/2.0/mlflow/experiments/get-by-name?experiment_name={NAME}"
    server.answers[path] = Response(body=experiment)
    handler = server.RequestHandlerClass
    monkeypatch.setattr(handler, "do_POST", handler.do_GET, raising=False)  # type: ignore[attr-defined]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    error = finished.run("track").error()
    assert error == "the MLflow server is too old: MLflow 3 is required"
    assert server.requests == [path, "/api/2.0/mlflow/logged-models/search"]
