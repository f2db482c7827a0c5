"""The table of experiments."""

from tests.project import Project


def test_without_experiments_commits_are_listed(project_copy: Project) -> None:
    """With the accuracies of both runs, and no setting, because all have the same."""
    table = project_copy.do("python", "-m", "commands.compare").splitlines()
    (titles,) = (line for line in table if "experiment" in line)
    (commit,) = (line for line in table if "main" in line or "master" in line)
    assert titles.split() == ["commit", "or", "experiment", "short.test", "long.test"]
    assert all(0.0 <= float(accuracy) <= 1.0 for accuracy in commit.split()[1:])
