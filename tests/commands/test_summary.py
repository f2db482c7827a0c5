"""The summary for a person who reviews a change."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.fixtures import ITERATIONS, Workspace

from common import results
from common.results import ACCURACY, Result


def _save(test: float) -> None:
    measured = {
        run: Result(
            iterations=iterations, train=0.75, validation=0.5, test=test, min_test_accuracy=0.4
        )
        for run, iterations in ITERATIONS.items()
    }
    results.save(ACCURACY, measured)


@pytest.fixture
def committed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Give a repository with committed results, as git and DVC know them."""
    monkeypatch.setenv("HOME", str(workspace.path))
    _save(0.5)
    stage = "stages: {a: {cmd: 'true', metrics: [metrics/accuracy.json: {cache: false}]}}\n"
    (workspace.path / "dvc.yaml").write_text(stage)
    author = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for command in (
        ["git", "init", "--quiet"],
        [sys.executable, "-m", "dvc", "init", "--quiet"],
        ["git", "add", "--all"],
        ["git", *author, "commit", "--quiet", "--message", "Results"],
    ):
        subprocess.run(command, cwd=workspace.path, check=True)
    return workspace


def test_nothing_changed(committed: Workspace) -> None:
    """The table of results, and a sentence instead of an empty table."""
    outcome = committed.run("summary")
    assert (outcome.status, outcome.err) == (0, "")
    assert "| short | 30 | 75.00% | 50.00% | **50.00%** |" in outcome.out
    assert "| long | 120 | 75.00% | 50.00% | **50.00%** |" in outcome.out
    assert "The results are those of `HEAD`." in outcome.out


def test_what_changed(committed: Workspace) -> None:
    """DVC's own table, with both values and the difference."""
    _save(0.75)
    outcome = committed.run("summary", "HEAD")
    assert (outcome.status, outcome.err) == (0, "")
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in outcome.out.splitlines()]
    assert ["metrics/accuracy.json", "long.test", "0.5", "0.75", "0.25"] in cells
    assert not any("long.train" in row for row in cells)


def test_a_revision_that_is_not_there(committed: Workspace) -> None:
    """One line with its name."""
    outcome = committed.run("summary", "nowhere")
    assert outcome.status == 1
    assert outcome.error().startswith("cannot compare with nowhere: ")


def test_no_results_yet(workspace: Workspace) -> None:
    """One line with the remedy."""
    outcome = workspace.run("summary")
    assert outcome.status == 2
    assert outcome.error() == "metrics/accuracy.json: not found; `dvc repro` makes it"
