"""What `make` does first: on which machines it can install, from where, and with what."""

from __future__ import annotations

import ast
import dataclasses
import platform
import shutil
import stat
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from commands import install
from tests.fixtures import ROOT, Project, project_in

MAC = {"platform.system": lambda: "Darwin"}
MACHINES = {
    "a newer Python": ({"sys.version_info": (3, 14, 0)}, f"is Python {platform.python_version()}"),
    "a 32-bit Python": ({"sys.maxsize": 2**31 - 1}, "is a 32-bit Python"),
    "Debian's Python": ({"MODULES": ("json", "ensure_pip")}, f"{sys.executable} lacks ensure_pip"),
    "Windows": ({"platform.system": lambda: "Windows"}, "this is Windows"),
    "Intel Mac": (MAC | {"platform.machine": lambda: "x86_64"}, "this Mac has an Intel processor"),
    "a Mac with Apple silicon": (MAC | {"platform.machine": lambda: "arm64"}, None),
    "Alpine": ({"platform.libc_ver": lambda: ("", "")}, "this Linux, like Alpine, has no glibc"),
    "CentOS 7": ({"platform.libc_ver": lambda: ("glibc", "2.17")}, "this Linux has glibc 2.17"),
    "a newer Linux": ({"platform.libc_ver": lambda: ("glibc", "2.100")}, None),
    "this machine": ({}, None),
}


@pytest.mark.parametrize(("machine", "reason"), MACHINES.values(), ids=MACHINES)
def test_a_machine_without_packages_is_named(
    monkeypatch: pytest.MonkeyPatch, machine: dict[str, object], reason: str | None
) -> None:
    """Before anything is installed."""
    for name, value in machine.items():
        monkeypatch.setattr(f"commands.install.{name}", value)
    problem = install.problem()
    assert problem == reason or (reason and reason in str(problem)), problem


def test_an_old_python_can_run_it() -> None:
    """It reads the annotations, but does not evaluate them, and names the Python that is needed."""
    tree = ast.parse(Path(install.__file__).read_text("utf-8"), feature_version=(3, 8))
    assert ast.unparse(tree.body[1]) == "from __future__ import annotations"


def test_uv_asks_where_pip_is_configured_to() -> None:
    """Several values, and settings that uv does not need."""
    listing = """\
global.index-url='https://user:secret@example.org/simple'
install.find-links='/some/folder\\nhttps://example.org/files'
:env:.extra-index-url='https://a.example.org https://b.example.org'
global.timeout='60'
"""
    assert install.pip_settings(listing) == {
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_DEFAULT_INDEX": "https://user:secret@example.org/simple",
        "UV_FIND_LINKS": "/some/folder,https://example.org/files",
        "UV_INDEX": "https://a.example.org https://b.example.org",
    }


def _wheel(folder: Path, name: str, module: str) -> str:
    """Make a package with one module, and return its line of a lock file."""
    path = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(module, "")
        wheel.writestr(f"{name}-1.dist-info/METADATA", f"Name: {name}\nVersion: 1\n")
        wheel.writestr(f"{name}-1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{name}-1.dist-info/RECORD", "")
    return f"{name}==1 \\\n    --hash=sha256:{sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project with two empty packages, and a user whose pip installs for the user."""
    user = {"PIP_USER": "1", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    user["PATH"] = "/usr/bin:/bin"  # an activated environment has uv
    folder = tmp_path / "it's 50% here?"
    (folder / "commands").mkdir(parents=True)
    for name in ("Makefile", "commands/install.py"):
        shutil.copy(ROOT / name, folder / name)
    lock = _wheel(tmp_path, "setuptools", "setuptools.py") + _wheel(tmp_path, "dvc", "dvc.py")
    (folder / "requirements.lock").write_text(lock, "utf-8")
    return dataclasses.replace(project_in(tmp_path), path=folder, variables=user, umask=0)


@pytest.mark.slow
def test_make_installs_with_pip_where_uv_is_missing(project: Project, tmp_path: Path) -> None:
    """A missing package is one line, and the next `make` installs again, as in a moved clone."""
    make = ("make", f"PYTHON={sys.executable}", ".venv/installed")
    wheel = tmp_path / "dvc-1-py3-none-any.whl"
    wheel.rename(tmp_path / "missing")
    failed = project.run(*make)
    assert "error: requirements.lock could not be installed" in failed.err
    assert "Traceback" not in failed.err
    (tmp_path / "missing").rename(wheel)
    assert "installing requirements.lock with pip" in project.do(*make)
    assert list(project.path.glob(".venv/lib/*/site-packages/dvc.py"))
    assert stat.S_IMODE((project.path / ".dvc-state").stat().st_mode) == 0o700
    project.do(*make, "--question")
    moved = dataclasses.replace(project, path=project.path.rename(tmp_path / "it's elsewhere"))
    assert moved.run(*make, "--question").status == 1
    assert f"creating .venv with {sys.executable}" in moved.do(*make)
    assert str(moved.path) in (moved.path / ".venv/place").read_text("utf-8")
    # Another Python rebuilds it as well.
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho another version\n", "utf-8")
    other.chmod(0o755)
    assert moved.run("make", f"PYTHON={other}", ".venv/installed", "--question").status == 1
