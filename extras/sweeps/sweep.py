"""Search for the best settings, on all processors of this machine or on a cluster of many.

    python -m extras.sweeps.sweep extras/sweeps/learning_rate.yaml
    python -m extras.sweeps.sweep extras/sweeps/learning_rate.yaml --address 10.0.0.1:6379
    python -m extras.sweeps.sweep extras/sweeps/learning_rate.yaml --resume

A sweep file says which settings of params.yaml to search, and how; extras/sweeps/README.md explains
it. The best setting has the best accuracy on the validation images; the test images are not read.
Results are written into a folder beside the sweep file: results.csv has one row per trial, and
sweep.png is their figure. The last line is the command that makes an ordinary run of the pipeline
with the best setting.

After an interrupt the results of finished trials are kept, and --resume continues.
"""

from __future__ import annotations

import json
from pathlib import Path

from common.atomic import sha256
from common.command_line import CommandError, InputError, argument_parser, echo, run
from common.config import PARAMS, Config, load_config
from common.splits import Split, load_description, load_split
from extras.sweeps.cluster import connected
from extras.sweeps.results import SweepResults
from extras.sweeps.search_space import Sweep, load_sweep

FLAT = Path("data/flat")
# The splits that a trial reads.
SPLITS = ("train", "validation")
STATE = Path(".cache/sweeps")


def fingerprint(sweep: Sweep, config: Config) -> str:
    """Return the SHA-256 of everything that determines the results."""
    document = {
        "sweep": sweep.model_dump(),
        "dataset": config.dataset_name,
        "model": config.model.model_dump(),
        "train": config.train.model_dump(),
        "iterations": config.run(sweep.run).iterations,
        "data": {name: sha256((FLAT / f"{name}.npz").read_bytes()) for name in SPLITS},
    }
    return sha256(json.dumps(document, sort_keys=True).encode())


def load_data(config: Config) -> tuple[dict[str, Split], int]:
    """Load the splits that a trial reads, and count the classes."""
    description = load_description(FLAT / "description.json")
    if description.examples["validation"] != config.flatten.validation_examples:
        raise InputError(
            f"{FLAT}: made with other settings than those in {PARAMS}; run `dvc repro`"
        )
    splits = {name: load_split(FLAT / f"{name}.npz") for name in SPLITS}
    return splits, len(description.classes)


def main() -> None:
    """Run a sweep; write, track and print its results."""
    parser = argument_parser("extras.sweeps.sweep", __doc__)
    parser.add_argument("sweep", type=Path, help="the sweep file: extras/sweeps/learning_rate.yaml")
    parser.add_argument("--address", help="of a Ray cluster; without it, this machine only")
    parser.add_argument("--resume", action="store_true", help="continue an interrupted sweep")
    arguments = parser.parse_args()
    path: Path = arguments.sweep
    config = load_config()
    sweep = load_sweep(path, config)
    splits, classes = load_data(config)
    identity = fingerprint(sweep, config)
    state = STATE / path.stem / identity[:16]
    if arguments.resume and not state.exists():
        raise InputError(
            f"{path}: nothing to resume, or the sweep, {PARAMS} or the data have changed since; "
            "leave --resume out to start again"
        )
    with connected(arguments.address):
        # After everything is checked, because Ray takes seconds to import.
        from extras.sweeps import trials

        task = trials.Task(sweep, config, classes)
        table = trials.run(task, splits, state, resume=arguments.resume)
    results = SweepResults(path, sweep, table)
    results.write()
    for line in results.summary():
        echo(line)
    from extras.sweeps.mlflow_runs import track_sweep

    track_sweep(results, config.dataset_name, identity)
    if not results.is_complete:
        echo(f"interrupted; `python -m extras.sweeps.sweep {path} --resume` continues")
        raise KeyboardInterrupt
    if not results.best:
        raise CommandError(f"{path}: no setting was trained to its end with every seed")
    echo(sweep.command(results.best))


if __name__ == "__main__":
    run(main)
