"""Train every run with many seeds.

    python -m extras.seeds.replicates data/flat extras/seeds/replicates.csv

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

from common import arrays
from common import model as inference
from common.arrays import Split
from common.atomic import atomic_write
from common.command_line import CommandError, argument_parser, echo, progress, run
from common.config import Config, load_config
from extras.seeds.reference import ACCURACIES, EVERY_ITERATIONS
from extras.sweeps import cluster

# Two side by side take two thirds of the time that they would take one after the other: one
# computes where the other waits for its threads to meet. A third wins nothing.
AT_ONCE = 2

Trainer = Callable[[int], list[dict[str, Any]]]


def trainer(config: Config, parts: dict[str, Split]) -> Trainer:
    """Give a function that trains with a seed, and measures each run at its last iteration.

    Returns
    -------
    callable
        Takes a seed, and gives a dict a run: ``run``, ``seed``, the accuracies, and ``costs``
        (iterations,). It raises `CommandError` if the training diverges.
    """
    from stages.train.network import Trainer

    ordered = sorted(config.runs.items(), key=lambda item: item[1].iterations)
    training = Trainer(config.train, parts["train"], len(config.dataset.classes))

    def train(seed: int) -> list[dict[str, Any]]:
        training.reset(config.train.model_copy(update={"seed": seed}))
        costs = np.empty(0, np.float32)
        rows = []
        for name, wanted in ordered:
            further = training.train(wanted.iterations - len(costs))
            costs = np.concatenate([costs, *further])
            if not np.isfinite(costs).all():
                raise CommandError(f"seed {seed}: the cost of {name} is not finite")
            weights = training.weights()
            measured = {
                part: inference.accuracy(weights, examples.images, examples.labels)
                for part, examples in parts.items()
            }
            rows.append({"run": name, "seed": seed, **measured, "costs": costs})
        return rows

    return train


def trained(
    config: Config, parts: dict[str, Split], *, on_ray: bool
) -> Iterator[list[dict[str, Any]]]:
    """Train with each seed, in this process or in one a processor; the bytes are the same."""
    first = config.train.seed
    seeds = range(first, first + config.replicates.seeds)
    if on_ray:
        with cluster.connected(None):
            yield from cluster.mapped(trainer, (config, parts), seeds)
    else:
        trainers = [trainer(config, parts) for _ in range(AT_ONCE)]
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
    parser = argument_parser("extras.seeds.replicates", __doc__)
    parser.add_argument("flat", type=Path, help="where the arrays are: data/flat")
    parser.add_argument("results", type=Path, help="a row a training: extras/seeds/replicates.csv")
    parser.add_argument("--ray", action="store_true", help="in one process a processor, on Ray")
    arguments = parser.parse_args()
    config = load_config()
    parts = {part: arrays.load_split(arguments.flat / f"{part}.npz") for part in arrays.SPLITS}
    rows: list[dict[str, Any]] = []
    with progress("training", len(config.runs) * config.replicates.seeds) as advance:
        for some in trained(config, parts, on_ray=arguments.ray):
            for row in some:
                echo(f"seed {row['seed']}: {row['run']}: test {row['test']:.2%}")
            rows += some
            advance(len(some))
    atomic_write(arguments.results, table(rows).to_csv(index=False).encode())


if __name__ == "__main__":
    run(main)
