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

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

from common.columns import Column
from common.model import PACKAGES, Model
from tests.synthetic import DESCRIPTION, make_features
from tests.workspace import ROOT, Workspace, write_fake_results

JSON = "application/json"
# MLflow's libraries warn about each other.
pytestmark = pytest.mark.filterwarnings("ignore")


def to_table(features: NDArray[Any]) -> pd.DataFrame:
    """Return the table from which features were encoded."""
    table = pd.DataFrame()
    for column in DESCRIPTION.columns:
        part, features = np.split(features, [len(column.may_be_nan)], axis=1)
        cells = part[:, 0]
        if column.categories:
            names = np.array([*column.categories, None])
            cells = names[np.where(part.any(axis=1), part.argmax(axis=1), -1)]
        table[column.name] = cells
    return table


FEATURES = make_features(20, np.random.default_rng(0))
# What a client sends, in Python and in JSON.
EXAMPLES: Any = FEATURES
INPUTS: list[Any] = [
    FEATURES.tolist(),
    FEATURES.astype(float).tolist(),
    FEATURES.reshape(-1, *DESCRIPTION.example_shape).tolist(),
]
SHAPES = f"{list(DESCRIPTION.feature_shape)} or {list(DESCRIPTION.example_shape)}"
WRONG_INPUTS: list[tuple[Any, str]] = [
    (FEATURES[:, :5].tolist(), f"each example should have the shape {SHAPES}, "),
    (np.full(FEATURES.shape, "a").tolist(), "values should be numbers, got <U1"),
    ([[1], [1, 2]], "examples should all have the same shape"),
]
if FEATURES.dtype == np.uint8:
    WRONG_INPUTS += [
        ((FEATURES / 255).tolist(), "values should be whole numbers from 0 to 255, got 0."),
        ((FEATURES - 256.0).tolist(), "values should be whole numbers from 0 to 255, got -"),
        ([[float("nan")] * FEATURES[0].size], "values should be whole numbers from 0 to 255, got"),
    ]
if DESCRIPTION.columns:
    EXAMPLES = to_table(FEATURES)
    INPUTS = [json.loads(EXAMPLES.to_json(orient="records", double_precision=15))]
    WRONG_INPUTS = [(FEATURES.tolist(), f"missing column {EXAMPLES.columns[0]!r}; the columns are")]

# A table of which the model makes the class `sex`, with a probability that is the mass.
COLUMNS = (
    Column(name="mass", optional=True),
    Column(name="sex", categories=("f", "m"), optional=True),
)
TABLE_MODEL = """
import numpy as np
class Model:
    @classmethod
    def load(cls, folder):
        return cls()
    def probabilities(self, features):
        mass, f, m = features.T.astype(float)
        return np.nan_to_num(mass, nan=1.0)[:, None] * np.stack([f, m, 1 - f - m], axis=1)
"""
ROWS: list[dict[str, Any]] = [
    {"mass": 0.5, "sex": "m"},
    {"mass": None, "sex": "f"},
    {"sex": None, "mass": 0.25},
]
CELLS = [["m", 0.5], ["f", None], [None, 0.25]]
EXPECTED = [
    {"label": 1, "class": "male", "probability": 0.5},
    {"label": 0, "class": "female", "probability": 1.0},
    {"label": 2, "class": "unknown", "probability": 0.25},
]


@pytest.fixture(scope="module")
def table_model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a served model of a table, as MLflow saves and loads it."""
    folder = tmp_path_factory.mktemp("table")
    (folder / "model.py").write_text(TABLE_MODEL)
    columns = [column.model_dump() for column in COLUMNS]
    description = {"classes": ["female", "male", "unknown"], "columns": columns}
    (folder / "description.json").write_text(json.dumps(description))
    (folder / "weights").mkdir()
    artifacts = {
        "model": folder / "weights",
        "description": folder / "description.json",
        "code": folder / "model.py",
        "columns": ROOT / "common/columns.py",
    }
    mlflow.pyfunc.save_model(
        folder / "saved",
        python_model=str(ROOT / "stages/track/served_model.py"),
        artifacts={name: path.as_uri() for name, path in artifacts.items()},
        pip_requirements=[],
    )
    return mlflow.pyfunc.load_model(folder / "saved")


def invoke(model: Any, body: str, kind: str = JSON) -> Any:
    """Return the reply of MLflow's server to a request."""
    from mlflow.pyfunc import scoring_server  # warns where warnings are errors

    server: Any = scoring_server
    return server.invocations(body, kind, model, None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dataframe_records", ROWS),
        ("dataframe_split", {"columns": ["sex", "mass"], "data": CELLS}),
        ("inputs", ROWS),
        ("inputs", {"sex": ["m", "f", None], "mass": [0.5, None, 0.25]}),
        ("inputs", ROWS[0]),
        ("instances", ROWS),
        ("csv", "sex,mass\nm,0.5\nf,\n,0.25\n"),
    ],
)
def test_a_table_may_come_in_any_form(table_model: Any, key: str, value: Any) -> None:
    """Columns in any order, strings for categories, and nothing for a missing value."""
    body, kind = (value, "text/csv") if key == "csv" else (json.dumps({key: value}), JSON)
    reply = invoke(table_model, body, kind)
    assert reply.status == 200
    predictions = json.loads(reply.response)["predictions"]
    assert predictions == EXPECTED[: len(predictions)]


