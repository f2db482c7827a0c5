"""The registered model behind HTTP, where nothing but its own requirements is installed."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures import WIDTHS, Workspace
from mlflow import MlflowClient

from common import arrays
from common import model as inference

# MLflow's libraries warn of one another.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SECONDS = 300


def test_the_champion_is_served_without_tensorflow(
    completed_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`mlflow models serve` answers a request with the labels that evaluate gives."""
    assert completed_workspace.run("track").status == 0
    address = f"sqlite:///{completed_workspace.path}/mlflow.db"
    folder = tmp_path_factory.mktemp("serving")
    client = MlflowClient(address)
    version = client.get_model_version_by_alias("synthetic-mlp", "champion")
    model = client.get_model_version_download_uri(version.name, version.version)
    requirements = next(
        path
        for path in (completed_workspace.path / "mlartifacts/models").rglob("requirements.txt")
        if model.rpartition("/")[2] in path.parts or str(path.parent.as_uri()) == model
    )
    python = folder / "environment" / "bin" / "python"
    for command in (
        ["venv", str(folder / "environment"), "--python", sys.executable],
        ["pip", "install", "--quiet", "--python", str(python), "-r", str(requirements)],
    ):
        subprocess.run([sys.executable, "-m", "uv", *command], check=True)
    listed = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "list", "--python", str(python), "--format", "json"],
        check=True,
        capture_output=True,
    )
    installed = {package["name"] for package in json.loads(listed.stdout)}
    assert {"mlflow", "numpy"} <= installed
    assert not {"tensorflow", "keras", "dvc"} & installed

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [
                *(str(python), "-m", "mlflow", "models", "serve"),
                *("--model-uri", "models:/synthetic-mlp@champion", "--env-manager", "local"),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            env={name: value for name, value in os.environ.items() if "PYTHON" not in name}
            | {
                "MLFLOW_TRACKING_URI": address,
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "PATH": f"{python.parent}:{os.environ['PATH']}",
            },
            cwd=folder,
            stdout=output,
            stderr=output,
        )
    try:
        images = np.random.default_rng(0).integers(0, 256, (20, WIDTHS[0]), np.uint8)
        answers = _ask(port, images, server, log)
    finally:
        server.terminate()
        server.wait(SECONDS)
    weights = arrays.load_weights(completed_workspace.path / "models/long/weights.npz")
    expected = inference.probabilities(inference.logits(weights, images))
    assert expected.argmax(axis=1).tolist() == [answer["label"] for answer in answers]
    assert expected.max(axis=1) == pytest.approx([answer["probability"] for answer in answers])


def _ask(
    port: int, images: np.ndarray, server: subprocess.Popen[bytes], log: Path
) -> list[dict[str, float]]:
    body = json.dumps({"inputs": images.tolist()})
    end = time.monotonic() + SECONDS
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        try:
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        except ConnectionRefusedError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < end
            time.sleep(0.2)
            continue
        response = connection.getresponse()
        content = response.read().decode()
        assert response.status == 200, content
        answers: list[dict[str, float]] = json.loads(content)["predictions"]
        return answers
