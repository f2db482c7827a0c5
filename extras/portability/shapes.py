"""Train models of random shapes on several processors, and compare the bytes.

    python -m extras.portability.shapes --shapes 30

Needs what `make portability-arm64` sets up. About a minute per shape on two cores, most of it on
the emulated ARM64 processors. Exit status 1 if any byte differs.
"""

import subprocess

import numpy as np

from extras.portability import arm64
from extras.portability.__main__ import EMULATOR, environment, pythons, usable_emulators
from support.command_line import CommandError, InputError, argument_parser, echo, run

# One of each kind of kernel that YNNPACK has.
X86_64 = ("Haswell",)
ARM = ("Neoverse-N1", "SME")


def random_shape(random: np.random.Generator) -> str:
    """Return a shape as train_shapes.py takes it; the logarithms of its sizes are uniform."""

    def number(least: int, most: int) -> int:
        return int(np.exp(random.uniform(np.log(least), np.log(most + 1))))

    hidden = ",".join(str(number(16, 1024)) for _ in range(random.integers(1, 5)))
    batch = random.choice([32, number(16, 1024)])
    return f"{batch}:{number(4, 3072)}:{hidden}:{number(2, 100)}"


def train(python: tuple[str, ...], shapes: list[str]) -> list[str]:
    """Return what train_shapes.py prints with a Python: a line for each shape."""
    process = subprocess.run(
        [*python, "-m", "extras.portability.train_shapes", *shapes],
        cwd=arm64.ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise CommandError(f"{' '.join(python)}: the training failed: {process.stderr[-500:]}")
    return process.stdout.splitlines()


def main() -> None:
    parser = argument_parser("extras.portability.shapes", __doc__)
    parser.add_argument("--shapes", type=int, default=30, help="how many (default: 30)")
    parser.add_argument("--seed", type=int, default=1, help="of the shapes (default: 1)")
    arguments = parser.parse_args()
    x86_64, arm = usable_emulators()
    if not (x86_64 or arm):
        raise InputError(f"neither {EMULATOR} nor emulated ARM64 is there to compare with")
    random = np.random.default_rng(arguments.seed)
    shapes = [random_shape(random) for _ in range(arguments.shapes)]
    (here, expected), *others = (
        (name, train(python, shapes))
        for name, python in pythons(X86_64 if x86_64 else (), ARM if arm else ()).items()
    )
    echo(f"{len(shapes)} shapes on {here}")
    failures = 0
    for name, lines in others:
        differing = [
            line.split()[0] for line, same in zip(lines, expected, strict=True) if line != same
        ]
        failures += len(differing)
        echo(f"{len(shapes) - len(differing)} are the same on {name} {' '.join(differing)}".strip())
    if failures:
        raise CommandError("the bytes differ between processors; see the rows above")


if __name__ == "__main__":
    run(main)
