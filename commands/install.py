"""Create .venv and install the locked packages into it, with uv, or with pip if there is no uv.

    python commands/install.py .venv requirements.lock [MORE.lock ...]

It imports only the standard library, because the Makefile runs it with the system's Python. About
20 seconds with uv, two minutes with pip. Packages come from the index that pip is configured for,
and each must have its locked hash.
"""

# For the message of an older Python, which would evaluate `str | None`.
from __future__ import annotations

import ast
import os
import platform
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

VERSIONS = ((3, 11), (3, 12), (3, 13))
# Debian has the first in a package of its own; a Python that was built on a machine without the
# libraries lacks the others.
MODULES = ("ensurepip", "_sqlite3", "_ssl", "_ctypes", "_bz2", "_lzma")
GLIBC = (2, 28)
# pip's settings, and uv's names for them.
UV_SETTINGS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}
PIP = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--require-hashes"]


def problem() -> str | None:
    """Return why the packages cannot be installed here, or None if they can."""
    python, system = sys.executable, platform.system()
    libc, version = platform.libc_ver()
    missing = [name for name in MODULES if not find_spec(name)]
    hint = " (`apt install python3-venv`)" if "ensurepip" in missing else ""
    problems = {
        f"{python} is Python {platform.python_version()}": sys.version_info[:2] not in VERSIONS,
        f"{python} is a 32-bit Python": sys.maxsize < 1 << 32,
        f"{python} lacks {', '.join(missing)}{hint}": bool(missing),
        f"this is {system}": system not in ("Linux", "Darwin"),
        "this Mac has an Intel processor": (system, platform.machine()) == ("Darwin", "x86_64"),
        "this Linux, like Alpine, has no glibc": system == "Linux" and libc != "glibc",
        f"this Linux has glibc {version}": libc == "glibc" and _numbers(version) < GLIBC,
    }
    return next((reason for reason, applies in problems.items() if applies), None)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def pip_settings(listing: str) -> dict[str, str]:
    """Return pip's configuration, which ``pip config list`` prints, as variables for uv."""
    # Like pip, ask every index; because of the hashes it does not matter which one replies.
    environment = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        variable = UV_SETTINGS.get(name.rpartition(".")[2])
        if variable:
            # pip separates several values by lines, uv by spaces; find-links by commas.
            separator = "," if variable == "UV_FIND_LINKS" else " "
            environment[variable] = separator.join(str(ast.literal_eval(value)).split())
    return environment


def locked(lock: str, package: str) -> str:
    """Return the lines of one package in the content of a lock file."""
    block = re.search(rf"^{package}==(?:.*\\\n)*.*\n", lock, re.MULTILINE)
    return block.group() if block else ""


def main() -> None:
    """Read the arguments, create the environment if necessary, and install."""
    # Where pip is configured to install for the user, it refuses to install into an environment.
    os.environ["PIP_USER"] = "0"
    folder, *locks = map(Path, sys.argv[1:])
    python = folder / "bin" / "python"
    stamp = folder / "place"
    place = f"{folder.absolute()} {sys.version}"
    is_complete = python.exists() and stamp.exists() and stamp.read_text() == place
    if not folder.is_symlink() and not is_complete:
        if reason := problem():
            sys.exit(
                f"error: {reason}; needed is Python 3.11, 3.12 or 3.13, with all of its modules, "
                "on Linux with glibc 2.28 or later (also in WSL), or on a Mac with Apple silicon; "
                "`make PYTHON=...` chooses another Python"
            )
        print(f"creating {folder} with {sys.executable}", flush=True)
        venv = [sys.executable, "-m", "venv", "--clear", str(folder)]
        if subprocess.run(venv, check=False).returncode:
            sys.exit(f"error: {folder} could not be made; what Python's venv printed is above")
        bootstrap(python, folder, Path("requirements.lock"))
        stamp.write_text(place)
    own = shutil.which("uv", path=folder / "bin")
    install(python, shutil.which("uv") or own, locks)


def bootstrap(python: Path, folder: Path, lock: Path) -> None:
    """Install setuptools, which builds one package, and uv, unless the user has it already."""
    content = lock.read_text(encoding="utf-8")
    path = folder / "bootstrap.lock"
    tools = [] if shutil.which("uv") else ["uv"]
    for packages in (["setuptools", *tools], ["setuptools"]):
        path.write_text("".join(locked(content, name) for name in packages), encoding="utf-8")
        if subprocess.run([python, *PIP, "-r", path], check=False).returncode == 0:
            return
    sys.exit("error: pip could not install setuptools; what it printed is above")


def install(python: Path, uv: str | None, locks: list[Path]) -> None:
    """Install the packages of lock files, without build isolation: nothing unlocked is run."""
    requirements = [argument for lock in locks for argument in ("-r", str(lock))]
    names = ", ".join(map(str, locks))
    if uv:
        print(f"installing {names} with uv", flush=True)
        command = [str(python), "-m", "pip", "config", "list"]
        listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        options = ["--python", str(python), "--require-hashes", "--no-build-isolation"]
        command = [uv, "pip", "install", *options, *requirements]
        environment = pip_settings(listing) | os.environ | {"VIRTUAL_ENV": str(python.parents[1])}
        if not os.access(os.environ.get("HOME", "/"), os.W_OK):
            environment["UV_NO_CACHE"] = "1"  # uv would refuse to run
        if subprocess.run(command, env=environment, check=False).returncode == 0:
            return
    print(f"installing {names} with pip: about two minutes", flush=True)
    command = [str(python), *PIP, "--no-build-isolation", *requirements]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"error: {names} could not be installed; what pip printed is above")


if __name__ == "__main__":
    main()
