"""A file has its old content or its new, never a part of it."""

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from support.files import atomic_open, atomic_write


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "b.npz"
    with atomic_open(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.fault
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_interrupted_write_changes_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_open(path) as file:
        file.write(b"ne")
        raise error
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import os, signal, sys
from pathlib import Path
from support.files import atomic_open
with atomic_open(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.fault
def test_the_next_writer_removes_the_part_of_a_killed_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    killed = subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert killed.returncode == -9
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2
    atomic_write(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.fault
def test_the_part_of_a_living_writer_stays(tmp_path: Path) -> None:
    other = tmp_path / f".a.{os.getppid()}.partial"
    other.write_bytes(b"half")
    atomic_write(tmp_path / "a", b"new")
    assert other.read_bytes() == b"half"


def test_a_read_only_link_into_the_cache_of_dvc_is_replaced(tmp_path: Path) -> None:
    cached, path = tmp_path / "cached", tmp_path / "a"
    cached.write_bytes(b"old")
    cached.chmod(0o444)
    path.hardlink_to(cached)
    atomic_write(path, b"new")
    assert (cached.read_bytes(), path.read_bytes()) == (b"old", b"new")


@pytest.mark.fault
def test_a_folder_that_cannot_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Network file systems refuse to sync a folder; the file is written all the same."""
    monkeypatch.setattr(os, "fsync", Mock(side_effect=[None, OSError]))
    atomic_write(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"
