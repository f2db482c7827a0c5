"""Evaluate every run: accuracies, per-class measures, confusion matrix, test predictions.

    python -m stages.evaluate data/flat models costs metrics plots/predictions

About three seconds for two runs. Fails if a folder holds files of other runs.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.arrays import load_arrays
from common.atomic import atomic_write
from common.command_line import InputError, argument_parser, echo, run
from common.config import load_config
from common.inference import accuracy, probabilities
from common.model import Weights
from common.results import ACCURACY, Result, save_results
from common.splits import SPLITS, Split, load_description, load_split


def predict(weights: Weights, examples: Split) -> pd.DataFrame:
    """Return ``label``, ``predicted`` and its ``probability``, one row per example."""
    of_each_class = probabilities(weights, examples.features)
    return pd.DataFrame(
        {
            "label": examples.labels,
            "predicted": of_each_class.argmax(axis=1).astype(examples.labels.dtype),
            "probability": of_each_class.max(axis=1),
        }
    )


def confusion(predictions: pd.DataFrame, classes: int) -> pd.DataFrame:
    """Count the predictions; one row per true class, one column per predicted class."""
    labels = range(classes)
    counts = pd.crosstab(predictions["label"], predictions["predicted"])
    return counts.reindex(index=labels, columns=labels, fill_value=0)


def per_class(counts: pd.DataFrame) -> pd.DataFrame:
    """Return precision, recall and support of each class, from the confusion matrix.

    Precision is empty for a class that is never predicted, recall for one without examples.
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


def _save_tables(folder: Path, matrices: dict[str, pd.DataFrame]) -> None:
    measures = {name: per_class(matrix) for name, matrix in matrices.items()}
    table = pd.concat(measures, names=["run", "class"]).to_csv(float_format="%.6f")
    atomic_write(folder / "per_class.csv", table.encode())
    table = pd.concat(matrices, names=["run", "label"]).to_csv()
    atomic_write(folder / "confusion.csv", table.encode())


def main() -> None:
    """Read the arguments, the settings, splits and weights; write the results."""
    parser = argument_parser("stages.evaluate", __doc__)
    parser.add_argument("flat", type=Path, help="folder of the splits: data/flat")
    parser.add_argument("models", type=Path, help="folder of each run's weights: models")
    parser.add_argument("costs", type=Path, help="folder of each run's costs: costs")
    parser.add_argument("metrics", type=Path, help="folder for the results: metrics")
    parser.add_argument("predictions", type=Path, help="folder for predictions")
    arguments = parser.parse_args()
    config = load_config()
    config.check_leftovers(arguments.models, arguments.costs)
    classes = len(load_description(arguments.flat / "description.json").classes)
    splits = {name: load_split(arguments.flat / f"{name}.npz") for name in SPLITS}
    results: dict[str, Result] = {}
    matrices: dict[str, pd.DataFrame] = {}
    for name, params in config.runs.items():
        path = arguments.models / name / "weights.npz"
        weights = load_arrays(path)
        try:
            accuracies = {
                split: accuracy(weights, examples.features, examples.labels)
                for split, examples in splits.items()
            }
            predictions = predict(weights, splits["test"])
        except (ValueError, KeyError) as error:
            raise InputError(
                f"{path}: not weights of the model in common/model.py for examples of "
                f"{list(splits['test'].features.shape[1:])}: {error}; `dvc repro` makes it again"
            ) from None
        results[name] = Result(
            iterations=params.iterations, min_test_accuracy=params.min_test_accuracy, **accuracies
        )
        matrices[name] = confusion(predictions, classes)
        echo(f"{name}: " + ", ".join(f"{split} {value:.2%}" for split, value in accuracies.items()))
        table = predictions.to_csv(index_label="example", float_format="%.6f")
        atomic_write(arguments.predictions / f"{name}.csv", table.encode())
    save_results(arguments.metrics / ACCURACY.name, results)
    _save_tables(arguments.metrics, matrices)


if __name__ == "__main__":
    run(main)
