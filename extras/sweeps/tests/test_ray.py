"""Real sweeps of the synthetic dataset with Ray: on one node, and on another one."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import psutil
import pytest

from common.results import load_results
from common.yaml_file import read_yaml
from tests.fixtures import ITERATIONS, Project, write_yaml

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not find_spec("ray"), reason="`make sweep` installs Ray"),
    pytest.mark.filterwarnings("ignore"),  # of MLflow's libraries
]

COMMAND = ("python", "-m", "extras.sweeps.sweep", "some.yaml")
RESULTS = "some/results.csv"


def _runs(project: Project) -> Counter[tuple[str, str]]:
    """Count the runs in MLflow by their kind and their status."""
    client = mlflow.MlflowClient(f"sqlite:///{project.path}/mlflow.db")
    experiment = client.get_experiment_by_name("synthetic-sweeps")
    return Counter(
        ("trial" if "mlflow.parentRunId" in run.data.tags else "sweep", run.info.status)
        for run in client.search_runs([experiment.experiment_id])
    )


def test_the_printed_command_makes_the_best_trial_again(
    project_copy: Project, document: dict[str, Any]
) -> None:
    """Every trial has a row and an MLflow run; an ordinary run of the pipeline has its accuracy."""
    document["parameters"]["model.hidden_units"] = {"choice": [[16], [32, 8]]}
    write_yaml(project_copy.path / "some.yaml", document)
    command = project_copy.do(*COMMAND).splitlines()[-1]
    table = pd.read_csv(project_copy.path / RESULTS)
    assert list(table["trial"]) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert set(table["status"]) == {"finished"}
    assert _runs(project_copy) == {("sweep", "FINISHED"): 1, ("trial", "FINISHED"): 8}
    assert not list(project_copy.home.rglob("*"))

    project_copy.commit()
    program, *words = shlex.split(command)
    assert program == ".venv/bin/dvc"
    project_copy.do("dvc", *words)
    params = read_yaml(project_copy.path / "params.yaml")
    names = ["learning_rate", "batch_size", "seed"]
    trials = table.set_index([f"train.{name}" for name in names])
    trial = trials.loc[*(params["train"][name] for name in names)]
    assert trial["model.hidden_units"] == str(params["model"]["hidden_units"])
    results = load_results(project_copy.path / "metrics/accuracy.json")
    assert trial["validation"] == results["short"].validation


def test_asha_stops_what_is_behind(project_copy: Project, document: dict[str, Any]) -> None:
    """Hopeless settings end at the first validation, and the best one reaches its end."""
    document["parameters"] = {"train.learning_rate": {"grid_search": [0.01, 1e-6, 1e-7, 1e-8]}}
    # One worker, because each of several would be the first to reach a validation.
    document |= {"resources": {"cpus": os.cpu_count(), "memory_megabytes": 100}}
    write_yaml(project_copy.path / "some.yaml", document | {"seeds": 1, "scheduler": "asha"})
    out = project_copy.do(*COMMAND)
    table = pd.read_csv(project_copy.path / RESULTS)
    assert list(table["status"]) == ["finished", "stopped", "stopped", "stopped"]
    assert list(table["iterations"]) == [ITERATIONS["short"], 10, 10, 10]
    assert _runs(project_copy)["trial", "KILLED"] == 3
    assert out.endswith("dvc exp run -S train.learning_rate=0.01\n")


def _wait_for_first_trial(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    while not (line := process.stdout.readline()).startswith("trial "):
        assert line, process.communicate()


def test_a_killed_worker_and_an_interrupt_change_no_result(
    project_copy: Project, document: dict[str, Any]
) -> None:
    """Another worker takes over; Ctrl+C keeps finished trials, and --resume runs the rest."""
    document["parameters"] = {
        "train.learning_rate": {"grid_search": [0.001, 1e38]},
        "runs.short.iterations": {"choice": [20000]},
    }
    document |= {"trials": 4, "validate_every_iterations": 1000}
    write_yaml(project_copy.path / "some.yaml", document)
    project_copy.do(*COMMAND)
    expected = (project_copy.path / RESULTS).read_bytes()
    assert set(pd.read_csv(project_copy.path / RESULTS)["status"]) == {"finished", "failed"}

    with project_copy.start(*COMMAND) as process:
        _wait_for_first_trial(process)
        children = psutil.Process(process.pid).children(recursive=True)
        # A trial that is only about to start would not be tried again.
        next(child for child in children if ".train" in child.name()).kill()
        process.communicate()
    assert process.returncode == 0
    assert (project_copy.path / RESULTS).read_bytes() == expected

    with project_copy.start(*COMMAND) as process:
        _wait_for_first_trial(process)
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate()
    assert (process.returncode, err) == (130, "error: interrupted\n")
    assert _runs(project_copy)["sweep", "KILLED"] == 1
    project_copy.do(*COMMAND, "--resume")
    assert (project_copy.path / RESULTS).read_bytes() == expected
    assert _runs(project_copy) == {
        ("sweep", "FINISHED"): 1,
        ("trial", "FINISHED"): 4,
        ("trial", "FAILED"): 4,
    }


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """Return the address of a cluster on this machine: only its second node has a processor."""
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # short, because Ray's sockets are in it
    variables = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    address, nodes = "127.0.0.1:6399", []
    head = ["--head", "--num-cpus=0", "--port=6399", "--include-dashboard=false"]
    for options in ([*head, "--temp-dir", folder], ["--num-cpus=1", "--address", address]):
        log = tmp_path / f"{len(nodes)}.log"
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *options]
        with log.open("w") as file:
            nodes.append(subprocess.Popen(command, env=variables, stdout=file, stderr=file))
        while "Ray runtime started" not in log.read_text():
            assert nodes[-1].poll() is None, log.read_text()
            time.sleep(0.1)
    yield address
    for node in reversed(nodes):
        node.terminate()
        node.wait()
    shutil.rmtree(folder)


def test_another_node_gives_the_same_results(
    project_copy: Project, document: dict[str, Any], cluster: str
) -> None:
    """A sweep on a cluster writes the bytes that a sweep on one machine writes."""
    write_yaml(project_copy.path / "some.yaml", document)
    project_copy.do(*COMMAND)
    expected = (project_copy.path / RESULTS).read_bytes()
    (project_copy.path / RESULTS).unlink()
    project_copy.do(*COMMAND, "--address", cluster, RAY_AUTH_MODE="disabled")
    assert (project_copy.path / RESULTS).read_bytes() == expected
