"""The command that brings MLflow up to date: killed, and under DVC."""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.fixtures import ITERATIONS, ROOT, Project, Workspace, write_fake_results
from tests.stages.track.test_mlflow_store import Pages

# MLflow's libraries warn about each other.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def start(folder: Path, **variables: str) -> subprocess.Popen[str]:
    """Start `python -m stages.track` in a folder."""
    inherited = {name: value for name, value in os.environ.items() if "MLFLOW" not in name}
    return subprocess.Popen(
        [sys.executable, "-m", "stages.track"],
        env=inherited | {"PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"} | variables,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for what must succeed, and return what it printed."""
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    return out


MOMENTS = {
    "with the run created": "SELECT 1 FROM runs WHERE name = 'long'",
    "with the model created": "SELECT 1 FROM logged_models",
    "within the costs": "SELECT 1 FROM metrics WHERE key = 'cost' AND step > 1000",
    "with the run complete": "SELECT 1 FROM tags WHERE key = 'fingerprint'",
    "with the version created": "SELECT 1 FROM model_versions",
}


@pytest.mark.fault
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_after_sigkill_the_next_call_leaves_one_run(
    completed_workspace: Workspace, moment: str
) -> None:
    path = completed_workspace.path
    write_fake_results(path, iterations={"long": 10_000})
    process = start(path)
    with closing(sqlite3.connect(f"file:{path}/mlflow.db?mode=ro", uri=True)) as database:
        while process.poll() is None and not database.execute(moment).fetchone():
            time.sleep(0.001)
    process.kill()
    process.communicate()
    finish(start(path))
    Pages(f"sqlite:///{path}/mlflow.db").assert_complete(1)


def test_warnings_as_errors_and_a_foreign_dvc_root_change_nothing(
    completed_workspace: Workspace,
) -> None:
    path = completed_workspace.path
    out = finish(start(path, PYTHONWARNINGS="error", DVC_ROOT="/other/clone"))
    assert out.count("tracked as run") == len(ITERATIONS)
    Pages(f"sqlite:///{path}/mlflow.db").assert_complete(len(ITERATIONS))


def test_experiments_reach_the_repositorys_store(project: Project) -> None:
    """Those in a temporary folder, too, and in a project below a larger repository."""
    (project.path / ".git").rename(project.path.parent / ".git")
    project.do("dvc", "repro")
    project.commit()
    project.do("dvc", "exp", "run", "--temp", "--name", "temporary", "-S", "train.seed=3")
    pages = Pages(f"sqlite:///{project.path}/mlflow.db")
    pages.assert_complete(4)
    (project.path / "mlflow.db").unlink()
    out = project.do("python", "-m", "stages.track", "--all")
    assert out.count("tracked as run") == 4
    assert "temporary: long: " in out
    pages.assert_complete(4)
    # A relative database is the repository's, and so are the artifacts of any database.
    variables = {"MLFLOW_TRACKING_URI": "sqlite+pysqlite:///other.db"}
    project.do("dvc", "exp", "run", "--temp", "-S", "train.seed=4", **variables)
    client = Pages(f"sqlite:///{project.path}/other.db").client
    experiment = client.get_experiment_by_name("synthetic")
    assert experiment
    assert experiment.artifact_location == (project.path / "mlartifacts").as_uri()
