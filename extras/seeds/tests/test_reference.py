"""Telling whether a run is of the kind that other seeds are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.fixtures import Workspace

from common.command_line import InputError
from common.config import load_config
from common.results import Result
from extras.seeds import reference
from extras.seeds.reference import Reference, RunReference, Spread

KNOWN = RunReference(
    accuracies={
        "train": Spread(mean=1.0, deviation=0.01),
        "validation": Spread(mean=1.0, deviation=0.01),
        "test": Spread(mean=0.96, deviation=0.002),
    },
    log_costs={0: Spread(mean=0.8, deviation=0.05), 100: Spread(mean=-1.0, deviation=0.3)},
)


def _result(test: float) -> Result:
    return Result(iterations=101, train=1.0, validation=1.0, test=test, min_test_accuracy=0.0)


def _costs(first: float, last: float) -> np.ndarray:
    return np.exp(np.linspace(first, last, 101)).astype(np.float32)


@pytest.mark.parametrize(
    ("test", "costs", "expected"),
    [
        (0.96, _costs(0.8, -1.0), []),
        (0.9679, _costs(0.99, -2.19), []),
        (0.9681, None, ["test accuracy 96.81% is +4.0 deviations from 96.00%"]),
        (0.95, None, ["test accuracy 95.00% is -5.0 deviations from 96.00%"]),
        (0.96, _costs(0.8, -3.0), ["cost 0.04979 of iteration 100 is -6.7 deviations from 0.3679"]),
        (0.96, _costs(1.1, -1.0), ["cost 3.004 of iteration 0 is +6.0 deviations from 2.226"]),
    ],
)
def test_what_is_far_from_the_reference_is_said(
    test: float, costs: np.ndarray | None, expected: list[str]
) -> None:
    """Beyond four deviations a run is another one, be it worse or too good."""
    assert expected == list(reference.outliers(KNOWN, _result(test), costs))


def test_cost_that_is_not_a_number_is_far_from_any() -> None:
    """Not a number is not within four deviations."""
    costs = _costs(0.8, -1.0)
    costs[100] = np.nan
    assert len(list(reference.outliers(KNOWN, _result(0.96), costs))) == 1


def test_without_spread_only_the_mean_will_do() -> None:
    """A value that never varied is that value or infinitely far from it."""
    known = Spread(mean=0.5, deviation=0.0)
    assert [0.0, np.inf, -np.inf] == [known.distance(value) for value in (0.5, 0.6, 0.4)]


def test_deviation_is_that_of_a_sample() -> None:
    """Two values one apart deviate by the root of one half."""
    found = reference.spread([1.0, 2.0])
    assert (1.5, pytest.approx(np.sqrt(0.5), abs=1e-7)) == (found.mean, found.deviation)


def test_file_keeps_everything(tmp_path: Path) -> None:
    """What is saved is what is loaded, and a second save is the same bytes."""
    expected = Reference(digest="d", seeds=2, runs={"short": KNOWN})
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    reference.save(first, expected)
    assert expected == reference.load(first)
    reference.save(second, reference.load(first))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"digest": 1}', b"\xff\xfe"])
def test_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """What is no reference is named, with what brings it back."""
    path = tmp_path / "reference.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"reference\.json: .*git checkout"):
        reference.load(path)


@pytest.mark.parametrize(
    ("runs", "fits"),
    [
        ({"long": 101}, True),
        ({"long": 100}, False),
        ({}, False),
        ({"long": 101, "short": 101}, False),
    ],
)
def test_a_reference_fits_the_runs_that_it_is_of(runs: dict[str, int], fits: bool) -> None:
    """It has each of them and no other, and no iteration that they do not have."""
    known = Reference(digest="", seeds=30, runs={"long": KNOWN})
    wanted = {
        name: RunParams(iterations=iterations, min_test_accuracy=0.0)
        for name, iterations in runs.items()
    }
    assert fits == known.fits(wanted)


@pytest.mark.parametrize(
    ("section", "name", "value", "same"),
    [
        ("train", "seed", 7, True),
        ("train", "log_every_iterations", 7, True),
        ("report", "grid_seed", 7, True),
        ("train", "learning_rate", 0.1, False),
        ("train", "hidden_units", [3], False),
        ("flatten", "validation_examples", 7, False),
    ],
)
def test_digest_follows_what_a_result_follows(
    workspace: Workspace, section: str, name: str, value: object, same: bool
) -> None:
    """A reference is of all settings but the seed and what is only shown."""
    before = reference.digest(load_config())
    workspace.params[section][name] = value
    workspace.write()
    assert same == (before == reference.digest(load_config()))
