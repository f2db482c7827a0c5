"""Load finished runs from the files that DVC keeps.

dvc.lock holds the parameters of each stage and the MD5 of each output, so the same code reads
the working directory and any commit whose files are still in DVC's cache.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.atomic import sha256
from common.command_line import InputError
from common.model import architecture
from common.results import ACCURACY, Result, parse_results
from common.splits import SPLITS
from common.yaml_file import parse_yaml

LOCK = "dvc.lock"
PER_CLASS = "metrics/per_class.csv"
DESCRIPTION = "data/flat/description.json"

# Returns the content of a file of the project; raises FileNotFoundError where there is none.
Read = Callable[[str], bytes]


@dataclass(frozen=True)
class TrackedRun:
    """A finished run, with all that MLflow shows of it.

    Attributes
    ----------
    name
        Its name in params.yaml.
    dataset
        The name of the dataset.
    params
        Every setting that the result follows from, by its name in params.yaml.
    data
        The MD5 of each split, as in dvc.lock.
    result
        The accuracies.
    recall
        The recall of each class on the test split, where it has examples.
    costs : ndarray of float32, shape (iterations,)
    weights
        The content of weights.npz.
    description
        The content of description.json.
    architecture
        One phrase.
    lock
        The content of dvc.lock.
    """

    name: str
    dataset: str
    params: Mapping[str, Any]
    data: Mapping[str, str]
    result: Result
    recall: Mapping[str, float]
    costs: NDArray[np.float32] = field(repr=False)
    weights: bytes = field(repr=False)
    description: bytes = field(repr=False)
    architecture: str
    lock: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the result and of what it was made from; a threshold is neither."""
        content = {
            "run": self.name,
            "params": self.params,
            "data": self.data,
            "result": self.result.model_dump(exclude={"min_test_accuracy"}),
            "costs": sha256(self.costs.tobytes()),
            "weights": sha256(self.weights),
        }
        return sha256(json.dumps(content, sort_keys=True).encode())


def load_runs(read: Read) -> list[TrackedRun]:
    """Load all runs of the last evaluation.

    Raises
    ------
    InputError
        If a file is missing, is not the one whose MD5 is in dvc.lock, or does not hold what this
        version of the project writes.
    """
    lock = _read(read, LOCK)
    params, checksums = _parse_lock(lock)

    def verified(path: str) -> bytes:
        return _verified(path, _read(read, path), checksums)

    results = parse_results(verified(ACCURACY.as_posix()), ACCURACY)
    table = pd.read_csv(
        BytesIO(verified(PER_CLASS)),
        dtype={"run": str, "class": str},
        keep_default_na=False,
        na_values=[""],
    )
    description = verified(DESCRIPTION)
    runs = []
    for name, result in results.items():
        weights = verified(f"models/{name}/weights.npz")
        costs = verified(f"costs/{name}.csv")
        recall = table[table["run"] == name].set_index("class")["recall"].dropna()
        try:
            run = TrackedRun(
                name=name,
                dataset=params["flatten"]["dataset"],
                params=_flat(params["flatten"] | params[f"train@{name}"])
                | {"iterations": result.iterations},
                data={split: checksums[f"data/flat/{split}.npz"] for split in SPLITS},
                result=result,
                recall=recall.to_dict(),
                costs=pd.read_csv(BytesIO(costs))["cost"].to_numpy(np.float32),
                weights=weights,
                description=description,
                architecture=architecture(dict(np.load(BytesIO(weights), allow_pickle=False))),
                lock=lock,
            )
        except (KeyError, TypeError, ValueError, IndexError):
            # Their MD5 is correct, so they are not damaged.
            raise InputError(f"{LOCK}: {name} is of another version of this project") from None
        runs.append(run)
    return runs


def _read(read: Read, path: str) -> bytes:
    try:
        return read(path)
    except FileNotFoundError:
        raise InputError(f"{path}: not found; `dvc repro` makes it") from None


def _parse_lock(content: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the parameters of each stage, and the MD5 of each output."""
    document = parse_yaml(content, Path(LOCK))
    try:
        stages = document["stages"].items()
        params = {name: stage.get("params", {}).get("params.yaml", {}) for name, stage in stages}
        outputs = [output for _, stage in stages for output in stage.get("outs", ())]
        return params, {output["path"]: output["md5"] for output in outputs}
    except (KeyError, TypeError, AttributeError):
        raise InputError(
            f"{LOCK}: damaged; `git checkout {LOCK}` brings the committed one back"
        ) from None


def _verified(path: str, content: bytes, checksums: Mapping[str, str]) -> bytes:
    if path not in checksums:
        raise InputError(f"{LOCK}: no stage made {path}; run `dvc repro`")
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != checksums[path]:
        raise InputError(
            f"{path}: not the file whose MD5 is in {LOCK}; run `dvc repro`, or `make repair` if "
            "that finds nothing to do"
        )
    return content


def _flat(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of all sections, as ``train.seed``; those of runs are results' own."""
    settings = {}
    for section, values in sections.items():
        if isinstance(values, dict):
            settings |= {f"{section}.{name}": value for name, value in values.items()}
        elif not section.startswith("runs."):
            settings[section] = values
    return settings


def window_means(costs: NDArray[np.float32], max_windows: int) -> Iterator[tuple[int, float]]:
    """Compute the mean cost in each of at most `max_windows` windows of equal length.

    Yields
    ------
    iteration, cost
        The last iteration of a window, and the mean cost in it.
    """
    length = -(-len(costs) // max_windows)
    for start in range(0, len(costs), length):
        window = costs[start : start + length]
        yield start + len(window) - 1, float(window.mean(dtype=np.float64))
