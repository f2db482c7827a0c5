"""The synthetic dataset: raw files in the format that `stages/flatten` reads.

ADAPT: for another raw format, replace this file. No other test knows the format.
"""

import numpy as np
from numpy.typing import NDArray

from common.splits import Description

SHAPE = (16, 16)
# What `flatten` makes of the raw files. There are no examples of the last class.
DESCRIPTION = Description(
    classes=("a", "b", "c", "none"),
    example_shape=SHAPE,
    feature_shape=(SHAPE[0] * SHAPE[1],),
    feature_dtype="uint8",
    examples={"train": 500, "validation": 100, "test": 60},
)


def idx(values: NDArray[np.uint8]) -> bytes:
    """Return an IDX file, made with the standard library only."""
    header = bytes([0, 0, 8, values.ndim])
    return header + b"".join(n.to_bytes(4, "big") for n in values.shape) + values.tobytes()


def make_raw_files() -> dict[str, bytes]:
    """Return the raw files: noisy copies of one image per class, the same every time."""
    random = np.random.default_rng(0)
    prototypes = random.integers(50, size=(len(DESCRIPTION.classes) - 1, *SHAPE))
    files = {}
    for part, images in (("train", 600), ("t10k", 60)):
        labels = random.integers(len(prototypes), size=images)
        noise = random.integers(206, size=(images, *SHAPE))
        files[f"{part}-images-idx3-ubyte"] = idx((prototypes[labels] + noise).astype(np.uint8))
        files[f"{part}-labels-idx1-ubyte"] = idx(labels.astype(np.uint8))
    return files


def make_features(count: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return random features of some examples, as `flatten` would write them."""
    return random.integers(256, size=(count, *DESCRIPTION.feature_shape)).astype(np.uint8)
