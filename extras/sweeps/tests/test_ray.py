"""Real sweeps of the synthetic dataset with Ray: on one node, and on another one."""

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pandas as pd
import psutil
import pytest

from common.results import load_results
from support.yaml_file import read_yaml
from tests.project import Project
from tests.workspace import ITERATIONS, write_yaml

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not find_spec("ray"), reason="`make .venv/installed-sweeps` installs Ray"),
]

COMMAND = ("python", "-m", "extras.sweeps.sweep", "some.yaml")
RESULTS = "some/results.csv"


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
    runs = [("some", "FINISHED"), *((f"trial {number}", "FINISHED") for number in table["trial"])]
    assert project_copy.tracked_runs() == runs
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
    document |= {"run": "long", "seeds": 1, "scheduler": "asha", "validate_every_iterations": 100}
    # One worker, because each of several would be the first to reach a validation.
    document["resources"]["cpus"] = os.cpu_count()
    write_yaml(project_copy.path / "some.yaml", document)
    out = project_copy.do(*COMMAND)
    table = pd.read_csv(project_copy.path / RESULTS)
    assert list(table["status"]) == ["finished", "stopped", "stopped", "stopped"]
    assert list(table["iterations"]) == [ITERATIONS["long"], 100, 100, 100]
    assert [status for _, status in project_copy.tracked_runs()].count("KILLED") == 3
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
    assert project_copy.tracked_runs()[0] == ("some", "KILLED")
    project_copy.do(*COMMAND, "--resume")
    assert (project_copy.path / RESULTS).read_bytes() == expected
    statuses = sorted(status for _, status in project_copy.tracked_runs())
    assert statuses == ["FAILED"] * 4 + ["FINISHED"] * 5


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the address of a cluster on this machine: only its second node has a processor."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    # In /tmp, because the paths of Ray's sockets have at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        cluster.add_node(num_cpus=1)
        yield cluster.address
        cluster.shutdown()


def test_another_node_gives_the_same_results(
    project_copy: Project, document: dict[str, Any], cluster: str
) -> None:
    """A sweep on a cluster writes the bytes that a sweep on one machine writes."""
    write_yaml(project_copy.path / "some.yaml", document)
    project_copy.do(*COMMAND)
    expected = (project_copy.path / RESULTS).read_bytes()
    (project_copy.path / RESULTS).unlink()
    project_copy.do(*COMMAND, "--address", cluster)
    assert (project_copy.path / RESULTS).read_bytes() == expected
