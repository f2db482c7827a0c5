"""The network's answer, in NumPy alone: what is evaluated here is what is served.

Computed in float64, although the weights are float32: processors differ in the order in which
they add, and so in the last digits of a sum; here these are twelve digits away from any that is
written to a file.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Weights = Mapping[str, NDArray[np.float32]]

# Bounds the memory: 4,096 images of 784 pixels are 26 MB in float64.
IMAGES_PER_CHUNK = 4096


def logits(weights: Weights, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Give the score of each class: ReLU layers, and a linear one at the end.

    Parameters
    ----------
    weights
        ``W1`` (pixels, units), ``b1`` (units,), ``W2`` and so on.
    images : ndarray of uint8, shape (n, pixels)
        Brightness in [0, 255].

    Returns
    -------
    ndarray of float64, shape (n, classes)
    """
    layers = len(weights) // 2
    scores = np.empty((len(images), len(weights[f"b{layers}"])))
    for start in range(0, len(images), IMAGES_PER_CHUNK):
        values = images[start : start + IMAGES_PER_CHUNK] / 255.0
        for layer in range(1, layers + 1):
            values = values @ weights[f"W{layer}"].astype(np.float64) + weights[f"b{layer}"]
            if layer < layers:
                values = np.maximum(values, 0.0)
        scores[start : start + IMAGES_PER_CHUNK] = values
    return scores


def probabilities(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the probability of each class, the softmax of the logits; shape (n, classes)."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def accuracy(weights: Weights, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> float:
    """Give the fraction of images that are read right: counted first, divided once."""
    predicted = probabilities(logits(weights, images)).argmax(axis=1)
    return int((predicted == labels).sum()) / len(labels)
