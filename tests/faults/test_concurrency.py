"""Many at once in one clone: each ends well, or says whom it waits for."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.fixtures import (
    RAW_FILES,
    ITERATIONS,
    CompletedRun,
    Project,
    Server,
    start_fetching,
    make_project,
)

TRACKERS = 8


def _runs(project: Project) -> list[tuple[str, str]]:
    """List the runs in the MLflow store that are not deleted, by name and status."""
    with closing(sqlite3.connect(project.path / "mlflow.db")) as database:
        query = "SELECT name, status FROM runs WHERE lifecycle_stage = 'active' ORDER BY name"
        return list(database.execute(query))


def test_a_repro_during_another(stalling_server: Server, tmp_path: Path) -> None:
    """It says which process is at work, and so does the gate; the first ends as if alone."""
    project = make_project(tmp_path, f"{stalling_server.url}/data/{{file}}")
    with start_fetching(project, stalling_server) as first:
        second = project.run("dvc", "repro", "fetch")
        gate = project.run("python", "-m", "commands.gate")
        stalling_server.released.set()
        out, err = first.communicate()
    assert second.status != 0
    assert "is busy, it is being blocked by" in second.err
    assert f"(PID {first.pid}): " in second.err
    said = "another DVC command is at work here; run the gate again when it has ended"
    assert (1, said) == (gate.status, gate.error())
    assert first.returncode == 0, out + err
    raw = project.path / "data/raw"
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == RAW_FILES


@pytest.mark.slow
def test_two_repros_from_the_start(project_copy: Project) -> None:
    """Each ends well or says that it cannot have a lock; the next one ends with the same lock."""
    expected = (project_copy.path / "dvc.lock").read_bytes()
    for name in ("data", "models", "costs", "plots", ".dvc/cache"):
        shutil.rmtree(project_copy.path / name)
    (project_copy.path / "dvc.lock").unlink()
    with project_copy.start("dvc", "repro") as one, project_copy.start("dvc", "repro") as other:
        for process in (one, other):
            out, err = process.communicate()
            assert not process.returncode or "lock" in err, out + err
            assert "Traceback" not in err
    project_copy.do("dvc", "repro")
    assert expected == (project_copy.path / "dvc.lock").read_bytes()


@pytest.mark.slow
def test_many_trackers(project_copy: Project) -> None:
    """They take turns with a store that is not there yet, and make each run once."""
    trackers = [project_copy.start("python", "-m", "stages.track") for _ in range(TRACKERS)]
    outcomes = []
    for tracker in trackers:
        with tracker:
            outcomes.append(CompletedRun(0, *tracker.communicate()))
    assert [tracker.returncode for tracker in trackers] == [0] * TRACKERS, outcomes
    assert [(run, "FINISHED") for run in sorted(ITERATIONS)] == _runs(project_copy)


@pytest.mark.slow
def test_a_mixture_is_not_tracked(project_copy: Project) -> None:
    """Weights that were trained since the accuracies were measured do not become a run."""
    project_copy.edit("params.yaml", "  seed: 1\n", "  seed: 2\n")
    project_copy.do("dvc", "repro", "train@short", "train@long")
    outcome = project_copy.run("python", "-m", "stages.track")
    assert outcome.status == 2
    said = "dvc.lock: evaluate was run on an earlier costs; run `dvc repro`"
    assert said == outcome.error()


@pytest.mark.slow
def test_tracking_during_a_repro(project_copy: Project) -> None:
    """It tracks what is whole, or says what is not; it never tracks a mixture."""
    project_copy.do("python", "-m", "stages.track")
    project_copy.edit("params.yaml", "  seed: 1\n", "  seed: 2\n")
    said = []
    with project_copy.start("dvc", "repro") as repro:
        while repro.poll() is None:
            said.append(project_copy.run("python", "-m", "stages.track"))
        out, err = repro.communicate()
    assert repro.returncode == 0, out + err
    for outcome in said:
        assert not outcome.status or "`dvc repro`" in outcome.error()
    assert sorted(2 * list(ITERATIONS)) == sorted(name for name, _ in _runs(project_copy)), said
    assert {"FINISHED"} == {status for _, status in _runs(project_copy)}
