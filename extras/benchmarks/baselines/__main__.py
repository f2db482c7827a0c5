"""Train with one baseline, and print as JSON how long it took.

    python -m extras.benchmarks.baselines jax_scan 1000 10000
    python -m extras.benchmarks.baselines keras_fit:hundred_steps_per_call 1000 10000

The clock starts when everything is imported and the examples are in memory; it includes building,
tracing and compiling.
"""

import json
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from common.command_line import InputError, argument_parser, echo, run
from common.config import load_config
from common.splits import load_split
from extras.benchmarks.baselines.task import Task, Train


def measure(train: Train, task: Task, test_labels: Any) -> dict[str, float]:
    """Train up to each stop.

    Returns
    -------
    dict
        The seconds to each stop, the seconds per iteration between the first and the last stop,
        and the number of correct predictions on the test split.
    """
    measured: dict[str, float] = {}
    start = perf_counter()
    training = train(task)
    for stop in task.stops:
        next(training)
        measured[f"seconds_{stop}"] = perf_counter() - start
    if len(task.stops) > 1:
        first, *_, last = task.stops
        seconds = measured[f"seconds_{last}"] - measured[f"seconds_{first}"]
        measured["seconds_per_iteration"] = seconds / (last - first)
    predicted = next(training)
    if predicted is not None:
        measured["correct"] = int((predicted == test_labels).sum())
    return measured


def main() -> None:
    """Read the arguments, train, and print one line."""
    parser = argument_parser("extras.benchmarks.baselines", __doc__)
    parser.add_argument("baseline", help="a module of this folder; or MODULE:FUNCTION")
    parser.add_argument("stops", type=int, nargs="+", help="numbers of iterations: 1000 10000")
    parser.add_argument("--flat", type=Path, default=Path("data/flat"), help="data/flat")
    arguments = parser.parse_args()
    config = load_config()
    train, test = (load_split(arguments.flat / f"{name}.npz") for name in ("train", "test"))
    name, _, function = arguments.baseline.partition(":")
    try:
        module: Any = import_module(f"extras.benchmarks.baselines.{name}")
        train_function = getattr(module, function or "train")
    except (ImportError, AttributeError) as error:
        raise InputError(f"{name}: {error}; `make bench-baselines` installs packages") from None
    features = [train.features, test.features]
    if getattr(module, "SCALED", True):
        features = [array.astype(np.float32) / np.float32(255) for array in features]
    task = Task(
        features=features[0],
        labels=train.labels.astype(np.int64),
        test_features=features[1],
        classes=len(config.dataset.classes),
        model=config.model,
        params=config.train,
        stops=tuple(arguments.stops),
    )
    echo(json.dumps(measure(train_function, task, test.labels)))


if __name__ == "__main__":
    run(main)
