"""The model in NumPy: its settings, those of its training, its first weights, its forward pass.

ADAPT: to change the architecture, replace `ModelParams`, `initial_weights`, `logits` and
`Model.architecture`, and `logits` in stages/train/network.py; `TrainParams` goes with
stages/train. Weights are named float32 arrays of any shape. Other stages know only `Model.load`,
`probabilities` and `architecture`, and `PACKAGES`. MLflow serves this file, so it imports nothing
of the project.

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
    features : ndarray of uint8, shape (n, pixels)
        Of the training split.
    classes
        The number of classes.
    random
        The source of randomness.

    Returns
    -------
    dict
        ``W1`` (pixels, units) and ``b1`` (units,) of the first layer, ``W2`` and so on; float32.

    References
    ----------
    X. Glorot and Y. Bengio: Understanding the difficulty of training deep feedforward neural
    networks. AISTATS 2010, equation 16.
    """
    weights: dict[str, NDArray[np.float32]] = {}
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
    features : ndarray of uint8, shape (n, pixels)
        Brightness in [0, 255].

    Returns
    -------
    ndarray of float64, shape (n, classes)
    """
    values = features / 255.0
    layers = len(weights) // 2 or 1
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
