"""The command: the page, the model card and the files of the figures."""

import math
import re
from pathlib import Path

import pytest

from common.splits import load_description
from tests.workspace import ITERATIONS, Workspace, write_fake_results

INPUTS = ("data/flat", "models", "costs", "metrics", "plots/predictions")
ARGUMENTS = (*INPUTS, "plots/figures", "plots/report.html", "MODEL_CARD.md")
PAGE, CARD = Path("plots/report.html"), Path("MODEL_CARD.md")
GENERIC = {"calibration", "confusion", "cost"}


@pytest.fixture
def evaluated(workspace: Workspace) -> Workspace:
    """Return a working directory in which two runs were evaluated; they make mistakes."""
    write_fake_results(workspace.path)
    assert workspace.run("evaluate", *INPUTS).status == 0
    return workspace


def test_a_report_of_one_run_without_images(evaluated: Workspace) -> None:
    """It has a missed threshold in words, results of as many iterations, and HTML as text."""
    path = Path("data/flat/description.json")
    description = load_description(path)
    changes = {"example_shape": (math.prod(description.feature_shape),)}
    path.write_text(description.model_copy(update=changes).model_dump_json())
    del evaluated.params["runs"]["short"]
    for leftover in ("models/short/weights.npz", "costs/short.csv"):
        Path(leftover).unlink()
    evaluated.params["runs"]["long"]["min_test_accuracy"] = 1.0
    evaluated.datasets["synthetic"]["citation"] = "<script>alert(1)</script> & so on"
    evaluated.datasets["synthetic"]["published"] = {
        ITERATIONS["long"]: {"min_test_accuracy": 0.1234},
        9999: {"min_test_accuracy": 0.5678},
    }
    assert evaluated.run("evaluate", *INPUTS).status == 0
    outcome = evaluated.run("report", *ARGUMENTS)
    assert (outcome.status, outcome.err) == (0, "")
    assert {path.stem for path in Path("plots/figures/long").iterdir()} == GENERIC
    page, card = PAGE.read_text("utf-8"), CARD.read_text("utf-8")
    assert not re.search("pixel|grey|frame", re.sub(r"<style>.*</style>", "", page + card))
    assert "✗ missed" in page
    assert "**no**" in card
    assert "12.34%" in page
    assert "12.34%" in card
    assert "56.78%" not in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; so on" in page
