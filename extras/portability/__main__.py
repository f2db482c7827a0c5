"""Train on several processors, real and emulated, and compare the bytes.

    python -m extras.portability

Needs the arrays in data/flat (`make repro`). qemu-x86_64 (Debian's package qemu-user) emulates
other x86-64 processors, and what `make portability-arm64` sets up emulates ARM64; without them,
fewer processors are compared. Three to seven minutes on two cores, and ten more with ARM64. Exit
status 1 if any byte differs.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from common.config import PARAMS
from common.datasets import DATASETS
from extras.portability import arm64
from support.command_line import CommandError, argument_parser, echo, run
from support.yaml_file import read_yaml

ROOT = Path(__file__).parents[2]
FLAT = ROOT / "data/flat"
EMULATOR = "qemu-x86_64"
ITERATIONS = 250
RUN = "portability"
OUTPUTS = ("model", "costs.csv", "curves.csv")
FILES = ("model/weights.npz", "costs.csv")
# Two by Intel and two by AMD, with different caches. QEMU emulates no AVX-512.
PROCESSORS = ("Haswell", "Broadwell", "EPYC-Rome", "EPYC-Milan")
# A user's shell may have set these; each would change the result if training did not override it.
VARIABLES = (
    "TF_DETERMINISTIC_OPS=1",
    "XLA_FLAGS=--xla_cpu_enable_fast_math=true",
    "TF_XLA_FLAGS=--tf_xla_auto_jit=2",
    "OMP_NUM_THREADS=1",
)


def pythons(x86_64: Iterable[str], arm: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the command that starts Python on each processor, by what the table calls it."""
    usable, python = os.sched_getaffinity(0), sys.executable
    return {
        f"this processor, {len(usable)} threads": (python,),
        "this processor, 1 thread": ("taskset", "--cpu-list", str(min(usable)), python),
        "this processor, another shell's variables": ("env", *VARIABLES, python),
        **{f"{name}, emulated": (EMULATOR, "-cpu", name, python) for name in x86_64},
        **{f"{name} (ARM64), emulated": (arm64.python(name),) for name in arm},
    }


def usable_emulators() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the processors that can be emulated here; say in one line which cannot, and why."""
    x86_64: tuple[str, ...] = PROCESSORS
    arm = tuple(arm64.PROCESSORS)
    if platform.machine() != "x86_64" or not shutil.which(EMULATOR):
        echo(f"without {', '.join(x86_64)}: that needs x86-64 and Debian's package qemu-user")
        x86_64 = ()
    if not arm64.is_set_up():
        echo(f"without {', '.join(arm)} (ARM64): `make portability-arm64` sets them up")
        arm = ()
    return x86_64, arm


def environment() -> dict[str, str]:
    """Return the environment of a training: without what makes OpenBLAS expect this processor."""
    names = [name for name in os.environ if not name.startswith("OPENBLAS_")]
    return {name: os.environ[name] for name in names} | {"PYTHONPATH": str(ROOT)}


def run_stage(
    python: tuple[str, ...], iterations: int, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run `stages.train` with a Python; it writes `FILES` into the folder."""
    params = read_yaml(ROOT / PARAMS)
    params["runs"] = {RUN: {"iterations": iterations, "min_test_accuracy": 0.0}}
    (folder / PARAMS).write_text(yaml.safe_dump(params), encoding="utf-8")
    shutil.copy(ROOT / DATASETS, folder)
    return subprocess.run(
        [*python, "-m", "stages.train", RUN, FLAT, *OUTPUTS],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def train(python: tuple[str, ...], iterations: int = ITERATIONS) -> tuple[str, ...]:
    """Train with a Python, and return the SHA-256 of each of `FILES`."""
    with tempfile.TemporaryDirectory() as name:
        process = run_stage(python, iterations, Path(name))
        if process.returncode:
            raise CommandError(f"{' '.join(python)} training failed: {process.stderr[-500:]}")
        return tuple(hashlib.sha256((Path(name) / file).read_bytes()).hexdigest() for file in FILES)


def main() -> None:
    argument_parser("extras.portability", __doc__).parse_args()
    machines = pythons(*usable_emulators())
    echo(f"{'weights':12}  {'costs':12}  after {ITERATIONS} iterations on")
    with ThreadPoolExecutor(max_workers=2) as pool:
        digests = set()
        for name, digest in zip(machines, pool.map(train, machines.values()), strict=True):
            weights, costs = digest
            echo(f"{weights[:12]}  {costs[:12]}  {name}")
            digests.add(digest)
    if len(digests) > 1:
        raise CommandError("the bytes differ between processors; see the rows above")
    echo(f"the same bytes {len(machines)} times")


if __name__ == "__main__":
    run(main)
