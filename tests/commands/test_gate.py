"""The gate passes, or names what is wrong."""

import sys
from typing import Any

import pytest

from commands import gate
from commands.gate import changes, missed_thresholds
from common import hooks
from common.config import RunParams
from common.results import ACCURACY, Result, save_results
from tests.fixtures import ITERATIONS, Workspace


def _results(test: float) -> dict[str, Result]:
    return {
        run: Result(iterations=1, train=1.0, validation=1.0, test=test, min_test_accuracy=0.0)
        for run in ITERATIONS
    }


def test_missed_thresholds_are_reported() -> None:
    """With the size of the difference; a threshold that is just reached is met."""
    thresholds = {"short": 0.9699, "long": 0.97}
    runs = {
        name: RunParams(iterations=1, min_test_accuracy=threshold)
        for name, threshold in thresholds.items()
    }
    assert list(missed_thresholds(_results(0.9699), runs)) == [
        "long: test accuracy 96.99% misses 97.00% by 0.01 points"
    ]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"changed deps": {"params.yaml": {"a.b": "modified"}}}, ["s: modified params.yaml a.b"]),
        ({"changed outs": {"data/raw": "deleted", "costs": "not in cache"}}, []),
        ({"changed outs": {"models": "not in cache"}}, ["s: not in cache models"]),
        ("changed command", ["s: changed command"]),
    ],
)
def test_changes_are_reported(entry: Any, expected: list[str], workspace: Workspace) -> None:
    """Missing data are no change, because a clone may be without them; anything else is one."""
    workspace.put("models", {"weights.npz": b""})
    assert list(changes({"s": [entry]})) == expected


HOOK = b"def gate_failures(config, results):\n    yield f'{list(config.runs)} by {__name__}'\n"


def test_an_extra_can_fail_the_gate(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that has a hook, in the order of their names; without any, the margins are printed."""
    monkeypatch.setattr(gate, "_dvc_status", dict)
    monkeypatch.setattr(hooks, "EXTRAS", workspace.path / "extras")
    monkeypatch.delitem(sys.modules, "extras", raising=False)
    monkeypatch.syspath_prepend(workspace.path)
    save_results(ACCURACY, _results(0.5))
    workspace.put("extras/without_hooks", {"hooks.py": b""})
    assert workspace.run("commands.gate").out == (
        "short: test accuracy 50.00%, 50.00 points to spare\n"
        "long: test accuracy 50.00%, 50.00 points to spare\n"
    )
    for name in ("strict", "stern"):
        workspace.put(f"extras/{name}", {"hooks.py": HOOK})
    assert workspace.run("commands.gate").error() == (
        "['short', 'long'] by extras.stern.hooks; ['short', 'long'] by extras.strict.hooks"
    )


def test_without_a_repository_the_gate_fails(workspace: Workspace) -> None:
    save_results(ACCURACY, _results(1.0))
    completed = workspace.run("commands.gate")
    assert completed.status == 1
    assert completed.error().startswith("cannot compare with dvc.lock: ")
