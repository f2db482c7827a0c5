"""Rows of a table, and what is held out of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.splits import SPLITS, load_description, load_split
from stages.flatten.__main__ import FILE
from tests.fixtures import DESCRIPTION, RAW_FILES, Workspace


def test_every_row_is_in_one_split(workspace: Workspace) -> None:
    workspace.put("raw", RAW_FILES)
    assert workspace.run("flatten", "raw", "flat").status == 0
    assert load_description(Path("flat/description.json")) == DESCRIPTION
    splits = [load_split(Path("flat", f"{name}.npz")) for name in SPLITS]
    rows = np.concatenate([np.c_[split.features, split.labels] for split in splits])
    expected = np.loadtxt(Path("raw", FILE), delimiter=",", skiprows=1).astype(np.float32)
    np.testing.assert_array_equal(sorted(rows.tolist()), sorted(expected.tolist()))


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "not found; `dvc repro` fetches it"), (b"damaged", "SHA-256 should be ")],
)
def test_a_damaged_table_is_named(
    workspace: Workspace, content: bytes | None, problem: str
) -> None:
    workspace.put("raw", {} if content is None else {FILE: content})
    completed = workspace.run("flatten", "raw", "flat")
    assert completed.status == 2
    assert completed.error().startswith(f"raw/{FILE}: {problem}")
    assert not Path("flat").exists()


def test_something_is_left_to_train_with(workspace: Workspace) -> None:
    workspace.put("raw", RAW_FILES)
    workspace.params["flatten"]["validation_examples"] = 600
    workspace.write()
    error = workspace.run("flatten", "raw", "flat").error()
    assert error.startswith("params.yaml: flatten.validation_examples: is 600, should be less than")
