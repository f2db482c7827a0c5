"""A project whose models have learnt nothing: their predictions have the right form."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from common.arrays import save_arrays
from common.splits import Description
from extras.handwriting.demo import TEST
from extras.handwriting.predictor import DESCRIPTION
from tests.workspace import ROOT


@pytest.fixture(scope="session")
def untrained_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project with the settings of this one, random weights and a dozen test images."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("params.yaml", "datasets.yaml"):
        shutil.copy(ROOT / name, folder)
    random = np.random.default_rng(1)
    for run in ("short", "long"):
        weights = {"W1": random.normal(0, 1, (784, 10)), "b1": np.zeros(10)}
        save_arrays(folder / f"models/{run}/weights.npz", weights)
    images = random.integers(0, 256, (12, 784), np.uint8)
    save_arrays(folder / TEST, {"images": images, "labels": random.integers(0, 10, 12)})
    description = Description(
        classes=tuple("0123456789"),
        example_shape=(28, 28),
        feature_shape=(784,),
        feature_dtype="uint8",
        examples={"train": 1, "validation": 1, "test": 12},
    )
    (folder / DESCRIPTION).write_text(description.model_dump_json())
    return folder
