"""SIGKILL at any moment: the next `dvc repro` ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.faults.conftest import FIRST, Download
from tests.fixtures import RAW_FILES, Project

pytestmark = pytest.mark.fault
MOMENTS = 50
# DVC writes them in place, so a kill can cut them off.
LOCKS = ("dvc.lock", ".dvc/tmp/rwlock")


def _kill_all(dvc: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(dvc.pid, signal.SIGKILL)


def _kill_dvc(dvc: subprocess.Popen[str]) -> None:
    dvc.kill()


KILLS: tuple[Callable[[subprocess.Popen[str]], None], ...] = (_kill_all, _kill_dvc)


@pytest.mark.parametrize("kill", KILLS)
def test_a_killed_repro_is_continued_by_the_next(
    download: Download, kill: Callable[[subprocess.Popen[str]], None]
) -> None:
    """What was complete is kept; a stage that outlives its DVC writes the same bytes."""
    raw = download.project.path / "data/raw"
    kill(download.dvc)
    download.dvc.wait()
    assert {path.name for path in raw.glob("[!.]*")} == {FIRST}
    download.project.do("dvc", "repro", "fetch")
    download.server.released.set()
    download.dvc.communicate()  # until the stage that outlived it has ended, too
    assert {path.name: path.read_bytes() for path in raw.glob("[!.]*")} == RAW_FILES
    assert "up to date" in download.project.do("dvc", "status", "fetch")


def _delete_results(project: Project) -> None:
    for name in ("data", "models", "costs", "plots", ".dvc/cache", ".dvc/tmp", ".dvc-state"):
        shutil.rmtree(project.path / name, ignore_errors=True)
    (project.path / "dvc.lock").unlink(missing_ok=True)


@pytest.mark.marathon
def test_kills_at_random_moments(
    project_copy: Project, record_property: Callable[[str, object], None]
) -> None:
    """However often it is killed, `dvc repro` goes on, and ends with the same dvc.lock."""
    expected = (project_copy.path / "dvc.lock").read_bytes()
    _delete_results(project_copy)
    began = time.monotonic()
    project_copy.do("dvc", "repro")
    seconds = time.monotonic() - began
    chance = random.Random(0)  # noqa: S311 - moments, not secrets
    kills = 0
    _delete_results(project_copy)
    while kills < MOMENTS or (project_copy.path / "dvc.lock").read_bytes() != expected:
        with project_copy.start("dvc", "repro") as dvc:
            if kills < MOMENTS:
                with suppress(subprocess.TimeoutExpired):
                    dvc.wait(chance.uniform(0, seconds / 2))
            if kills < MOMENTS and dvc.poll() is None:
                chance.choice(KILLS)(dvc)
                kills += 1
            out, err = dvc.communicate()
        if dvc.returncode == 0:
            assert (project_copy.path / "dvc.lock").read_bytes() == expected
            if kills < MOMENTS:
                _delete_results(project_copy)
        elif dvc.returncode > 0:
            # Only because a kill cut off a file, which DVC names; docs/reliability.md says so.
            cut_off = [name for name in LOCKS if name in err]
            assert cut_off, out + err
            for name in cut_off:
                (project_copy.path / name).unlink()
    record_property("faults", kills)
