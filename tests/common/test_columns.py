"""Rows of a table as features; a doctest shows what is right."""

from typing import Any

import pandas as pd
import pytest

from common.columns import Column, encode

COLUMNS = (Column(name="mass"), Column(name="sex", categories=("f", "m"), optional=True))
TABLE = {"mass": [3.5, 4], "sex": ["f", None]}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"age": [1, 2]}, "unknown column 'age'; the columns are: mass, sex"),
        ({"sex": ["f", "x"]}, "sex: no category 'x', there are: f, m"),
        ({"mass": [3.5, None]}, "mass: holds empty cells"),
        ({"mass": [3.5, "heavy"]}, "mass: heavy is not a finite number"),
        ({"mass": [3.5, float("inf")]}, "mass: .*inf.* is not a finite number"),
    ],
)
def test_a_wrong_table_is_refused(change: dict[str, list[Any]], problem: str) -> None:
    assert encode(COLUMNS, pd.DataFrame(TABLE)).tolist() == [[3.5, 1, 0], [4, 0, 0]]
    with pytest.raises(ValueError, match=f"^{problem}"):
        encode(COLUMNS, pd.DataFrame(TABLE | change))
    with pytest.raises(ValueError, match=r"^missing column 'sex'; the columns are: mass, sex"):
        encode(COLUMNS, pd.DataFrame({"mass": [1]}))
