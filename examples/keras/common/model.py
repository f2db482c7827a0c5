"""The model in Keras: the settings of it and its training, its layers, and what it predicts.

ADAPT: to change the architecture, replace `ModelParams`, `build` and `Model.architecture`. Other
stages know only `Model.load`, `probabilities` and `architecture`, and `PACKAGES`. MLflow serves
this file, so it imports nothing of the project.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import distributions
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt
from scipy.special import softmax

# Keras reads these when it is imported; otherwise it and matplotlib, which it imports, would read
# and write files in the user's home.
os.environ |= {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": os.devnull}
os.environ.setdefault("MPLCONFIGDIR", str(Path(".cache/matplotlib").resolve()))

# What this file imports, so what MLflow needs to serve it; TensorFlow has two names.
TENSORFLOW = "tensorflow-cpu" if any(distributions(name="tensorflow-cpu")) else "tensorflow"
PACKAGES = ("keras", "numpy", "pydantic", "scipy", TENSORFLOW)

# `probabilities` handles as many examples at a time.
CHUNK = 500

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
Rate = Annotated[float, Field(ge=0, lt=1)]


class ModelParams(BaseModel):
    """The section ``model`` of params.yaml."""

    model_config = STRICT

    filters: Annotated[tuple[PositiveInt, ...], Field(strict=False)]
    dense_units: PositiveInt
    dropout: Rate


class TrainParams(BaseModel):
    """The section ``train`` of params.yaml."""

    model_config = STRICT

    batch_size: PositiveInt
    learning_rate: PositiveFloat
    warm_up: Rate
    shift: NonNegativeInt
    class_weights: Annotated[tuple[PositiveFloat, ...], Field(strict=False)]
    patience: PositiveInt
    seed: NonNegativeInt
    log_every_iterations: PositiveInt
    validate_every_iterations: PositiveInt


def image_shape(features: NDArray[Any]) -> tuple[int, ...]:
    """Return the shape of one image with its channels; a flattened one is square and grey."""
    if features.ndim == 4:
        return features.shape[1:]
    side = math.isqrt(features.shape[1])
    return side, side, 1


def build(params: ModelParams, features: NDArray[Any], classes: int) -> Any:
    """Return a new network: images with values in [0, 255] in, the logits of each class out."""
    from keras import Sequential, layers

    network = Sequential([layers.Input(features.shape[1:]), layers.Reshape(image_shape(features))])
    network.add(layers.Rescaling(1 / 255))
    for filters in params.filters:
        network.add(layers.Conv2D(filters, 3, activation="relu"))
        network.add(layers.Conv2D(filters, 3, activation="relu"))
        network.add(layers.MaxPooling2D())
    network.add(layers.Flatten())
    network.add(layers.Dropout(params.dropout))
    network.add(layers.Dense(params.dense_units, activation="relu"))
    network.add(layers.Dropout(params.dropout))
    network.add(layers.Dense(classes))
    return network


@dataclass(frozen=True)
class Model:
    """A trained model: its configuration, as Keras writes it, and its weights, layer by layer."""

    configuration: str
    weights: Mapping[str, NDArray[np.float32]]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load the model that `train` has written into a folder, ``models/<run>``."""
        with np.load(folder / "weights.npz", allow_pickle=False) as archive:
            return cls((folder / "network.json").read_text("utf-8"), dict(archive))

    @property
    def architecture(self) -> str:
        """The architecture in one phrase, for the model card and for MLflow."""
        layers = json.loads(self.configuration)["config"]["layers"]
        widths = [one["config"].get("filters") or one["config"].get("units") for one in layers]
        phrases = [
            f"{one['class_name']} {width}"
            for one, width in zip(layers, widths, strict=True)
            if width
        ]
        count = sum(array.size for array in self.weights.values())
        return f"{', '.join(phrases)}, with ReLU and max pooling; {count:,} weights"

    @cached_property
    def network(self) -> Any:
        """The network, built when it is needed, because TensorFlow takes seconds to start."""
        import keras

        network = keras.models.model_from_json(self.configuration)
        network.set_weights(list(self.weights.values()))
        return network

    def probabilities(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return the probability of each class: the softmax of the logits.

        Parameters
        ----------
        features : ndarray, shape (n, ...)

        Returns
        -------
        ndarray of float64, shape (n, classes)
        """
        if not len(features):  # TensorFlow has no convolution of nothing
            return np.empty((0, self.network.output_shape[-1]))
        chunks = [
            self.network.predict_on_batch(features[start : start + CHUNK])
            for start in range(0, len(features), CHUNK)
        ]
        values = np.concatenate(chunks).astype(np.float64)
        return np.asarray(softmax(values, axis=1), dtype=np.float64)
