"""What a finished pipeline leaves, in no time: nothing is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from common.arrays import save_arrays
from common.atomic import atomic_write
from common.model import ModelParams, initial_weights
from common.results import Result, save_results
from common.splits import SPLITS, Description, Split, save_description, save_split
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

EXAMPLES = dict(
    zip(
        SPLITS,
        (TRAIN_IMAGES - VALIDATION_IMAGES, VALIDATION_IMAGES, TEST_IMAGES),
        strict=True,
    )
)
DESCRIPTION = Description(
    classes=tuple(str(label) for label in range(CLASSES)),
    example_shape=SHAPE,
    feature_shape=(PIXELS,),
    feature_dtype="uint8",
    examples=EXAMPLES,
)
HIDDEN_UNITS = (8,)
WIDTHS = (PIXELS, *HIDDEN_UNITS, CLASSES)


def write_fake_results(
    path: Path,
    *,
    iterations: Mapping[str, int] = MappingProxyType(ITERATIONS),
    seed: int = 1,
    accuracy: Mapping[str, tuple[float, float]] = MappingProxyType({}),
    data: str = "",
    figures: bool = True,
) -> None:
    """Write what `dvc repro` leaves, with a dvc.lock that lists the files.

    Parameters
    ----------
    path
        The repository.
    iterations
        The runs.
    seed
        Determines every weight and cost.
    accuracy
        The validation and the test accuracy of a run, if they matter.
    data
        Determines the splits.
    figures
        Whether there are any.
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
    for name, count in EXAMPLES.items():
        images = random.integers(256, size=(count, PIXELS)).astype(np.uint8)
        labels = (np.arange(count) % CLASSES).astype(np.uint8)
        save_split(path / f"data/flat/{name}.npz", Split(images, labels), "images")
    save_description(path / "data/flat/description.json", DESCRIPTION)
    params = {"dataset": "synthetic", "flatten": {"validation_images": VALIDATION_IMAGES}}
    names = (*(f"{name}.npz" for name in SPLITS), "description.json")
    return _locked(path, params, (f"data/flat/{name}" for name in names))


def _train(path: Path, run: str, count: int, seed: int) -> dict[str, Any]:
    random = np.random.default_rng([seed, count])
    model = ModelParams(hidden_units=HIDDEN_UNITS)
    weights = initial_weights(model, (PIXELS,), CLASSES, random)
    save_arrays(path / f"models/{run}/weights.npz", weights)
    costs = (2.3 / np.sqrt(1 + np.arange(count)) + random.random(count) / 10).astype("f4")
    rows = "".join(f"{row},{cost!s}\n" for row, cost in enumerate(costs))
    atomic_write(path / f"costs/{run}.csv", f"iteration,cost\n{rows}".encode())
    params = {
        "model": {"hidden_units": list(HIDDEN_UNITS)},
        "train": {"learning_rate": 0.001, "seed": seed},
    }
    return _locked(path, params, (f"models/{run}/weights.npz", f"costs/{run}.csv"))


def _evaluate(
    path: Path, iterations: Mapping[str, int], accuracy: Mapping[str, tuple[float, float]]
) -> dict[str, Any]:
    """Write the results; the last class has no recall, because it was never an example."""
    results = {}
    per_class = "run,class,precision,recall,support\n"
    confusion = f"run,label,{','.join(map(str, range(CLASSES)))}\n"
    for run, count in iterations.items():
        validation, test = accuracy.get(run, (1 - 1 / count, 1 - 2 / count))
        results[run] = Result(
            iterations=count, train=1.0, validation=validation, test=test, min_test_accuracy=0.5
        )
        for label in range(CLASSES):
            recall = "" if label == CLASSES - 1 else 1 - label / 10
            per_class += f"{run},{label},,{recall},50\n"
            counts = ",".join("50" if column == label else "0" for column in range(CLASSES))
            confusion += f"{run},{label},{counts}\n"
        rows = "".join(f"{n},{n % CLASSES},{n % CLASSES},0.9\n" for n in range(TEST_IMAGES))
        table = f"image,label,predicted,probability\n{rows}"
        atomic_write(path / f"plots/predictions/{run}.csv", table.encode())
    save_results(path / "metrics/accuracy.json", results)
    atomic_write(path / "metrics/per_class.csv", per_class.encode())
    atomic_write(path / "metrics/confusion.csv", confusion.encode())
    names = ("accuracy.json", "per_class.csv", "confusion.csv")
    return _locked(path, {}, (f"metrics/{name}" for name in names))


def _locked(path: Path, params: dict[str, Any], outs: Iterable[str]) -> dict[str, Any]:
    """Return what dvc.lock says about a stage and the files it has written."""
    contents = {name: (path / name).read_bytes() for name in outs}
    entries = [
        {
            "path": name,
            "hash": "md5",
            "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
            "size": len(content),
        }
        for name, content in contents.items()
    ]
    return {"cmd": "none", "params": {"params.yaml": params}, "outs": entries}
