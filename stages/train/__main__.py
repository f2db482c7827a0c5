"""Train the model for one run of params.yaml.

    python -m stages.train long data/flat models/long/weights.npz costs/long.csv

10,000 iterations take a few seconds after TensorFlow has started, and reach 97 % or more on the
test images; 1,000 reach 95 % or more. The same settings give the same bytes, every time, on
any x86-64 processor with AVX2.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.arrays import save_arrays
from common.atomic import atomic_open
from common.command_line import CommandError, argument_parser, echo, progress, run
from common.config import PARAMS, Config, load_config
from common.datasets import DATASETS
from common.model import Weights, logits
from common.splits import Split, load_description, load_split

# Number of examples on which both forward passes are compared.
AGREEING_EXAMPLES = 64


def check_costs(first: int, costs: NDArray[np.float32]) -> None:
    """Stop a training that has diverged; raises CommandError with the iteration."""
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


def save_costs(path: Path, costs: NDArray[np.float32]) -> None:
    """Write a CSV file with the columns ``iteration`` and ``cost``, one row per iteration.

    A cost is written with the fewest digits that give the same float32 when read.
    """
    with atomic_open(path) as file:
        file.write(b"iteration,cost\n")
        file.writelines(f"{row},{cost!s}\n".encode() for row, cost in enumerate(costs))


def train(
    name: str, config: Config, examples: Split, classes: int
) -> tuple[Weights, NDArray[np.float32]]:
    """Train one run, and report its costs on the way; returns the weights, and all costs."""
    # Imported here because TensorFlow takes seconds to start: wrong input is reported first.
    from stages.train.program_cache import program_cache
    from stages.train.reproducible import IS_REPRODUCIBLE
    from stages.train.trainer import Trainer

    if not IS_REPRODUCIBLE:
        echo(
            "this processor has no AVX2: the weights and costs may differ in their last digits "
            "from those in dvc.lock; `make gate` checks whether the accuracy is as expected"
        )
    iterations = config.run(name).iterations
    costs = np.empty(0, np.float32)
    with program_cache(), progress(f"training {name}", iterations) as advance:
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


def main() -> None:
    """Read the arguments, the settings and the training split; write weights and costs."""
    parser = argument_parser("stages.train", __doc__)
    parser.add_argument("run", help="a name under `runs` in params.yaml")
    parser.add_argument("flat", type=Path, help="folder of the splits: data/flat")
    parser.add_argument("weights", type=Path, help="the trained model: models/RUN/weights.npz")
    parser.add_argument("costs", type=Path, help="the cost of each iteration: costs/RUN.csv")
    arguments = parser.parse_args()
    config = load_config()
    config.run(arguments.run)
    examples = load_split(arguments.flat / "train.npz")
    description = load_description(arguments.flat / "description.json")
    weights, costs = train(arguments.run, config, examples, len(description.classes))
    # DVC records the settings that it finds when a stage has ended.
    if load_config() != config:
        raise CommandError(
            f"{PARAMS} or {DATASETS} was changed during the training; run `dvc repro` again"
        )
    save_arrays(arguments.weights, weights)
    save_costs(arguments.costs, costs)


if __name__ == "__main__":
    run(main)
