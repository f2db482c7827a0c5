"""A sweep file: which settings to search, and how."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from common.config import PARAMS, Config
from support.command_line import InputError
from support.schema import PositiveInteger, StrictModel, validate
from support.yaml_file import read_yaml

SEED = "train.seed"

Function = Literal["grid_search", "choice", "uniform", "loguniform", "randint", "lograndint"]
Arguments = Annotated[tuple[Any, ...], Field(min_length=1, strict=False)]
# Where the values of one setting come from: a function of `ray.tune`, with its arguments.
Parameter = Annotated[dict[Function, Arguments], Field(min_length=1, max_length=1)]


def is_range(function: str) -> bool:
    """Return whether a function draws numbers from a range, of which its arguments are the ends."""
    return function not in ("grid_search", "choice")


class Resources(StrictModel):
    """What one worker needs of a machine; as many workers run as fit."""

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
        """The number of combinations of the values of all grids."""
        return prod(len(one.get("grid_search", "1")) for one in self.parameters.values())

    def round_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Round drawn numbers to four significant digits, because people read and type them."""
        drawn = [name for name, (function,) in self.parameters.items() if is_range(function)]
        floats = [name for name in drawn if isinstance(values.get(name), float)]
        return {**values, **{name: float(f"{values[name]:.4g}") for name in floats}}

    def apply(self, config: Config, values: Mapping[str, Any], path: Path = PARAMS) -> Config:
        """Return `config` with some values changed, by dotted names such as ``train.seed``.

        Raises InputError, which names the file `path`, if a name or a value is impossible.
        """
        run = f"runs.{self.run}"
        # Other settings would change the data on which trials are compared.
        sections = {"model": config.model, "train": config.train, run: config.run(self.run)}
        for name, value in values.items():
            section, _, setting = name.rpartition(".")
            if section not in sections:
                expected = ", ".join(sections)
                raise InputError(f"{path}: parameters.{name}: should be a setting of {expected}")
            kind, document = type(sections[section]), sections[section].model_dump()
            changed = document | {setting: value}
            sections[section] = validate(kind, changed, path, f"parameters.{section}")
        runs = {**config.runs, self.run: sections.pop(run)}
        return config.model_copy(update={**sections, "runs": runs})


def load_sweep(path: Path, config: Config) -> Sweep:
    """Load a sweep file; raises InputError if any name or value in it is impossible."""
    if path.suffix != ".yaml":
        raise InputError(f"{path}: should be NAME.yaml, because the results go into NAME")
    sweep = validate(Sweep, read_yaml(path), path)
    if sweep.run not in config.runs:
        names = ", ".join(config.runs)
        raise InputError(f"{path}: run: no run {sweep.run!r} in {PARAMS}, there are: {names}")
    for name, parameter in sweep.parameters.items():
        ((function, arguments),) = parameter.items()
        for value in arguments:
            sweep.apply(config, {name: value}, path)
        if is_range(function) and not (len(arguments) == 2 and arguments[0] < arguments[1]):
            raise InputError(f"{path}: parameters.{name}: should be two numbers, the smaller first")
    if sweep.trials % sweep.grid_points:
        expected = f"a multiple of {sweep.grid_points}, the number of points in the grid"
        raise InputError(f"{path}: trials: is {sweep.trials}, should be {expected}")
    if sweep.seeds > 1 and SEED in sweep.parameters:
        raise InputError(f"{path}: seeds: should be 1, because {SEED} is among the parameters")
    return sweep
