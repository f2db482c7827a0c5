"""Passing, or saying why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.fixtures import Workspace

from commands.gate import differences, misses
from common.config import RunParams
from common.results import Result


def _measured(test: float) -> dict[str, Result]:
    return {
        "long": Result(iterations=1, train=1.0, validation=1.0, test=test, min_test_accuracy=0.0)
    }


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (0.97, []),
        (0.9701, []),
        (0.9699, ["long: test accuracy 96.99% misses 97.00% by 0.01 points"]),
        (0.0, ["long: test accuracy 0.00% misses 97.00% by 97.00 points"]),
    ],
)
def test_a_miss_is_said_with_its_size(test: float, expected: list[str]) -> None:
    """The threshold itself is enough; what is below it is named."""
    runs = {"long": RunParams(iterations=1, min_test_accuracy=0.97)}
    assert expected == list(misses(_measured(test), runs))


def test_every_run_is_looked_at() -> None:
    """A run without a result is a miss; a result without a run is none."""
    runs = {"short": RunParams(iterations=1, min_test_accuracy=0.0)}
    expected = ["short: no result in metrics/accuracy.json; run `dvc repro`"]
    assert expected == list(misses(_measured(0.0), runs))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], []),
        (
            [{"changed deps": {"stages/train/__main__.py": "modified"}}],
            ["s: modified stages/train/__main__.py"],
        ),
        (
            [{"changed deps": {"params.yaml": {"train.seed": "modified"}}}],
            ["s: modified params.yaml train.seed"],
        ),
        (
            [{"changed deps": {"params.yaml": {"train.seed": "deleted"}}}],
            ["s: deleted params.yaml train.seed"],
        ),
        ([{"changed outs": {"data/raw": "deleted", "models": "not in cache"}}], []),
        ([{"changed outs": {"models": "modified"}}], ["s: modified models"]),
        (
            [{"changed deps": {"stages/train/__main__.py": "deleted"}}],
            ["s: deleted stages/train/__main__.py"],
        ),
        (["changed command"], ["s: changed command"]),
    ],
)
def test_what_has_changed_is_said(
    changes: list[Any], expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data that are not there are no change; anything else is."""
    monkeypatch.chdir(tmp_path)
    assert expected == list(differences({"s": changes}))


def test_data_that_are_not_those_of_the_cache(workspace: Workspace) -> None:
    """A file that is there, but not kept under the digest of dvc.lock, has changed."""
    workspace.put("models", {"weights.npz": b""})
    changes = [{"changed outs": {"models/weights.npz": "not in cache"}}]
    assert list(differences({"s": changes})) == ["s: not in cache models/weights.npz"]


def test_no_results_yet(workspace: Workspace) -> None:
    """A fresh clone without results says what makes them."""
    outcome = workspace.run("gate")
    assert outcome.status == 2
    assert outcome.error() == "metrics/accuracy.json: not found; `dvc repro` makes it"


def test_outside_of_a_repository(workspace: Workspace) -> None:
    """Where DVC cannot tell, the gate does not pass."""
    workspace.put("metrics", {"accuracy.json": b"{}"})
    outcome = workspace.run("gate")
    assert outcome.status == 1
    assert outcome.error().startswith("cannot compare with dvc.lock: ")
