"""The command that trains, and what it refuses; TensorFlow is not started."""

import shutil
import signal
import sys
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.model import logits
from common.splits import Split
from stages.train.batches import batches
from stages.train.train import check_agreement, check_weights, postponed_signals
from support.command_line import CommandError
from tests.synthetic import make_features
from tests.untrained import make_weights
from tests.workspace import CompletedRun, Workspace, write_fake_results

EMULATOR = "qemu-x86_64"
OUTPUTS = ("new/model", "new/costs.csv", "new/curves.csv")


def train(workspace: Workspace, run: str) -> CompletedRun:
    """Run the stage; its outputs go to a new folder."""
    return workspace.run("train", run, "data/flat", *OUTPUTS)


@given(examples=st.integers(1, 50), batch_size=st.integers(1, 60), seed=st.integers(0, 9))
def test_every_epoch_has_every_example_once(examples: int, batch_size: int, seed: int) -> None:
    """The batches, one after the other, are permutations, one after the other."""
    epochs = 3
    endless = batches(examples, batch_size, np.random.default_rng(seed))
    first = list(islice(endless, -(-epochs * examples // batch_size)))
    assert {(batch.shape, batch.dtype.name) for batch in first} == {((batch_size,), "int32")}
    for epoch in np.concatenate(first)[: epochs * examples].reshape(epochs, examples):
        assert sorted(epoch) == list(range(examples))


@pytest.mark.parametrize(
    ("run", "problem"),
    [
        ("lang", "params.yaml: runs: no run 'lang', there are: short, long"),
        ("long", "data/flat/validation.npz: not found; run `dvc repro`"),
    ],
)
def test_wrong_input_is_reported_early(workspace: Workspace, run: str, problem: str) -> None:
    """Before TensorFlow starts."""
    write_fake_results(workspace.path)
    Path("data/flat/validation.npz").unlink()
    before = set(sys.modules)
    completed = train(workspace, run)
    assert (completed.status, completed.error()) == (2, problem)
    assert not {"tensorflow", "stages.train.trainer"} & (set(sys.modules) - before)
    assert not Path("new").exists()


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.skipif(not shutil.which(EMULATOR), reason=f"needs {EMULATOR} (Debian: qemu-user)")
def test_a_processor_without_avx_is_reported(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, where TensorFlow would end the process without a word."""
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # NumPy could not start, either
        monkeypatch.delenv(name, raising=False)
    write_fake_results(workspace.path)
    stage = (sys.executable, "-m", "stages.train", "short", "data/flat", *OUTPUTS)
    completed = workspace.run_apart(EMULATOR, "-cpu", "Nehalem", *stage)
    problem = "this processor has no AVX, which TensorFlow needs"
    assert (completed.status, completed.error()) == (1, problem)
    assert not Path("new/model").exists()


@pytest.mark.fault
def test_a_signal_waits_for_the_end_of_the_block_and_a_second_does_not() -> None:
    """So that a checkpoint can be written, and a call that takes too long ends."""
    done = []
    with pytest.raises(KeyboardInterrupt), postponed_signals() as signals:
        signal.raise_signal(signal.SIGINT)
        done.append(list(signals))
    assert done == [[signal.SIGINT]]
    with pytest.raises(SystemExit) as exit_, postponed_signals():
        for _ in range(2):
            signal.raise_signal(signal.SIGTERM)
        done.append([])
    assert exit_.value.code == 128 + signal.SIGTERM
    assert len(done) == 1


@pytest.mark.fault
@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
def test_weights_that_the_last_iteration_spoilt_are_refused(wrong: float) -> None:
    """No cost comes after them that would show it."""
    check_weights({"a": np.array([1, np.finfo(np.float32).max], np.float32)})
    with pytest.raises(CommandError, match=r"^after the last iteration b is not finite; try a sm"):
        check_weights({"a": np.ones(2, np.float32), "b": np.array([1, wrong], np.float32)})


def test_forward_passes_that_differ_are_noticed() -> None:
    """Rounding is allowed, another result or shape is not."""
    weights, features = make_weights(seed=1), make_features(70, np.random.default_rng(0))
    examples = Split(features, np.zeros(70, np.uint8))

    def check(error: float, classes: slice) -> None:
        trainer: Any = SimpleNamespace(
            weights=lambda: weights,
            logits=lambda features: (logits(weights, features) + error)[:, classes],
        )
        check_agreement(trainer, examples)

    check(1e-5, slice(None))
    for error, classes in ((0.1, slice(None)), (np.nan, slice(None)), (0.0, slice(1, None))):
        with pytest.raises(
            CommandError, match=r"model.py and stages/train/network.py differ"
        ) as it:
            check(error, classes)
        first = logits(weights, features)[0]
        both = f"{np.round(first, 4)} and {np.round(first + error, 4)[classes]}"
        assert str(it.value).endswith(f": logits {both} of the first example")
