"""Measuring the runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.arrays import save_arrays
from common.results import load_results
from common.splits import Split, save_split
from stages.evaluate.__main__ import accuracy, confusion, per_class
from tests.fixtures import CLASSES, PIXELS, Workspace, write_fake_results

# A network of one layer that predicts the brightest of the first pixels.
BRIGHTEST = {"W1": np.eye(PIXELS, CLASSES, dtype=np.float32), "b1": np.zeros(CLASSES, np.float32)}
ARGUMENTS = ("data/flat", "models", "costs", "metrics", "plots/predictions")


def examples(predicted: list[int], labels: list[int]) -> Split:
    """Return images for which BRIGHTEST predicts certain classes."""
    images = np.zeros((len(predicted), PIXELS), np.uint8)
    images[range(len(predicted)), predicted] = 255
    return Split(images, np.array(labels, np.uint8))


def test_measures_by_hand() -> None:
    """A class that is never predicted has no precision, one without examples no recall."""
    predictions = pd.DataFrame({"label": [0, 0, 0, 1], "predicted": [0, 0, 2, 0]})
    assert accuracy(predictions) == 0.5
    counts = confusion(predictions, 3)
    assert counts.to_numpy().tolist() == [[2, 0, 1], [1, 0, 0], [0, 0, 0]]
    measures = per_class(counts)
    np.testing.assert_allclose(measures["precision"], [2 / 3, np.nan, 0])
    np.testing.assert_allclose(measures["recall"], [2 / 3, 0, np.nan])
    assert list(measures["support"]) == [3, 1, 0]


@pytest.fixture
def trained(workspace: Workspace) -> Workspace:
    """Return a working directory with splits and with the weights of two runs."""
    write_fake_results(workspace.path)
    for name, labels in (("train", [0, 1]), ("validation", [0, 3]), ("test", [3, 3])):
        save_split(Path(f"data/flat/{name}.npz"), examples([0, 1], labels), "images")
    for run in ("short", "long"):
        save_arrays(Path(f"models/{run}/weights.npz"), BRIGHTEST)
    return workspace


def test_all_results_of_all_runs_are_written(trained: Workspace) -> None:
    """Accuracies, both tables and the predictions; the same bytes each time."""
    completed = trained.run("evaluate", *ARGUMENTS)
    assert (completed.status, completed.err) == (0, "")
    assert "short: train 100.00%, validation 50.00%, test 0.00%\n" in completed.out
    results = load_results(Path("metrics/accuracy.json"))
    assert list(results) == ["short", "long"]
    assert list(results["long"].model_dump().values()) == [120, 1.0, 0.5, 0.0, 0.0]
    measures = pd.read_csv("metrics/per_class.csv")
    assert (len(measures), list(measures.columns[:2])) == (2 * CLASSES, ["run", "class"])
    counts = pd.read_csv("metrics/confusion.csv", index_col=["run", "label"])
    assert counts.loc["long"].to_numpy()[3].tolist() == [1, 1, 0, 0]
    predictions = pd.read_csv("plots/predictions/long.csv")
    assert list(predictions.columns) == ["image", "label", "predicted", "probability"]
    assert predictions["predicted"].to_list() == [0, 1]
    np.testing.assert_allclose(predictions["probability"], np.e / (np.e + 3), rtol=1e-5)
    paths = [*Path("metrics").iterdir(), *Path("plots/predictions").iterdir()]
    before = {path: path.read_bytes() for path in paths}
    assert trained.run("evaluate", *ARGUMENTS).status == 0
    assert {path: path.read_bytes() for path in paths} == before


OTHER = {"W1": np.ones((784, CLASSES), np.float32), "b1": np.zeros(CLASSES, np.float32)}


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        (None, "not found; `dvc repro` makes it"),
        (OTHER, "not weights of the model in common/model.py for examples of [30]"),
        (
            {"kernel": OTHER["W1"], "bias": OTHER["b1"]},
            "not weights of the model in common/model.py for examples of",
        ),
    ],
)
def test_wrong_weights_are_named(
    trained: Workspace, weights: dict[str, np.ndarray] | None, problem: str
) -> None:
    """The error names the file and the remedy; no results are written."""
    path = Path("models/long/weights.npz")
    path.unlink()
    if weights:
        save_arrays(path, weights)
    before = Path("metrics/accuracy.json").read_bytes()
    completed = trained.run("evaluate", *ARGUMENTS)
    assert completed.status == 2
    assert completed.error().startswith(f"{path}: {problem}")
    assert Path("metrics/accuracy.json").read_bytes() == before


def test_files_of_other_runs_are_refused(trained: Workspace) -> None:
    """Otherwise dvc.lock would list them."""
    trained.put("costs", {"old.csv": b""})
    completed = trained.run("evaluate", *ARGUMENTS)
    assert completed.status == 2
    assert completed.error().startswith("costs/old.csv: left over from a run")
