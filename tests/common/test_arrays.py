"""Arrays on disk."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from common import arrays
from common.arrays import Split
from common.atomic import sha256
from common.command_line import InputError

EXAMPLES = Split(np.arange(12, dtype=np.uint8).reshape(4, 3), np.array([0, 1, 2, 1], np.uint8))
WEIGHTS = {
    "W1": np.ones((3, 2), np.float32),
    "b1": np.zeros(2, np.float32),
    "W2": np.ones((2, 4), np.float32),
    "b2": np.zeros(4, np.float32),
}
DIGEST = "ba0c81c0a589dee193b6a4d1c07d7d24f1dcadbc1b7345ae5e367551e5fae6bc"


def test_examples_come_back(tmp_path: Path) -> None:
    """What is saved is loaded."""
    path = tmp_path / "new" / "train.npz"
    arrays.save_split(path, EXAMPLES)
    loaded = arrays.load_split(path)
    assert len(loaded) == 4
    np.testing.assert_array_equal(EXAMPLES.images, loaded.images, strict=True)
    np.testing.assert_array_equal(EXAMPLES.labels, loaded.labels, strict=True)


def test_weights_come_back_in_the_order_of_the_layers(tmp_path: Path) -> None:
    """However they were saved, W1 comes first."""
    path = tmp_path / "weights.npz"
    arrays.save(path, dict(reversed(WEIGHTS.items())))
    loaded = arrays.load_weights(path)
    assert list(WEIGHTS) == list(loaded)
    for name, expected in WEIGHTS.items():
        np.testing.assert_array_equal(expected, loaded[name], strict=True)


def test_the_bytes_follow_from_the_arrays(tmp_path: Path) -> None:
    """Neither the date nor the file's name is inside."""
    arrays.save(tmp_path / "a.npz", WEIGHTS)
    arrays.save(tmp_path / "b.npz", WEIGHTS)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {(1980, 1, 1, 0, 0, 0)} == {member.date_time for member in archive.infolist()}


def test_the_bytes_do_not_follow_from_the_python(tmp_path: Path) -> None:
    """Python 3.11.3 and older, whose ZIP64 headers differ, give the same digest as newer ones."""
    arrays.save(tmp_path / "a.npz", WEIGHTS)
    assert sha256((tmp_path / "a.npz").read_bytes()) == DIGEST


@pytest.mark.parametrize("load", [arrays.load_split, arrays.load_weights])
@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04", b"<html>", b"\x93NUMPY\x01\0v\0{"])
def test_a_file_that_is_no_archive_is_refused(load: Any, content: bytes, tmp_path: Path) -> None:
    """A missing or damaged file is named, with what makes it anew."""
    path = tmp_path / "a.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        InputError, match=rf"^{path}: (not found; `dvc repro`|damaged; `make repair`) makes it"
    ):
        load(path)


def test_a_bare_array_is_refused(tmp_path: Path) -> None:
    """A .npy file under the name of an .npz file is named."""
    with (tmp_path / "a.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InputError, match=r"a\.npz: not an npz file; `make repair` makes it anew"):
        arrays.load_weights(tmp_path / "a.npz")


@settings(max_examples=50, deadline=None)  # each example is synced to the disk
@given(data=st.data())
def test_no_wrong_byte_gives_a_traceback(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A file with some bytes changed, or cut off, is loaded or is an InputError."""
    path = tmp_path_factory.getbasetemp() / "changed.npz"
    arrays.save_split(path, EXAMPLES)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    kept = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    path.write_bytes(content[:kept])
    try:
        assert len(arrays.load_split(path)) == 4
    except InputError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"images": EXAMPLES.images},
        {"images": EXAMPLES.images.astype(float), "labels": EXAMPLES.labels},
        {"images": EXAMPLES.images, "labels": EXAMPLES.labels.astype(int)},
        {"images": EXAMPLES.images, "labels": EXAMPLES.labels[1:]},
        {"images": EXAMPLES.images[0], "labels": EXAMPLES.labels},
        WEIGHTS,
    ],
)
def test_other_arrays_are_no_examples(wrong: dict[str, NDArray[Any]], tmp_path: Path) -> None:
    """Only uint8 images and labels, one for one, are a part of a dataset."""
    arrays.save(tmp_path / "a.npz", wrong)
    with pytest.raises(InputError, match=r"a\.npz: should hold uint8 images .*, holds"):
        arrays.load_split(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "changed",
    [
        {"W2": np.ones((3, 4), np.float32)},
        {"W1": np.ones((3, 2))},
        {"b1": np.zeros(3, np.float32)},
        {"b2": np.zeros((1, 4), np.float32)},
        {"W1": np.float32(1)},
        {"W3": np.ones((4, 4), np.float32)},
        {"other": np.ones(4, np.float32), "W3": np.ones((4, 4), np.float32)},
    ],
)
def test_other_arrays_are_no_weights(changed: dict[str, NDArray[Any]], tmp_path: Path) -> None:
    """Only float32 layers whose sizes fit together are a network."""
    arrays.save(tmp_path / "a.npz", WEIGHTS | changed)
    with pytest.raises(InputError, match=r"a\.npz: should hold float32 W1, b1, .*, holds W1 "):
        arrays.load_weights(tmp_path / "a.npz")
