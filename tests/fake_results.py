"""The files of a finished pipeline, made at once: nothing is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from common.arrays import save_arrays
from common.atomic import atomic_write
from common.model import ModelParams, initial_weights
from common.results import Result, save_results
from common.splits import SPLITS, Description, Split, save_description, save_split
from stages.train.__main__ import save_costs
from tests.synthetic import (
    CLASSES,
    ITERATIONS,
    PIXELS,
    SHAPE,
    TEST_IMAGES,
    TRAIN_IMAGES,
    VALIDATION_IMAGES,
    write_yaml,
)

IMAGES = (TRAIN_IMAGES - VALIDATION_IMAGES, VALIDATION_IMAGES, TEST_IMAGES)
DESCRIPTION = Description(
    classes=tuple(str(label) for label in range(CLASSES)),
    example_shape=SHAPE,
    feature_shape=(PIXELS,),
    feature_dtype="uint8",
    examples=dict(zip(SPLITS, IMAGES, strict=True)),
)
MODEL = ModelParams(hidden_units=(8,))
WIDTHS = (PIXELS, *MODEL.hidden_units, CLASSES)


def write_fake_results(
    path: Path,
    *,
    iterations: Mapping[str, int] = MappingProxyType(ITERATIONS),
    seed: int = 1,
    accuracy: Mapping[str, tuple[float, float]] = MappingProxyType({}),
    data: str = "",
    figures: bool = True,
) -> None:
    """Write what `dvc repro` leaves in a repository, with a dvc.lock that lists the files.

    `iterations` are the runs, `seed` determines their weights and costs, `data` the splits;
    `accuracy` is the validation and the test accuracy of a run, if they matter.
    """
    stages = {"flatten": _flatten(path, data)}
    for run, count in iterations.items():
        stages[f"train@{run}"] = _train(path, run, count, seed)
    stages["evaluate"] = _evaluate(path, iterations, accuracy)
    write_yaml(path / "dvc.lock", {"schema": "2.0", "stages": stages})
    for name in ("cost.png", *(f"{run}/confusion.png" for run in iterations)) if figures else ():
        atomic_write(path / "plots/figures" / name, f"a figure: {name}".encode())


def _flatten(path: Path, data: str) -> dict[str, Any]:
    random = np.random.default_rng(list(data.encode()))
    for name, count in DESCRIPTION.examples.items():
        images = random.integers(256, size=(count, PIXELS)).astype(np.uint8)
        labels = (np.arange(count) % CLASSES).astype(np.uint8)
        save_split(path / f"data/flat/{name}.npz", Split(images, labels), "images")
    save_description(path / "data/flat/description.json", DESCRIPTION)
    params = {"dataset": "synthetic", "flatten": {"validation_examples": VALIDATION_IMAGES}}
    names = (*(f"{name}.npz" for name in SPLITS), "description.json")
    return _locked(path, params, *(f"data/flat/{name}" for name in names))


def _train(path: Path, run: str, count: int, seed: int) -> dict[str, Any]:
    random = np.random.default_rng([seed, count])
    weights = initial_weights(MODEL, np.zeros((1, PIXELS), np.uint8), CLASSES, random)
    save_arrays(path / f"models/{run}/weights.npz", weights)
    costs = 2.3 / np.sqrt(1 + np.arange(count)) + random.random(count) / 10
    save_costs(path / f"costs/{run}.csv", costs.astype(np.float32))
    params = {"model": {"hidden_units": [8]}, "train": {"learning_rate": 0.001, "seed": seed}}
    return _locked(path, params, f"models/{run}/weights.npz", f"costs/{run}.csv")


def _evaluate(
    path: Path, iterations: Mapping[str, int], accuracy: Mapping[str, tuple[float, float]]
) -> dict[str, Any]:
    """Write results in which the last class has no recall, and none has a precision."""
    results = {}
    per_class = "run,class,precision,recall,support\n"
    confusion = f"run,label,{','.join(DESCRIPTION.classes)}\n"
    for run, count in iterations.items():
        validation, test = accuracy.get(run, (1 - 1 / count, 1 - 2 / count))
        results[run] = Result(
            iterations=count, train=1.0, validation=validation, test=test, min_test_accuracy=0.5
        )
        for label in range(CLASSES):
            per_class += f"{run},{label},,{'' if label == CLASSES - 1 else 1 - label / 10},50\n"
            counts = (50 * np.eye(CLASSES, dtype=int))[label]
            confusion += f"{run},{label},{','.join(map(str, counts))}\n"
        rows = "".join(f"{n},{n % CLASSES},{n % CLASSES},0.9\n" for n in range(TEST_IMAGES))
        table = f"image,label,predicted,probability\n{rows}"
        atomic_write(path / f"plots/predictions/{run}.csv", table.encode())
    save_results(path / "metrics/accuracy.json", results)
    atomic_write(path / "metrics/per_class.csv", per_class.encode())
    atomic_write(path / "metrics/confusion.csv", confusion.encode())
    return _locked(path, {}, "metrics/accuracy.json", "metrics/per_class.csv")


def _locked(path: Path, params: dict[str, Any], *outs: str) -> dict[str, Any]:
    """Return what dvc.lock says about a stage and the files it has written."""
    entries = []
    for name in outs:
        md5 = hashlib.md5((path / name).read_bytes(), usedforsecurity=False).hexdigest()
        entries.append({"path": name, "hash": "md5", "md5": md5})
    return {"cmd": "none", "params": {"params.yaml": params}, "outs": entries}
