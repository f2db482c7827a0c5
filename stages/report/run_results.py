"""The results of the runs, loaded from the files of earlier stages."""

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.arrays import load_arrays
from common.atomic import sha256
from common.command_line import InputError
from common.config import Config
from common.model import architecture
from common.results import ACCURACY, Result, load_results
from common.splits import Description, Split, load_description, load_split
from common.tables import load_csv
from stages.report.calibration import (
    accuracy_interval,
    calibration_bins,
    expected_calibration_error,
)


@dataclass(frozen=True)
class RunResults:
    """The results of one run.

    Attributes
    ----------
    architecture
        Of the model, in one phrase.
    weights_sha256
        The checksum of the file of its weights.
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
    weight_count: int
    weights_sha256: str
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


def load_report_data(config: Config, folders: Namespace) -> ReportData:
    """Load the results of all runs from ``models``, ``costs``, ``metrics`` and ``predictions``.

    The test split is in the folder ``flat``. Raises InputError if a file is missing or damaged, or
    has no result of a run.
    """
    results = load_results(folders.metrics / ACCURACY.name)
    description = load_description(folders.flat / "description.json")
    labels = [str(label) for label in range(len(description.classes))]
    rates = {"precision": "float64", "recall": "float64", "support": "int64"}
    columns = {"label": "int64", "predicted": "int64", "probability": "float64"}
    counts = load_csv(
        folders.metrics / "confusion.csv", {"run": "str", **dict.fromkeys(labels, "int64")}
    )
    per_class = load_csv(folders.metrics / "per_class.csv", {"run": "str", **rates})
    runs = {}
    for name in config.runs:
        if name not in results:
            raise InputError(f"{ACCURACY}: has no run {name!r}; `dvc repro` makes it again")
        path = folders.models / name / "weights.npz"
        weights = load_arrays(path)
        runs[name] = RunResults(
            name=name,
            result=results[name],
            architecture=architecture(weights),
            weight_count=sum(array.size for array in weights.values()),
            weights_sha256=sha256(path.read_bytes()),
            costs=load_csv(folders.costs / f"{name}.csv", {"cost": "float64"})["cost"].to_numpy(),
            predictions=load_csv(folders.predictions / f"{name}.csv", columns),
            confusion=counts.loc[counts["run"] == name, labels].to_numpy(),
            per_class=per_class.loc[per_class["run"] == name, list(rates)],
        )
    return ReportData(config, description, load_split(folders.flat / "test.npz"), runs)
