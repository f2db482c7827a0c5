"""Trainer, as far as it goes without TensorFlow."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures import CLASSES, SHAPE, Workspace
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from numpy.typing import NDArray

from common import arrays
from common import config as config
from common.arrays import Split
from common.command_line import CommandError
from stages.train.__main__ import __main__ as train


def test_lines() -> None:
    """Every hundredth iteration is reported, wherever the costs begin."""
    costs = np.linspace(2, 1, 201, dtype=np.float32)
    expected = ["iteration 0, batch cost: 2.0000", "iteration 100, batch cost: 1.5000"]
    assert expected == list(train.lines(0, costs[:200], 100))
    assert list(train.lines(150, costs[150:], 100)) == ["iteration 200, batch cost: 1.0000"]
    assert list(train.lines(1, costs[:99], 100)) == []


def test_costs_that_are_finite_pass() -> None:
    """Nothing is said about the largest cost that there is."""
    train.check_finite(0, np.array([0, np.finfo(np.float32).max], np.float32))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_diverged_training_is_stopped(wrong: float) -> None:
    """The first iteration that is not finite is named, and what to change."""
    costs = np.array([1, wrong, 2, np.nan], np.float32)
    said = f"^iteration 101: the batch cost is {wrong}; try a smaller train.learning_rate"
    with pytest.raises(CommandError, match=said):
        train.check_finite(100, costs)


@settings(max_examples=30, deadline=None)  # each example is synced to the disk
@given(
    costs=st_numpy.arrays(
        np.float32,
        st.integers(0, 20),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
def test_costs_come_back(
    costs: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A row an iteration, from 0; each cost is the same float32 when read."""
    path = tmp_path_factory.getbasetemp() / "costs.csv"
    train.save_costs(path, costs)
    header, *rows = path.read_text().splitlines()
    assert header == "iteration,cost"
    assert list(range(len(costs))) == [int(row.split(",")[0]) for row in rows]
    np.testing.assert_array_equal(costs, np.array([row.split(",")[1] for row in rows], np.float32))


@pytest.mark.parametrize(
    ("run", "content", "said"),
    [
        ("lang", None, "params.yaml: runs: no run 'lang', there are: short, long"),
        ("long", None, "train.npz: not found; `dvc repro` makes it"),
        ("long", b"", "train.npz: damaged; `make repair` makes it anew"),
        ("long", {"W1": np.ones(3)}, "should hold uint8 images (n, pixels) and labels (n,), holds"),
    ],
)
def test_what_is_wrong_is_said_before_tensorflow_starts(
    workspace: Workspace,
    run: str,
    content: bytes | dict[str, NDArray[np.float64]] | None,
    said: str,
) -> None:
    """A wrong run or file ends in one line at once, and nothing is written."""
    if isinstance(content, dict):
        arrays.save(Path("train.npz"), content)
    elif content is not None:
        Path("train.npz").write_bytes(content)
    before = set(sys.modules)
    outcome = workspace.run("train", run, "train.npz", "models/weights.npz", "costs/long.csv")
    assert outcome.status == 2
    assert said in outcome.error()
    assert not {"tensorflow", "stages.train.network"} & (set(sys.modules) - before)
    assert not Path("models").exists()
    assert not Path("costs").exists()


def test_weights_that_the_last_iteration_spoilt(workspace: Workspace) -> None:
    """No cost comes after them, so they are looked at themselves; nothing is written."""
    workspace.params["runs"]["short"]["iterations"] = 1
    workspace.params["train"]["learning_rate"] = 1e39
    workspace.write()
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (64, SHAPE[0] * SHAPE[1])).astype(np.uint8)
    labels = random.integers(0, CLASSES, 64).astype(np.uint8)
    arrays.save_split(Path("train.npz"), Split(images, labels))
    outcome = workspace.run("train", "short", "train.npz", "models/weights.npz", "costs/short.csv")
    assert outcome.status == 1
    assert outcome.error().startswith("after the last iteration W1 is not finite; ")
    assert not Path("models").exists()
    assert not Path("costs").exists()


def test_settings_changed_meanwhile(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC would note the new ones for what the old ones made; so nothing is written."""
    first = config.load()
    workspace.params["train"]["batch_size"] += 1
    workspace.write()
    given = iter([first])
    monkeypatch.setattr(config, "load", lambda load=config.load: next(given, None) or load())
    images = np.zeros((64, SHAPE[0] * SHAPE[1]), np.uint8)
    arrays.save_split(Path("train.npz"), Split(images, images[:, 0]))
    outcome = workspace.run("train", "short", "train.npz", "models/weights.npz", "costs/short.csv")
    said = "params.yaml or datasets.yaml was changed during the training; run `dvc repro` again"
    assert (1, said) == (outcome.status, outcome.error())
    assert not Path("models").exists()
