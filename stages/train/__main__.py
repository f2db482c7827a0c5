"""Train the network for one run of params.yaml.

    python -m stages.train long data/flat/train.npz models/long/weights.npz costs/long.csv

10,000 iterations take a few seconds after TensorFlow has started, and reach 97 % or more on the
test images; 1,000 reach 95 % or more. The same settings give the same bytes, every time, on
any x86-64 processor with AVX2.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common import arrays
from common.atomic import atomic_open
from common.command_line import CommandError, argument_parser, echo, progress, run
from common.config import DATASETS, PARAMS, load_config
from common.model import Weights


def lines(first: int, costs: NDArray[np.float32], every: int) -> Iterator[str]:
    """Report the cost of each iteration whose number can be divided by `every`.

    Parameters
    ----------
    first
        The number of the iteration that `costs` begins with.
    costs : ndarray of float32, shape (iterations,)
    every
        How often to report.
    """
    for iteration, cost in enumerate(costs, first):
        if iteration % every == 0:
            yield f"iteration {iteration}, batch cost: {cost:.4f}"


def check_finite(first: int, costs: NDArray[np.float32]) -> None:
    """Stop a training that has diverged.

    Raises
    ------
    CommandError
        If a cost is infinite or not a number; it names the first such iteration.
    """
    wrong = np.flatnonzero(~np.isfinite(costs))
    if wrong.size:
        raise CommandError(
            f"iteration {first + wrong[0]}: the batch cost is {costs[wrong[0]]}; "
            f"try a smaller train.learning_rate in {PARAMS}"
        )


def check_weights(weights: Weights) -> None:
    """Refuse weights that the last iteration has spoilt: no cost comes after it to tell.

    Raises
    ------
    CommandError
        If one is infinite or not a number.
    """
    for name, values in weights.items():
        if not np.isfinite(values).all():
            raise CommandError(
                f"after the last iteration {name} is not finite; "
                f"try a smaller train.learning_rate in {PARAMS}"
            )


def save_costs(path: Path, costs: NDArray[np.float32]) -> None:
    """Write a CSV file with the columns ``iteration`` and ``cost``, one row an iteration.

    A cost is written with the fewest digits that give the same float32 when read.
    """
    with atomic_open(path) as file:
        file.write(b"iteration,cost\n")
        file.writelines(f"{row},{cost!s}\n".encode() for row, cost in enumerate(costs))


def main() -> None:
    """Read the arguments, the settings and the training images; write weights and costs."""
    parser = argument_parser("stages.train", __doc__)
    parser.add_argument("run", help="a name under `runs` in params.yaml")
    parser.add_argument("examples", type=Path, help="the training images: data/flat/train.npz")
    parser.add_argument("weights", type=Path, help="what is learned: models/RUN/weights.npz")
    parser.add_argument("costs", type=Path, help="the cost of each iteration: costs/RUN.csv")
    arguments = parser.parse_args()
    config = load_config()
    iterations = config.run(arguments.run).iterations
    examples = arrays.load_split(arguments.examples)

    # Here, and not above: TensorFlow takes seconds to start, and what is wrong is said before.
    from stages.train.network import IS_REPRODUCIBLE, Trainer

    if not IS_REPRODUCIBLE:
        echo(
            "this processor has no AVX2: the weights and costs may differ in their last digits "
            "from those in dvc.lock; `make gate` says whether the accuracy is as it should be"
        )
    training = Trainer(config.train, examples, len(config.dataset.classes))
    costs: list[NDArray[np.float32]] = []
    with progress(f"training {arguments.run}", iterations) as advance:
        for some in training.train(iterations):
            done = sum(map(len, costs))
            check_finite(done, some)
            for line in lines(done, some, config.train.log_every_iterations):
                echo(line)
            costs.append(some)
            advance(len(some))
    weights = training.weights()
    check_weights(weights)
    # DVC notes the settings that it finds when a stage has ended.
    if load_config() != config:
        raise CommandError(
            f"{PARAMS} or {DATASETS} was changed during the training; run `dvc repro` again"
        )
    arrays.save(arguments.weights, weights)
    save_costs(arguments.costs, np.concatenate(costs))


if __name__ == "__main__":
    run(main)
