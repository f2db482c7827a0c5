"""The columns of a table, and how its rows become features.

`flatten` and the served model both use this file, so a client's table is encoded as the training
data were. MLflow serves it, so it imports nothing of the project.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

if TYPE_CHECKING:
    import pandas as pd  # otherwise imported where it is used: not every stage needs it


class Column(BaseModel, extra="forbid", frozen=True):
    """A column of a table.

    Attributes
    ----------
    categories
        What a cell may hold; empty for numbers.
    optional
        Whether a cell may be empty.
    """

    name: str
    categories: tuple[str, ...] = ()
    optional: bool = False

    @property
    def may_be_nan(self) -> list[bool]:
        """Whether each of its features may be NaN: that of an empty cell in a column of numbers."""
        return [False] * len(self.categories) or [self.optional]

    def encode(self, cells: pd.Series[Any]) -> NDArray[np.float32]:
        """Return one feature for numbers, NaN where a cell is empty, or one per category.

        Raises ValueError if a cell holds something else.
        """
        empty = cells.isna().to_numpy()
        if empty.any() and not self.optional:
            raise ValueError(f"{self.name}: holds empty cells")
        if self.categories:
            texts = cells.map(str)
            if unknown := sorted(set(texts[~empty]) - set(self.categories)):
                expected = ", ".join(self.categories)
                raise ValueError(f"{self.name}: no category {unknown[0]!r}, there are: {expected}")
            columns = [~empty & (texts == category) for category in self.categories]
            return np.stack(columns, axis=1).astype(np.float32)
        from pandas import to_numeric

        numbers = to_numeric(cells, errors="coerce").to_numpy(np.float32, na_value=np.nan)
        wrong = ~empty & ~np.isfinite(numbers)
        if wrong.any():
            raise ValueError(f"{self.name}: {cells[wrong].iloc[0]} is not a finite number")
        return numbers[:, np.newaxis]


def encode(columns: Sequence[Column], table: pd.DataFrame) -> NDArray[np.float32]:
    """Return the features of a table's rows; its columns may be in any order.

    >>> import pandas as pd
    >>> columns = Column(name="mass", optional=True), Column(name="sex", categories=("f", "m"))
    >>> encode(columns, pd.DataFrame({"sex": ["m", "f"], "mass": [3.5, None]}))
    array([[3.5, 0. , 1. ],
           [nan, 1. , 0. ]], dtype=float32)

    Raises ValueError if a column is missing, repeated or unknown, or holds something else.
    """
    names = [column.name for column in columns]
    for problem, wrong in (
        ("missing", [name for name in names if name not in table]),
        ("repeated", [name for name in names if list(table).count(name) > 1]),
        ("unknown", [name for name in map(str, table) if name not in names]),
    ):
        if wrong:
            raise ValueError(f"{problem} column {wrong[0]!r}; the columns are: {', '.join(names)}")
    return np.concatenate([column.encode(table[column.name]) for column in columns], axis=1)
