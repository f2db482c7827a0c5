"""Reading images with the network of one run: what predict prints and the demo shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common import arrays
from common import model as inference
from common.command_line import InputError
from common.config import DATASETS, Config
from common.model import Weights
from extras.handwriting import preparation as handwriting

MODELS = Path("models")


@dataclass(frozen=True)
class Reading:
    """What the digits of one picture are read as.

    Attributes
    ----------
    digits
        Their names, put together.
    probability
        The smallest of their probabilities.
    probabilities : ndarray of float64, shape (n, classes)
        Of every class, for each digit.
    """

    digits: str
    probability: float
    probabilities: NDArray[np.float64]


@dataclass(frozen=True)
class Reader:
    """The network of a run, and the names of its classes."""

    weights: Weights
    classes: tuple[str, ...]

    def read(self, images: NDArray[np.uint8]) -> Reading:
        """Read the digits of one picture.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, 784)
            The digits, from left to right; at least one.
        """
        odds = inference.probabilities(inference.logits(self.weights, images))
        names = [self.classes[best] for best in odds.argmax(axis=1)]
        return Reading("".join(names), float(odds.max(axis=1).min()), odds)


def load(run: str, config: Config) -> Reader:
    """Read the weights of a run.

    Raises
    ------
    InputError
        If there is no such run, its weights are missing or for other images or classes, or the
        dataset has images of a size to which pictures are not prepared.
    """
    config.run(run)
    size = (handwriting.SIZE, handwriting.SIZE)
    if config.dataset.image_shape != size:
        raise InputError(
            f"{DATASETS}: {config.dataset_name}.image_shape: is {config.dataset.image_shape}; "
            f"pictures can be read for images of {size} alone"
        )
    path = MODELS / run / "weights.npz"
    weights, classes = arrays.load_weights(path), config.dataset.classes
    wanted = (handwriting.SIZE**2, len(classes))
    found = (len(weights["W1"]), len(weights[f"b{len(weights) // 2}"]))
    if found != wanted:
        raise InputError(
            f"{path}: should be for {wanted[0]} pixels and {wanted[1]} classes, "
            f"is for {found[0]} and {found[1]}"
        )
    return Reader(weights, classes)
