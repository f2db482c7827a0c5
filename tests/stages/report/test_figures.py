"""The figures, drawn from small random results."""

import io
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from common.config import ReportParams
from common.results import Result
from common.splits import Split
from stages.report import figures, images, style
from stages.report.calibration import (
    accuracy_interval,
    calibration_bins,
    expected_calibration_error,
)
from stages.report.run_results import ReportData, RunResults
from stages.report.style import DOTS_PER_INCH, PAGE, VERMILLION, ReportFigure
from tests.synthetic import DESCRIPTION

EXAMPLES = 40
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
        result=Result(iterations=1, train=1.0, validation=1.0, test=1.0, min_test_accuracy=1.0),
        architecture="",
        training="",
        curves=pd.DataFrame({"iteration": [], "name": [], "value": []}),
        files={},
        costs=np.random.default_rng(0).lognormal(size=iterations),
        predictions=pd.DataFrame(columns),
        confusion=confusion,
        per_class=pd.DataFrame(),
    )


def make_data(
    *runs: RunResults,
    published: tuple[int, ...] = (0, 100, 900),
    shape: tuple[int, ...] = (7, 6),
    classes: tuple[str, ...] = ("0", "1", "T-shirt/top"),
) -> ReportData:
    """Return the data of a report, with published costs at some iterations."""
    dataset = SimpleNamespace(published_costs=dict.fromkeys(published, 0.5))
    config = SimpleNamespace(report=PARAMS, dataset=dataset)
    features = np.random.default_rng(0).integers(256, size=(EXAMPLES, int(np.prod(shape))))
    shapes = {"example_shape": shape, "feature_shape": features.shape[1:]}
    description = DESCRIPTION.model_copy(update={"classes": classes, **shapes})
    test = Split(features.astype(np.uint8), np.zeros(EXAMPLES, np.uint8))
    return ReportData(config, description, test, {run.name: run for run in runs})  # type: ignore[arg-type]


# Returns the axes of the figure that was drawn last.
Drawn = Callable[[], list[Any]]
SHORT, LONG = make_run("short", 99), make_run("a" + 62 * "-" + "z", 300)
DATA = make_data(SHORT, LONG)


@pytest.fixture(scope="module")
def examples() -> dict[str, ReportFigure]:
    """Draw each kind of figure once."""
    nine = [make_run(str(number), 9 * number + 1) for number in range(9)]
    letters = make_data(classes=tuple(f"letter {number}" for number in range(26)))
    colour = make_data(shape=(7, 6, 3))
    return {
        "costs": figures.costs_of_all(DATA),
        "costs of one iteration": figures.costs_of_all(make_data(make_run("one", 1))),
        "costs of nine runs": figures.costs_of_all(make_data(*nine)),
        "cost": figures.cost_of_run(DATA, LONG),
        "confusion": figures.confusion(DATA, LONG),
        "confusion of letters": figures.confusion(letters, make_run("letters", 9, 26)),
        "calibration": figures.calibration(DATA, LONG),
        "images in colour": images.image_grid(colour, LONG.predictions[:16], "title", 4, 6),
        **images.draw_run(DATA, LONG),
    }


def _dots(figure: ReportFigure, mode: str = "L") -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(figure.png)) as image:
        assert set(image.info) == {"dpi"}, "the program's version, say, would change the bytes"
        return np.asarray(image.convert(mode))


def test_every_figure_fits_on_its_canvas(examples: dict[str, ReportFigure]) -> None:
    """It is at most as wide as a page, and nothing touches its edges, however long the names."""
    assert len(examples) == 11
    for name, figure in examples.items():
        dots = _dots(figure)
        assert 800 <= dots.shape[1] <= PAGE * DOTS_PER_INCH, name
        assert dots.min() < 100, name
        assert min(edge.min() for edge in (dots[0], dots[-1], dots[:, 0], dots[:, -1])) == 255, name


def test_published_costs_beyond_the_run_are_not_drawn() -> None:
    """A run of 99 iterations looks the same without the published costs of later ones."""
    without, within, beyond = (
        figures.cost_of_run(make_data(published=iterations), SHORT).png
        for iterations in ((), (0, 98), (0, 98, 99, 900))
    )
    assert within == beyond
    assert within != without


