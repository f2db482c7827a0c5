"""The files of a finished pipeline, made at once: nothing is trained."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from common.arrays import save_arrays
from common.model import ModelParams, Weights, initial_weights
from common.results import Result, save_results
from common.splits import SPLITS
from support.files import atomic_write
from tests.settings import ITERATIONS, synthetic_params, write_yaml
from tests.synthetic import DESCRIPTION, make_features

LABELS = range(len(DESCRIPTION.classes))
Accuracies = Mapping[str, tuple[float, float]]


def make_model() -> ModelParams:
    """Return the section `model` of the project's params.yaml."""
    return ModelParams.model_validate(synthetic_params()["model"])


def make_weights(seed: int) -> Weights:
    """Return the initial weights of the project's model for the synthetic dataset."""
    random = np.random.default_rng(seed)
    return initial_weights(make_model(), make_features(50, random), len(LABELS), random)


def write_fake_results(
    path: Path,
    *,
    iterations: Mapping[str, int] = MappingProxyType(ITERATIONS),
    seed: int = 1,
    accuracy: Accuracies = MappingProxyType({}),
    threshold: float = 0.5,
) -> None:
    """Write what `dvc repro` leaves; `accuracy` has those of validation and test, by run."""
    fetch = _locked(path, {"dataset": synthetic_params()["dataset"]})
    stages = {"fetch": fetch, "flatten": _flatten(path)}
    for run, count in iterations.items():
        stages[f"train@{run}"] = _train(path, run, count, seed)
    stages["evaluate"] = _evaluate(path, iterations, accuracy, threshold)
    write_yaml(path / "dvc.lock", {"schema": "2.0", "stages": stages})


def _flatten(path: Path) -> dict[str, Any]:
    random = np.random.default_rng(0)
    for name, count in DESCRIPTION.examples.items():
        labels = (np.arange(count) % len(LABELS)).astype(np.uint8)
        arrays = {"features": make_features(count, random), "labels": labels}
        save_arrays(path / f"data/flat/{name}.npz", arrays)
    (path / "data/flat/description.json").write_text(DESCRIPTION.model_dump_json())
    return _locked(path, {"flatten": synthetic_params()["flatten"]}, "data/flat")


def _train(path: Path, run: str, count: int, seed: int) -> dict[str, Any]:
    save_arrays(path / f"models/{run}/weights.npz", make_weights(seed + count))
    costs = 2.3 / np.sqrt(1 + np.arange(count)) + np.random.default_rng(seed).random(count) / 10
    rows = "".join(f"{row},{cost!s}\n" for row, cost in enumerate(costs.astype(np.float32)))
    atomic_write(path / f"costs/{run}.csv", b"iteration,cost\n" + rows.encode())
    params = {"model": synthetic_params()["model"], "train": {"seed": seed}}
    return _locked(path, params, f"models/{run}", f"costs/{run}.csv")


def _evaluate(
    path: Path, iterations: Mapping[str, int], accuracy: Accuracies, threshold: float
) -> dict[str, Any]:
    """Write results in which the last class has no recall, and none has a precision."""
    results = {}
    per_class = "run,class,precision,recall,support\n"
    for run, count in iterations.items():
        measured = (1.0, *accuracy.get(run, (1 - 1 / count, 1 - 2 / count)))
        of_splits = dict(zip(SPLITS, measured, strict=True))
        results[run] = Result(iterations=count, min_test_accuracy=threshold, **of_splits)
        for label in LABELS:
            per_class += f"{run},{label},,{'' if label == LABELS[-1] else 1 - label / 10},50\n"
    save_results(path / "metrics/accuracy.json", results)
    atomic_write(path / "metrics/per_class.csv", per_class.encode())
    return _locked(path, {}, "metrics/accuracy.json", "metrics/per_class.csv")


def _locked(path: Path, params: dict[str, Any], *outs: str) -> dict[str, Any]:
    """Return what dvc.lock says about a stage and the files it has written."""
    entries = []
    for name in outs:
        files = sorted((path / name).glob("*")) or [path / name]
        content = b"".join(file.read_bytes() for file in files)
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        entries.append({"path": name, "hash": "md5", "md5": md5})
    return {"cmd": "none", "params": {"params.yaml": params}, "outs": entries}
