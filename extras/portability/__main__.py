"""Train on several processors, real and emulated, and compare the bytes.

    python -m extras.portability

Needs the arrays in data/flat (`make repro`) and qemu-x86_64 (Debian's package qemu-user), which
emulates the processors. Three to seven minutes on two cores. Exit status 1 if any byte differs.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from common.config import PARAMS
from common.datasets import DATASETS
from support.command_line import CommandError, InputError, argument_parser, echo, run
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


def prefixes(processors: tuple[str, ...] = PROCESSORS) -> dict[str, tuple[str, ...]]:
    """Return the command under which each training runs, by what the table calls it."""
    usable = os.sched_getaffinity(0)
    return {
        f"this processor, {len(usable)} threads": (),
        "this processor, 1 thread": ("taskset", "--cpu-list", str(min(usable))),
        "this processor, another shell's variables": ("env", *VARIABLES),
        **{f"{name}, emulated": (EMULATOR, "-cpu", name) for name in processors},
    }


def run_stage(
    prefix: tuple[str, ...], iterations: int, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run `stages.train` under a command; it writes `FILES` into the folder."""
    params = read_yaml(ROOT / PARAMS)
    params["runs"] = {RUN: {"iterations": iterations, "min_test_accuracy": 0.0}}
    (folder / PARAMS).write_text(yaml.safe_dump(params), encoding="utf-8")
    shutil.copy(ROOT / DATASETS, folder)
    return subprocess.run(
        [*prefix, sys.executable, "-m", "stages.train", RUN, FLAT, *OUTPUTS],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def train(prefix: tuple[str, ...], iterations: int = ITERATIONS) -> tuple[str, ...]:
    """Train under a command, and return the SHA-256 of each of `FILES`."""
    with tempfile.TemporaryDirectory() as name:
        process = run_stage(prefix, iterations, Path(name))
        if process.returncode:
            raise CommandError(f"{' '.join(prefix)} training failed: {process.stderr[-500:]}")
        return tuple(hashlib.sha256((Path(name) / file).read_bytes()).hexdigest() for file in FILES)


def main() -> None:
    argument_parser("extras.portability", __doc__).parse_args()
    if not shutil.which(EMULATOR):
        raise InputError(f"{EMULATOR}: not found; `apt-get install qemu-user` installs it")
    machines = prefixes()
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
