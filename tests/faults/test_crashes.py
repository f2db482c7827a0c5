"""SIGKILL at any moment: the next `dvc repro` ends as if nothing had happened."""

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.faults.conftest import FIRST, Download
from tests.fixtures import RAW_FILES, Project

pytestmark = [pytest.mark.fault, pytest.mark.slow]
MOMENTS = 50
LONGEST_SECONDS = 20


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


@pytest.mark.marathon
def test_kills_at_random_moments(
    project_copy: Project, record_property: Callable[[str, object], None]
) -> None:
    """However often it is killed, `dvc repro` continues, and ends with the same dvc.lock."""
    lock = project_copy.path / "dvc.lock"
    expected = lock.read_bytes()
    chance = random.Random(0)  # noqa: S311 - moments, not secrets
    for _ in range(MOMENTS):
        if lock.exists() and lock.read_bytes() == expected:
            for name in ("data", "models", "costs", "plots", ".dvc/cache", ".dvc/tmp"):
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
    record_property("faults", MOMENTS)
