"""Flat arrays, and what is held out of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.atomic import sha256
from common.splits import SPLITS, load_description, load_split
from stages.flatten.__main__ import TEST_FILES, TRAINING_FILES
from stages.flatten.idx import parse
from tests.fixtures import CLASSES, PIXELS, RAW_FILES, SHAPE, CompletedRun, Workspace, idx

IMAGES = parse(RAW_FILES["train-images-idx3-ubyte"])
LABELS = parse(RAW_FILES["train-labels-idx1-ubyte"])

# Eight columns of int32, of which the first is the label.
QMNIST_LABELS = b"\0\0\x0c\x02\0\0\2\x58\0\0\0\x08" + bytes(600 * 8 * 4)


def flatten(workspace: Workspace, changed: dict[str, bytes]) -> CompletedRun:
    """Run the stage on the synthetic dataset with some files changed, and datasets.yaml as well."""
    files = RAW_FILES | changed
    workspace.datasets["synthetic"]["files"] = {name: sha256(files[name]) for name in files}
    workspace.write()
    workspace.put("raw", files)
    return workspace.run("flatten", "raw", "flat")


def test_every_image_becomes_a_row_of_a_split(workspace: Workspace) -> None:
    """The first images are held out, in order; a description says what later stages need."""
    completed = flatten(workspace, {})
    assert (completed.status, completed.err) == (0, "")
    assert "train: 500 examples of shape 30\n" in completed.out
    train, validation, test = (load_split(Path("flat") / f"{name}.npz") for name in SPLITS)
    np.testing.assert_array_equal(np.concatenate([validation.labels, train.labels]), LABELS)
    features = np.concatenate([validation.features, train.features])
    np.testing.assert_array_equal(features.reshape(-1, *SHAPE), IMAGES)
    assert (len(validation), len(test)) == (100, 200)
    description = load_description(Path("flat/description.json"))
    assert description.example_shape == SHAPE
    assert description.feature_shape == (PIXELS,)
    assert description.examples == {"train": 500, "validation": 100, "test": 200}
    assert len(description.classes) == CLASSES


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        (TRAINING_FILES[0], idx(IMAGES[1:]), "should have one label per example, has 500 for 499"),
        (TRAINING_FILES[0], RAW_FILES[TRAINING_FILES[1]], "are uint8 with the shape (600,)"),
        (TRAINING_FILES[1], idx(LABELS + 1), "from 0 to 3, because datasets.yaml names 4 classes"),
        (TRAINING_FILES[1], QMNIST_LABELS, "`labels = labels[:, 0]` in stages/flatten"),
        (TRAINING_FILES[1], idx(0 * LABELS), "all labels are 0"),
        (TEST_FILES[0], idx(IMAGES[:200, 1:]), "shape 25, those for training 30; see datasets"),
        (TEST_FILES[0], idx(IMAGES[:0]), "should have one label per example, has 200 for 0"),
    ],
)
def test_a_dataset_that_contradicts_itself_is_refused(
    workspace: Workspace, name: str, content: bytes, problem: str
) -> None:
    """Files that are as described, but do not fit each other, point to datasets.yaml."""
    completed = flatten(workspace, {name: content})
    assert completed.status == 2
    assert problem in completed.error()
    assert not Path("flat").exists()


def test_weaknesses_of_the_data_are_warnings(workspace: Workspace) -> None:
    """Test images that are training images as well are counted, a class without any is named."""
    changed = {
        TRAINING_FILES[1]: idx(np.minimum(LABELS, 2)),
        TEST_FILES[0]: idx(IMAGES[200:400]),
    }
    completed = flatten(workspace, changed)
    assert completed.status == 0
    assert "warning: no training examples of: 3\n" in completed.out
    assert "warning: 200 of 200 test examples are also used for training\n" in completed.out


@pytest.mark.fault
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "not found; `dvc repro` fetches it"),
        (idx(255 - IMAGES), "SHA-256 should be "),
    ],
)
def test_a_damaged_file_is_named(workspace: Workspace, content: bytes | None, problem: str) -> None:
    """The error says how to get it again; nothing is written."""
    path = workspace.put("raw", RAW_FILES) / TRAINING_FILES[0]
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    completed = workspace.run("flatten", "raw", "flat")
    assert completed.status == 2
    assert completed.error().startswith(f"raw/{TRAINING_FILES[0]}: {problem}")
    assert not Path("flat").exists()


def test_something_is_left_to_train_with(workspace: Workspace) -> None:
    """A few images are enough; none is an error that names the parameter."""
    workspace.params["flatten"]["validation_examples"] = len(IMAGES) - 9
    assert flatten(workspace, {}).status == 0
    workspace.params["flatten"]["validation_examples"] = len(IMAGES)
    error = flatten(workspace, {}).error()
    assert error.startswith("params.yaml: flatten.validation_examples: is 600, should be less than")
