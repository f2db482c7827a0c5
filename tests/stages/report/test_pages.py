"""The table of results, and the templates."""

from __future__ import annotations

import math

import pytest
from jinja2 import UndefinedError

from common.command_line import InputError
from common.config import load_config
from common.results import Result
from stages.report import pages
from tests.fixtures import Workspace

SHORT = Result(iterations=1000, train=0.5, validation=0.4, test=0.3, min_test_accuracy=0.3)
LONG = Result(iterations=10000, train=1.0, validation=0.9, test=0.8, min_test_accuracy=0.81)


def test_there_is_one_row_per_run_in_the_order_of_params(workspace: Workspace) -> None:
    """A threshold that is just reached is met; published results are of as many iterations."""
    workspace.datasets["synthetic"]["published"] = {1000: {"min_test_accuracy": 0.25}}
    workspace.write()
    short, long = pages.rows(load_config(), {"long": LONG, "short": SHORT}, 200)
    assert [short.run, long.run] == ["short", "long"]
    assert [short.is_met, long.is_met] == [True, False]
    assert short.published is not None
    assert long.published is None


@pytest.mark.usefixtures("workspace")
def test_a_run_without_a_result_is_an_error() -> None:
    """It is named, with the remedy."""
    with pytest.raises(InputError, match=r"accuracy\.json: has no run 'long'; `dvc repro`"):
        pages.rows(load_config(), {"short": SHORT}, 200)


def test_a_missing_name_in_a_template_is_an_error() -> None:
    """Nothing is left out silently."""
    with pytest.raises(UndefinedError, match="data"):
        pages.render("model_card.md", {})


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0.9571, "95.71%"), (1.0, "100.00%"), (None, "\N{EN DASH}"), (math.nan, "\N{EN DASH}")],
)
def test_percentages_have_two_decimals(fraction: float | None, expected: str) -> None:
    """A dash stands for a value that does not exist."""
    assert pages.percent(fraction) == expected
