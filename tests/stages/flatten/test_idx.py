"""The IDX format."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from numpy.typing import NDArray

from stages.flatten.idx import DTYPES, parse
from tests.fixtures import idx

ARRAYS = st_numpy.arrays(np.uint8, st_numpy.array_shapes(min_dims=1, max_dims=4, min_side=0))
MAGIC = st.sampled_from([b"\0\0\x08\x01", b"\0\0\x08\x03", b"\0\0\x0c\x02"])
LABELS = idx(np.array([7, 2, 1], np.uint8))


@given(values=ARRAYS)
def test_an_array_comes_back_in_its_shape(values: NDArray[np.uint8]) -> None:
    """Any array of uint8 does."""
    np.testing.assert_array_equal(parse(idx(values)), values, strict=True)


@pytest.mark.parametrize(("code", "dtype"), DTYPES.items())
def test_values_of_every_type_are_read(code: int, dtype: str) -> None:
    """The bytes of the file are big-endian, the values those of this machine."""
    values: NDArray[Any] = np.array([[1, 2], [3, 100]], np.dtype(dtype).newbyteorder("="))
    header = bytes([0, 0, code, 2, 0, 0, 0, 2, 0, 0, 0, 2])
    actual = parse(header + values.astype(dtype).tobytes())
    np.testing.assert_array_equal(actual, values, strict=True)


@pytest.mark.fault
@given(content=st.binary(max_size=40) | st.builds(bytes.__add__, MAGIC, st.binary(max_size=40)))
def test_any_bytes_are_an_array_or_a_value_error(content: bytes) -> None:
    """An array has all the values of the file, and nothing but ValueError is raised."""
    try:
        values = parse(content)
    except ValueError:
        return
    assert len(content) == 4 + 4 * values.ndim + values.nbytes


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "begins with b''"),
        (LABELS[:6], "header of 8 bytes, has 6"),
        (LABELS + b"\0", "should have 11 bytes for its shape 3, has 12"),
        (b"<!DOCTYPE html>", "two zero bytes .*, begins with b'<!DO'"),
        (LABELS[:2] + b"\x0a" + LABELS[3:], r"a type of \[8, 9, 11, 12, 13, 14\]"),
        (b"\0\0\x08\x01\xff\xff\xff\xff" + bytes(3), "should have 4294967303 bytes"),
    ],
)
def test_a_wrong_file_is_described(content: bytes, problem: str) -> None:
    """The error says what was expected and what is there."""
    with pytest.raises(ValueError, match=problem):
        parse(content)
