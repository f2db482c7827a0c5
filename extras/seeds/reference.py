"""What runs with many seeds have reached: extras/seeds/reference.json.

Made once of many trainings (`make replicates`), it tells of a new one whether it is of the same
kind: after the example of MLPerf's reference convergence points. A batch cost is far from normally
distributed and its logarithm is close to it, so costs are compared by their logarithms.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from common.atomic import atomic_write, sha256
from common.command_line import InputError
from common.config import Config, RunParams, StrictModel
from common.results import Result

REFERENCE = Path("extras/seeds/reference.json")
EVERY_ITERATIONS = 100
TOLERATED_DEVIATIONS = 4.0
Part = Literal["train", "validation", "test"]
ACCURACIES: tuple[Part, ...] = get_args(Part)
# A cost of zero has no logarithm; below this float32 has no full precision.
SMALLEST_COST = 1e-38


class Spread(StrictModel):
    """Mean and standard deviation over the seeds."""

    mean: float
    deviation: float

    def distance(self, value: float) -> float:
        """Give how many deviations a value is above the mean; infinitely many if none spread."""
        if self.deviation == 0:
            return 0.0 if value == self.mean else float(np.copysign(np.inf, value - self.mean))
        return (value - self.mean) / self.deviation


class RunReference(StrictModel):
    """What a run has reached: accuracies, and the logarithm of the cost at each iteration."""

    accuracies: Annotated[dict[Part, Spread], Field(min_length=len(ACCURACIES))]
    log_costs: Annotated[dict[Annotated[int, Field(ge=0)], Spread], Field(min_length=1)]


class Reference(StrictModel):
    """What all runs have reached.

    Attributes
    ----------
    digest
        Of the settings that it was made with.
    seeds
        How many trainings it is made of.
    """

    digest: str
    seeds: Annotated[int, Field(ge=2)]
    runs: dict[str, RunReference]

    def fits(self, runs: Mapping[str, RunParams]) -> bool:
        """Tell whether it speaks of these runs, and of no iteration that they do not have."""
        return self.runs.keys() == runs.keys() and all(
            max(known.log_costs) < runs[name].iterations for name, known in self.runs.items()
        )


def digest(settings: Config) -> str:
    """Give the SHA-256 of all settings that a result follows from, but the seed."""
    train = settings.train.model_dump(exclude={"seed", "log_every_iterations"})
    followed = {
        "files": {name: file.sha256 for name, file in settings.dataset.files.items()},
        "flatten": settings.flatten.model_dump(),
        "train": train,
        "iterations": {name: run.iterations for name, run in settings.runs.items()},
    }
    return sha256(json.dumps(followed, sort_keys=True).encode())


def spread(values: Sequence[float] | NDArray[np.float64]) -> Spread:
    """Summarise values of several seeds; the deviation is that of the population they stand for.

    Rounded, so that a file of it is the same on every processor.
    """
    return Spread(
        mean=round(float(np.mean(values)), 7), deviation=round(float(np.std(values, ddof=1)), 7)
    )


def logarithms(costs: NDArray[Any]) -> NDArray[np.float64]:
    """Take the logarithm of costs."""
    return np.log(np.maximum(costs.astype(np.float64), SMALLEST_COST))


def outliers(
    reference: RunReference, result: Result, costs: NDArray[np.float32] | None
) -> Iterator[str]:
    """Say what of a run is not of the kind of its reference: worse, or too good to be true.

    Parameters
    ----------
    reference
        What the run has reached with many seeds.
    result
        The accuracies of the run at hand.
    costs : ndarray of float32, shape (iterations,), or None
        Its costs; None where they are not at hand.
    """
    for part, known in reference.accuracies.items():
        value = getattr(result, part)
        if abs(known.distance(value)) > TOLERATED_DEVIATIONS:
            yield (
                f"{part} accuracy {value:.2%} is {known.distance(value):+.1f} deviations from "
                f"{known.mean:.2%}"
            )
    if costs is None:
        return
    for iteration, known in reference.log_costs.items():
        value = float(logarithms(costs[iteration]))
        if not abs(known.distance(value)) <= TOLERATED_DEVIATIONS:
            yield (
                f"cost {np.exp(value):.4g} of iteration {iteration} is "
                f"{known.distance(value):+.1f} deviations from {np.exp(known.mean):.4g}"
            )


def save(path: Path, reference: Reference) -> None:
    """Write the reference."""
    atomic_write(path, json.dumps(reference.model_dump(), indent=1).encode() + b"\n")


def load(path: Path) -> Reference:
    """Read the reference.

    Raises
    ------
    InputError
        If the file is missing, or is not what `save` writes.
    """
    try:
        return Reference.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: not found; `make replicates` makes it") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"{part}: " for part in first["loc"])
        raise InputError(f"{path}: {place}{first['msg']}; `git checkout {path}`") from None
