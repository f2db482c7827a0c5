"""The command that trains, and what it refuses."""

import shutil
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.train import __main__ as command
from stages.train.batches import batches
from support.command_line import CommandError
from tests.fixtures import CompletedRun, Workspace, make_weights, write_fake_results

EMULATOR = "qemu-x86_64"


def train(workspace: Workspace, run: str) -> CompletedRun:
    """Run the stage; weights and costs go to a new folder."""
    return workspace.run("train", run, "data/flat", "new/weights.npz", "new/costs.csv")


@given(examples=st.integers(1, 50), batch_size=st.integers(1, 60), seed=st.integers(0, 9))
def test_every_epoch_has_every_example_once(examples: int, batch_size: int, seed: int) -> None:
    """The batches, one after the other, are permutations, one after the other."""
    epochs = 3
    endless = batches(examples, batch_size, np.random.default_rng(seed))
    first = list(islice(endless, -(-epochs * examples // batch_size)))
    assert {(batch.shape, batch.dtype.name) for batch in first} == {((batch_size,), "int32")}
    for epoch in np.concatenate(first)[: epochs * examples].reshape(epochs, examples):
        assert sorted(epoch) == list(range(examples))


@pytest.mark.fault
def test_a_diverged_training_is_stopped() -> None:
    """The first iteration or the weights that are not finite are named, and what to change."""
    command.check_costs(0, np.array([0, np.finfo(np.float32).max], np.float32))
    for wrong in (np.inf, -np.inf, np.nan):
        problem = f"^iteration 101: the batch cost is {wrong}; try a smaller train.learning_rate"
        with pytest.raises(CommandError, match=problem):
            command.check_costs(100, np.array([1, wrong, 2, np.nan], np.float32))
        with pytest.raises(CommandError, match=r"^after the last iteration a is not finite; try"):
            command.check_weights({"a": np.array([1, wrong], np.float32)})


def test_costs_come_back_to_the_last_digit(tmp_path: Path) -> None:
    """One row per iteration, from 0; each cost is the same float32 when it is read."""
    bits = np.random.default_rng(0).integers(0x7F7FFFFF, size=1000).astype(np.uint32)
    costs = bits.view(np.float32)
    command.save_costs(tmp_path / "costs.csv", costs)
    header, *rows = (line.split(",") for line in (tmp_path / "costs.csv").read_text().splitlines())
    assert header == ["iteration", "cost"]
    assert [int(row[0]) for row in rows] == list(range(len(costs)))
    np.testing.assert_array_equal(np.array([row[1] for row in rows], np.float32), costs)


@pytest.mark.parametrize(
    ("run", "problem"),
    [
        ("lang", "params.yaml: runs: no run 'lang', there are: short, long"),
        ("long", "data/flat/train.npz: not found; `dvc repro` makes it"),
    ],
)
def test_wrong_input_is_reported_early(workspace: Workspace, run: str, problem: str) -> None:
    """Before TensorFlow starts."""
    write_fake_results(workspace.path)
    Path("data/flat/train.npz").unlink()
    before = set(sys.modules)
    completed = train(workspace, run)
    assert (completed.status, completed.error()) == (2, problem)
    assert not {"tensorflow", "stages.train.trainer"} & (set(sys.modules) - before)
    assert not Path("new").exists()


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.skipif(not shutil.which(EMULATOR), reason=f"needs {EMULATOR} (Debian: qemu-user)")
def test_a_processor_without_avx_is_reported(workspace: Workspace) -> None:
    """In one line, where TensorFlow would end the process without a word."""
    write_fake_results(workspace.path)
    arguments = ("short", "data/flat", "new/weights.npz", "new/costs.csv")
    completed = workspace.run_apart(
        EMULATOR, "-cpu", "Nehalem", sys.executable, "-m", "stages.train", *arguments
    )
    problem = "this processor has no AVX, which TensorFlow needs"
    assert (completed.status, completed.error()) == (1, problem)
    assert not Path("new").exists()


@pytest.mark.fault
@pytest.mark.slow
def test_weights_that_the_last_iteration_spoilt_are_refused(workspace: Workspace) -> None:
    """No cost comes after them that would show it; nothing is written."""
    workspace.params["runs"]["short"]["iterations"] = 1
    workspace.params["train"]["learning_rate"] = 1e39
    write_fake_results(workspace.path)
    completed = train(workspace, "short")
    assert completed.status == 1
    assert "is not finite; try a smaller train.learning_rate" in completed.error()
    assert not Path("new").exists()


@pytest.mark.fault
def test_edited_settings_are_noticed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC would record the new ones for weights that the old ones made; nothing is written."""
    write_fake_results(workspace.path)

    def edit(*_: object) -> object:
        workspace.params["train"]["batch_size"] += 1
        workspace.write()
        return make_weights(seed=1), np.ones(30, np.float32)

    monkeypatch.setattr(command, "train", edit)
    completed = train(workspace, "short")
    assert completed.status == 1
    assert completed.error().startswith("params.yaml or datasets.yaml was changed during the ")
    assert not Path("new").exists()


def test_forward_passes_that_differ_are_noticed() -> None:
    """Rounding is allowed, another result or shape is not."""
    logits = np.array([[1.5, -20.0]])
    command.check_agreement(logits, (logits + 1e-5).astype(np.float32))
    for other in (logits + 0.1, np.zeros((1, 3))):
        with pytest.raises(CommandError, match=r"model.py and stages/train/network.py differ"):
            command.check_agreement(logits, other.astype(np.float32))
