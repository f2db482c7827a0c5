"""Flatten each image into one row of pixels, and split the examples.

    python -m stages.flatten data/raw data/flat

About a second for MNIST: 55,000 images to train, 5,000 to validate and 10,000 to test.

ADAPT: only this stage knows the raw format, here IDX. It writes features of any shape and dtype
with their labels, and a description of them.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.command_line import InputError, argument_parser, run
from common.config import PARAMS, load_config
from common.datasets import DATASETS, DatasetSpec, read_raw_file
from common.splits import Split, save_splits
from stages.flatten import idx

TRAINING_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST_FILES = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def read_examples(
    folder: Path, files: tuple[str, str], dataset: DatasetSpec
) -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
    """Return images, shape (n, rows, columns), and their labels, shape (n,), from IDX files.

    Raises InputError if a file is missing or damaged, or holds something else.
    """
    images, labels = (_read(folder, name, dataset) for name in files)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise InputError(
            f"{folder / files[0]}: images should be uint8 with 3 axes, are {images.dtype} with the "
            f"shape {images.shape}; convert them in stages/flatten/__main__.py, or see {DATASETS}"
        )
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError(
            f"{folder / files[1]}: labels should be integers with 1 axis, are {labels.dtype} with "
            f"the shape {labels.shape}; if the first column is the label, write `labels = "
            "labels[:, 0]` in stages/flatten/__main__.py"
        )
    return images, labels


def _read(folder: Path, name: str, dataset: DatasetSpec) -> NDArray[Any]:
    content = read_raw_file(folder, name, dataset)
    try:
        return idx.parse(content)
    except ValueError as error:
        raise InputError(f"{folder / name}: {error}; see {DATASETS}") from None


def flatten(images: NDArray[np.uint8], labels: NDArray[np.integer]) -> Split:
    """Return images as rows of pixels, with their labels."""
    return Split(images.reshape(len(images), math.prod(images.shape[1:])), labels)


def main() -> None:
    """Read the arguments, the settings and the four files, and write the splits."""
    parser = argument_parser("stages.flatten", __doc__)
    parser.add_argument("raw", type=Path, help="folder of the IDX files: data/raw")
    parser.add_argument("flat", type=Path, help="folder for the splits: data/flat")
    arguments = parser.parse_args()
    config = load_config()
    images, labels = read_examples(arguments.raw, TRAINING_FILES, config.dataset)
    first = config.flatten.validation_examples
    if first >= len(images):
        raise InputError(
            f"{PARAMS}: flatten.validation_examples: is {first}, should be less than the "
            f"{len(images)} training images"
        )
    splits = {
        "train": flatten(images[first:], labels[first:]),
        "validation": flatten(images[:first], labels[:first]),
        "test": flatten(*read_examples(arguments.raw, TEST_FILES, config.dataset)),
    }
    save_splits(arguments.flat, splits, config.dataset.classes, images.shape[1:], "images")


if __name__ == "__main__":
    run(main)
