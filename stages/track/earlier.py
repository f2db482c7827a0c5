"""The runs of earlier commits and of DVC's experiments, if DVC's cache still has them."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stages.track.provenance import COMMIT, EXPERIMENT, Provenance, git
from stages.track.runs import DESCRIPTION, LOCK, TrackedRun, load_runs
from support.command_line import CommandError, echo


def earlier_runs() -> Iterator[tuple[TrackedRun, Provenance]]:
    """Yield the runs of all commits that changed dvc.lock, the oldest first, and of experiments."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc_data.index import DataIndexDirError

    for committed_at, commit, *experiment in _commits():
        tags = {"git.dirty": "false", COMMIT: commit}
        if experiment:
            tags[EXPERIMENT] = experiment[0]
        origin = Provenance(tags, committed_at=int(committed_at))
        with tempfile.TemporaryDirectory() as folder:
            runs = []
            try:
                with Repo() as repo, repo.switch(commit):
                    for path in (LOCK, DESCRIPTION, "metrics", "models", "costs", "curves"):
                        repo.dvcfs.get(path, f"{folder}/{path}")
                runs = load_runs(Path(folder))
            except (CommandError, DvcException, DataIndexDirError, OSError) as error:
                reason = " ".join(str(error).split()).replace(f"{folder}/", "")
                if not isinstance(error, CommandError):
                    reason = f"not in DVC's cache: {reason}"
                echo(f"{origin.place}left out: {reason}")
            for run in runs:
                yield run, origin


def _commits() -> list[list[str]]:
    """Return time and hash of each commit, and DVC's name if it is an experiment."""
    history = ("--reverse", "--full-history", "--branches", "--tags", "HEAD", "--", LOCK)
    # refs/exps/<2 digits>/<38 digits>/<name>
    pattern = "--format=%(committerdate:unix) %(objectname) %(refname:lstrip=4)"
    try:
        commits = git("log", "--format=%ct %H", *history)
        experiments = git("for-each-ref", pattern, "refs/exps/*/*/*")
    except (OSError, subprocess.CalledProcessError):
        echo("no earlier results: this folder is not in a git repository")
        return []
    return [line.split() for line in (commits + experiments).decode().splitlines()]
