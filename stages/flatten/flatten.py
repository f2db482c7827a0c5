"""Read MNIST's files, flatten each image into one row of pixels, and split the examples.

ADAPT: for data in another format, replace this module and idx.py. Only this stage knows the raw
format; it returns features of any shape and dtype, with their labels.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.columns import Column
from common.config import PARAMS, FlattenParams
from common.datasets import DATASETS
from common.splits import Split
from stages.flatten import idx
from support.command_line import InputError

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
# The name of the features in the files of the splits.
FEATURES = "images"
# Those of a table, from which `common.columns.encode` makes features.
COLUMNS: tuple[Column, ...] = ()


def load_examples(
    folder: Path,
    classes: tuple[str, ...],  # noqa: ARG001 - these labels are numbers already
) -> dict[str, Split]:
    """Load the images, shape (n, rows, columns), and their labels, for training and for the test.

    Raises InputError if a file holds something else.
    """
    return {name: _load_pair(folder, *files) for name, files in FILES.items()}


def split_examples(
    examples: Mapping[str, Split], params: FlattenParams
) -> tuple[dict[str, Split], tuple[int, ...]]:
    """Return the splits, with images as rows of pixels, and the shape of an image.

    The first examples for training are those for validation. Raises InputError if there are not
    more of them.
    """
    count, training, test = params.validation_examples, examples["train"], examples["test"]
    images, labels = training.features, training.labels
    if count >= len(images):
        raise InputError(
            f"{PARAMS}: flatten.validation_examples: is {count}, should be less than the "
            f"{len(images)} training images"
        )
    splits = {
        "train": flatten(images[count:], labels[count:]),
        "validation": flatten(images[:count], labels[:count]),
        "test": flatten(test.features, test.labels),
    }
    return splits, images.shape[1:]


def flatten(images: NDArray[np.uint8], labels: NDArray[np.integer]) -> Split:
    """Return images as rows of pixels, with their labels."""
    return Split(images.reshape(len(images), math.prod(images.shape[1:])), labels)


def _load_pair(folder: Path, images_file: str, labels_file: str) -> Split:
    images, labels = _load(folder / images_file), _load(folder / labels_file)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise InputError(
            f"{folder / images_file}: images should be uint8 with 3 axes, are {images.dtype} with "
            f"the shape {images.shape}; convert them in stages/flatten/flatten.py"
        )
    return Split(images, labels)


def _load(path: Path) -> NDArray[Any]:
    try:
        return idx.load(path)
    except FileNotFoundError:
        raise InputError(f"{path}: not found; {DATASETS} should list it under `files`") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}; see {DATASETS}") from None
