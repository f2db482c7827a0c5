"""Real sweeps of the synthetic dataset on Ray, on one node and on two."""

from __future__ import annotations

import copy
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import psutil
import pytest
from tests.fixtures import ITERATIONS, Project, yaml
from test_search_space import DOCUMENT

pytestmark = [
    pytest.mark.skipif(not find_spec("ray"), reason="Ray is not installed; `make sweep` does"),
    pytest.mark.filterwarnings("ignore"),
]

FILE, RESULTS = "sweeps/some.yaml", "sweeps/some/results.csv"
COMMAND = ("python", "-m", "extras.sweeps.sweep", FILE)


def _describe(project: Project, **changes: Any) -> None:
    document = copy.deepcopy(DOCUMENT) | changes
    with (project.path / FILE).open("w", encoding="utf-8") as file:
        yaml().dump(document, file)


def _children(project: Project, status: str) -> list[Any]:
    client = mlflow.MlflowClient(f"sqlite:///{project.path}/mlflow.db")
    experiment = client.get_experiment_by_name("synthetic-sweeps")
    if not experiment:
        return []
    runs = client.search_runs([experiment.experiment_id], f"status = '{status}'")
    return [run for run in runs if "mlflow.parentRunId" in run.data.tags]


def _wait(condition: Callable[[], object], started: subprocess.Popen[str]) -> Any:
    """Wait until something has happened in a program that goes on."""
    while not (found := condition()):
        assert started.poll() is None, started.communicate()
        time.sleep(0.1)
    return found


def test_a_sweep_and_the_run_that_it_advises(project_copy: Project) -> None:
    """Every trial has a row and an MLflow run; the printed command reaches the best accuracy."""
    _describe(project_copy)
    out = project_copy.do(*COMMAND)
    table = pd.read_csv(project_copy.path / RESULTS)
    assert list(table["trial"]) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert {"finished"} == set(table["status"])
    assert {16, 32} == set(table["train.batch_size"])
    assert (project_copy.path / "sweeps/some/sweep.png").read_bytes().startswith(b"\x89PNG")
    children = _children(project_copy, "FINISHED")
    assert sorted(table["validation"]) == sorted(
        child.data.metrics["accuracy_validation"] for child in children
    )
    assert {"synthetic-train", "synthetic-validation"} == {
        given.dataset.name for given in children[0].inputs.dataset_inputs
    }
    assert not list(project_copy.home.rglob("*"))

    project_copy.do("git", "add", "--all")
    project_copy.do("git", "commit", "--quiet", "--message", "Results")
    program, *words = shlex.split(out.splitlines()[-1])
    assert program == ".venv/bin/dvc"
    project_copy.do("dvc", *words)
    measured = json.loads((project_copy.path / "metrics/accuracy.json").read_text())["short"][
        "validation"
    ]
    config = yaml().load(project_copy.path / "params.yaml")["train"]
    searched = ["learning_rate", "batch_size", "seed"]
    rows = table.set_index([f"train.{name}" for name in searched])["validation"]
    assert rows[*(config[name] for name in searched)] == measured


def test_what_is_behind_is_stopped_early(project_copy: Project) -> None:
    """With asha hopeless settings end at the first validation, and the best gets to its end."""
    rates = {"train.learning_rate": {"grid": [0.01, 1e-6, 1e-7, 1e-8]}}
    # One worker: of several each would be the first to get somewhere, and not be behind.
    alone = {"cpus": os.cpu_count(), "memory_megabytes": 100}
    _describe(project_copy, seeds=1, parameters=rates, scheduler="asha", resources=alone)
    out = project_copy.do(*COMMAND)
    table = pd.read_csv(project_copy.path / RESULTS)
    assert list(table["status"]) == ["finished", "stopped", "stopped", "stopped"]
    first = DOCUMENT["validate_every_iterations"]
    assert [ITERATIONS["short"], first, first, first] == list(table["iterations"])
    assert (len(_children(project_copy, "FINISHED")), len(_children(project_copy, "KILLED"))) == (
        1,
        3,
    )
    assert out.endswith("dvc exp run -S train.learning_rate=0.01\n")


