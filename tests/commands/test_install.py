"""What `make` does first: when it installs, from where, and with what."""

import dataclasses
import hashlib
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import install
from tests.project import Project, project_in
from tests.workspace import ROOT

LOCK = Path("a.lock")
PYTHON = Path(".venv/bin/python")
PACKAGES = Path(".venv/lib/python3.11/site-packages")
PACKAGE = PACKAGES / "dvc-1.dist-info"
CHANGES: dict[str, tuple[bool, Callable[[], object]]] = {
    "none": (False, lambda: None),
    "a package was added": (False, (PACKAGES / "more-1.dist-info").mkdir),
    "a package was replaced": (True, lambda: PACKAGE.rename(PACKAGES / "dvc-2.dist-info")),
    "a package was removed": (True, PACKAGE.rmdir),
    "the lock file has changed": (True, lambda: LOCK.write_text("dvc==1\nmore==1\n")),
    "its Python is gone": (True, PYTHON.unlink),
    "the folder was moved": (True, lambda: os.chdir(Path.cwd().rename("../elsewhere"))),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working directory with a lock file and one installed package."""
    (tmp_path / "project" / PACKAGE).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    PYTHON.parent.mkdir()
    PYTHON.touch()
    monkeypatch.setattr(sys, "argv", ["install", str(LOCK)])
    LOCK.write_text("dvc==1\n")
    return tmp_path / "project"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("installs", "change"), CHANGES.values(), ids=CHANGES)
def test_it_installs_again_if_something_was_changed(
    installs: bool, change: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []
    monkeypatch.setattr(install, "create", lambda: done.append("create"))
    monkeypatch.setattr(install, "install", done.append)
    install.main()
    assert done == ["create", LOCK]
    change()
    for _ in range(2):
        install.main()
        assert done == ["create", LOCK] * (2 if installs else 1)


def test_an_environment_is_created_once_where_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its programs hold its path, and its Python is a link. What it begins with is locked."""
    commands: list[list[str]] = []
    pip = [".venv/bin/python", "-m", "pip", "install", "--no-user", "--quiet", "--require-hashes"]
    monkeypatch.setattr(install, "_run", commands.append)
    Path(".venv/place").write_text("elsewhere")
    for _ in range(2):
        install.create()
    assert commands == [
        [sys.executable, "-m", "venv", "--clear", ".venv"],
        [*pip, "-r", "requirements-build.lock"],
    ]
    monkeypatch.chdir(folder.rename(folder.with_name("moved")))
    install.create()
    assert commands[2:] == commands[:2]
    PYTHON.unlink()
    install.create()
    assert commands[4:] == commands[:2]


UV = """
import json, os, sys
json.dump([sys.argv[1:], dict(os.environ)], open("called.json", "w"))
"""
PIP_CONF = """
[global]
index-url = https://user:secret@example.org/simple
extra-index-url = https://a.example.org https://b.example.org
cert = /etc/company's.pem
timeout = 60
"""


def test_uv_asks_where_pip_is_configured_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It checks all hashes, and builds with locked packages; variables for uv itself win."""
    (folder / "uv.py").write_text(UV)
    (folder / "pip.conf").write_text(PIP_CONF)
    for name in ("PIP_INDEX_URL", *install.UV_SETTINGS.values()):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "pip.conf")
    monkeypatch.setenv("UV_INDEX", "https://mine.example.org")
    monkeypatch.setattr(install, "PYTHON", sys.executable)
    install.install(LOCK)
    arguments, environment = json.loads(Path("called.json").read_text())
    options = ["--require-hashes", "--no-build-isolation", "-r", "a.lock"]
    assert arguments == ["pip", "install", "--python", sys.executable, *options]
    assert {name: environment[name] for name in install.UV_SETTINGS.values()} == {
        "UV_DEFAULT_INDEX": "https://user:secret@example.org/simple",
        "UV_INDEX": "https://mine.example.org",
        "SSL_CERT_FILE": "/etc/company's.pem",
    }
    assert environment["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert environment["UV_SYSTEM_CERTS"] == "true"


@pytest.mark.usefixtures("folder")
def test_an_environment_of_the_users_own_is_left_alone() -> None:
    with pytest.raises(
        SystemExit, match=r"^error: \.venv was not made by `make`: move it away, or"
    ):
        install.create()
    assert PYTHON.exists()


def test_pip_installs_where_uv_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same packages, in the same way."""
    commands: list[list[str]] = []
    (folder / "uv.py").write_text("raise SystemExit(1)")
    monkeypatch.setattr(install, "_run", commands.append)
    monkeypatch.setattr(install, "PYTHON", sys.executable)
    install.install(LOCK)
    assert commands == [[*install.PIP, "--no-build-isolation", "-r", "a.lock"]]


def test_an_environment_imports_the_project_from_any_folder(folder: Path) -> None:
    """Such as that of a notebook, also if all of it was moved."""
    install._let_notebooks_import()
    line = (PACKAGES / "project.pth").read_text().strip()
    assert (folder / PACKAGES / line).resolve() == folder


def _wheel(folder: Path, name: str, version: int = 1) -> str:
    """Make a package with one empty module, and return its line of a lock file."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{name}=={version} \\\n    --hash=sha256:{sha256}\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project with two empty packages, and a user whose pip installs for the user."""
    user = {"PIP_USER": "1", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    user["PATH"] = "/usr/bin:/bin"
    folder = tmp_path / "it's 50% here?"
    for name in ("Makefile", "commands/install.py", "support/pip_settings.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "requirements-build.lock").write_text(_wheel(tmp_path, "setuptools"), "utf-8")
    (folder / "requirements.lock").write_text(_wheel(tmp_path, "dvc"), "utf-8")
    return dataclasses.replace(project_in(tmp_path), path=folder, variables=user)


@pytest.mark.slow
def test_make_installs_with_pip_where_uv_fails(project: Project, tmp_path: Path) -> None:
    """A missing package is one line, and the next `make` installs again, as in a moved clone."""
    make = ("make", f"PYTHON={sys.executable}", ".venv/installed")
    wheel = tmp_path / "dvc-1-py3-none-any.whl"
    wheel.rename(tmp_path / "missing")
    failed = project.run(*make)
    assert failed.status == 2
    assert "-r requirements.lock` failed; what it printed is above" in failed.err
    assert "Traceback" not in failed.err
    (tmp_path / "missing").rename(wheel)
    assert "installing requirements.lock with pip" in project.do(*make)
    (module,) = project.path.glob(".venv/lib/*/site-packages/dvc.py")
    assert "installing" not in project.do(*make)
    project.do("bash", "-ec", "cd commands; ../.venv/bin/python -c 'import support.pip_settings'")
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    shutil.rmtree(module.with_name("dvc-1.dist-info"))
    assert "do not match the hashes" in project.run(*make).err.lower().replace("\n", " ")
    moved = dataclasses.replace(project, path=project.path.rename(tmp_path / "it's elsewhere"))
    assert "creating .venv with" in moved.run(*make).out


def test_lock_adds_and_upgrade_upgrades(project: Project, tmp_path: Path) -> None:
    first = _wheel(tmp_path, "first")
    newer, second = _wheel(tmp_path, "first", 2), _wheel(tmp_path, "second")
    about = '[project]\nname = "mine"\nversion = "1"\ndependencies = ["first", "second"]\n'
    (project.path / "pyproject.toml").write_text(about, "utf-8")
    (project.path / "stages/train").mkdir(parents=True)
    (project.path / "stages/train/requirements.txt").touch()
    lock = project.path / "requirements.lock"
    lock.write_text(first, "utf-8")
    make = ("make", "--old-file=.venv/installed", f"BIN={sys.prefix}/bin")
    places = {"UV_OFFLINE": "1", "UV_FIND_LINKS": str(tmp_path)}
    project.do(*make, "lock", **places)
    assert lock.read_text("utf-8") == first + second
    project.do(*make, "upgrade", **places)
    assert lock.read_text("utf-8") == newer + second


def test_other_installers_do_not_replace_what_make_has_installed(project: Project) -> None:
    """Uv refuses to; `pip install -e .` finds dependencies and no package of the project's own."""
    for name in ("pyproject.toml", "README.md", "stages/__init__.py", "common/__init__.py"):
        (project.path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, project.path / name)
    assert "marked as unmanaged" in project.run(f"{sys.prefix}/bin/uv", "sync", "--offline").err
    assert not (project.path / "uv.lock").exists()
    pip = (sys.executable, "-m", "pip", "install", "--dry-run", "--no-build-isolation", "--no-deps")
    assert "Would install" in project.do(*pip, "-e", ".", PIP_USER="0")
