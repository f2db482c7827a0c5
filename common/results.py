"""The accuracies of each run: metrics/accuracy.json."""

import json
from collections.abc import Mapping
from pathlib import Path

from support.files import atomic_write
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


def save_results(path: Path, results: Mapping[str, Result]) -> None:
    """Write the results of all runs, by the runs' names."""
    content = {name: result.model_dump() for name, result in results.items()}
    atomic_write(path, json.dumps(content, indent=2).encode() + b"\n")


def load_results(path: Path) -> dict[str, Result]:
    """Load the results of all runs; raises InputError if the file is missing or damaged."""
    return load_json(dict[str, Result], path)
