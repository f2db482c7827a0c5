"""Train every run with many seeds, and measure each training.

    python -m extras.seeds.train data/flat extras/seeds/results.csv

30 seeds take less than two minutes on two cores: TensorFlow starts once, and a run with more
iterations begins like one with fewer, so each seed is trained only as long as the longest run.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
from common.inference import accuracy
from pydantic import Field

from common.config import Config, load_config
from common.splits import SPLITS, Split, load_description, load_split
from support.command_line import CommandError, argument_parser, echo, progress, run
from support.files import atomic_write
from support.schema import StrictModel, validate
from support.yaml_file import read_yaml

if TYPE_CHECKING:
    from stages.train.trainer import Trainer

SEEDS_PARAMS = Path("extras/seeds/params.yaml")
ITERATIONS_PER_COST = 100  # between two costs of the results
# Two take two thirds of the time that they take one after the other, because one computes while
# the other waits for its threads. A third gains nothing.
PARALLEL_TRAININGS = 2


class SeedsParams(StrictModel):
    """The whole of extras/seeds/params.yaml: how many seeds each run is trained with."""

    seeds: Annotated[int, Field(ge=2)]


def train_seed(
    trainer: Trainer, config: Config, splits: Mapping[str, Split], seed: int
) -> list[dict[str, Any]]:
    """Train with one seed, and measure each run at its last iteration.

    Returns one row per run, the shortest first, with the columns ``run``, ``seed``, ``train``,
    ``validation``, ``test``, and ``cost_0``, ``cost_100`` and so on.
    """
    trainer.reset(config.train.model_copy(update={"seed": seed}))
    costs = np.empty(0, np.float32)
    rows = []
    for name, params in sorted(config.runs.items(), key=lambda item: item[1].iterations):
        costs = np.concatenate([costs, *trainer.train(params.iterations - len(costs))])
        if not np.isfinite(costs).all():
            raise CommandError(f"seed {seed}: a cost of {name} is infinite or not a number")
        row: dict[str, Any] = {"run": name, "seed": seed}
        for split, examples in splits.items():
            row[split] = accuracy(trainer.weights(), examples.features, examples.labels)
        for iteration in range(0, len(costs), ITERATIONS_PER_COST):
            row[f"cost_{iteration}"] = costs[iteration]
        rows.append(row)
    return rows


def train_seeds(
    config: Config, splits: Mapping[str, Split], classes: int, count: int
) -> pd.DataFrame:
    """Train with `count` seeds from train.seed on, and return the rows of `train_seed`."""
    # Here and not above: TensorFlow takes seconds to start, and wrong input is reported before.
    from stages.train.trainer import Trainer

    thread = threading.local()

    def prepare() -> None:
        thread.trainer = Trainer(config.model, config.train, splits["train"], classes)

    rows = []
    with (
        progress("training", count) as advance,
        ThreadPoolExecutor(PARALLEL_TRAININGS, initializer=prepare) as pool,
    ):
        seeds = range(config.train.seed, config.train.seed + count)
        trainings = pool.map(lambda seed: train_seed(thread.trainer, config, splits, seed), seeds)
        for latest in trainings:
            for row in latest:
                echo(f"seed {row['seed']}: {row['run']}: test accuracy {row['test']:.2%}")
            rows += latest
            advance(1)
    return pd.DataFrame(rows)


def main() -> None:
    """Read the arguments, the settings and the splits; train; write one row per training."""
    parser = argument_parser("extras.seeds.train", __doc__)
    parser.add_argument("flat", type=Path, help="folder of the splits: data/flat")
    parser.add_argument("results", type=Path, help="the table: extras/seeds/results.csv")
    arguments = parser.parse_args()
    config = load_config()
    params = validate(SeedsParams, read_yaml(SEEDS_PARAMS), SEEDS_PARAMS)
    splits = {split: load_split(arguments.flat / f"{split}.npz") for split in SPLITS}
    classes = load_description(arguments.flat / "description.json").classes
    results = train_seeds(config, splits, len(classes), params.seeds)
    atomic_write(arguments.results, results.to_csv(index=False).encode())


if __name__ == "__main__":
    run(main)
