"""Measuring the runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, SHAPE, Folder

from common import arrays, results
from common.arrays import Split
from stages.evaluate.__main__ import __main__ as evaluate

PIXELS = SHAPE[0] * SHAPE[1]
# A network of one layer that answers with the brightest of the first pixels.
BRIGHTEST = {
    "W1": np.eye(PIXELS, CLASSES, dtype=np.float32),
    "b1": np.zeros(CLASSES, np.float32),
}


def _examples(shown: list[int], labels: list[int]) -> Split:
    """Make images for which BRIGHTEST answers `shown`."""
    images = np.zeros((len(shown), PIXELS), np.uint8)
    images[range(len(shown)), shown] = 255
    return Split(images, np.array(labels, np.uint8))


def test_predictions() -> None:
    """The likeliest class and its probability, a row an image."""
    answers = evaluate.predictions(BRIGHTEST, _examples([2, 0], [2, 1]))
    assert [2, 1] == list(answers["label"])
    assert [2, 0] == list(answers["predicted"])
    np.testing.assert_allclose(np.e / (np.e + 3), answers["probability"])


def test_accuracy_confusion_and_classes() -> None:
    """Counts by hand; a class that is never predicted, or has no images, has no rate."""
    answers = pd.DataFrame({"label": [0, 0, 0, 1], "predicted": [0, 0, 2, 0]})
    assert 0.5 == evaluate.accuracy(answers)
    counts = evaluate.confusion(answers, 3)
    assert [[2, 0, 1], [1, 0, 0], [0, 0, 0]] == counts.to_numpy().tolist()
    rates = evaluate.per_class(counts)
    np.testing.assert_allclose([2 / 3, np.nan, 0], rates["precision"])
    np.testing.assert_allclose([2 / 3, 0, np.nan], rates["recall"])
    assert [3, 1, 0] == list(rates["support"])


@pytest.fixture
def measurable(folder: Folder) -> Folder:
    """Put arrays and two runs' weights into the folder."""
    for part, labels in (("train", [0, 1]), ("validation", [0, 3]), ("test", [3, 3])):
        arrays.save_split(Path("flat") / f"{part}.npz", _examples([0, 1], labels))
    for run in ("short", "long"):
        arrays.save(Path("models") / run / "weights.npz", BRIGHTEST)
    return folder


ARGUMENTS = ("flat", "models", "costs", "metrics", "plots")


def test_the_command(measurable: Folder) -> None:
    """Accuracies, both tables and a run's answers are written, all runs in each."""
    outcome = measurable.run("evaluate", *ARGUMENTS)
    assert (0, "") == (outcome.status, outcome.err)
    assert "short: train 100.00%, validation 50.00%, test 0.00%\n" in outcome.out
    measured = results.load(Path("metrics/accuracy.json"))
    assert ["short", "long"] == list(measured)
    long = measured["long"]
    assert (120, 1.0, 0.5, 0.0, 0.0) == (
        long.iterations,
        long.train,
        long.validation,
        long.test,
        long.min_test_accuracy,
    )
    per_class = pd.read_csv("metrics/per_class.csv")
    assert (2 * CLASSES, ["run", "class"]) == (len(per_class), list(per_class.columns[:2]))
    confusion = pd.read_csv("metrics/confusion.csv", index_col=["run", "label"])
    assert [1, 1, 0, 0] == list(confusion.loc[("long", 3)])
    answers = pd.read_csv("plots/long.csv")
    assert ["image", "label", "predicted", "probability"] == list(answers.columns)
    assert [0, 1] == list(answers["predicted"])


def test_the_bytes_are_the_same_every_time(measurable: Folder) -> None:
    """Measured twice, every file is the same."""

    def measure() -> dict[Path, bytes]:
        assert 0 == measurable.run("evaluate", *ARGUMENTS).status
        folders = (Path("metrics"), Path("plots"))
        return {path: path.read_bytes() for folder in folders for path in folder.iterdir()}

    first = measure()
    assert 5 == len(first)
    assert first == measure()


def test_files_of_no_run_are_refused(measurable: Folder) -> None:
    """What a removed run left would stand in dvc.lock: the error says how to delete all of it."""
    kept = {"long.csv": b"", ".long.csv.1.partial": b"", ".DS_Store": b""}
    measurable.put("costs", kept | {"old.csv": b"", ".old.csv": b"", "long.bak": b""})
    arrays.save(Path("models/old/weights.npz"), BRIGHTEST)
    outcome = measurable.run("evaluate", *ARGUMENTS)
    left = "costs/.old.csv costs/long.bak costs/old.csv models/old/weights.npz"
    assert 2 == outcome.status
    assert f"{left}: of no run in params.yaml; `rm {left}`, and go on" == outcome.error()
    assert not Path("metrics").exists()
    for path in left.split():
        Path(path).unlink()
    assert 0 == measurable.run("evaluate", *ARGUMENTS).status


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("flat/test.npz", None, "not found; `dvc repro` makes it"),
        ("flat/test.npz", b"PK", "damaged; `make repair` makes it anew"),
        ("models/long/weights.npz", None, "not found; `dvc repro` makes it"),
        ("models/long/weights.npz", b"", "damaged; `make repair` makes it anew"),
    ],
)
def test_a_damaged_file_is_named(
    measurable: Folder, path: str, content: bytes | None, said: str
) -> None:
    """The error says the file and what makes it anew; no results are written."""
    Path(path).unlink()
    if content is not None:
        Path(path).write_bytes(content)
    outcome = measurable.run("evaluate", *ARGUMENTS)
    assert (2, f"{path}: {said}") == (outcome.status, outcome.error())
    assert not Path("metrics").exists()


def test_weights_for_other_images_are_named(measurable: Folder) -> None:
    """The error says the file and both sizes."""
    other = {"W1": np.ones((784, CLASSES), np.float32), "b1": np.zeros(CLASSES, np.float32)}
    arrays.save(Path("models/long/weights.npz"), other)
    outcome = measurable.run("evaluate", *ARGUMENTS)
    expected = "models/long/weights.npz: for images of 784 pixels, these have 30"
    assert 2 == outcome.status
    assert outcome.error().startswith(expected)
