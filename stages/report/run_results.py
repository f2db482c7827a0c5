"""The results of the runs, loaded from the files of earlier stages."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.arrays import load_weights
from common.atomic import sha256
from common.config import Config
from common.model import Weights, architecture
from common.splits import Description, Split, load_description, load_split
from common.tables import load_csv
from stages.report.calibration import calibration_bins, expected_calibration_error


@dataclass(frozen=True)
class RunResults:
    """The results of one run, and the checksum of the file of its weights.

    Attributes
    ----------
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
    weights: Weights
    weights_sha256: str
    costs: NDArray[np.float64]
    predictions: pd.DataFrame
    confusion: NDArray[np.int64]
    per_class: pd.DataFrame

    @property
    def architecture(self) -> str:
        """The architecture of the model in one phrase."""
        return architecture(self.weights)

    @property
    def weight_count(self) -> int:
        """The number of weights."""
        return sum(array.size for array in self.weights.values())

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

    @property
    def share_prefix(self) -> bool:
        """Whether the costs of every run are the first ones of the longest run."""
        longest = max((run.costs for run in self.runs.values()), key=len)
        return all(
            np.array_equal(run.costs, longest[: len(run.costs)]) for run in self.runs.values()
        )


def _load_run(name: str, folders: Namespace, classes: int) -> RunResults:
    """Load one run from the folders ``models``, ``costs``, ``metrics`` and ``predictions``."""
    weights = folders.models / name / "weights.npz"
    labels = [str(label) for label in range(classes)]
    measures = {"precision": "float64", "recall": "float64", "support": "int64"}
    counts = load_csv(
        folders.metrics / "confusion.csv", {"run": "str", **dict.fromkeys(labels, "int64")}
    )
    per_class = load_csv(folders.metrics / "per_class.csv", {"run": "str", **measures})
    return RunResults(
        name=name,
        weights=load_weights(weights),
        weights_sha256=sha256(weights.read_bytes()),
        costs=load_csv(folders.costs / f"{name}.csv", {"cost": "float64"})["cost"].to_numpy(),
        predictions=load_csv(
            folders.predictions / f"{name}.csv",
            {"label": "int64", "predicted": "int64", "probability": "float64"},
        ),
        confusion=counts.loc[counts["run"] == name, labels].to_numpy(),
        per_class=per_class.loc[per_class["run"] == name, list(measures)],
    )


def load_report_data(config: Config, folders: Namespace) -> ReportData:
    """Load the results of all runs, and the test split from the folder ``flat``.

    Raises
    ------
    InputError
        If a file is missing or damaged.
    """
    description = load_description(folders.flat / "description.json")
    test = load_split(folders.flat / "test.npz")
    classes = len(description.classes)
    runs = {name: _load_run(name, folders, classes) for name in config.runs}
    return ReportData(config, description, test, runs)
