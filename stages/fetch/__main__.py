"""Get the raw files of the dataset from the first source that has them.

    python -m stages.fetch data/raw

A few seconds. A file that is in the folder already and correct is not fetched again.
"""

from common.config import load_config
from common.datasets import load_datasets
from stages.fetch.fetch import fetch, remove_other_datasets
from support.command_line import read_paths
from support.inputs import run_stage


def main() -> None:
    (folder,) = read_paths("stages.fetch", __doc__, "folder")
    dataset = load_config().dataset
    remove_other_datasets(folder, dataset, load_datasets())
    fetch(dataset, folder)


if __name__ == "__main__":
    run_stage(main)
