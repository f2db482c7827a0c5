"""Evaluating the runs."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray

from common import results
from common.results import TrainingSummary, load_results, save_summary
from common.splits import Split, save_splits
from tests.workspace import Workspace

ARGUMENTS = ("data/flat", "models", "metrics", "plots/predictions")
# Of three examples; `short` takes each for the first class, `long` makes no mistake.
PROBABILITIES = {
    "short": np.array([[2 / 3, 1 / 3, 0]] * 3),
    "long": np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0, 0, 1]]),
}
# Which of these examples, and their labels. No test example is of the last class.
SPLITS = {
    "train": ([0, 1], [0, 1]),
    "validation": ([0, 1, 2], [0, 1, 1]),
    "test": ([0, 0, 0, 1, 1], [0, 0, 1, 1, 0]),
}
PER_CLASS = """\
run,class,precision,recall,support
short,0,0.600000,1.000000,3
short,1,,0.000000,2
short,2,,,0
long,0,0.666667,0.666667,3
long,1,0.500000,0.500000,2
long,2,,,0
"""
CONFUSION = """\
run,label,0,1,2
short,0,3,0,0
short,1,2,0,0
short,2,0,0,0
long,0,2,1,0
long,1,1,1,0
long,2,0,0,0
"""
PREDICTIONS = """\
example,label,predicted,probability
0,0,0,0.666667
1,0,0,0.666667
2,1,0,0.666667
3,1,0,0.666667
4,0,0,0.666667
"""


class MadeUpModel:
    """A model whose probabilities are known; the feature of an example is its number."""

    def __init__(self, table: NDArray[np.float64]) -> None:
        self._table = table

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(PROBABILITIES[folder.name])

    def probabilities(self, features: NDArray[Any]) -> NDArray[np.float64]:
        return self._table.take(features[:, 0], axis=0)


@pytest.fixture
def trained(workspace: Workspace) -> Workspace:
    """Return a working directory with splits, and what the training of each run says."""
    splits = {
        name: Split(np.array(examples, np.uint8)[:, None], np.array(labels, np.uint8))
        for name, (examples, labels) in SPLITS.items()
    }
    save_splits(Path("data/flat"), splits, ("a", "b", "c"), (1,), "features")
    for run in PROBABILITIES:
        save_summary(Path("models", run), TrainingSummary(iterations=7, description="Stopped."))
    return workspace


def test_all_results_of_all_runs_are_written(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the iterations that were made; a class never predicted has no precision."""
    monkeypatch.setattr(results, "Model", MadeUpModel)
    trained.params["runs"]["long"]["min_test_accuracy"] = 0.125
    completed = trained.run("evaluate", *ARGUMENTS)
    assert (completed.status, completed.err) == (0, "")
    assert completed.out.endswith("long: test accuracy 60.00%\n")
    written = load_results(Path("metrics/accuracy.json"))
    assert {run: list(result.model_dump().values()) for run, result in written.items()} == {
        "short": [7, 1 / 2, 1 / 3, 3 / 5, 0.0],
        "long": [7, 1.0, 2 / 3, 3 / 5, 0.125],
    }
    assert Path("metrics/per_class.csv").read_text("utf-8") == PER_CLASS
    assert Path("metrics/confusion.csv").read_text("utf-8") == CONFUSION
    assert Path("plots/predictions/short.csv").read_text("utf-8") == PREDICTIONS
    assert "\n4,0,1,0.800000\n" in Path("plots/predictions/long.csv").read_text("utf-8")


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_probabilities_that_are_not_finite_are_refused(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch, wrong: float
) -> None:
    """NaN would count as the first class."""
    monkeypatch.setattr(results, "Model", MadeUpModel)
    monkeypatch.setitem(PROBABILITIES, "long", np.array([[1, 0, 0], [0, 1, 0], [0, wrong, 0]]))
    completed = trained.run("evaluate", *ARGUMENTS)
    assert completed.status == 1
    assert completed.error() == "the model's probabilities are not finite; train it again"
    assert not Path("metrics").exists()


def test_a_model_of_a_run_that_is_gone_is_refused(trained: Workspace) -> None:
    """It is named, with what removes it; nothing is written."""
    trained.put("models", {".DS_Store": b""})
    del trained.params["runs"]["short"]
    completed = trained.run("evaluate", *ARGUMENTS)
    assert completed.status == 2
    assert "`rm -r models/short`, then run again" in completed.error()
    assert not Path("metrics").exists()


def test_a_missing_model_is_named(trained: Workspace) -> None:
    completed = trained.run("evaluate", *ARGUMENTS)
    assert (completed.status, completed.error()) == (2, "models/short: not found; run `dvc repro`")
