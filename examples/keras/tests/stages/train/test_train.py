"""The training in Keras, in processes of its own, because TensorFlow starts only once in each."""

import sys
from pathlib import Path
from signal import SIGKILL
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.workspace import CompletedRun, Workspace, write_fake_results

TWO_DEVICES = """
import tensorflow as tf
(processor,) = tf.config.list_physical_devices("CPU")
half = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(processor, [half, half])
"""
KILL = """
import os
from stages.train.reporter import Reporter
add_value = Reporter.add_value
def add_value_and_end(self, *arguments, **options):
    add_value(self, *arguments, **options)
    os.kill(os.getpid(), 9 if self.iterations == 40 else 0)
Reporter.add_value = add_value_and_end
"""
MAIN = """
from stages.train.__main__ import main
from support.command_line import run
run(main)
"""


def train(workspace: Workspace, name: str, before: str = "", **settings: Any) -> CompletedRun:
    """Train the run `short` of the synthetic dataset, in a process that runs some code before."""
    workspace.params["runs"]["short"]["iterations"] = settings.pop("iterations")
    workspace.params["model"]["dropout"] = settings.pop("dropout")
    workspace.params["train"] |= settings
    write_fake_results(workspace.path)
    outputs = (f"models/{name}", f"costs/{name}.csv", f"curves/{name}.csv")
    return workspace.run_apart(sys.executable, "-c", before + MAIN, "short", "data/flat", *outputs)


def outputs(name: str) -> list[bytes]:
    """Return the bytes of all that a training has written."""
    files = sorted(Path("models", name).iterdir())
    files += [Path(f"costs/{name}.csv"), Path(f"curves/{name}.csv")]
    return [file.read_bytes() for file in files]


@pytest.mark.slow
def test_two_devices_compute_the_costs_of_one(workspace: Workspace) -> None:
    """Without dropout, which each device draws for its own part of a batch."""
    costs = {}
    for name, before in (("one", ""), ("two", TWO_DEVICES)):
        completed = train(workspace, name, before, iterations=100, dropout=0.0)
        assert completed.out.startswith("trains on CPU"), completed.err
        costs[name] = pd.read_csv(f"costs/{name}.csv")["cost"]
    assert len(costs["one"]) == 100
    np.testing.assert_allclose(costs["two"], costs["one"], rtol=0, atol=1e-4)


@pytest.mark.slow
def test_a_killed_training_goes_on(workspace: Workspace) -> None:
    """From its last epoch, with the costs, best weights and dropout of one that was not killed."""
    settings: dict[str, Any] = {"iterations": 50, "dropout": 0.3, "validate_every_iterations": 20}
    killed = train(workspace, "killed", KILL, **settings)
    assert killed.status == -SIGKILL, killed.err
    assert "goes on after 20 iterations" in train(workspace, "killed", **settings).out
    assert train(workspace, "whole", **settings).status == 0
    assert outputs("killed") == outputs("whole")


@pytest.mark.slow
def test_class_weights_are_one_for_each_class(workspace: Workspace) -> None:
    """A training with others ends at once; early stopping ends one that does not get better."""
    settings: dict[str, Any] = {"iterations": 60, "dropout": 0.0}
    settings |= {"validate_every_iterations": 5, "patience": 1}
    wrong = train(workspace, "wrong", class_weights=[1, 2], **settings)
    problem = "params.yaml: train.class_weights: should be none or 4 weights"
    assert (wrong.status, wrong.err.splitlines()[-1]) == (2, f"error: {problem}")
    completed = train(workspace, "weighted", class_weights=[1, 1, 2, 1], **settings)
    assert completed.status == 0, completed.err
    assert b"class weights (1.0, 1.0, 2.0, 1.0)" in outputs("weighted")[1]
    assert len(outputs("weighted")[-2].splitlines()) < 61
