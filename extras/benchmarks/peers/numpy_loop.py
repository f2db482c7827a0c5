"""NumPy alone: gradients and Adam written out.

python -m extras.benchmarks.peers.numpy_loop data/flat 1000 10000
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extras.benchmarks.peers import contest
from stages.train.batches import batches

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8

Weights = list[NDArray[np.float32]]


def forward(weights: Weights, images: NDArray[Any]) -> list[NDArray[Any]]:
    """Give the images, the values of each hidden layer, and the scores."""
    values = [images]
    for matrix, bias in zip(weights[::2], weights[1::2], strict=True):
        scores = values[-1] @ matrix + bias
        values.append(np.maximum(scores, 0))
    return [*values[:-1], scores]


def gradients(
    weights: Weights, images: NDArray[Any], labels: NDArray[Any]
) -> tuple[float, Weights]:
    """Give the mean softmax cross entropy, and its gradient in the order of the weights."""
    *values, scores = forward(weights, images)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    odds = powers / powers.sum(axis=1, keepdims=True)
    each = np.arange(len(labels))
    cost = float(-np.log(odds[each, labels]).mean())
    odds[each, labels] -= 1
    upstream = odds / len(labels)
    found: Weights = []
    for layer in reversed(range(len(values))):
        found = [values[layer].T @ upstream, upstream.sum(axis=0), *found]
        if layer:
            upstream = upstream @ weights[2 * layer].T * (values[layer] > 0)
    return cost, found


def train(
    images: NDArray[Any], labels: NDArray[Any], stops: Sequence[int]
) -> Iterator[contest.Predict]:
    """Take a step of Adam for each batch, in place."""
    random = np.random.default_rng(0)
    widths = [images.shape[1], *contest.HIDDEN_UNITS, contest.CLASSES]
    weights: Weights = []
    for inputs, units in pairwise(widths):
        weights += [contest.xavier(inputs, units, random), np.zeros(units, np.float32)]
    means = [np.zeros_like(array) for array in weights]
    squares = [np.zeros_like(array) for array in weights]
    drawn = batches(len(images), contest.BATCH_SIZE, random)
    costs: list[float] = []
    for iterations in contest.sections(stops):
        for _ in range(iterations):
            rows = next(drawn)
            cost, found = gradients(weights, images[rows], labels[rows])
            costs.append(cost)
            step = len(costs)
            rate = contest.LEARNING_RATE * (1 - BETA_2**step) ** 0.5 / (1 - BETA_1**step)
            for layer, gradient in enumerate(found):
                means[layer] += (1 - BETA_1) * (gradient - means[layer])
                squares[layer] += (1 - BETA_2) * (gradient * gradient - squares[layer])
                weights[layer] -= rate * means[layer] / (np.sqrt(squares[layer]) + EPSILON)
        yield partial(_predict, weights)


def _predict(weights: Weights, images: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(forward(weights, images)[-1].argmax(axis=1))


def main() -> None:
    """Read the arguments and train."""
    arguments = contest.argument_parser("numpy_loop", __doc__).parse_args()
    contest.run(train, arguments.flat, arguments.stops, package="numpy")


if __name__ == "__main__":
    main()
