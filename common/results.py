"""The results of a run: its model, a summary of its training, and its accuracies."""

import json
from collections.abc import Mapping
from pathlib import Path

from common.model import Model
from support.files import atomic_write, reading
from support.schema import StrictModel, load_json

ACCURACY = Path("metrics/accuracy.json")


class Result(StrictModel):
    """The accuracies of a run, in [0, 1], and its threshold."""

    iterations: int
    train: float
    validation: float
    test: float
    min_test_accuracy: float

    @property
    def is_met(self) -> bool:
        """Whether the test accuracy reaches its threshold."""
        return self.test >= self.min_test_accuracy


class TrainingSummary(StrictModel):
    """The number of iterations of a training, and how it trained, in one sentence."""

    iterations: int
    description: str


def save_results(path: Path, results: Mapping[str, Result]) -> None:
    """Write the results of all runs, by the runs' names."""
    content = {name: result.model_dump() for name, result in results.items()}
    atomic_write(path, json.dumps(content, indent=2).encode() + b"\n")


def load_results(path: Path) -> dict[str, Result]:
    """Load the results of all runs; raises InputError if the file is missing or damaged."""
    return load_json(dict[str, Result], path)


def load_model(folder: Path) -> Model:
    """Load the model of a run; raises InputError if it is missing or damaged."""
    with reading(folder):
        return Model.load(folder)


def save_summary(model: Path, summary: TrainingSummary) -> None:
    """Write the summary of a training into the folder of its model."""
    atomic_write(model / "training.json", summary.model_dump_json(indent=2).encode() + b"\n")


def load_summary(model: Path) -> TrainingSummary:
    """Load the summary of a training; raises InputError if it is missing or damaged."""
    return load_json(TrainingSummary, model / "training.json")
