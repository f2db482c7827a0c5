"""Train the model, and check what comes out.

ADAPT: for another training or framework, replace `train`. It writes the files of the model, and
reports costs and named values on the way.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.arrays import save_arrays
from common.config import PARAMS, Config
from common.model import TrainParams, Weights, logits
from common.results import TrainingSummary
from common.splits import Split
from stages.train.checkpoint import load_checkpoint, save_checkpoint
from stages.train.reporter import Reporter
from support.command_line import CommandError, InputError, echo, progress
from support.files import repository

if TYPE_CHECKING:
    from stages.train.trainer import Trainer

# Number of examples on which both forward passes are compared.
AGREEING_EXAMPLES = 64
# Between two reports; a reader of the files sees them as they come.
MAX_ITERATIONS = 100


def train(
    config: Config,
    iterations: int,
    splits: Mapping[str, Split],
    classes: int,
    model: Path,
    reporter: Reporter,
    checkpoint: Path,
) -> TrainingSummary:
    """Train, and write the model's files; an interrupted training resumes.

    Parameters
    ----------
    splits
        At least ``train`` and ``validation``.
    model
        The folder for the model.
    checkpoint
        Where the state is saved periodically, and when the process is asked to end.

    Raises
    ------
    CommandError
        If the training diverges, or if the two forward passes differ.
    InputError
        If there are fewer examples than a batch needs.
    """
    if config.train.batch_size > len(splits["train"]):
        raise InputError(
            f"{PARAMS}: train.batch_size: is {config.train.batch_size}, should be at most the "
            f"{len(splits['train'])} training examples"
        )
    trainer = _prepare(config, iterations, splits["train"], classes, reporter)
    if state := load_checkpoint(checkpoint, iterations):
        trainer.restore(state)
        reporter.restore(state)
        echo(f"goes on after {trainer.done:,} iterations")
    _iterate(trainer, iterations, config.train, splits["validation"], reporter, checkpoint)
    check_weights(trainer.weights())
    check_agreement(trainer, splits["train"])
    save_arrays(model / "weights.npz", trainer.weights())
    return TrainingSummary(iterations=trainer.done, description=describe(config.train))


def _prepare(
    config: Config, iterations: int, examples: Split, classes: int, reporter: Reporter
) -> Trainer:
    # Imported here because TensorFlow takes seconds to start: wrong input is reported first.
    from stages.train.program_cache import keep_programs
    from stages.train.reproducible import DEVICE, IS_REPRODUCIBLE
    from stages.train.trainer import Trainer

    if not IS_REPRODUCIBLE:
        echo(
            "this processor has no AVX2: the weights and costs may differ in their last digits "
            "from those in dvc.lock; `make gate` checks whether the accuracy is as expected"
        )
    reporter.device = DEVICE
    keep_programs(repository() / ".cache/xla")
    trainer = Trainer(config.model, config.train, iterations, examples, classes)
    check_agreement(trainer, examples)
    return trainer


def _iterate(
    trainer: Trainer,
    iterations: int,
    params: TrainParams,
    validation: Split,
    reporter: Reporter,
    checkpoint: Path,
) -> None:
    """Make the remaining iterations, and report; write a checkpoint periodically."""
    saved, every = time.monotonic(), params.validate_every_iterations
    with progress("training", iterations) as advance, postponed_signals() as signals:
        advance(trainer.done)
        while trainer.done < iterations and not signals:
            count = min(MAX_ITERATIONS, every - trainer.done % every, iterations - trainer.done)
            reporter.add_costs(np.concatenate(list(trainer.train(count))))
            advance(count)
            if trainer.done % every == 0:
                reporter.add_value("validation accuracy", trainer.accuracy(validation))
            if signals or time.monotonic() - saved >= params.checkpoint_every_seconds:
                save_checkpoint(checkpoint, trainer.state() | reporter.state())
                saved = time.monotonic()
    save_checkpoint(checkpoint, trainer.state() | reporter.state())


@contextmanager
def postponed_signals() -> Iterator[list[int]]:
    """Yield the signals to end that have come so far; they take effect after the block.

    A second one takes effect at once.
    """
    received: list[int] = []

    def postpone(number: int, _: object) -> None:
        if received:
            sys.exit(128 + number)
        received.append(number)

    handlers = {
        number: signal.signal(number, postpone) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield received
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if received:
        signal.raise_signal(received[0])


def describe(params: TrainParams) -> str:
    """Return how the model is trained, in a sentence for the model card and MLflow."""
    return (
        f"Adam with learning rate {params.learning_rate}, beta_1 {params.beta_1}, beta_2 "
        f"{params.beta_2} and epsilon {params.epsilon} minimises the mean softmax cross entropy of "
        f"batches of {params.batch_size}; the examples are reshuffled in every epoch, with seed "
        f"{params.seed}."
    )


def check_weights(weights: Weights) -> None:
    """Refuse weights that the last iteration made infinite or NaN: no later cost would show it."""
    for name, values in weights.items():
        if not np.isfinite(values).all():
            raise CommandError(
                f"after the last iteration {name} is not finite; "
                f"try a smaller train.learning_rate in {PARAMS}"
            )


def check_agreement(trainer: Trainer, examples: Split) -> None:
    """Compare both forward passes on a few examples; raises CommandError if they differ."""
    features = examples.features[:AGREEING_EXAMPLES]
    in_numpy, in_tensorflow = logits(trainer.weights(), features), trainer.logits(features)
    tolerance = 1e-3 * max(1.0, float(np.abs(in_numpy).max()))
    if in_numpy.shape != in_tensorflow.shape or not np.allclose(
        in_numpy, in_tensorflow, rtol=0, atol=tolerance
    ):
        raise CommandError(
            "the forward passes in common/model.py and stages/train/network.py differ: logits "
            f"{np.round(in_numpy[0], 4)} and {np.round(in_tensorflow[0], 4)} of the first example"
        )
