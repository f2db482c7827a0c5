"""The task of every baseline: the model, the batches and Adam of params.yaml."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.config import TrainParams
from common.model import ModelParams, initial_weights
from stages.train.batches import batches


@dataclass(frozen=True)
class Task:
    """One training; a baseline yields after each section, which is a number of iterations.

    Features are float32 in [0, 1], shape (n, inputs), or as they are on disk if a module sets
    ``SCALED = False``; labels are int64, shape (n,).
    """

    features: NDArray[Any]
    labels: NDArray[Any]
    test_features: NDArray[Any]
    classes: int
    model: ModelParams
    adam: TrainParams
    sections: tuple[int, ...]

    def batches(self) -> Iterator[NDArray[np.int32]]:
        """Draw the indices of each batch, without end."""
        random = np.random.default_rng(self.adam.seed)
        return batches(len(self.labels), self.adam.batch_size, random)

    def layers(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Return the first matrix and bias of each layer, from the input on."""
        random = np.random.default_rng(self.adam.seed)
        arrays = list(initial_weights(self.model, self.features, self.classes, random).values())
        return list(zip(arrays[::2], arrays[1::2], strict=True))


# Yields None after each section, and at the end the predicted class of each test example.
Training = Iterator[NDArray[Any] | None]
