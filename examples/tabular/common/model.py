"""The model in NumPy: standardised features, then fully connected layers.

A missing number, which is NaN, is replaced by the mean of its column.

The mean and standard deviation of each feature are weights that are not trained, so they are saved
and served with the others. Other stages know only `Model.load`, `probabilities` and `architecture`,
and `PACKAGES`. MLflow serves this file, so it imports nothing of the project.

The forward pass computes in float64, although the weights are float32. Processors differ in the
order in which they add, and so in the last digits of a sum; in float64 these digits are far
beyond those that are written to a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt
from scipy.special import softmax

Weights = Mapping[str, NDArray[np.float32]]

# What this file imports, so what MLflow needs to serve it.
PACKAGES = ("numpy", "pydantic", "scipy")

# `probabilities` handles as many examples at a time as fit into this in float64.
CHUNK_BYTES = 1 << 25


STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
DecayRate = Annotated[float, Field(ge=0, lt=1)]


class ModelParams(BaseModel):
    """The section ``model`` of params.yaml.

    Attributes
    ----------
    hidden_units
        The width of each hidden layer, from the input on.
    """

    model_config = STRICT

    hidden_units: Annotated[tuple[PositiveInt, ...], Field(strict=False)]


class TrainParams(BaseModel):
    """The section ``train`` of params.yaml; Adam's constants as its paper names them."""

    model_config = STRICT

    batch_size: PositiveInt
    learning_rate: PositiveFloat
    beta_1: DecayRate
    beta_2: DecayRate
    epsilon: PositiveFloat
    seed: NonNegativeInt
    log_every_iterations: PositiveInt
    validate_every_iterations: PositiveInt
    checkpoint_every_seconds: PositiveFloat


def initial_weights(
    params: ModelParams, features: NDArray[Any], classes: int, random: np.random.Generator
) -> Weights:
    """Return the first weights: Xavier's uniform distribution, and zero for the biases.

    Parameters
    ----------
    params
        The settings of the model.
    features : ndarray of float32, shape (n, columns)
        Of the training split.
    classes
        The number of classes.
    random
        The source of randomness.

    Returns
    -------
    dict
        ``mean`` and ``std`` (columns,), ``W1`` (columns, units) and ``b1`` (units,) of the first
        layer, ``W2`` and so on; float32.

    References
    ----------
    X. Glorot and Y. Bengio: Understanding the difficulty of training deep feedforward neural
    networks. AISTATS 2010, equation 16.
    """
    exact = features.astype(np.float64)
    std = np.nanstd(exact, axis=0)
    weights: dict[str, NDArray[np.float32]] = {
        "mean": np.nanmean(exact, axis=0).astype(np.float32),
        "std": np.where(std > 0, std, 1).astype(np.float32),  # 1 for a constant column
    }
    widths = [features.shape[1], *params.hidden_units, classes]
    for layer, (inputs, units) in enumerate(pairwise(widths), start=1):
        limit = np.sqrt(6 / (inputs + units))
        weights[f"W{layer}"] = random.uniform(-limit, limit, (inputs, units)).astype(np.float32)
        weights[f"b{layer}"] = np.zeros(units, np.float32)
    return weights


def logits(weights: Weights, features: NDArray[Any]) -> NDArray[np.float64]:
    """Return the logits of each class: ReLU layers, and a linear one at the end.

    Parameters
    ----------
    weights
        As `initial_weights` names them.
    features : ndarray, shape (n, columns)
        As they are in the table.

    Returns
    -------
    ndarray of float64, shape (n, classes)
    """
    values = (features.astype(np.float64) - weights["mean"]) / weights["std"]
    values = np.nan_to_num(values)  # the mean in place of a missing number
    layers = len(weights) // 2 - 1
    for layer in range(1, layers + 1):
        values = values @ weights[f"W{layer}"].astype(np.float64) + weights[f"b{layer}"]
        if layer < layers:
            values = np.maximum(values, 0.0)
    return values


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
        biases = [array for name, array in self.weights.items() if name.startswith("b")]
        widths = [len(self.weights["W1"]), *(len(bias) for bias in biases)]
        return f"{'-'.join(map(str, widths))}, fully connected, ReLU between the layers"

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
