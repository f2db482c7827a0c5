"""Images in IDX files, flat arrays, and what is held out of them."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from numpy.typing import NDArray

from common.atomic import sha256
from common.results import load_results
from common.splits import SPLITS, load_description, load_split
from stages.flatten.__main__ import TEST_FILES, TRAINING_FILES
from stages.flatten.idx import DTYPES, parse
from tests.fixtures import CompletedRun, Project, Workspace, entry, synthetic_params, write_yaml
from tests.synthetic import idx, make_raw_files

CLASSES, SHAPE = 4, (6, 5)
FILES = make_raw_files(CLASSES, SHAPE)
IMAGES = parse(FILES["train-images-idx3-ubyte"])
LABELS = parse(FILES["train-labels-idx1-ubyte"])

# Eight columns of int32, of which the first is the label.
QMNIST_LABELS = b"\0\0\x0c\x02\0\0\2\x58\0\0\0\x08" + bytes(600 * 8 * 4)


def flatten(workspace: Workspace, changed: dict[str, bytes]) -> CompletedRun:
    """Run the stage on images of 6 x 5 with some files changed, and datasets.yaml as well."""
    files = FILES | changed
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
    assert description.feature_shape == (30,)
    assert description.examples == {"train": 500, "validation": 100, "test": 200}
    assert len(description.classes) == CLASSES


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        (TRAINING_FILES[0], idx(IMAGES[1:]), "should have one label per example, has 500 for 499"),
        (TRAINING_FILES[0], FILES[TRAINING_FILES[1]], "are uint8 with the shape (600,)"),
        (TRAINING_FILES[1], idx(LABELS + 1), "from 0 to 3, because datasets.yaml names 4 classes"),
        (TRAINING_FILES[1], QMNIST_LABELS, "`labels = labels[:, 0]` in stages/flatten"),
        (TRAINING_FILES[1], idx(0 * LABELS), "all labels are 0"),
        (TEST_FILES[0], idx(IMAGES[:200, 1:]), "shape 25, those for training 30; see datasets"),
        (TEST_FILES[0], idx(IMAGES[:0]), "should have one label per example, has 200 for 0"),
    ],
)
def test_files_that_do_not_fit_each_other_are_refused(
    workspace: Workspace, name: str, content: bytes, problem: str
) -> None:
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
def test_a_damaged_file_is_named_and_nothing_written(
    workspace: Workspace, content: bytes | None, problem: str
) -> None:
    assert flatten(workspace, {}).status == 0
    shutil.rmtree("flat")
    path = Path("raw", TRAINING_FILES[0])
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    completed = workspace.run("flatten", "raw", "flat")
    assert completed.status == 2
    assert completed.error().startswith(f"raw/{TRAINING_FILES[0]}: {problem}")
    assert not Path("flat").exists()


def test_a_few_images_are_left_to_train_with(workspace: Workspace) -> None:
    workspace.params["flatten"]["validation_examples"] = len(IMAGES) - 9
    assert flatten(workspace, {}).status == 0
    workspace.params["flatten"]["validation_examples"] = len(IMAGES)
    error = flatten(workspace, {}).error()
    assert error.startswith("params.yaml: flatten.validation_examples: is 600, should be less than")


@pytest.mark.slow
def test_the_pipeline_works_with_another_dataset(project: Project) -> None:
    """Larger images of 3 classes, and a fourth class without examples."""
    files = make_raw_files(3, (20, 20))
    for name, content in files.items():
        (project.path.parent / "source" / name).write_bytes(content)
    dataset = entry(f"{project.path.parent}/source/{{file}}")
    dataset["classes"] = ["a", "b", "c", "without examples"]
    dataset["files"] = {name: sha256(content) for name, content in files.items()}
    write_yaml(project.path / "datasets.yaml", {"other": dataset})
    write_yaml(project.path / "params.yaml", synthetic_params() | {"dataset": "other"})
    project.do("dvc", "repro")
    assert load_results(project.path / "metrics/accuracy.json")["long"].test > 0.9
    assert "points to spare" in project.do("python", "-m", "commands.gate")


ARRAYS = st_numpy.arrays(np.uint8, st_numpy.array_shapes(min_dims=1, max_dims=4, min_side=0))
MAGIC = st.sampled_from([b"\0\0\x08\x01", b"\0\0\x08\x03", b"\0\0\x0c\x02"])
THREE = idx(np.array([7, 2, 1], np.uint8))


@given(values=ARRAYS)
def test_any_array_comes_back_in_its_shape(values: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(parse(idx(values)), values, strict=True)


@pytest.mark.parametrize(("code", "dtype"), DTYPES.items())
def test_big_endian_values_of_every_type_are_read(code: int, dtype: str) -> None:
    values: NDArray[Any] = np.array([[1, 2], [3, 100]], np.dtype(dtype).newbyteorder("="))
    header = bytes([0, 0, code, 2, 0, 0, 0, 2, 0, 0, 0, 2])
    actual = parse(header + values.astype(dtype).tobytes())
    np.testing.assert_array_equal(actual, values, strict=True)


@pytest.mark.fault
@given(content=st.binary(max_size=40) | st.builds(bytes.__add__, MAGIC, st.binary(max_size=40)))
def test_any_bytes_are_an_array_or_a_value_error(content: bytes) -> None:
    try:
        values = parse(content)
    except ValueError:
        return
    assert len(content) == 4 + 4 * values.ndim + values.nbytes


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "begins with b''"),
        (THREE[:6], "header of 8 bytes, has 6"),
        (THREE + b"\0", "should have 11 bytes for its shape 3, has 12"),
        (b"<!DOCTYPE html>", "two zero bytes .*, begins with b'<!DO'"),
        (THREE[:2] + b"\x0a" + THREE[3:], r"a type of \[8, 9, 11, 12, 13, 14\]"),
        (b"\0\0\x08\x01\xff\xff\xff\xff" + bytes(3), "should have 4294967303 bytes"),
    ],
)
def test_a_wrong_file_is_described(content: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse(content)
