"""Where a result comes from: commit, uncommitted changes, processor, versions of packages."""

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from support.files import repository
from support.requirements import read_requirements

COMMIT, EXPERIMENT = "mlflow.source.git.commit", "dvc.experiment"
# Their versions are recorded, and those of the packages that a stage pins.
PACKAGES = ("dvc", "mlflow")
REQUIREMENTS = sorted(Path(__file__).parents[1].glob("*/requirements.txt"))
# New files in these folders belong to the patch, because stages may import them.
CODE = ("stages", "common", "support", "commands")


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from, as the tags of its run in MLflow.

    The result in the working directory has the `patch` of changes since the commit; an earlier one
    has the time of its commit instead, `committed_at`, in Unix seconds.
    """

    tags: Mapping[str, str]
    patch: bytes = b""
    committed_at: int | None = None

    @property
    def place(self) -> str:
        """The start of a message about an earlier result."""
        return f"{self.tags.get(EXPERIMENT, self.tags[COMMIT][:8])}: " if self.committed_at else ""


def current() -> Provenance:
    """Describe the working directory as it is now; the commit is unknown without git."""
    tags, patch = machine() | {"git.dirty": "unknown"}, b""
    with suppress(OSError, subprocess.CalledProcessError):
        git("ls-files", "--error-unmatch", "dvc.yaml")  # not in a repository around this one
        patch = _patch()
        tags[COMMIT] = git("rev-parse", "HEAD").decode().strip()
        tags["git.dirty"] = str(bool(patch)).lower()
    if experiment := os.environ.get("DVC_EXP_NAME"):
        tags[EXPERIMENT] = experiment
    elif Path.cwd() != repository():  # `dvc exp run --temp` makes such folders
        tags[EXPERIMENT] = Path.cwd().name
    return Provenance(tags, patch)


def _patch() -> bytes:
    """Return the changes since the last commit as a patch, whatever git is configured to show."""
    new = os.fsdecode(git("ls-files", "--others", "--exclude-standard", "-z", "--", *CODE))
    index = git("rev-parse", "--git-path", "index").decode().strip()
    options = ("--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative")
    prefixes = ("--src-prefix=a/", "--dst-prefix=b/")
    with tempfile.TemporaryDirectory() as folder:
        # `git diff` shows a new file once it is in the index; the user's own stays as it is.
        variables = {"GIT_INDEX_FILE": shutil.copy(index, folder)}
        if new:
            git("add", "--intent-to-add", "--", *new.split("\0")[:-1], **variables)
        return git("diff", *options, *prefixes, "HEAD", "--", ".", **variables)


def git(*arguments: str, **variables: str) -> bytes:
    """Run git, and return what it printed."""
    command, environment = ["git", *arguments], os.environ | variables
    return subprocess.run(command, env=environment, capture_output=True, check=True).stdout


def machine() -> dict[str, str]:
    """Return the processor, and the versions of Python and of packages, by the names of tags."""
    versions = {"processor": processor(), "python": platform.python_version()}
    pinned = (line.name for path in REQUIREMENTS for line in read_requirements(path))
    for name in (*PACKAGES, *pinned):
        with suppress(PackageNotFoundError):
            versions[f"package_{name}"] = version(name)
    return versions


def processor() -> str:
    """Return the name of the processor."""
    with suppress(OSError):  # only Linux has this file
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
