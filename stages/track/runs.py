"""Load finished runs from the files that DVC keeps.

dvc.lock holds the parameters of each stage and the MD5 of each output, so the same code reads
the working directory and a copy of any commit whose files are still in DVC's cache.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.results import ACCURACY, Result, load_results
from common.splits import load_description
from common.tables import load_csv
from support.command_line import InputError
from support.yaml_file import read_yaml

LOCK = "dvc.lock"
DESCRIPTION = "data/flat/description.json"
CODE = Path(__file__).parents[2] / "common"
PER_CLASS = "metrics/per_class.csv"
# The folders of data and results.
RESULTS = ("data", "models", "costs", "curves", "metrics", "plots")


@dataclass(frozen=True)
class TrackedRun:
    """A finished run, as its files describe it.

    `params` are the settings that determine the result, such as ``train.seed``; `md5` has that of
    the splits, the model and the costs, by their paths in `folder`.
    """

    name: str
    result: Result
    params: Mapping[str, Any]
    md5: Mapping[str, str]
    folder: Path

    @property
    def summary(self) -> str:
        """The result in a few words."""
        return f"{self.result.iterations:,} iterations, test {self.result.test:.2%}"

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the result and everything that determines it; not of the threshold."""
        result = self.result.model_dump(exclude={"min_test_accuracy"})
        content = [self.name, self.params, self.md5, result]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def costs(self) -> Path:
        """The file with the cost of each iteration."""
        return self.folder / f"costs/{self.name}.csv"

    @property
    def served(self) -> dict[str, Path]:
        """The files that MLflow serves: the model, its code, and the description of its input."""
        return {
            "model": self.folder / "models" / self.name,
            "description": self.folder / DESCRIPTION,
            "code": CODE / "model.py",
            "columns": CODE / "columns.py",
        }

    def load_costs(self) -> NDArray[np.float32]:
        """Load the cost of each iteration."""
        return load_csv(self.costs, {"cost": "float32"})["cost"].to_numpy()

    def load_curves(self) -> list[tuple[int, str, float]]:
        """Load all else that the training reported: iteration, name and value."""
        columns = {"iteration": "int64", "name": "str", "value": "float64"}
        table = load_csv(self.folder / f"curves/{self.name}.csv", columns)
        return list(table.itertuples(index=False, name=None))

    def load_recall(self) -> dict[str, float]:
        """Load the recall of each class that has test examples, by its name."""
        classes = load_description(self.folder / DESCRIPTION).classes
        columns = {"run": "str", "class": "int", "recall": "float"}
        table = load_csv(self.folder / PER_CLASS, columns).dropna()
        rows = table[table["run"] == self.name].itertuples(index=False)
        return {classes[label]: recall for _, label, recall in rows}


def load_current_runs() -> list[TrackedRun]:
    """Load the runs of the working directory, as `load_runs` does.

    Raises InputError if the files are not those of one `dvc repro`: dvc.lock has a model once it is
    trained, so until the next stages have run it would be combined with the accuracies and figures
    of another. DVC runs the stage itself only if they are.
    """
    if "DVC_STAGE" not in os.environ:
        from dvc.exceptions import DvcException
        from dvc.repo import Repo

        try:
            with Repo() as repo:
                status = repo.status(targets=["report"], with_deps=True)
        except DvcException as error:
            raise InputError(f"`dvc status`: {error}") from None
        if changed := sorted(set(_changed_results(status))):
            raise InputError(f"{', '.join(changed)}: not up to date; run `dvc repro`")
    return load_runs(Path())


def _changed_results(status: Mapping[str, list[Any]]) -> Iterator[str]:
    """Report changed data and results, but not code and settings, which may be edited since."""
    for entry in chain.from_iterable(status.values()):
        for files in entry.values() if isinstance(entry, Mapping) else ():
            yield from (path for path in files if Path(path).parts[0] in RESULTS)


def load_runs(folder: Path) -> list[TrackedRun]:
    """Load all runs of the last evaluation.

    Raises InputError if a file is missing, or belongs to another version of the project.
    """
    lock = read_yaml(folder / LOCK)
    return [_load_run(folder, lock, *item) for item in load_results(folder / ACCURACY).items()]


def _load_run(folder: Path, lock: Mapping[str, Any], name: str, result: Result) -> TrackedRun:
    try:
        stages = [lock["stages"][stage] for stage in ("fetch", "flatten", f"train@{name}")]
        md5 = {output["path"]: output["md5"] for stage in stages for output in stage["outs"]}
        md5 = {path: md5[path] for path in ("data/flat", f"models/{name}", f"costs/{name}.csv")}
        params = {"dataset": stages[0]["params"]["params.yaml"]["dataset"]}
        for stage in stages:
            for section, values in stage["params"]["params.yaml"].items():
                if isinstance(values, dict):
                    params |= {f"{section}.{key}": value for key, value in values.items()}
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{LOCK}: {name} belongs to another version of this project") from None
    return TrackedRun(name, result, params | {"iterations": result.iterations}, md5, folder)


def metric_name(name: str) -> str:
    """Return a name with the characters that MLflow allows in the name of a metric.

    >>> metric_name("top-5 (%)")
    'top-5 ___'
    """
    return re.sub(r"[^\w. -]", "_", name)


def window_means(costs: NDArray[np.float32], max_windows: int) -> Iterator[tuple[int, float]]:
    """Yield the last iteration and the mean cost of each of at most `max_windows` windows.

    >>> list(window_means(np.array([4, 2, 1], np.float32), 2))
    [(1, 3.0), (2, 1.0)]
    """
    length = max(1, -(-len(costs) // max_windows))
    for start in range(0, len(costs), length):
        window = costs[start : start + length]
        yield start + len(window) - 1, float(window.mean(dtype=np.float64))
