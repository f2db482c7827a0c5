"""Bring MLflow up to date with the files, however often it is run.

    python -m stages.track          the runs of the last `dvc repro`
    python -m stages.track --all    also those of earlier commits and DVC experiments in the cache

About ten seconds. The store is at MLFLOW_TRACKING_URI, or else in mlflow.db. It is only a view: if
you delete it, this rebuilds it.
"""

from pathlib import Path

from stages.track.earlier import earlier_runs
from stages.track.provenance import current
from stages.track.runs import load_runs
from stages.track.store import open_store
from support.command_line import argument_parser, run
from support.files import atomic_write, repository


def main() -> None:
    parser = argument_parser("stages.track", __doc__)
    parser.add_argument("--all", action="store_true", help="also earlier commits and experiments")
    parser.add_argument("--list", type=Path, help="where to write the fingerprint of each run")
    arguments = parser.parse_args()
    runs, origin = load_runs(Path()), current()
    with open_store(repository()) as store:
        for one in runs:
            store.track(one, origin)
        for one, past in earlier_runs() if arguments.all else ():
            store.track(one, past)
    if arguments.list:
        lines = [f"{one.name} {one.fingerprint}\n" for one in runs]
        atomic_write(arguments.list, "".join(lines).encode())


if __name__ == "__main__":
    run(main)
