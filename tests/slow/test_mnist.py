"""The real pipeline on the real data, in a clone of its own."""

from pathlib import Path

import pytest

from common.results import load_results
from tests.project import project_in
from tests.workspace import ROOT


@pytest.mark.slow
def test_a_new_clone_gives_the_committed_results(tmp_path: Path) -> None:
    """Byte for byte, and nothing is written outside; both runs keep the tutorial's promise."""
    clone = project_in(tmp_path / "a new")
    clone.path.mkdir()
    clone.do("git", "clone", "--quiet", str(ROOT), ".")
    clone.set_up()
    clone.do("dvc", "repro")
    assert clone.do("git", "status", "--porcelain") == ""
    assert "short: test accuracy" in clone.do("python", "-m", "commands.gate")
    results = load_results(clone.path / "metrics/accuracy.json")
    assert (results["short"].iterations, results["long"].iterations) == (1000, 10000)
    assert 0.95 <= results["short"].test < 0.975
    assert 0.97 <= results["long"].test < 0.99
    files = [path for path in clone.home.rglob("*") if path.is_file()]
    assert [path for path in files if ".cache/pip" not in path.as_posix()] == []
