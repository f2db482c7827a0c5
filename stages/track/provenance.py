"""Where a result comes from: commit, uncommitted changes, processor, versions of packages."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from support.command_line import CommandError

# Their versions are recorded if they are installed.
PACKAGES = ("tensorflow", "tensorflow-cpu", "numpy", "dvc", "mlflow")
# The same patch whatever the user's configuration says.
PATCH_OPTIONS = (
    *("--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative"),
    *("--src-prefix=a/", "--dst-prefix=b/"),
)


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from.

    `commit` is None if git does not track this project; `diff` has the changes in this folder
    since then, as a patch for `git apply`; `experiment` is DVC's name for it. `machine` is empty
    for an earlier result, and `committed_at`, in Unix seconds, is None for the current one.
    """

    commit: str | None
    diff: bytes
    experiment: str | None
    machine: Mapping[str, str]
    committed_at: int | None

    @property
    def name(self) -> str:
        """The experiment or the first digits of the commit, for messages."""
        return self.experiment or str(self.commit)[:8]


def current() -> Provenance:
    """Describe the working directory as it is now."""
    try:
        _check_tracked()
        commit = _git("rev-parse", "HEAD").decode().strip()
        diff = _git("diff", *PATCH_OPTIONS, "HEAD", "--", ".")
    except CommandError:
        commit, diff = None, b""
    return Provenance(commit, diff, os.environ.get("DVC_EXP_NAME") or None, machine(), None)


def machine() -> dict[str, str]:
    """Return the processor, and the versions of Python and of packages, by the names of tags."""
    versions = {"processor": processor(), "python": platform.python_version()}
    for name in PACKAGES:
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


def writer(root: Path) -> str:
    """Return an identifier of a repository on this machine that reveals neither."""
    return hashlib.sha256(f"{platform.node()} {root}".encode()).hexdigest()


def earlier(path: str) -> Iterator[Provenance]:
    """Yield all commits that changed a file, then DVC's experiments; the oldest of each content.

    Raises CommandError if git does not track this project or lacks files of it.
    """
    _check_tracked()
    # DVC would wait forever for a file that git has not fetched.
    if b"\n?" in _git("rev-list", "--objects", "--missing=print", "--all", "HEAD"):
        raise CommandError("this clone is partial; `git fetch --refetch --no-filter` completes it")
    revisions = ("--branches", "--tags", "HEAD", "--full-history", "--", path)
    commits = _git("rev-list", "--timestamp", "--topo-order", "--reverse", *revisions)
    # refs/exps/<2 digits>/<38 digits>/<name>
    pattern = "--format=%(committerdate:unix) %(objectname) %(refname:lstrip=4)"
    experiments = _git("for-each-ref", pattern, "refs/exps/*/*/*")
    seen = set()
    for line in (commits + experiments).decode().splitlines():
        committed_at, commit, *experiment = line.split()
        with suppress(CommandError):  # it deleted the file
            content = _git("rev-parse", "--verify", "--quiet", f"{commit}:./{path}")
            if content not in seen:
                seen.add(content)
                yield Provenance(commit, b"", "".join(experiment) or None, {}, int(committed_at))


def _check_tracked() -> None:
    """Check that the repository around this folder, if any, is the project's own."""
    _git("ls-files", "--error-unmatch", "dvc.yaml")


def _git(*arguments: str) -> bytes:
    try:
        return subprocess.run(["git", *arguments], capture_output=True, check=True).stdout
    except FileNotFoundError:
        raise CommandError("git is not installed") from None
    except subprocess.CalledProcessError as error:
        raise CommandError(error.stderr.decode(errors="replace").partition("\n")[0]) from None
