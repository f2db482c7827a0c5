"""Everything there is of a run, read from the files of the stages before."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common import arrays, tables
from common.arrays import Split
from common.atomic import sha256
from common.command_line import InputError
from common.config import Config
from common.model import Weights
from stages.report import calibration as uncertainty


@dataclass(frozen=True)
class RunResults:
    """Everything there is of one run.

    Attributes
    ----------
    weights
        What was learned.
    weights_bytes, weights_sha256
        Of the file that they are in.
    costs : ndarray of float64, shape (iterations,)
        In nats.
    answers
        ``label``, ``predicted`` and ``probability`` of each test image.
    confusion : ndarray of int64, shape (classes, classes)
        Test images, a row each true class, a column each predicted one.
    per_class
        ``precision``, ``recall`` and ``support``, a row a class.
    """

    weights: Weights
    weights_bytes: int
    weights_sha256: str
    costs: NDArray[np.float64]
    answers: pd.DataFrame
    confusion: NDArray[np.int64]
    per_class: pd.DataFrame

    @property
    def parameters(self) -> int:
        """How many numbers were learned."""
        return sum(array.size for array in self.weights.values())

    @property
    def units(self) -> list[int]:
        """The width of the input and of each layer."""
        biases = [array for name, array in self.weights.items() if name.startswith("b")]
        return [len(self.weights["W1"]), *(len(bias) for bias in biases)]

    @property
    def mistakes(self) -> pd.DataFrame:
        """The wrong answers, those with the highest probability first."""
        wrong = self.answers[self.answers["label"] != self.answers["predicted"]]
        return wrong.sort_values("probability", ascending=False, kind="stable")

    @property
    def commonest_mistakes(self) -> list[tuple[int, int, int]]:
        """The true class, the predicted one and how often, of the mistakes made most often."""
        wrong = self.confusion - np.diag(self.confusion.diagonal())
        return [
            (int(label), int(predicted), int(wrong.max()))
            for label, predicted in np.argwhere(wrong == wrong.max())
        ]

    def reliability(self, bins: int) -> pd.DataFrame:
        """Compare confidence with accuracy; see `uncertainty.reliability`."""
        return uncertainty.reliability(self.answers, bins)


def read(name: str, folders: Namespace, config: Config) -> RunResults:
    """Read what there is of one run.

    Parameters
    ----------
    name
        Of the run.
    folders
        Where things are: ``models``, ``costs``, ``metrics`` and ``predictions``.
    config
        The settings.

    Raises
    ------
    InputError
        If a file is missing or damaged.
    """
    every = [str(label) for label in range(len(config.dataset.classes))]
    counts = tables.load(
        folders.metrics / "confusion.csv",
        {"run": "str", "label": "int64", **dict.fromkeys(every, "int64")},
    )
    measures = {"precision": "float64", "recall": "float64", "support": "int64"}
    per_class = tables.load(
        folders.metrics / "per_class.csv", {"run": "str", "class": "int64", **measures}
    )
    path = folders.models / name / "weights.npz"
    costs = tables.load(folders.costs / f"{name}.csv", {"iteration": "int64", "cost": "float64"})
    answers = tables.load(
        folders.predictions / f"{name}.csv",
        {"label": "int64", "predicted": "int64", "probability": "float64"},
    )
    return RunResults(
        weights=arrays.load_weights(path),
        weights_bytes=path.stat().st_size,
        weights_sha256=sha256(path.read_bytes()),
        costs=costs["cost"].to_numpy(),
        answers=answers,
        confusion=counts.loc[counts["run"] == name, every].to_numpy(),
        per_class=per_class.loc[per_class["run"] == name, ["class", *measures]],
    )


def check(name: str, found: RunResults, test: Split, config: Config) -> None:
    """Refuse files that were not made together.

    Raises
    ------
    InputError
        With the first thing of this run that does not fit the settings or the test images.
    """
    classes, pixels = len(config.dataset.classes), math.prod(config.dataset.image_shape)
    iterations = config.runs[name].iterations
    reasons = {
        f"{test.images.shape[1]} pixels an image, not {pixels}": test.images.shape[1] != pixels,
        f"weights for {found.units[0]} pixels, not {pixels}": found.units[0] != pixels,
        f"{len(found.costs)} costs, not {iterations}": len(found.costs) != iterations,
        "answers to other images": not np.array_equal(found.answers["label"], test.labels),
        f"answers outside the {classes} classes": not found.answers["predicted"]
        .between(0, classes - 1)
        .all(),
        f"a confusion matrix of {len(found.confusion)} classes, not {classes}": len(found.confusion)
        != classes,
        f"measures of {len(found.per_class)} classes, not {classes}": len(found.per_class)
        != classes,
    }
    for reason, is_so in reasons.items():
        if is_so:
            raise InputError(f"run {name}: {reason}; `dvc repro` makes its files anew")


def begin_alike(evidence: Mapping[str, RunResults]) -> bool:
    """Tell whether every run is the beginning of the longest."""
    longest = max((found.costs for found in evidence.values()), key=len)
    return all(
        np.array_equal(found.costs, longest[: len(found.costs)]) for found in evidence.values()
    )
