"""The command that brings MLflow up to date: killed, with other machines, and under DVC."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.fake_results import write_fake_results
from tests.fixtures import Workspace
from tests.project import Project
from tests.synthetic import ITERATIONS, ROOT

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


def assert_complete(uri: str, results: int) -> None:
    """Check that each result has one run, one model and one version, and that all are complete."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("synthetic")
    assert experiment
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * results
    assert len({run.data.tags["fingerprint"] for run in runs}) == results
    versions = client.search_model_versions("name = 'synthetic'")
    assert sorted(one.run_id for one in versions) == sorted(run.info.run_id for run in runs)
    models = client.search_logged_models([experiment.experiment_id])
    assert [model.status for model in models] == ["READY"] * results
    for run in runs:
        costs = client.get_metric_history(run.info.run_id, "cost")
        assert str(len(costs)) == run.data.params["iterations"]


MOMENTS = {
    "with the run created": "SELECT 1 FROM runs WHERE name = 'long'",
    "with the model created": "SELECT 1 FROM logged_models",
    "within the costs": "SELECT 1 FROM metrics WHERE key = 'cost' AND step > 1000",
    "with the run complete": "SELECT 1 FROM tags WHERE key = 'fingerprint'",
    "with the version created": "SELECT 1 FROM model_versions",
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_after_sigkill_the_next_call_leaves_one_run(
    completed_workspace: Workspace, moment: str
) -> None:
    """No run looks finished that is not."""
    path = completed_workspace.path
    write_fake_results(path, iterations={"long": 10_000})
    process = start(path)
    with closing(sqlite3.connect(f"file:{path}/mlflow.db?mode=ro", uri=True)) as database:
        while process.poll() is None and not database.execute(moment).fetchone():
            time.sleep(0.001)
    process.kill()
    process.communicate()
    finish(start(path))
    assert_complete(f"sqlite:///{path}/mlflow.db", 1)


def test_warnings_as_errors_and_a_foreign_dvc_root_change_nothing(
    completed_workspace: Workspace,
) -> None:
    """The user's shell may have either."""
    path = completed_workspace.path
    out = finish(start(path, PYTHONWARNINGS="error", DVC_ROOT="/other/clone"))
    assert out.count("tracked as run") == len(ITERATIONS)
    assert_complete(f"sqlite:///{path}/mlflow.db", len(ITERATIONS))


def test_experiments_reach_the_repositorys_store(project: Project) -> None:
    """Those in a temporary folder, too, and in a project below a larger repository."""
    (project.path / ".git").rename(project.path.parent / ".git")
    project.do("dvc", "repro")
    project.commit()
    project.do("dvc", "exp", "run", "--temp", "--name", "temporary", "-S", "train.seed=3")
    uri = f"sqlite:///{project.path}/mlflow.db"
    assert_complete(uri, 4)
    (project.path / "mlflow.db").unlink()
    out = project.do("python", "-m", "stages.track", "--all")
    assert out.count("tracked as run") == 4
    assert "temporary: long: " in out
    assert_complete(uri, 4)
    # A relative database is the repository's, and so are the artifacts of any database.
    relative = "sqlite+pysqlite:///other.db"
    variables = {"MLFLOW_TRACKING_URI": relative}
    project.do("dvc", "exp", "run", "--temp", "-S", "train.seed=4", **variables)
    client = MlflowClient(f"sqlite:///{project.path}/other.db")
    experiment = client.get_experiment_by_name("synthetic")
    assert experiment
    assert experiment.artifact_location == (project.path / "mlartifacts").as_uri()
