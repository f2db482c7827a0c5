"""The real pipeline on the real data, in a clone of its own."""

import pytest

from common.results import load_results
from tests.fixtures import ROOT, Project, project_in

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Clone the last commit into a path with a space, and run all of it."""
    project = project_in(tmp_path_factory.mktemp("a new"))
    project.path.mkdir()
    project.do("git", "clone", "--quiet", str(ROOT), ".")
    project.set_up()
    project.do("dvc", "repro")
    return project


def test_a_new_clone_gives_the_committed_results(clone: Project) -> None:
    """Byte for byte, and nothing is written outside; both runs keep the tutorial's promise."""
    assert clone.do("git", "status", "--porcelain") == ""
    assert "short: test accuracy" in clone.do("python", "-m", "commands.gate")
    results = load_results(clone.path / "metrics/accuracy.json")
    assert (results["short"].iterations, results["long"].iterations) == (1000, 10000)
    assert 0.95 <= results["short"].test < 0.975
    assert 0.97 <= results["long"].test < 0.99
    files = [path for path in clone.home.rglob("*") if path.is_file()]
    assert [path for path in files if ".cache/pip" not in path.as_posix()] == []
