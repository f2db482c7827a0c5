"""The IDX format: a magic number, the size of each axis, then the values as they lie in memory.

Two zero bytes, a byte for the type of the values, a byte for the number of axes; the size of each
axis as a big-endian uint32; the values, big-endian as well, the last axis running fastest.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def load(path: Path) -> NDArray[Any]:
    """Return the values of an uncompressed IDX file, as `parse` does; they stay on disk."""
    return parse(np.memmap(path, np.uint8, mode="r")) if path.stat().st_size else parse(b"")


def parse(content: bytes | NDArray[np.uint8]) -> NDArray[Any]:
    """Return the values of an uncompressed IDX file, in the shape that its header gives.

    Raises ValueError if it is not such a file, with what was expected and what is there.

    >>> parse(b"\\0\\0\\x08\\x02" + b"\\0\\0\\0\\x01" + b"\\0\\0\\0\\x03" + b"abc")
    array([[97, 98, 99]], dtype=uint8)
    """
    magic = bytes(content[:4])
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES:
        raise ValueError(
            f"should begin with two zero bytes and a type of {list(DTYPES)}, begins with {magic!r}"
        )
    dtype, header = np.dtype(DTYPES[magic[2]]), 4 + 4 * magic[3]
    # Sizes that are cut off count as 0; then the file is too short for them as well.
    shape = [int.from_bytes(content[start : start + 4]) for start in range(4, header, 4)]
    expected = header + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        sizes = " x ".join(map(str, shape))
        raise ValueError(f"should have {expected} bytes for its shape {sizes}, has {len(content)}")
    values = np.frombuffer(content, dtype, offset=header).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)
