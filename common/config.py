"""All settings, checked as a whole before any work is done; params.yaml explains each.

ADAPT: to add a setting, add a field here, or in common/model.py if it is one of the model or its
training, and a value in params.yaml.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from common.datasets import DATASETS, DatasetSpec, load_datasets
from common.model import ModelParams, TrainParams
from support.command_line import InputError
from support.schema import Fraction, Name, PositiveInteger, StrictModel, validate
from support.yaml_file import read_yaml

PARAMS = Path("params.yaml")

Seed = Annotated[int, Field(ge=0)]


class FlattenParams(StrictModel):
    """How the examples are split."""

    validation_examples: PositiveInteger


class ReportParams(StrictModel):
    """The figures of the report."""

    grid_seed: Seed
    smoothing_iterations: PositiveInteger
    calibration_bins: PositiveInteger


class RunParams(StrictModel):
    """One run: how long it is trained, and the test accuracy it must reach."""

    iterations: Annotated[int, Field(gt=0, lt=1 << 31)]
    min_test_accuracy: Fraction


class Config(StrictModel):
    """The settings of all stages: params.yaml, with the dataset that it names."""

    dataset: DatasetSpec
    flatten: FlattenParams
    model: ModelParams
    train: TrainParams
    report: ReportParams
    runs: Annotated[dict[Name, RunParams], Field(min_length=1)]

    def run(self, name: str) -> RunParams:
        """Return a run by its name; raises InputError if there is none."""
        if name not in self.runs:
            raise InputError(f"{PARAMS}: runs: no run {name!r}, there are: {', '.join(self.runs)}")
        return self.runs[name]


def load_config() -> Config:
    """Load and check params.yaml and datasets.yaml from the working directory.

    Raises InputError if either is missing, is not YAML, or has an unknown name, a wrong type or an
    impossible value; one line names each.
    """
    params, datasets = read_yaml(PARAMS), load_datasets()
    if "dataset" in params:
        name = params["dataset"]
        if name not in list(datasets):  # a list, because a wrong name may not be hashable
            names = ", ".join(datasets)
            raise InputError(f"{PARAMS}: dataset: {name!r} is not in {DATASETS}: {names}")
        params["dataset"] = datasets[name]
    return validate(Config, params, PARAMS)
