"""An untrained model for the synthetic dataset, as `train` would write it.

ADAPT: for another kind of model, replace this file.
"""

from pathlib import Path

import numpy as np

from common.arrays import save_arrays
from common.model import ModelParams, Weights, initial_weights
from support.yaml_file import read_yaml
from tests.synthetic import DESCRIPTION, make_features

PARAMS = Path(__file__).parents[1] / "params.yaml"


def make_model() -> ModelParams:
    """Return the section `model` of the project's params.yaml."""
    return ModelParams.model_validate(read_yaml(PARAMS)["model"])


def make_weights(seed: int) -> Weights:
    """Return the initial weights of the project's model for the synthetic dataset."""
    random = np.random.default_rng(seed)
    features = make_features(50, random)
    return initial_weights(make_model(), features, len(DESCRIPTION.classes), random)


def save_untrained_model(folder: Path, seed: int) -> None:
    """Write the files of a model."""
    save_arrays(folder / "weights.npz", make_weights(seed))
