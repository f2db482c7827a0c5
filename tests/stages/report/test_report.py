"""The command: the page, the model card and the files of the figures."""

import math
import re
from pathlib import Path

from common.splits import load_description
from tests.workspace import ITERATIONS, Workspace, write_fake_results

INPUTS = ("data/flat", "models", "costs", "curves", "metrics", "plots/predictions")
OUTPUTS = ("plots/figures", "plots/report.html", "MODEL_CARD.md")


def test_a_report_of_one_run_without_images(workspace: Workspace) -> None:
    """It has a missed threshold in words, results of as many iterations, and HTML as text."""
    write_fake_results(workspace.path, iterations={"long": ITERATIONS["long"]})
    path = Path("data/flat/description.json")
    description = load_description(path)
    changes = {"example_shape": (math.prod(description.feature_shape),)}
    path.write_text(description.model_copy(update=changes).model_dump_json())
    workspace.params["runs"] = {
        "long": workspace.params["runs"]["long"] | {"min_test_accuracy": 1.0}
    }
    workspace.datasets["synthetic"]["citation"] = "<script>alert(1)</script> & so on"
    workspace.datasets["synthetic"]["published"] = [
        {"iterations": ITERATIONS["long"], "min_test_accuracy": 0.1234},
        {"iterations": 9999, "min_test_accuracy": 0.5678},
    ]
    assert (
        workspace.run("evaluate", "data/flat", "models", "metrics", "plots/predictions").status == 0
    )
    outcome = workspace.run("report", *INPUTS, *OUTPUTS)
    assert (outcome.status, outcome.err) == (0, "")
    figures = {str(path) for path in Path("plots/figures").glob("**/*.png")}
    names = ("costs", "long/calibration", "long/confusion", "long/cost", "long/curves")
    assert figures == {f"plots/figures/{name}.png" for name in names}
    page, card = (Path(path).read_text("utf-8") for path in OUTPUTS[1:])
    assert not re.search("pixel|grey|frame", re.sub(r"<style>.*</style>", "", page + card))
    assert "✗ missed" in page
    assert "**no**" in card
    assert "12.34%" in page
    assert "12.34%" in card
    assert "56.78%" not in page
    assert '<th scope="row">dataset</th><td class="text">synthetic</td>' in page
    assert '<th scope="row">runs.long.min_test_accuracy</th><td class="text">1.0</td>' in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; so on" in page
