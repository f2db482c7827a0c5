"""Train the model for one run, and check what comes out."""

import numpy as np
from numpy.typing import NDArray

from common.config import PARAMS, Config
from common.model import Weights, logits
from common.splits import Split
from support.command_line import CommandError, echo, progress
from support.files import repository

# Number of examples on which both forward passes are compared.
AGREEING_EXAMPLES = 64


def train(
    config: Config, iterations: int, examples: Split, classes: int
) -> tuple[Weights, NDArray[np.float32]]:
    """Train, and report costs on the way; returns the weights, and the cost of each iteration.

    Raises CommandError if the training diverges, or if the two forward passes differ.
    """
    # Imported here because TensorFlow takes seconds to start: wrong input is reported first.
    from stages.train.program_cache import keep_programs
    from stages.train.reproducible import IS_REPRODUCIBLE
    from stages.train.trainer import Trainer

    if not IS_REPRODUCIBLE:
        echo(
            "this processor has no AVX2: the weights and costs may differ in their last digits "
            "from those in dvc.lock; `make gate` checks whether the accuracy is as expected"
        )
    keep_programs(repository() / ".cache/xla")
    costs = np.empty(0, np.float32)
    with progress("training", iterations) as advance:
        trainer = Trainer(config.model, config.train, examples, classes)
        for latest in trainer.train(iterations):
            check_costs(len(costs), latest)
            for iteration, cost in enumerate(latest, len(costs)):
                if iteration % config.train.log_every_iterations == 0:
                    echo(f"iteration {iteration}, batch cost: {cost:.4f}")
            costs = np.concatenate([costs, latest])
            advance(len(latest))
    weights = trainer.weights()
    check_weights(weights)
    first = examples.features[:AGREEING_EXAMPLES]
    check_agreement(logits(weights, first), trainer.logits(first))
    return weights, costs


def check_costs(first: int, costs: NDArray[np.float32]) -> None:
    """Stop a training that has diverged; raises CommandError with the iteration.

    `first` is the iteration of the first of these costs.
    """
    diverged = np.flatnonzero(~np.isfinite(costs))
    if diverged.size:
        raise CommandError(
            f"iteration {first + diverged[0]}: the batch cost is {costs[diverged[0]]}; "
            f"try a smaller train.learning_rate in {PARAMS}"
        )


def check_weights(weights: Weights) -> None:
    """Refuse weights that the last iteration made infinite or NaN: no later cost would show it."""
    for name, values in weights.items():
        if not np.isfinite(values).all():
            raise CommandError(
                f"after the last iteration {name} is not finite; "
                f"try a smaller train.learning_rate in {PARAMS}"
            )


def check_agreement(in_numpy: NDArray[np.float64], in_tensorflow: NDArray[np.float32]) -> None:
    """Compare the logits of both forward passes; raises CommandError if they differ."""
    tolerance = 1e-3 * max(1.0, float(np.abs(in_numpy).max()))
    if in_numpy.shape != in_tensorflow.shape or (
        np.abs(in_numpy - in_tensorflow).max() > tolerance
    ):
        raise CommandError(
            "the forward passes in common/model.py and stages/train/network.py differ: logits "
            f"{np.round(in_numpy[0], 4)} and {np.round(in_tensorflow[0], 4)} of the first example"
        )


def format_costs(costs: NDArray[np.float32]) -> str:
    """Return a CSV table with the columns ``iteration`` and ``cost``, one row per iteration.

    A cost has the fewest digits that give the same float32 when read.

    >>> print(format_costs(np.array([2.5, 0.1], np.float32)))
    iteration,cost
    0,2.5
    1,0.1
    <BLANKLINE>
    """
    return "iteration,cost\n" + "".join(f"{row},{cost!s}\n" for row, cost in enumerate(costs))
