"""A sweep file: which settings to search, and how."""

from collections.abc import Mapping
from itertools import chain
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from common.config import PARAMS, Config
from support.command_line import InputError
from support.schema import PositiveInteger, StrictModel, validate
from support.yaml_file import read_yaml

SEED = "train.seed"

Function = Literal["grid_search", "choice", "uniform", "loguniform", "randint", "lograndint"]
Arguments = Annotated[tuple[Any, ...], Field(min_length=1, strict=False)]


def is_range(function: str) -> bool:
    """Return whether a function draws numbers from a range, of which its arguments are the ends."""
    return function not in ("grid_search", "choice")


def _check_range(parameter: dict[Function, Arguments]) -> dict[Function, Arguments]:
    ((function, arguments),) = parameter.items()
    types = (int,) if "randint" in function else (int, float)
    if is_range(function) and not (
        [type(value) in types for value in arguments] == [True, True]
        and arguments[0] < arguments[1]
        and (arguments[0] > 0 or not function.startswith("log"))
    ):
        kind = "integers" if "randint" in function else "numbers"
        above = " above 0" if function.startswith("log") else ""
        raise ValueError(f"should be two {kind}{above}, the smaller one first")
    return parameter


# Where the values of one setting come from: a function of `ray.tune`, with its arguments.
Parameter = Annotated[
    dict[Function, Arguments],
    Field(min_length=1, max_length=1),
    AfterValidator(_check_range),
]


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
        return prod(
            len(one["grid_search"]) for one in self.parameters.values() if "grid_search" in one
        )

    def round_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Round drawn numbers to four significant digits, because people read and type them."""
        rounded = dict(values)
        for name, (function,) in self.parameters.items():
            if is_range(function) and isinstance(value := values.get(name), float):
                rounded[name] = float(f"{value:.4g}")
        return rounded

    def apply(self, config: Config, values: Mapping[str, Any], path: Path = PARAMS) -> Config:
        """Return `config` with some values changed, by dotted names such as ``train.seed``.

        Raises InputError, which names the file `path`, if a name or a value is impossible.
        """
        run = f"runs.{self.run}"
        # Other settings would change the data on which trials are compared.
        sections: dict[str, Any] = {"model": config.model, "train": config.train}
        sections[run] = config.run(self.run)
        for name, value in values.items():
            section, _, setting = name.rpartition(".")
            if section not in sections:
                expected = ", ".join(sections)
                raise InputError(f"{path}: parameters.{name}: should be a setting of {expected}")
            model, document = type(sections[section]), sections[section].model_dump()
            changed = document | {setting: value}
            sections[section] = validate(model, changed, path, ("parameters", section))
        runs = {**config.runs, self.run: sections[run]}
        changes = {"model": sections["model"], "train": sections["train"], "runs": runs}
        return config.model_copy(update=changes)


def load_sweep(path: Path, config: Config) -> Sweep:
    """Load a sweep file, which varies the settings of `config`.

    Raises InputError if any name or value in it is impossible.
    """
    if path.suffix != ".yaml":
        raise InputError(f"{path}: should be NAME.yaml, because the results go into NAME")
    sweep = validate(Sweep, read_yaml(path), path)
    if sweep.run not in config.runs:
        names = ", ".join(config.runs)
        raise InputError(f"{path}: run: no run {sweep.run!r} in {PARAMS}, there are: {names}")
    for name, parameter in sweep.parameters.items():
        for value in chain(*parameter.values()):
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
