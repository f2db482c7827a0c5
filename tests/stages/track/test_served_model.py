"""The registered model, in Python and behind HTTP."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests

from common.model import PACKAGES, Model
from tests.synthetic import DESCRIPTION, make_features
from tests.workspace import Workspace, write_fake_results

# MLflow's libraries warn about each other.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

FEATURES = make_features(20, np.random.default_rng(0))
SHAPES = f"{list(DESCRIPTION.feature_shape)} or {list(DESCRIPTION.example_shape)}"
EXAMPLES = FEATURES.reshape(-1, *DESCRIPTION.example_shape)
INPUTS: list[Any] = [FEATURES, FEATURES.astype(float), EXAMPLES]
WRONG_INPUTS: list[tuple[Any, str]] = [
    (FEATURES[:, :5], f"each example should have the shape {SHAPES}, "),
    (np.full(FEATURES.shape, "a"), "values should be numbers, got <U1"),
    ([[1], [1, 2]], "examples should all have the same shape"),
]
if FEATURES.dtype == np.uint8:
    WRONG_INPUTS += [
        (FEATURES / 255, "values should be whole numbers from 0 to 255, got 0."),
        (FEATURES.astype(int) - 256, "values should be whole numbers from 0 to 255, got -"),
        (np.full(FEATURES.shape, np.nan), "values should be whole numbers from 0 to 255, got nan"),
    ]


@pytest.fixture
def store(finished: Workspace, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a workspace in whose store both runs are tracked."""
    assert finished.run("track").status == 0
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{finished.path}/mlflow.db")
    return finished.path


def _expected(store: Path) -> pd.DataFrame:
    probabilities = Model.load(store / "models/long").probabilities(FEATURES)
    labels = probabilities.argmax(axis=1)
    columns = {"label": labels, "class": np.array(DESCRIPTION.classes)[labels]}
    return pd.DataFrame({**columns, "probability": probabilities.max(axis=1)})


def test_two_versions_work_in_one_process(store: Path, finished: Workspace) -> None:
    """Each has its own weights and code, and predicts as `evaluate` does."""
    import mlflow

    before = _expected(store)
    write_fake_results(store, seed=2)
    assert finished.run("track").status == 0
    versions = [mlflow.pyfunc.load_model(f"models:/synthetic/{number}") for number in (2, 4)]
    for version, expected in zip(versions, (before, _expected(store)), strict=True):
        pd.testing.assert_frame_equal(version.predict(FEATURES), expected, rtol=1e-12)
    assert not [name for name in sys.path if str(store) in name]


def test_the_model_is_code_and_arrays(store: Path) -> None:
    """It has a signature, needs few packages, and nothing is unpickled."""
    import mlflow

    info = mlflow.models.get_model_info("models:/synthetic@long")
    expected = [(DESCRIPTION.feature_dtype, (-1, *DESCRIPTION.feature_shape))]
    assert [(str(one.type), one.shape) for one in info.signature.inputs] == expected
    files = [path for path in (store / "mlartifacts/models").rglob("*") if path.is_file()]
    assert {"served_model.py", "model.py", "weights.npz"} <= {path.name for path in files}
    # What pickle writes since its second protocol, and a zip archive is not.
    assert not [path for path in files if path.read_bytes().startswith(b"\x80")]
    requirements = next(path for path in files if path.name == "requirements.txt").read_text()
    packages = [line.partition("==")[0] for line in requirements.split()]
    assert packages == ["mlflow", *PACKAGES]


def test_nan_and_infinity_are_refused(finished: Workspace) -> None:
    """Features that are not integers may be any finite number."""
    import mlflow

    description = DESCRIPTION.model_copy(update={"feature_dtype": "float32"})
    finished.put("data/flat", {"description.json": description.model_dump_json().encode()})
    assert finished.run("track").status == 0
    model = mlflow.pyfunc.load_model("models:/synthetic@long")
    assert len(model.predict(FEATURES / 255)) == len(FEATURES)
    for value in (np.nan, np.inf, 1e300):  # the last is infinite in float32
        with pytest.raises(mlflow.MlflowException, match="values should be finite, got "):
            model.predict(np.full(FEATURES.shape, value))


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    """Run `mlflow models serve` outside of the project; yield its URL once it replies."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = f"--env-manager local --host 127.0.0.1 --port {port} --model-uri"
    serve = ["-m", "mlflow", "models", "serve", *options.split(), "models:/synthetic@long"]
    environment = {name: value for name, value in os.environ.items() if "PYTHON" not in name}
    # MLflow starts programs of its environment by their names.
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    with subprocess.Popen([sys.executable, *serve], env=environment, cwd=folder) as server:
        try:
            while server.poll() is None and socket.socket().connect_ex(("127.0.0.1", port)):
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/invocations"
        finally:
            server.terminate()


def test_the_server_predicts_as_evaluate_does(store: Path) -> None:
    """Whichever form of the same examples it gets; what is no example is refused in one line."""
    with _serving(store.parent) as url, requests.Session() as session:
        session.trust_env = False  # no proxy
        for values in INPUTS:
            reply = session.post(url, json={"inputs": values.tolist()})
            assert reply.status_code == 200
            predictions = pd.DataFrame(reply.json()["predictions"])
            pd.testing.assert_frame_equal(predictions, _expected(store), rtol=1e-12)
        for values, message in WRONG_INPUTS:
            body = json.dumps({"inputs": np.asarray(values, object).tolist()})  # may have NaN
            reply = session.post(url, body, headers={"Content-Type": "application/json"})
            assert reply.status_code == 400
            assert reply.json()["message"].startswith(message)
