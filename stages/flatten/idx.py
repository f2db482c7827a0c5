"""The IDX format: a magic number, the size of each axis, then the values as they lie in memory.

Two zero bytes, a byte for the type of the values (8 is uint8), a byte for the number of axes; the
size of each axis as a big-endian uint32; the values, the last axis running fastest.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

UINT8 = 8


def parse(content: bytes, axes: int) -> NDArray[np.uint8]:
    """Return the values of an uncompressed IDX file of uint8.

    Parameters
    ----------
    content
        The whole file.
    axes
        The number of axes that it must have: 3 for images, 1 for labels.

    Returns
    -------
    ndarray of uint8
        A read-only view of `content`, in the shape that the header gives.

    Raises
    ------
    ValueError
        If it is not such a file, with what was expected and what is there.
    """
    header = 4 + 4 * axes
    if len(content) < header:
        raise ValueError(f"should begin with a header of {header} bytes, has {len(content)} in all")
    if content[:2] != b"\0\0":
        raise ValueError(f"should begin with two zero bytes, begins with {content[:4]!r}")
    if content[2] != UINT8:
        raise ValueError(f"should hold values of type {UINT8} (uint8), holds type {content[2]}")
    if content[3] != axes:
        raise ValueError(f"should have {axes} axes, has {content[3]}")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", axes, offset=4))
    if len(content) != header + math.prod(shape):
        sizes = " x ".join(str(size) for size in shape)
        raise ValueError(
            f"should have {header + math.prod(shape)} bytes for its shape {sizes}, "
            f"has {len(content)}"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
