"""Search for the best settings, on all processors of this machine or on a cluster of many.

    python -m extras.sweeps.sweep extras/sweeps/learning_rate.yaml
    python -m extras.sweeps.sweep extras/sweeps/learning_rate.yaml --address 10.0.0.1:6379
    python -m extras.sweeps.sweep extras/sweeps/learning_rate.yaml --resume

README.md in this folder explains sweep files and results. The last line of the output is a command,
which runs the pipeline with the best setting.
"""

import hashlib
import shlex
from pathlib import Path

from common.config import PARAMS, load_config
from common.datasets import DATASETS
from common.splits import load_split
from extras.sweeps.cluster import connected
from extras.sweeps.results import SweepResults
from extras.sweeps.search_space import load_sweep
from support.command_line import CommandError, InputError, argument_parser, echo, run
from support.files import atomic_write
from support.yaml_file import read_yaml

SPLITS = {name: Path(f"data/flat/{name}.npz") for name in ("train", "validation")}
STATE = Path(".cache/sweeps")


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a sweep file and of everything else that determines its results."""
    contents = [file.read_bytes() for file in (path, PARAMS, DATASETS, *SPLITS.values())]
    return hashlib.sha256(b"".join(contents)).hexdigest()


def main() -> None:
    parser = argument_parser("extras.sweeps.sweep", __doc__)
    parser.add_argument("sweep", type=Path, help="the sweep file: extras/sweeps/learning_rate.yaml")
    parser.add_argument("--address", help="of a Ray cluster; by default this machine only")
    parser.add_argument("--resume", action="store_true", help="continue an interrupted sweep")
    arguments = parser.parse_args()
    path, config = arguments.sweep, load_config()
    sweep, identity = load_sweep(path, config), fingerprint(path)
    splits = {name: load_split(file) for name, file in SPLITS.items()}
    state = STATE.resolve() / path.stem / identity[:16]
    if arguments.resume and not state.exists():
        raise InputError(f"{path}: nothing to resume with these settings and data; omit --resume")
    with connected(arguments.address):
        # Imported here because Ray takes seconds to start: wrong input is reported first.
        from extras.sweeps import mlflow_runs, plots, trials

        table = trials.run(sweep, config, splits, state, resume=arguments.resume)
    results = SweepResults(path, sweep, table)
    csv = table.drop(columns="history").to_csv(index=False)
    atomic_write(results.folder / "results.csv", csv.encode())
    if results.best:
        atomic_write(results.folder / "sweep.png", plots.sweep_figure(results))
    echo(results.ranking.head(10).to_string(index=False))
    mlflow_runs.track_sweep(results, read_yaml(PARAMS)["dataset"], identity)
    if not results.is_complete:
        echo(f"interrupted; `python -m extras.sweeps.sweep {path} --resume` continues")
        raise KeyboardInterrupt
    if not results.best:
        raise CommandError(f"{path}: no setting finished with all seeds; see the trials above")
    changes = [word for name in sweep.parameters for word in ("-S", f"{name}={results.best[name]}")]
    echo(shlex.join([".venv/bin/dvc", "exp", "run", *changes]))


if __name__ == "__main__":
    run(main)
