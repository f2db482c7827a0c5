"""Flatten the examples of the raw files, and split them.

    python -m stages.flatten data/raw data/flat

About a second.
"""

from common.config import load_config
from common.splits import save_splits
from stages.flatten.flatten import COLUMNS, FEATURES, load_examples, split_examples
from support.command_line import read_paths
from support.inputs import run_stage


def main() -> None:
    raw, flat = read_paths("stages.flatten", __doc__, "raw flat")
    config = load_config()
    classes = config.dataset.classes
    splits, example_shape = split_examples(load_examples(raw, classes), config.flatten)
    save_splits(flat, splits, classes, example_shape, FEATURES, COLUMNS)


if __name__ == "__main__":
    run_stage(main)
