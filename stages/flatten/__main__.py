"""Flatten each image into one row of pixels, and split the examples.

    python -m stages.flatten data/raw data/flat

About a second for MNIST: 55,000 images to train, 5,000 to validate and 10,000 to test.
"""

# ADAPT: this stage alone knows the raw format. It writes features of any shape and dtype with
# their labels, and a description: the classes, and the shape of an example.

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.atomic import sha256
from common.command_line import InputError, argument_parser, echo, run
from common.config import PARAMS, load_config
from common.datasets import DATASETS, DatasetSpec, FileName
from common.splits import SPLITS, Description, Split, save_description, save_split
from stages.flatten import idx

REMEDY = "delete it, and `python -m stages.fetch data/raw` gets it again"


def flatten(images: NDArray[np.uint8], labels: NDArray[np.uint8], dataset: DatasetSpec) -> Split:
    """Return images as rows of pixels, with their labels.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, rows, columns)
    labels : ndarray of uint8, shape (n,)
    dataset
        The shape of an image, and the classes.

    Raises
    ------
    ValueError
        If there are no images, or they do not fit the labels or the dataset.
    """
    if not len(images):
        raise ValueError("should hold at least one image, holds none")
    if images.shape[1:] != dataset.image_shape:
        raise ValueError(f"images should be of {dataset.image_shape}, are of {images.shape[1:]}")
    if len(images) != len(labels):
        raise ValueError(f"should have one label per image, has {len(labels)} for {len(images)}")
    if labels.max() >= len(dataset.classes):
        raise ValueError(f"labels should be below {len(dataset.classes)}, one is {labels.max()}")
    return Split(images.reshape(len(images), -1), labels)


def hold_out(examples: Split, validation_images: int) -> tuple[Split, Split]:
    """Hold out the first examples for validation.

    Returns
    -------
    validation, train : Split

    Raises
    ------
    InputError
        If that leaves nothing to train with.
    """
    if validation_images >= len(examples):
        raise InputError(
            f"{PARAMS}: flatten.validation_images: is {validation_images}, should be less than "
            f"the {len(examples)} training images"
        )
    first, rest = slice(None, validation_images), slice(validation_images, None)
    return (
        Split(examples.features[first], examples.labels[first]),
        Split(examples.features[rest], examples.labels[rest]),
    )


def _read(folder: Path, name: FileName, dataset: DatasetSpec, axes: int) -> NDArray[np.uint8]:
    path, expected_sha256 = folder / name, dataset.files[name].sha256
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: not found; `dvc repro` fetches it") from None
    try:
        values = idx.parse(content, axes)
    except ValueError as error:
        raise InputError(f"{path}: {error}; {REMEDY}") from None
    # DVC trusts a read-only file of its cache without reading it, so it is checked here.
    if sha256(content) != expected_sha256:
        raise InputError(
            f"{path}: SHA-256 should be {expected_sha256}, is {sha256(content)}; {REMEDY}"
        )
    return values


def _read_examples(
    folder: Path, images_name: FileName, labels_name: FileName, dataset: DatasetSpec
) -> Split:
    images = _read(folder, images_name, dataset, axes=3)
    labels = _read(folder, labels_name, dataset, axes=1)
    try:
        return flatten(images, labels, dataset)
    except ValueError as error:
        raise InputError(f"{folder / images_name}: {error}; see {DATASETS}") from None


def main() -> None:
    """Read the arguments, the settings and the four files, and write the splits."""
    parser = argument_parser("stages.flatten", __doc__)
    parser.add_argument("raw", type=Path, help="folder of the IDX files: data/raw")
    parser.add_argument("flat", type=Path, help="folder for the splits: data/flat")
    arguments = parser.parse_args()
    config = load_config()
    examples = _read_examples(
        arguments.raw, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", config.dataset
    )
    test = _read_examples(
        arguments.raw, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", config.dataset
    )
    validation, train = hold_out(examples, config.flatten.validation_images)
    splits = dict(zip(SPLITS, (train, validation, test), strict=True))
    for name, split in splits.items():
        save_split(arguments.flat / f"{name}.npz", split, features="images")
        echo(f"{name}: {len(split):,} images of {split.features.shape[1]} pixels")
    description = Description(
        classes=config.dataset.classes,
        example_shape=config.dataset.image_shape,
        feature_shape=test.features.shape[1:],
        feature_dtype=str(test.features.dtype),
        examples={name: len(split) for name, split in splits.items()},
    )
    save_description(arguments.flat / "description.json", description)


if __name__ == "__main__":
    run(main)
