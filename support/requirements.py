"""Notice that the installed packages are not those that a stage pins."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from support.command_line import InputError


def check_requirements(path: Path) -> None:
    """Raise InputError if a package is not installed in the version that a file pins.

    DVC would record the pinned version with what another version has made.
    """
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    for requirement in map(Requirement, filter(None, lines)):
        if requirement.marker and not requirement.marker.evaluate():
            continue
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
