"""A sweep file: which settings to search, and how."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from common.command_line import InputError
from common.config import PARAMS, Config
from common.schema import NAME_PATTERN, AnyModel, PositiveInteger, StrictModel, validate
from common.yaml_file import read_yaml

SEED = "train.seed"
SIGNIFICANT_DIGITS = 4

Values = Annotated[tuple[Any, ...] | None, Field(min_length=1, strict=False)]
Numbers = Annotated[tuple[float, float] | None, Field(strict=False)]
Integers = Annotated[tuple[int, int] | None, Field(strict=False)]


class Parameter(StrictModel):
    """Where the values of one setting come from: a function of `ray.tune`, with its arguments.

    References
    ----------
    https://docs.ray.io/en/latest/tune/api/search_space.html
    """

    grid_search: Values = None
    choice: Values = None
    uniform: Numbers = None
    loguniform: Numbers = None
    randint: Integers = None
    lograndint: Integers = None

    @model_validator(mode="before")
    @classmethod
    def _check_function(cls, document: Any) -> Any:
        arguments = [*document.items()] if isinstance(document, dict) else []
        if len(arguments) != 1 or arguments[0][0] not in cls.model_fields or not arguments[0][1]:
            raise ValueError(f"should have one of {', '.join(cls.model_fields)}")
        return document

    @model_validator(mode="after")
    def _check_range(self) -> Parameter:
        if self.is_range and self.arguments[0] >= self.arguments[1]:
            raise ValueError("should go from a smaller number to a larger one")
        if self.function.startswith("log") and self.arguments[0] <= 0:
            raise ValueError("should begin above 0")
        return self

    @property
    def function(self) -> str:
        """The name of the function."""
        return next(iter(self.model_fields_set))

    @property
    def arguments(self) -> tuple[Any, ...]:
        """All values, or the two ends of a range."""
        return tuple(getattr(self, self.function))

    @property
    def is_range(self) -> bool:
        """Whether a number between two others is drawn."""
        return self.function not in ("grid_search", "choice")


class Resources(StrictModel):
    """What one worker may use of a machine; there are as many workers as fit."""

    cpus: PositiveInteger
    memory_megabytes: PositiveInteger


class Sweep(StrictModel):
    """The content of a sweep file; README.md describes each name."""

    run: str
    parameters: Annotated[dict[str, Parameter], Field(min_length=1)]
    trials: PositiveInteger
    seeds: PositiveInteger
    draw_seed: Annotated[int, Field(ge=0, lt=2**32)]
    scheduler: Literal["none", "asha"]
    validate_every_iterations: PositiveInteger
    resources: Resources

    @property
    def grid_points(self) -> int:
        """The number of combinations of all grids' values."""
        return prod(len(parameter.grid_search or "1") for parameter in self.parameters.values())

    def round_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Round drawn numbers to four significant digits, because people read and type them."""
        ranges = {name for name, parameter in self.parameters.items() if parameter.is_range}
        return {
            name: float(f"{value:.{SIGNIFICANT_DIGITS}g}")
            if name in ranges and isinstance(value, float)
            else value
            for name, value in values.items()
        }

    def apply(self, config: Config, values: Mapping[str, Any], path: Path = PARAMS) -> Config:
        """Return the settings of one trial.

        Parameters
        ----------
        config
            Where all other settings come from.
        values
            Settings by their names, such as ``train.learning_rate``.
        path
            The file that an `InputError` names if a value is impossible.
        """
        run = config.run(self.run)
        return replace(
            config,
            model=_change(config.model, "model", values, path),
            train=_change(config.train, "train", values, path),
            runs={**config.runs, self.run: _change(run, f"runs.{self.run}", values, path)},
        )

    def command(self, values: Mapping[str, Any]) -> str:
        """Return the command that makes an ordinary run of the pipeline with some settings."""
        changes = [word for name in self.parameters for word in ("-S", f"{name}={values[name]}")]
        return shlex.join([".venv/bin/dvc", "exp", "run", *changes])


def _change(params: AnyModel, section: str, values: Mapping[str, Any], path: Path) -> AnyModel:
    document = params.model_dump()
    for name, value in values.items():
        if name.startswith(f"{section}."):
            document[name.removeprefix(f"{section}.")] = value
    return validate(type(params), document, path, ("parameters", section))


def load_sweep(path: Path, config: Config) -> Sweep:
    """Load and check a sweep file.

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
        value.
    """
    if path.suffix != ".yaml" or not re.fullmatch(NAME_PATTERN, path.stem):
        raise InputError(f"{path}: should be NAME.yaml, the name of letters, digits, - and _ only")
    sweep = validate(Sweep, read_yaml(path), path)
    if sweep.run not in config.runs:
        raise InputError(
            f"{path}: run: no run {sweep.run!r} in {PARAMS}, there are: {', '.join(config.runs)}"
        )
    for name, parameter in sweep.parameters.items():
        _check_name(name, sweep, config, path)
        for value in parameter.arguments:
            sweep.apply(config, {name: value}, path)
    if sweep.trials % sweep.grid_points:
        raise InputError(
            f"{path}: trials: is {sweep.trials}, should be a multiple of {sweep.grid_points}, "
            "the number of points in the grid"
        )
    if sweep.seeds > 1 and SEED in sweep.parameters:
        raise InputError(
            f"{path}: seeds: is {sweep.seeds}, should be 1 because {SEED} is among the parameters"
        )
    return sweep


def _check_name(name: str, sweep: Sweep, config: Config, path: Path) -> None:
    # Settings of other sections would change the data that trials are compared by.
    known = [
        *(f"model.{field}" for field in type(config.model).model_fields),
        *(f"train.{field}" for field in type(config.train).model_fields),
        f"runs.{sweep.run}.iterations",
    ]
    if name not in known:
        similar = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {similar[0]}?" if similar else f"should be one of {', '.join(known)}"
        raise InputError(f"{path}: parameters.{name}: unknown name, {hint}")
