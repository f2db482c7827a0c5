"""What other stages and MLflow know about a model, whatever it is made of."""

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest

from common import model
from common.model import Model
from common.splits import load_split
from common.tables import load_csv
from tests.project import Project
from tests.synthetic import DESCRIPTION
from tests.workspace import ITERATIONS


def test_the_file_imports_its_packages_and_nothing_of_the_project() -> None:
    """MLflow serves it with these packages alone; one may need another, as Keras does."""
    imports = set()
    for node in ast.walk(ast.parse(Path(model.__file__).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imports |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imports.add(str(node.module).partition(".")[0])
    distributions = packages_distributions()
    packages = {distributions[name][0] for name in imports - sys.stdlib_module_names}
    assert packages <= set(model.PACKAGES)


@pytest.mark.parametrize("run", ITERATIONS)
def test_what_train_saves_is_loaded(completed_project: Project, run: str) -> None:
    """As in the other process that has evaluated it, and in parts as in a whole."""
    path = completed_project.path
    loaded = Model.load(path / "models" / run)
    features = load_split(path / "data/flat/test.npz").features
    probabilities = loaded.probabilities(features)
    assert probabilities.shape == (len(features), len(DESCRIPTION.classes))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert probabilities.min() >= 0
    columns = {"predicted": "int64", "probability": "float64"}
    evaluated = load_csv(path / f"plots/predictions/{run}.csv", columns)
    assert evaluated["predicted"].to_list() == probabilities.argmax(axis=1).tolist()
    np.testing.assert_allclose(evaluated["probability"], probabilities.max(axis=1), atol=1e-6)
    for part in (slice(0), slice(1), slice(7, 9)):
        actual = loaded.probabilities(features[part])
        np.testing.assert_allclose(actual, probabilities[part], rtol=1e-6)


def test_its_architecture_is_one_phrase(completed_project: Project) -> None:
    """The model card completes it to a sentence."""
    phrase = Model.load(completed_project.path / "models/long").architecture
    assert phrase.isprintable()
    assert phrase.strip(" .") == phrase != ""
