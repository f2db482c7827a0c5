"""An untrained model for the synthetic dataset, as `train` would write it."""

from pathlib import Path

import numpy as np

from common.model import ModelParams, build
from stages.train.train import save_model
from support.yaml_file import read_yaml
from tests.synthetic import DESCRIPTION, make_features

PARAMS = Path(__file__).parents[1] / "params.yaml"


def save_untrained_model(folder: Path, seed: int) -> None:
    """Write the files of a model."""
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    params = ModelParams.model_validate(read_yaml(PARAMS)["model"])
    features = make_features(1, np.random.default_rng(seed))
    save_model(folder, build(params, features, len(DESCRIPTION.classes)))
