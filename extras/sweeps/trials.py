"""The trials of a sweep on Ray Tune.

Ray draws the settings, starts the workers, stops trials early, retries the trial of a killed
worker, and keeps the state from which a sweep resumes. A worker imports TensorFlow once, and
compiles one program per model and batch size; then a trial costs only its iterations.
"""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from common.inference import accuracy
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import BasicVariantGenerator

from common.config import Config
from common.model import ModelParams
from common.splits import Split
from extras.sweeps.search_space import SEED, Sweep, is_range
from stages.track.provenance import machine
from support.command_line import CommandError, echo

if TYPE_CHECKING:
    from stages.train.trainer import Trainer

# What a trial reports; its history has iterations, mean cost and validation of all its reports.
MEASUREMENTS = ("iterations", "cost", "validation", "status", "history")
# This worker's compiled programs, of which it keeps a few.
TRAINERS: dict[tuple[ModelParams, int], Trainer] = {}
MAX_TRAINERS = 4


def versions() -> dict[str, str]:
    """Return the versions of the libraries that a result depends on."""
    # tensorflow-cpu computes the same bytes as tensorflow.
    packages = {name.removesuffix("-cpu"): version for name, version in machine().items()}
    return {name: packages[name] for name in ("package_numpy", "package_tensorflow")}


def train_trial(
    settings: Mapping[str, Any],
    sweep: Sweep,
    config: Config,
    splits: Mapping[str, Split],
    required: Mapping[str, str],
) -> None:
    """Train one trial, and report after each validation."""
    if versions() != required:
        raise CommandError(f"this node has {versions()}, the sweep needs {required}")
    config = sweep.apply(config, sweep.round_values(settings))
    trainer, validation = _trainer(config, splits["train"]), splits["validation"]
    iterations = config.run(sweep.run).iterations
    history: list[tuple[int, float, float]] = []
    for start in range(0, iterations, sweep.validate_every_iterations):
        end = min(start + sweep.validate_every_iterations, iterations)
        costs = np.concatenate(list(trainer.train(end - start)))
        status, correct = "failed", math.nan
        if np.isfinite(costs).all():
            # If the last report of a trial is not its end, the scheduler has stopped it there.
            status = "finished" if end == iterations else "stopped"
            correct = accuracy(trainer.weights(), validation.features, validation.labels)
        history.append((end, float(costs.mean(dtype=np.float64)), correct))
        report = (end, str(costs[-1]), correct, status, list(history))
        tune.report(dict(zip(MEASUREMENTS, report, strict=True)))
        if status == "failed":
            break


def _trainer(config: Config, examples: Split) -> Trainer:
    from stages.train.trainer import Trainer

    key = (config.model, config.train.batch_size)
    if key not in TRAINERS:
        if len(TRAINERS) == MAX_TRAINERS:
            TRAINERS.clear()
        TRAINERS[key] = Trainer(config.model, config.train, examples, len(config.dataset.classes))
    TRAINERS[key].reset(config.train)
    return TRAINERS[key]


class Progress(tune.Callback):  # type: ignore[misc]
    """Prints one line per trial that has ended."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep

    def on_trial_complete(self, *, trial: Trial, **_: object) -> None:
        """Print the row of a trial."""
        row = _row(trial, self._sweep)
        echo(", ".join(f"{name} {row[name]}" for name in row if name != "history"))

    def on_trial_error(self, *, trial: Trial, **_: object) -> None:
        """Print the row of a trial, and why its last attempt failed."""
        self.on_trial_complete(trial=trial)
        lines = str(trial.get_pickled_error() or "its process was killed").strip().splitlines()
        echo(f"why its last attempt failed: {lines[-1]:.200}")


def _search_space(sweep: Sweep, first_seed: int) -> dict[str, Any]:
    space = {}
    for name, parameter in sweep.parameters.items():
        ((function, arguments),) = parameter.items()
        draw = getattr(tune, function)
        space[name] = draw(*arguments) if is_range(function) else draw(list(arguments))
    space.setdefault(SEED, tune.grid_search(list(range(first_seed, first_seed + sweep.seeds))))
    return space


def run(
    sweep: Sweep, config: Config, splits: Mapping[str, Split], state: Path, *, resume: bool
) -> pd.DataFrame:
    """Run all trials, or those that are left and those that failed.

    Returns one row per trial that has ended, in the order in which they were drawn: its number,
    its settings, and its `MEASUREMENTS`. Ray keeps the state of the sweep in the folder `state`.
    """
    inputs = {"sweep": sweep, "config": config, "splits": splits, "required": versions()}
    resources = {"cpu": sweep.resources.cpus, "memory": sweep.resources.memory_megabytes << 20}
    trainable = tune.with_resources(tune.with_parameters(train_trial, **inputs), resources)
    if resume:
        tuner = tune.Tuner.restore(str(state), trainable, restart_errored=True)
    else:
        shutil.rmtree(state.parent, ignore_errors=True)
        tuner = _tuner(trainable, sweep, config, state)
    tuner.fit()
    trials = tune.ExperimentAnalysis(str(state)).trials
    rows = [_row(trial, sweep) for trial in trials if trial.is_finished()]
    names = dict.fromkeys([*sweep.parameters, SEED])
    table = pd.DataFrame(rows, columns=["trial", *names, *MEASUREMENTS])
    # Iterations stay integers even if a value is missing.
    return table.astype({"iterations": "Int64"}).sort_values("trial", ignore_index=True)


def _tuner(trainable: Any, sweep: Sweep, config: Config, state: Path) -> tune.Tuner:
    # Each seed, and each point of the grid, is tried with the same draws.
    draws = BasicVariantGenerator(constant_grid_search=True, random_state=sweep.draw_seed)
    first = sweep.validate_every_iterations
    asha = ASHAScheduler("iterations", "validation", "max", grace_period=first, max_t=sys.maxsize)
    return tune.Tuner(
        trainable,
        param_space=_search_space(sweep, config.train.seed),
        tune_config=tune.TuneConfig(
            num_samples=sweep.trials // sweep.grid_points,
            search_alg=draws,
            scheduler=asha if sweep.scheduler == "asha" else None,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name=state.name,
            storage_path=str(state.parent),
            failure_config=tune.FailureConfig(max_failures=2),  # so that it is tried three times
            callbacks=[Progress(sweep)],
            verbose=0,
        ),
    )


def _row(trial: Trial, sweep: Sweep) -> dict[str, Any]:
    # Ray's identifiers end with a number, from 0 on.
    row: dict[str, Any] = {"trial": int(trial.trial_id.rpartition("_")[2]) + 1}
    for name, value in sweep.round_values(trial.config).items():
        # Settings are grouped by their values, which a list does not allow.
        row[name] = str(value) if isinstance(value, list) else value
    row |= {name: (trial.last_result or {}).get(name) for name in MEASUREMENTS}
    return row | {"status": "failed"} if trial.status == Trial.ERROR else row
