"""Trainings that are in progress or have ended."""

import shutil
from pathlib import Path

import pytest

import support.trainings
from support.trainings import begin_training, find_trainings, trainings
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
        assert find_trainings(COSTS) == []
        training.end("CPU, 2 threads")
    (ended,) = trainings()
    assert find_trainings(COSTS) == [ended]
    assert not ended.is_alive
    assert (ended.about.run, ended.about.device) == ("long", "CPU, 2 threads")
    iterations, times = ended.times()
    assert iterations == [0, 100, 200]
    assert times == sorted(times)
    COSTS.write_text("other costs")
    assert find_trainings(COSTS) == []


@pytest.mark.usefixtures("workspace")
def test_the_latest_trainings_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that started first are removed."""
    monkeypatch.setattr(support.trainings, "MAX_TRAININGS", 2)
    times = iter([30, 10, 40, 20, 50])
    monkeypatch.setattr(support.trainings, "milliseconds", lambda: next(times))
    COSTS.write_text("costs")
    for _ in range(4):
        with begin_training(*ABOUT) as training:
            training.end("CPU")
    with begin_training(*ABOUT):
        assert [training.about.start for training in trainings()] == [50, 40, 30]
        assert [training.about.start for training in find_trainings(COSTS)] == [40, 30]


@pytest.mark.fault
@pytest.mark.parametrize("content", ["", "{}", '{"of": "another version"}'])
def test_what_another_version_has_written_is_left_out(workspace: Workspace, content: str) -> None:
    workspace.put(".cache/trainings/other", {"about.json": content.encode()})
    with begin_training(*ABOUT) as training:
        assert trainings() == [training]


@pytest.mark.usefixtures("workspace")
def test_a_training_whose_folder_was_removed_is_not_alive() -> None:
    """Nor is its folder made again."""
    with begin_training(*ABOUT) as training:
        pass
    shutil.rmtree(training.folder)
    assert not training.is_alive
    assert not training.folder.exists()


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
