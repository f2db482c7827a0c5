"""Load finished runs from the files that DVC keeps.

dvc.lock holds the parameters of each stage and the MD5 of each output, so the same code reads
the working directory and a copy of any commit whose files are still in DVC's cache.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.model import Model
from common.results import ACCURACY, Result, load_results
from common.splits import SPLITS
from common.tables import load_csv
from support.command_line import InputError
from support.yaml_file import read_yaml

LOCK = "dvc.lock"
DESCRIPTION = "data/flat/description.json"
PER_CLASS = "metrics/per_class.csv"


@dataclass(frozen=True)
class TrackedRun:
    """A finished run, with everything that MLflow shows.

    `params` are all settings that determine the result, such as ``train.seed``; `data` and
    `checksums` are the MD5 in dvc.lock of the splits, and of weights and costs; `recall` is that of
    each class that has test examples; `folder` is where the files are.
    """

    name: str
    dataset: str
    params: dict[str, Any]
    data: Mapping[str, str]
    checksums: Mapping[str, str]
    result: Result
    recall: Mapping[str, float]
    costs: NDArray[np.float32] = field(repr=False)
    architecture: str
    folder: Path

    @property
    def model(self) -> Path:
        """The folder of its model."""
        return self.folder / "models" / self.name

    @property
    def summary(self) -> str:
        """The result in a few words."""
        return f"{self.result.iterations:,} iterations, test {self.result.test:.2%}"

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the result and everything that determines it; not of the threshold."""
        result = self.result.model_dump(exclude={"min_test_accuracy"})
        content = [self.name, self.params, self.data, self.checksums, result]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load_runs(folder: Path) -> list[TrackedRun]:
    """Load all runs of the last evaluation.

    Raises InputError if a file is missing, is not the one whose MD5 is in dvc.lock, or does not
    hold what this version of the project writes.
    """
    params, checksums = _load_lock(folder / LOCK)
    runs = []
    for name, result in load_results(folder / ACCURACY).items():
        weights, costs = f"models/{name}", f"costs/{name}.csv"
        try:
            sections = params["fetch"] | params["flatten"] | params[f"train@{name}"]
            run = TrackedRun(
                name=name,
                dataset=sections["dataset"],
                params=_flat(sections) | {"iterations": result.iterations},
                data=dict.fromkeys(SPLITS, checksums["data/flat"]),
                checksums={path: checksums[path] for path in (weights, costs)},
                result=result,
                recall=_load_recall(folder / PER_CLASS, name),
                costs=load_csv(folder / costs, {"cost": "float32"})["cost"].to_numpy(),
                architecture=Model.load(folder / "models" / name).architecture,
                folder=folder,
            )
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            # Their MD5 is correct, so they are not damaged.
            raise InputError(f"{LOCK}: {name} belongs to another version of this project") from None
        runs.append(run)
    return runs


def _load_lock(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the parameters of each stage, and the MD5 of each output."""
    document = read_yaml(path)
    try:
        stages = document["stages"].items()
        params = {name: stage.get("params", {}).get("params.yaml", {}) for name, stage in stages}
        outputs = [output for _, stage in stages for output in stage.get("outs", ())]
        return params, {output["path"]: output["md5"] for output in outputs}
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: damaged; `git checkout {LOCK}` restores it") from None


def _flat(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of all sections by names like ``train.seed``."""
    flat = {"dataset": sections["dataset"]}
    for section, values in sections.items():
        if isinstance(values, dict):
            flat |= {f"{section}.{name}": value for name, value in values.items()}
    return flat


def _load_recall(path: Path, run: str) -> dict[str, float]:
    table = load_csv(path, {"run": "str", "class": "str", "recall": "float"}).dropna()
    table = table[table["run"] == run]
    return dict(zip(table["class"], table["recall"].tolist(), strict=True))


def window_means(costs: NDArray[np.float32], max_windows: int) -> Iterator[tuple[int, float]]:
    """Yield the last iteration and the mean cost of each of at most `max_windows` windows."""
    length = -(-len(costs) // max_windows)
    for start in range(0, len(costs), length):
        window = costs[start : start + length]
        yield start + len(window) - 1, float(window.mean(dtype=np.float64))
