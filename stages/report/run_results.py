"""The results of the runs, loaded from the files of earlier stages."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.config import Config
from common.model import Model
from common.results import Result, load_results
from common.splits import Description, Split, load_description, load_split
from common.tables import load_csv
from stages.report.calibration import (
    accuracy_interval,
    calibration_bins,
    expected_calibration_error,
)
from support.files import reading


@dataclass(frozen=True)
class RunResults:
    """The results of one run.

    Attributes
    ----------
    architecture
        Of the model, in one phrase.
    files
        The SHA-256 of each of the model's files, by its path.
    costs : ndarray of float64, shape (iterations,)
        In nats.
    predictions
        ``label``, ``predicted`` and ``probability``, one row per test example.
    confusion : ndarray of int64, shape (classes, classes)
        Counts of test examples, one row per true class, one column per predicted class.
    per_class
        ``precision``, ``recall`` and ``support``, one row per class.
    """

    name: str
    result: Result
    architecture: str
    files: Mapping[str, str]
    costs: NDArray[np.float64]
    predictions: pd.DataFrame
    confusion: NDArray[np.int64]
    per_class: pd.DataFrame

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the test accuracy."""
        examples = len(self.predictions)
        return accuracy_interval(round(self.result.test * examples), examples)

    @property
    def mistakes(self) -> pd.DataFrame:
        """The misclassified examples, the most confident first."""
        wrong = self.predictions[self.predictions["label"] != self.predictions["predicted"]]
        return wrong.sort_values("probability", ascending=False, kind="stable")

    @property
    def most_frequent_mistakes(self) -> list[tuple[int, int, int]]:
        """The most frequent mistakes: true class, predicted class, and how often."""
        wrong = self.confusion - np.diag(self.confusion.diagonal())
        return [
            (int(label), int(predicted), int(wrong.max()))
            for label, predicted in np.argwhere(wrong == wrong.max())
        ]

    def calibration_error(self, bins: int) -> float:
        """Return the expected calibration error, in [0, 1], for a number of bins."""
        return expected_calibration_error(calibration_bins(self.predictions, bins))


@dataclass(frozen=True)
class ReportData:
    """Everything that the report shows: the settings, the test split, the runs by their names."""

    config: Config
    description: Description
    test: Split
    runs: Mapping[str, RunResults]


def load_report_data(
    config: Config, flat: Path, models: Path, costs: Path, metrics: Path, predictions: Path
) -> ReportData:
    """Load the results of all runs from the folders of earlier stages.

    Raises InputError if a file is missing or damaged, or has no result of a run.
    """
    results = load_results(metrics / "accuracy.json")
    description = load_description(flat / "description.json")
    labels = [str(label) for label in range(len(description.classes))]
    rates = {"precision": "float64", "recall": "float64", "support": "int64"}
    columns = {"label": "int64", "predicted": "int64", "probability": "float64"}
    counts = load_csv(metrics / "confusion.csv", {"run": "str", **dict.fromkeys(labels, "int64")})
    per_class = load_csv(metrics / "per_class.csv", {"run": "str", **rates})
    runs = {}
    for name in config.runs:
        with reading(models / name):
            model = Model.load(models / name)
        runs[name] = RunResults(
            name=name,
            result=results[name],
            architecture=model.architecture,
            files={str(path): _sha256(path) for path in sorted((models / name).rglob("[!.]*"))},
            costs=load_csv(costs / f"{name}.csv", {"cost": "float64"})["cost"].to_numpy(),
            predictions=load_csv(predictions / f"{name}.csv", columns),
            confusion=counts.loc[counts["run"] == name, labels].to_numpy(),
            per_class=per_class.loc[per_class["run"] == name, list(rates)],
        )
    return ReportData(config, description, load_split(flat / "test.npz"), runs)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
