"""Rows of a table, and what is held out of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.columns import encode
from common.splits import SPLITS, load_description, load_split
from stages.flatten.flatten import COLUMNS, FILE, LABEL
from tests.synthetic import DESCRIPTION
from tests.workspace import RAW_FILES, Workspace


def test_every_row_is_in_one_split(workspace: Workspace) -> None:
    workspace.put("raw", RAW_FILES)
    assert workspace.run("flatten", "raw", "flat").status == 0
    assert load_description(Path("flat/description.json")) == DESCRIPTION
    splits = [load_split(Path("flat", f"{name}.npz")) for name in SPLITS]
    rows = np.concatenate([np.c_[split.features, split.labels] for split in splits])
    table = pd.read_csv(Path("raw", FILE))
    labels = table.pop(LABEL).map(DESCRIPTION.classes.index)
    expected = np.c_[encode(COLUMNS, table), labels]
    for values in (rows, expected):
        values[:] = values[np.lexsort(values.T)]
    np.testing.assert_array_equal(rows, expected)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (",sex", ",gender", "'sex'"),
        (",female\n", ",femal\n", "sex: no category 'femal', there are: female, male"),
        ("\na,", "\nz,", "tuple.index(x): x not in tuple"),
    ],
)
def test_a_wrong_cell_is_named(workspace: Workspace, old: str, new: str, problem: str) -> None:
    workspace.put("raw", {FILE: RAW_FILES[FILE].decode().replace(old, new, 1).encode()})
    completed = workspace.run("flatten", "raw", "flat")
    assert completed.status == 2
    assert completed.error().startswith(f"raw/{FILE}: ")
    assert problem in completed.error()


def test_something_is_left_to_train_with(workspace: Workspace) -> None:
    workspace.put("raw", RAW_FILES)
    workspace.params["flatten"]["validation_examples"] = 600
    error = workspace.run("flatten", "raw", "flat").error()
    assert error.startswith("params.yaml: flatten.validation_examples: is 600, should be less than")
