"""What a finished run is, gathered from files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures import CLASSES, ITERATIONS, VALIDATION_IMAGES, WIDTHS, write_fake_results, yaml

from common.command_line import InputError
from stages.track import runs as records
from stages.track.runs import Record

MODEL = "models/long/weights.npz"


def gathered(path: Path) -> dict[str, Record]:
    """Gather the runs of a folder, by their names."""
    return {record.run: record for record in records.gather(records.from_folder(path))}


def test_every_run_is_gathered(tmp_path: Path) -> None:
    """Each has what it was made with and what came out, as in the files."""
    write_fake_results(tmp_path)
    found = gathered(tmp_path)
    assert list(ITERATIONS) == list(found)
    for run, iterations in ITERATIONS.items():
        record = found[run]
        expected = {
            "dataset": "synthetic",
            "validation_examples": VALIDATION_IMAGES,
            "iterations": iterations,
            "min_test_accuracy": 0.5,
            "learning_rate": 0.001,
            "seed": 1,
        }
        assert ("synthetic", expected) == (record.dataset, record.parameters)
        written = np.loadtxt(tmp_path / f"costs/{run}.csv", delimiter=",", skiprows=1)[:, 1]
        assert written.astype(np.float32).tolist() == record.costs.tolist()
        assert (tmp_path / f"models/{run}/weights.npz").read_bytes() == record.weights
        assert record.layers == WIDTHS
        # A class without images has no recall.
        assert {str(label): 1 - label / 10 for label in range(CLASSES - 1)} == record.recall
        assert (tmp_path / "dvc.lock").read_bytes() == record.lock
    assert {"train", "validation", "test"} == set(found["long"].data)
    assert hashlib.md5(b"test", usedforsecurity=False).hexdigest() == found["long"].data["test"]


def test_a_result_has_one_identity(tmp_path: Path) -> None:
    """The same files give the same digest, and each run one of its own."""
    write_fake_results(tmp_path)
    first = [record.digest for record in gathered(tmp_path).values()]
    write_fake_results(tmp_path, pictures=False)
    assert first == [record.digest for record in gathered(tmp_path).values()]
    assert len(set(first)) == 2


CHANGES: dict[str, Callable[[Path], None]] = {
    "weights, costs and a parameter": lambda path: write_fake_results(path, seed=2),
    "the data": lambda path: write_fake_results(path, data="other"),
    "an accuracy": lambda path: write_fake_results(path, accuracy={"long": (0.5, 0.5)}),
    "the iterations": lambda path: write_fake_results(path, iterations={"long": 121}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_another_result_has_another_identity(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """Whatever went into it shows in the digest."""
    write_fake_results(tmp_path)
    before = gathered(tmp_path)["long"].digest
    change(tmp_path)
    assert before != gathered(tmp_path)["long"].digest


@pytest.mark.parametrize(
    "name", ["metrics/accuracy.json", "metrics/per_class.csv", "costs/long.csv", MODEL]
)
def test_a_file_must_be_the_one_that_dvc_lock_speaks_of(tmp_path: Path, name: str) -> None:
    """A changed or missing file is named, with what to do."""
    write_fake_results(tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes() + b"\n")
    with pytest.raises(InputError, match=f"^{name}: not the file.*dvc repro"):
        gathered(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=f"^{name}: not found.*dvc repro"):
        gathered(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff", b"stages", b"a: [", b"stages: {a: 1}"])
def test_a_damaged_lock_is_named(tmp_path: Path, content: bytes) -> None:
    """Any content that is no dvc.lock is one line."""
    write_fake_results(tmp_path)
    (tmp_path / "dvc.lock").write_bytes(content)
    with pytest.raises(InputError, match=r"^dvc\.lock: damaged"):
        gathered(tmp_path)


@pytest.mark.parametrize(
    ("stage", "part"), [("flatten", "params"), ("train@long", "params"), ("flatten", "outs")]
)
def test_a_lock_without_a_stage_is_named(tmp_path: Path, stage: str, part: str) -> None:
    """What never ran is said, with what to do."""
    write_fake_results(tmp_path)
    _edit_lock(tmp_path, stage, part, None)
    with pytest.raises(InputError, match=r"^dvc.lock: no stage.*dvc repro"):
        gathered(tmp_path)


@pytest.mark.parametrize("params", [{}, {"dataset": "x"}, {"dataset": "x", "train": 3}])
def test_a_result_of_another_version_is_named(tmp_path: Path, params: dict[str, object]) -> None:
    """The parameters of an old commit may be other ones: one line, no traceback."""
    write_fake_results(tmp_path)
    _edit_lock(tmp_path, "train@long", "params", {"params.yaml": params})
    with pytest.raises(InputError, match=r"^dvc\.lock: long is of another version"):
        gathered(tmp_path)


def _edit_lock(path: Path, stage: str, part: str, value: object) -> None:
    document = yaml().load(path / "dvc.lock")
    if value is None:
        del document["stages"][stage][part]
    else:
        document["stages"][stage][part] = value
    yaml().dump(document, path / "dvc.lock")


@pytest.mark.parametrize(
    ("costs", "points", "windows"),
    [
        (1, 320, 1),
        (319, 320, 319),
        (320, 320, 320),
        (321, 320, 161),
        (1000, 320, 250),
        (10_000, 320, 313),
    ],
)
def test_smoothed_costs_keep_mean_and_end(costs: int, points: int, windows: int) -> None:
    """At most so many means of windows as asked for; the last is at the last iteration."""
    values = np.random.default_rng(0).random(costs).astype(np.float32)
    smoothed = list(records.smoothed(values, points))
    assert windows == len(smoothed) <= points
    assert costs - 1 == smoothed[-1][0]
    ends = [-1, *(end for end, _ in smoothed)]
    total = sum(mean * (end - before) for before, (end, mean) in zip(ends, smoothed, strict=False))
    assert float(values.sum(dtype=np.float64)) == pytest.approx(total, rel=1e-12)
