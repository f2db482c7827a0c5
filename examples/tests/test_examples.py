"""Each example makes a project that runs and passes its gate."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.project import Project, project_in
from tests.workspace import ROOT

# The least test accuracy of the longest run.
EXPECTED = {"keras": 0.994, "tabular": 0.93}


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
    """The commands of its README, tests and lint; figures of examples are drawn only of images."""
    for actual, expected in project.run_document((project.path / "README.md").read_text("utf-8")):
        assert actual == expected
    assert "points to spare" in project.do("python", "-m", "commands.gate")
    results = json.loads((project.path / "metrics" / "accuracy.json").read_text())
    assert results["long"]["test"] >= EXPECTED[name]
    figures = {path.stem for path in (project.path / "plots" / "figures" / "long").iterdir()}
    assert {"cost", "confusion", "calibration"} <= figures
    assert ("mistakes" in figures) == (name == "keras")
    card = (project.path / "MODEL_CARD.md").read_text()
    assert ("MNIST" in card) == (name == "keras")
    project.do("python", "-m", "pytest", "-m", "not slow and not marathon")
    project.do("python", "-m", "pytest", "tests/stages/track/test_served_model.py")
    project.do("python", "-m", "ruff", "check", ".")
    project.do("python", "-m", "mypy", ".")
    project.do("lint-imports", "--no-cache", PYTHONPATH=".")


@pytest.mark.parametrize("name", EXPECTED)
def test_a_new_project_stands_alone(name: str, tmp_path: Path) -> None:
    """No link is dead, no job is without its subject, and no text is about other data."""
    path = tmp_path / "mine"
    subprocess.run(["make", "example", f"NAME={name}", f"DIR={path}"], cwd=ROOT, check=True)
    texts = {file: file.read_text("utf-8") for file in path.rglob("*") if file.is_file()}
    for file, text in texts.items():
        if file.suffix == ".md" and "templates" not in file.parts:
            links = re.findall(r"]\((?!https?:)([^)#]+)", text)
            assert [link for link in links if not (file.parent / link).exists()] == []
    everything = "\n".join(text for file, text in texts.items() if "tests" not in file.parts)
    assert not re.search(r"docs/|DELETED", everything)
    assert ("MNIST" in everything) == (name == "keras")
    code = set(re.findall(r"(?<![\w/])(?:common|stages|support)/[a-z_/]+[.]py", everything))
    assert [name for name in sorted(code) if not (path / name).exists()] == []


def test_examples_are_listed() -> None:
    command = ["make", "example", "NAME=other", "DIR=other"]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert f"error: NAME is one of: {' '.join(EXPECTED)}\n" in completed.stderr
