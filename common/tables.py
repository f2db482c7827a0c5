"""The CSV files that stages pass on."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from common.command_line import InputError


def load_csv(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """Load the columns of a CSV file whose dtypes are given, in this order.

    Only an empty field is a missing value: a run may be named ``NA``. Raises InputError if the file
    is missing or holds something else.
    """
    try:
        table = pd.read_csv(
            path,
            usecols=list(columns),
            dtype=dict(columns),
            keep_default_na=False,
            na_values=[""],
        )
    except FileNotFoundError:
        raise InputError(f"{path}: not found; `dvc repro` makes it") from None
    except (ValueError, OverflowError) as error:  # pandas' own errors are ValueErrors
        raise InputError(f"{path}: damaged ({error}); `dvc repro` makes it again") from None
    return table[list(columns)]
