"""Named arrays in .npz files whose bytes depend on the arrays only."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.atomic import atomic_open
from common.command_line import InputError

# What NumPy and zipfile raise, depending on which byte is wrong.
DAMAGE = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, KeyError, OSError, RuntimeError)


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
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise InputError(f"{path}: not found; `dvc repro` makes it") from None
    try:
        with file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.lib.npyio.NpzFile):
                return dict(archive)
    except DAMAGE:
        raise InputError(f"{path}: damaged; `make repair` makes it again") from None
    raise InputError(f"{path}: not an npz file; `make repair` makes it again")
