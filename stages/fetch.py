"""Get the four files of the dataset from the first source that has them right.

    python -m stages.fetch data/raw

A few seconds for MNIST. What is in the folder already and right is not fetched again.
"""

from __future__ import annotations

from pathlib import Path

from stages import settings, sources
from stages.console import StageError, command_line, run, say
from stages.files import write
from stages.settings import Dataset


def fetch(dataset: Dataset, folder: Path) -> None:
    """Bring the dataset's files into a folder.

    Parameters
    ----------
    dataset
        What the files must be, and where to get them.
    folder
        Where to put them. A file gets there only after its size and SHA-256 were checked.

    Raises
    ------
    StageError
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
                write(folder / name, content)
                wanted.remove(name)
                say(f"{name}: {len(content):,} bytes from {source}")
        except sources.SourceError as error:
            faults.append(f"{source}: {error}")
            say(f"{source} failed: {error}")
    if wanted:
        raise StageError(
            f"{folder}: no source gave {', '.join(wanted)}: {'; '.join(faults)}. "
            f"Look at the network, or add a source to {settings.DATASETS}"
        )
    say(f"{folder}: all {len(dataset.files)} files are there and right")


def main() -> None:
    """Read the arguments and the settings, and fetch."""
    parser = command_line("stages.fetch", __doc__)
    parser.add_argument("folder", type=Path, help="where the files go: data/raw")
    arguments = parser.parse_args()
    fetch(settings.load().dataset, arguments.folder)


if __name__ == "__main__":
    run(main)
