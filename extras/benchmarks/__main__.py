"""Measure this project and its peers side by side, on the machine at hand.

    python -m extras.benchmarks            every case five times, in turn: half an hour on two cores
    python -m extras.benchmarks --quick    once; for trying out

Needs the results of `dvc repro`, and for the peers what `make bench-peers` installs; a peer that
is not installed is left out and named. An interrupted run goes on where it was, as long as code,
settings and versions are the same. It writes extras/benchmarks/results.md and extras/benchmarks/results.png.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from time import perf_counter

from common.atomic import atomic_write
from common.command_line import CommandError, InputError, argument_parser, echo, progress, run
from extras.benchmarks import comparison, picture
from extras.benchmarks.cases import FLAT, PEERS_PYTHON, RAW, ROOT, Case, cases
from extras.benchmarks.measurements import Measurements
from stages.track import provenance

ROUNDS, QUICK_ROUNDS = 5, 1
FOLDER = ROOT / "benchmarks"
KEPT = ROOT / ".cache/benchmarks"
WRITTEN = (
    "extras/benchmarks/profile.md",
    "extras/benchmarks/results.md",
    "extras/benchmarks/results.png",
)
# What the times follow from.
SOURCES = ("benchmarks", "stages", "dvc.yaml", "params.yaml", "datasets.yaml", "requirements.lock")
PACKAGES = ("tensorflow", "keras", "dvc", "mlflow", "numpy", "scikit-learn", "torch", "jax")


def digest() -> str:
    """Give the SHA-256 over everything that the times follow from, but the machine."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *SOURCES],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    code = hashlib.sha256()
    for name in sorted(filter(None, listed.stdout.split("\0"))):
        path = ROOT / name
        if path.exists() and name not in WRITTEN:
            code.update(name.encode() + path.read_bytes())
    return code.hexdigest()


def main() -> None:
    """Measure what is not measured yet, and write the table and the picture."""
    arguments = _arguments()
    if sys.platform != "linux":
        raise InputError(
            f"this is {sys.platform}; memory and processors are read as Linux has them"
        )
    if not (FLAT / "test.npz").exists() or not RAW.exists():
        raise InputError(f"{FLAT}: not complete; `make repro` makes it")
    rounds = arguments.rounds or (QUICK_ROUNDS if arguments.quick else ROUNDS)
    config = [
        case
        for case in cases()
        if not arguments.only or any(w in case.name for w in arguments.only)
    ]
    measured = Measurements(KEPT / f"{digest()[:16]}.json")
    remarks: dict[str, str] = {}
    present = []
    for case in config:
        if missing := case.missing:
            remarks[case.name] = f"not installed: {missing}"
            echo(f"{case.name}: not installed: {missing}; `make bench-peers` installs it")
        else:
            present.append(case)
    with progress("measuring", rounds * len(present)) as advance:
        for number in range(rounds):
            for case in present:
                if len(measured.values(case.name)) <= number:
                    _measure(case, number, measured, remarks)
                advance(1)
    about = list(_about(rounds))
    _write(FOLDER / "results.md", comparison.page(measured, about, remarks, rounds).encode())
    _write(FOLDER / "results.png", picture.draw(measured, "; ".join(about[:2])))
    for target in comparison.TARGETS:
        if (found := comparison.ratio(target, measured)) is not None:
            verdict = "met" if found.is_met else "not met"
            echo(f"{found.value:6.2f}  at most {target.at_most:<5g} {verdict:8} {target.title}")


def _arguments() -> Namespace:
    parser = argument_parser("benchmarks", __doc__)
    parser.add_argument("--quick", action="store_true", help="measure each case once")
    parser.add_argument("--rounds", type=int, help=f"how often: {ROUNDS}")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="cases with this in their name")
    return parser.parse_args()


def _measure(case: Case, number: int, measured: Measurements, remarks: dict[str, str]) -> None:
    start = perf_counter()
    try:
        values = case.measure()
    except CommandError as error:
        remarks[case.name] = "failed"
        echo(f"round {number + 1}: {case.name}: failed: {error}")
        return
    measured.add(values)
    shown = ", ".join(
        f"{value / 1e6:.0f} MB" if unit == "byte" else f"{value:.4g}"
        for unit, value in values.values()
    )
    echo(f"round {number + 1}: {case.name}: {shown} ({perf_counter() - start:.0f} s)")


def _about(rounds: int) -> Iterator[str]:
    """Describe the machine and the versions."""
    threads = len(os.sched_getaffinity(0))
    yield f"{provenance.processor()}, {threads} threads"
    yield f"{rounds} round{'s' if rounds > 1 else ''}, {datetime.now(UTC):%-d %B %Y}"
    yield ", ".join(_versions())


def _versions() -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    peers = (PEERS_PYTHON.parents[1] / "lib").glob("python*/site-packages")
    installed = {
        found.name: found.version for found in distributions(path=[*map(str, peers), *sys.path])
    }
    yield from (f"{name} {installed[name]}" for name in PACKAGES if name in installed)


def _write(path: Path, content: bytes) -> None:
    atomic_write(path, content)
    echo(f"{path}: written")


if __name__ == "__main__":
    run(main)
