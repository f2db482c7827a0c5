"""Train the same on several processors."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from extras.portability import arm64
from extras.portability.__main__ import (
    EMULATOR,
    FLAT,
    PROCESSORS,
    pythons,
    run_stage,
    train,
    usable_emulators,
)
from extras.portability.shapes import random_shape
from extras.portability.shapes import train as train_shapes
from support.command_line import run

# The other processors and more iterations take minutes: `make portability`.
EMULATED = ("Haswell", "EPYC-Milan")
ITERATIONS = 120  # a full call of the compiled program, and a shorter one

needs_emulator = pytest.mark.skipif(
    not shutil.which(EMULATOR), reason="needs qemu-x86_64 (Debian: qemu-user)"
)
needs_arm64 = pytest.mark.skipif(
    not arm64.is_set_up(), reason="needs emulated ARM64: run `make portability-arm64` first"
)
needs_data = pytest.mark.skipif(not FLAT.exists(), reason="needs data/flat: run `make repro` first")


@pytest.mark.slow
@needs_emulator
@needs_data
def test_bytes_are_the_same_on_all_processors() -> None:
    """Weights and costs depend neither on threads, nor on the shell, nor on the processor."""
    digests = {name: train(python, ITERATIONS) for name, python in pythons(EMULATED, ()).items()}
    assert len(digests) == 3 + len(EMULATED)
    assert len(set(digests.values())) == 1, digests


@pytest.mark.slow
@needs_arm64
@needs_data
def test_bytes_are_the_same_on_arm64() -> None:
    here, *_, on_arm = pythons((), ["Neoverse-N1"]).values()
    assert train(on_arm, iterations=3) == train(here, iterations=3)


@pytest.mark.slow
@needs_emulator
def test_bytes_are_the_same_for_other_shapes() -> None:
    """Small batches with wide layers are those of which YNNPACK would divide the sums."""
    random = np.random.default_rng(0)
    shapes = ["16:784:1024:10", *(random_shape(random) for _ in range(2))]
    here, one_thread, _, haswell = pythons(["Haswell"], ()).values()
    expected = train_shapes(here, shapes)
    assert [line.split()[0] for line in expected] == shapes
    assert train_shapes(one_thread, shapes) == expected
    assert train_shapes(haswell, shapes) == expected


@pytest.mark.slow
@needs_emulator
@needs_data
def test_a_processor_without_avx2_is_warned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It trains there as well, but its last digits may differ."""
    monkeypatch.setenv("OPENBLAS_CORETYPE", "SkylakeX")  # NumPy could not start there
    *_, without_avx2 = pythons(["Haswell,-avx2"], ()).values()
    process = run_stage(without_avx2, 1, tmp_path)
    assert process.returncode == 0, process.stderr
    assert "this processor has no AVX2: " in process.stdout
    assert "iteration 0, batch cost: 2.2635" in process.stdout


def test_what_cannot_be_emulated_is_said_in_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rows of this processor remain."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(arm64, "COMPLETE", tmp_path / "complete")
    assert usable_emulators() == ((), ())
    x86_64, arm = capsys.readouterr().out.splitlines()
    assert x86_64.startswith(f"without {', '.join(PROCESSORS)}: ")
    assert arm.startswith(f"without {', '.join(arm64.PROCESSORS)} (ARM64): ")


def test_arm64_is_set_up_on_debian_and_ubuntu_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.argv", ["arm64"])
    with pytest.raises(SystemExit) as error:
        run(arm64.main)
    assert error.value.code == 2
    assert capsys.readouterr().err.startswith("error: qemu-aarch64, apt-get, dpkg: not found; ")


def test_a_processor_is_a_python_and_what_llvm_reads_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """QEMU looks for /proc/cpuinfo and all libraries in a folder of the processor."""
    monkeypatch.setattr(arm64, "FOLDER", tmp_path)
    monkeypatch.setattr(arm64, "SYSTEM", tmp_path / "system")
    (tmp_path / "system/usr").mkdir(parents=True)
    arm64.make_processor("Cortex-A72")
    folder = tmp_path / "Cortex-A72"
    assert "CPU part\t: 0xd08\n" in (folder / "proc/cpuinfo").read_text("utf-8")
    assert (folder / "usr").samefile(tmp_path / "system/usr")
    command = Path(arm64.python("Cortex-A72")).read_text("utf-8")
    assert f"qemu-aarch64 -cpu cortex-a72 -L '{folder}'" in command
