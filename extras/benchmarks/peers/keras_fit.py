"""Keras: a Sequential model and ``fit`` over arrays.

    python -m extras.benchmarks.peers.keras_fit data/flat 1000 10000

Keras compiles a step with XLA unless it is told not to.
"""

from __future__ import annotations

from argparse import BooleanOptionalAction
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from extras.benchmarks.peers import contest


def model(**compiled: Any) -> keras.Model:
    """Make the network, ready to learn."""
    made = keras.Sequential(
        [
            keras.Input((784,)),
            *(keras.layers.Dense(units, activation="relu") for units in contest.HIDDEN_UNITS),
            keras.layers.Dense(contest.CLASSES),
        ]
    )
    made.compile(
        optimizer=keras.optimizers.Adam(contest.LEARNING_RATE, epsilon=1e-8),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **compiled,
    )
    return made


def train(
    images: NDArray[Any], labels: NDArray[Any], stops: Sequence[int], **compiled: Any
) -> Iterator[contest.Predict]:
    """Fit whole epochs, and then what is left of the iterations."""
    network = model(**compiled)
    in_an_epoch = -(-len(images) // contest.BATCH_SIZE)
    for iterations in contest.sections(stops):
        epochs, rest = divmod(iterations, in_an_epoch)
        fit = partial(network.fit, images, labels, batch_size=contest.BATCH_SIZE, verbose=0)
        if epochs:
            fit(epochs=epochs)
        if rest:
            fit(steps_per_epoch=rest)
        yield lambda images: np.argmax(network.predict(images, verbose=0), axis=1)


def main() -> None:
    """Read the arguments and train."""
    parser = contest.argument_parser("keras_fit", __doc__)
    parser.add_argument("--steps-per-execution", type=int, default=1, help="batches a call: 1")
    parser.add_argument(
        "--jit-compile", action=BooleanOptionalAction, default=True, help="use XLA, the default"
    )
    arguments = parser.parse_args()
    config = partial(
        train,
        steps_per_execution=arguments.steps_per_execution,
        jit_compile=arguments.jit_compile,
    )
    contest.run(config, arguments.flat, arguments.stops, package="keras")


if __name__ == "__main__":
    main()
