"""The synthetic dataset: raw files in the format that `stages/flatten` reads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.splits import Description
from stages.flatten.__main__ import FILE, TEST_EXAMPLES

COLUMNS = 6
# What `flatten` makes of the raw files.
DESCRIPTION = Description(
    classes=("a", "b", "c", "d"),
    example_shape=(COLUMNS,),
    feature_shape=(COLUMNS,),
    feature_dtype="float32",
    examples={"train": 500, "validation": 100, "test": TEST_EXAMPLES},
)
SCALES = 10.0 ** np.arange(COLUMNS)


def make_raw_files() -> dict[str, bytes]:
    """Return the raw file: a table of noisy copies of one row per class."""
    random = np.random.default_rng(0)
    count, classes = sum(DESCRIPTION.examples.values()), len(DESCRIPTION.classes)
    labels = random.integers(classes, size=count)
    prototypes = random.normal(size=(classes, COLUMNS))
    values = SCALES * (prototypes[labels] + random.normal(scale=0.1, size=(count, COLUMNS)))
    header = ",".join([str(count), str(COLUMNS), *DESCRIPTION.classes])
    rows = [",".join(map(str, [*row, label])) for row, label in zip(values, labels, strict=True)]
    return {FILE: "\n".join([header, *rows]).encode()}


def make_features(count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return random features of some examples, as `flatten` would write them."""
    return (SCALES * random.normal(size=(count, COLUMNS))).astype(np.float32)
