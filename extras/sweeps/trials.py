"""The trials of a sweep on Ray Tune.

Ray draws the settings, starts the workers, stops trials early, retries the trial of a killed
worker, and keeps the state from which a sweep resumes. A worker imports TensorFlow once, and
compiles one program per model and batch size; then a trial costs only its iterations.
"""

import math
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import BasicVariantGenerator

from common.config import Config
from common.model import Model, ModelParams
from common.splits import Split
from extras.sweeps.search_space import SEED, Sweep, is_range
from stages.evaluate.evaluate import accuracy, predict
from support.command_line import echo
from support.requirements import check_requirements

# What a trial reports; its history has iterations, mean cost and validation of all its reports.
MEASUREMENTS = ("iterations", "cost", "validation", "status", "history")
# The compiled programs of this worker.
TRAINERS: dict[tuple[ModelParams, int], Any] = {}


def train_trial(
    settings: Mapping[str, Any], sweep: Sweep, config: Config, splits: Mapping[str, Split]
) -> None:
    """Train one trial, and report after each validation."""
    import stages.train

    check_requirements(Path(str(stages.train.__file__)).with_name("requirements.txt"))
    config = sweep.apply(config, sweep.round_values(settings))
    iterations, history = config.run(sweep.run).iterations, []
    trainer = _trainer(config, iterations, splits["train"])
    for start in range(0, iterations, sweep.validate_every_iterations):
        end = min(start + sweep.validate_every_iterations, iterations)
        costs = np.concatenate(list(trainer.train(end - start)))
        status, correct = "failed", math.nan
        if np.isfinite(costs).all():
            # If the last report of a trial is not its end, the scheduler has stopped it there.
            status = "finished" if end == iterations else "stopped"
            correct = accuracy(predict(Model(trainer.weights()), splits["validation"]))
        history.append((end, float(costs.mean(dtype=np.float64)), correct))
        report = (end, str(costs[-1]), correct, status, list(history))
        tune.report(dict(zip(MEASUREMENTS, report, strict=True)))
        if status == "failed":
            break


def _trainer(config: Config, iterations: int, examples: Split) -> Any:
    from stages.train.trainer import Trainer

    key, classes = (config.model, config.train.batch_size), len(config.dataset.classes)
    if key not in TRAINERS:
        if len(TRAINERS) == 4:
            TRAINERS.clear()  # each holds the examples
        TRAINERS[key] = Trainer(config.model, config.train, iterations, examples, classes)
    TRAINERS[key].reset(config.train, iterations)
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


def run(
    sweep: Sweep, config: Config, splits: Mapping[str, Split], state: Path, *, resume: bool
) -> pd.DataFrame:
    """Run all trials, or those that are left and those that failed; Ray keeps its `state` there.

    Returns one row per trial that has ended: its number, its settings, and its `MEASUREMENTS`.
    """
    resources = {"cpu": sweep.resources.cpus, "memory": sweep.resources.memory_megabytes << 20}
    trainable = tune.with_parameters(train_trial, sweep=sweep, config=config, splits=splits)
    trainable = tune.with_resources(trainable, resources)
    if resume:
        tuner = tune.Tuner.restore(str(state), trainable, restart_errored=True)
    else:
        shutil.rmtree(state.parent, ignore_errors=True)
        tuner = _tuner(trainable, sweep, config.train.seed, state)
    tuner.fit()
    trials = tune.ExperimentAnalysis(str(state)).trials
    rows = [_row(trial, sweep) for trial in trials if trial.is_finished()]
    names = dict.fromkeys([*sweep.parameters, SEED])
    table = pd.DataFrame(rows, columns=["trial", *names, *MEASUREMENTS])
    # Iterations stay integers even if a value is missing.
    return table.astype({"iterations": "Int64"}).sort_values("trial", ignore_index=True)


def _tuner(trainable: Any, sweep: Sweep, first_seed: int, state: Path) -> tune.Tuner:
    space: dict[str, Any] = {}
    for name, parameter in sweep.parameters.items():
        ((function, arguments),) = parameter.items()
        draw = getattr(tune, function)
        space[name] = draw(*arguments) if is_range(function) else draw(list(arguments))
    space.setdefault(SEED, tune.grid_search([first_seed + i for i in range(sweep.seeds)]))
    every = sweep.validate_every_iterations
    asha = ASHAScheduler("iterations", "validation", "max", max_t=sys.maxsize, grace_period=every)
    settings = tune.TuneConfig(
        num_samples=sweep.trials // sweep.grid_points,
        # Each seed, and each point of the grid, is tried with the same draws.
        search_alg=BasicVariantGenerator(constant_grid_search=True, random_state=sweep.draw_seed),
        scheduler=asha if sweep.scheduler == "asha" else None,
        reuse_actors=True,
    )
    running = tune.RunConfig(
        name=state.name,
        storage_path=str(state.parent),
        failure_config=tune.FailureConfig(max_failures=2),  # so that it is tried three times
        callbacks=[Progress(sweep)],
        verbose=0,
    )
    return tune.Tuner(trainable, param_space=space, tune_config=settings, run_config=running)


def _row(trial: Trial, sweep: Sweep) -> dict[str, Any]:
    # Ray's identifiers end with a number, from 0 on.
    row: dict[str, Any] = {"trial": int(trial.trial_id.rpartition("_")[2]) + 1}
    for name, value in sweep.round_values(trial.config).items():
        # Settings are grouped by their values, which a list does not allow.
        row[name] = str(value) if isinstance(value, list) else value
    row |= {name: (trial.last_result or {}).get(name) for name in MEASUREMENTS}
    return row | {"status": "failed"} if trial.status == Trial.ERROR else row
