"""Trainings that are in progress or have ended."""

from pathlib import Path

import pytest

import support.trainings
from support.trainings import begin_training, find_training, trainings
from tests.workspace import Workspace

COSTS, CURVES = Path("costs.csv"), Path("curves.csv")
ABOUT = ("long", "synthetic", COSTS, CURVES)


@pytest.mark.usefixtures("workspace")
def test_a_training_is_alive_until_it_ends_and_is_found_by_its_costs() -> None:
    with begin_training(*ABOUT) as training:
        assert [one.is_alive for one in trainings()] == [True]
        assert training.times() == ([0], [training.about.start])
        training.add_time(100)
        training.add_time(200)
        COSTS.write_text("costs")
        assert find_training(COSTS) is None
        training.end("CPU, 2 threads")
    (ended,) = trainings()
    assert ended == find_training(COSTS)
    assert not ended.is_alive
    assert (ended.about.run, ended.about.device) == ("long", "CPU, 2 threads")
    iterations, times = ended.times()
    assert iterations == [0, 100, 200]
    assert times == sorted(times)
    COSTS.write_text("other costs")
    assert find_training(COSTS) is None


def test_the_latest_trainings_stay(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that started first are removed."""
    monkeypatch.setattr(support.trainings, "MOST_TRAININGS", 2)
    times = iter([30, 10, 40, 20, 50])
    monkeypatch.setattr(support.trainings, "milliseconds", lambda: next(times))
    COSTS.write_text("costs")
    for _ in range(4):
        with begin_training(*ABOUT) as training:
            training.end("CPU")
    with begin_training(*ABOUT):
        assert sorted(one.about.start for one in trainings()) == [30, 40, 50]
    assert workspace.path.joinpath(".cache/trainings").is_dir()


@pytest.mark.fault
def test_the_next_training_removes_what_a_killed_one_left(workspace: Workspace) -> None:
    """Neither what has ended well nor what is still in progress."""
    COSTS.write_text("costs")
    with begin_training(*ABOUT) as complete:
        complete.end("CPU")
    with begin_training(*ABOUT) as killed:
        pass
    with begin_training(*ABOUT) as alive, begin_training(*ABOUT) as latest:
        assert set(trainings()) == {complete, alive, latest}
    assert not killed.folder.exists()
    assert killed.folder.parent == workspace.path / ".cache/trainings"
