"""Classify images with the weights of one run: what predict prints and the demo shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.arrays import load_weights
from common.command_line import InputError
from common.config import Config
from common.inference import probabilities
from common.model import Weights
from common.splits import load_description
from extras.handwriting.preparation import SIZE

MODELS = Path("models")
DESCRIPTION = Path("data/flat/description.json")


@dataclass(frozen=True)
class Prediction:
    """The digits of one picture.

    Attributes
    ----------
    digits
        Their names, from left to right.
    probability
        The smallest of their probabilities.
    probabilities : ndarray of float64, shape (n, classes)
        Of every class, for each digit.
    """

    digits: str
    probability: float
    probabilities: NDArray[np.float64]


@dataclass(frozen=True)
class Predictor:
    """The weights of a run, and the names of the classes."""

    weights: Weights
    classes: tuple[str, ...]

    def predict(self, images: NDArray[np.uint8]) -> Prediction:
        """Classify the digits of one picture.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, 784)
            The digits, from left to right; at least one.
        """
        of_classes = probabilities(self.weights, images)
        names = [self.classes[best] for best in of_classes.argmax(axis=1)]
        return Prediction("".join(names), float(of_classes.max(axis=1).min()), of_classes)


def load_predictor(run: str, config: Config) -> Predictor:
    """Load the weights of a run.

    Raises
    ------
    InputError
        If there is no such run, its weights are missing, or the dataset has images of another
        size than pictures are prepared to.
    """
    config.run(run)
    description = load_description(DESCRIPTION)
    if description.example_shape != (SIZE, SIZE):
        sizes = " x ".join(map(str, description.example_shape))
        raise InputError(
            f"{DESCRIPTION}: the examples of {config.dataset_name} are {sizes}, but pictures are "
            f"prepared as images of {SIZE} x {SIZE} only"
        )
    path = MODELS / run / "weights.npz"
    predictor = Predictor(load_weights(path), description.classes)
    if not _fits(predictor):
        raise InputError(
            f"{path}: is not a model for images of {SIZE} x {SIZE} and the "
            f"{len(predictor.classes)} classes of {DESCRIPTION}; `dvc repro` makes it again"
        )
    return predictor


def _fits(predictor: Predictor) -> bool:
    try:
        scores = probabilities(predictor.weights, np.zeros((1, SIZE**2), np.uint8))
    except (ValueError, KeyError):
        return False
    return bool(scores.shape[1] == len(predictor.classes))
