"""The benchmarks: that each program runs and learns, and what is made of measurements."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures import ROOT

from common.command_line import CommandError
from extras.benchmarks import cases, comparison, picture, processes, profile, steady
from extras.benchmarks.cases import LONG, PEERS, Peer, python_with
from extras.benchmarks.comparison import TARGETS
from extras.benchmarks.measurements import Measurements

# Those that start in a second or two.
QUICK = {"scikit-learn", "NumPy"}
PLAIN = Peer("this project, other bytes elsewhere", ("pipeline", "--plain"), ("tensorflow",))
AUTOLOG = Peer("Keras with autologging", ("keras_autolog",), cases.AUTOLOG)
IMAGES, STOPS = 256, (20, 40)


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """Give a folder with images that are easy to tell apart, each class bright elsewhere."""
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        labels = np.arange(IMAGES, dtype=np.uint8) % 10
        images = random.integers(0, 60, (IMAGES, 784), dtype=np.uint8)
        for image, label in zip(images, labels.tolist(), strict=True):
            image[78 * label : 78 * (label + 1)] += 180
        np.savez(tmp_path / f"{part}.npz", images=images, labels=labels)
    return tmp_path


def _measurements(path: Path, *, without: str = "") -> Measurements:
    """Give three values of everything: 1, 2 and 3, in one order or the other."""
    measured = Measurements(path / "measured.json")
    names = {name for target in TARGETS for name in (target.ours, *target.theirs)}
    names |= set(comparison.PROGRAMS) | {f"import stages.{stage}" for stage in cases.IMPORTS}
    for peer in PEERS:
        ends = (cases.SHORT, LONG, "steady", "process", "peak", "right", "images")
        names |= {f"{peer.title}: {end}" for end in ends}
    for values in (1, 2, 3), (6, 4, 5):
        for number in values:
            some = {
                name: ("second", number)
                for name in sorted(names)
                if not without or without not in name
            }
            measured.add(some)
    return measured


@pytest.mark.parametrize(
    "peer",
    [
        pytest.param(peer, id=peer.title, marks=[] if peer.title in QUICK else pytest.mark.slow)
        for peer in (*PEERS, PLAIN, AUTOLOG)
    ],
)
def test_a_peer_trains(peer: Peer, flat: Path, tmp_path: Path) -> None:
    """Each peer runs, says how long it took to each stop, and has learned what is easy."""
    python = python_with(peer.packages)
    if python is None:
        pytest.skip(f"not installed: {', '.join(peer.packages)}")
    stops = STOPS[-1:] if peer is AUTOLOG else STOPS
    module, *options = peer.command
    command = [python, "-m", f"extras.benchmarks.peers.{module}", *options, str(flat)]
    folder = tmp_path if peer is AUTOLOG else ROOT
    ended = processes.run([*command, *map(str, stops)], folder, {"PYTHONPATH": str(ROOT)})
    assert [str(stop) for stop in stops] == list(ended.result["seconds"])
    assert sorted(ended.result["seconds"].values()) == list(ended.result["seconds"].values())
    assert ended.result["right"] > 0.9 * IMAGES


def test_operations_are_those_of_the_products() -> None:
    """A 3-2-1 network has 6 + 2 weights, and each is used three times but the first layer's."""
    assert steady.operations([3, 2, 1], 5) == 2 * 5 * (3 * (6 + 2) - 6)


def test_a_program_is_measured(tmp_path: Path) -> None:
    """A program's time, memory and last line are those of the program."""
    allocates = "import time; kept = bytearray(300_000_000); time.sleep(0.2); print('{\"a\": 1}')"
    ended = processes.run([sys.executable, "-c", allocates], tmp_path)
    assert ended.result == {"a": 1}
    assert ended.seconds > 0.2
    assert ended.peak_bytes > 300_000_000


