"""The places where cases are measured: new clones of the last commit, deleted afterwards."""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from common.config import PARAMS
from common.datasets import DATASETS
from support.yaml_file import read_yaml

ROOT = Path(__file__).parents[2]
# Not in /tmp, which may be in memory, but on the disk of the project; git ignores it.
TEMPORARY = ROOT / ".cache/benchmarks"
RAW = Path("data/raw")


@contextmanager
def new_clone(iterations: Mapping[str, int]) -> Iterator[Path]:
    """Make a new clone, in which each run has the given number of iterations."""
    with tempfile.TemporaryDirectory(dir=TEMPORARY, ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        subprocess.run(["git", "clone", "--quiet", ROOT, "."], cwd=folder, check=True)
        params = read_yaml(folder / PARAMS)
        if iterations != {run: params["runs"][run]["iterations"] for run in params["runs"]}:
            for run, number in iterations.items():
                params["runs"][run]["iterations"] = number
            (folder / PARAMS).write_text(yaml.safe_dump(params), encoding="utf-8")
        yield folder


@contextmanager
def prepared_clone(iterations: Mapping[str, int]) -> Iterator[Path]:
    """Make a new clone with the environment of this folder, and with the raw data."""
    with new_clone(iterations) as folder:
        (folder / ".venv").symlink_to(ROOT / ".venv")
        dvc, setting = ROOT / ".venv/bin/dvc", ("core.site_cache_dir", folder / ".dvc-state")
        subprocess.run([dvc, "config", "--local", *setting], cwd=folder, check=True)
        shutil.copytree(ROOT / RAW, folder / RAW)
        yield folder


@contextmanager
def tenfold_clone(iterations: Mapping[str, int]) -> Iterator[Path]:
    """Make a prepared clone whose splits have each example ten times."""
    with prepared_clone(iterations) as folder:
        params, datasets = read_yaml(folder / PARAMS), read_yaml(folder / DATASETS)
        params["flatten"]["validation_examples"] *= 10
        files = datasets[params["dataset"]]["files"]
        for name in files:
            files[name] = repeat_examples(folder / RAW / name, 10)
        (folder / PARAMS).write_text(yaml.safe_dump(params), encoding="utf-8")
        (folder / DATASETS).write_text(yaml.safe_dump(datasets), encoding="utf-8")
        yield folder


def repeat_examples(path: Path, times: int) -> str:
    """Repeat the examples of an IDX file, and return its new SHA-256."""
    content = path.read_bytes()
    examples, header = int.from_bytes(content[4:8], "big"), 4 + 4 * content[3]
    # In pieces, because this process must stay smaller than what it measures.
    with path.open("w+b") as file:
        file.write(content[:4] + (examples * times).to_bytes(4, "big") + content[8:header])
        for _ in range(times):
            file.write(memoryview(content)[header:])
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()
