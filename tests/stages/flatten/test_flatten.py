"""Flat arrays, and what is held out of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fixtures import CLASSES, RAW_FILES, SHAPE, Workspace, dataset, idx

from common import arrays
from common.arrays import Split
from common.atomic import sha256
from common.command_line import InputError
from common.config import FILE_NAMES
from stages.flatten.__main__ import __main__ as flatten
from stages.flatten.idx import parse

IMAGES = parse(RAW_FILES["train-images-idx3-ubyte"], 3)
LABELS = parse(RAW_FILES["train-labels-idx1-ubyte"], 1)


def test_an_image_becomes_a_row() -> None:
    """Row by row of pixels, each image in its place with its label."""
    flat = flatten.examples(IMAGES, LABELS, dataset("file:{file}"))
    assert (len(IMAGES), SHAPE[0] * SHAPE[1]) == flat.images.shape
    np.testing.assert_array_equal(IMAGES[7, 2], flat.images[7, 2 * SHAPE[1] : 3 * SHAPE[1]])
    np.testing.assert_array_equal(LABELS, flat.labels)


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (IMAGES.reshape(-1, *reversed(SHAPE)), LABELS, r"images should be of \(6, 5\), are of"),
        (IMAGES[1:], LABELS, "should be a label an image, are 599 and 600"),
        (IMAGES, LABELS + 1, f"labels should be below {CLASSES}, one is {CLASSES}"),
        (IMAGES[:0], LABELS[:0], "should be at least one image, is none"),
    ],
)
def test_images_that_are_not_the_datasets(images: Any, labels: Any, said: str) -> None:
    """What contradicts datasets.yaml is refused."""
    with pytest.raises(ValueError, match=said):
        flatten.examples(images, labels, dataset("file:{file}"))


def test_the_first_images_are_held_out() -> None:
    """Validation and training are the whole, in order, without overlap."""
    given = Split(np.arange(10, dtype=np.uint8)[:, None], np.arange(10, dtype=np.uint8))
    validation, train = flatten.split(given, 3)
    assert (list(validation.labels), list(train.labels)) == ([0, 1, 2], [3, 4, 5, 6, 7, 8, 9])
    assert (len(validation.images), len(train.images)) == (3, 7)


@pytest.mark.parametrize(("validation_examples", "left"), [(9, 1), (10, None), (11, None)])
def test_something_must_be_left_to_train_with(validation_examples: int, left: int | None) -> None:
    """One image is enough to train; none is an error that names the parameter."""
    given = Split(np.zeros((10, 1), np.uint8), np.zeros(10, np.uint8))
    if left:
        assert left == len(flatten.split(given, validation_examples)[1])
        return
    with pytest.raises(InputError, match=r"flatten\.validation_examples: is 1., .* the 10 training"):
        flatten.split(given, validation_examples)


def test_the_command(workspace: Workspace) -> None:
    """Four files in, three arrays out, all images in them."""
    workspace.put("raw", RAW_FILES)
    outcome = workspace.run("flatten", "raw", "flat")
    assert (outcome.status, outcome.err) == (0, "")
    assert "train: 500 images of 30 pixels\n" in outcome.out
    parts = [arrays.load_split(Path("flat") / f"{part}.npz") for part in arrays.SPLITS]
    assert [len(part) for part in parts] == [500, 100, 200]
    np.testing.assert_array_equal(LABELS[:100], parts[1].labels)
    np.testing.assert_array_equal(LABELS[100:], parts[0].labels)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "not found; `dvc repro` fetches it"),
        (RAW_FILES[FILE_NAMES[0]][:-1], "should have 18016 bytes for its shape 600 x 6 x 5, has"),
        (RAW_FILES[FILE_NAMES[1]], "should have 3 axes, has 1; delete it"),
        (b"", "should begin with a header of 16 bytes, has 0 in all; delete it"),
        (idx(255 - IMAGES), "SHA-256 should be "),
    ],
)
def test_a_damaged_file_is_named(workspace: Workspace, content: bytes | None, said: str) -> None:
    """The error says the file, what is wrong, and how to get it again; nothing is written."""
    path = workspace.put("raw", RAW_FILES) / FILE_NAMES[0]
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    outcome = workspace.run("flatten", "raw", "flat")
    assert outcome.status == 2
    assert f"raw/{FILE_NAMES[0]}: {said}" in outcome.error()
    assert not Path("flat").exists()


def test_a_dataset_that_contradicts_itself(workspace: Workspace) -> None:
    """Files that are as described, but not of the described shape, point to datasets.yaml."""
    workspace.datasets["synthetic"]["image_shape"] = [5, 6]
    workspace.write()
    workspace.put("raw", RAW_FILES)
    outcome = workspace.run("flatten", "raw", "flat")
    assert outcome.status == 2
    assert "images should be of (5, 6), are of (6, 5); see datasets.yaml" in outcome.error()


def test_a_dataset_without_test_images(workspace: Workspace) -> None:
    """An empty file is refused, for nothing could be measured with it."""
    empty = {
        "t10k-images-idx3-ubyte": idx(np.zeros((0, *SHAPE), np.uint8)),
        "t10k-labels-idx1-ubyte": idx(np.zeros(0, np.uint8)),
    }
    for name, content in empty.items():
        file = {"bytes": len(content), "sha256": sha256(content)}
        workspace.datasets["synthetic"]["files"][name] = file
    workspace.write()
    workspace.put("raw", RAW_FILES | empty)
    assert "should be at least one image" in workspace.run("flatten", "raw", "flat").error()
