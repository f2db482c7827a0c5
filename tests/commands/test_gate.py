"""The gate passes, or names what is wrong."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from commands import gate
from commands.gate import changes, missed_thresholds
from common import hooks
from common.config import RunParams
from common.hooks import call_hooks
from common.results import ACCURACY, Result, save_results
from tests.fixtures import ITERATIONS, Workspace


def _results(test: float) -> dict[str, Result]:
    return {
        run: Result(iterations=1, train=1.0, validation=1.0, test=test, min_test_accuracy=0.0)
        for run in ITERATIONS
    }


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (0.97, []),
        (0.9699, ["long: test accuracy 96.99% misses 97.00% by 0.01 points"]),
        (0.0, ["long: test accuracy 0.00% misses 97.00% by 97.00 points"]),
    ],
)
def test_a_missed_threshold_is_reported_with_its_size(test: float, expected: list[str]) -> None:
    runs = {"long": RunParams(iterations=1, min_test_accuracy=0.97)}
    assert list(missed_thresholds(_results(test), runs)) == expected


def test_a_run_without_a_result_is_reported() -> None:
    runs = {"third": RunParams(iterations=1, min_test_accuracy=0.0)}
    expected = ["third: no result in metrics/accuracy.json; run `dvc repro`"]
    assert list(missed_thresholds(_results(0.0), runs)) == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"changed deps": {"common/model.py": "modified"}}, ["s: modified common/model.py"]),
        (
            {"changed deps": {"params.yaml": {"train.seed": "modified"}}},
            ["s: modified params.yaml train.seed"],
        ),
        ({"changed outs": {"data/raw": "deleted", "costs": "not in cache"}}, []),
        ({"changed outs": {"models": "not in cache"}}, ["s: not in cache models"]),
        ("changed command", ["s: changed command"]),
    ],
)
def test_changes_are_reported(entry: Any, expected: list[str], workspace: Workspace) -> None:
    """Missing data are no change, because a clone may be without them; anything else is one."""
    workspace.put("models", {"weights.npz": b""})
    assert list(changes({"s": [entry]})) == expected


def test_an_extra_can_fail_the_gate(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reasons come after those of the gate itself; without any, the margins are printed."""
    monkeypatch.setattr(gate, "_dvc_status", dict)
    save_results(ACCURACY, _results(0.5))
    monkeypatch.setattr(gate, "call_hooks", lambda *_: [["short: too good"], ["long: too bad"]])
    assert workspace.run("commands.gate").error() == "short: too good; long: too bad"
    monkeypatch.setattr(gate, "call_hooks", lambda *_: [[]])
    assert workspace.run("commands.gate").out == (
        "short: test accuracy 50.00%, 50.00 points to spare\n"
        "long: test accuracy 50.00%, 50.00 points to spare\n"
    )


def test_without_results_or_repository_the_gate_fails(workspace: Workspace) -> None:
    completed = workspace.run("commands.gate")
    assert completed.status == 2
    assert completed.error() == "metrics/accuracy.json: not found; `dvc repro` makes it"
    save_results(ACCURACY, _results(1.0))
    completed = workspace.run("commands.gate")
    assert completed.status == 1
    assert completed.error().startswith("cannot compare with dvc.lock: ")


HOOK = "def gate_failures(config, results):\n    yield f'{config} and {results} of NAME'\n"


def test_hooks_are_called_in_the_order_of_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each extra that defines the function is called; there may be none."""
    package = ModuleType("extras")
    package.__path__ = [str(tmp_path)]
    for name in [name for name in sys.modules if name.startswith("extras.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "extras", package)
    monkeypatch.setattr(hooks, "EXTRAS", tmp_path)
    assert list(call_hooks("gate_failures", "settings", "results")) == []
    contents = {"b": HOOK.replace("NAME", "b"), "a": HOOK.replace("NAME", "a"), "c": "OTHER = 1\n"}
    for name, content in contents.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "hooks.py").write_text(content)
    (tmp_path / "d").mkdir()
    lines = [list(lines) for lines in call_hooks("gate_failures", "settings", "results")]
    assert lines == [["settings and results of a"], ["settings and results of b"]]
