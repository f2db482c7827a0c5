"""Files are whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.atomic import atomic_open, sha256


def test_sha256() -> None:
    """The digest is that of the standard's example."""
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert expected == sha256(b"abc")


def test_replacing_makes_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    """The file is there with what was written, in a folder that was not there."""
    path = tmp_path / "a" / "b.npz"
    with atomic_open(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert [path] == list(path.parent.iterdir())


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_interrupted_write_changes_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    """After an exception the old content is there, and no partial file."""
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_open(path) as file:
        file.write(b"ne")
        raise error
    assert path.read_bytes() == b"old"
    assert [path] == list(tmp_path.iterdir())


KILLED = """
import os, signal, sys
from pathlib import Path
from common.atomic import atomic_open
with atomic_open(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """SIGKILL leaves the old content and a partial file; the next writer clears that away."""
    path = tmp_path / "a"
    path.write_bytes(b"old")
    killed = subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert killed.returncode == -9
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2
    with atomic_open(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert [path] == list(tmp_path.iterdir())


def test_a_living_writer_is_left_alone(tmp_path: Path) -> None:
    """Two processes may write the same file; neither takes away what the other is writing."""
    path = tmp_path / "a"
    other = tmp_path / f".a.{os.getppid()}.partial"
    other.write_bytes(b"half")
    with atomic_open(path) as file:
        file.write(b"new")
    assert other.read_bytes() == b"half"


def test_a_read_only_file_is_replaced(tmp_path: Path) -> None:
    """A link into DVC's cache, which is read-only, gives way, and the cache keeps its bytes."""
    cached, path = tmp_path / "cached", tmp_path / "a"
    cached.write_bytes(b"old")
    cached.chmod(0o444)
    path.hardlink_to(cached)
    with atomic_open(path) as file:
        file.write(b"new")
    assert (cached.read_bytes(), path.read_bytes()) == (b"old", b"new")


STAGE = """
import sys
from pathlib import Path
from common import command_line as console
from common.atomic import atomic_open

def main():
    print("at work", flush=True)
    input()
    with atomic_open(Path(sys.argv[1])) as file:
        file.write(b"new")

console.run(main)
"""
# As DVC does: a shell, which may or may not make way for the command.
STARTER = """
import os, subprocess, sys
shell = ["sh", "-c", sys.argv[1], "sh", sys.executable, "-c", *sys.argv[2:]]
subprocess.run(shell, env=os.environ | {"DVC_STAGE": "train"})
"""


@pytest.mark.parametrize("line", ['exec "$@"', '"$@"; exit'])
@pytest.mark.parametrize("killed", [False, True])
def test_a_stage_whose_dvc_was_killed_writes_nothing(
    killed: bool, line: str, tmp_path: Path
) -> None:
    """Another DVC may be at work by now: the orphan says so, and leaves the file alone."""
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, line, STAGE, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout
        assert starter.stdout.readline() == "at work\n"
        if killed:
            starter.kill()
            starter.wait()
        _, said = starter.communicate("go\n")
    assert (b"old" if killed else b"new") == path.read_bytes()
    refused = f"error: {path}: not written, for DVC (process {starter.pid}) was killed while"
    assert killed == said.startswith(refused), said
    assert [path] == list(tmp_path.iterdir())
