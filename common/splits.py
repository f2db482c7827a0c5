"""The splits of the dataset, as `flatten` writes them and later stages read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from common.arrays import load_arrays, save_arrays, summary
from common.atomic import atomic_write
from common.command_line import InputError
from common.schema import PositiveInteger, StrictModel

SPLITS = ("train", "validation", "test")

Shape = Annotated[tuple[PositiveInteger, ...], Field(strict=False)]


@dataclass(frozen=True)
class Split:
    """One split of the dataset.

    Attributes
    ----------
    features : ndarray, shape (n, ...)
        Of any dtype and shape; for MNIST (n, 784), brightness in [0, 255], row by row.
    labels : ndarray of integers, shape (n,)
    """

    features: NDArray[Any]
    labels: NDArray[np.integer]

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.labels)


class Description(StrictModel):
    """What later stages must know about the examples.

    Attributes
    ----------
    classes
        The name of each label, from 0 on.
    example_shape
        The shape of an example before it was flattened.
    feature_shape, feature_dtype
        Of one example.
    examples
        The number of examples in each split.
    """

    classes: Annotated[tuple[str, ...], Field(min_length=2, strict=False)]
    example_shape: Shape
    feature_shape: Shape
    feature_dtype: str
    examples: dict[str, int]


def save_split(path: Path, split: Split, features: str) -> None:
    """Write a split; `features` is the name that its array of features has in the file."""
    save_arrays(path, {features: split.features, "labels": split.labels})


def load_split(path: Path) -> Split:
    """Load a split: the array ``labels``, and the one other array.

    Raises InputError if the file is missing, damaged, or holds something else.
    """
    arrays = load_arrays(path)
    labels = arrays.get("labels")
    others = [array for name, array in arrays.items() if name != "labels"]
    if (
        labels is None
        or not np.issubdtype(labels.dtype, np.integer)
        or labels.ndim != 1
        or len(others) != 1
        or others[0].shape[:1] != labels.shape
    ):
        raise InputError(
            f"{path}: should hold integer labels (n,) and one array of features (n, ...), "
            f"holds {summary(arrays)}"
        )
    return Split(others[0], labels)


def save_description(path: Path, description: Description) -> None:
    """Write a description."""
    atomic_write(path, description.model_dump_json(indent=2).encode() + b"\n")


def load_description(path: Path) -> Description:
    """Load a description; raises InputError if the file is missing or damaged."""
    try:
        return Description.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: not found; `dvc repro` makes it") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path}: {first['msg']}; `dvc repro` makes it again") from None
