"""Measure time and memory of the pipeline, compared with other implementations.

    python -m extras.benchmarks                   every case five times, in turn: over an hour
    python -m extras.benchmarks --quick           once
    python -m extras.benchmarks --only NumPy      cases with a word in their name or group

Needs the results of `dvc repro`, and for some baselines `make bench-baselines`; a case whose
program is not installed is left out and named. Clones are of the last commit. Writes results.json
and results.md into extras/benchmarks; with --quick or --only into .cache/benchmarks, so that the
recorded results stay.
"""

import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from common.atomic import atomic_write
from common.command_line import CommandError, InputError, argument_parser, echo, progress, run
from common.config import load_config
from extras.benchmarks import report
from extras.benchmarks.cases import Group, groups
from extras.benchmarks.measurement import add, machine, measure
from extras.benchmarks.places import ROOT, TEMPORARY

ROUNDS = 5
MEASUREMENTS = TEMPORARY / "results.json"


def choose(everything: Sequence[Group], words: Sequence[str]) -> Iterator[Group]:
    """Return the groups with those cases that are installed and match a word, if there are any."""
    for group in everything:
        cases = []
        for case in group.cases:
            if words and not any(word in f"{group.title}: {case.name}" for word in words):
                continue
            program = shlex.split(case.command)[0]
            if shutil.which(program):
                cases.append(case)
            else:
                echo(f"{case.name}: left out, {program} not found; `make bench-baselines` makes it")
        if cases:
            yield replace(group, cases=tuple(cases))


def measure_round(
    number: int, chosen: Sequence[Group], advance: Callable[[int], None]
) -> list[str]:
    """Measure each case once; return the names of those that failed."""
    failed = []
    described = machine()
    for group in chosen:
        with group.place() as folder:
            for case in group.cases:
                try:
                    measured = measure(case.command, folder)
                except CommandError as error:
                    failed.append(case.name)
                    echo(f"round {number}: {case.name}: failed: {error}")
                else:
                    add(MEASUREMENTS, case.name, measured, described)
                    memory = measured["peak_bytes"] / 1e6
                    echo(
                        f"round {number}: {case.name}: {measured['seconds']:.2f} s, {memory:.0f} MB"
                    )
                advance(1)
    return failed


def main() -> None:
    """Read the arguments, measure, and write the page."""
    parser = argument_parser("extras.benchmarks", __doc__)
    parser.add_argument("--quick", action="store_true", help="measure each case once")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="part of a name")
    arguments = parser.parse_args()
    if sys.platform != "linux":
        raise InputError(f"this is {sys.platform}; memory is measured on Linux only")
    if not (ROOT / "data/flat/test.npz").exists():
        raise InputError("data/flat/test.npz: not found; `make repro` makes it")
    config = load_config()
    chosen = list(choose(groups(config), arguments.only))
    if not chosen:
        raise InputError(f"--only: no case has {' or '.join(arguments.only)} in its name")
    is_trial = arguments.quick or arguments.only
    rounds = 1 if arguments.quick else ROUNDS
    TEMPORARY.mkdir(parents=True, exist_ok=True)
    MEASUREMENTS.unlink(missing_ok=True)
    failed: list[str] = []
    with progress("measuring", rounds * sum(len(group.cases) for group in chosen)) as advance:
        for number in range(1, rounds + 1):
            failed += measure_round(number, chosen, advance)
    if not MEASUREMENTS.exists():
        raise CommandError("nothing was measured: all cases failed")
    folder = TEMPORARY if is_trial else report.HERE
    content = report.page(MEASUREMENTS, groups(config))
    atomic_write(folder / "results.md", content.encode())
    atomic_write(folder / "results.json", MEASUREMENTS.read_bytes())
    echo(f"{folder / 'results.md'}: written")
    if failed:
        raise CommandError(f"failed: {'; '.join(failed)}")


if __name__ == "__main__":
    run(main)
