"""Train every run with many seeds.

    python -m studies.replicates data/flat studies/replicates.csv

30 seeds take less than two minutes on two cores, in one process: TensorFlow starts once, and as a
run with more iterations begins like one with fewer, each seed is trained only as long as the
longest. With --ray there is a process a processor, on one machine or on many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pandas as pd

from stages import arrays, cluster, inference, settings
from stages.arrays import Examples
from stages.console import StageError, command_line, progress, run, say
from stages.files import write
from stages.reference import ACCURACIES, EVERY_ITERATIONS
from stages.settings import Settings

# Two side by side take two thirds of the time that they would take one after the other: one
# computes where the other waits for its threads to meet. A third wins nothing.
AT_ONCE = 2

Trainer = Callable[[int], list[dict[str, Any]]]


def trainer(chosen: Settings, parts: dict[str, Examples]) -> Trainer:
    """Give a function that trains with a seed, and measures each run at its last iteration.

    Returns
    -------
    callable
        Takes a seed, and gives a dict a run: ``run``, ``seed``, the accuracies, and ``costs``
        (iterations,). It raises `StageError` if the training diverges.
    """
    from stages.network import Training

    ordered = sorted(chosen.runs.items(), key=lambda item: item[1].iterations)
    training = Training(chosen.train, parts["train"], len(chosen.dataset.classes))

    def train(seed: int) -> list[dict[str, Any]]:
        training.restart(chosen.train.model_copy(update={"seed": seed}))
        costs = np.empty(0, np.float32)
        rows = []
        for name, wanted in ordered:
            further = training.costs(wanted.iterations - len(costs))
            costs = np.concatenate([costs, *further])
            if not np.isfinite(costs).all():
                raise StageError(f"seed {seed}: the cost of {name} is not finite")
            weights = training.weights()
            measured = {
                part: inference.accuracy(weights, examples.images, examples.labels)
                for part, examples in parts.items()
            }
            rows.append({"run": name, "seed": seed, **measured, "costs": costs})
        return rows

    return train


def trained(
    chosen: Settings, parts: dict[str, Examples], *, on_ray: bool
) -> Iterator[list[dict[str, Any]]]:
    """Train with each seed, in this process or in one a processor; the bytes are the same."""
    first = chosen.train.seed
    seeds = range(first, first + chosen.replicates.seeds)
    if on_ray:
        with cluster.connected(None):
            yield from cluster.mapped(trainer, (chosen, parts), seeds)
    else:
        trainers = [trainer(chosen, parts) for _ in range(AT_ONCE)]
        yield from at_once(trainers, seeds)


def at_once(trainers: list[Trainer], seeds: Iterable[int]) -> Iterator[list[dict[str, Any]]]:
    """Train with each seed, in as many threads as there are trainers; in the order of the seeds."""
    free: SimpleQueue[Trainer] = SimpleQueue()
    for one in trainers:
        free.put(one)

    def train(seed: int) -> list[dict[str, Any]]:
        one = free.get()
        try:
            return one(seed)
        finally:
            free.put(one)

    with ThreadPoolExecutor(len(trainers)) as pool:
        yield from pool.map(train, seeds)


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
    parser = command_line("studies.replicates", __doc__)
    parser.add_argument("flat", type=Path, help="where the arrays are: data/flat")
    parser.add_argument("results", type=Path, help="a row a training: studies/replicates.csv")
    parser.add_argument("--ray", action="store_true", help="in one process a processor, on Ray")
    arguments = parser.parse_args()
    chosen = settings.load()
    parts = {part: arrays.load_examples(arguments.flat / f"{part}.npz") for part in arrays.PARTS}
    rows: list[dict[str, Any]] = []
    with progress("training", len(chosen.runs) * chosen.replicates.seeds) as advance:
        for some in trained(chosen, parts, on_ray=arguments.ray):
            for row in some:
                say(f"seed {row['seed']}: {row['run']}: test {row['test']:.2%}")
            rows += some
            advance(len(some))
    write(arguments.results, table(rows).to_csv(index=False).encode())


if __name__ == "__main__":
    run(main)
