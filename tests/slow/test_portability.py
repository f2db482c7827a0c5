"""The same training on several processors."""

from __future__ import annotations

import shutil

import pytest
from conftest import ROOT

from studies.portability import EMULATOR, EXAMPLES, Machine, machines, train

# The rest of studies.portability.PROCESSORS takes another minute each: `make portability`.
EMULATED = ("Haswell", "EPYC-Rome", "EPYC-Milan")


@pytest.fixture(scope="module")
def outcomes() -> dict[str, object]:
    """Train here with all threads and with one, and on emulated processors."""
    if not shutil.which(EMULATOR):
        pytest.skip(f"{EMULATOR} is not installed (Debian's qemu-user)")
    if not (ROOT / EXAMPLES).exists():
        pytest.skip(f"{EXAMPLES} is not there: run `make repro` first")
    chosen: list[Machine] = list(machines(EMULATED))
    return {machine.name: train(machine, ROOT) for machine in chosen}


def test_bytes_do_not_depend_on_the_processor(outcomes: dict[str, object]) -> None:
    """Weights and costs have one SHA-256 on all processors and numbers of threads."""
    assert 2 + len(EMULATED) == len(outcomes)
    assert 1 == len(set(outcomes.values())), outcomes
