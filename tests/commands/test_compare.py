"""The table of experiments."""

from typing import Any

import pytest
from rich.console import Console

from commands.compare import table
from tests.project import Project
from tests.workspace import Workspace

SETTINGS = {"train.seed": 1, "train.learning_rate": 0.001, "report.grid_seed": 1}
TESTS = {"long.test": 0.977, "long.train": 0.99, "short.test": 0.96}


def _row(experiment: str | None, state: str | None, **changes: Any) -> dict[str, Any]:
    names = {"Experiment": experiment, "rev": "main", "State": state}
    kind = "branch_commit" if experiment else "baseline"
    return names | {"typ": kind} | TESTS | SETTINGS | changes


def test_a_table_has_the_settings_that_differ_and_the_accuracies_of_what_is_complete() -> None:
    """DVC shows those of the commit for an experiment that is not."""
    baseline = _row(None, None)
    del baseline["train.seed"]  # an earlier commit may lack a setting
    rows = [
        baseline,
        _row("fast", "Success", **{"train.learning_rate": 0.01, "long.test": 0.98123456}),
        _row("broken", "Failed"),
        _row("next", "Queued"),
    ]
    console = Console(width=120)
    with console.capture() as capture:
        console.print(table(rows, {"train", "report"}))
    lines = [line.rstrip() for line in capture.get().splitlines() if line.strip(" \u2500")]
    titles, *cells = [line.split() for line in lines]
    settings = ["train.learning_rate", "train.seed"]
    assert titles == ["commit", "or", "experiment", *settings, "long.test", "short.test"]
    assert cells == [
        ["main", "0.001", "0.977", "0.96"],
        ["fast", "0.01", "1", "0.981235", "0.96"],
        ["broken", "(failed)", "0.001", "1"],
        ["next", "(queued)", "0.001", "1"],
    ]
    indents = [len(line) - len(line.lstrip()) for line in lines]
    assert indents == [indents[0], indents[0], *[indents[0] + 2] * 3]


@pytest.mark.parametrize("commits", [0, -1])
def test_at_least_one_commit_is_listed(workspace: Workspace, commits: int) -> None:
    completed = workspace.run("commands.compare", f"--commits={commits}")
    expected = f"--commits: is {commits}, should be at least 1"
    assert (completed.status, completed.error()) == (2, expected)


def test_without_experiments_commits_are_listed(project_copy: Project) -> None:
    """With the accuracies of both runs, and no setting, because all have the same."""
    lines = project_copy.do("python", "-m", "commands.compare").splitlines()
    (titles,) = (line for line in lines if "experiment" in line)
    (commit,) = (line for line in lines if "main" in line or "master" in line)
    assert titles.split() == ["commit", "or", "experiment", "short.test", "long.test"]
    assert all(0.0 <= float(accuracy) <= 1.0 for accuracy in commit.split()[1:])
