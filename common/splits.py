"""The splits of the dataset, as `flatten` writes them and later stages read them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from common.arrays import load_arrays, save_arrays
from common.columns import Column
from common.datasets import DATASETS
from support.command_line import InputError, echo
from support.files import atomic_write, reading
from support.schema import PositiveInteger, StrictModel, load_json

SPLITS = ("train", "validation", "test")

Shape = tuple[PositiveInteger, ...]


@dataclass(frozen=True)
class Split:
    """One split of the dataset: features, shape (n, ...), and labels, shape (n,).

    Features have any dtype; those of images are brightness in [0, 255], row by row.
    """

    features: NDArray[Any]
    labels: NDArray[np.integer]

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.labels)


class Description(StrictModel):
    """What later stages must know about the examples.

    ``classes`` names each label, starting at 0; ``example_shape`` is that of one example before it
    was flattened, ``feature_shape`` that after; ``examples`` is the number in each split;
    ``columns`` are those of the table from which the features were encoded, if it was one.
    """

    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    example_shape: Shape
    feature_shape: Shape
    feature_dtype: str
    examples: dict[str, int]
    columns: tuple[Column, ...] = ()


def save_splits(
    folder: Path,
    splits: Mapping[str, Split],
    classes: tuple[str, ...],
    example_shape: tuple[int, ...],
    features: str,
    columns: tuple[Column, ...] = (),
) -> None:
    """Check the splits, and write them, one file each, with ``description.json``.

    `splits` are by the names in `SPLITS`; `features` is the name that the array of features has in
    the files; `Description` explains the rest. Raises InputError if the splits contradict the
    classes or one another; then nothing is written.
    """
    for name, split in splits.items():
        _check(f"{name} split", split, splits["train"], classes)
        _check_finite(f"{name} split", split.features, columns)
    for warning in _warnings(splits, classes):
        echo(f"warning: {warning}")
    for name, split in splits.items():
        save_arrays(folder / f"{name}.npz", {features: split.features, "labels": split.labels})
        echo(f"{name}: {len(split):,} examples, {_kind(split.features)}")
    train = splits["train"].features
    description = Description(
        classes=classes,
        example_shape=example_shape,
        feature_shape=train.shape[1:],
        feature_dtype=str(train.dtype),
        examples={name: len(split) for name, split in splits.items()},
        columns=columns,
    )
    content = description.model_dump_json(indent=2, exclude_defaults=True).encode() + b"\n"
    atomic_write(folder / "description.json", content)


def _check(name: str, split: Split, train: Split, classes: tuple[str, ...]) -> None:
    _check_labels(name, split)
    if not len(split):
        raise InputError(f"{name}: should hold at least one example, holds none")
    if _kind(split.features) != _kind(train.features):
        raise InputError(
            f"{name}: examples are {_kind(split.features)}, those for training "
            f"{_kind(train.features)}; see {DATASETS}"
        )
    if split.features.dtype.kind not in "biuf":
        raise InputError(f"{name}: values should be numbers, are {split.features.dtype}")
    first, last = split.labels.min(), split.labels.max()
    if first < 0 or last >= len(classes):
        raise InputError(
            f"{name}: labels should be from 0 to {len(classes) - 1}, because {DATASETS} names "
            f"{len(classes)} classes, but are from {first} to {last}; name every class from label "
            "0 on, including those without examples"
        )
    if split is train and first == last:
        raise InputError(f"{name}: all labels are {first}; there is nothing to tell apart")


def _check_finite(name: str, features: NDArray[Any], columns: tuple[Column, ...]) -> None:
    """Refuse NaN and infinity, with which a training or an accuracy would be silently wrong.

    NaN is an empty cell in an optional column, which the model fills in.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        if features.dtype.kind != "f" or np.isfinite(features.sum(dtype=np.float64)):
            return  # the sum needs no memory
    wrong = ~np.isfinite(features)
    if columns:
        wrong &= ~(np.isnan(features) & np.concatenate([column.may_be_nan for column in columns]))
    rows, *axes = np.nonzero(wrong)
    if len(rows):
        column = ", ".join(str(axis[0]) for axis in axes)
        raise InputError(
            f"{name}: values of {len(set(rows.tolist())):,} examples are NaN or infinite, first in "
            f"example {rows[0]}, column {column}; stages/flatten should fill them in or leave the "
            "examples out"
        )


def _check_labels(name: str, split: Split) -> None:
    if split.labels.ndim != 1 or split.labels.dtype.kind not in "iu":
        raise InputError(
            f"{name}: labels should be integers with 1 axis, are {split.labels.dtype} with the "
            f"shape {split.labels.shape}"
        )
    if len(split.features) != len(split.labels):
        raise InputError(
            f"{name}: should have one label per example, has {len(split.labels)} for "
            f"{len(split.features)} examples"
        )


def _warnings(splits: Mapping[str, Split], classes: tuple[str, ...]) -> Iterator[str]:
    train, test = splits["train"], splits["test"]
    train_labels = set(train.labels.tolist())
    for name, split in splits.items():
        # A class without any examples is named once.
        expected = set(range(len(classes))) if split is train else train_labels
        if absent := sorted(expected - set(split.labels.tolist())):
            labels = ", ".join(classes[label] for label in absent)
            yield f"{name} split: no examples of: {labels}"
    hashes = {hash(example.tobytes()) for example in train.features}
    duplicates = sum(hash(example.tobytes()) in hashes for example in test.features)
    if duplicates:
        yield f"{duplicates:,} of {len(test):,} test examples are also used for training"


def _kind(features: NDArray[Any]) -> str:
    """Describe one example, such as "uint8 of shape 784"."""
    return f"{features.dtype} of shape {' x '.join(map(str, features.shape[1:]))}"


def load_split(path: Path) -> Split:
    """Load a split; raises InputError if the file is missing or damaged."""
    with reading(path):
        arrays = load_arrays(path)
        labels = arrays.pop("labels")
        (features,) = arrays.values()
    return Split(features, labels)


def load_splits(folder: Path) -> dict[str, Split]:
    """Load all splits, by the names in `SPLITS`, as `load_split` does."""
    return {name: load_split(folder / f"{name}.npz") for name in SPLITS}


def load_description(path: Path) -> Description:
    """Load the description of the splits; raises InputError if it is missing or damaged."""
    return load_json(Description, path)
