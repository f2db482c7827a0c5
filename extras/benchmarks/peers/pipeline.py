"""The project's own training, among its peers.

    python -m extras.benchmarks.peers.pipeline data/flat 1000 10000

It takes the settings of params.yaml, and the images as uint8, for that is how it keeps them. With
--plain the sums are cut as suits the processor: what the loop would be if its bytes might differ.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common import model as inference
from common.arrays import Split
from common.config import load_config
from common.model import Weights
from extras.benchmarks.peers import contest
from stages.train import network


def train(
    images: NDArray[Any], labels: NDArray[Any], stops: Sequence[int]
) -> Iterator[contest.Predict]:
    """Train with the compiled loop."""
    examples = Split(images, labels.astype(np.uint8))
    training = network.Trainer(load_config().train, examples, contest.CLASSES)
    for iterations in contest.sections(stops):
        deque(training.train(iterations), maxlen=0)
        weights = training.weights()
        yield partial(_predict, weights)


def _predict(weights: Weights, images: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(inference.logits(weights, images).argmax(axis=1))


def main() -> None:
    """Read the arguments and train."""
    parser = contest.argument_parser("pipeline", __doc__)
    parser.add_argument("--plain", action="store_true", help="let sums depend on the processor")
    arguments = parser.parse_args()
    if arguments.plain:
        import tensorflow as tf

        # XLA reads its flags when it first compiles, which is later.
        os.environ["XLA_FLAGS"] = ""
        network.multiply = tf.matmul
    contest.run(train, arguments.flat, arguments.stops, package="tensorflow", floats=False)


if __name__ == "__main__":
    main()
