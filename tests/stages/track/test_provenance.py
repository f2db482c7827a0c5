"""Where a result comes from, in real git repositories."""

import platform
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from stages.track.provenance import COMMIT, EXPERIMENT, current, processor


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a larger repository whose folder `project` is the working directory."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    project = tmp_path / "repository" / "project"
    project.mkdir(parents=True)
    monkeypatch.chdir(project)
    git("init", "--quiet", "..")
    git("config", "--global", "user.name", "Test")
    git("config", "--global", "user.email", "test@example.org")
    (project / "stages").mkdir()
    (project / "dvc.yaml").write_text("stages: {}\n")
    (project / "latin").write_bytes(b"caf\xe9\n")
    (project / "binary").write_bytes(bytes(range(256)))
    (project.parent / "beside").write_text("one\n")
    git("add", "--all", ":/")
    git("commit", "--quiet", "--message", "first")
    return project.parent


def git(*arguments: str) -> str:
    """Run git, and return what it printed."""
    command = ["git", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_patch_has_all_changes_of_the_project(repository: Path) -> None:
    """New code as well, whatever git is configured to show; nothing else of the repository."""
    for name in ("diff.noprefix", "diff.mnemonicPrefix"):
        git("config", "--global", name, "true")
    git("config", "--global", "color.ui", "always")
    git("config", "--global", "diff.external", "x")
    project = repository / "project"
    (project / "dvc.yaml").write_text("two, without a line end")
    (project / "latin").write_bytes(b"caf\xe9s\n")
    (project / "binary").unlink()
    (project / "stages" / "new file").write_text("SCALE = 255\n")
    (repository / "beside").write_text("hunter2\n")
    before = git("status", "--porcelain")
    origin = current()
    assert git("status", "--porcelain") == before
    assert (origin.tags[COMMIT], origin.tags["git.dirty"]) == (git("rev-parse", "HEAD"), "true")
    for package in ("numpy", "dvc", "mlflow", "matplotlib"):
        assert origin.tags[f"package_{package}"] == version(package)
    assert origin.tags["python"] == platform.python_version()
    assert b"hunter2" not in origin.patch
    files = sorted(path for path in project.rglob("*") if path.is_file())
    expected = {path: path.read_bytes() for path in files}
    git("stash", "--quiet", "--include-untracked")
    (repository.parent / "patch").write_bytes(origin.patch)
    git("apply", "--directory=", "../../patch")
    assert sorted(path for path in project.rglob("*") if path.is_file()) == files
    assert {path: path.read_bytes() for path in files} == expected


@pytest.mark.parametrize("path", ["stages/new.py", "notes.txt"])
def test_new_code_counts_as_a_change(repository: Path, path: str) -> None:
    (repository / "project" / path).touch()
    assert current().tags["git.dirty"] == str(path.startswith("stages")).lower()


def test_an_experiment_has_the_name_that_dvc_gave_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or that of the temporary folder, if DVC has given none."""
    assert EXPERIMENT not in current().tags
    folder = repository / "project/.dvc/tmp/exps/tmpabc"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    assert current().tags[EXPERIMENT] == "tmpabc"
    monkeypatch.setenv("DVC_EXP_NAME", "brave")
    assert current().tags[EXPERIMENT] == "brave"


def test_the_processor_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Linux does, or else as Python does."""
    text = "processor\t: 0\nmodel name\t: A processor: fast\nflags\t: avx2\n"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
    assert processor() == "A processor: fast"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "processor\t: 0\n")
    monkeypatch.setattr(platform, "processor", str)
    assert processor() == platform.machine()


def _unpack_below(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "unpacked").mkdir()
    (repository / "unpacked" / "dvc.yaml").touch()
    monkeypatch.chdir(repository / "unpacked")


@pytest.mark.parametrize(
    "change",
    [
        lambda repository, patch: patch.setenv("PATH", str(repository)),
        lambda repository, patch: patch.chdir(repository.parent),
        _unpack_below,
    ],
    ids=["without git", "outside of a repository", "below another repository"],
)
def test_without_its_own_repository_the_commit_is_unknown(
    repository: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[..., None]
) -> None:
    change(repository, monkeypatch)
    origin = current()
    assert (origin.tags["git.dirty"], origin.tags.get(COMMIT)) == ("unknown", None)
    assert origin.patch == b""
