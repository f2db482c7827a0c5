"""Several commands at once in one clone: each succeeds, or says what it waits for."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.faults.conftest import Download
from tests.fixtures import ITERATIONS, RAW_FILES, Project

pytestmark = [pytest.mark.fault, pytest.mark.slow]
TRACKERS = 4


def test_a_second_repro_names_the_first(download: Download) -> None:
    """So does the gate; the first ends as if it were the only one."""
    second = download.project.run("dvc", "repro", "fetch")
    download.project.path.joinpath("metrics/accuracy.json").write_text("{}")
    gate = download.project.run("python", "-m", "commands.gate")
    download.server.released.set()
    out, err = download.dvc.communicate()
    assert second.status != 0
    assert f"(PID {download.dvc.pid}): " in second.err
    assert gate.error().startswith("another DVC command is running here")
    assert download.dvc.returncode == 0, out + err
    raw = download.project.path / "data/raw"
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == RAW_FILES


def test_several_trackers(project_copy: Project) -> None:
    """They take turns with a store that does not exist yet, and make each run once."""
    trackers = [project_copy.start("python", "-m", "stages.track") for _ in range(TRACKERS)]
    for tracker in trackers:
        with tracker:
            out, err = tracker.communicate()
        assert tracker.returncode == 0, out + err
    with closing(sqlite3.connect(project_copy.path / "mlflow.db")) as store:
        runs = store.execute("SELECT name, status FROM runs WHERE lifecycle_stage = 'active'")
        assert sorted(runs) == [(name, "FINISHED") for name in sorted(ITERATIONS)]
