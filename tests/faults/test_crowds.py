"""Many at once in one clone: each ends well, or says whom it waits for."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from conftest import CONTENTS, ITERATIONS, Outcome, Project, Server, in_the_middle, make_project

TRACKERS = 8


def _runs(project: Project) -> list[tuple[str, str]]:
    """List the runs in the MLflow store that are not deleted, by name and status."""
    with closing(sqlite3.connect(project.path / "mlflow.db")) as database:
        query = "SELECT name, status FROM runs WHERE lifecycle_stage = 'active' ORDER BY name"
        return list(database.execute(query))


def test_a_repro_during_another(stalling: Server, tmp_path: Path) -> None:
    """It says which process is at work, and so does the gate; the first ends as if alone."""
    project = make_project(tmp_path, f"{stalling.url}/data/{{file}}")
    with in_the_middle(project, stalling) as first:
        second = project.run("dvc", "repro", "fetch")
        gate = project.run("python", "-m", "commands.gate")
        stalling.released.set()
        out, err = first.communicate()
    assert 0 != second.status
    assert "is busy, it is being blocked by" in second.err
    assert f"(PID {first.pid}): " in second.err
    said = "another DVC command is at work here; run the gate again when it has ended"
    assert (1, said) == (gate.status, gate.error())
    assert 0 == first.returncode, out + err
    raw = project.path / "data/raw"
    assert CONTENTS == {path.name: path.read_bytes() for path in raw.iterdir()}


@pytest.mark.slow
def test_two_repros_from_the_start(copy: Project) -> None:
    """Each ends well or says that it cannot have a lock; the next one ends with the same lock."""
    expected = (copy.path / "dvc.lock").read_bytes()
    for name in ("data", "models", "costs", "plots", ".dvc/cache"):
        shutil.rmtree(copy.path / name)
    (copy.path / "dvc.lock").unlink()
    with copy.start("dvc", "repro") as one, copy.start("dvc", "repro") as other:
        for process in (one, other):
            out, err = process.communicate()
            assert not process.returncode or "lock" in err, out + err
            assert "Traceback" not in err
    copy.do("dvc", "repro")
    assert expected == (copy.path / "dvc.lock").read_bytes()


@pytest.mark.slow
def test_many_trackers(copy: Project) -> None:
    """They take turns with a store that is not there yet, and make each run once."""
    trackers = [copy.start("python", "-m", "stages.track") for _ in range(TRACKERS)]
    outcomes = []
    for tracker in trackers:
        with tracker:
            outcomes.append(Outcome(0, *tracker.communicate()))
    assert [0] * TRACKERS == [tracker.returncode for tracker in trackers], outcomes
    assert [(run, "FINISHED") for run in sorted(ITERATIONS)] == _runs(copy)


@pytest.mark.slow
def test_a_mixture_is_not_tracked(copy: Project) -> None:
    """Weights that were trained since the accuracies were measured do not become a run."""
    copy.edit("params.yaml", "  seed: 1\n", "  seed: 2\n")
    copy.do("dvc", "repro", "train@short", "train@long")
    outcome = copy.run("python", "-m", "stages.track")
    assert 2 == outcome.status
    said = "dvc.lock: evaluate was run on an earlier costs; run `dvc repro`"
    assert said == outcome.error()


@pytest.mark.slow
def test_tracking_during_a_repro(copy: Project) -> None:
    """It tracks what is whole, or says what is not; it never tracks a mixture."""
    copy.do("python", "-m", "stages.track")
    copy.edit("params.yaml", "  seed: 1\n", "  seed: 2\n")
    said = []
    with copy.start("dvc", "repro") as repro:
        while repro.poll() is None:
            said.append(copy.run("python", "-m", "stages.track"))
        out, err = repro.communicate()
    assert 0 == repro.returncode, out + err
    for outcome in said:
        assert not outcome.status or "`dvc repro`" in outcome.error()
    assert sorted(2 * list(ITERATIONS)) == sorted(name for name, _ in _runs(copy)), said
    assert {"FINISHED"} == {status for _, status in _runs(copy)}
