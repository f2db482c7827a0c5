"""Arrays in files: bytes that follow from the values, and damage that is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.arrays import load_arrays, load_weights, save_arrays
from common.atomic import sha256
from common.command_line import InputError

WEIGHTS = {
    "W1": np.ones((3, 2), np.float32),
    "b1": np.zeros(2, np.float32),
    "W2": np.ones((2, 4), np.float32),
    "b2": np.zeros(4, np.float32),
}
DIGEST = "ba0c81c0a589dee193b6a4d1c07d7d24f1dcadbc1b7345ae5e367551e5fae6bc"


def test_bytes_follow_from_the_arrays_only(tmp_path: Path) -> None:
    """Neither the date nor the version of Python is inside; all comes back in its order."""
    path = tmp_path / "new" / "weights.npz"
    save_arrays(path, WEIGHTS)
    assert sha256(path.read_bytes()) == DIGEST
    loaded = load_weights(path)
    assert list(loaded) == list(WEIGHTS)
    for name, expected in WEIGHTS.items():
        np.testing.assert_array_equal(loaded[name], expected, strict=True)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04", b"\x93NUMPY\x01\0v\0{", b"<html>"])
def test_a_file_that_is_no_archive_is_refused(content: bytes | None, tmp_path: Path) -> None:
    """The error names the file and the remedy."""
    path = tmp_path / "a.npz"
    if content is not None:
        path.write_bytes(content)
    problem = "damaged; `make repair` makes it again" if content is not None else "not found; `dvc"
    with pytest.raises(InputError, match=f"^{path}: {problem}"):
        load_arrays(path)


@pytest.mark.fault
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_a_wrong_byte_is_an_input_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A file with some bytes changed, or cut off, is loaded or refused, without a traceback."""
    path = tmp_path_factory.getbasetemp() / "changed.npz"
    save_arrays(path, WEIGHTS)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    path.write_bytes(content[:end])
    try:
        assert len(load_arrays(path)) <= len(WEIGHTS)
    except InputError as error:
        assert str(error).startswith(f"{path}: ")


def test_weights_are_float32(tmp_path: Path) -> None:
    """Other arrays are no weights, and the error lists them."""
    save_arrays(tmp_path / "a.npz", {"W1": np.ones((3, 2))})
    expected = r"a\.npz: should hold float32 arrays, holds W1 float64\[3, 2\]"
    with pytest.raises(InputError, match=expected):
        load_weights(tmp_path / "a.npz")
