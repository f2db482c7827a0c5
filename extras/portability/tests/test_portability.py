"""The same training on several processors."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.fixtures import ROOT

from extras.portability.__main__ import EMULATOR, EXAMPLES, Machine, machines, stage, train

# The rest of extras.portability.PROCESSORS, and more iterations, take minutes: `make portability`.
EMULATED = ("Haswell", "EPYC-Rome", "EPYC-Milan")
ITERATIONS = 120  # one full call of the compiled loop, and a shorter one


@pytest.fixture(autouse=True, scope="module")
def needed() -> None:
    """Say what is missing."""
    if not shutil.which(EMULATOR):
        pytest.skip(f"{EMULATOR} is not installed (Debian's qemu-user)")
    if not (ROOT / EXAMPLES).exists():
        pytest.skip(f"{EXAMPLES} is not there: run `make repro` first")


@pytest.fixture(scope="module")
def outcomes() -> dict[str, object]:
    """Train here with all threads and with one, and on emulated processors."""
    config: list[Machine] = list(machines(EMULATED))
    return {machine.name: train(machine, ROOT, ITERATIONS) for machine in config}


def test_bytes_do_not_depend_on_the_processor(outcomes: dict[str, object]) -> None:
    """Weights and costs have one SHA-256 on all processors, numbers of threads and shells."""
    assert 3 + len(EMULATED) == len(outcomes)
    assert len(set(outcomes.values())) == 1, outcomes


@pytest.mark.parametrize(
    ("processor", "told"), [("Haswell", False), ("Haswell,-avx2", True)], ids=["with", "without"]
)
def test_a_processor_without_avx2_is_told(tmp_path: Path, processor: str, told: bool) -> None:
    """It trains there as well, but is said to give other bytes perhaps."""
    machine = Machine(processor, (EMULATOR, "-cpu", processor))
    done = stage(machine, ROOT, tmp_path, iterations=1)
    assert done.returncode == 0, done.stderr
    assert told is ("this processor has no AVX2: " in done.stdout)
    assert "iteration 0, batch cost: 2.2635" in done.stdout
