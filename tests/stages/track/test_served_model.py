"""The registered model, in Python and behind HTTP."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

from common.arrays import load_weights
from common.inference import probabilities
from tests.fake_results import WIDTHS, write_fake_results
from tests.fixtures import Workspace
from tests.synthetic import SHAPE

# MLflow's libraries warn about each other.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

IMAGES: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (20, WIDTHS[0]), np.uint8)
INPUTS: dict[str, Any] = {
    "uint8": IMAGES,
    "int64": IMAGES.astype(np.int64),
    "whole floats": IMAGES.astype(float),
    "not flattened": IMAGES.reshape(-1, *SHAPE),
}
WRONG_INPUTS: dict[str, tuple[Any, str]] = {
    "fractions": (IMAGES / 255, "values should be whole numbers from 0 to 255, got 0."),
    "negative": (IMAGES.astype(int) - 256, "values should be whole numbers from 0 to 255, got -"),
    "another shape": (IMAGES[:, :5], "each example should have the shape [30] or [6, 5], "),
    "text": ([["a"] * WIDTHS[0]], "values should be numbers, got <U1"),
    "ragged": ([[1], [1, 2]], "examples should all have the same shape"),
}


@pytest.fixture
def store(completed_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a workspace in whose store both runs are tracked."""
    assert completed_workspace.run("stages.track.__main__").status == 0
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{completed_workspace.path}/mlflow.db")
    return completed_workspace.path


def _expected(store: Path) -> list[int]:
    weights = load_weights(store / "models/long/weights.npz")
    labels: list[int] = probabilities(weights, IMAGES).argmax(axis=1).tolist()
    return labels


def test_the_champion_predicts_as_evaluate_does(store: Path) -> None:
    """Whichever form of the same images it gets; what is no image is refused in one line."""
    model = mlflow.pyfunc.load_model("models:/synthetic@champion")
    for values in (*INPUTS.values(), IMAGES.tolist()):
        assert model.predict(values)["label"].tolist() == _expected(store)
    weights = load_weights(store / "models/long/weights.npz")
    expected = probabilities(weights, IMAGES).max(axis=1)
    assert model.predict(IMAGES)["probability"].tolist() == pytest.approx(expected, rel=1e-12)
    for values, message in WRONG_INPUTS.values():
        with pytest.raises(MlflowException) as caught:
            model.predict(values)
        assert str(caught.value).startswith(message)
    # Nothing of the model is on the import path.
    assert not [name for name in sys.path if str(store) in name]


def test_two_versions_work_in_one_process(store: Path, completed_workspace: Workspace) -> None:
    """Each has its own weights and code."""
    first = mlflow.pyfunc.load_model("models:/synthetic/2")
    expected = first.predict(IMAGES)
    write_fake_results(store, seed=2)
    assert completed_workspace.run("stages.track.__main__").status == 0
    second = mlflow.pyfunc.load_model("models:/synthetic/4")
    assert second.predict(IMAGES)["label"].tolist() == _expected(store)
    assert first.predict(IMAGES).equals(expected)


def test_the_model_is_code_and_arrays(store: Path) -> None:
    """It has a signature, needs few packages, and nothing is unpickled."""
    info = mlflow.models.get_model_info("models:/synthetic@champion")
    assert [(str(one.type), one.shape) for one in info.signature.inputs] == [("uint8", (-1, 30))]
    files = [path for path in (store / "mlartifacts/models").rglob("*") if path.is_file()]
    assert {"served_model.py", "model.py", "weights.npz"} <= {path.name for path in files}
    # What pickle writes since its second protocol, and a zip archive is not.
    assert not [path for path in files if path.read_bytes().startswith(b"\x80")]
    requirements = next(path for path in files if path.name == "requirements.txt").read_text()
    packages = [line.partition("==")[0] for line in requirements.split()]
    assert packages == ["mlflow", "numpy", "scipy", "pydantic"]


def test_the_server_replies_as_python_does(store: Path) -> None:
    """`mlflow models serve`, started outside of the project."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    serve = ("-m", "mlflow", "models", "serve", "--env-manager", "local", "--host", "127.0.0.1")
    model = ("--model-uri", "models:/synthetic@champion", "--port", str(port))
    environment = {name: value for name, value in os.environ.items() if "PYTHON" not in name}
    # MLflow starts programs of its environment by their names.
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    server = subprocess.Popen(
        [sys.executable, *serve, *model], env=environment, cwd=store.parent, stderr=subprocess.PIPE
    )
    try:
        for values in INPUTS.values():
            status, reply = _post(port, values.tolist(), server)
            assert status == 200
            assert [one["label"] for one in reply["predictions"]] == _expected(store)
        for values, message in WRONG_INPUTS.values():
            status, reply = _post(port, np.asarray(values, object).tolist(), server)
            assert (status, reply["message"].startswith(message)) == (400, True), reply
    finally:
        server.terminate()
        server.communicate()


def _post(port: int, inputs: Any, server: subprocess.Popen[bytes]) -> tuple[int, Any]:
    """Send a request as soon as the server is there; return status and body."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations",
        json.dumps({"inputs": inputs}).encode(),
        {"Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while server.poll() is None:
        try:
            with opener.open(request) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except urllib.error.URLError:
            time.sleep(0.2)
    raise AssertionError(server.stderr and server.stderr.read())
