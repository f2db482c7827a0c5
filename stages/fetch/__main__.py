"""Get the four files of the dataset from the first source that has them right.

    python -m stages.fetch data/raw

A few seconds for MNIST. What is in the folder already and right is not fetched again.
"""

from __future__ import annotations

from pathlib import Path

from common.atomic import atomic_write
from common.command_line import CommandError, argument_parser, echo, run
from common.config import load_config
from common.datasets import DATASETS, DatasetSpec
from stages.fetch import sources


def fetch(dataset: DatasetSpec, folder: Path) -> None:
    """Bring the dataset's files into a folder.

    Parameters
    ----------
    dataset
        What the files must be, and where to get them.
    folder
        Where to put them. A file gets there only after its size and SHA-256 were checked.

    Raises
    ------
    CommandError
        If no source has them all right; it lists what was wrong with each.
    """
    wanted = [
        name for name, file in dataset.files.items() if not sources.matches(folder / name, file)
    ]
    faults: list[str] = []
    for source in dataset.sources:
        if not wanted:
            break
        try:
            for name, content in sources.fetch(dataset, source, list(wanted)):
                atomic_write(folder / name, content)
                wanted.remove(name)
                echo(f"{name}: {len(content):,} bytes from {source}")
        except sources.SourceError as error:
            faults.append(f"{source}: {error}")
            echo(f"{source} failed: {error}")
    if wanted:
        raise CommandError(
            f"{folder}: no source gave {', '.join(wanted)}: {'; '.join(faults)}. "
            f"Look at the network, or add a source to {DATASETS}"
        )
    echo(f"{folder}: all {len(dataset.files)} files are there and right")


def main() -> None:
    """Read the arguments and the settings, and fetch."""
    parser = argument_parser("stages.fetch", __doc__)
    parser.add_argument("folder", type=Path, help="where the files go: data/raw")
    arguments = parser.parse_args()
    fetch(load_config().dataset, arguments.folder)


if __name__ == "__main__":
    run(main)
