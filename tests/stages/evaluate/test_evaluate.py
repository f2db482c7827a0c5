"""Measuring the runs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from common.inference import probabilities

from common.arrays import load_arrays, save_arrays
from common.results import load_results
from stages.evaluate.__main__ import confusion, per_class
from tests.fixtures import DESCRIPTION, Workspace, make_features, write_fake_results

ARGUMENTS = ("data/flat", "models", "costs", "metrics", "plots/predictions")
CLASSES = len(DESCRIPTION.classes)
LONG = Path("models/long/weights.npz")
FEATURES = make_features(4, np.random.default_rng(0))
SHAPE = list(FEATURES.shape[1:])


def test_measures_by_hand() -> None:
    """A class that is never predicted has no precision, one without examples no recall."""
    predictions = pd.DataFrame({"label": [0, 0, 0, 1], "predicted": [0, 0, 2, 0]})
    counts = confusion(predictions, 3)
    assert counts.to_numpy().tolist() == [[2, 0, 1], [1, 0, 0], [0, 0, 0]]
    measures = per_class(counts)
    np.testing.assert_allclose(measures["precision"], [2 / 3, np.nan, 0])
    np.testing.assert_allclose(measures["recall"], [2 / 3, 0, np.nan])
    assert list(measures["support"]) == [3, 1, 0]


@pytest.fixture
def trained(workspace: Workspace) -> Workspace:
    """Return a working directory in which some predictions of both runs are wrong."""
    write_fake_results(workspace.path)
    save_arrays(Path("models/short/weights.npz"), load_arrays(LONG))
    labels = probabilities(load_arrays(LONG), FEATURES).argmax(axis=1)
    for name, wrong in (("train", 0), ("validation", 2), ("test", 3)):
        changed = (labels + (np.arange(len(labels)) < wrong)) % CLASSES
        save_arrays(Path(f"data/flat/{name}.npz"), {"features": FEATURES, "labels": changed})
    return workspace


def test_all_results_of_all_runs_are_written(trained: Workspace) -> None:
    """Accuracies, both tables and the predictions."""
    completed = trained.run("evaluate", *ARGUMENTS)
    assert (completed.status, completed.err) == (0, "")
    assert "short: train 100.00%, validation 50.00%, test 25.00%\n" in completed.out
    results = load_results(Path("metrics/accuracy.json"))
    assert list(results) == ["short", "long"]
    assert list(results["long"].model_dump().values()) == [200, 1.0, 0.5, 0.25, 0.0]
    measures = pd.read_csv("metrics/per_class.csv")
    assert (len(measures), list(measures.columns[:2])) == (2 * CLASSES, ["run", "class"])
    counts = pd.read_csv("metrics/confusion.csv", index_col=["run", "label"])
    assert (counts.loc["long"].to_numpy().sum(), np.trace(counts.loc["long"])) == (4, 1)
    predictions = pd.read_csv("plots/predictions/long.csv", index_col="example")
    assert list(predictions.columns) == ["label", "predicted", "probability"]
    expected = probabilities(load_arrays(LONG), FEATURES)
    assert predictions["predicted"].to_list() == expected.argmax(axis=1).tolist()
    np.testing.assert_allclose(predictions["probability"], expected.max(axis=1), atol=1e-6)


def test_weights_of_another_model_are_named_and_no_results_written(trained: Workspace) -> None:
    save_arrays(LONG, {name: array[:-1] for name, array in load_arrays(LONG).items()})
    before = Path("metrics/accuracy.json").read_bytes()
    completed = trained.run("evaluate", *ARGUMENTS)
    assert completed.status == 2
    problem = f"{LONG}: not weights of the model in common/model.py for examples of {SHAPE}: "
    assert completed.error().startswith(problem)
    assert Path("metrics/accuracy.json").read_bytes() == before
