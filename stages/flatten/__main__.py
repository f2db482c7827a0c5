"""Flatten each image into one row of pixels, and split the examples.

    python -m stages.flatten data/raw data/flat

About a second for MNIST: 55,000 images to train, 5,000 to validate and 10,000 to test.

ADAPT: only this stage knows the raw format, here IDX. It writes features of any shape and dtype
with their labels, and a description of them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.atomic import sha256
from common.command_line import InputError, argument_parser, echo, run
from common.config import PARAMS, load_config
from common.datasets import DATASETS, DatasetSpec
from common.splits import SPLITS, Description, Split, save_description, save_split
from stages.flatten import idx

TRAINING_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST_FILES = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def read_examples(
    folder: Path, files: tuple[str, str], dataset: DatasetSpec
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read images and their labels from IDX files.

    Returns
    -------
    images : ndarray of uint8, shape (n, rows, columns)
    labels : ndarray of uint8, shape (n,)
    """
    images = _read(folder, files[0], dataset, axes=3)
    labels = _read(folder, files[1], dataset, axes=1)
    if not images.size:
        raise InputError(f"{folder / files[0]}: should hold at least one image, holds none")
    if len(images) != len(labels):
        raise InputError(
            f"{folder / files[1]}: should have one label per image, has {len(labels)} for "
            f"{len(images)} images"
        )
    if labels.max() >= len(dataset.classes):
        raise InputError(
            f"{folder / files[1]}: labels should be below {len(dataset.classes)}, the number of "
            f"classes in {DATASETS}, but go from {labels.min()} to {labels.max()}; name every "
            "class from label 0 on, also one without examples"
        )
    return images, labels


def _read(folder: Path, name: str, dataset: DatasetSpec, axes: int) -> NDArray[np.uint8]:
    if name not in dataset.files:
        raise InputError(f"{DATASETS}: files: should have {name}, which stages/flatten reads")
    path = folder / name
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: not found; `dvc repro` fetches it") from None
    # DVC trusts a read-only file of its cache without reading it, so it is checked here.
    if sha256(content) != dataset.files[name]:
        raise InputError(
            f"{path}: SHA-256 should be {dataset.files[name]}, is {sha256(content)}; delete it, "
            "and `python -m stages.fetch data/raw` gets it again"
        )
    try:
        return idx.parse(content, axes)
    except ValueError as error:
        raise InputError(f"{path}: {error}; see {DATASETS}") from None


def split_examples(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], validation_examples: int
) -> tuple[Split, Split]:
    """Return images as the training and the validation split, which has the first ones."""
    if validation_examples >= len(images):
        raise InputError(
            f"{PARAMS}: flatten.validation_examples: is {validation_examples}, should be less than "
            f"the {len(images)} training images"
        )
    examples = flatten(images, labels)
    first, rest = slice(None, validation_examples), slice(validation_examples, None)
    return (
        Split(examples.features[rest], examples.labels[rest]),
        Split(examples.features[first], examples.labels[first]),
    )


def flatten(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Split:
    """Return images as rows of pixels, with their labels."""
    return Split(images.reshape(len(images), -1), labels)


def main() -> None:
    """Read the arguments, the settings and the four files, and write the splits."""
    parser = argument_parser("stages.flatten", __doc__)
    parser.add_argument("raw", type=Path, help="folder of the IDX files: data/raw")
    parser.add_argument("flat", type=Path, help="folder for the splits: data/flat")
    arguments = parser.parse_args()
    config = load_config()
    images, labels = read_examples(arguments.raw, TRAINING_FILES, config.dataset)
    train, validation = split_examples(images, labels, config.flatten.validation_examples)
    test = flatten(*read_examples(arguments.raw, TEST_FILES, config.dataset))
    if test.features.shape[1] != train.features.shape[1]:
        raise InputError(
            f"{arguments.raw}: training images have {train.features.shape[1]} pixels, test images "
            f"{test.features.shape[1]}; see {DATASETS}"
        )
    splits = dict(zip(SPLITS, (train, validation, test), strict=True))
    for name, split in splits.items():
        save_split(arguments.flat / f"{name}.npz", split, features="images")
        echo(f"{name}: {len(split):,} images of {split.features.shape[1]} pixels")
    description = Description(
        classes=config.dataset.classes,
        example_shape=images.shape[1:],
        feature_shape=test.features.shape[1:],
        feature_dtype=str(test.features.dtype),
        examples={name: len(split) for name, split in splits.items()},
    )
    save_description(arguments.flat / "description.json", description)


if __name__ == "__main__":
    run(main)
