"""CSV files that stages pass on."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.command_line import InputError
from common.tables import load_csv

COLUMNS = {"run": "str", "recall": "float64", "support": "int64"}


def test_a_table_has_the_columns_that_are_asked_for(tmp_path: Path) -> None:
    """A run may be called NA, and an empty field is a missing value."""
    path = tmp_path / "a.csv"
    path.write_text("recall,run,more,support\n0.1,NA,x,3\n,null,y,4\n")
    table = load_csv(path, COLUMNS)
    assert list(table.columns) == list(COLUMNS)
    assert list(table["run"]) == ["NA", "null"]
    assert table["recall"].isna().to_list() == [False, True]
    assert list(table["support"]) == [3, 4]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "not found; `dvc repro` makes it"),
        (b"run,recall\na,1\n", "damaged .*; `dvc repro` makes it again"),
        (b"run,recall,support\na,1,x\n", "damaged"),
        (b"\xff\xfe", "damaged"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "a.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.csv: {problem}"):
        load_csv(path, COLUMNS)
