"""The model in NumPy: a small convolutional network modelled on LeNet-5.

Two convolutions of 5 x 5 with max pooling, then two dense layers. Weights are named float32 arrays
of any shape; other stages know only `Model.load`, `probabilities` and `architecture`, and
`PACKAGES`. MLflow serves this file, so it imports nothing of the project.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveInt
from scipy.special import softmax

Weights = Mapping[str, NDArray[np.float32]]

# What this file imports, so what MLflow needs to serve it.
PACKAGES = ("numpy", "pydantic", "scipy")

# `probabilities` handles as many examples at a time as fit into this in float64.
CHUNK_BYTES = 1 << 25

KERNEL = 5
# Bounds the memory: the windows of 256 images of 28 x 28 take 30 MB in float64.
IMAGES_PER_CHUNK = 256


class ModelParams(BaseModel, extra="forbid", strict=True, frozen=True):
    """The section ``model`` of params.yaml.

    Attributes
    ----------
    filters
        The number of filters of the first and of the second convolution.
    dense_units
        The width of the first dense layer.
    """

    filters: Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)]
    dense_units: PositiveInt


def initial_weights(
    params: ModelParams, features: NDArray[Any], classes: int, random: np.random.Generator
) -> Weights:
    """Return the first weights: He's normal distribution, and zero for the biases.

    Parameters
    ----------
    params
        The settings of the model.
    features : ndarray of uint8, shape (n, pixels)
        Of the training split; the images are square.
    classes
        The number of classes.
    random
        The source of randomness.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun: Delving deep into rectifiers. ICCV 2015, equation 10.
    """
    side = math.isqrt(features.shape[1])
    for _ in params.filters:
        side = (side - KERNEL + 1) // 2
    first, second = params.filters
    shapes = {
        "convolution1": (KERNEL, KERNEL, 1, first),
        "convolution2": (KERNEL, KERNEL, first, second),
        "dense1": (side * side * second, params.dense_units),
        "dense2": (params.dense_units, classes),
    }
    weights: dict[str, NDArray[np.float32]] = {}
    for name, shape in shapes.items():
        scale = math.sqrt(2 / math.prod(shape[:-1]))
        weights[name] = random.normal(0, scale, shape).astype(np.float32)
        weights[f"{name}_bias"] = np.zeros(shape[-1], np.float32)
    return weights


def logits(weights: Weights, features: NDArray[Any]) -> NDArray[np.float64]:
    """Return the logits of each class.

    Parameters
    ----------
    weights
        As `initial_weights` names them.
    features : ndarray of uint8, shape (n, pixels)
        Brightness in [0, 255].

    Returns
    -------
    ndarray of float64, shape (n, classes)
    """
    exact = {name: array.astype(np.float64) for name, array in weights.items()}
    starts = range(0, len(features), IMAGES_PER_CHUNK)
    chunks = [features[start : start + IMAGES_PER_CHUNK] for start in starts]
    return np.concatenate([_logits(exact, chunk) for chunk in chunks])


def _logits(weights: Mapping[str, NDArray[np.float64]], features: NDArray[Any]) -> Any:
    side = math.isqrt(features.shape[1])
    values = features.reshape(-1, side, side, 1) / 255.0
    for name in ("convolution1", "convolution2"):
        windows = sliding_window_view(values, (KERNEL, KERNEL), axis=(1, 2))
        values = np.tensordot(windows, weights[name], axes=((4, 5, 3), (0, 1, 2)))
        values = _max_pool(np.maximum(values + weights[f"{name}_bias"], 0.0))
    values = values.reshape(len(values), -1)
    values = np.maximum(values @ weights["dense1"] + weights["dense1_bias"], 0.0)
    return values @ weights["dense2"] + weights["dense2_bias"]


def _max_pool(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Halve the sides of images (n, rows, columns, filters)."""
    count, rows, columns, filters = values.shape
    even = values[:, : rows // 2 * 2, : columns // 2 * 2]
    squares = even.reshape(count, rows // 2, 2, columns // 2, 2, filters)
    pooled: NDArray[np.float64] = squares.max(axis=(2, 4))
    return pooled


@dataclass(frozen=True)
class Model:
    """A trained model.

    Attributes
    ----------
    weights
        As `initial_weights` names them.
    """

    weights: Weights

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load the model that `train` has written into a folder, ``models/<run>``."""
        with np.load(folder / "weights.npz", allow_pickle=False) as archive:
            return cls(dict(archive))

    @property
    def architecture(self) -> str:
        """The architecture in one phrase, for the model card and for MLflow."""
        first, second = (self.weights[f"convolution{layer}"].shape[-1] for layer in (1, 2))
        units, classes = self.weights["dense2"].shape
        return (
            f"two 5 x 5 convolutions of {first} and {second} filters, each with ReLU and 2 x 2 max "
            f"pooling, then dense layers of {units} and {classes} units"
        )

    def probabilities(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return the probability of each class: the softmax of the logits.

        Parameters
        ----------
        features : ndarray, shape (n, ...)

        Returns
        -------
        ndarray of float64, shape (n, classes)
        """
        size = max(1, CHUNK_BYTES // (8 * features[0].size)) if len(features) else 1
        chunks = [
            logits(self.weights, features[start : start + size])
            for start in range(0, max(1, len(features)), size)
        ]
        return np.asarray(softmax(np.concatenate(chunks), axis=1), dtype=np.float64)
