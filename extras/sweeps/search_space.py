"""A sweep file: which settings to search, and how."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, RootModel, model_validator

from common.command_line import InputError
from common.config import PARAMS, Config
from common.schema import NAME_PATTERN, PositiveInteger, StrictModel, validate
from common.yaml_file import read_yaml

SEED = "train.seed"
SIGNIFICANT_DIGITS = 4

Function = Literal["grid_search", "choice", "uniform", "loguniform", "randint", "lograndint"]
Arguments = Annotated[tuple[Any, ...], Field(min_length=1, strict=False)]
OneFunction = Annotated[dict[Function, Arguments], Field(min_length=1, max_length=1)]


class Parameter(RootModel[OneFunction]):
    """Where the values of one setting come from: a function of `ray.tune`, with its arguments."""

    @property
    def function(self) -> str:
        """The name of the function."""
        return next(iter(self.root))

    @property
    def arguments(self) -> tuple[Any, ...]:
        """All values, or the two ends of a range."""
        return next(iter(self.root.values()))

    @property
    def is_range(self) -> bool:
        """Whether a number between two others is drawn."""
        return self.function not in ("grid_search", "choice")

    @model_validator(mode="after")
    def _check_range(self) -> Parameter:
        types = (int,) if "randint" in self.function else (int, float)
        if self.is_range and not (
            [type(value) in types for value in self.arguments] == [True, True]
            and self.arguments[0] < self.arguments[1]
            and (self.arguments[0] > 0 or not self.function.startswith("log"))
        ):
            kind = "integers" if "randint" in self.function else "numbers"
            above = " above 0" if self.function.startswith("log") else ""
            raise ValueError(f"should be two {kind}{above}, the smaller one first")
        return self


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
        grids = (one.arguments for one in self.parameters.values() if one.function == "grid_search")
        return prod(map(len, grids))

    def round_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Round drawn numbers to four significant digits, because people read and type them."""
        rounded = dict(values)
        for name, parameter in self.parameters.items():
            if parameter.is_range and isinstance(value := values.get(name), float):
                rounded[name] = float(f"{value:.{SIGNIFICANT_DIGITS}g}")
        return rounded

    def apply(self, config: Config, values: Mapping[str, Any], path: Path = PARAMS) -> Config:
        """Return the settings of one trial: `config` with some values, by their dotted names.

        Raises InputError, which names the file `path`, if a name or a value is impossible.
        """
        run = f"runs.{self.run}"
        sections = {"model": config.model, "train": config.train, run: config.run(self.run)}
        documents = {name: section.model_dump() for name, section in sections.items()}
        for name, value in values.items():
            section, _, setting = name.rpartition(".")
            if section not in sections:
                # Other settings would change the data that trials are compared by.
                expected = ", ".join(sections)
                raise InputError(f"{path}: parameters.{name}: should be a setting of {expected}")
            documents[section][setting] = value
        changed: dict[str, Any] = {
            name: validate(type(section), documents[name], path, ("parameters", name))
            for name, section in sections.items()
        }
        runs = {**config.runs, self.run: changed[run]}
        return replace(config, model=changed["model"], train=changed["train"], runs=runs)

    def command(self, values: Mapping[str, Any]) -> str:
        """Return the command that makes an ordinary run of the pipeline with some settings."""
        changes = [word for name in self.parameters for word in ("-S", f"{name}={values[name]}")]
        return shlex.join([".venv/bin/dvc", "exp", "run", *changes])


def load_sweep(path: Path, config: Config) -> Sweep:
    """Load a sweep file, which varies the settings of `config`.

    Raises InputError if any name or value in it is impossible.
    """
    if path.suffix != ".yaml" or not re.fullmatch(NAME_PATTERN, path.stem):
        raise InputError(f"{path}: should be NAME.yaml, the name of letters, digits, - and _ only")
    sweep = validate(Sweep, read_yaml(path), path)
    if sweep.run not in config.runs:
        names = ", ".join(config.runs)
        raise InputError(f"{path}: run: no run {sweep.run!r} in {PARAMS}, there are: {names}")
    for name, parameter in sweep.parameters.items():
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