@pytest.mark.parametrize("key", ["dataframe_records", "inputs", "instances"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sex": "x"}, "sex: no category 'x', there are: f, m"),
        ({"mass": "heavy"}, "mass: heavy is not a finite number"),
        ({"mass": 10**400}, "int too large to convert to float"),
        ({"age": 3}, "unknown column 'age'; the columns are: mass, sex"),
        (None, "missing column 'mass'; the columns are: mass, sex"),
    ],
)
def test_what_is_no_row_is_refused_in_one_line(
    table_model: Any, key: str, change: dict[str, Any] | None, message: str
) -> None:
    row = {"sex": "f"} if change is None else ROWS[0] | change
    with pytest.raises(MlflowException) as error:
        invoke(table_model, json.dumps({key: [row]}))
    refusal: Any = error.value
    assert refusal.get_http_status_code() == 400
    assert json.loads(refusal.serialize_as_json())["message"] == message


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


@pytest.mark.slow
def test_two_versions_work_in_one_process(store: Path, finished: Workspace) -> None:
    """Each has its own weights and code, and predicts as `evaluate` does."""
    before = _expected(store)
    write_fake_results(store, seed=2)
    assert finished.run("track").status == 0
    versions = [mlflow.pyfunc.load_model(f"models:/synthetic/{number}") for number in (2, 4)]
    for version, expected in zip(versions, (before, _expected(store)), strict=True):
        pd.testing.assert_frame_equal(version.predict(EXAMPLES), expected, rtol=1e-12)
    assert not [name for name in sys.path if str(store) in name]


def test_the_model_is_code_and_arrays(store: Path) -> None:
    """It has a signature, needs few packages, and nothing is unpickled."""
    info: Any = mlflow.models.get_model_info("models:/synthetic@long")
    if DESCRIPTION.columns:
        names = [column["name"] for column in info.metadata["columns"]]
        assert names == list(EXAMPLES)
    else:
        expected = [(DESCRIPTION.feature_dtype, (-1, *DESCRIPTION.feature_shape))]
        assert [(str(one.type), one.shape) for one in info.signature.inputs] == expected
    assert info.signature.outputs.input_names() == ["label", "class", "probability"]
    files = [path for path in (store / "mlartifacts/models").rglob("*") if path.is_file()]
    assert {"served_model.py", "model.py", "weights.npz"} <= {path.name for path in files}
    # What pickle writes since its second protocol, and a zip archive is not.
    assert not [path for path in files if path.read_bytes().startswith(b"\x80")]
    requirements = next(path for path in files if path.name == "requirements.txt").read_text()
    packages = [line.partition("==")[0] for line in requirements.split()]
    assert packages == ["mlflow", *PACKAGES]


def test_nan_and_infinity_are_refused(finished: Workspace) -> None:
    """Features that are not integers may be any finite number."""
    description = DESCRIPTION.model_copy(update={"feature_dtype": "float32", "columns": ()})
    finished.put("data/flat", {"description.json": description.model_dump_json().encode()})
    assert finished.run("track").status == 0
    model = mlflow.pyfunc.load_model("models:/synthetic@long")
    assert len(model.predict(np.nan_to_num(FEATURES / 255))) == len(FEATURES)
    for value in (np.nan, np.inf, 1e300):  # the last is infinite in float32
        with pytest.raises(mlflow.MlflowException, match="values should be finite, got "):
            model.predict(np.full(FEATURES.shape, value))


def test_examples_in_any_form_are_predicted_and_what_is_no_example_is_refused(store: Path) -> None:
    model: Any = mlflow.pyfunc.load_model("models:/synthetic@long")
    for values in INPUTS:
        reply = invoke(model, json.dumps({"inputs": values}))
        predictions = pd.DataFrame(json.loads(reply.response)["predictions"])
        pd.testing.assert_frame_equal(predictions, _expected(store), rtol=1e-12)
    for values, message in WRONG_INPUTS:
        with pytest.raises(MlflowException) as error:
            invoke(model, json.dumps({"inputs": values}))
        assert str(error.value).startswith(message)


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


@pytest.mark.slow
def test_the_server_predicts_as_evaluate_does(store: Path) -> None:
    """Over HTTP; what is no example is refused in one line."""
    with _serving(store.parent) as url, requests.Session() as session:
        session.trust_env = False  # no proxy
        for values in INPUTS:
            reply = session.post(url, json={"inputs": values})
            assert reply.status_code == 200
            predictions = pd.DataFrame(reply.json()["predictions"])
            pd.testing.assert_frame_equal(predictions, _expected(store), rtol=1e-12)
        for values, message in WRONG_INPUTS:
            body = json.dumps({"inputs": values})  # may have NaN
            reply = session.post(url, body, headers={"Content-Type": JSON})
            assert reply.status_code == 400
            assert reply.json()["message"].startswith(message)
