"""Bring MLflow up to date with the files, however often it is run.

    python -m stages.track          the runs of the last `dvc repro`
    python -m stages.track --all    also those of earlier commits and DVC experiments in the cache

About ten seconds. The store is at MLFLOW_TRACKING_URI, or else in mlflow.db. It is only a view: if
you delete it, this rebuilds it.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.track import provenance
from stages.track.provenance import Provenance
from stages.track.runs import DESCRIPTION, LOCK, TrackedRun, load_runs
from support.command_line import CommandError, argument_parser, echo, progress, run
from support.files import atomic_write, repository


def main() -> None:
    """Read the arguments and the files; write the MLflow store and the list of runs."""
    parser = argument_parser("stages.track", __doc__)
    parser.add_argument("--all", action="store_true", help="also earlier commits and experiments")
    parser.add_argument("--list", type=Path, help="where to write the fingerprint of each run")
    arguments = parser.parse_args()
    root, runs, current = repository(), load_runs(Path()), provenance.current()
    earlier = _list_earlier() if arguments.all else []
    with progress("tracking in MLflow", len(runs) + len(earlier)) as advance:
        from stages.track.mlflow_store import open_store  # MLflow takes seconds to start

        with open_store(root) as store:
            for finished in runs:
                store.track(finished, current)
                advance(1)
            for origin in earlier:
                with _earlier_runs(root, origin) as earlier_runs:
                    for finished in earlier_runs:
                        store.track(finished, origin)
                advance(1)
    if arguments.list:
        lines = [f"{finished.name} {finished.fingerprint}\n" for finished in runs]
        atomic_write(arguments.list, "".join(lines).encode())


def _list_earlier() -> list[Provenance]:
    try:
        return list(provenance.earlier(LOCK))
    except CommandError as error:
        echo(f"no earlier results: {error}")
        return []


@contextmanager
def _earlier_runs(root: Path, origin: Provenance) -> Iterator[list[TrackedRun]]:
    """Load the runs of a commit or experiment; if that is impossible, report why."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    with tempfile.TemporaryDirectory() as folder:
        runs = []
        try:
            with Repo(str(root)) as repo, repo.switch(origin.commit):
                for path in (LOCK, DESCRIPTION, "metrics", "models", "costs"):
                    repo.dvcfs.get(path, f"{folder}/{path}", recursive=True)
            runs = load_runs(Path(folder))
        except FileNotFoundError as error:
            echo(f"{origin.name}: left out: not in DVC's cache: {error}")
        except (CommandError, DvcException, OSError) as error:
            reason = " ".join(str(error).split()).replace(f"{folder}/", "")
            echo(f"{origin.name}: left out: {reason}")
        yield runs


if __name__ == "__main__":
    run(main)
