"""The gate passes, or names what is wrong."""

import sys
from typing import Any

import pytest

from commands import gate, hooks
from commands.gate import changes, missed_thresholds
from common.config import RunParams
from common.results import ACCURACY, Result, save_results
from tests.workspace import ITERATIONS, ROOT, Workspace


def _results(*tests: float) -> dict[str, Result]:
    return {
        run: Result(iterations=1, train=1.0, validation=1.0, test=test, min_test_accuracy=0.0)
        for run, test in zip(ITERATIONS, tests, strict=True)
    }


def test_missed_thresholds_are_reported() -> None:
    """With the size of the difference; a threshold that is just reached is met."""
    runs = {
        name: RunParams(iterations=1, min_test_accuracy=threshold)
        for name, threshold in {"short": 0.9699, "long": 0.97}.items()
    }
    assert list(missed_thresholds(_results(0.9699, 0.9699), runs)) == [
        "long: test accuracy 96.99% misses 97.00% by 0.01 points"
    ]
    assert list(missed_thresholds(_results(0.25, 0.97), runs)) == [
        "short: test accuracy 25.00% misses 96.99% by 71.99 points"
    ]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"changed deps": {"params.yaml": {"a.b": "modified"}}}, ["s: modified params.yaml a.b"]),
        ({"changed outs": {"data/raw": "deleted", "costs": "not in cache"}}, []),
        ({"changed outs": {"curves/long.csv": "deleted", "plots/report.html": "deleted"}}, []),
        (
            {"changed outs": {"metrics/accuracy.json": "deleted"}},
            ["s: deleted metrics/accuracy.json"],
        ),
        ({"changed outs": {"models": "not in cache"}}, ["s: not in cache models"]),
        ({"changed outs": {"models/short": "deleted"}}, []),
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
    assert hooks.EXTRAS == ROOT / "extras"
    monkeypatch.setattr(gate, "dvc_status", dict)
    monkeypatch.setattr(hooks, "EXTRAS", workspace.path / "extras")
    monkeypatch.delitem(sys.modules, "extras", raising=False)
    monkeypatch.syspath_prepend(workspace.path)
    save_results(ACCURACY, _results(0.5, 0.875))
    workspace.params["runs"]["short"]["min_test_accuracy"] = 0.5
    workspace.params["runs"]["long"]["min_test_accuracy"] = 0.25
    workspace.put("extras/without_hooks", {"hooks.py": b""})
    assert workspace.run("commands.gate").out == (
        "short: test accuracy 50.00%, 0.00 points to spare\n"
        "long: test accuracy 87.50%, 62.50 points to spare\n"
    )
    for name in ("strict", "stern"):
        workspace.put(f"extras/{name}", {"hooks.py": HOOK})
    assert workspace.run("commands.gate").error() == (
        "['short', 'long'] by extras.stern.hooks; ['short', 'long'] by extras.strict.hooks"
    )


def test_a_missed_threshold_fails_the_gate(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that fails is in one line."""
    monkeypatch.setattr(gate, "dvc_status", dict)
    monkeypatch.setattr(gate, "call_hooks", lambda *_: [["an extra says no"]])
    workspace.params["runs"]["long"]["min_test_accuracy"] = 0.9
    save_results(ACCURACY, _results(0.5, 0.875))
    completed = workspace.run("commands.gate")
    assert completed.status == 1
    missed = "long: test accuracy 87.50% misses 90.00% by 2.50 points"
    assert completed.error() == f"{missed}; an extra says no"


def test_what_has_changed_comes_before_the_thresholds(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what brings it up to date; a run of which there is no result is such a change."""
    status = {"evaluate": [{"changed deps": {"params.yaml": {"runs": "modified"}}}]}
    monkeypatch.setattr(gate, "dvc_status", lambda: status)
    save_results(ACCURACY, {})
    assert workspace.run("commands.gate").error() == (
        "metrics/accuracy.json does not match the current params.yaml and code: evaluate: modified "
        "params.yaml runs; run `dvc repro`, or `make repair` if that finds nothing to do"
    )


def test_what_dvc_says_about_a_failure_is_passed_on(workspace: Workspace) -> None:
    save_results(ACCURACY, _results(1.0, 1.0))
    completed = workspace.run("commands.gate")
    assert completed.status == 1
    assert completed.error().startswith("`dvc status`: you are not inside of a DVC repository")
