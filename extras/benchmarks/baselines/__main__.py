"""Train with one baseline, and print as JSON how long it took.

    python -m extras.benchmarks.baselines jax_scan 1000 10000
    python -m extras.benchmarks.baselines keras_fit:hundred_steps_per_call 1000 10000

The clock starts when everything is imported and the examples are in memory; it includes building,
tracing and compiling.
"""

from __future__ import annotations

import json
from argparse import Namespace
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.command_line import InputError, argument_parser, echo, run
from common.config import load_config
from common.splits import load_description, load_split
from extras.benchmarks.baselines.task import Predict, Task


def measure(module: Any, function: str, arguments: Namespace) -> dict[str, float]:
    """Train up to each stop.

    Returns
    -------
    dict
        The seconds to each stop, the seconds per iteration between the first and the last stop,
        and the number of correct predictions on the test split.
    """
    is_scaled = getattr(module, "SCALED", True)
    features, labels = _load(arguments.flat / "train.npz", is_scaled=is_scaled)
    description = load_description(arguments.flat / "description.json")
    config = load_config()
    stops = tuple(arguments.stops)
    task = Task(features, labels, len(description.classes), config.model, config.train, stops)
    measured: dict[str, float] = {}
    start = perf_counter()
    predict: Predict = None
    for stop, predict in zip(stops, getattr(module, function)(task), strict=True):  # noqa: B007
        measured[f"seconds_{stop}"] = perf_counter() - start
    if stops[1:]:
        seconds = measured[f"seconds_{stops[-1]}"] - measured[f"seconds_{stops[0]}"]
        measured["seconds_per_iteration"] = seconds / (stops[-1] - stops[0])
    if predict is not None:
        features, labels = _load(arguments.flat / "test.npz", is_scaled=is_scaled)
        measured["correct"] = int((predict(features) == labels).sum())
    return measured


def _load(path: Path, *, is_scaled: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    split = load_split(path)
    features = split.features.astype(np.float32) / np.float32(255) if is_scaled else split.features
    return features, split.labels.astype(np.int64)


def main() -> None:
    """Read the arguments, train, and print one line."""
    parser = argument_parser("extras.benchmarks.baselines", __doc__)
    parser.add_argument("baseline", help="a module of this folder; or MODULE:FUNCTION")
    parser.add_argument("stops", type=int, nargs="+", help="numbers of iterations: 1000 10000")
    parser.add_argument("--flat", type=Path, default=Path("data/flat"), help="data/flat")
    arguments = parser.parse_args()
    name, _, function = arguments.baseline.partition(":")
    try:
        module = import_module(f"extras.benchmarks.baselines.{name}")
    except ImportError as error:
        raise InputError(
            f"{name}: {error}; `make bench-baselines` installs what baselines need"
        ) from None
    echo(json.dumps(measure(module, function or "train", arguments)))


if __name__ == "__main__":
    run(main)
