"""What a training reports, and the checkpoints from which it goes on."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.config import load_config
from stages.train import checkpoint
from stages.train.checkpoint import (
    checkpoint_path,
    load_checkpoint,
    mark_complete,
    save_checkpoint,
)
from stages.train.reporter import report
from support.command_line import CommandError
from tests.workspace import ROOT, Workspace

COSTS, CURVES = Path("new/folder/costs.csv"), Path("new/curves.csv")
CODE, DATA = Path("model.py"), Path("train.npz")


def read_costs() -> np.ndarray:
    """Return the costs in the file, whose rows are numbered from 0."""
    header, *rows = (line.split(",") for line in COSTS.read_text("utf-8").splitlines())
    assert header == ["iteration", "cost"]
    assert [int(row[0]) for row in rows] == list(range(len(rows)))
    return np.array([row[1] for row in rows], np.float32)


def test_costs_and_values_are_in_the_files_as_they_come(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the last digit of a float32; some are printed. A training that goes on repeats them."""
    bits = np.random.default_rng(0).integers(0x7F7FFFFF, size=1000).astype(np.uint32)
    costs = bits.view(np.float32)
    workspace.set("train.log_every_iterations", 400)
    with report("long", load_config(), COSTS, CURVES) as reporter:
        reporter.add_costs(costs[:600])
        np.testing.assert_array_equal(read_costs(), costs[:600])
        reporter.add_value("validation accuracy", np.float32(0.5))  # type: ignore[arg-type]
        reporter.add_costs(costs[600:])
        reporter.add_value("learning rate", 1 / 3)
        state = reporter.state()
    printed = [line.split(":")[0] for line in capsys.readouterr().out.splitlines()]
    expected = ["iteration 0, batch cost", "iteration 400, batch cost"]
    expected += ["after 600 iterations, validation accuracy", "iteration 800, batch cost"]
    assert printed == [*expected, "after 1,000 iterations, learning rate"]
    written = (COSTS.read_bytes(), CURVES.read_bytes())
    assert written[1].decode().splitlines() == [
        "iteration,name,value",
        "600,validation accuracy,0.5",
        f"1000,learning rate,{1 / 3}",
    ]
    with report("long", load_config(), COSTS, CURVES) as reporter:
        reporter.restore(state)
        assert (COSTS.read_bytes(), CURVES.read_bytes()) == written
        assert reporter.iterations == 1000
        for name, values in reporter.state().items():
            np.testing.assert_array_equal(values, state[name])
    assert capsys.readouterr().out == ""


@pytest.mark.fault
@pytest.mark.usefixtures("workspace")
def test_what_is_reported_is_not_written_into_the_cache_of_dvc() -> None:
    """Which may be behind a link, if a training is started without DVC."""
    Path("cached").write_text("of another training")
    COSTS.parent.mkdir(parents=True)
    COSTS.symlink_to(Path("cached").absolute())
    with report("long", load_config(), COSTS, CURVES) as reporter:
        reporter.add_costs(np.ones(3, np.float32))
    assert read_costs().tolist() == [1, 1, 1]
    assert Path("cached").read_text() == "of another training"


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("name", ["recall, class 3", 'the "best"', "two\nlines"])
def test_a_name_that_would_break_the_table_is_refused(name: str) -> None:
    with (
        pytest.raises(ValueError, match="should have no comma or quotation mark"),
        report("long", load_config(), COSTS, CURVES) as reporter,
    ):
        reporter.add_value(name, 1.0)
    assert CURVES.read_text() == "iteration,name,value\n"


@pytest.mark.fault
@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
def test_a_diverged_training_is_stopped(wrong: float) -> None:
    """The first iteration that is not finite is named, and what to change."""
    problem = f"^iteration 101: the batch cost is {wrong}; try a smaller train.learning_rate"
    with report("long", load_config(), COSTS, CURVES) as reporter:
        reporter.add_costs(np.full(100, np.finfo(np.float32).max))
        with pytest.raises(CommandError, match=problem):
            reporter.add_costs(np.array([1, wrong, 2, np.nan], np.float32))


@pytest.fixture
def path(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the checkpoint of a training."""
    monkeypatch.setattr(checkpoint, "CODE", (CODE,))
    workspace.put(".", {str(file): b"as it is" for file in (CODE, DATA)})
    return checkpoint_path("long", load_config(), [DATA])


@pytest.mark.parametrize(
    ("place", "value", "is_same"),
    [
        ("runs.long.iterations", 300, True),
        ("train.log_every_iterations", 7, True),
        ("report.grid_seed", 7, True),
        ("train.seed", 7, False),
        ("train.learning_rate", 0.5, False),
        ("train.validate_every_iterations", 7, False),
    ],
)
def test_a_checkpoint_is_named_by_what_determines_it(
    workspace: Workspace, path: Path, place: str, value: Any, is_same: bool
) -> None:
    """The settings on which the state depends, but not its length; data and code."""
    workspace.set(place, value)
    assert (checkpoint_path("long", load_config(), [DATA]) == path) == is_same


def test_all_code_of_the_training_names_its_checkpoint() -> None:
    files = {str(path.relative_to(ROOT)) for path in checkpoint.CODE}
    assert {"common/model.py", "stages/train/requirements.txt"} < files
    assert files > {str(path.relative_to(ROOT)) for path in ROOT.glob("stages/train/*.py")}


@pytest.mark.parametrize("file", [CODE, DATA])
def test_a_checkpoint_of_other_code_or_data_is_another(path: Path, file: Path) -> None:
    file.write_bytes(b"changed")
    assert checkpoint_path("long", load_config(), [DATA]) != path


def test_a_complete_training_is_only_made_longer(path: Path) -> None:
    """Repeated, it computes everything again; an interrupted one goes on."""
    state = {"costs": np.ones(200, np.float32)}
    save_checkpoint(path, state)
    assert load_checkpoint(path, 199) is None
    for iterations in (200, 300):
        loaded = load_checkpoint(path, iterations)
        assert loaded is not None
        np.testing.assert_array_equal(loaded["costs"], state["costs"])
    mark_complete(path)
    assert load_checkpoint(path, 200) is None
    assert load_checkpoint(path, 201) is not None


@pytest.mark.fault
def test_a_damaged_checkpoint_is_not_used(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_checkpoint(path, {"costs": np.ones(200, np.float32)})
    path.write_bytes(path.read_bytes()[:99])
    assert load_checkpoint(path, 300) is None
    assert capsys.readouterr().out.startswith(f"not used: {path}: damaged")


def test_only_the_latest_checkpoints_stay(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "MAX_FILES", 2)
    for age, other in enumerate(("c", "b", "a")):
        save_checkpoint(path.with_name(f"{other}.npz"), {})
        os.utime(path.with_name(f"{other}.npz"), (age, age))
    save_checkpoint(path, {})
    mark_complete(path)
    names = {file.name for file in path.parent.iterdir()}
    assert names == {"a.npz", path.with_suffix(".complete.npz").name}
