"""scikit-learn's MLPClassifier.

    python -m extras.benchmarks.peers.scikit_train_step data/flat 1000 10000

``fit`` knows epochs alone; `partial_fit` makes one epoch of what it is given, and so exactly as
many iterations as are wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier

from extras.benchmarks.peers import contest


def train(
    images: NDArray[Any], labels: NDArray[Any], stops: Sequence[int]
) -> Iterator[contest.Predict]:
    """Fit whole epochs, and then what is left of the iterations."""
    network = MLPClassifier(
        contest.HIDDEN_UNITS,
        alpha=0,
        batch_size=contest.BATCH_SIZE,
        learning_rate_init=contest.LEARNING_RATE,
    )
    random = np.random.default_rng(0)
    classes = np.arange(contest.CLASSES)
    in_an_epoch = -(-len(images) // contest.BATCH_SIZE)
    for iterations in contest.sections(stops):
        epochs, rest = divmod(iterations, in_an_epoch)
        for _ in range(epochs):
            network.partial_fit(images, labels, classes=classes)
        if rest:
            rows = random.permutation(len(images))[: rest * contest.BATCH_SIZE]
            network.partial_fit(images[rows], labels[rows], classes=classes)
        yield network.predict


def main() -> None:
    """Read the arguments and train."""
    arguments = contest.argument_parser("scikit_train_step", __doc__).parse_args()
    contest.run(train, arguments.flat, arguments.stops, package="scikit-learn")


if __name__ == "__main__":
    main()
