"""What a finished run is, gathered from the files that DVC keeps.

dvc.lock is the witness: it says with which parameters each file was made, and by its digest
which file that was. So a run can be gathered from the working directory as well as from any
commit or experiment whose files are still in DVC's cache.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from common.atomic import sha256
from common.command_line import InputError
from common.results import ACCURACY, Result, parse

LOCK = "dvc.lock"
PER_CLASS = "metrics/per_class.csv"
SPLITS = ("train", "validation", "test")

# Gives the content of a file of the repository; raises FileNotFoundError where there is none.
Read = Callable[[str], bytes]


@dataclass(frozen=True)
class Record:
    """A finished run.

    Attributes
    ----------
    run
        Its name in params.yaml.
    dataset
        The name of the dataset.
    parameters
        Every setting that the result follows from, by its name.
    data
        The MD5 of the arrays of each part, as in dvc.lock.
    result
        The accuracies.
    recall
        For each class the fraction of its test images that is read right.
    costs : ndarray of float32, shape (iterations,)
    weights
        The content of weights.npz.
    layers
        The width of each layer, from the pixels to the classes.
    lock
        The content of dvc.lock.
    """

    run: str
    dataset: str
    parameters: Mapping[str, Any]
    data: Mapping[str, str]
    result: Result
    recall: Mapping[str, float]
    costs: NDArray[np.float32] = field(repr=False)
    weights: bytes = field(repr=False)
    layers: tuple[int, ...]
    lock: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """Give the SHA-256 over everything that the result is made of: its identity."""
        made_of = {
            "run": self.run,
            "parameters": self.parameters,
            "data": self.data,
            "result": self.result.model_dump(),
            "costs": sha256(self.costs.tobytes()),
            "weights": sha256(self.weights),
        }
        return sha256(json.dumps(made_of, sort_keys=True).encode())


def gather(read: Read) -> Iterator[Record]:
    """Gather every run of the last evaluation.

    Parameters
    ----------
    read
        Gives the content of a file by its path in the repository.

    Yields
    ------
    Record

    Raises
    ------
    InputError
        If a file is missing, is not the one that dvc.lock speaks of, or does not hold what this
        version of the project writes.
    """
    content = _content(read, LOCK)
    lock = _Lock(content)
    results = parse(lock.verified(read, ACCURACY.as_posix()), ACCURACY)
    per_class = lock.verified(read, PER_CLASS)
    for stage in ("evaluate", *(f"train@{run}" for run in results)):
        lock.check(stage, results)
    for run, result in results.items():
        costs = lock.verified(read, f"costs/{run}.csv")
        weights = lock.verified(read, f"models/{run}/weights.npz")
        try:
            settings = lock.parameters(f"train@{run}")
            yield Record(
                run=run,
                dataset=settings["dataset"],
                parameters={
                    "dataset": settings["dataset"],
                    **lock.parameters("flatten")["flatten"],
                    "iterations": result.iterations,
                    "min_test_accuracy": result.min_test_accuracy,
                    **settings["train"],
                },
                data={part: lock.digest(f"data/flat/{part}.npz") for part in SPLITS},
                result=result,
                recall=_recall(per_class, run),
                costs=_costs(costs),
                weights=weights,
                layers=_layers(weights),
                lock=content,
            )
        except (KeyError, TypeError, ValueError, IndexError):
            # They are what dvc.lock speaks of, so nothing has damaged them.
            raise InputError(f"{LOCK}: {run} is of another version of this project") from None


class _Lock:
    """dvc.lock: the parameters of each stage, and the digest of each file that a stage made."""

    def __init__(self, content: bytes) -> None:
        try:
            self._stages = YAML(typ="safe", pure=True).load(content.decode())["stages"]
            self._digests = {
                out["path"]: out["md5"]
                for stage in self._stages.values()
                for out in stage.get("outs", ())
            }
        except (YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
            raise InputError(
                f"{LOCK}: damaged, unless `dvc repro` is just writing it; "
                f"`git checkout {LOCK}` brings the committed one back"
            ) from None

    def parameters(self, stage: str) -> dict[str, Any]:
        """Give the settings of params.yaml that a stage was last run with, as nested names."""
        try:
            flat: dict[str, Any] = self._stages[stage]["params"]["params.yaml"]
        except KeyError:
            raise InputError(f"{LOCK}: no stage {stage}; run `dvc repro`") from None
        return flat

    def digest(self, path: str) -> str:
        """Give the MD5 of a file, as DVC found it after the stage that made it."""
        try:
            return str(self._digests[path])
        except KeyError:
            raise InputError(f"{LOCK}: no stage made {path}; run `dvc repro`") from None

    def check(self, stage: str, runs: Collection[str]) -> None:
        """See that a stage was run on the files that other stages have made since.

        Parameters
        ----------
        stage
            Its name in dvc.lock.
        runs
            Those that were evaluated: a folder that a stage depends on has their files alone.

        Raises
        ------
        InputError
            If one was made anew, and the stage not yet: then its results are of another.
        """
        for dependency in self._stages.get(stage, {}).get("deps", ()):
            path = dependency["path"]
            made = self._digests.get(path) or self._folder(path, runs)
            if made and made != dependency.get("md5"):
                raise InputError(f"{LOCK}: {stage} was run on an earlier {path}; run `dvc repro`")

    def _folder(self, path: str, runs: Collection[str]) -> str | None:
        """Give the digest of a folder as DVC does, of the list of its files; None if it has none.

        A run that was renamed or removed stays in dvc.lock, so its files are left out.
        """
        inside = [
            {"md5": digest, "relpath": name.removeprefix(f"{path}/")}
            for name, digest in sorted(self._digests.items())
            if name.startswith(f"{path}/") and _run(name) in runs
        ]
        listed = json.dumps(inside, sort_keys=True).encode()
        return hashlib.md5(listed, usedforsecurity=False).hexdigest() + ".dir" if inside else None

    def verified(self, read: Read, path: str) -> bytes:
        """Read a file, and compare it with its digest."""
        content = _content(read, path)
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if digest != self.digest(path):
            raise InputError(
                f"{path}: not the file that {LOCK} speaks of; run `dvc repro`, or `make repair` if "
                "that finds nothing to do"
            )
        return content


def _run(path: str) -> str:
    """Name the run that models/RUN/weights.npz or costs/RUN.csv is of."""
    return Path(path).parts[1].partition(".")[0]


def _content(read: Read, path: str) -> bytes:
    try:
        return read(path)
    except FileNotFoundError:
        raise InputError(f"{path}: not found; `dvc repro` makes it") from None


def _recall(content: bytes, run: str) -> dict[str, float]:
    rows = csv.DictReader(StringIO(content.decode()))
    return {
        row["class"]: float(row["recall"]) for row in rows if row["run"] == run and row["recall"]
    }


def _costs(content: bytes) -> NDArray[np.float32]:
    return np.loadtxt(
        StringIO(content.decode()), np.float32, delimiter=",", skiprows=1, usecols=1, ndmin=1
    )


def _layers(weights: bytes) -> tuple[int, ...]:
    with np.load(BytesIO(weights), allow_pickle=False) as archive:
        shapes = [archive[f"W{layer}"].shape for layer in range(1, len(archive.files) // 2 + 1)]
    return tuple(int(width) for width in (shapes[0][0], *(units for _, units in shapes)))


def smoothed(costs: NDArray[np.float32], points: int) -> Iterator[tuple[int, float]]:
    """Average costs over windows of equal length, so that at most `points` remain.

    Yields
    ------
    iteration, cost
        The last iteration of a window, and the mean cost in it.
    """
    window = -(-len(costs) // points)
    for start in range(0, len(costs), window):
        some = costs[start : start + window]
        yield start + len(some) - 1, float(some.mean(dtype=np.float64))


def from_folder(folder: Path) -> Read:
    """Read files of a working directory."""
    return lambda path: (folder / path).read_bytes()
