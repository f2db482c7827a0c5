"""Images in IDX files, flat arrays, and what is held out of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from common.splits import SPLITS, load_description, load_split
from stages.flatten.flatten import FILES
from stages.flatten.idx import load, parse
from tests.synthetic import DESCRIPTION, SHAPE, idx
from tests.workspace import RAW_FILES, CompletedRun, Workspace

TRAINING_IMAGES, TRAINING_LABELS = FILES["train"]
TEST_IMAGES, _ = FILES["test"]
IMAGES, LABELS = (parse(RAW_FILES[name]) for name in FILES["train"])

# Eight columns of int32, of which the first is the label.
QMNIST_LABELS = b"\0\0\x0c\x02\0\0\2\x58\0\0\0\x08" + bytes(600 * 8 * 4)


def flatten(workspace: Workspace, changed: dict[str, bytes]) -> CompletedRun:
    """Run the stage with some files changed."""
    workspace.put("raw", RAW_FILES | changed)
    return workspace.run("flatten", "raw", "flat")


def test_every_image_becomes_a_row_of_a_split(workspace: Workspace) -> None:
    """The first images are held out, in order; a class without any is only a warning."""
    completed = flatten(workspace, {})
    assert (completed.status, completed.err) == (0, "")
    assert "train: 500 examples, uint8 of shape 256\n" in completed.out
    assert "warning: train split: no examples of: none\n" in completed.out
    train, validation, test = (load_split(Path("flat") / f"{name}.npz") for name in SPLITS)
    np.testing.assert_array_equal(np.concatenate([validation.labels, train.labels]), LABELS)
    features = np.concatenate([validation.features, train.features])
    np.testing.assert_array_equal(features.reshape(-1, *SHAPE), IMAGES)
    assert (len(validation), len(test)) == (100, 60)
    assert load_description(Path("flat/description.json")) == DESCRIPTION


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        (TRAINING_IMAGES, b"<!DOCTYPE html>", "should begin with two zero bytes and a type of"),
        (TRAINING_IMAGES, idx(IMAGES) + b"\0", "should have 153616 bytes for its shape 600 x 16"),
        (TRAINING_IMAGES, idx(IMAGES)[:9], "bytes for its shape 600 x 0 x 0, has 9"),
        (TRAINING_IMAGES, idx(IMAGES[1:]), "should have one label per example, has 500 for 499"),
        (TRAINING_IMAGES, RAW_FILES[TRAINING_LABELS], "are uint8 with the shape (600,)"),
        (TRAINING_LABELS, idx(LABELS + 2), "from 0 to 3, because datasets.yaml names 4 classes"),
        (
            TRAINING_LABELS,
            QMNIST_LABELS,
            "train split: labels should be integers with 1 axis, are int32",
        ),
        (
            TEST_IMAGES,
            idx(IMAGES[:60, 1:]),
            "uint8 of shape 240, those for training uint8 of shape 256; see",
        ),
    ],
)
def test_wrong_files_and_those_that_do_not_fit_are_refused(
    workspace: Workspace, name: str, content: bytes, problem: str
) -> None:
    completed = flatten(workspace, {name: content})
    assert completed.status == 2
    assert problem in completed.error()
    assert not Path("flat").exists()


def test_a_validation_split_that_lacks_a_class_is_warned_about(workspace: Workspace) -> None:
    """As that of files which are sorted by class, whose first examples are all of one."""
    completed = flatten(workspace, {TRAINING_LABELS: idx(np.sort(LABELS))})
    assert completed.status == 0
    assert "warning: validation split: no examples of: b, c\n" in completed.out


def test_test_images_that_are_training_images_as_well_are_counted(workspace: Workspace) -> None:
    completed = flatten(workspace, {TEST_IMAGES: idx(IMAGES[200:260])})
    assert completed.status == 0
    assert "warning: 60 of 60 test examples are also used for training\n" in completed.out


def test_a_missing_file_is_named(workspace: Workspace) -> None:
    """With the likely reason: a dataset of another format."""
    completed = workspace.run("flatten", "raw", "flat")
    problem = f"raw/{TRAINING_IMAGES}: not found; datasets.yaml should list it under `files`"
    assert (completed.status, completed.error()) == (2, problem)


def test_a_few_images_are_left_to_train_with(workspace: Workspace) -> None:
    workspace.params["flatten"]["validation_examples"] = len(IMAGES) - 9
    assert flatten(workspace, {}).status == 0
    workspace.params["flatten"]["validation_examples"] = len(IMAGES)
    error = flatten(workspace, {}).error()
    assert error.startswith("params.yaml: flatten.validation_examples: is 600, should be less than")


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(8, "uint8"), (9, "int8"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")],
)
def test_big_endian_values_of_every_type_are_read(code: int, dtype: str, tmp_path: Path) -> None:
    values: NDArray[Any] = np.array([[1, 2, 5], [3, 100, 4]], np.dtype(dtype).newbyteorder("="))
    header = bytes([0, 0, code, 2, 0, 0, 0, 2, 0, 0, 0, 3])
    content = header + values.astype(dtype).tobytes()
    (tmp_path / "file").write_bytes(content)
    for actual in (parse(content), load(tmp_path / "file")):
        np.testing.assert_array_equal(actual, values, strict=True)


VECTOR = b"\0\0\x08\x01\0\0\0\1a"


@pytest.mark.parametrize(
    "content",
    [
        *(VECTOR[:size] for size in range(4)),
        b"\1" + VECTOR[1:],
        b"\0\1" + VECTOR[2:],
        b"\0\0\x07\1a",
    ],
)
def test_another_beginning_is_no_idx_file(content: bytes, tmp_path: Path) -> None:
    assert parse(VECTOR).tolist() == [ord("a")]
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=r"should begin with .*, begins with b"):
        load(tmp_path / "file")


MAGIC = st.sampled_from([b"\0\0\x08\x01", b"\0\0\x08\x03", b"\0\0\x0c\x02"])


@pytest.mark.fault
@given(content=st.binary(max_size=40) | st.builds(bytes.__add__, MAGIC, st.binary(max_size=40)))
def test_any_bytes_are_an_array_or_a_value_error(content: bytes) -> None:
    try:
        values = parse(content)
    except ValueError:
        return
    assert len(content) == 4 + 4 * values.ndim + values.nbytes
