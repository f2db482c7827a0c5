"""Trainings in progress are shown in MLflow."""

from pathlib import Path

import mlflow
import pytest

from stages.track.follow import Follower
from support.trainings import begin_training
from tests.workspace import ITERATIONS, Workspace

# MLflow's libraries warn about each other.
pytestmark = pytest.mark.filterwarnings("ignore")
COSTS, CURVES = Path("new.csv"), Path("new-curves.csv")


def _runs(workspace: Workspace) -> dict[str, mlflow.entities.Run]:
    client = mlflow.MlflowClient(f"sqlite:///{workspace.path}/mlflow.db")
    experiments = [one.experiment_id for one in client.search_experiments()]
    return {str(run.info.run_name): run for run in client.search_runs(experiments)}


def test_a_training_is_seen_while_it_runs_and_ends_with_it(finished: Workspace) -> None:
    """What it appends is added; a line that is not complete waits for the next time.

    The next training of the same run has the same files.
    """
    follower = Follower()
    name = "long (training)"
    with begin_training("long", "synthetic", COSTS, CURVES) as training:
        COSTS.write_text("iteration,cost\n0,2.5\n1,1.")
        CURVES.write_text("iteration,name,value\n")
        follower.update()
        Follower().update()  # another process does nothing
        assert _runs(finished)[name].info.status == "RUNNING"
        assert _runs(finished)[name].data.metrics == {"cost": 2.5}
        COSTS.write_text("iteration,cost\n0,2.5\n1,1.5\n")
        CURVES.write_text("iteration,name,value\n2,validation accuracy,0.75\n")
        training.add_time(2)
        follower.update()
        assert _runs(finished)[name].data.metrics == {"cost": 1.5, "validation accuracy": 0.75}
    follower.update()
    assert _runs(finished)[name].info.status == "KILLED"
    client = mlflow.MlflowClient(f"sqlite:///{finished.path}/mlflow.db")
    client.delete_run(_runs(finished)[name].info.run_id)
    with begin_training("long", "synthetic", COSTS, CURVES):
        COSTS.write_text("iteration,cost\n0,2.25\n")  # shorter than what it replaces
        CURVES.write_text("iteration,name,value\n1,top-5 (%),0.5\n")
        follower.update()
        assert _runs(finished)[name].data.metrics == {"cost": 2.25, "top-5 ___": 0.5}
    assert finished.run("track").status == 0
    statuses = {name: run.info.status for name, run in _runs(finished).items()}
    assert statuses == dict.fromkeys(ITERATIONS, "FINISHED") | {name: "KILLED"}
