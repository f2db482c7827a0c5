"""Bring MLflow up to date with the files, however often it is run.

    python -m stages.track             the runs of the last `dvc repro`
    python -m stages.track --all       also those of earlier commits and of DVC experiments
    python -m stages.track --follow    show trainings while they run, until interrupted

About ten seconds. The store is at MLFLOW_TRACKING_URI, or else in mlflow.db. It is only a view: if
you delete it, this rebuilds it.
"""

from pathlib import Path

from stages.track.earlier import earlier_runs
from stages.track.follow import end_provisional_runs, follow
from stages.track.provenance import current
from stages.track.runs import load_current_runs
from stages.track.store import open_store
from support.command_line import argument_parser
from support.files import atomic_write, repository
from support.inputs import run_stage


def main() -> None:
    parser = argument_parser("stages.track", __doc__)
    parser.add_argument("--all", action="store_true", help="also earlier commits and experiments")
    parser.add_argument("--follow", action="store_true", help="show trainings while they run")
    parser.add_argument("--list", type=Path, help="where to write the fingerprint of each run")
    arguments = parser.parse_args()
    if arguments.follow:
        follow()
    runs, origin = load_current_runs(), current()
    with open_store(repository()) as store:
        for run in runs:
            store.track(run, origin)
        for run, past in earlier_runs() if arguments.all else ():
            store.track(run, past)
        end_provisional_runs(store)
    if arguments.list:
        lines = [f"{run.name} {run.fingerprint}\n" for run in runs]
        atomic_write(arguments.list, "".join(lines).encode())


if __name__ == "__main__":
    run_stage(main)
