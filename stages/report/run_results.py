"""The results of the runs, loaded from the files of earlier stages."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.config import Config
from common.results import Result, load_model, load_results, load_summary
from common.splits import Description, Split, load_description, load_split
from common.tables import load_csv
from stages.report import calibration
from support.files import files_in, sha256


@dataclass(frozen=True)
class RunResults:
    """The results of one run.

    ``architecture`` describes the model in one phrase, and ``training`` how it was trained;
    ``files`` are the SHA-256 of its files, by their paths; ``costs`` are in nats, shape
    (iterations,); ``curves`` has ``iteration``, ``name`` and ``value``; ``predictions`` ``label``,
    ``predicted`` and ``probability``, one row per test example; ``confusion`` counts them, one row
    per true class and one column per predicted class. ``per_class`` has ``precision``, ``recall``
    and ``support``, one row per class.
    """

    name: str
    result: Result
    architecture: str
    training: str
    files: Mapping[str, str]
    costs: NDArray[np.float64]
    curves: pd.DataFrame
    predictions: pd.DataFrame
    confusion: NDArray[np.int64]
    per_class: pd.DataFrame

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the test accuracy."""
        examples = len(self.predictions)
        return calibration.accuracy_interval(examples - len(self.mistakes), examples)

    @property
    def mistakes(self) -> pd.DataFrame:
        """The misclassified examples, the most confident first."""
        wrong = self.predictions[self.predictions["label"] != self.predictions["predicted"]]
        return wrong.sort_values("probability", ascending=False, kind="stable")

    @property
    def most_frequent_mistakes(self) -> list[tuple[int, int, int]]:
        """The most frequent mistakes: true class, predicted class, and how often."""
        wrong = self.confusion - np.diag(self.confusion.diagonal())
        pairs = np.argwhere(wrong == wrong.max()).tolist()
        return [(label, predicted, wrong.max()) for label, predicted in pairs]

    def calibration_error(self, bins: int) -> float:
        """Return the expected calibration error, in [0, 1], for a number of bins."""
        table = calibration.calibration_bins(self.predictions, bins)
        return calibration.expected_calibration_error(table)


@dataclass(frozen=True)
class ReportData:
    """Everything that the report shows: the settings, the test split, the runs by their names."""

    config: Config
    description: Description
    test: Split
    runs: Mapping[str, RunResults]


def load_report_data(
    config: Config,
    *,
    flat: Path,
    models: Path,
    costs: Path,
    curves: Path,
    metrics: Path,
    predictions: Path,
) -> ReportData:
    """Load the results of all runs; raises InputError if a file is missing or damaged."""
    description = load_description(flat / "description.json")
    results = load_results(metrics / "accuracy.json")
    labels = {str(label): "int64" for label in range(len(description.classes))}
    rates = {"precision": "float64", "recall": "float64", "support": "int64"}
    columns = {"label": "int64", "predicted": "int64", "probability": "float64"}
    values = {"iteration": "int64", "name": "str", "value": "float64"}
    counts = load_csv(metrics / "confusion.csv", {"run": "str"} | labels)
    per_class = load_csv(metrics / "per_class.csv", {"run": "str"} | rates)
    runs = {}
    for name in config.runs:
        runs[name] = RunResults(
            name=name,
            result=results[name],
            architecture=load_model(models / name).architecture,
            training=load_summary(models / name).description,
            files={str(file): sha256(file) for file in files_in(models / name)},
            costs=load_csv(costs / f"{name}.csv", {"cost": "float64"})["cost"].to_numpy(),
            curves=load_csv(curves / f"{name}.csv", values),
            predictions=load_csv(predictions / f"{name}.csv", columns),
            confusion=counts.loc[counts["run"] == name, list(labels)].to_numpy(),
            per_class=per_class[per_class["run"] == name],
        )
    return ReportData(config, description, load_split(flat / "test.npz"), runs)
