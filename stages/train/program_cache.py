"""Keep the compiled program, so that only the first training on a machine has to compile it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from common.atomic import atomic_write, sha256
from stages.train.reproducible import ENVIRONMENT, cpu_features, tf

CACHE = Path(".cache/xla")


@contextmanager
def program_cache() -> Iterator[None]:
    """Let XLA load a program that it has compiled before, and keep one that it compiles.

    XLA knows a program by what it computes, but not for which processor and by which version it
    was made, and fails if its file is damaged. So there is a folder for each processor and
    version; the name of a file has the checksum of its content; and XLA reads checked copies.
    """
    kept = CACHE / _key()
    try:
        kept.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=CACHE, ignore_cleanup_errors=True)
    except OSError:  # a disk that cannot be written to
        yield
        return
    with folder as name:
        known = _copy_checked(kept, Path(name))
        # Relative, because a flag must not have spaces. XLA reads it when it first compiles.
        path = Path(name).relative_to(Path.cwd()) if Path(name).is_absolute() else name
        os.environ["TF_XLA_FLAGS"] = f"--tf_xla_persistent_cache_directory={path}"
        yield
        for program in set(Path(name).glob("*.pb")) - known:
            content = program.read_bytes()
            with suppress(OSError):
                atomic_write(kept / f"{program.stem}.{sha256(content)}", content)


def _copy_checked(kept: Path, folder: Path) -> set[Path]:
    """Copy the programs that have the checksums in their names, and delete the others."""
    copies = set()
    for path in kept.glob("[!.]*"):
        content = path.read_bytes()
        if path.suffix == f".{sha256(content)}":
            copies.add(folder / f"{path.stem}.pb")
            (folder / f"{path.stem}.pb").write_bytes(content)
        else:
            path.unlink()
    return copies


def _key() -> str:
    versions = (tf.version.VERSION, tf.version.GIT_VERSION, tf.version.COMPILER_VERSION)
    return sha256(repr((versions, sorted(cpu_features.items()), ENVIRONMENT)).encode())
