"""Train the same on several processors."""

import shutil
from pathlib import Path

import pytest

from extras.portability.__main__ import EMULATOR, FLAT, prefixes, run_stage, train

# The other processors and more iterations take minutes: `make portability`.
EMULATED = ("Haswell", "EPYC-Milan")
ITERATIONS = 120  # a full call of the compiled program, and a shorter one

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which(EMULATOR), reason="needs qemu-x86_64 (Debian: qemu-user)"),
    pytest.mark.skipif(not FLAT.exists(), reason="needs data/flat: run `make repro` first"),
]


def test_bytes_are_the_same_on_all_processors() -> None:
    """Weights and costs depend neither on threads, nor on the shell, nor on the processor."""
    digests = {name: train(prefix, ITERATIONS) for name, prefix in prefixes(EMULATED).items()}
    assert len(digests) == 3 + len(EMULATED)
    assert len(set(digests.values())) == 1, digests


def test_a_processor_without_avx2_is_warned(tmp_path: Path) -> None:
    """It trains there as well, but its last digits may differ."""
    process = run_stage((EMULATOR, "-cpu", "Haswell,-avx2"), 1, tmp_path)
    assert process.returncode == 0, process.stderr
    assert "this processor has no AVX2: " in process.stdout
    assert "iteration 0, batch cost: 2.2635" in process.stdout
