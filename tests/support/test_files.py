"""A file has its old content or its new, never a part of it; a wrong one is named."""

import hashlib
import os
import re
from pathlib import Path

import pytest

from support.command_line import InputError
from support.files import atomic_open, atomic_write, files_in, reading, repository, sha256


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


@pytest.mark.fault
def test_content_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a power failure could leave an empty file under the name."""
    synced = []

    def sync(descriptor: int) -> None:
        assert not (tmp_path / "a").exists()
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fsync", sync)
    atomic_write(tmp_path / "a", b"content")
    assert synced == [len(b"content")]


def test_a_read_only_link_into_the_cache_of_dvc_is_replaced(tmp_path: Path) -> None:
    cached, path = tmp_path / "cached", tmp_path / "a"
    cached.write_bytes(b"old")
    cached.chmod(0o444)
    path.hardlink_to(cached)
    atomic_write(path, b"new")
    assert (cached.read_bytes(), path.read_bytes()) == (b"old", b"new")


@pytest.mark.fault
def test_a_disk_that_fails_is_named(tmp_path: Path) -> None:
    """It does not say where; errors that are no disk's stay as they are."""
    for opened in (reading(tmp_path / "a"), atomic_open(tmp_path / "a")):
        with pytest.raises(OSError, match="Input/output") as error, opened:
            raise OSError(5, "Input/output error")
        assert error.value.filename == str(tmp_path / "a")
    for other in (OSError("Damaged"), OSError(5, "Input/output error", "b")):
        with pytest.raises(OSError, match=f"^{re.escape(str(other))}$"), reading(tmp_path / "a"):
            raise other


def test_the_files_of_a_folder_are_those_that_dvc_records(tmp_path: Path) -> None:
    """At any depth, and not what editors and Python leave there."""
    names = ("b", "a/c", "a/b/a")
    ignored = (".a", ".ipynb_checkpoints/a.py", "a/__pycache__/a.pyc", "a.py~")
    for name in (*names, *ignored):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert files_in(tmp_path) == sorted(tmp_path / name for name in names)


def test_the_checksum_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    assert sha256(tmp_path / "a") == hashlib.sha256(b"content").hexdigest()
    with pytest.raises(InputError, match="b: not found; run `dvc repro`"):
        sha256(tmp_path / "b")


def test_experiments_of_dvc_are_in_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the copy that `dvc exp run --temp` makes as well, whatever DVC_ROOT says."""
    monkeypatch.setenv("DVC_ROOT", "/elsewhere")
    copy = tmp_path / ".dvc/tmp/exps/tmpabc"
    copy.mkdir(parents=True)
    for folder in (tmp_path, copy):
        monkeypatch.chdir(folder)
        assert repository() == tmp_path
