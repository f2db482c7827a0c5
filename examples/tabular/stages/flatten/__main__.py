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

from common.atomic import sha256
from common.command_line import InputError, argument_parser, echo, run
from common.config import PARAMS, Config, load_config
from common.datasets import DATASETS
from common.splits import SPLITS, Description, Split, save_description, save_split

FILE = "breast_cancer.csv"
TEST_EXAMPLES = 169
SHUFFLE_SEED = 1


def read_table(path: Path, config: Config) -> Split:
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
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: not found; `dvc repro` fetches it") from None
    expected = config.dataset.files[FILE]
    # DVC trusts a read-only file of its cache without reading it, so it is checked here.
    if sha256(content) != expected:
        raise InputError(
            f"{path}: SHA-256 should be {expected}, is {sha256(content)}; delete it, and "
            "`python -m stages.fetch data/raw` gets it again"
        )
    (_, _, *classes), *rows = csv.reader(content.decode().splitlines())
    if tuple(classes) != config.dataset.classes:
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
    table = read_table(arguments.raw / FILE, config)
    splits = split_rows(table, config.flatten.validation_examples)
    for name, split in splits.items():
        save_split(arguments.flat / f"{name}.npz", split, features="features")
        echo(f"{name}: {len(split):,} rows of {split.features.shape[1]} features")
    description = Description(
        classes=config.dataset.classes,
        example_shape=table.features.shape[1:],
        feature_shape=table.features.shape[1:],
        feature_dtype=str(table.features.dtype),
        examples={name: len(split) for name, split in splits.items()},
    )
    save_description(arguments.flat / "description.json", description)


if __name__ == "__main__":
    run(main)
