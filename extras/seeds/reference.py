"""Statistics over many seeds, which the gate compares a new run with: extras/seeds/reference.json.

Like MLPerf's reference convergence points, they catch a training that went wrong although it
reached its threshold. Costs are compared by their logarithms, because these are close to normally
distributed and the costs themselves are not.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator

from common.config import Config
from common.results import Result
from common.splits import SPLITS
from support.schema import StrictModel, load_json

REFERENCE = Path("extras/seeds/reference.json")
ROOT = Path(__file__).parents[2]
# These settings change no result.
IRRELEVANT = {"log_every_iterations", "validate_every_iterations", "checkpoint_every_seconds"}
MODEL_CODE = ("common/model.py", "stages/train/network.py")
MIN_COST = 1e-38  # zero has no logarithm, and below this float32 loses precision
MIN_STD = 1e-7  # where all seeds agree
# To digits that are the same on every processor.
Rounded = Annotated[float, AfterValidator(lambda value: round(value, 7))]


class MeanStd(StrictModel):
    """Mean and standard deviation over the seeds."""

    mean: Rounded
    std: Rounded

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Self:
        """Return the mean and the standard deviation of a sample, shape (seeds,)."""
        return cls(mean=float(values.mean()), std=float(values.std(ddof=1)))

    def z_score(self, value: float) -> float:
        """Return how many standard deviations a value is above the mean."""
        return (value - self.mean) / max(self.std, MIN_STD)


class RunReference(StrictModel):
    """The statistics of one run: its accuracies, and the logarithm of its cost, by iteration."""

    fingerprint: str
    train: MeanStd
    validation: MeanStd
    test: MeanStd
    lowest_test: float
    miss_probability: Rounded  # that another seed misses the threshold
    log_costs: dict[int, MeanStd]


class Reference(StrictModel):
    """The number of seeds, and the statistics of each run."""

    seeds: int
    runs: dict[str, RunReference]

    def find(self, config: Config, name: str) -> RunReference | None:
        """Return the statistics of a run, unless they are of other settings or another model."""
        run = self.runs.get(name)
        return run if run and run.fingerprint == fingerprint(config, name) else None


def load_reference() -> Reference:
    """Load the statistics, which are of no run before the first `make seeds`."""
    return load_json(Reference, REFERENCE) if REFERENCE.exists() else Reference(seeds=0, runs={})


def fingerprint(config: Config, name: str) -> str:
    """Return the SHA-256 of everything that decides the result of a run, except the seed."""
    settings = {
        "code": [hashlib.sha256((ROOT / file).read_bytes()).hexdigest() for file in MODEL_CODE],
        "files": dict(config.dataset.files),
        "flatten": config.flatten.model_dump(),
        "model": config.model.model_dump(),
        "train": config.train.model_dump(exclude=IRRELEVANT | {"seed"}),
        "iterations": config.run(name).iterations,
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def logarithms(costs: Any) -> NDArray[np.float64]:
    """Return the natural logarithms of costs."""
    return np.log(np.maximum(np.asarray(costs, np.float64), MIN_COST))


def z_scores(
    reference: RunReference, result: Result, costs: NDArray[np.float32]
) -> Iterator[tuple[str, float]]:
    """Yield the values of a run, and their z-scores; costs, shape (iterations,), may end early."""
    for split in SPLITS:
        value = getattr(result, split)
        yield f"{split} accuracy {value:.2%}", getattr(reference, split).z_score(value)
    for iteration, statistics in reference.log_costs.items():
        for cost in costs[iteration : iteration + 1]:
            z_score = statistics.z_score(float(logarithms(cost)))
            yield f"cost {cost:.4g} of iteration {iteration}", z_score
