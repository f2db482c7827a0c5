"""Each example makes a project that runs and passes its gate."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.project import Project, project_in
from tests.workspace import ROOT

# The least test accuracy of the longest run.
EXPECTED = {"cnn": 0.988, "tabular": 0.93}


@pytest.fixture
def project(name: str, tmp_path: Path) -> Project:
    """Make a new project of an example, with the packages that are installed already."""
    project = project_in(tmp_path)
    subprocess.run(["make", "example", f"NAME={name}", f"DIR={project.path}"], cwd=ROOT, check=True)
    project.do("git", "init", "--quiet")
    project.set_up()
    return project


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_runs_and_passes_its_gate(project: Project, name: str) -> None:
    """All stages run, tests and lint pass; figures of examples are drawn only of images."""
    project.do("dvc", "repro")
    assert "points to spare" in project.do("python", "-m", "commands.gate")
    results = json.loads((project.path / "metrics" / "accuracy.json").read_text())
    assert results["long"]["test"] >= EXPECTED[name]
    figures = {path.stem for path in (project.path / "plots" / "figures" / "long").iterdir()}
    assert {"cost", "confusion", "calibration"} <= figures
    assert ("mistakes" in figures) == (name == "cnn")
    card = (project.path / "MODEL_CARD.md").read_text()
    assert ("MNIST" in card) == (name == "cnn")
    project.do("python", "-m", "pytest", "-m", "not slow and not marathon", "tests")
    project.do("python", "-m", "ruff", "check", ".")
    project.do("python", "-m", "mypy", ".")
