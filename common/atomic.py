"""Files that are whole or not there at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import psutil

from common.command_line import CommandError


def sha256(content: bytes) -> str:
    """Give the SHA-256 of some bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


@contextmanager
def atomic_open(path: Path) -> Iterator[BinaryIO]:
    """Write a file under a temporary name beside it, and give it its name when it is on disk.

    Whoever reads `path` finds the old content or the new, never a part: not after an exception,
    not after SIGKILL, not after a power cut. What a killed writer left is removed by the next.
    A stage whose DVC has been killed writes nothing more: another may be at work by now.

    Parameters
    ----------
    path
        The file to write; its folder is made if need be.

    Yields
    ------
    file
        Open for writing bytes.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written to; `path` is then unchanged.
    CommandError
        If the DVC process that started this stage has ended; `path` is then unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _check_starter(path)
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and not error.filename:
            error.filename = str(path)  # the system does not say where it was writing
        raise
    _sync(path.parent)


def atomic_write(path: Path, content: bytes) -> None:
    """Write a whole file, as `atomic_open` does."""
    with atomic_open(path) as file:
        file.write(content)


def _starter() -> psutil.Process | None:
    """Find the DVC process that runs this stage: the first above it that is not of the stage."""
    for process in psutil.Process().parents() if "DVC_STAGE" in os.environ else ():
        try:
            if "DVC_STAGE" not in process.environ():
                return process
        except psutil.Error:
            return process  # not to be looked into: then it stands for DVC, which is above it
    return None


# Found when the stage begins, while DVC is there: later its place would be taken by another.
STARTER = _starter()


def _check_starter(path: Path) -> None:
    if STARTER and STARTER not in psutil.Process().parents():
        raise CommandError(
            f"{path}: not written, for DVC (process {STARTER.pid}) was killed while its stage "
            f"{os.environ['DVC_STAGE']} went on; run `dvc repro` again"
        )


def _remove_abandoned(path: Path) -> None:
    for partial in path.parent.glob(f".{path.name}.*.partial"):
        writer = partial.name.split(".")[-2]
        if not (writer.isdecimal() and _is_alive(int(writer))):
            partial.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync(folder: Path) -> None:
    # The new name is an entry of the folder, which has to reach the disk as well.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
