"""Where cases are measured: in this folder, in an empty one, in a new clone."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from common.atomic import sha256
from common.config import PARAMS
from common.datasets import DATASETS, FILE_NAMES
from common.yaml_file import read_yaml

ROOT = Path(__file__).parents[2]
# On the disk of the project and not in /tmp, which may be memory; ignored by git.
TEMPORARY = ROOT / ".cache/benchmarks"
RAW = Path("data/raw")
TIMES = 10


@contextmanager
def checkout() -> Iterator[Path]:
    """Work in this folder, which has the results of `dvc repro`."""
    yield ROOT


@contextmanager
def empty_folder() -> Iterator[Path]:
    """Work in an empty folder."""
    TEMPORARY.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TEMPORARY) as name:
        yield Path(os.path.realpath(name))


@contextmanager
def clone() -> Iterator[Path]:
    """Work in a new clone of the last commit, with the raw data and an environment."""
    with empty_folder() as folder:
        _run(folder, "git", "clone", "--quiet", str(ROOT), ".")
        (folder / ".venv").symlink_to(ROOT / ".venv")
        dvc = str(ROOT / ".venv/bin/dvc")
        _run(folder, dvc, "config", "--local", "core.site_cache_dir", str(folder / ".dvc-state"))
        shutil.copytree(ROOT / RAW, folder / RAW)
        yield folder


@contextmanager
def tenfold_clone() -> Iterator[Path]:
    """Work in a new clone whose splits have each example ten times."""
    with clone() as folder:
        params, datasets = read_yaml(folder / PARAMS), read_yaml(folder / DATASETS)
        params["flatten"]["validation_images"] *= TIMES
        for name in FILE_NAMES:
            content = repeated((folder / RAW / name).read_bytes())
            (folder / RAW / name).write_bytes(content)
            file = {"bytes": len(content), "sha256": sha256(content)}
            datasets[params["dataset"]]["files"][name] = file
        (folder / PARAMS).write_text(yaml.safe_dump(params), encoding="utf-8")
        (folder / DATASETS).write_text(yaml.safe_dump(datasets), encoding="utf-8")
        yield folder


def repeated(content: bytes) -> bytes:
    """Return an IDX file that holds the examples of another `TIMES` times."""
    count, header = int.from_bytes(content[4:8], "big"), 4 + 4 * content[3]
    sizes = (count * TIMES).to_bytes(4, "big") + content[8:header]
    return content[:4] + sizes + content[header:] * TIMES


def _run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True)