def test_a_killed_worker_and_an_interrupt(project_copy: Project) -> None:
    """Another worker takes over; Ctrl-C keeps what has finished, and --resume gives the same."""
    _describe(project_copy, trials=2, parameters={"train.learning_rate": {"grid": [0.001, 1e38]}})
    project_copy.do(*COMMAND)
    expected = (project_copy.path / RESULTS).read_bytes()
    assert {"finished", "failed"} == set(pd.read_csv(project_copy.path / RESULTS)["status"])
    (project_copy.path / RESULTS).unlink()

    before = len(_children(project_copy, "FINISHED"))
    with project_copy.start(*COMMAND) as started:
        _wait(
            lambda: (
                _children(project_copy, "RUNNING")
                or len(_children(project_copy, "FINISHED")) > before
            ),
            started,
        )
        for process in psutil.Process(started.pid).children(recursive=True):
            if "Trainable" in process.name() or "Worker" in process.name():
                process.kill()
                break
        started.communicate()
    assert started.returncode == 0
    assert expected == (project_copy.path / RESULTS).read_bytes()

    with project_copy.start(*COMMAND) as started:
        _wait(lambda: len(_children(project_copy, "FINISHED")) > before + 2, started)
        os.kill(started.pid, signal.SIGINT)
        _, err = started.communicate()
    assert (started.returncode, err) == (130, "error: interrupted\n")
    project_copy.do(*COMMAND, "--resume")
    assert expected == (project_copy.path / RESULTS).read_bytes()


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[str]:
    """Give the address of two nodes of Ray on this machine, each with one processor."""
    folder = tempfile.mkdtemp(prefix="ray-")  # short, for Ray's sockets are in it
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    start = [sys.executable, "-m", "ray.scripts.scripts", "start", "--num-cpus", "1", "--block"]
    head = ["--head", "--port", "6399", "--include-dashboard=false", "--temp-dir", folder]
    started = []
    for arguments in (head, ["--address", "127.0.0.1:6399"]):
        output = (tmp_path / f"{len(started)}.log").open("w")
        started.append(
            subprocess.Popen([*start, *arguments], env=environment, stdout=output, stderr=output)
        )
        while "Ray runtime started" not in (tmp_path / f"{len(started) - 1}.log").read_text():
            assert started[-1].poll() is None
            time.sleep(0.1)
    yield "127.0.0.1:6399"
    for process in reversed(started):
        process.terminate()
        process.wait()
    shutil.rmtree(folder)


def test_two_nodes_give_the_same(project_copy: Project, nodes: str) -> None:
    """Both nodes train, and the bytes are those of one machine's own sweep."""
    widths = {"choice": [[16], [32, 8]]}
    _describe(
        project_copy, trials=16, parameters=DOCUMENT["parameters"] | {"train.hidden_units": widths}
    )
    assert "train.hidden_units=[" in project_copy.do(*COMMAND)
    expected = (project_copy.path / RESULTS).read_bytes()
    known = {child.info.run_id for child in _children(project_copy, "FINISHED")}
    outcome = project_copy.run(*COMMAND, "--address", nodes, RAY_AUTH_MODE="disabled")
    assert outcome.status == 0, outcome.out + outcome.err
    assert expected == (project_copy.path / RESULTS).read_bytes()
    added = [run for run in _children(project_copy, "FINISHED") if run.info.run_id not in known]
    assert len({run.data.tags["node"] for run in added}) == 2


def test_replicates_on_ray_give_the_same(project_copy: Project) -> None:
    """The rows are the same bytes in the same order, in one process or in two."""
    replicates = ("python", "-m", "extras.seeds.replicates", "data/flat")
    project_copy.edit("params.yaml", "seeds: 30", "seeds: 3")
    project_copy.do(*replicates, "plain.csv")
    project_copy.do(*replicates, "ray.csv", "--ray")
    assert (project_copy.path / "plain.csv").read_bytes() == (
        project_copy.path / "ray.csv"
    ).read_bytes()
