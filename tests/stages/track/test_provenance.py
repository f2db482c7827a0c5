"""Where a result comes from, in real git repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stages.track import provenance


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a repository with one commit, as the working directory."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    path = tmp_path / "repository"
    path.mkdir()
    monkeypatch.chdir(path)
    git("init", "--quiet")
    git("config", "--global", "user.name", "Test")
    git("config", "--global", "user.email", "test@example.org")
    (path / "text").write_text("one\n")
    (path / "latin").write_bytes(b"caf\xe9\n")
    (path / "binary").write_bytes(bytes(range(256)))
    commit("first")
    return path


def git(*arguments: str) -> str:
    """Run git, and give what it printed."""
    return subprocess.run(
        ["git", *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(message: str) -> str:
    """Commit all files, and give the commit."""
    git("add", "--all")
    git("commit", "--quiet", "--message", message)
    return git("rev-parse", "HEAD")


def test_what_is_committed_has_a_commit_and_no_difference(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that git does not know makes no difference; DVC's experiment is named."""
    (repository / "unknown").touch()
    monkeypatch.setenv("DVC_EXP_NAME", "brave-name")
    here = provenance.here()
    assert (git("rev-parse", "HEAD"), b"", "brave-name") == (
        here.commit,
        here.difference,
        here.experiment,
    )
    assert None is here.seconds
    names = {"processor", *(f"version.{name}" for name in ("python", *provenance.PACKAGES))}
    assert names == set(here.machine)
    assert all(here.machine.values())


@pytest.mark.parametrize(
    "setting",
    [
        "core.pager cat",
        "diff.noprefix true",
        "diff.mnemonicPrefix true",
        "color.ui always",
        "diff.external false",
    ],
)
def test_a_difference_can_be_applied(repository: Path, setting: str) -> None:
    """Whatever git is configured to show: text, a line without an end, other bytes, a deletion."""
    git("config", "--global", *setting.split())
    (repository / "text").write_text("two, without a line end")
    (repository / "latin").write_bytes(b"caf\xe9s\n")
    (repository / "binary").unlink()
    (repository / "new").write_bytes(bytes(range(255, -1, -1)))
    git("add", "new")
    patch = provenance.here().difference
    wanted = {path.name: path.read_bytes() for path in repository.iterdir() if path.is_file()}
    git("reset", "--quiet", "--hard")
    (repository.parent / "patch").write_bytes(patch)
    git("apply", "../patch")
    assert wanted == {
        path.name: path.read_bytes() for path in repository.iterdir() if path.is_file()
    }


@pytest.mark.parametrize("git_there", [True, False])
def test_outside_of_git_nothing_is_known(
    repository: Path, monkeypatch: pytest.MonkeyPatch, git_there: bool
) -> None:
    """Neither a folder that is no repository nor a machine without git stops anything."""
    if git_there:
        monkeypatch.chdir(repository.parent)
    else:
        monkeypatch.setenv("PATH", str(repository))
    here = provenance.here()
    assert (here.commit, here.difference) == (None, b"")
    assert list(provenance.commits("dvc.lock")) == []


def test_commits_are_gone_through_once_for_each_content(repository: Path) -> None:
    """The oldest of those with the same file stands for them; then come DVC's experiments."""
    without = git("rev-parse", "HEAD")
    (repository / "dvc.lock").write_text("one")
    first = commit("has a lock")
    (repository / "text").write_text("two\n")
    commit("has the same lock")
    git("switch", "--quiet", "--create", "side", without)
    (repository / "dvc.lock").write_text("two")
    side = commit("has another lock")
    git("switch", "--quiet", "--detach", first)
    (repository / "dvc.lock").write_text("three")
    experiment = commit("an experiment")
    git("update-ref", f"refs/exps/{first[:2]}/{first[2:]}/brave-name", experiment)
    git("update-ref", f"refs/exps/{first[:2]}/{first[2:]}/same-name", first)
    git("switch", "--quiet", "side")
    found = list(provenance.commits("dvc.lock"))
    assert [without, experiment] == [found[0].commit, found[-1].commit]
    assert {first, side} == {one.commit for one in found[1:-1]}
    assert [one.experiment for one in found] == [None, None, None, "brave-name"]
    for one in found:
        assert int(git("show", "-s", "--format=%ct", str(one.commit))) == one.seconds
        assert (one.machine, one.difference) == ({}, b"")
