"""The CSV files that stages pass on."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from support.files import atomic_write, reading


def load_csv(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """Load the columns of a CSV file whose dtypes are given, in this order.

    Only an empty field is a missing value: a run may be named ``NA``. Raises InputError if the file
    is missing or holds something else.
    """
    with reading(path):
        table = pd.read_csv(
            path,
            usecols=list(columns),
            dtype=dict(columns),
            keep_default_na=False,
            na_values=[""],
        )
    return table[list(columns)]


def save_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table with its index; fractions have six digits, the same on every processor."""
    atomic_write(path, table.to_csv(float_format="%.6f").encode())
