"""Read the table of penguins, shuffle its rows, and split them."""

from pathlib import Path

import numpy as np
import pandas as pd

from common.columns import Column, encode
from common.config import PARAMS, FlattenParams
from common.splits import SPLITS, Split
from support.command_line import InputError

FILE, LABEL = "penguins.csv", "species"
FEATURES = "features"
COLUMNS = (
    Column(name="island", categories=("Biscoe", "Dream", "Torgersen")),
    Column(name="bill_length_mm", optional=True),
    Column(name="bill_depth_mm", optional=True),
    Column(name="flipper_length_mm", optional=True),
    Column(name="body_mass_g", optional=True),
    Column(name="sex", categories=("female", "male"), optional=True),
)
TEST_EXAMPLES = 100
SHUFFLE_SEED = 1


def load_examples(folder: Path, classes: tuple[str, ...]) -> Split:
    """Load the rows; features float32 (n, 9), NaN for a missing number, and the species.

    Raises InputError if a cell holds something else.
    """
    table = pd.read_csv(folder / FILE)
    try:
        features = encode(COLUMNS, table[[column.name for column in COLUMNS]])
        labels = [classes.index(species) for species in table[LABEL]]
    except (KeyError, ValueError) as error:
        raise InputError(f"{folder / FILE}: {error}") from None
    return Split(features, np.array(labels, np.uint8))


def split_examples(table: Split, params: FlattenParams) -> tuple[dict[str, Split], tuple[int, ...]]:
    """Shuffle the rows, and split them: first validation, last test, training between.

    Raises InputError if that leaves nothing to train with.
    """
    rest = len(table) - TEST_EXAMPLES
    if params.validation_examples >= rest:
        raise InputError(
            f"{PARAMS}: flatten.validation_examples: is {params.validation_examples}, should be "
            f"less than the {rest} rows that are not for testing"
        )
    order = np.random.default_rng(SHUFFLE_SEED).permutation(len(table))
    validation, train, test = np.split(order, [params.validation_examples, rest])
    rows = dict(zip(SPLITS, (train, validation, test), strict=True))
    splits = {name: Split(table.features[row], table.labels[row]) for name, row in rows.items()}
    return splits, table.features.shape[1:]
