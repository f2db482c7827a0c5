"""Write files atomically: a reader sees the old content or the new, never a partial file."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def sha256(content: bytes) -> str:
    """Return the SHA-256 of some bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


@contextmanager
def atomic_open(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing; it takes its name once all of it is on disk.

    A reader of `path` finds the old content or the new, even after an exception, SIGKILL or a
    power cut. The next writer removes the temporary file of one that was killed.
    Its folder is created if necessary. If the disk is full, OSError leaves `path` unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and not error.filename:
            error.filename = str(path)  # the system does not say where it was writing
        raise
    _sync(path.parent)


def atomic_write(path: Path, content: bytes) -> None:
    """Write a file, as `atomic_open` does."""
    with atomic_open(path) as file:
        file.write(content)


def _remove_abandoned(path: Path) -> None:
    for partial in path.parent.glob(f".{path.name}.*.partial"):
        writer = partial.name.split(".")[-2]
        if not (writer.isdecimal() and _is_alive(int(writer))):
            partial.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return isinstance(error, PermissionError)  # of another user
    return True


def _sync(folder: Path) -> None:
    # The new name is an entry of the folder, which must be on disk as well.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # network file systems refuse it for a folder
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
