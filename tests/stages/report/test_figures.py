"""The figures, drawn from small random results."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from common.config import ReportParams
from common.splits import Description, Split
from stages.report import figures, images
from stages.report.figures import ReportFigure
from stages.report.run_results import ReportData, RunResults
from stages.report.style import DOTS_PER_INCH, PAGE, VERMILLION

EXAMPLES = 150
PARAMS = ReportParams(grid_seed=1, smoothing_iterations=11, calibration_bins=10)


def make_run(name: str, iterations: int, classes: int = 3) -> RunResults:
    """Return a run whose predictions are random."""
    random = np.random.default_rng(len(name))
    labels, predicted = random.integers(classes, size=(2, EXAMPLES))
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    columns = {"label": labels, "predicted": predicted, "probability": random.random(EXAMPLES)}
    return RunResults(
        name=name,
        weights={"W1": random.normal(size=(42, 11)).astype(np.float32)},
        weights_sha256="",
        costs=np.random.default_rng(0).lognormal(size=iterations),
        predictions=pd.DataFrame(columns),
        confusion=confusion,
        per_class=pd.DataFrame(),
    )


def make_data(
    *published: int,
    shape: tuple[int, ...] = (7, 6),
    classes: tuple[str, ...] = ("0", "1", "T-shirt/top"),
) -> ReportData:
    """Return the data of a report, with published costs at some iterations."""
    dataset = SimpleNamespace(published_costs=dict.fromkeys(published, 0.5))
    config = SimpleNamespace(report=PARAMS, dataset=dataset)
    features = np.random.default_rng(0).integers(256, size=(EXAMPLES, int(np.prod(shape))))
    description = Description(
        classes=classes,
        example_shape=shape,
        feature_shape=features.shape[1:],
        feature_dtype="uint8",
        examples={"test": EXAMPLES},
    )
    labels = SHORT.predictions["label"].to_numpy()
    runs = {run.name: run for run in (SHORT, LONG)}
    return ReportData(config, description, Split(features.astype(np.uint8), labels), runs)  # type: ignore[arg-type]


SHORT, LONG = make_run("short", 99), make_run("a" + 62 * "-" + "z", 300)
DATA = make_data(0, 100, 900)
LETTERS = make_data(classes=tuple(f"letter {number}" for number in range(26)))
EMPTY = replace(SHORT, confusion=np.zeros((3, 3), np.int64))
CORRECT = replace(SHORT, predictions=SHORT.predictions.assign(predicted=SHORT.predictions["label"]))
FIGURES: dict[str, Callable[[], ReportFigure]] = {
    "costs": lambda: figures.costs(DATA, [SHORT, LONG]),
    "costs of one iteration": lambda: figures.costs(DATA, [make_run("one", 1)]),
    "costs of equal runs": lambda: figures.costs(DATA, [make_run("one", 1), make_run("two", 1)]),
    "costs of nine runs": lambda: figures.costs(
        DATA, [make_run(str(n), 9 * n + 1) for n in range(9)]
    ),
    "cost": lambda: figures.draw_run(DATA, LONG)["cost"],
    "confusion": lambda: figures.draw_run(DATA, LONG)["confusion"],
    "confusion without predictions": lambda: figures.confusion(DATA, EMPTY),
    "confusion of letters": lambda: figures.confusion(LETTERS, make_run("letters", 9, 26)),
    "calibration": lambda: figures.draw_run(DATA, LONG)["calibration"],
    "images": lambda: images.draw_run(DATA, LONG)["images"],
    "images in colour": lambda: images.draw_run(make_data(shape=(7, 6, 3)), LONG)["images"],
    "more images": lambda: images.draw_run(DATA, LONG)["more_images"],
    "mistakes": lambda: images.draw_run(DATA, LONG)["mistakes"],
    "weights": lambda: images.draw_run(DATA, LONG)["weights"],
}


def _dots(figure: ReportFigure, mode: str = "L") -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(figure.png)) as image:
        assert set(image.info) == {"dpi"}, "the program's version, say, would change the bytes"
        return np.asarray(image.convert(mode))


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_fits_on_its_canvas(name: str) -> None:
    """It is at most as wide as a page, and nothing touches its edges, however long the names."""
    dots = _dots(FIGURES[name]())
    assert 800 <= dots.shape[1] <= PAGE * DOTS_PER_INCH
    assert dots.min() < 100
    edges = np.concatenate([dots[0], dots[-1], dots[:, 0], dots[:, -1]])
    assert edges.min() == 255


def test_published_costs_beyond_the_run_are_not_drawn() -> None:
    """A run of 99 iterations looks the same without the published costs of later ones."""
    without, within, beyond = (
        figures.costs(make_data(*iterations), [SHORT]).png
        for iterations in ((), (0, 98), (0, 98, 99, 900))
    )
    assert within == beyond
    assert within != without


def test_a_misclassified_image_is_framed() -> None:
    """The frame's colour is there only if there is a mistake; so is the figure of mistakes."""
    vermillion = [int(VERMILLION[place : place + 2], 16) for place in (1, 3, 5)]
    framed = [
        bool((_dots(images.draw_run(DATA, run)["images"], "RGB") == vermillion).all(axis=2).any())
        for run in (SHORT, CORRECT)
    ]
    assert framed == [True, False]
    assert set(images.draw_run(DATA, CORRECT)) == {"images", "more_images", "weights"}


@pytest.mark.parametrize("shape", [(42,), (7, 3, 2), (2, 7, 3, 1)])
def test_examples_that_are_not_images_have_generic_figures_only(shape: tuple[int, ...]) -> None:
    """Rows of a table, for instance."""
    data = make_data(shape=shape)
    assert images.draw_run(data, SHORT) == {}
    assert set(figures.draw_run(data, SHORT)) == {"cost", "confusion", "calibration"}


def test_no_probability_is_rounded_to_certainty() -> None:
    """99.996% is not 100%."""
    texts = [images._percent(value) for value in (0.5, 0.9999, 0.99996, 1.0)]
    assert texts == ["50.00%", "99.99%", "> 99.99%", "> 99.99%"]


def test_the_running_median_is_narrower_at_the_beginning_and_cut_off_at_the_end() -> None:
    """Values by hand; a window of one changes nothing."""
    costs = np.array([9.0, 1, 5, 2, 8, 3])
    expected = [9, np.median([9, 1, 5]), np.median(costs[:5]), np.median(costs[1:])]
    expected += [np.median(costs[2:]), np.median(costs[3:])]
    assert list(figures.running_median(costs, 5)) == expected
    assert list(figures.running_median(costs, 1)) == list(costs)
