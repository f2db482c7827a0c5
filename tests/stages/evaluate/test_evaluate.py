"""Measuring the runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.fixtures import CLASSES, SHAPE, Workspace

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
    assert list(answers["label"]) == [2, 1]
    assert list(answers["predicted"]) == [2, 0]
    np.testing.assert_allclose(np.e / (np.e + 3), answers["probability"])


def test_accuracy_confusion_and_classes() -> None:
    """Counts by hand; a class that is never predicted, or has no images, has no rate."""
    answers = pd.DataFrame({"label": [0, 0, 0, 1], "predicted": [0, 0, 2, 0]})
    assert evaluate.accuracy(answers) == 0.5
    counts = evaluate.confusion(answers, 3)
    assert counts.to_numpy().tolist() == [[2, 0, 1], [1, 0, 0], [0, 0, 0]]
    rates = evaluate.per_class(counts)
    np.testing.assert_allclose([2 / 3, np.nan, 0], rates["precision"])
    np.testing.assert_allclose([2 / 3, 0, np.nan], rates["recall"])
    assert list(rates["support"]) == [3, 1, 0]


@pytest.fixture
def measurable(workspace: Workspace) -> Workspace:
    """Put arrays and two runs' weights into the workspace."""
    for part, labels in (("train", [0, 1]), ("validation", [0, 3]), ("test", [3, 3])):
        arrays.save_split(Path("flat") / f"{part}.npz", _examples([0, 1], labels))
    for run in ("short", "long"):
        arrays.save(Path("models") / run / "weights.npz", BRIGHTEST)
    return workspace


ARGUMENTS = ("flat", "models", "costs", "metrics", "plots")


def test_the_command(measurable: Workspace) -> None:
    """Accuracies, both tables and a run's answers are written, all runs in each."""
    outcome = measurable.run("evaluate", *ARGUMENTS)
    assert (outcome.status, outcome.err) == (0, "")
    assert "short: train 100.00%, validation 50.00%, test 0.00%\n" in outcome.out
    measured = results.load(Path("metrics/accuracy.json"))
    assert list(measured) == ["short", "long"]
    long = measured["long"]
    assert (
        long.iterations,
        long.train,
        long.validation,
        long.test,
        long.min_test_accuracy,
    ) == (120, 1.0, 0.5, 0.0, 0.0)
    per_class = pd.read_csv("metrics/per_class.csv")
    assert (len(per_class), list(per_class.columns[:2])) == (2 * CLASSES, ["run", "class"])
    confusion = pd.read_csv("metrics/confusion.csv", index_col=["run", "label"])
    assert list(confusion.loc[("long", 3)]) == [1, 1, 0, 0]
    answers = pd.read_csv("plots/long.csv")
    assert list(answers.columns) == ["image", "label", "predicted", "probability"]
    assert list(answers["predicted"]) == [0, 1]


def test_the_bytes_are_the_same_every_time(measurable: Workspace) -> None:
    """Measured twice, every file is the same."""

    def measure() -> dict[Path, bytes]:
        assert measurable.run("evaluate", *ARGUMENTS).status == 0
        folders = (Path("metrics"), Path("plots"))
        return {path: path.read_bytes() for folder in folders for path in workspace.iterdir()}

    first = measure()
    assert len(first) == 5
    assert first == measure()


def test_files_of_no_run_are_refused(measurable: Workspace) -> None:
    """What a removed run left would stand in dvc.lock: the error says how to delete all of it."""
    kept = {"long.csv": b"", ".long.csv.1.partial": b"", ".DS_Store": b""}
    measurable.put("costs", kept | {"old.csv": b"", ".old.csv": b"", "long.bak": b""})
    arrays.save(Path("models/old/weights.npz"), BRIGHTEST)
    outcome = measurable.run("evaluate", *ARGUMENTS)
    left = "costs/.old.csv costs/long.bak costs/old.csv models/old/weights.npz"
    assert outcome.status == 2
    assert f"{left}: of no run in params.yaml; `rm {left}`, and go on" == outcome.error()
    assert not Path("metrics").exists()
    for path in left.split():
        Path(path).unlink()
    assert measurable.run("evaluate", *ARGUMENTS).status == 0


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
    measurable: Workspace, path: str, content: bytes | None, said: str
) -> None:
    """The error says the file and what makes it anew; no results are written."""
    Path(path).unlink()
    if content is not None:
        Path(path).write_bytes(content)
    outcome = measurable.run("evaluate", *ARGUMENTS)
    assert (2, f"{path}: {said}") == (outcome.status, outcome.error())
    assert not Path("metrics").exists()


def test_weights_for_other_images_are_named(measurable: Workspace) -> None:
    """The error says the file and both sizes."""
    other = {"W1": np.ones((784, CLASSES), np.float32), "b1": np.zeros(CLASSES, np.float32)}
    arrays.save(Path("models/long/weights.npz"), other)
    outcome = measurable.run("evaluate", *ARGUMENTS)
    expected = "models/long/weights.npz: for images of 784 pixels, these have 30"
    assert outcome.status == 2
    assert outcome.error().startswith(expected)
