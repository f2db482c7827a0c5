"""Read a table, shuffle its rows, and split them.

    python -m stages.flatten data/raw data/flat

The table is a CSV file. Its first line has the number of rows and of features, and the names of the
classes; each further line has the features and the label.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.config import PARAMS, load_config
from common.datasets import DATASETS, DatasetSpec, read_raw_file
from common.splits import SPLITS, Split, save_splits
from support.command_line import InputError, argument_parser, run

FILE = "breast_cancer.csv"
TEST_EXAMPLES = 169
SHUFFLE_SEED = 1


def read_table(folder: Path, dataset: DatasetSpec) -> Split:
    """Read the table.

    Returns
    -------
    Split
        Features float32 (n, columns), in the units of the table, and labels.

    Raises
    ------
    InputError
        If the file is missing, damaged, or has other classes than datasets.yaml.
    """
    content = read_raw_file(folder, FILE, dataset)
    (_, _, *classes), *rows = csv.reader(content.decode().splitlines())
    if tuple(classes) != dataset.classes:
        raise InputError(f"{DATASETS}: classes: should be {classes}, as in the table")
    values: NDArray[Any] = np.array(rows, dtype=np.float64)
    return Split(values[:, :-1].astype(np.float32), values[:, -1].astype(np.uint8))


def split_rows(table: Split, validation_examples: int) -> dict[str, Split]:
    """Shuffle the rows, and split them: first validation, last test, training between.

    Raises
    ------
    InputError
        If that leaves nothing to train with.
    """
    rest = len(table) - TEST_EXAMPLES
    if validation_examples >= rest:
        raise InputError(
            f"{PARAMS}: flatten.validation_examples: is {validation_examples}, should be less than "
            f"the {rest} rows that are not for testing"
        )
    order = np.random.default_rng(SHUFFLE_SEED).permutation(len(table))
    validation, train, test = np.split(order, [validation_examples, rest])
    rows = dict(zip(SPLITS, (train, validation, test), strict=True))
    return {name: Split(table.features[row], table.labels[row]) for name, row in rows.items()}


def main() -> None:
    """Read the arguments, the settings and the table, and write the splits."""
    parser = argument_parser("stages.flatten", __doc__)
    parser.add_argument("raw", type=Path, help="folder of the table: data/raw")
    parser.add_argument("flat", type=Path, help="folder for the splits: data/flat")
    arguments = parser.parse_args()
    config = load_config()
    table = read_table(arguments.raw, config.dataset)
    splits = split_rows(table, config.flatten.validation_examples)
    shape = table.features.shape[1:]
    save_splits(arguments.flat, splits, config.dataset.classes, shape, "features")


if __name__ == "__main__":
    run(main)
