"""Train with one baseline, and print as JSON how long it took.

    python -m extras.benchmarks.baselines jax_scan 1000 10000

The clock starts when everything is imported and the examples are in memory; it includes building,
tracing and compiling.
"""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from common.config import load_config
from common.splits import Split, load_split
from extras.benchmarks.baselines import Task
from support.command_line import argument_parser, echo, run


def load(name: str, module: Any) -> Split:
    """Load a split; features are scaled to [0, 1] unless the baseline is ``SCALED = False``."""
    split = load_split(Path(f"data/flat/{name}.npz"))
    is_scaled = getattr(module, "SCALED", True)
    features = split.features.astype(np.float32) / 255 if is_scaled else split.features
    return Split(features, split.labels.astype(np.int64))


def main() -> None:
    parser = argument_parser("extras.benchmarks.baselines", __doc__)
    parser.add_argument("baseline", help="a module of this folder, or MODULE:FUNCTION")
    parser.add_argument("stops", type=int, nargs="+", help="numbers of iterations: 1000 10000")
    arguments = parser.parse_args()
    name, _, function = arguments.baseline.partition(":")
    module = import_module(f"extras.benchmarks.baselines.{name}")
    task = Task(load_config(), load("train", module), load("test", module), arguments.stops)
    predicted = getattr(module, function or "train")(task)
    measured = {"seconds_first": task.seconds[0], "seconds_all": task.seconds[-1]}
    for seconds in np.diff(task.seconds) / np.diff(task.stops):
        measured["seconds_per_iteration"] = float(seconds)
    if predicted is not None:
        measured["correct"] = int((predicted == task.test.labels).sum())
    echo(json.dumps(measured))


if __name__ == "__main__":
    run(main)
