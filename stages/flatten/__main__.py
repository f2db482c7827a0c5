"""Make one row of pixels of each image, and hold out a part of them for validation.

    python -m stages.flatten data/raw data/flat

About a second for MNIST: 55,000 images to train, 5,000 to validate and 10,000 to test.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common import arrays
from common.arrays import Split
from common.atomic import sha256
from common.command_line import InputError, argument_parser, echo, run
from common.config import DATASETS, PARAMS, DatasetSpec, FileName, load_config
from stages.flatten import idx

REMEDY = "delete it, and `python -m stages.fetch data/raw` gets it again"


def examples(images: NDArray[np.uint8], labels: NDArray[np.uint8], dataset: DatasetSpec) -> Split:
    """Put flattened images and their labels together.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, rows, columns)
    labels : ndarray of uint8, shape (n,)
    dataset
        The shape of an image, and the classes.

    Raises
    ------
    ValueError
        If they are none, not as many as each other, or not what `dataset` says.
    """
    if not len(images):
        raise ValueError("should be at least one image, is none")
    if images.shape[1:] != dataset.image_shape:
        raise ValueError(f"images should be of {dataset.image_shape}, are of {images.shape[1:]}")
    if len(images) != len(labels):
        raise ValueError(f"should be a label an image, are {len(images)} and {len(labels)}")
    if labels.max() >= len(dataset.classes):
        raise ValueError(f"labels should be below {len(dataset.classes)}, one is {labels.max()}")
    return Split(images.reshape(len(images), -1), labels)


def split(given: Split, validation_images: int) -> tuple[Split, Split]:
    """Take the first images away for validation.

    Returns
    -------
    validation, train : Split

    Raises
    ------
    InputError
        If that leaves nothing to train with.
    """
    if validation_images >= len(given):
        raise InputError(
            f"{PARAMS}: flatten.validation_images: is {validation_images}, should be less than "
            f"the {len(given)} training images"
        )
    first, rest = slice(None, validation_images), slice(validation_images, None)
    return (
        Split(given.images[first], given.labels[first]),
        Split(given.images[rest], given.labels[rest]),
    )


def _read(folder: Path, name: FileName, dataset: DatasetSpec, axes: int) -> NDArray[np.uint8]:
    path, file = folder / name, dataset.files[name]
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: not found; `dvc repro` fetches it") from None
    try:
        values = idx.parse(content, axes)
    except ValueError as error:
        raise InputError(f"{path}: {error}; {REMEDY}") from None
    # DVC takes a read-only file of its cache for right without looking: so look here.
    if (came := sha256(content)) != file.sha256:
        raise InputError(f"{path}: SHA-256 should be {file.sha256}, is {came}; {REMEDY}")
    return values


def _read_examples(
    folder: Path, images_name: FileName, labels_name: FileName, dataset: DatasetSpec
) -> Split:
    images = _read(folder, images_name, dataset, axes=3)
    labels = _read(folder, labels_name, dataset, axes=1)
    try:
        return examples(images, labels, dataset)
    except ValueError as error:
        raise InputError(f"{folder / images_name}: {error}; see {DATASETS}") from None


def main() -> None:
    """Read the arguments, the settings and the four files, and write the three arrays."""
    parser = argument_parser("stages.flatten", __doc__)
    parser.add_argument("raw", type=Path, help="where the IDX files are: data/raw")
    parser.add_argument("flat", type=Path, help="where the arrays go: data/flat")
    arguments = parser.parse_args()
    config = load_config()
    given = _read_examples(
        arguments.raw, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", config.dataset
    )
    test = _read_examples(
        arguments.raw, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", config.dataset
    )
    validation, train = split(given, config.flatten.validation_images)
    for name, part in zip(arrays.SPLITS, (train, validation, test), strict=True):
        arrays.save_split(arguments.flat / f"{name}.npz", part)
        echo(f"{name}: {len(part):,} images of {part.images.shape[1]} pixels")


if __name__ == "__main__":
    run(main)
