"""The files that stages pass on: all comes back, and damage is named."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from common import arrays
from common.arrays import load_arrays, save_arrays
from common.columns import Column
from common.results import load_results
from common.splits import Split, load_description, load_split, save_splits
from common.tables import load_csv, save_csv
from support.command_line import InputError

WEIGHTS = {"b": np.ones((3, 2), np.float32), "a": np.zeros(4, np.float32)}
DIGEST = "17bfa99faf2a8513bc4d24febeef0b5b4c336b9ddfdb10597704d80dcd533342"
LABELS = np.array([0, 1, 2, 1], np.uint8)
COLUMNS = {"run": "str", "recall": "float64", "support": "int64"}


def test_weights_come_back_in_their_order(tmp_path: Path) -> None:
    """Neither the date nor the version of Python is in the file."""
    path = tmp_path / "new" / "weights.npz"
    save_arrays(path, WEIGHTS)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == DIGEST
    loaded = load_arrays(path)
    assert list(loaded) == list(WEIGHTS)
    for name, expected in WEIGHTS.items():
        np.testing.assert_array_equal(loaded[name], expected, strict=True)


def test_arrays_of_a_large_file_stay_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them, whatever their order in memory."""
    monkeypatch.setattr(arrays, "MAPPED_BYTES", 0)
    expected = WEIGHTS | {"images": np.asfortranarray(np.arange(6, dtype=np.uint8).reshape(2, 3))}
    save_arrays(tmp_path / "a.npz", expected)
    loaded = load_arrays(tmp_path / "a.npz")
    assert list(loaded) == list(expected)
    for name, values in expected.items():
        assert isinstance(loaded[name], np.memmap)
        np.testing.assert_array_equal(loaded[name], values)


def test_a_table_has_the_columns_that_are_asked_for(tmp_path: Path) -> None:
    """A run may be called NA, and an empty field is a missing value."""
    path = tmp_path / "a.csv"
    path.write_text("recall,run,more,support\n0.1,NA,x,3\n,null,y,4\n")
    table = load_csv(path, COLUMNS)
    assert list(table.columns) == list(COLUMNS)
    assert list(table["run"]) == ["NA", "null"]
    assert table["recall"].isna().to_list() == [False, True]
    assert list(table["support"]) == [3, 4]


def test_fractions_have_six_digits(tmp_path: Path) -> None:
    """More of them would differ by processor; counts stay whole."""
    table = pd.DataFrame({"recall": [2 / 3, np.nan], "support": [3, 0]}).rename_axis("class")
    save_csv(tmp_path / "a.csv", table)
    expected = "class,recall,support\n0,0.666667,3\n1,,0\n"
    assert (tmp_path / "a.csv").read_text("utf-8") == expected


load_table = partial(load_csv, columns=COLUMNS)
LOADERS = (load_arrays, load_table, load_results, load_description)


@pytest.mark.parametrize(
    ("load", "content", "problem"),
    [
        *((load, None, "not found; run `dvc repro`") for load in LOADERS),
        *((load, b"", "damaged .*; run `make repair`") for load in LOADERS),
        (load_arrays, b"\x93NUMPY\x01\0v\0{", "damaged"),
        (load_arrays, b"<html>", "damaged"),
        (load_table, b"run,recall\na,1\n", "damaged .*support"),
        (load_table, b"run,recall,support\na,1,x\n", "damaged"),
        (load_table, b"\xff\xfe", "damaged"),
        (load_results, b"<<<<<<< HEAD\n", "damaged .*Invalid JSON"),
        (load_results, b"[]", "damaged .*an object"),
        (load_results, b'{"a": {"iterations": 1, "train": NaN}}', "damaged .*finite number"),
        (load_results, b'{"a": {"seconds": 1.0}}', "damaged .*a.iterations"),
        (load_description, b'{"classes": ["a"]}', "damaged .*at least 2 items"),
    ],
)
def test_a_wrong_file_is_named(
    load: Callable[[Path], object], content: bytes | None, problem: str, tmp_path: Path
) -> None:
    """With what is wrong, and the command that replaces it."""
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=f"(?s)^{path}: {problem}"):
        load(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": LABELS},
        {"images": np.ones((4, 3))},
        {"images": np.ones((4, 3)), "more": np.ones(4), "labels": LABELS},
    ],
)
def test_other_arrays_are_refused(wrong: dict[str, NDArray[Any]], tmp_path: Path) -> None:
    save_arrays(tmp_path / "a.npz", wrong)
    with pytest.raises(InputError, match=r"a\.npz: damaged .*; run `make repair`"):
        load_split(tmp_path / "a.npz")


