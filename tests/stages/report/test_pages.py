"""The table of results, and templates."""

from __future__ import annotations

import math

import pytest
from tests.fixtures import TEST_IMAGES, Workspace
from jinja2 import UndefinedError

from common.command_line import InputError
from common.config import load_config
from common.results import Result
from stages.report import pages, tutorial

SHORT = Result(iterations=1000, train=0.5, validation=0.4, test=0.3, min_test_accuracy=0.3)
LONG = Result(iterations=10000, train=1.0, validation=0.9, test=0.8, min_test_accuracy=0.81)


def test_rows(workspace: Workspace) -> None:
    """A row a run, in the order of params.yaml; a threshold that is just reached is met."""
    assert (workspace.path / "params.yaml").exists()
    short, long = pages.rows(load_config(), {"long": LONG, "short": SHORT})
    assert [short.run, long.run] == ["short", "long"]
    assert [short.is_met, long.is_met] == [True, False]
    low, high = short.interval
    assert low < 0.3 < high
    assert 2 * 1.96 * math.sqrt(0.3 * 0.7 / TEST_IMAGES) == pytest.approx(high - low, rel=0.02)


@pytest.mark.parametrize("name", ["synthetic", tutorial.DATASET])
def test_the_tutorial_stands_beside_its_own_dataset_alone(workspace: Workspace, name: str) -> None:
    """Its figures say nothing about other images, or about other lengths of training."""
    workspace.datasets = {name: workspace.datasets["synthetic"]}
    workspace.params["dataset"] = name
    workspace.write()
    other = SHORT.model_copy(update={"iterations": 999})
    short, long = pages.rows(load_config(), {"short": SHORT, "long": other})
    expected = tutorial.FIGURES[1000] if name == tutorial.DATASET else None
    assert (expected, None) == (short.tutorial, long.tutorial)


def test_a_run_without_a_result(workspace: Workspace) -> None:
    """It is named, with the remedy."""
    assert (workspace.path / "params.yaml").exists()
    with pytest.raises(InputError, match=r"accuracy\.json: has no run 'long'; `dvc repro`"):
        list(pages.rows(load_config(), {"short": SHORT}))


def test_a_name_that_is_not_given_is_an_error() -> None:
    """Nothing is left out in silence."""
    with pytest.raises(UndefinedError, match="rows"):
        pages.render("results.md", {})


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [(0.9571, "95.71%"), (1.0, "100.00%"), (None, "\N{EN DASH}"), (math.nan, "\N{EN DASH}")],
)
def test_percent(fraction: float | None, shown: str) -> None:
    """Two digits after the point, and a dash where there is no number."""
    assert shown == pages._percent(fraction)
