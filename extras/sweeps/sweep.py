"""Search for the best settings, on all processors of this machine or on a cluster of many.

    python -m extras.sweeps.sweep extras/sweeps/learning_rate.yaml
    python -m extras.sweeps.sweep extras/sweeps/learning_rate.yaml --address 10.0.0.1:6379
    python -m extras.sweeps.sweep extras/sweeps/learning_rate.yaml --resume

A sweep file lists the settings of params.yaml to search, and how; extras/sweeps/README.md explains
it. Writes results.csv and sweep.png into a folder beside it. The last line of the output is a
command, which runs the pipeline with the best setting: the one with the highest accuracy on the
validation images. The test images are not read. --resume continues an interrupted sweep.
"""

import shlex
from pathlib import Path

from common.config import PARAMS, Config, load_config
from common.datasets import DATASETS
from common.splits import Split, load_description, load_split
from extras.sweeps.cluster import connected
from extras.sweeps.results import SweepResults
from extras.sweeps.search_space import load_sweep
from support.command_line import CommandError, InputError, argument_parser, echo, run
from support.files import sha256
from support.yaml_file import read_yaml

FLAT = Path("data/flat")
# The splits that a trial reads.
SPLITS = ("train", "validation")
STATE = Path(".cache/sweeps")


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a sweep file and of everything else that determines its results."""
    files = (path, PARAMS, DATASETS, *(FLAT / f"{name}.npz" for name in SPLITS))
    return sha256("".join(sha256(file.read_bytes()) for file in files).encode())


def load_splits(config: Config) -> dict[str, Split]:
    """Load the splits that a trial reads."""
    examples = load_description(FLAT / "description.json").examples
    if examples["validation"] != config.flatten.validation_examples:
        raise InputError(
            f"{FLAT}: made with other settings than those in {PARAMS}; run `dvc repro`"
        )
    return {name: load_split(FLAT / f"{name}.npz") for name in SPLITS}


def main() -> None:
    """Run a sweep; write, track and print its results."""
    parser = argument_parser("extras.sweeps.sweep", __doc__)
    parser.add_argument("sweep", type=Path, help="the sweep file: extras/sweeps/learning_rate.yaml")
    parser.add_argument("--address", help="of a Ray cluster; by default this machine only")
    parser.add_argument("--resume", action="store_true", help="continue an interrupted sweep")
    arguments = parser.parse_args()
    path: Path = arguments.sweep
    config, dataset = load_config(), read_yaml(PARAMS)["dataset"]
    sweep = load_sweep(path, config)
    splits, identity = load_splits(config), fingerprint(path)
    state = STATE.resolve() / path.stem / identity[:16]
    if arguments.resume and not state.exists():
        raise InputError(
            f"{path}: nothing to resume, or this file, {PARAMS}, {DATASETS} or the data have "
            "changed since; leave --resume out to start again"
        )
    with connected(arguments.address):
        # Here, because Ray takes seconds to import; wrong input is reported before.
        from extras.sweeps import trials

        table = trials.run(sweep, config, splits, state, resume=arguments.resume)
    results = SweepResults(path, sweep, table)
    results.write()
    echo(results.ranking.head(10).to_string(index=False))
    echo(results.table["status"].value_counts().to_string())
    from extras.sweeps.mlflow_runs import track_sweep

    track_sweep(results, dataset, identity)
    if not results.is_complete:
        echo(f"interrupted; `python -m extras.sweeps.sweep {path} --resume` continues")
        raise KeyboardInterrupt
    if not results.best:
        raise CommandError(f"{path}: no setting finished with all seeds; see the trials above")
    changes = [word for name in sweep.parameters for word in ("-S", f"{name}={results.best[name]}")]
    echo(shlex.join([".venv/bin/dvc", "exp", "run", *changes]))


if __name__ == "__main__":
    run(main)
