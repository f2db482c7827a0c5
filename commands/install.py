"""Install the packages of a lock file into .venv, with uv, or with pip where uv fails.

    python -m commands.install requirements.lock

It creates .venv if necessary, and again if the project was moved. If everything is installed
already, it takes no time. It imports only the standard library, because the Makefile runs it with
the system's Python. Every package must have its locked hash.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from support.pip_settings import pip_settings

VENV = Path(".venv")
PYTHON = str(VENV / "bin" / "python")
BUILD_LOCK = "requirements-build.lock"  # uv, and what builds the one package without a wheel
# Where pip is configured to install for the user, it would refuse to install into .venv.
PIP = [PYTHON, "-m", "pip", "install", "--no-user", "--quiet", "--require-hashes"]
# uv does not read pip's settings; these are its names for them.
UV_SETTINGS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "cert": "SSL_CERT_FILE",
}


def state(lock: Path) -> set[str]:
    """Describe an installation: its folder, the checksum of its lock file, and its packages."""
    packages = {path.name for path in VENV.glob("lib/*/site-packages/*.dist-info")}
    # It is a link, and what it links to may be gone after an upgrade of the system.
    python = {PYTHON} if Path(PYTHON).exists() else set()
    checksum = hashlib.sha256(lock.read_bytes()).hexdigest()
    return {str(VENV.resolve()), checksum, *python, *packages}


def create() -> None:
    """Create .venv unless there is one that was made here, and install uv into it."""
    place = VENV / "place"
    is_here = place.exists() and place.read_text("utf-8") == str(VENV.resolve())
    if VENV.exists() and not place.exists():
        sys.exit(f"error: {VENV} was not made by `make`: move it away, or `rm -r {VENV}`")
    if not (is_here and Path(PYTHON).exists()):
        print(f"creating {VENV} with {sys.executable}", flush=True)
        _run([sys.executable, "-m", "venv", "--clear", str(VENV)])
        _run([*PIP, "-r", BUILD_LOCK])
        place.write_text(str(VENV.resolve()), "utf-8")


def install(lock: Path) -> None:
    """Install a lock file, without build isolation, so that nothing unlocked is run."""
    options = ["--no-build-isolation", "-r", str(lock)]
    settings = pip_settings(PYTHON)
    variables = {UV_SETTINGS[name]: settings[name] for name in UV_SETTINGS if name in settings}
    # As pip does, ask every index; because of the hashes it does not matter which one replies.
    variables |= {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_SYSTEM_CERTS": "true"}
    print(f"installing {lock} with uv", flush=True)
    uv = [PYTHON, "-m", "uv", "pip", "install", "--python", PYTHON, "--require-hashes", *options]
    if subprocess.run(uv, env=variables | os.environ, check=False).returncode:
        print(f"installing {lock} with pip: about two minutes", flush=True)
        _run([*PIP, *options])


def _let_notebooks_import() -> None:
    """Let .venv import the project from any folder; the path is relative to the packages."""
    for folder in VENV.glob("lib/*/site-packages"):
        (folder / "project.pth").write_text("../../../..\n", "utf-8")


def _run(command: list[str]) -> None:
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"error: `{' '.join(command)}` failed; what it printed is above")


def main() -> None:
    lock = Path(sys.argv[1])
    stamp = VENV / f"installed-{str(lock).replace('/', '-')}"
    # Packages that were added since do not matter.
    if not stamp.exists() or set(stamp.read_text("utf-8").splitlines()) - state(lock):
        create()
        install(lock)
        _let_notebooks_import()
        stamp.write_text("\n".join(sorted(state(lock))), "utf-8")


if __name__ == "__main__":
    main()
