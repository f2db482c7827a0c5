"""What a sweep file says: which settings to search, and how. Checked as a whole, as params.yaml."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from common.command_line import InputError
from common.config import (
    NAME,
    PARAMS,
    Config,
    Name,
    PositiveInteger,
    StrictModel,
    TrainParams,
    read_yaml,
    validate,
)

SIGNIFICANT_DIGITS = 4
SEED = "train.seed"


class Domain(StrictModel):
    """Where the values of one setting come from: one of these.

    Attributes
    ----------
    grid
        Each of these values, in combination with each of any other grid.
    choice
        One of these values, drawn for each trial.
    uniform, log_uniform
        A number between these two, or its logarithm, drawn for each trial with equal probability:
        an integer where both are integers, otherwise of four significant digits.
    """

    grid: Annotated[tuple[Any, ...] | None, Field(min_length=1, strict=False)] = None
    choice: Annotated[tuple[Any, ...] | None, Field(min_length=1, strict=False)] = None
    uniform: Annotated[tuple[int | float, int | float] | None, Field(strict=False)] = None
    log_uniform: Annotated[tuple[int | float, int | float] | None, Field(strict=False)] = None

    @model_validator(mode="after")
    def _is_one(self) -> Domain:
        if len(self.model_fields_set) != 1 or not all(self.model_dump(exclude_unset=True).values()):
            raise ValueError("should have one of grid, choice, uniform, log_uniform")
        if self.range and self.range[0] >= self.range[1]:
            raise ValueError("should go from a smaller number to a larger one")
        if self.log_uniform and self.log_uniform[0] <= 0:
            raise ValueError("should begin above 0, for smaller numbers have no logarithm")
        return self

    @property
    def range(self) -> tuple[float, float] | None:
        """Give the smallest and the largest number, where numbers are drawn."""
        return self.uniform or self.log_uniform

    @property
    def values(self) -> tuple[Any, ...]:
        """Give all values, or the ends of the range."""
        return self.grid or self.choice or self.range or ()


class Resources(StrictModel):
    """What a worker, which trains one trial after the other, may take of a machine.

    Attributes
    ----------
    cpus
        Of its processors: how many workers there are follows from it.
    memory_megabytes
        Of its memory; how much there is limits the number of workers, too.
    """

    cpus: PositiveInteger
    memory_megabytes: PositiveInteger


class Sweep(StrictModel):
    """The whole of a sweep file.

    Attributes
    ----------
    run
        The run of params.yaml that is varied.
    parameters
        The settings that vary, named as for `dvc exp run -S`: those of `train`, and
        ``runs.<run>.iterations``. Others would change the images that trials are compared by.
    trials
        How many settings to try; a multiple of the number of points in the grid.
    seeds
        How many times each is trained; the seeds follow on that of `Train`.
    draw_seed
        What is drawn follows from it.
    scheduler
        ``none``: every trial is trained to its end. ``asha``: those whose validation accuracy is
        behind are stopped early, by asynchronous successive halving.
    validate_every_iterations
        How often the validation accuracy is measured; the first time that a trial may be stopped.
    resources
        What a worker may take.
    """

    run: Name
    parameters: Annotated[dict[str, Domain], Field(min_length=1)]
    trials: PositiveInteger
    seeds: PositiveInteger
    draw_seed: Annotated[int, Field(ge=0, lt=2**32)]
    scheduler: Literal["none", "asha"]
    validate_every_iterations: PositiveInteger
    resources: Resources

    @property
    def iterations(self) -> str:
        """Name the setting of how long the run is trained."""
        return f"runs.{self.run}.iterations"

    @property
    def grid_points(self) -> int:
        """Count the combinations of all grids' values."""
        return prod(len(domain.grid) for domain in self.parameters.values() if domain.grid)

    def values(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """Make settings of what was drawn.

        Numbers from a range get four significant digits: they are typed and read by people.
        """

        def value(name: str) -> Any:
            found, domain = drawn[name], self.parameters.get(name)
            if isinstance(found, float) and domain and domain.range:
                return float(f"{found:.{SIGNIFICANT_DIGITS}g}")
            return found

        return {name: value(name) for name in drawn}

    def applied(self, config: Config, values: Mapping[str, Any]) -> tuple[TrainParams, int]:
        """Give the settings of one trial, and its iterations.

        Raises
        ------
        ValidationError
            If a value is impossible.
        """
        changed = {
            name.removeprefix("train."): value
            for name, value in values.items()
            if name != self.iterations
        }
        train = TrainParams.model_validate(config.train.model_dump() | changed)
        iterations = values.get(self.iterations, config.run(self.run).iterations)
        run = config.run(self.run).model_dump() | {"iterations": iterations}
        return train, RunParams.model_validate(run).iterations

    def experiment(self, values: Mapping[str, Any]) -> str:
        """Give the command that makes settings an ordinary run of the pipeline."""
        changes = (f"{name}={written(values[name])}" for name in self.parameters)
        return shlex.join(
            [".venv/bin/dvc", "exp", "run", *(word for one in changes for word in ("-S", one))]
        )


def written(value: Any) -> str:
    """Write a value as in a command line."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(written, value))}]"
    return str(value)


def load(path: Path, config: Config) -> Sweep:
    """Read and check a sweep file.

    Parameters
    ----------
    path
        The file; its name is that of the sweep.
    config
        The settings that it varies.

    Raises
    ------
    InputError
        If it is missing, is not YAML, or has an unknown name, a wrong type or an impossible
        value; one line that names each.
    """
    if path.suffix != ".yaml" or not re.fullmatch(NAME, path.stem):
        raise InputError(f"{path}: should be NAME.yaml, the name of letters, digits, - and _ only")
    sweep = validate(Sweep, read_yaml(path), path, ())
    if sweep.run not in config.runs:
        raise InputError(
            f"{path}: run: no run {sweep.run!r} in {PARAMS}, there are: {', '.join(config.runs)}"
        )
    problems = [
        *(problem for name in sweep.parameters for problem in _problems(sweep, config, name)),
        *_contradictions(sweep),
    ]
    if problems:
        raise InputError(f"{path}: {'; '.join(problems)}")
    return sweep


def _problems(sweep: Sweep, config: Config, name: str) -> Iterator[str]:
    """Say what is wrong with the name of a setting or with a value that it may take."""
    known = [*(f"train.{field}" for field in TrainParams.model_fields), sweep.iterations]
    if name not in known:
        yield f"parameters.{name}: should be one of {', '.join(known)}"
        return
    for value in sweep.parameters[name].values:
        try:
            sweep.applied(config, {name: value})
        except ValidationError as error:
            message = error.errors()[0]["msg"]
            yield f"parameters.{name}: {value!r:.60} {message[message.find('should') :]}"


def _contradictions(sweep: Sweep) -> Iterator[str]:
    if sweep.trials % sweep.grid_points:
        yield (
            f"trials: is {sweep.trials}, should be a multiple of {sweep.grid_points}, "
            "the number of points in the grid"
        )
    if sweep.seeds > 1 and SEED in sweep.parameters:
        yield f"seeds: is {sweep.seeds}, should be 1 where {SEED} is among the parameters"
