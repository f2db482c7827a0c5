"""What `make` does first: on which machines it can install, from where, and with what."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands import install
from tests.fixtures import ROOT, CompletedRun

MACHINES = {
    "a newer Python": ({"sys.version_info": (3, 14, 0)}, f"is Python {platform.python_version()}"),
    "a 32-bit Python": ({"sys.maxsize": 2**31 - 1}, "is a 32-bit Python"),
    "Debian's Python without venv": (
        {"install.MODULES": ("json", "ensure_pip")},
        f"{sys.executable} lacks ensure_pip",
    ),
    "Windows": ({"platform.system": lambda: "Windows"}, "this is Windows"),
    "an Intel Mac": (
        {"platform.system": lambda: "Darwin", "platform.machine": lambda: "x86_64"},
        "this Mac has an Intel processor",
    ),
    "a Mac with Apple silicon": (
        {"platform.system": lambda: "Darwin", "platform.machine": lambda: "arm64"},
        None,
    ),
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
        monkeypatch.setattr(f"commands.install.{name.removeprefix('install.')}", value)
    problem = install.problem()
    assert problem == reason or (reason and reason in str(problem)), problem


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


@pytest.mark.parametrize("package", ["uv", "setuptools"])
def test_what_installs_is_locked_as_well(package: str) -> None:
    """With every hash; a package that is not in the file has no lines."""
    content = (ROOT / "requirements.lock").read_text("utf-8")
    first, *hashes = install.locked(content, package).splitlines()
    assert first.startswith(f"{package}==")
    assert hashes
    assert all(line.strip().startswith("--hash=sha256:") for line in hashes)
    assert install.locked(content, "setup") == ""
