"""Read and write files: errors in one line, atomic writes, checksums."""

import hashlib
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


def files_in(folder: Path) -> list[Path]:
    """Return the files below a folder, in their order; not those that DVC ignores."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [file for file in files if not _is_ignored(file.relative_to(folder))]


def _is_ignored(path: Path) -> bool:
    """Return whether .dvcignore lists a path: what editors and Python leave in folders."""
    is_hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return is_hidden or path.name.endswith("~")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, which need not fit into memory; raises as `reading` does."""
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
