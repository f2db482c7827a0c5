"""Apply a model to many examples: what is evaluated here is what is served."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from common.model import Weights, logits

# Bounds the memory: 4,096 examples of 784 features take 26 MB in float64.
EXAMPLES_PER_CHUNK = 4096


def probabilities(weights: Weights, features: NDArray[Any]) -> NDArray[np.float64]:
    """Return the probability of each class.

    Parameters
    ----------
    weights
        Of the model.
    features : ndarray, shape (n, ...)

    Returns
    -------
    ndarray of float64, shape (n, classes)
        The softmax of the logits.
    """
    starts = range(0, len(features), EXAMPLES_PER_CHUNK)
    chunks = [logits(weights, features[start : start + EXAMPLES_PER_CHUNK]) for start in starts]
    return np.asarray(softmax(np.concatenate(chunks), axis=1), dtype=np.float64)


def accuracy(weights: Weights, features: NDArray[Any], labels: NDArray[np.integer]) -> float:
    """Return the fraction of examples whose most probable class is their label."""
    predicted = probabilities(weights, features).argmax(axis=1)
    return int((predicted == labels).sum()) / len(labels)
