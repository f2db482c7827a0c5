"""Train on several processors, real and emulated, and compare the bytes.

    python -m extras.portability

Needs data/flat/train.npz (`make repro`) and qemu-x86_64 (Debian's package qemu-user), which
emulates processors. Three to seven minutes on two cores. Exit status 1 if any byte differs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from common.atomic import sha256
from common.command_line import CommandError, InputError, argument_parser, echo, run
from common.config import DATASETS, PARAMS, read_yaml
from stages.track import provenance

EMULATOR = "qemu-x86_64"
ITERATIONS = 250
RUN = "run"
EXAMPLES = Path("data/flat/train.npz")
FILES = ("weights.npz", "costs.csv")
# Two of Intel and two of AMD, with different caches; qemu has no AVX-512 that TensorFlow runs on.
PROCESSORS = ("Haswell", "Broadwell", "EPYC-Rome", "EPYC-Milan")

# What a user's shell may have set, and would change the result if it were left.
VARIABLES = (
    "TF_DETERMINISTIC_OPS=1",
    "XLA_FLAGS=--xla_cpu_enable_fast_math=true",
    "TF_XLA_FLAGS=--tf_xla_auto_jit=2",
    "OMP_NUM_THREADS=1",
)


@dataclass(frozen=True)
class Machine:
    """Where to train: a name, and the command that a program is run under there."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of it: the SHA-256 of the weights and of the costs."""

    weights: str
    costs: str


def machines(processors: tuple[str, ...]) -> Iterator[Machine]:
    """Give this machine with all threads, with one, in another shell, and the emulated ones."""
    yield Machine(f"{provenance.processor()}, {len(os.sched_getaffinity(0))} threads", ())
    yield Machine(f"{provenance.processor()}, 1 thread", ("taskset", "-c", "0"))
    yield Machine(f"{provenance.processor()}, another shell", ("env", *VARIABLES))
    for name in processors:
        yield Machine(f"{name}, emulated", (EMULATOR, "-cpu", name))


def train(machine: Machine, root: Path, iterations: int = ITERATIONS) -> Outcome:
    """Run the real stage on the real data.

    Raises
    ------
    CommandError
        If it fails there.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        done = stage(machine, root, folder, iterations)
        if done.returncode:
            raise CommandError(
                f"{machine.name}: exit status {done.returncode}: {done.stderr[-500:]}"
            )
        return Outcome(*(sha256((folder / file).read_bytes()) for file in FILES))


def prepare(root: Path, folder: Path, iterations: int) -> list[str]:
    """Make a folder to train one run in; give the command, which writes `FILES` into it."""
    params = read_yaml(root / PARAMS)
    params["runs"] = {RUN: {"iterations": iterations, "min_test_accuracy": 0.0}}
    with (folder / PARAMS).open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(params, file)
    shutil.copy(root / DATASETS, folder)
    return [sys.executable, "-m", "stages.train", RUN, str(root / EXAMPLES), *FILES]


def stage(
    machine: Machine, root: Path, folder: Path, iterations: int
) -> subprocess.CompletedProcess[str]:
    """Run `stages.train` on a machine; it writes `FILES` into the folder."""
    return subprocess.run(
        [*machine.command, *prepare(root, folder, iterations)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


def main() -> None:
    """Train everywhere, print a row each, and compare."""
    argument_parser("extras.portability", __doc__).parse_args()
    if not EXAMPLES.exists():
        raise InputError(f"{EXAMPLES}: not found; `make repro` makes it")
    if not shutil.which(EMULATOR):
        raise InputError(f"{EMULATOR}: not found; `apt-get install qemu-user` as root installs it")
    config = list(machines(PROCESSORS))
    root = Path.cwd()
    echo(f"{'weights':12}  {'costs':12}  after {ITERATIONS} iterations on")
    outcomes = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for machine, outcome in zip(
            config, pool.map(lambda one: train(one, root), config), strict=True
        ):
            outcomes.append(outcome)
            echo(f"{outcome.weights[:12]}  {outcome.costs[:12]}  {machine.name}")
    if len(set(outcomes)) > 1:
        raise CommandError("the bytes differ between processors; see the rows above")
    echo(f"the same bytes {len(outcomes)} times")


if __name__ == "__main__":
    run(main)