@pytest.mark.parametrize("labels", [LABELS.astype(float), LABELS[:, None], LABELS[1:]])
def test_other_labels_are_not_written(labels: NDArray[Any], tmp_path: Path) -> None:
    splits = {"train": Split(np.ones((4, 3)), labels)}
    problem = "labels should be integers with 1 axis|should have one label per example"
    with pytest.raises(InputError, match=f"train split: ({problem})"):
        save_splits(tmp_path, splits, ("a", "b", "c"), (3,), "features")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "features", "labels", "problem"),
    [
        ("train", np.ones((3, 3)), LABELS, "should have one label per example, has 4 for 3"),
        ("test", np.ones((0, 3)), LABELS[:0], "should hold at least one example, holds none"),
        ("test", np.ones((4, 2)), LABELS, "examples are float64 of shape 2, those for training f"),
        ("test", np.ones((4, 3), np.float32), LABELS, "examples are float32 of shape 3, those"),
        ("train", np.full((4, 3), None), LABELS, "values should be numbers, are object"),
        ("test", np.ones((4, 3)), LABELS + 1, "labels should be from 0 to 2, .* from 1 to 3;"),
        ("test", np.ones((4, 3)), LABELS.astype(np.int8) - 1, "labels .* are from -1 to 1;"),
        ("train", np.ones((4, 3)), 0 * LABELS, "all labels are 0; there is nothing to tell apart"),
    ],
)
def test_splits_that_do_not_fit_are_refused(
    name: str, features: NDArray[Any], labels: NDArray[Any], problem: str, tmp_path: Path
) -> None:
    """Those of one another, and those of the classes."""
    fitting = Split(np.ones((4, 3)), LABELS)
    splits = {"train": fitting, "test": fitting} | {name: Split(features, labels)}
    with pytest.raises(InputError, match=f"^{name} split: {problem}"):
        save_splits(tmp_path / "flat", splits, ("a", "b", "c"), (3,), "features")
    assert not (tmp_path / "flat").exists()


def test_what_later_stages_must_know_comes_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the columns of a table; a test split that holds a single class is only warned about."""
    train, test = Split(np.ones((4, 2)), LABELS), Split(np.ones((2, 2)), LABELS[:1].repeat(2))
    columns = (Column(name="sex", categories=("f", "m"), optional=True),)
    save_splits(
        tmp_path, {"train": train, "test": test}, ("a", "b", "c"), (2, 1), "features", columns
    )
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "warning: test split: no examples of: b, c"
    assert second == "warning: 2 of 2 test examples are also used for training"
    description = load_description(tmp_path / "description.json")
    assert description.model_dump() == {
        "classes": ("a", "b", "c"),
        "example_shape": (2, 1),
        "feature_shape": (2,),
        "feature_dtype": "float64",
        "examples": {"train": 4, "test": 2},
        "columns": tuple(column.model_dump() for column in columns),
    }


def test_nan_and_infinity_are_refused(tmp_path: Path) -> None:
    """The first is named; large numbers, whose sum is infinite, are numbers."""
    largest = np.full((4, 3), np.finfo(np.float64).max)
    wrong = largest.copy()
    wrong[2, 1], wrong[3] = np.nan, -np.inf
    train = Split(largest, LABELS)
    about = (("a", "b", "c"), (3,), "features")
    problem = "^test split: values of 2 examples are NaN or infinite, first in example 2, column 1;"
    with pytest.raises(InputError, match=problem):
        save_splits(tmp_path / "flat", {"train": train, "test": Split(wrong, LABELS)}, *about)
    assert not (tmp_path / "flat").exists()
    save_splits(tmp_path / "flat", {"train": train, "test": train}, *about)
    np.testing.assert_array_equal(load_split(tmp_path / "flat/test.npz").features, largest)


def test_only_an_optional_number_may_be_missing(tmp_path: Path) -> None:
    """A category that is missing is zero in all of its features."""
    columns = (Column(name="mass", optional=True), Column(name="sex", categories=("f", "m")))
    features = np.array([[np.nan, 1, 0], [2, 0, 1], [3, 0, 0], [np.nan, 0, 1]], np.float32)
    about = (("a", "b", "c"), (3,), "features", columns)
    splits = dict.fromkeys(("train", "test"), Split(features, LABELS))
    save_splits(tmp_path / "flat", splits, *about)
    for place in ((1, 1), (2, 2)):
        wrong = features.copy()
        wrong[place] = np.nan
        splits = {"train": Split(wrong, LABELS), "test": Split(features, LABELS)}
        problem = f"NaN or infinite, first in example {place[0]}, column {place[1]};"
        with pytest.raises(InputError, match=problem):
            save_splits(tmp_path / "flat", splits, *about)


@pytest.mark.fault
@settings(max_examples=50)
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
    except OSError as error:
        assert error.filename == str(path)
