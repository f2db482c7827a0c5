"""The guide to adapting the project says what works."""

import re

import pytest

from tests.project import Project
from tests.workspace import ROOT

GUIDE = (ROOT / "docs/adapting.md").read_text("utf-8")
DIFFS = re.findall(r"^```diff\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


def test_each_section_fits_on_a_screen() -> None:
    sections = re.split(r"^#+ ", GUIDE, flags=re.MULTILINE)
    assert max(section.count("\n") for section in sections) <= 50


@pytest.mark.slow
@pytest.mark.parametrize("diff", DIFFS, ids=["dropout", "schedule", "decay", "early stopping"])
def test_a_change_of_the_training_applies_and_trains(project_copy: Project, diff: str) -> None:
    """As the guide prints it, in at most twenty changed lines; twice, it gives the same weights."""
    assert len(re.findall(r"^[+-](?![+-])", diff, re.MULTILINE)) <= 20
    (project_copy.temporary / "change.diff").write_text(diff, "utf-8")
    project_copy.do("git", "apply", str(project_copy.temporary / "change.diff"))
    project_copy.edit(
        "params.yaml", "validate_every_iterations: 1000", "validate_every_iterations: 20"
    )
    weights = project_copy.path / "models/long/weights.npz"
    before = weights.read_bytes()
    project_copy.do("dvc", "repro", "train@long")
    assert (trained := weights.read_bytes()) != before
    project_copy.do("dvc", "repro", "--force", "train@long")
    assert weights.read_bytes() == trained
