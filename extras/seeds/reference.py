"""Statistics over many seeds, which the gate compares a new run with: extras/seeds/reference.json.

Like MLPerf's reference convergence points, they catch a training that went wrong although it
reached its threshold. Costs are compared by their logarithms, because these are close to normally
distributed and the costs themselves are not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from common.config import Config
from common.results import Result
from common.splits import SPLITS
from support.command_line import InputError
from support.files import sha256
from support.schema import StrictModel

REFERENCE = Path("extras/seeds/reference.json")
ROOT = Path(__file__).parents[2]
MODEL_CODE = ("common/model.py", "stages/train/network.py")
MAX_Z_SCORE = 4.0
DECIMALS = 7  # so that the file has the same bytes on every processor
MIN_COST = 1e-38  # zero has no logarithm, and below this float32 loses precision


class MeanStd(StrictModel):
    """Mean and standard deviation over the seeds."""

    mean: float
    std: float

    def z_score(self, value: float) -> float:
        """Return how many standard deviations a value is above the mean."""
        difference = round(value - self.mean, DECIMALS)
        if difference and not self.std:
            return math.copysign(math.inf, difference)
        return difference / (self.std or 1)


class RunReference(StrictModel):
    """The accuracies of one run, and the logarithm of its cost, by iteration."""

    train: MeanStd
    validation: MeanStd
    test: MeanStd
    log_costs: dict[int, MeanStd]


class Reference(StrictModel):
    """The statistics of all runs, the fingerprint of their settings, and the number of seeds."""

    fingerprint: str
    seeds: int
    runs: dict[str, RunReference]


def fingerprint(config: Config) -> str:
    """Return the SHA-256 of everything that decides a result, except the seed."""
    settings = {
        "code": {name: sha256((ROOT / name).read_bytes()) for name in MODEL_CODE},
        "files": dict(config.dataset.files),
        "flatten": config.flatten.model_dump(),
        "model": config.model.model_dump(),
        "train": config.train.model_dump(exclude={"seed", "log_every_iterations"}),
        "iterations": {name: params.iterations for name, params in config.runs.items()},
    }
    return sha256(json.dumps(settings, sort_keys=True).encode())


def mean_std(values: NDArray[np.float64]) -> MeanStd:
    """Return the mean and the standard deviation of a sample, shape (seeds,)."""
    mean, std = float(values.mean()), float(values.std(ddof=1))
    return MeanStd(mean=round(mean, DECIMALS), std=round(std, DECIMALS))


def logarithms(costs: NDArray[Any]) -> NDArray[np.float64]:
    """Return the natural logarithms of costs."""
    return np.log(np.maximum(costs.astype(np.float64), MIN_COST))


def outliers(
    reference: RunReference, result: Result, costs: NDArray[np.float32]
) -> Iterator[tuple[str, float]]:
    """Yield the values of a run that are too far from the reference, and their z-scores.

    Where the costs, shape (iterations,), end early, the rest is not compared; they may be empty.
    """
    for split in SPLITS:
        value = getattr(result, split)
        z_score = getattr(reference, split).z_score(value)
        if abs(z_score) > MAX_Z_SCORE:
            yield f"{split} accuracy {value:.2%}", z_score
    for iteration, statistics in reference.log_costs.items():
        for cost in costs[iteration : iteration + 1]:
            z_score = statistics.z_score(float(logarithms(cost)))
            if abs(z_score) > MAX_Z_SCORE:
                yield f"cost {cost:.4g} of iteration {iteration}", z_score


def load_reference(config: Config) -> Reference:
    """Load the reference for these settings.

    Raises
    ------
    InputError
        If it is missing or damaged, or belongs to other settings.
    """
    try:
        reference = Reference.model_validate_json(REFERENCE.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{REFERENCE}: not found; `make seeds` makes it") from None
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise InputError(f"{REFERENCE}: damaged ({problem}); `git checkout {REFERENCE}`") from None
    if reference.fingerprint != fingerprint(config) or reference.runs.keys() != config.runs.keys():
        raise InputError(
            f"{REFERENCE}: is of another model or other settings; `make seeds` makes one for these"
        )
    return reference