def test_a_program_runs_without_the_settings_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is set for TensorFlow, BLAS or Python in the shell changes no measurement."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    shows = "import json, os; print(json.dumps(dict(os.environ)))"
    ended = processes.run([sys.executable, "-c", shows], tmp_path, {"GIVEN": "yes"})
    assert "OMP_NUM_THREADS" not in ended.result
    assert ("yes", os.environ["PATH"]) == (ended.result["GIVEN"], ended.result["PATH"])


def test_a_program_that_fails_is_an_error(tmp_path: Path) -> None:
    """Its exit status and its last words are in the message."""
    with pytest.raises(CommandError, match="exit status 3: no luck"):
        processes.run([sys.executable, "-c", "print('no luck'); raise SystemExit(3)"], tmp_path)


def test_a_program_that_does_not_end_is_ended(tmp_path: Path) -> None:
    """A hung peer does not stop the others from being measured."""
    with pytest.raises(CommandError, match="exit status -9"):
        processes.run(["sleep", "60"], tmp_path, timeout_seconds=0.2)


def test_measurements_are_kept(tmp_path: Path) -> None:
    """An interrupted run goes on with the values that it had."""
    Measurements(tmp_path / "measured.json").add({"a": ("second", 3), "b": ("byte", 7)})
    again = Measurements(tmp_path / "measured.json")
    again.add({"a": ("second", 1)})
    again.add({"a": ("second", 2)})
    assert Measurements(tmp_path / "measured.json").values("a") == (3.0, 1.0, 2.0)
    assert again.median("a") == 2.0
    assert again.values("c") == ()
    assert json.loads((tmp_path / "measured.json").read_text())["benchmarks"]


def test_a_ratio_is_of_medians(tmp_path: Path) -> None:
    """The ratio is that of the medians; its range is that of single rounds."""
    measured = Measurements(tmp_path / "measured.json")
    for ours, one, other in ((1, 2, 2), (2, 1, 1), (4, 6, 2)):
        values = {"ours": ours, "one": one, "other": other}
        measured.add({name: ("second", value) for name, value in values.items()})
    target = comparison.Target("ours / both", "ours", ("one", "other"), 0.5)
    found = comparison.ratio(target, measured)
    assert found is not None
    assert (found.ours, found.theirs, found.value) == (2, 2 + 2, 2 / 4)
    assert (found.lowest, found.highest) == (1 / 4, 2 / 2)
    assert found.is_met
    assert None is comparison.ratio(comparison.Target("", "ours", ("none",), 1), measured)


def test_the_page_shows_each_row(tmp_path: Path) -> None:
    """Every target and peer has a row; what was not measured says why and is no error."""
    measured = _measurements(tmp_path, without="PyTorch")
    remarks = {"PyTorch: process": "not installed: torch"}
    page = comparison.page(measured, ["A processor, 2 threads"], remarks, rounds=3)
    for target in TARGETS:
        assert page.count(f"| {target.title} |") == 1
    for peer in PEERS:
        assert f"| {peer.title} |" in page
    assert "| PyTorch | not installed: torch |" in page
    assert "- A processor, 2 threads" in page
    assert "A quick run" in page
    assert "A quick run" not in comparison.page(measured, [], remarks, rounds=5)


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    """It is drawn from whatever was measured, even from nothing."""
    assert picture.draw(_measurements(tmp_path), "A processor").startswith(b"\x89PNG")
    empty = Measurements(tmp_path / "empty.json")
    assert picture.draw(empty, "A processor").startswith(b"\x89PNG")


def test_a_profile_has_what_every_iteration_runs() -> None:
    """The longest kernel stands first; what runs more or less often than once is no kernel."""
    durations = {"add": [2, 1, 3], "MatMul": [9, 7, 8], "once": [50], profile.WHOLE: [90, 90, 90]}
    found = profile.kernels(durations, 3)
    assert [profile.Kernel("MatMul", 8, 7), profile.Kernel("add", 2, 1)] == found
