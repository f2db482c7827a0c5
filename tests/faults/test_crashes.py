"""SIGKILL at any moment: nothing is half done, and the next `dvc repro` ends as if nothing was."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.fixtures import RAW_FILES, Project, Server, start_fetching, make_project

from common.config import FILE_NAMES

MOMENTS = 50
# Of a kill while DVC writes them: it does so in place.
LOCKS = ("dvc.lock", ".dvc/tmp/rwlock")


def _stages(dvc: int) -> list[psutil.Process]:
    """Give the stages that a DVC process is running."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(dvc).children(recursive=True)
    return []


def _kill_all(dvc: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(dvc.pid, signal.SIGKILL)


def _kill_dvc(dvc: subprocess.Popen[str]) -> None:
    dvc.kill()


def _kill_stage(dvc: subprocess.Popen[str]) -> None:
    for stage in _stages(dvc.pid):
        with suppress(psutil.NoSuchProcess):
            stage.kill()


VICTIMS = (_kill_all, _kill_dvc, _kill_stage)
Kill = Callable[[subprocess.Popen[str]], None]


@pytest.mark.parametrize("kill", VICTIMS)
def test_a_killed_repro_is_made_good_by_the_next(
    stalling_server: Server, tmp_path: Path, kill: Kill
) -> None:
    """What was complete is kept, what was not is made again, and an orphan changes nothing."""
    project = make_project(tmp_path, f"{stalling_server.url}/data/{{file}}")
    dvc = start_fetching(project, stalling_server)
    stages = _stages(dvc.pid)
    with dvc:
        kill(dvc)
        dvc.wait()
        assert [FILE_NAMES[0]] == [path.name for path in (project.path / "data/raw").iterdir()]
        project.do("dvc", "repro", "fetch")
        raw = project.path / "data/raw"
        made = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in raw.iterdir()}
        stalling_server.released.set()
        psutil.wait_procs(stages)
        _, err = dvc.communicate()
    assert {name: content for name, (content, _) in made.items()} == RAW_FILES
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in raw.iterdir()}
    assert made == after
    assert (kill is _kill_dvc) == (f"not written, for DVC (process {dvc.pid}) was killed" in err)
    assert project.do("dvc", "status", "fetch") == "Data and pipelines are up to date.\n"


def _fresh(project: Project) -> None:
    """Take away all that the pipeline has made, and DVC's memory of it."""
    for name in ("data", "models", "costs", "plots", ".dvc/cache", ".dvc/tmp", ".dvc-state"):
        shutil.rmtree(project.path / name, ignore_errors=True)
    (project.path / "dvc.lock").unlink(missing_ok=True)


def _ended_well(project: Project, dvc: subprocess.Popen[str]) -> bool:
    """Tell whether a repro that was not killed succeeded.

    If not it can only be because a kill cut off what DVC was writing: DVC names the file, which
    is then deleted, as docs/reliability.md says.
    """
    out, err = dvc.communicate()
    named = [name for name in LOCKS if name in err]
    assert bool(dvc.returncode) == bool(named), out + err
    for name in named:
        (project.path / name).unlink()
    return not named


@pytest.mark.marathon
def test_kills_at_random_moments(
    project: Project, record_property: Callable[[str, object], None]
) -> None:
    """However often and whenever it is killed, `dvc repro` goes on, to the same dvc.lock.

    The whole group, DVC alone, or a stage alone; each repro goes on where the last was killed.
    """
    began = time.monotonic()
    project.do("dvc", "repro")
    seconds = time.monotonic() - began
    expected = (project.path / "dvc.lock").read_bytes()
    _fresh(project)
    chance = random.Random(0)  # noqa: S311 - moments, not secrets
    killed: list[subprocess.Popen[str]] = []
    orphans: list[psutil.Process] = []
    done = False
    while len(killed) < MOMENTS or not done:
        dvc = project.start("dvc", "repro")
        if len(killed) < MOMENTS:
            with suppress(subprocess.TimeoutExpired):
                dvc.wait(chance.uniform(0, seconds / 2))
        else:
            dvc.wait()
        if dvc.poll() is None:
            orphans += _stages(dvc.pid)
            chance.choice(VICTIMS)(dvc)
            dvc.wait()
            killed.append(dvc)
        elif done := _ended_well(project, dvc):
            psutil.wait_procs(orphans)
            assert expected == (project.path / "dvc.lock").read_bytes()
            assert project.do("dvc", "status", "dvc.yaml") == "Data and pipelines are up to date.\n"
            if len(killed) < MOMENTS:
                _fresh(project)
    for dvc in killed:
        dvc.communicate()
    record_property("faults", len(killed))
