"""Commands that are killed, or run at once: the end is as if nothing had happened."""

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.project import Project, make_project
from tests.workspace import ITERATIONS, RAW_FILES, Response, Server

pytestmark = [pytest.mark.fault, pytest.mark.slow]
FIRST, SECOND, *_ = RAW_FILES
OUTPUTS = ("data", "models", "costs", "curves", "plots")
MOMENTS = 50
KILLED_TRAININGS = 20
LONGEST_SECONDS = 20
TRACKERS = 4
Download = tuple[Project, subprocess.Popen[str]]
Kill = Callable[[subprocess.Popen[str]], None]


@pytest.fixture
def download(server: Server, tmp_path: Path) -> Iterator[Download]:
    """Start `dvc repro fetch`, which waits for the rest of the second file until `released`."""
    server.answers[f"/data/{SECOND}"] = Response(body=RAW_FILES[SECOND], stall=9)
    project = make_project(tmp_path, f"{server.url}/data/{{file}}")
    with project.start("dvc", "repro", "fetch") as dvc:
        while f"/data/{SECOND}" not in server.requests:
            assert dvc.poll() is None, dvc.communicate()
            time.sleep(0.02)
        del server.answers[f"/data/{SECOND}"]
        yield project, dvc
        server.released.set()


def _files(project: Project) -> dict[str, bytes]:
    raw = project.path / "data/raw"
    return {path.name: path.read_bytes() for path in raw.glob("[!.]*")}


def _kill_all(dvc: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(dvc.pid, signal.SIGKILL)


KILLS: tuple[Kill, ...] = (_kill_all, subprocess.Popen.kill)


@pytest.mark.parametrize("kill", KILLS)
def test_a_killed_repro_is_continued(download: Download, server: Server, kill: Kill) -> None:
    """What was complete is kept; a stage that outlives its DVC writes the same bytes."""
    project, dvc = download
    kill(dvc)
    dvc.wait()
    assert set(_files(project)) == {FIRST}
    project.do("dvc", "repro", "fetch")
    server.released.set()
    dvc.communicate()  # until the stage that outlived it has ended, too
    assert _files(project) == RAW_FILES
    assert "up to date" in project.do("dvc", "status", "fetch")


def test_a_second_repro_and_the_gate_name_the_first(download: Download, server: Server) -> None:
    """The first ends as if it were the only one."""
    project, dvc = download
    second = project.run("dvc", "repro", "fetch")
    (project.path / "metrics").mkdir(exist_ok=True)
    (project.path / "metrics/accuracy.json").write_text("{}")
    gate = project.run("python", "-m", "commands.gate")
    server.released.set()
    out, err = dvc.communicate()
    assert second.status != 0
    assert f"(PID {dvc.pid}): " in second.err
    assert f"(PID {dvc.pid}): " in gate.error()
    assert dvc.returncode == 0, out + err
    assert _files(project) == RAW_FILES


def test_an_edit_while_a_stage_runs_fails_it(download: Download, server: Server) -> None:
    """DVC would record the new code with the results of the old; the next repro runs the new."""
    project, dvc = download
    name = "stages/fetch/fetch.py"
    with (project.path / name).open("a", encoding="utf-8") as file:
        file.write("# edited\n")
    server.released.set()
    _, err = dvc.communicate()
    assert f"error: {name}: changed while fetch ran" in err
    assert "Running stage 'fetch'" in project.do("dvc", "repro", "fetch")
    assert "up to date" in project.do("dvc", "status", "fetch")


def test_a_killed_training_goes_on(project_copy: Project) -> None:
    """From its last checkpoint, to the bytes of one that was never killed."""
    checkpoints = project_copy.path / ".cache/checkpoints"
    shutil.rmtree(checkpoints)
    project_copy.edit("params.yaml", "iterations: 200\n", "iterations: 40000\n")
    project_copy.edit("params.yaml", "checkpoint_every_seconds: 60", "checkpoint_every_seconds: 1")
    with project_copy.start("dvc", "repro", "train@long") as dvc:
        while not list(checkpoints.glob("*.npz")):
            assert dvc.poll() is None, dvc.communicate()
            time.sleep(0.02)
        _kill_all(dvc)
    assert re.search("goes on after [1-9]", project_copy.do("dvc", "repro", "train@long"))
    lock = (project_copy.path / "dvc.lock").read_bytes()
    printed = project_copy.do("dvc", "repro", "--force", "--single-item", "train@long")
    assert "goes on after" not in printed
    assert (project_copy.path / "dvc.lock").read_bytes() == lock


@pytest.mark.marathon
def test_a_training_that_is_killed_twenty_times(project_copy: Project) -> None:
    """At random moments, with a checkpoint every second: the bytes of one that was never killed."""
    project_copy.edit("params.yaml", "iterations: 200\n", "iterations: 60000\n")
    project_copy.edit("params.yaml", "checkpoint_every_seconds: 60", "checkpoint_every_seconds: 1")
    project_copy.do("dvc", "repro", "train@long")
    lock = (project_copy.path / "dvc.lock").read_bytes()
    shutil.rmtree(project_copy.path / ".cache/checkpoints")
    command = ("dvc", "repro", "--force", "--single-item", "train@long")
    chance, resumed = random.Random(0), 0  # noqa: S311 - moments, not secrets
    for _ in range(KILLED_TRAININGS):
        with project_copy.start(*command) as dvc:
            with suppress(subprocess.TimeoutExpired):
                dvc.wait(chance.uniform(3, 10))
            _kill_all(dvc)
            resumed += "goes on after" in dvc.communicate()[0]
    resumed += "goes on after" in project_copy.do(*command)
    assert resumed > KILLED_TRAININGS / 4
    assert (project_copy.path / "dvc.lock").read_bytes() == lock


def test_several_trackers_take_turns_and_make_each_run_once(project_copy: Project) -> None:
    trackers = [project_copy.start("python", "-m", "stages.track") for _ in range(TRACKERS)]
    for tracker in trackers:
        out, err = tracker.communicate()
        assert tracker.returncode == 0, out + err
    assert project_copy.tracked_runs() == [(name, "FINISHED") for name in sorted(ITERATIONS)]


@pytest.mark.marathon
def test_kills_at_random_moments(project_copy: Project) -> None:
    """However often it is killed, `dvc repro` continues, and ends with the same dvc.lock."""
    lock = project_copy.path / "dvc.lock"
    expected = lock.read_bytes()
    chance = random.Random(0)  # noqa: S311 - moments, not secrets
    for _ in range(MOMENTS):
        if lock.exists() and lock.read_bytes() == expected:
            for name in (".cache", ".dvc/cache", ".dvc/tmp", *OUTPUTS):
                shutil.rmtree(project_copy.path / name, ignore_errors=True)
            lock.unlink()
        with project_copy.start("dvc", "repro") as dvc:
            with suppress(subprocess.TimeoutExpired):
                dvc.wait(chance.uniform(0, LONGEST_SECONDS))
            chance.choice(KILLS)(dvc)
            _, err = dvc.communicate()
        # DVC writes these in place, so a kill can cut them off; it then names them.
        for name in ("dvc.lock", ".dvc/tmp/rwlock"):
            if name in err:
                (project_copy.path / name).unlink()
    project_copy.do("dvc", "repro")
    assert lock.read_bytes() == expected
