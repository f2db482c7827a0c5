"""Train with one baseline, and print as JSON how long it took.

    python -m extras.benchmarks.baselines jax_scan 1000 10000
    python -m extras.benchmarks.baselines keras_fit:with_autologging 1000

The clock starts when everything is imported and the examples are in memory; it includes building,
tracing and compiling.
"""

import json
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from common.config import load_config
from common.splits import load_split
from extras.benchmarks.baselines.task import Task, Training
from support.command_line import argument_parser, echo, run


def measure(training: Training, task: Task, test_labels: Any) -> dict[str, float]:
    """Return the seconds of the first section and of all, and the number of correct predictions."""
    start = perf_counter()
    times = [perf_counter() - start for _ in task.sections if next(training) is None]
    measured = {"seconds_first": times[0], "seconds_all": times[-1]}
    if len(times) > 1:
        measured["seconds_per_iteration"] = (times[-1] - times[0]) / sum(task.sections[1:])
    predicted = next(training)
    if predicted is not None:
        measured["correct"] = int((predicted == test_labels).sum())
    return measured


def main() -> None:
    """Read the arguments, train, and print one line."""
    parser = argument_parser("extras.benchmarks.baselines", __doc__)
    parser.add_argument("baseline", help="a module of this folder, or MODULE:FUNCTION")
    parser.add_argument("stops", type=int, nargs="+", help="numbers of iterations: 1000 10000")
    arguments = parser.parse_args()
    config = load_config()
    train, test = (load_split(Path(f"data/flat/{name}.npz")) for name in ("train", "test"))
    name, _, function = arguments.baseline.partition(":")
    module: Any = import_module(f"extras.benchmarks.baselines.{name}")
    features = [train.features, test.features]
    if getattr(module, "SCALED", True):
        features = [array.astype(np.float32) / np.float32(255) for array in features]
    task = Task(
        features=features[0],
        labels=train.labels.astype(np.int64),
        test_features=features[1],
        classes=len(config.dataset.classes),
        model=config.model,
        adam=config.train,
        sections=tuple(stop - start for start, stop in pairwise([0, *arguments.stops])),
    )
    training = getattr(module, function or "train")(task)
    echo(json.dumps(measure(training, task, test.labels)))


if __name__ == "__main__":
    run(main)
