"""The task of every baseline."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.config import TrainParams
from common.model import ModelParams, initial_weights
from stages.train.batches import batches


@dataclass(frozen=True)
class Task:
    """One training, with the settings of params.yaml.

    Attributes
    ----------
    features, test_features : ndarray, shape (n, inputs)
        float32 in [0, 1], or as they are on disk if a module sets ``SCALED = False``.
    labels : ndarray of int64, shape (n,)
    classes
        The number of classes.
    model, params
        The layers, and the batches and Adam.
    stops
        The numbers of iterations to report the time of, in ascending order.
    """

    features: NDArray[Any]
    labels: NDArray[Any]
    test_features: NDArray[Any]
    classes: int
    model: ModelParams
    params: TrainParams
    stops: tuple[int, ...]

    @property
    def sections(self) -> list[int]:
        """The number of iterations from each stop to the next."""
        return [after - before for before, after in pairwise([0, *self.stops])]

    def batches(self) -> Iterator[NDArray[np.int32]]:
        """Draw the indices of each batch, without end."""
        random = np.random.default_rng(self.params.seed)
        return batches(len(self.labels), self.params.batch_size, random)

    def layers(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Return the first matrix and bias of each layer, from the input on."""
        random = np.random.default_rng(self.params.seed)
        weights = initial_weights(self.model, self.features, self.classes, random)
        arrays = list(weights.values())
        return list(zip(arrays[::2], arrays[1::2], strict=True))


# Yields None at each stop, and after the last the predicted class of each test example.
Training = Iterator[NDArray[Any] | None]
Train = Callable[[Task], Training]
