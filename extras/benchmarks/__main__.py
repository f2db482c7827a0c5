"""Measure time and memory of the pipeline, compared with other implementations.

    python -m extras.benchmarks                   every case three times: 40 minutes
    python -m extras.benchmarks --quick           once, with few iterations: a few minutes
    python -m extras.benchmarks --only Pipeline   one group of cases.yaml, or several

Needs the raw data, and .venv-bench for JAX, PyTorch and autologging: `make bench` makes both.
The last commit is measured. After each case results.json and results.md are written into
.cache/benchmarks; at its end a full run also writes both into extras/benchmarks.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.config import load_config
from extras.benchmarks import places
from extras.benchmarks.cases import CASES, Group, load_groups
from extras.benchmarks.measurement import machine, measure
from extras.benchmarks.report import HERE, page
from support.command_line import CommandError, InputError, argument_parser, echo, progress, run
from support.files import atomic_write

QUICK_ITERATIONS = 20


def measure_round(
    groups: Mapping[str, Group], results: dict[str, Any], advance: Callable[[int], None]
) -> None:
    """Measure each case once, and save the results after each."""
    measured: dict[str, float] = {}
    results["rounds"].append(measured)
    for title, group in groups.items():
        place = getattr(places, group.place)
        with record_failure(title, results), place(results["iterations"]) as folder:
            for case, command in group.cases.items():
                with record_failure(case, results):
                    values = measure(command, folder)
                    measured |= {f"{case}/{name}": value for name, value in values.items()}
                    echo(f"round {len(results['rounds'])}: {case}: {values['seconds']:.2f} s")
                save(results, places.TEMPORARY)
                advance(1)


@contextmanager
def record_failure(name: str, results: Mapping[str, Any]) -> Iterator[None]:
    """Go on with the next case if one fails, and add the reason to the results."""
    try:
        yield
    except (CommandError, OSError, ValueError, subprocess.CalledProcessError) as error:
        line = f"{name}, round {len(results['rounds'])}: {' '.join(str(error).split()):.300}"
        results["failures"].append(line)
        echo(f"failed: {line}")


def save(results: Mapping[str, Any], folder: Path) -> None:
    """Write results.json and results.md."""
    atomic_write(folder / "results.json", json.dumps(results, indent=1).encode())
    atomic_write(folder / "results.md", page(results).encode())


def main() -> None:
    """Read the arguments, and measure round after round."""
    parser = argument_parser("extras.benchmarks", __doc__)
    parser.add_argument("--quick", action="store_true", help="once, with few iterations")
    parser.add_argument("--rounds", type=int, choices=range(1, 10), default=3, help="default: 3")
    parser.add_argument("--only", nargs="+", choices=CASES["groups"], help="these groups only")
    arguments = parser.parse_args()
    if sys.platform != "linux":
        raise InputError(f"this is {sys.platform}; memory is measured on Linux only")
    if not (places.ROOT / places.RAW).exists():
        raise InputError(f"{places.RAW}: not found; `make repro` makes it")
    runs = load_config().runs
    iterations = {name: run.iterations for name, run in runs.items()}
    if arguments.quick:
        iterations = {name: QUICK_ITERATIONS * (1 + i) for i, name in enumerate(runs)}
    groups = load_groups(iterations, is_quick=arguments.quick)
    groups = {title: groups[title] for title in arguments.only or groups}
    places.TEMPORARY.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"machine": machine(), "iterations": iterations}
    results |= {"rounds": [], "failures": []}
    rounds = 1 if arguments.quick else arguments.rounds
    with progress("measuring", rounds * sum(len(group.cases) for group in groups.values())) as bar:
        for _ in range(rounds):
            measure_round(groups, results, bar)
    folder = places.TEMPORARY if arguments.quick or arguments.only else HERE
    save(results, folder)
    echo(f"{folder / 'results.md'}: written")
    if results["failures"]:
        raise CommandError(f"{len(results['failures'])} cases failed; the page names them")


if __name__ == "__main__":
    run(main)
