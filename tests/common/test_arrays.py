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

WEIGHTS = {"b": np.ones((3, 2), np.float32), "a": np.zeros(4, np.float32)}
DIGEST = "17bfa99faf2a8513bc4d24febeef0b5b4c336b9ddfdb10597704d80dcd533342"


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
    path = tmp_path / "a.npz"
    if content is not None:
        path.write_bytes(content)
    problem = "damaged; `make repair` makes it again" if content is not None else "not found; `dvc"
    with pytest.raises(InputError, match=f"^{path}: {problem}"):
        load_arrays(path)


@pytest.mark.fault
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_changed_or_missing_bytes_are_loaded_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
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


def test_arrays_that_are_not_float32_are_no_weights(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a.npz", {"a": np.ones((3, 2))})
    with pytest.raises(InputError, match=r"should hold float32 arrays, holds a float64\[3, 2\]"):
        load_weights(tmp_path / "a.npz")
