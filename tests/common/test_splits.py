"""The splits, and the description of their examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from common.arrays import save_arrays
from common.command_line import InputError
from common.splits import Split, load_description, load_split, save_description, save_split
from tests.synthetic import DESCRIPTION

LABELS = np.array([0, 1, 2, 1], np.uint8)


@pytest.mark.parametrize("shape", [(4, 3), (4, 2, 2, 3), (4,)])
def test_a_split_of_any_shape_comes_back(tmp_path: Path, shape: tuple[int, ...]) -> None:
    features = np.ones(shape, np.float32)
    save_split(tmp_path / "train.npz", Split(features, LABELS), "values")
    loaded = load_split(tmp_path / "train.npz")
    np.testing.assert_array_equal(loaded.features, features, strict=True)
    np.testing.assert_array_equal(loaded.labels, LABELS, strict=True)


def test_a_description_comes_back(tmp_path: Path) -> None:
    save_description(tmp_path / "a.json", DESCRIPTION)
    assert load_description(tmp_path / "a.json") == DESCRIPTION


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": LABELS},
        {"images": np.ones((4, 3))},
        {"images": np.ones((4, 3)), "labels": LABELS.astype(float)},
        {"images": np.ones((4, 3)), "labels": LABELS[:, None]},
        {"images": np.ones((3, 3)), "labels": LABELS},
        {"images": np.ones((4, 3)), "more": np.ones(4), "labels": LABELS},
    ],
)
def test_other_arrays_are_not_a_split(wrong: dict[str, NDArray[Any]], tmp_path: Path) -> None:
    """There must be one integer label per example, and one array of features."""
    save_arrays(tmp_path / "a.npz", wrong)
    with pytest.raises(InputError, match=r"a\.npz: should hold integer labels .*, holds"):
        load_split(tmp_path / "a.npz")


@pytest.mark.parametrize("content", [None, b"", b'{"classes": ["a"]}'])
def test_a_wrong_description_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.json: .*; `dvc repro` makes it"):
        load_description(tmp_path / "a.json")
