"""Train every run with many seeds, and measure each training.

    python -m extras.seeds.train 30 data/flat extras/seeds/results.csv

TensorFlow starts once, and all trainings use one compiled program.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.config import Config, load_config
from common.model import Model
from common.splits import Split, load_description, load_splits
from stages.evaluate.evaluate import accuracy, predict
from stages.train.trainer import Trainer
from support.command_line import CommandError, InputError, argument_parser, echo, run
from support.files import atomic_write

ITERATIONS_PER_COST = 100  # between two costs of the results


def train_seed(
    trainer: Trainer, config: Config, splits: Mapping[str, Split], seed: int
) -> Iterator[dict[str, Any]]:
    """Train every run with one seed.

    Yields one row per run, with the columns ``run``, ``seed``, ``train``, ``validation``, ``test``,
    and ``cost_0``, ``cost_100`` and so on.
    """
    for name, params in config.runs.items():
        trainer.reset(config.train.model_copy(update={"seed": seed}), params.iterations)
        costs = np.concatenate(list(trainer.train(params.iterations)))
        if not np.isfinite(costs).all():
            raise CommandError(f"seed {seed}: a cost of {name} is infinite or not a number")
        model = Model(trainer.weights())
        row: dict[str, Any] = {"run": name, "seed": seed}
        row |= {split: accuracy(predict(model, examples)) for split, examples in splits.items()}
        row |= {f"cost_{i}": costs[i] for i in range(0, len(costs), ITERATIONS_PER_COST)}
        echo(f"seed {seed}: {name}: test accuracy {row['test']:.2%}")
        yield row


def main() -> None:
    parser = argument_parser("extras.seeds.train", __doc__)
    parser.add_argument("seeds", type=int, help="how many, from train.seed on; at least 2")
    parser.add_argument("flat", type=Path, help="folder of the splits: data/flat")
    parser.add_argument("results", type=Path, help="for the table: extras/seeds/results.csv")
    arguments = parser.parse_args()
    if arguments.seeds < 2:
        raise InputError("seeds: one has no standard deviation; at least 2 are needed")
    config, splits = load_config(), load_splits(arguments.flat)
    classes = load_description(arguments.flat / "description.json").classes
    trainer = Trainer(config.model, config.train, 0, splits["train"], len(classes))
    rows: list[dict[str, Any]] = []
    for seed in range(config.train.seed, config.train.seed + arguments.seeds):
        rows += train_seed(trainer, config, splits, seed)
    atomic_write(arguments.results, pd.DataFrame(rows).to_csv(index=False).encode())


if __name__ == "__main__":
    run(main)