@pytest.fixture
def axes(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """Look at what is drawn before it is a PNG file."""
    drawn: list[Figure] = []
    write = style.png

    def png(figure: Figure) -> bytes:
        drawn.append(figure)
        return write(figure)

    monkeypatch.setattr(style, "png", png)
    return lambda: drawn[-1].axes


def _ticks(axis: Axis) -> list[str]:
    """Return the labels of the ticks that are within the limits."""
    low, high = sorted(axis.get_view_interval())
    return [
        tick.label1.get_text() for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high
    ]


def test_costs_are_drawn_with_their_medians_and_what_was_published(
    axes: Drawn,
) -> None:
    """On axes with units; the ends of the medians are in words as well."""
    figure = figures.costs_of_all(DATA)
    (drawn,) = axes()
    assert (drawn.get_xlabel(), drawn.get_ylabel()) == ("iteration", "batch cost (nats)")
    assert (drawn.get_xscale(), drawn.get_yscale()) == ("symlog", "log")
    assert _ticks(drawn.xaxis) == ["0", "1", "10", "100"]
    left, right = drawn.get_xlim()
    assert (left < 0, right > len(LONG.costs)) == (True, True)
    lines = {str(line.get_label()): line for line in drawn.get_lines()}
    wrapped = style.wrap(LONG.name, 5)
    (legend,) = drawn.figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["short", wrapped, "cost of one batch", "published"]
    for label, run in (("short", SHORT), (wrapped, LONG)):
        median = figures.running_median(run.costs, PARAMS.smoothing_iterations)
        np.testing.assert_array_equal(lines[label].get_ydata(), median)
        ends = f"goes from {median[0]:.3g} to {median[-1]:.3g} nats in {len(median)} iterations"
        assert f"the running median of {run.name} {ends}" in figure.alt
    assert np.transpose(lines["published"].get_data()).tolist() == [[0, 0.5], [100, 0.5]]
    assert figure.is_wide


def test_other_curves_are_drawn_one_below_the_other(axes: Drawn) -> None:
    rows = [(10, "rate", 0.5), (10, "accuracy", 0.25), (20, "rate", 0.125)]
    curves = pd.DataFrame(rows, columns=["iteration", "name", "value"])
    drawings = figures.curves(replace(SHORT, curves=curves))
    assert list(drawings) == ["short/curves"]
    assert drawings["short/curves"].alt == (
        "short: rate, accuracy: rate goes from 0.5 to 0.125; accuracy goes from 0.25 to 0.25"
    )
    assert [one.get_ylabel() for one in axes()] == ["rate", "accuracy"]
    assert np.transpose(axes()[0].get_lines()[0].get_data()).tolist() == [[10, 0.5], [20, 0.125]]
    assert figures.curves(SHORT) == {}


def test_the_confusion_matrix_has_a_number_in_each_cell_that_is_not_empty(
    axes: Drawn,
) -> None:
    """Unless there are too many classes to read them."""
    confusion = np.array([[1500, 0, 2], [0, 30, 0], [1, 0, 4]])
    figure = figures.confusion(DATA, replace(SHORT, confusion=confusion))
    drawn, bar = axes()
    assert (drawn.get_xlabel(), drawn.get_ylabel()) == ("predicted class", "true class")
    assert _ticks(drawn.xaxis) == _ticks(drawn.yaxis) == ["0", "1", "T-shirt/top"]
    cells = {text.get_position(): text.get_text() for text in drawn.texts}
    expected = {(0, 0): "1500", (2, 0): "2", (1, 1): "30", (0, 2): "1", (2, 2): "4"}
    assert cells == expected
    # Light on dark blue, dark on light blue.
    colours = {text.get_text(): text.get_color() for text in drawn.texts}
    assert (colours["1500"], colours["1"]) == ("white", style.INK)
    assert bar.get_ylabel() == "test examples"
    assert figure.alt.endswith("correct predictions by class: 0 1,500, 1 30, T-shirt/top 4")
    for classes in (30, 31):
        names = tuple(map(str, range(classes)))
        figures.confusion(make_data(classes=names), make_run("many", 9, classes))
        assert bool(axes()[0].texts) == (classes == 30)


def test_calibration_is_drawn_over_confidence_in_percent(axes: Drawn) -> None:
    """An empty bin has no bar and no dot."""
    rows = [(1, 0.96)] * 3 + [(0, 0.92), (1, 0.55)]
    figure = figures.calibration(DATA, replace(SHORT, predictions=_predictions(*rows)))
    upper, lower = axes()
    assert (upper.get_ylabel(), lower.get_ylabel()) == ("accuracy", "test examples")
    assert lower.get_xlabel() == "probability of the predicted class (confidence)"
    assert upper.get_xlim() == lower.get_xlim() == (0, 1)
    assert upper.get_ylim()[0] == 0
    percent = ["0%", "20%", "40%", "60%", "80%", "100%"]
    assert _ticks(upper.yaxis) == _ticks(lower.xaxis) == percent
    bars = [(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in upper.patches]
    np.testing.assert_allclose(bars, [(0.55, 1), (0.95, 0.75)])
    labels = [text.get_text() for text in lower.texts]
    assert [label for label in labels if label != "0"] == ["1", "4"]
    assert figure.alt.endswith("of each bin: 55% 100% (1), 95% 75% (4)")
    labels = [str(label) for label in upper.get_legend_handles_labels()[1]]
    assert labels == ["perfect calibration", "accuracy", "its 95% interval"]


def test_each_image_has_its_prediction_above_it(axes: Drawn) -> None:
    """And a mistake its probability and the true class, in the picture and in words."""
    predictions = pd.DataFrame(
        {"label": [2, 1], "predicted": [2, 0], "probability": [0.9, 0.75]}, index=[7, 3]
    )
    figure = images.image_grid(DATA, predictions, "title", 4, 6)
    texts = [text.get_text() for text in axes()[0].texts]
    assert texts == ["Predict: T-shirt/top", "Predict: 0\nat 75.00%\ntrue: 1"]
    assert figure.alt == "title; 1 misclassified; 1 as 0"
    mosaic = axes()[0].images[0].get_array()
    for number, (text, patch) in enumerate(zip(axes()[0].texts, axes()[0].patches, strict=True)):
        left, top = (int(np.ceil(place)) for place in patch.get_xy())
        tile = mosaic[top : top + 7, left : left + 6]
        original = DATA.test.features[predictions.index[number]].reshape(7, 6)
        np.testing.assert_array_equal(tile, original)
        horizontal, vertical = text.get_position()
        assert left < horizontal < left + 6
        assert vertical < top


def test_a_run_has_its_sample_and_its_most_confident_mistakes() -> None:
    """At most 25 of these."""
    drawings = images.draw_run(DATA, LONG)
    wrong = LONG.predictions[LONG.predictions["label"] != LONG.predictions["predicted"]]
    assert len(wrong) > 25
    titles = {name.partition("/")[2]: figure.alt.split("; ") for name, figure in drawings.items()}
    assert titles["images"][0] == f"{LONG.name}: 16 test images, drawn with seed 1"
    assert titles["more_images"][0] == f"{LONG.name}: 40 test images, drawn with seed 1"
    mistakes = f"{LONG.name}: 25 of {len(wrong)} mistakes, most confident first"
    worst = wrong.nlargest(25, "probability")
    names = [DATA.description.classes[label] for label in worst["label"]]
    assert titles["mistakes"][:2] == [mistakes, "25 misclassified"]
    assert [text.split(" as ")[0] for text in titles["mistakes"][2:]] == names


def test_a_misclassified_image_is_framed(examples: dict[str, ReportFigure]) -> None:
    """The frame's colour is there only if there is a mistake; so is the figure of mistakes."""
    predictions = LONG.predictions.assign(predicted=LONG.predictions["label"])
    correct = images.draw_run(DATA, replace(LONG, predictions=predictions))
    few, many = (f"{LONG.name}/{name}" for name in ("images", "more_images"))
    assert set(correct) == {few, many}
    vermillion = [int(VERMILLION[place : place + 2], 16) for place in (1, 3, 5)]
    framed = [
        bool((_dots(figure, "RGB") == vermillion).all(axis=2).any())
        for figure in (examples[few], correct[few])
    ]
    assert framed == [True, False]


@pytest.mark.parametrize("shape", [(42,), (7, 3, 2), (2, 7, 3, 1)])
def test_examples_that_are_not_images_have_no_figures_of_images(shape: tuple[int, ...]) -> None:
    assert images.draw_run(make_data(shape=shape), SHORT) == {}


def test_no_probability_is_rounded_to_certainty() -> None:
    texts = [images._percent(value) for value in (0.5, 0.9999, 0.99996, 1.0)]
    assert texts == ["50.00%", "99.99%", "> 99.99%", "> 99.99%"]


def test_the_running_median_is_narrower_at_the_beginning_and_cut_off_at_the_end() -> None:
    """Values by hand; a window of one changes nothing."""
    costs = np.array([9.0, 1, 5, 2, 8, 3])
    assert figures.running_median(costs, 5).tolist() == [9, 5, 5, 3, 4, 3]
    assert figures.running_median(costs, 1).tolist() == costs.tolist()


def _predictions(*rows: tuple[int, float]) -> pd.DataFrame:
    """Return predictions that are correct (1) or not (0), each with its probability."""
    predicted, probability = zip(*rows, strict=True)
    return pd.DataFrame({"label": 1, "predicted": predicted, "probability": probability})


def test_calibration_bins_by_hand() -> None:
    """A probability on an edge is in the lower bin; an empty bin has no confidence."""
    bins = calibration_bins(_predictions((1, 0.0), (0, 0.5), (0, 0.7), (1, 0.74), (1, 1.0)), 5)
    assert bins.index.to_list() == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    assert list(bins["examples"]) == [1, 0, 1, 2, 1]
    assert list(bins["correct"]) == [1, 0, 0, 1, 1]
    assert bins["confidence"].isna().to_list() == [False, True, False, False, False]
    assert bins["confidence"].iloc[3] == pytest.approx(0.72)


def test_expected_calibration_error_by_hand() -> None:
    """Two of ten are 0.6 confident and half correct, eight are 0.9 confident and seven correct."""
    predictions = _predictions((1, 0.6), (0, 0.6), (0, 0.9), *[(1, 0.9)] * 7)
    actual = expected_calibration_error(calibration_bins(predictions, 5))
    assert actual == pytest.approx(2 / 10 * abs(1 / 2 - 0.6) + 8 / 10 * abs(7 / 8 - 0.9))


def test_the_interval_of_an_accuracy_by_hand() -> None:
    """Wilson's formula, also for an accuracy of 1."""
    assert accuracy_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert accuracy_interval(10, 10) == pytest.approx((0.7225, 1), abs=1e-4)
