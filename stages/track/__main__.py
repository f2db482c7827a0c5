"""Bring MLflow up to date with the files, however often it is run.

    python -m stages.track          the runs of the last `dvc repro`
    python -m stages.track --all    also those of earlier commits and DVC experiments in the cache

About ten seconds. The store is at MLFLOW_TRACKING_URI, or else in mlflow.db. It is only a view:
if it is deleted, this creates it again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from common.atomic import atomic_write
from common.command_line import CommandError, InputError, argument_parser, echo, progress, run
from stages.track import provenance
from stages.track.location import repository
from stages.track.provenance import Provenance
from stages.track.runs import LOCK, TrackedRun, load_runs

FIGURES = Path("plots/figures")


def main() -> None:
    """Read the arguments and the files; write the MLflow store and the list of runs."""
    parser = argument_parser("stages.track", __doc__)
    parser.add_argument("--all", action="store_true", help="also earlier commits and experiments")
    parser.add_argument("--list", type=Path, help="where to write the fingerprint of each run")
    arguments = parser.parse_args()
    root = repository()
    runs = load_runs(lambda path: Path(path).read_bytes())
    origins = _earlier() if arguments.all else []
    with progress("tracking", len(runs) + len(origins)) as advance:
        # Here, because it takes seconds to start.
        from stages.track.mlflow_store import open_store

        with open_store(root) as store:
            origin = provenance.current()
            for finished in runs:
                _report(finished, "", store.track(finished, origin, FIGURES).run_id)
                advance(1)
            for origin in origins:
                for finished in _load_earlier(root, origin):
                    _report(finished, _name(origin), store.track(finished, origin, None).run_id)
                advance(1)
    if arguments.list:
        lines = [f"{finished.name} {finished.fingerprint}\n" for finished in runs]
        atomic_write(arguments.list, "".join(lines).encode())


def _earlier() -> list[Provenance]:
    try:
        return list(provenance.earlier(LOCK))
    except CommandError as error:
        echo(f"no earlier results: {error}")
        return []


def _load_earlier(root: Path, origin: Provenance) -> list[TrackedRun]:
    """Load the runs of a commit or experiment; report why where that is impossible."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException

    try:
        return load_runs(DVCFileSystem(str(root), rev=origin.commit).read_bytes)
    except (InputError, DvcException) as error:
        echo(f"{_name(origin)}: left out: {' '.join(str(error).split())}")
        return []


if __name__ == "__main__":
    run(main)
