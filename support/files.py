"""Read and write files: in one line what is wrong with one, and never half of one."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from support.command_line import InputError

# zipfile calls an archive with a wrong byte encrypted, or of a later version: a RuntimeError.
DAMAGE = (ValueError, LookupError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


def repository() -> Path:
    """Return the folder of the project, also in the copies in which DVC runs experiments.

    The environment variable ``DVC_ROOT`` is not used, because it may name another repository.
    """
    return Path(str(Path.cwd()).partition("/.dvc/tmp/exps/")[0])


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what libraries raise about a missing or damaged file into an InputError."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: not found; run `dvc repro`") from None
    except OSError as error:
        _add_place(error, path)
        raise
    except DAMAGE as error:
        raise InputError(f"{path}: damaged ({error}); run `make repair`") from None


def _add_place(error: OSError, path: Path) -> None:
    """Name the file in an error of a full or a failing disk, which does not name it."""
    if error.errno and not error.filename:
        error.filename = str(path)


@contextmanager
def atomic_open(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing; it takes its name once all of it is on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        _add_place(error, path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def atomic_write(path: Path, content: bytes) -> None:
    """Write a file, as `atomic_open` does."""
    with atomic_open(path) as file:
        file.write(content)
