"""Measure time and memory of the pipeline, compared with other implementations.

    python -m extras.benchmarks           every case three times: 40 minutes
    python -m extras.benchmarks --quick   once, and baselines with few iterations: ten minutes

The last commit is measured, with the raw data of this folder. After each case results.json and
results.md are written into .cache/benchmarks; at the end also into extras/benchmarks.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import strftime
from typing import Any

from common.config import load_config
from extras.benchmarks.hooks import settings
from extras.benchmarks.measurement import ROOT, measure
from extras.benchmarks.report import GROUPS, HERE, page
from stages.track.provenance import machine
from support.command_line import CommandError, argument_parser, echo, run
from support.files import atomic_write

# Not in /tmp, which may be in memory, but on the disk of the project; git ignores it.
TEMPORARY = ROOT / ".cache/benchmarks"
QUICK_ITERATIONS = 20


def measure_group(group: Mapping[str, Any], results: Mapping[str, Any]) -> None:
    """Measure each case of a group once, and save the results after each."""
    number, measured = len(results["rounds"]), results["rounds"][-1]
    with tempfile.TemporaryDirectory(dir=TEMPORARY, ignore_cleanup_errors=True) as folder:
        measure(group["setup"], Path(folder), results["iterations"])
        for case, command in {**group["cases"], **group.get("baselines", {})}.items():
            try:
                values = measure(command, Path(folder), results["iterations"])
                measured |= {f"{case}/{name}": value for name, value in values.items()}
                echo(f"round {number}: {case}: {values['seconds']:.2f} s")
            except CommandError as error:
                results["failures"].append(f"{case}, round {number}: {error!s:.300}")
                echo(f"failed: {results['failures'][-1]}")
            save(results, TEMPORARY)


def save(results: Mapping[str, Any], folder: Path) -> None:
    """Write results.json and results.md."""
    atomic_write(folder / "results.json", json.dumps(results, indent=1).encode())
    atomic_write(folder / "results.md", page(results).encode())


def main() -> None:
    parser = argument_parser("extras.benchmarks", __doc__)
    parser.add_argument("--quick", action="store_true", help="once, with few iterations")
    parser.add_argument("--rounds", type=int, choices=range(1, 10), default=3, help="default: 3")
    arguments = parser.parse_args()
    config = load_config()
    iterations = {name: params.iterations for name, params in config.runs.items()}
    if arguments.quick:
        iterations = {name: QUICK_ITERATIONS * (1 + i) for i, name in enumerate(config.runs)}
    versions = {name.removeprefix("package_"): value for name, value in machine().items()}
    results: dict[str, Any] = {
        "machine": {"date": strftime("%Y-%m-%d"), "threads": str(os.cpu_count()), **versions},
        "settings": {name: settings(config, name) for name in config.runs},
        "iterations": iterations,
        "rounds": [],
        "failures": [],
    }
    TEMPORARY.mkdir(parents=True, exist_ok=True)
    for _ in range(1 if arguments.quick else arguments.rounds):
        results["rounds"].append({})
        for group in GROUPS.values():
            measure_group(group, results)
    folder = TEMPORARY if arguments.quick else HERE
    save(results, folder)
    echo(f"{folder / 'results.md'}: written")
    if results["failures"]:
        raise CommandError(f"{len(results['failures'])} cases failed; the page names them")


if __name__ == "__main__":
    run(main)
