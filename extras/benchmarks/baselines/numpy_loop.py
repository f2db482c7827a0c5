"""NumPy only: gradients and Adam written by hand."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from extras.benchmarks.baselines.task import Task, Training

Arrays = list[NDArray[np.float32]]


def forward(weights: Arrays, features: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the features, the values of each hidden layer, and the logits."""
    values = [features]
    for matrix, bias in zip(weights[::2], weights[1::2], strict=True):
        logits = values[-1] @ matrix + bias
        values.append(np.maximum(logits, 0))
    return [*values[:-1], logits]


def backward(weights: Arrays, features: NDArray[Any], labels: NDArray[Any]) -> tuple[float, Arrays]:
    """Return the mean softmax cross entropy, and its gradient in the order of the weights."""
    *values, logits = forward(weights, features)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    cost = float(-np.log(probabilities[rows, labels]).mean())
    probabilities[rows, labels] -= 1
    upstream = probabilities / np.float32(len(labels))
    gradients: Arrays = []
    for layer in reversed(range(len(values))):
        gradients = [values[layer].T @ upstream, upstream.sum(axis=0), *gradients]
        if layer:
            upstream = upstream @ weights[2 * layer].T * (values[layer] > 0)
    return cost, gradients


def train(task: Task) -> Training:
    """Make a step of Adam for each batch, in place."""
    adam = task.params
    weights = [array for layer in task.layers() for array in layer]
    means, squares = ([np.zeros_like(array) for array in weights] for _ in range(2))
    batches = task.batches()
    costs: list[float] = []
    for iterations in task.sections:
        for _ in range(iterations):
            batch = next(batches)
            cost, gradients = backward(weights, task.features[batch], task.labels[batch])
            costs.append(cost)
            step = len(costs)
            rate = adam.learning_rate * (1 - adam.beta_2**step) ** 0.5 / (1 - adam.beta_1**step)
            for array, mean, square, gradient in zip(
                weights, means, squares, gradients, strict=True
            ):
                mean += (1 - adam.beta_1) * (gradient - mean)  # noqa: PLW2901 - in place
                square += (1 - adam.beta_2) * (gradient * gradient - square)  # noqa: PLW2901
                array -= rate * mean / (np.sqrt(square) + adam.epsilon)  # noqa: PLW2901
        yield None
    yield forward(weights, task.test_features)[-1].argmax(axis=1)
