"""Where a result comes from, in real git repositories."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.track import provenance
from support.command_line import CommandError


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a larger repository whose folder `project` is the working directory."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    project = tmp_path / "repository" / "project"
    project.mkdir(parents=True)
    monkeypatch.chdir(project)
    git("init", "--quiet", "..")
    git("config", "--global", "user.name", "Test")
    git("config", "--global", "user.email", "test@example.org")
    (project / "dvc.yaml").write_text("stages: {}\n")
    (project / "latin").write_bytes(b"caf\xe9\n")
    (project / "binary").write_bytes(bytes(range(256)))
    (project.parent / "beside").write_text("one\n")
    commit("first")
    return project.parent


def git(*arguments: str) -> str:
    """Run git, and return what it printed."""
    command = ["git", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(message: str) -> str:
    git("add", "--all", ":/")
    git("commit", "--quiet", "--message", message)
    return git("rev-parse", "HEAD")


def test_a_diff_can_be_applied(repository: Path) -> None:
    """It has every change to tracked files of the project, whatever git is configured to show."""
    for name in ("diff.noprefix", "diff.mnemonicPrefix"):
        git("config", "--global", name, "true")
    git("config", "--global", "color.ui", "always")
    git("config", "--global", "diff.external", "x")
    project = repository / "project"
    (project / "dvc.yaml").write_text("two, without a line end")
    (project / "latin").write_bytes(b"caf\xe9s\n")
    (project / "binary").unlink()
    (project / "untracked").touch()
    (repository / "beside").write_text("hunter2\n")
    current = provenance.current()
    assert current.commit == git("rev-parse", "HEAD")
    assert {"processor", "python", "package_numpy", "package_dvc"} <= set(current.machine)
    assert b"hunter2" not in current.diff
    expected = {path.name: path.read_bytes() for path in project.iterdir()}
    git("reset", "--quiet", "--hard")
    (repository.parent / "patch").write_bytes(current.diff)
    git("apply", "--directory=", "../../patch")
    assert {path.name: path.read_bytes() for path in project.iterdir()} == expected


def _unpack_below(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "unpacked").mkdir()
    (repository / "unpacked" / "dvc.yaml").touch()
    monkeypatch.chdir(repository / "unpacked")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda repository, patch: patch.setenv("PATH", str(repository)), "git is not installed"),
        (lambda repository, patch: patch.chdir(repository.parent), "not a git repository"),
        (_unpack_below, "did not match any file"),
    ],
)
def test_without_its_own_repository_the_commit_is_unknown(
    repository: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[..., None], reason: str
) -> None:
    """It is not taken from a repository that surrounds this folder."""
    change(repository, monkeypatch)
    assert (provenance.current().commit, provenance.current().diff) == (None, b"")
    with pytest.raises(CommandError, match=reason):
        list(provenance.earlier("dvc.lock"))


def test_earlier_results_are_the_oldest_of_each_content(repository: Path) -> None:
    """Those of commits come first, then those of DVC's experiments."""
    lock = repository / "project" / "dvc.lock"
    lock.write_text("one")
    first = commit("has a lock")
    (repository / "beside").write_text("two\n")
    commit("has the same lock")
    git("switch", "--quiet", "--create", "side")
    lock.write_text("two")
    side = commit("has another lock")
    lock.unlink()
    commit("has none")
    git("switch", "--quiet", "--detach", first)
    lock.write_text("three")
    experiment = commit("an experiment")
    git("update-ref", f"refs/exps/{first[:2]}/{first[2:]}/brave-name", experiment)
    git("update-ref", f"refs/exps/{first[:2]}/{first[2:]}/same-name", first)
    git("switch", "--quiet", "side")
    *commits, last = provenance.earlier("dvc.lock")
    assert [one.commit for one in commits] == [first, side]
    assert [one.experiment for one in (*commits, last)] == [None, None, "brave-name"]
    assert (last.commit, last.machine, last.diff) == (experiment, {}, b"")
    assert last.committed_at == int(git("show", "-s", "--format=%ct", experiment))


@pytest.mark.fault
def test_a_partial_clone_is_reported(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lacks the files of earlier commits, which DVC would wait for."""
    git("config", "uploadpack.allowFilter", "true")
    (repository / "project" / "latin").write_text("another\n")
    commit("second")
    clone = repository.parent / "clone"
    git("clone", "--quiet", "--filter=blob:none", repository.as_uri(), str(clone))
    monkeypatch.chdir(clone / "project")
    with pytest.raises(CommandError, match="`git fetch --refetch --no-filter` completes it"):
        list(provenance.earlier("dvc.lock"))
