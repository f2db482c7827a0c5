"""Flatten each image into one row of pixels, and split the examples.

ADAPT: for another raw format, replace this module and idx.py. Only this stage knows the raw
format; it returns features of any shape and dtype, with their labels.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.datasets import DATASETS
from common.splits import Split
from stages.flatten import idx
from support.command_line import InputError

TRAINING_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST_FILES = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

Examples = tuple[NDArray[np.uint8], NDArray[np.integer]]


def load_examples(folder: Path, files: tuple[str, str]) -> Examples:
    """Load images, shape (n, rows, columns), and their labels, shape (n,), from IDX files.

    Raises InputError if a file holds something else.
    """
    images, labels = (_load(folder / name) for name in files)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise InputError(
            f"{folder / files[0]}: images should be uint8 with 3 axes, are {images.dtype} with the "
            f"shape {images.shape}; convert them in stages/flatten/flatten.py, or see {DATASETS}"
        )
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError(
            f"{folder / files[1]}: labels should be integers with 1 axis, are {labels.dtype} with "
            f"the shape {labels.shape}; if the first column is the label, return `labels[:, 0]` "
            "from stages/flatten/flatten.py"
        )
    return images, labels


def _load(path: Path) -> NDArray[Any]:
    try:
        return idx.parse(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: not found; {DATASETS} should list it under `files`") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}; see {DATASETS}") from None


def split_examples(
    training: Examples, test: Examples, validation_examples: int
) -> dict[str, Split]:
    """Return the splits by their names; the first training examples are for validation."""
    images, labels = training
    if validation_examples >= len(images):
        raise InputError(
            f"params.yaml: flatten.validation_examples: is {validation_examples}, should be less "
            f"than the {len(images)} training images"
        )
    return {
        "train": flatten(images[validation_examples:], labels[validation_examples:]),
        "validation": flatten(images[:validation_examples], labels[:validation_examples]),
        "test": flatten(*test),
    }


def flatten(images: NDArray[np.uint8], labels: NDArray[np.integer]) -> Split:
    """Return images as rows of pixels, with their labels."""
    return Split(images.reshape(len(images), math.prod(images.shape[1:])), labels)
