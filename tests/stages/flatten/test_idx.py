"""The IDX format."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from numpy.typing import NDArray

from stages.flatten.idx import parse
from tests.synthetic import idx

ARRAYS = st_numpy.arrays(np.uint8, st_numpy.array_shapes(min_dims=1, max_dims=4, min_side=0))
MAGIC = st.sampled_from([b"\0\0\x08\x01", b"\0\0\x08\x03"])
LABELS = idx(np.array([7, 2, 1], np.uint8))


@given(values=ARRAYS)
def test_any_array_comes_back_in_its_shape(values: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(parse(idx(values), values.ndim), values, strict=True)


@pytest.mark.fault
@given(content=st.binary(max_size=40) | st.builds(bytes.__add__, MAGIC, st.binary(max_size=40)))
@pytest.mark.parametrize("axes", [1, 3])
def test_any_bytes_are_an_array_or_a_value_error(content: bytes, axes: int) -> None:
    try:
        values = parse(content, axes)
    except ValueError:
        return
    assert idx(values) == content


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "header of 8 bytes, has 0"),
        (LABELS + b"\0", "should have 11 bytes for its shape 3, has 12"),
        (b"<!DOCTYPE html>", "two zero bytes, begins with b'<!DO'"),
        (LABELS[:2] + b"\x0d" + LABELS[3:], "type 8 .uint8., holds type 13"),
        (idx(np.zeros((2, 3, 3), np.uint8)), "should have 1 axes, has 3"),
        (b"\0\0\x08\x01\xff\xff\xff\xff" + bytes(3), "should have 4294967303 bytes"),
    ],
)
def test_a_wrong_file_is_described(content: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse(content, 1)
