"""Fetch the files of a dataset: each from the first source that has it, checked by its SHA-256."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from common.datasets import DATASETS, DatasetSpec
from stages.fetch.sources import PIECE_BYTES, SourceError, open_source
from support.command_line import CommandError, echo
from support.files import atomic_open, sha256


def fetch(dataset: DatasetSpec, folder: Path) -> None:
    """Put the raw files of a dataset into a folder.

    Raises CommandError, with the reason of each source, if none delivers a file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in dataset.files if not _is_correct(folder / name, dataset.files)]
    failures: list[str] = []
    for source in dataset.sources:
        if not missing:
            break
        try:
            with open_source(source, folder) as open_file:
                for name in list(missing):
                    with open_file(name) as file:
                        size = _save(file, folder / name, dataset.files[name])
                    missing.remove(name)
                    echo(f"{name}: {size:,} bytes from {source}")
        except SourceError as error:
            failures.append(f"{source}: {error}")
            echo(f"{source} failed: {error}")
    if missing:
        raise CommandError(
            f"{folder}: no source delivered {', '.join(missing)}: {'; '.join(failures)}. "
            f"Check the network and {DATASETS}"
        )
    echo(f"{folder}: complete; the SHA-256 of each file is correct")


def remove_other_datasets(
    folder: Path, dataset: DatasetSpec, datasets: Mapping[str, DatasetSpec]
) -> None:
    """Remove the files of other datasets from a folder; warn about files that no dataset lists."""
    for path in sorted(folder.glob("[!.]*")):
        if path.name in dataset.files:
            continue
        if any(_is_correct(path, other.files) for other in datasets.values()):
            path.unlink()
        else:
            echo(f"warning: {path} is not in {DATASETS}; it stays, and DVC records it as data")


def _is_correct(path: Path, checksums: Mapping[str, str]) -> bool:
    return path.name in checksums and path.is_file() and sha256(path) == checksums[path.name]


def _save(source: IO[bytes], path: Path, checksum: str) -> int:
    """Copy a file, and return its size; raises ValueError if it has another checksum."""
    digest, size = hashlib.sha256(), 0
    with atomic_open(path) as file:
        while piece := source.read(PIECE_BYTES):
            digest.update(piece)
            size += file.write(piece)
        if digest.hexdigest() != checksum:
            raise ValueError(
                f"{path.name}: the SHA-256 of its {size:,} uncompressed bytes should be "
                f"{checksum}, is {digest.hexdigest()}"
            )
    return size
