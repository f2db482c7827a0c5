"""The packages that a stage pins, and whether they are the installed ones."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from support.command_line import InputError


def read_requirements(path: Path) -> list[Requirement]:
    """Return the requirements in a file that apply to this machine."""
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    # Options such as --extra-index-url are for pip.
    requirements = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return [line for line in requirements if line.marker is None or line.marker.evaluate()]


def check_requirements(path: Path) -> None:
    """Raise InputError if a package is not installed in the version that a file pins.

    DVC would record the pinned version with what another version has made.
    """
    for requirement in read_requirements(path):
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            installed = None
        if installed is None or not requirement.specifier.contains(installed):
            raise InputError(
                f"{path}: pins {requirement.name}{requirement.specifier}, but "
                f"{installed or 'nothing'} is installed; `make repro` installs what is locked "
                "(first `make lock`, if you have edited the file)"
            )
