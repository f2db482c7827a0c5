"""Measure every run of params.yaml on all training, validation and test images.

    python -m stages.evaluate data/flat models costs metrics plots/predictions

About two seconds for two runs on 70,000 images. It writes accuracy.json, per_class.csv and
confusion.csv into metrics, and a run's answer for each test image into plots/predictions.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common import arrays, results
from common import model as inference
from common.arrays import Split
from common.atomic import atomic_write
from common.command_line import InputError, argument_parser, echo, run
from common.config import load_config
from common.model import Weights
from common.results import ACCURACY, Result


def predictions(weights: Weights, examples: Split) -> pd.DataFrame:
    """Give the network's answers.

    Returns
    -------
    DataFrame
        ``label``, ``predicted`` and the ``probability`` of what is predicted, a row an image.

    Raises
    ------
    ValueError
        If the weights are for images of another size.
    """
    pixels = examples.images.shape[1]
    if len(weights["W1"]) != pixels:
        raise ValueError(f"for images of {len(weights['W1'])} pixels, these have {pixels}")
    odds = inference.probabilities(inference.logits(weights, examples.images))
    return pd.DataFrame(
        {
            "label": examples.labels,
            "predicted": odds.argmax(axis=1).astype(np.uint8),
            "probability": odds.max(axis=1),
        }
    )


def accuracy(answers: pd.DataFrame) -> float:
    """Give the fraction of right answers: counted first, divided once."""
    return int((answers["label"] == answers["predicted"]).sum()) / len(answers)


def confusion(answers: pd.DataFrame, classes: int) -> pd.DataFrame:
    """Count the answers; a row each true class, a column each predicted one."""
    every = range(classes)
    counts = pd.crosstab(answers["label"], answers["predicted"])
    return counts.reindex(index=every, columns=every, fill_value=0)


def per_class(counts: pd.DataFrame) -> pd.DataFrame:
    """Derive precision, recall and support of each class from its confusion matrix.

    Precision is empty for a class that is never predicted, recall for one without images.
    """
    matrix: NDArray[np.int64] = counts.to_numpy()
    right, support, predicted = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    with np.errstate(invalid="ignore"):
        columns = {"precision": right / predicted, "recall": right / support, "support": support}
    return pd.DataFrame(columns, index=counts.index)


def main() -> None:
    """Read the arguments, the settings, arrays and weights; write what was measured."""
    parser = argument_parser("stages.evaluate", __doc__)
    parser.add_argument("flat", type=Path, help="where the arrays are: data/flat")
    parser.add_argument("models", type=Path, help="where each run's weights are: models")
    parser.add_argument("costs", type=Path, help="where each run's costs are: costs")
    parser.add_argument("metrics", type=Path, help="where the results go: metrics")
    parser.add_argument("predictions", type=Path, help="where answers go: plots/predictions")
    arguments = parser.parse_args()
    config = load_config()
    config.check_folders(arguments.models, arguments.costs)
    parts = {part: arrays.load_split(arguments.flat / f"{part}.npz") for part in arrays.SPLITS}
    accuracies: dict[str, Result] = {}
    matrices: dict[str, pd.DataFrame] = {}
    for name, wanted in config.runs.items():
        path = arguments.models / name / "weights.npz"
        weights = arrays.load_weights(path)
        try:
            answers = {part: predictions(weights, examples) for part, examples in parts.items()}
        except ValueError as error:
            raise InputError(f"{path}: {error}; `dvc repro` makes it anew") from None
        measured = {part: accuracy(given) for part, given in answers.items()}
        accuracies[name] = Result(
            iterations=wanted.iterations, min_test_accuracy=wanted.min_test_accuracy, **measured
        )
        matrices[name] = confusion(answers["test"], len(config.dataset.classes))
        shown = ", ".join(f"{part} {value:.2%}" for part, value in measured.items())
        echo(f"{name}: {shown}")
        table = answers["test"].to_csv(index_label="image", float_format="%.6f")
        atomic_write(arguments.predictions / f"{name}.csv", table.encode())
    results.save(arguments.metrics / ACCURACY.name, accuracies)
    per_run = {name: per_class(matrix) for name, matrix in matrices.items()}
    table = pd.concat(per_run, names=["run", "class"]).to_csv(float_format="%.6f")
    atomic_write(arguments.metrics / "per_class.csv", table.encode())
    table = pd.concat(matrices, names=["run", "label"]).to_csv()
    atomic_write(arguments.metrics / "confusion.csv", table.encode())


if __name__ == "__main__":
    run(main)
