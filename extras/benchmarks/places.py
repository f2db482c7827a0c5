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
from common.command_line import CommandError
from common.config import PARAMS
from common.datasets import DATASETS
from common.yaml_file import read_yaml

ROOT = Path(__file__).parents[2]
# On the disk of the project and not in /tmp, which may be in memory; ignored by git.
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
    with tempfile.TemporaryDirectory(dir=TEMPORARY) as name:
        yield Path(os.path.realpath(name))


@contextmanager
def new_clone() -> Iterator[Path]:
    """Work in a new clone of the last commit."""
    with empty_folder() as folder:
        _run(folder, "git", "clone", "--quiet", str(ROOT), ".")
        yield folder


@contextmanager
def prepared_clone() -> Iterator[Path]:
    """Work in a new clone with the environment of this folder, and with the raw data."""
    with new_clone() as folder:
        (folder / ".venv").symlink_to(ROOT / ".venv")
        dvc = str(ROOT / ".venv/bin/dvc")
        _run(folder, dvc, "config", "--local", "core.site_cache_dir", str(folder / ".dvc-state"))
        shutil.copytree(ROOT / RAW, folder / RAW)
        yield folder


@contextmanager
def tenfold_clone() -> Iterator[Path]:
    """Work in a prepared clone whose splits have each example ten times."""
    with prepared_clone() as folder:
        params, datasets = read_yaml(folder / PARAMS), read_yaml(folder / DATASETS)
        params["flatten"]["validation_examples"] *= TIMES
        for name in datasets[params["dataset"]]["files"]:
            content = repeated((folder / RAW / name).read_bytes())
            (folder / RAW / name).write_bytes(content)
            datasets[params["dataset"]]["files"][name] = sha256(content)
        (folder / PARAMS).write_text(yaml.safe_dump(params), encoding="utf-8")
        (folder / DATASETS).write_text(yaml.safe_dump(datasets), encoding="utf-8")
        yield folder


def repeated(idx: bytes) -> bytes:
    """Return an IDX file with its examples repeated `TIMES` times."""
    examples, header = int.from_bytes(idx[4:8], "big"), 4 + 4 * idx[3]
    return idx[:4] + (examples * TIMES).to_bytes(4, "big") + idx[8:header] + idx[header:] * TIMES


def _run(folder: Path, *command: str) -> None:
    if subprocess.run(command, cwd=folder, check=False).returncode:
        raise CommandError(f"{' '.join(command)}: failed; what it printed is above")
