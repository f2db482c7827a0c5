"""Measure what sweeps win with two workers, and what Ray costs.

    python -m extras.sweeps.scaling

Needs data/flat (`make repro`) and Ray (`make sweep`); ten minutes on two cores. Trials of 1,000
iterations: with one worker, with two, and in two processes that do the same in a loop of their own,
without Ray and without MLflow. A rate is that of the trials after each worker's first, which
imports and compiles. Then the memory of all processes while 200 trials run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from threading import Event, Thread

import numpy as np
import psutil

from common import arrays
from common import model as inference
from common.command_line import argument_parser, echo, run
from common.config import Config, load_config
from extras.sweeps import cluster
from extras.sweeps.search_space import Sweep

FLAT = Path("data/flat")
SPLITS = ("train", "validation")
WORKERS = 2
TRIALS, MANY_TRIALS = 40, 200
ROUNDS = 3
SHOWN_TRIALS = (20, 50, 100, 150, 195)
MEBIBYTE = 2**20
SAMPLE_SECONDS = 1.0


def described(trials: int, batch_sizes: tuple[int, ...]) -> Sweep:
    """Describe a sweep over learning rates and batch sizes."""
    return Sweep.model_validate(
        {
            "run": "short",
            "parameters": {
                "train.learning_rate": {"log_uniform": [1e-4, 1e-2]},
                "train.batch_size": {"choice": list(batch_sizes)},
            },
            "trials": trials,
            "seeds": 1,
            "draw_seed": 1,
            "scheduler": "none",
            "validate_every_iterations": 1000,
            "resources": {"cpus": 1, "memory_megabytes": 1},
        }
    )


def rate(ends: list[float], workers: int) -> float:
    """Give the trials a second, without the first of each worker.

    Parameters
    ----------
    ends
        When each trial ended, in seconds.
    workers
        How many trained at once.
    """
    ordered = sorted(ends)
    return (len(ordered) - workers) / (ordered[-1] - ordered[workers - 1])


def swept(sweep: Sweep, config: Config, workers: int) -> tuple[list[float], float]:
    """Run a sweep as `extras.sweeps.sweep` does, into a store of its own.

    Returns
    -------
    ends : list of float
        When each trial ended, as Unix time: what MLflow says of its run.
    seconds
        From the start of Ray to its end.
    """
    parts = {part: arrays.load_split(FLAT / f"{part}.npz") for part in SPLITS}
    start = time.time()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["MLFLOW_TRACKING_URI"] = address = f"sqlite:///{folder}/mlflow.db"
        with cluster.connected(None, workers):
            from mlflow import MlflowClient

            from extras.sweeps import trials
            from stages.track import mlflow_store as tracking

            data = dict.fromkeys(SPLITS, "")
            tracked = tracking.begin_sweep(folder, "scaling", "mnist", data, params={}, before=None)
            task = trials.Task(sweep, config, tracked, trials.versions())
            trials.run(task, parts, folder / "state", resume=False)
        seconds = time.time() - start
        runs = MlflowClient(address).search_runs([tracked.experiment], max_results=1000)
        return [run.info.end_time / 1000 for run in runs if run.data.params], seconds


def looped(trials: int) -> Iterator[float]:
    """Train and validate one after the other, in this process; give when each has ended."""
    from stages.train.network import Trainer

    config = load_config()
    train, validation = (arrays.load_split(FLAT / f"{part}.npz") for part in SPLITS)
    training = Trainer(config.train, train, len(config.dataset.classes))
    for rate in np.geomspace(1e-4, 1e-2, trials):
        training.reset(config.train.model_copy(update={"learning_rate": float(rate)}))
        for _ in training.train(config.run("short").iterations):
            pass
        inference.accuracy(training.weights(), validation.images, validation.labels)
        yield time.time()


def loops(workers: int) -> list[float]:
    """Run loops side by side, as many threads for NumPy as Ray gives a worker: one."""
    command = [sys.executable, "-m", "extras.sweeps.scaling", "--loop", str(TRIALS // workers)]
    started = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )
        for _ in range(workers)
    ]
    return [float(line) for loop in started for line in loop.communicate()[0].splitlines()]


@contextmanager
def sampled() -> Iterator[list[tuple[float, float]]]:
    """Note the time and the memory (bytes) of this process and all below it, every second."""
    samples: list[tuple[float, float]] = []
    ended = Event()

    def sample() -> None:
        me = psutil.Process()
        while not ended.wait(SAMPLE_SECONDS):
            used = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    used += process.memory_full_info().pss
                except psutil.Error:
                    continue  # it has ended
            samples.append((time.time(), used))

    thread = Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def measure_rates(rounds: int) -> None:
    """Measure in turn, for others may use the machine as well; print each, and the medians."""
    config, few = load_config(), described(TRIALS, (64,))
    rates: dict[str, list[float]] = {"one worker": [], "two workers": [], "two loops": []}
    for _ in range(rounds):
        for name, workers in (("one worker", 1), ("two workers", WORKERS)):
            ends, seconds = swept(few, config, workers)
            rates[name].append(rate(ends, workers))
            echo(f"{name}: {rates[name][-1]:.2f} trials a second; {seconds:.1f} s with the start")
        rates["two loops"].append(rate(loops(WORKERS), WORKERS))
        echo(f"two loops: {rates['two loops'][-1]:.2f} trials a second")
    one, two, plain = (median(values) for values in rates.values())
    echo(f"medians: {one:.2f}, {two:.2f} and {plain:.2f} trials a second")
    echo(f"two workers: {two / one:.2f} times one, {two / plain:.2f} times two loops")


def measure_memory() -> None:
    """Print the memory of all processes in the course of many trials."""
    with sampled() as samples:
        ends, _ = swept(described(MANY_TRIALS, (32, 64, 128)), load_config(), WORKERS)
    for done in SHOWN_TRIALS:
        when = sorted(ends)[done - 1]
        used = next(used for seconds, used in samples if seconds >= when)
        echo(f"after {done} trials: {used / MEBIBYTE:,.0f} MiB")


def main() -> None:
    """Read the arguments, measure, and print."""
    parser = argument_parser("extras.sweeps.scaling", __doc__)
    parser.add_argument("--loop", type=int, metavar="TRIALS", help="one of the plain loops")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of the rates: {ROUNDS}")
    parser.add_argument("--part", choices=("rates", "memory"), help="one of both alone")
    arguments = parser.parse_args()
    if arguments.loop:
        for end in looped(arguments.loop):
            sys.stdout.write(f"{end}\n")
        return
    if arguments.part != "memory":
        measure_rates(arguments.rounds)
    if arguments.part != "rates":
        measure_memory()


if __name__ == "__main__":
    run(main)
