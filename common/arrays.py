"""The arrays that stages hand on, as .npz files that are the same bytes for the same arrays."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.atomic import atomic_open
from common.command_line import InputError
from common.model import Weights

SPLITS = ("train", "validation", "test")

# What NumPy and zipfile raise, depending on which byte is wrong.
DAMAGES = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, KeyError, OSError, RuntimeError)


@dataclass(frozen=True)
class Split:
    """A part of the dataset.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, pixels)
        Brightness in [0, 255], row by row.
    labels : ndarray of uint8, shape (n,)
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        """Count the images."""
        return len(self.labels)


def save(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays, as an npz file whose bytes follow from the arrays alone.

    ``np.savez`` asks for ZIP64 headers, which Python 3.11.3 and older write otherwise than newer
    ones. Here an array has them only if it needs them: from two gigabytes on.
    """
    with atomic_open(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")  # its date is always 1980-01-01
            member.file_size = array.nbytes
            with archive.open(member, "w") as content:
                np.lib.format.write_array(content, array, allow_pickle=False)


def save_split(path: Path, examples: Split) -> None:
    """Write a part of the dataset."""
    save(path, {"images": examples.images, "labels": examples.labels})


def load_split(path: Path) -> Split:
    """Read a part of the dataset.

    Raises
    ------
    InputError
        If the file is missing, damaged, or holds something else.
    """
    arrays = _load(path)
    images, labels = arrays.get("images"), arrays.get("labels")
    if (
        images is None
        or labels is None
        or images.dtype != np.uint8
        or labels.dtype != np.uint8
        or (images.ndim, labels.ndim) != (2, 1)
        or len(images) != len(labels)
    ):
        raise _unexpected(path, "uint8 images (n, pixels) and labels (n,)", arrays)
    return Split(images, labels)


def load_weights(path: Path) -> Weights:
    """Read a network's weights.

    Returns
    -------
    dict
        ``W1`` (inputs, units) and ``b1`` (units,) of the first layer, and so on; float32.

    Raises
    ------
    InputError
        If the file is missing, damaged, or holds something else.
    """
    arrays = _load(path)
    layers = len(arrays) // 2
    names = [f"{kind}{layer}" for layer in range(1, layers + 1) for kind in "Wb"]
    if not layers or sorted(names) != sorted(arrays) or not _fit_together(arrays, layers):
        raise _unexpected(path, "float32 W1, b1, W2, b2, ... that fit together", arrays)
    return {name: arrays[name] for name in names}


def _fit_together(arrays: Mapping[str, NDArray[Any]], layers: int) -> bool:
    if any(array.dtype != np.float32 for array in arrays.values()):
        return False
    units: int | None = None
    for layer in range(1, layers + 1):
        weights, bias = arrays[f"W{layer}"], arrays[f"b{layer}"]
        if (
            weights.ndim != 2
            or bias.shape != weights.shape[1:]
            or units not in (None, len(weights))
        ):
            return False
        units = weights.shape[1]
    return True


def _load(path: Path) -> dict[str, NDArray[Any]]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: not found; `dvc repro` makes it") from None
    try:
        archive = np.load(BytesIO(content), allow_pickle=False)
        if isinstance(archive, np.lib.npyio.NpzFile):
            return dict(archive)
    except DAMAGES:
        raise InputError(f"{path}: damaged; `make repair` makes it anew") from None
    raise InputError(f"{path}: not an npz file; `make repair` makes it anew")


def _unexpected(path: Path, expected: str, arrays: Mapping[str, NDArray[Any]]) -> InputError:
    found = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in arrays.items())
    return InputError(f"{path}: should hold {expected}, holds {found or 'nothing'}")
