"""Reading what stages hand on as CSV."""

from __future__ import annotations

from pathlib import Path

import pytest

from common import tables
from common.command_line import InputError

COLUMNS = {"run": "str", "recall": "float64", "support": "int64"}


def test_a_table(tmp_path: Path) -> None:
    """Columns come as asked, a run may be called NA, and an empty field is not a number."""
    path = tmp_path / "a.csv"
    path.write_text("recall,run,more,support\n0.1,NA,x,3\n,null,y,4\n")
    table = tables.load(path, COLUMNS)
    assert list(COLUMNS) == list(table.columns)
    assert list(table["run"]) == ["NA", "null"]
    assert table["recall"].isna().to_list() == [False, True]
    assert list(table["support"]) == [3, 4]


@pytest.mark.parametrize(
    "content", [b"", b"run,recall\na,1\n", b"run,recall,support\na,1,x\n", b"\xff\xfe", b'a"\n"']
)
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    """Whatever is wrong, the file is named and the remedy said."""
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.csv: damaged .*; `dvc repro` makes it anew"):
        tables.load(path, COLUMNS)


def test_a_missing_file(tmp_path: Path) -> None:
    """The remedy is another where nothing is there yet."""
    with pytest.raises(InputError, match=r"a\.csv: not found; `dvc repro` makes it"):
        tables.load(tmp_path / "a.csv", COLUMNS)
