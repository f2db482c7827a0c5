"""Bring MLflow up to date with the files, however often it is run.

    python -m stages.track          the runs of the last `dvc repro`
    python -m stages.track --all    and those of every commit and DVC experiment in the cache

A few seconds. The store is the one at MLFLOW_TRACKING_URI, or else mlflow.db in the repository; it
is only a view: delete it, and this makes it again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from common.atomic import atomic_open
from common.command_line import InputError, argument_parser, echo, run
from common.config import load_config
from stages.track import location as store
from stages.track import provenance
from stages.track import runs as records
from stages.track.provenance import Provenance
from stages.track.runs import Read, Record


def _earlier(root: Path) -> Iterator[tuple[Record, Provenance]]:
    """Gather the runs of all commits and experiments; say which cannot be, and why."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException

    for origin in provenance.commits(records.LOCK):
        files = DVCFileSystem(str(root), rev=origin.commit)
        read: Read = files.read_bytes
        try:
            yield from ((record, origin) for record in list(records.gather(read)))
        except (InputError, DvcException) as error:
            echo(f"{_name(origin)}: left out: {' '.join(str(error).split())}")


def main() -> None:
    """Read the arguments and the files, and write the MLflow store and the list of runs."""
    parser = argument_parser("stages.track", __doc__)
    parser.add_argument("--all", action="store_true", help="also earlier commits and experiments")
    parser.add_argument("--list", type=Path, help="where to write the digest of each run")
    arguments = parser.parse_args()
    load_config()
    root = Path(os.environ.get("DVC_ROOT", ".")).resolve()
    current = list(records.gather(records.from_folder(Path())))
    if arguments.all or not {record.digest for record in current} <= store.whole(root):
        _add(root, current, earlier=arguments.all)
    else:
        echo(f"{', '.join(record.run for record in current)}: in MLflow already")
    if arguments.list:
        with atomic_open(arguments.list) as file:
            file.writelines(f"{record.run} {record.digest}\n".encode() for record in current)


def _add(root: Path, current: list[Record], *, earlier: bool) -> None:
    # Here, and not above: MLflow takes a second to start, and often there is nothing to do.
    from stages.track.mlflow_store import open_store

    with open_store(root) as opened:
        origin = provenance.here()
        for record in current:
            _report(record, "", opened.add(record, origin, Path("plots/figures")))
        for record, origin in _earlier(root) if earlier else ():
            _report(record, f"{_name(origin)}: ", opened.add(record, origin, None))


def _name(origin: Provenance) -> str:
    return origin.experiment or (origin.commit or "")[:8]


def _report(record: Record, place: str, run_id: str | None) -> None:
    shown = f"{record.run}: {record.result.iterations:,} iterations, test {record.result.test:.2%}"
    echo(f"{place}{shown}: {'in MLflow already' if run_id is None else f'tracked as run {run_id}'}")


if __name__ == "__main__":
    run(main)
