"""Named arrays in .npz files whose bytes depend on the arrays only."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from support.files import atomic_open, reading


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays.

    ``np.savez`` asks for ZIP64 headers, which Python 3.11.3 and older write differently from newer
    versions. Here an array has them only if it needs them: from two gigabytes on.
    """
    with atomic_open(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")  # its date is always 1980-01-01
            member.file_size = array.nbytes
            with archive.open(member, "w") as content:
                np.lib.format.write_array(content, array, allow_pickle=False)


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Load named arrays; raises InputError if the file is missing or damaged."""
    with reading(path), np.load(path, allow_pickle=False) as archive:
        return dict(archive)
