"""Train every run with many seeds.

    python -m studies.replicates data/flat studies/replicates.csv

30 seeds take about four minutes on two cores, in one process: TensorFlow starts once, the program
is compiled once, and as a run with more iterations begins like one with fewer, each seed is trained
only as long as the longest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages import arrays, inference, settings
from stages.arrays import Examples
from stages.console import StageError, command_line, progress, run, say
from stages.files import replacing
from stages.inference import Weights
from stages.reference import ACCURACIES, EVERY_ITERATIONS
from stages.settings import Settings


def accuracy(weights: Weights, examples: Examples) -> float:
    """Give the fraction of images that are read right."""
    answers = inference.logits(weights, examples.images).argmax(axis=1)
    return int((answers == examples.labels).sum()) / len(examples)


def train(chosen: Settings, parts: dict[str, Examples]) -> Iterator[dict[str, Any]]:
    """Train with each seed, and measure each run when its last iteration is done.

    Yields
    ------
    dict
        ``run``, ``seed``, the accuracies, and ``costs`` (iterations,).

    Raises
    ------
    StageError
        If a training diverges.
    """
    from stages.network import Training

    ordered = sorted(chosen.runs.items(), key=lambda item: item[1].iterations)
    training = Training(chosen.train, parts["train"], len(chosen.dataset.classes))
    for seed in range(chosen.train.seed, chosen.train.seed + chosen.replicates.seeds):
        training.restart(chosen.train.model_copy(update={"seed": seed}))
        costs = np.empty(0, np.float32)
        for name, wanted in ordered:
            further = training.costs(wanted.iterations - len(costs))
            costs = np.concatenate([costs, *further])
            if not np.isfinite(costs).all():
                raise StageError(f"seed {seed}: the cost of {name} is not finite")
            weights = training.weights()
            measured = {part: accuracy(weights, examples) for part, examples in parts.items()}
            yield {"run": name, "seed": seed, **measured, "costs": costs}


def table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Lay the results out: a row a training, a column for the cost at each 100th iteration."""

    def row(given: dict[str, Any]) -> dict[str, Any]:
        costs = given["costs"][::EVERY_ITERATIONS]
        named = {f"cost_{number * EVERY_ITERATIONS}": cost for number, cost in enumerate(costs)}
        return (
            {"run": given["run"], "seed": given["seed"]}
            | {part: given[part] for part in ACCURACIES}
            | named
        )

    return pd.DataFrame([row(given) for given in rows])


def main() -> None:
    """Read the arguments, settings and arrays; train; write a row a training."""
    parser = command_line("replicates", __doc__, "studies")
    parser.add_argument("flat", type=Path, help="where the arrays are: data/flat")
    parser.add_argument("results", type=Path, help="a row a training: studies/replicates.csv")
    arguments = parser.parse_args()
    chosen = settings.load()
    parts = {part: arrays.load_examples(arguments.flat / f"{part}.npz") for part in arrays.PARTS}
    rows: list[dict[str, Any]] = []
    with progress("training", len(chosen.runs) * chosen.replicates.seeds) as advance:
        for row in train(chosen, parts):
            say(f"seed {row['seed']}: {row['run']}: test {row['test']:.2%}")
            rows.append(row)
            advance(1)
    with replacing(arguments.results) as file:
        file.write(table(rows).to_csv(index=False).encode())


if __name__ == "__main__":
    run(main)
