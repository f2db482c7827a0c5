"""Predict what a picture shows with the model of one run.

Pictures are prepared as handwriting where the classes are digits. A model of anything else sees
the whole picture, in grey and scaled to the size of its images.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common.inference import probabilities
from numpy.typing import NDArray

from common.arrays import load_arrays
from common.config import Config
from common.model import Weights
from common.splits import load_description
from extras.handwriting.pictures import Pixels
from extras.handwriting.preparation import SIZE, Digits, prepare, scale_whole
from support.command_line import InputError

MODELS = Path("models")
DESCRIPTION = Path("data/flat/description.json")


@dataclass(frozen=True)
class Prediction:
    """What the digits of one picture are predicted to be.

    Attributes
    ----------
    digits
        Their names, one line of digits after the other with a space between.
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
    """The model of a run, and the names of its classes."""

    weights: Weights
    classes: tuple[str, ...]

    @property
    def reads_digits(self) -> bool:
        """Whether the classes are digits."""
        return all(len(name) == 1 and name.isdecimal() for name in self.classes)

    def prepare(self, picture: Pixels) -> Digits:
        """Make images for the model: one of each digit, or else one of the whole picture."""
        return prepare(picture) if self.reads_digits else scale_whole(picture)

    def predict(self, images: NDArray[np.uint8], lines: NDArray[np.int_]) -> Prediction:
        """Predict the digits of one picture.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, 784)
            The digits, line by line and from left to right; at least one.
        lines : ndarray of int, shape (n,)
            The line that each digit stands on.
        """
        values = probabilities(self.weights, images)
        names = np.array(self.classes)[values.argmax(axis=1)]
        text = " ".join("".join(names[lines == line]) for line in np.unique(lines))
        return Prediction(text, float(values.max(axis=1).min()), values)


def load_predictor(run: str, config: Config) -> Predictor:
    """Load the model of a run.

    Raises
    ------
    InputError
        If there is no such run, its weights are missing or for something else, or the dataset has
        images of a size to which pictures are not prepared.
    """
    config.run(run)
    path = MODELS / run / "weights.npz"
    weights = load_arrays(path)
    description = load_description(DESCRIPTION)
    if description.example_shape != (SIZE, SIZE):
        raise InputError(
            f"{DESCRIPTION}: example_shape: is {description.example_shape}; pictures can be "
            f"prepared only for images of {SIZE} x {SIZE}"
        )
    predictor = Predictor(weights, description.classes)
    try:
        classes = probabilities(weights, np.zeros((1, SIZE**2), np.uint8)).shape[1]
    except (KeyError, ValueError):
        raise InputError(f"{path}: should be for {SIZE**2} pixels; `dvc repro` makes it") from None
    if classes != len(predictor.classes):
        raise InputError(
            f"{path}: should be for {len(predictor.classes)} classes, is for {classes}; "
            "`dvc repro` makes it"
        )
    return predictor
