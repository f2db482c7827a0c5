"""Get the raw files of the dataset from the first source that has them.

    python -m stages.fetch data/raw

A few seconds. A file that is in the folder already and correct is not fetched again.
"""

from pathlib import Path

from common.atomic import atomic_write, sha256
from common.command_line import CommandError, argument_parser, echo, run
from common.config import load_config
from common.datasets import DATASETS, DatasetSpec
from stages.fetch import sources


def fetch(dataset: DatasetSpec, folder: Path) -> None:
    """Put the raw files of a dataset into a folder, and nothing else.

    A file is written only after its SHA-256 was checked. Raises CommandError, with the reason of
    each source, if none delivers a file.
    """
    for path in folder.glob("[!.]*"):
        if path.is_file() and path.name not in dataset.files:
            path.unlink()  # left over from another dataset
    missing = [name for name in dataset.files if not _is_correct(folder / name, dataset)]
    failures: list[str] = []
    for source in dataset.sources:
        if not missing:
            break
        try:
            for name, raw in sources.read_files(source, list(missing)):
                content = sources.uncompress(raw, name)
                _check(name, raw, content, dataset)
                atomic_write(folder / name, content)
                missing.remove(name)
                echo(f"{name}: {len(content):,} bytes from {source}")
        except sources.SourceError as error:
            failures.append(f"{source}: {error}")
            echo(f"{source} failed: {error}")
    if missing:
        raise CommandError(
            f"{folder}: no source delivered {', '.join(missing)}: {'; '.join(failures)}. "
            f"Check the network and {DATASETS}"
        )
    echo(f"{folder}: complete; the SHA-256 of each file is correct")


def _is_correct(path: Path, dataset: DatasetSpec) -> bool:
    return path.exists() and sha256(path.read_bytes()) == dataset.files[path.name]


def _check(name: str, raw: bytes, content: bytes, dataset: DatasetSpec) -> None:
    expected, actual = dataset.files[name], sha256(content)
    if raw != content and sha256(raw) == expected:
        raise CommandError(
            f"{DATASETS}: files.{name}: is the SHA-256 of the compressed file, should be that of "
            f"the {len(content):,} uncompressed bytes: {actual}"
        )
    if actual != expected:
        raise sources.SourceError(
            f"{name}: SHA-256 should be {expected}, is {actual} of {len(content):,} uncompressed "
            f"bytes beginning {content[:16]!r}"
        )


def main() -> None:
    """Read the arguments and the settings, and fetch."""
    parser = argument_parser("stages.fetch", __doc__)
    parser.add_argument("folder", type=Path, help="folder for the files: data/raw")
    arguments = parser.parse_args()
    fetch(load_config().dataset, arguments.folder)


if __name__ == "__main__":
    run(main)
