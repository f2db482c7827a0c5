"""Search for the best settings, on all processors of this machine or on a cluster of many.

    python -m extras.sweeps.sweep extras/sweeps/learning_rate.yaml
    python -m extras.sweeps.sweep extras/sweeps/learning_rate.yaml --address 10.0.0.1:6379
    python -m extras.sweeps.sweep extras/sweeps/learning_rate.yaml --resume

A sweep file says which settings of params.yaml to search, and how; extras/sweeps/README.md explains
it. The best setting has the best accuracy on the validation images; the test images are not read.
Results are written into a folder beside the sweep file: results.csv has one row per trial, and
sweep.png is their figure. The last line is the command that makes an ordinary run of the pipeline
with the best setting.

After an interrupt the results of what has finished are kept, and --resume continues.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from common.atomic import atomic_write, sha256
from common.command_line import CommandError, InputError, argument_parser, echo, run
from common.config import PARAMS, Config, load_config
from common.splits import load_description, load_split
from extras.sweeps.cluster import connected
from extras.sweeps.search_space import SEED, Sweep, load_sweep

FLAT = Path("data/flat")
# What a trial reads.
SPLITS = ("train", "validation")
STATE = Path(".cache/sweeps")
# How many of the best settings are printed; results.csv has all.
PRINTED_SETTINGS = 10


def rank(table: pd.DataFrame, sweep: Sweep) -> pd.DataFrame:
    """Return each setting that has finished with all seeds, the best first.

    Parameters
    ----------
    table
        One row per trial.
    sweep
        What was searched.

    Returns
    -------
    DataFrame
        The parameters, and the mean (``validation``) and the standard deviation (``std``) of the
        validation accuracy over the seeds; NaN if there is only one seed.
    """
    finished = table[table["status"] == "finished"].astype({"validation": float})
    settings = finished.groupby(list(sweep.parameters), sort=False)
    ranking = settings.agg(
        validation=("validation", "mean"), std=("validation", "std"), seeds=(SEED, "nunique")
    ).reset_index()
    ranking = ranking[ranking["seeds"] == sweep.seeds].drop(columns="seeds")
    # Stable, so that among equals the one that was drawn first is the best.
    return ranking.sort_values("validation", ascending=False, kind="stable", ignore_index=True)


def digest(sweep: Sweep, config: Config) -> str:
    """Return the SHA-256 of everything that the results follow from."""
    document = {
        "sweep": sweep.model_dump(),
        "dataset": config.dataset_name,
        "model": config.model.model_dump(),
        "train": config.train.model_dump(),
        "iterations": config.run(sweep.run).iterations,
        "data": {name: sha256((FLAT / f"{name}.npz").read_bytes()) for name in SPLITS},
    }
    return sha256(json.dumps(document, sort_keys=True).encode())


def write_results(path: Path, sweep: Sweep, table: pd.DataFrame, ranking: pd.DataFrame) -> None:
    """Write the results beside the sweep file and, if any setting has finished, their figure."""
    folder = path.with_suffix("")
    csv = table.drop(columns="history").to_csv(index=False)
    atomic_write(folder / "results.csv", csv.encode())
    if len(ranking):
        # matplotlib takes a second to import.
        from extras.sweeps.plots import sweep_figure

        atomic_write(folder / "sweep.png", sweep_figure(path.stem, sweep, ranking))


def print_results(sweep: Sweep, table: pd.DataFrame, ranking: pd.DataFrame) -> None:
    """Print the best settings, and how many trials have finished, stopped or failed."""
    formats: dict[str, Callable[[float], str]] = {
        "validation": "{:.2%}".format,
        "std": lambda value: "" if math.isnan(value) else f"{value:.2%}",
    }
    best = ranking.head(PRINTED_SETTINGS).astype(dict.fromkeys(sweep.parameters, str))
    if len(best):
        echo(best.to_string(index=False, formatters=formats))
    for status, count in table["status"].value_counts().items():
        echo(f"{count} of {sweep.trials * sweep.seeds} trials {status}")


def run_sweep(
    path: Path, sweep: Sweep, config: Config, address: str | None, *, resume: bool
) -> pd.DataFrame:
    """Run the trials of a sweep; return one row for each that has ended."""
    description = load_description(FLAT / "description.json")
    if description.examples["validation"] != config.flatten.validation_images:
        raise InputError(
            f"{FLAT}: made with other settings than those in {PARAMS}; run `dvc repro`"
        )
    splits = {name: load_split(FLAT / f"{name}.npz") for name in SPLITS}
    state = STATE / path.stem / digest(sweep, config)[:16]
    if resume and not state.exists():
        raise InputError(
            f"{path}: nothing to resume, or the sweep, {PARAMS} or the data have changed since; "
            "leave --resume out to start again"
        )
    with connected(address):
        # After everything is checked, because Ray takes seconds to import.
        from extras.sweeps import trials

        task = trials.Task(path, sweep, config, len(description.classes), trials.versions())
        return trials.run(task, splits, state, resume=resume)


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
    table = run_sweep(path, sweep, config, arguments.address, resume=arguments.resume)
    ranking = rank(table, sweep)
    write_results(path, sweep, table, ranking)
    print_results(sweep, table, ranking)
    from extras.sweeps.mlflow_runs import track_sweep

    track_sweep(path, config.dataset_name, digest(sweep, config), sweep, table, ranking)
    if len(table) < sweep.trials * sweep.seeds:
        echo(f"interrupted; `python -m extras.sweeps.sweep {path} --resume` continues")
        raise KeyboardInterrupt
    if ranking.empty:
        raise CommandError(f"{path}: no setting was trained to its end with every seed")
    echo(sweep.command(ranking.head(1).to_dict("records")[0]))


if __name__ == "__main__":
    run(main)
