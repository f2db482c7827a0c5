"""Evaluate a model: accuracies, predictions, confusion matrix, precision and recall."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.config import RunParams
from common.model import Model
from common.results import Result, TrainingSummary
from common.splits import Split
from support.command_line import CommandError, InputError


def evaluate(model: Model, splits: Mapping[str, Split]) -> dict[str, pd.DataFrame]:
    """Return the predictions on each split, by the splits' names."""
    return {name: predict(model, examples) for name, examples in splits.items()}


def predict(model: Model, examples: Split) -> pd.DataFrame:
    """Return ``label``, ``predicted`` and its ``probability``, one row per example.

    Raises CommandError if a probability is not finite; NaN would count as the first class.
    """
    probabilities = model.probabilities(examples.features)
    if not np.isfinite(probabilities).all():
        raise CommandError("the model's probabilities are not finite; train it again")
    return pd.DataFrame(
        {
            "label": examples.labels,
            "predicted": probabilities.argmax(axis=1).astype(examples.labels.dtype),
            "probability": probabilities.max(axis=1),
        }
    ).rename_axis("example")


def accuracy(predictions: pd.DataFrame) -> float:
    """Return the fraction of examples whose most probable class is their label.

    >>> accuracy(pd.DataFrame({"label": [3, 1, 4, 1], "predicted": [3, 1, 4, 2]}))
    0.75
    """
    return int((predictions["predicted"] == predictions["label"]).sum()) / len(predictions)


def confusion(predictions: pd.DataFrame, classes: int) -> pd.DataFrame:
    """Count the predictions; one row per true class, one column per predicted class."""
    labels = range(classes)
    counts = pd.crosstab(predictions["label"], predictions["predicted"])
    return counts.reindex(index=labels, columns=labels, fill_value=0)


def per_class(counts: pd.DataFrame) -> pd.DataFrame:
    """Return precision, recall and support of each class, from the confusion matrix.

    Precision is empty for a class that is never predicted, recall for one without examples.

    >>> per_class(pd.DataFrame([[3, 1], [0, 4]]))
       precision  recall  support
    0        1.0    0.75        4
    1        0.8    1.00        4
    """
    matrix: NDArray[np.int64] = counts.to_numpy()
    correct, support, predicted = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    with np.errstate(invalid="ignore"):
        columns = {
            "precision": correct / predicted,
            "recall": correct / support,
            "support": support,
        }
    return pd.DataFrame(columns, index=counts.index)


def result(
    predictions: Mapping[str, pd.DataFrame], summary: TrainingSummary, params: RunParams
) -> Result:
    """Return the result of a run, from its predictions on each split."""
    accuracies = {split: accuracy(table) for split, table in predictions.items()}
    return Result(
        iterations=summary.iterations, min_test_accuracy=params.min_test_accuracy, **accuracies
    )


def tables(predictions: Mapping[str, pd.DataFrame], classes: int) -> dict[str, pd.DataFrame]:
    """Return ``confusion`` and ``per_class`` of all runs, from their predictions on one split."""
    matrices = {run: confusion(table, classes) for run, table in predictions.items()}
    measures = {run: per_class(matrix) for run, matrix in matrices.items()}
    return {
        "confusion": pd.concat(matrices, names=["run", "label"]),
        "per_class": pd.concat(measures, names=["run", "class"]),
    }


def check_leftovers(models: Path, runs: Iterable[str]) -> None:
    """Check that the models are those of the runs, because DVC records the folder as a whole.

    Otherwise dvc.lock would list the model of a run that was removed or renamed, and a new clone
    could not reproduce it. Raises InputError if there are others.
    """
    leftovers = {path.name for path in models.glob("[!.]*")} - set(runs)
    if leftovers:
        names = [
            name
            for run in sorted(leftovers)
            for name in (f"{models / run}", f"costs/{run}.csv", f"curves/{run}.csv")
            if Path(name).exists()
        ]
        raise InputError(
            f"{models}: holds files of runs that are no longer in params.yaml, or your own; move "
            f"them away, or `rm -r {' '.join(names)}`, then run again"
        )
