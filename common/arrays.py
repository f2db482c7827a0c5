"""Named arrays in .npz files whose bytes depend on the arrays only."""

import os
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from support.files import atomic_open, reading

# Larger files are mapped, so that the examples need not fit into memory.
MAPPED_BYTES = 1 << 30


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
    """Load named arrays; raises InputError if the file is missing or damaged.

    Those of a file that is larger than `MAPPED_BYTES` stay on disk until they are used.
    """
    with reading(path):
        if path.stat().st_size > MAPPED_BYTES:
            return _map_arrays(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return dict(archive)


def _map_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Map the arrays of a file that `save_arrays` has written, so without compression."""
    arrays: dict[str, NDArray[Any]] = {}
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            # A member begins with 30 bytes, of which the last four are the lengths of what follows.
            file.seek(member.header_offset + 26)
            file.seek(sum(struct.unpack("<HH", file.read(4))), os.SEEK_CUR)
            np.lib.format.read_magic(file)
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
            order: Literal["F", "C"] = "F" if is_fortran else "C"
            name = member.filename.removesuffix(".npy")
            arrays[name] = np.memmap(path, dtype, "r", file.tell(), shape, order)
    return arrays
