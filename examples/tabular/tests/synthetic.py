"""The synthetic dataset: raw files in the format that `stages/flatten` reads."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.columns import encode
from common.splits import Description
from stages.flatten.flatten import COLUMNS, FILE, LABEL, TEST_EXAMPLES

# What `flatten` makes of the raw files. There are no examples of the last class.
DESCRIPTION = Description(
    classes=("a", "b", "c", "none"),
    example_shape=(9,),
    feature_shape=(9,),
    feature_dtype="float32",
    examples={"train": 500, "validation": 100, "test": TEST_EXAMPLES},
    columns=COLUMNS,
)


def make_table(labels: NDArray[np.integer], random: np.random.Generator) -> pd.DataFrame:
    """Return rows whose numbers depend on their labels, with some empty cells."""
    table = pd.DataFrame(index=range(len(labels)))
    for place, column in enumerate(COLUMNS):
        if column.categories:
            table[column.name] = random.choice(column.categories, len(labels))
        else:
            table[column.name] = 10.0**place * (labels + random.normal(0, 0.1, len(labels)))
            table.loc[random.random(len(labels)) < 0.05, column.name] = np.nan
    return table


def make_raw_files() -> dict[str, bytes]:
    """Return the raw file, the same every time."""
    random = np.random.default_rng(0)
    labels = random.integers(3, size=sum(DESCRIPTION.examples.values()))
    table = make_table(labels, random)
    table.insert(0, LABEL, np.array(DESCRIPTION.classes)[labels])
    return {FILE: table.to_csv(index=False, na_rep="NA").encode()}


def make_features(count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return random features of some examples, as `flatten` would write them."""
    return encode(COLUMNS, make_table(random.integers(3, size=count), random))
