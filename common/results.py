"""The accuracies of each run: metrics/accuracy.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from common.atomic import atomic_write
from common.command_line import InputError
from common.schema import StrictModel

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


RESULTS = TypeAdapter(dict[str, Result])


def save_results(path: Path, results: Mapping[str, Result]) -> None:
    """Write the results of all runs, by the runs' names."""
    content = {name: result.model_dump() for name, result in results.items()}
    atomic_write(path, json.dumps(content, indent=2).encode() + b"\n")


def load_results(path: Path) -> dict[str, Result]:
    """Load the results of all runs; raises InputError if the file is missing or damaged."""
    try:
        return parse_results(path.read_bytes(), path)
    except FileNotFoundError:
        raise InputError(f"{path}: not found; `dvc repro` makes it") from None


def parse_results(content: bytes, path: Path) -> dict[str, Result]:
    """Load the results of all runs from the content of a file; `path` is named in an error."""
    try:
        return RESULTS.validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"{part}: " for part in first["loc"])
        raise InputError(f"{path}: {place}{first['msg']}; `dvc repro` makes it again") from None
