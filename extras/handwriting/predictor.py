"""Predict what a picture shows with the model of one run.

Pictures are prepared as handwriting where the classes are digits. A model of anything else sees
the whole picture, in grey and scaled to the size of its images.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.config import Config
from common.model import Model
from common.splits import load_description
from extras.handwriting.pictures import Pixels
from extras.handwriting.preparation import SIZE, Digits, prepare, scale_whole
from support.command_line import InputError
from support.files import reading

MODELS = Path("models")
DESCRIPTION = Path("data/flat/description.json")


@dataclass(frozen=True)
class Prediction:
    """What the digits of one picture are predicted to be, and with which probabilities.

    `digits` has a space between lines; `probability` is the smallest of the digits' own;
    `probabilities`, shape (n, classes), are those of every class for each digit.
    """

    digits: str
    probability: float
    probabilities: NDArray[np.float64]


@dataclass(frozen=True)
class Predictor:
    """The model of a run, and the names of its classes."""

    model: Model
    classes: tuple[str, ...]

    @property
    def reads_digits(self) -> bool:
        """Whether the classes are digits."""
        return all(len(name) == 1 and name.isdecimal() for name in self.classes)

    def prepare(self, picture: Pixels) -> Digits:
        """Return an image of each digit, or else one of the whole picture."""
        return prepare(picture) if self.reads_digits else scale_whole(picture)

    def predict(self, digits: Digits) -> Prediction:
        """Predict the digits of one picture."""
        probabilities = self.model.probabilities(digits.images)
        names = np.array(self.classes)[probabilities.argmax(axis=1)]
        text = " ".join("".join(names[digits.lines == line]) for line in np.unique(digits.lines))
        return Prediction(text, float(probabilities.max(axis=1).min()), probabilities)


def load_predictor(run: str, config: Config) -> Predictor:
    """Load the model of a run.

    Raises
    ------
    InputError
        If there is no such run or no model of it, or if the dataset has images of another size.
    """
    config.run(run)
    description = load_description(DESCRIPTION)
    if description.example_shape != (SIZE, SIZE):
        raise InputError(
            f"{DESCRIPTION}: example_shape: is {description.example_shape}; pictures can be "
            f"prepared only for images of {SIZE} x {SIZE}"
        )
    with reading(MODELS / run):
        return Predictor(Model.load(MODELS / run), description.classes)
