"""Bytes that a disk, a kill or a person has changed: noticed, named, and repaired."""

import re
from hashlib import md5
from pathlib import Path

import pytest

from tests.project import Project, flip_bit
from tests.workspace import RAW_FILES

pytestmark = pytest.mark.fault
*_, LAST_RAW_FILE = RAW_FILES
CACHED = (
    f"data/raw/{LAST_RAW_FILE}",
    "data/flat/test.npz",
    "models/long/weights.npz",
    "costs/short.csv",
    "plots/predictions/long.csv",
)


def test_only_a_damaged_raw_file_is_fetched_again(project_copy: Project) -> None:
    """The others stay as they are, and nothing is trained."""
    raw = project_copy.path / "data/raw"
    (raw / LAST_RAW_FILE).chmod(0o644)
    (raw / LAST_RAW_FILE).write_bytes(b"damaged")
    printed = project_copy.do("dvc", "repro", "evaluate")
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == RAW_FILES
    assert re.findall(r"^(\S+): [\d,]+ bytes from", printed, re.MULTILINE) == [LAST_RAW_FILE]
    assert "iteration 0," not in printed


def test_the_gate_reads_every_byte(project_copy: Project) -> None:
    """It names each file with a wrong bit, although DVC takes them for those that it has read."""
    names = (*CACHED, "metrics/accuracy.json")
    status = ("dvc", "status", "--json", "--with-deps", "evaluate")
    assert project_copy.do(*status) == "{}\n"
    accuracy = project_copy.path / "metrics/accuracy.json"
    flip_bit(accuracy, accuracy.read_bytes().index(b"0.") + 2)
    for name in CACHED:
        flip_bit(project_copy.path / name)
    assert project_copy.do(*status) == "{}\n"
    error = project_copy.run("python", "-m", "commands.gate").error()
    assert "`make repair`" in error
    for name in names:
        assert f"modified {name}" in error or f"modified {Path(name).parent}" in error, name


@pytest.mark.slow
def test_flipped_bits_are_repaired(project_copy: Project) -> None:
    """In files, and in some of DVC's copies of them, wherever its cache is."""
    path = project_copy.path
    cache = (path / ".dvc/cache").rename(path.parent / "elsewhere")
    project_copy.do("dvc", "config", "--local", "cache.dir", str(cache))
    damaged = (*CACHED, "plots/report.html", "plots/figures/costs.png")
    names = (*damaged, "metrics/accuracy.json", "dvc.lock")
    before = {name: (path / name).read_bytes() for name in names}
    project_copy.do("dvc", "status")
    for name in damaged:
        flip_bit(path / name)
    for name in damaged[::2]:
        digest = md5(before[name], usedforsecurity=False).hexdigest()
        flip_bit(cache / "files/md5" / digest[:2] / digest[2:])
    project_copy.do("make", "repair")
    assert {name: (path / name).read_bytes() for name in names} == before


def test_files_of_dvc_that_are_cut_off_are_named(project_copy: Project) -> None:
    """dvc.lock by the gate, too; without the list of locks, DVC makes a new one."""
    lock, locks = project_copy.path / "dvc.lock", project_copy.path / ".dvc/tmp/rwlock"
    content = lock.read_bytes()
    lock.write_bytes(content[:20])
    assert "dvc.lock' is invalid" in project_copy.run("dvc", "repro").err
    assert "dvc.lock' is invalid" in project_copy.run("python", "-m", "commands.gate").error()
    project_copy.do("git", "checkout", "dvc.lock")
    locks.write_bytes(b"")
    assert ".dvc/tmp/rwlock" in project_copy.run("dvc", "repro", "fetch").err
    locks.unlink()
    assert "up to date" in project_copy.do("dvc", "repro", "fetch")
