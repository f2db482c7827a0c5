r"""Show what was measured: pictures, one page with all of them, and a model card.

    python -m stages.report data/flat/test.npz models costs metrics plots/predictions \
        plots/pictures plots/report.html MODEL_CARD.md

About six seconds for two runs. All three follow from the inputs alone, byte for byte; what changed
since another revision does not, and is therefore said by `python -m stages.summary`.
"""

from __future__ import annotations

import base64
import math
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages import arrays, pages, plots, results, settings, tables, tutorial, uncertainty
from stages.arrays import Examples
from stages.console import InputError, command_line, progress, run, say
from stages.files import replacing, sha256
from stages.inference import Weights
from stages.results import ACCURACY
from stages.settings import Section, Settings

FEW_COLUMNS, MANY_COLUMNS = 4, 10
MISTAKES_COLUMNS = 5


@dataclass(frozen=True)
class Evidence:
    """Everything there is of one run.

    Attributes
    ----------
    weights
        What was learned.
    weights_bytes, weights_sha256
        Of the file that they are in.
    costs : ndarray of float64, shape (iterations,)
        In nats.
    answers
        ``label``, ``predicted`` and ``probability`` of each test image.
    confusion : ndarray of int64, shape (classes, classes)
        Test images, a row each true class, a column each predicted one.
    per_class
        ``precision``, ``recall`` and ``support``, a row a class.
    """

    weights: Weights
    weights_bytes: int
    weights_sha256: str
    costs: NDArray[np.float64]
    answers: pd.DataFrame
    confusion: NDArray[np.int64]
    per_class: pd.DataFrame

    @property
    def parameters(self) -> int:
        """How many numbers were learned."""
        return sum(array.size for array in self.weights.values())

    @property
    def units(self) -> list[int]:
        """The width of the input and of each layer."""
        biases = [array for name, array in self.weights.items() if name.startswith("b")]
        return [len(self.weights["W1"]), *(len(bias) for bias in biases)]

    @property
    def mistakes(self) -> pd.DataFrame:
        """The wrong answers, those with the highest probability first."""
        wrong = self.answers[self.answers["label"] != self.answers["predicted"]]
        return wrong.sort_values("probability", ascending=False, kind="stable")

    @property
    def commonest_mistakes(self) -> list[tuple[int, int, int]]:
        """The true class, the predicted one and how often, of the mistakes made most often."""
        wrong = self.confusion - np.diag(self.confusion.diagonal())
        return [
            (int(label), int(predicted), int(wrong.max()))
            for label, predicted in np.argwhere(wrong == wrong.max())
        ]

    def reliability(self, bins: int) -> pd.DataFrame:
        """Compare confidence with accuracy; see `uncertainty.reliability`."""
        return uncertainty.reliability(self.answers, bins)


@dataclass(frozen=True)
class Picture:
    """A picture, and what it shows in words.

    Attributes
    ----------
    png
        The file.
    words
        For whoever does not see it.
    """

    png: bytes
    words: str

    @property
    def address(self) -> str:
        """The file itself as an address, so that a page needs no other file."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


def pictures(
    name: str, evidence: Evidence, images: NDArray[np.uint8], chosen: Settings
) -> dict[str, Picture]:
    """Draw one run.

    Parameters
    ----------
    name
        Of the run.
    evidence
        What there is of it.
    images : ndarray of uint8, shape (n, rows, columns)
        The test images.
    chosen
        The settings.

    Returns
    -------
    dict
        Pictures by the names of their files, without ``.png``.
    """
    classes, wanted = chosen.dataset.classes, chosen.report
    # The few are the first of the many, so that both say the same.
    many = np.random.default_rng(wanted.grid_seed).permutation(len(images))[: MANY_COLUMNS**2]
    few = many[: FEW_COLUMNS**2]
    grids = {
        "digits": (few, FEW_COLUMNS, plots.COLUMN),
        "more_digits": (many, MANY_COLUMNS, plots.PAGE),
    }
    drawn = {}
    for picture, (rows, columns, width) in grids.items():
        answers = evidence.answers.iloc[rows]
        title = f"{name}: {len(rows)} test images, drawn with seed {wanted.grid_seed}"
        png = plots.digits(title, images[rows], answers, classes, columns=columns, width=width)
        drawn[picture] = Picture(png, f"{title}; {_wrong(answers, classes)}")
    worst = evidence.mistakes.head(MISTAKES_COLUMNS**2)
    title = f"{name}: {len(worst)} of {len(evidence.mistakes):,} mistakes, the surest first"
    png = plots.mistakes(title, images[worst.index], worst, classes, MISTAKES_COLUMNS)
    drawn["mistakes"] = Picture(png, f"{title}; {_wrong(worst, classes)}")
    drawn["cost"] = _cost({name: evidence}, f"{name}: cost of each iteration", chosen)
    title = f"{name}: what test images are taken for"
    png = plots.confusion(title, evidence.confusion, classes)
    right = ", ".join(
        f"{known} {count:,}"
        for known, count in zip(classes, evidence.confusion.diagonal(), strict=True)
    )
    drawn["confusion"] = Picture(png, f"{title}; right answers by class: {right}")
    bins = evidence.reliability(wanted.calibration_bins)
    title = (
        f"{name}: expected calibration error "
        f"{uncertainty.expected_calibration_error(bins):.2%}, {len(bins)} bins"
    )
    filled = bins[bins["images"] > 0]
    shown = ", ".join(
        f"{confidence:.0%} {right / images_in_it:.0%} ({images_in_it:,})"
        for confidence, right, images_in_it in zip(
            filled["confidence"], filled["right"], filled["images"], strict=True
        )
    )
    drawn["calibration"] = Picture(
        plots.calibration(title, bins), f"{title}; confidence, accuracy and images: {shown}"
    )
    first_layer = evidence.weights["W1"]
    title = f"{name}: the weights of each unit of the first layer"
    png = plots.weights(title, first_layer, chosen.dataset.image_shape)
    drawn["weights"] = Picture(
        png, f"{title}, {first_layer.shape[1]} images, from {first_layer.min():.2f} to "
        f"{first_layer.max():.2f}",
    )  # fmt: skip
    return drawn


def _wrong(answers: pd.DataFrame, classes: Sequence[str]) -> str:
    """Say in words what is taken for what."""
    wrong = answers[answers["label"] != answers["predicted"]]
    pairs = ", ".join(
        f"{classes[label]} taken for {classes[predicted]}"
        for label, predicted in zip(wrong["label"], wrong["predicted"], strict=True)
    )
    return f"{len(wrong)} wrong" + (f": {pairs}" if pairs else "")


def _cost(evidence: Mapping[str, Evidence], title: str, chosen: Settings) -> Picture:
    curves = {name: found.costs for name, found in evidence.items()}
    png = plots.costs(title, curves, chosen.report.smoothing_iterations, _published(chosen))
    medians = {
        name: plots.smoothed(costs, chosen.report.smoothing_iterations)
        for name, costs in curves.items()
    }
    shown = "; ".join(
        f"the running median of {name} goes from {median[0]:.3g} to {median[-1]:.3g} nats in "
        f"{len(median):,} iterations"
        for name, median in medians.items()
    )
    return Picture(png, f"{title}: {shown}")


def _begin_alike(evidence: Mapping[str, Evidence]) -> bool:
    """Tell whether every run is the beginning of the longest."""
    longest = max((found.costs for found in evidence.values()), key=len)
    return all(
        np.array_equal(found.costs, longest[: len(found.costs)]) for found in evidence.values()
    )


def _published(chosen: Settings) -> Mapping[int, float]:
    """Give the tutorial's costs, where they are of this dataset."""
    if chosen.dataset_name != tutorial.DATASET:
        return {}
    return {
        iteration: cost
        for figures in tutorial.FIGURES.values()
        for iteration, cost in figures.costs.items()
    }


def _read(name: str, folders: Namespace, chosen: Settings) -> Evidence:
    every = [str(label) for label in range(len(chosen.dataset.classes))]
    counts = tables.load(
        folders.metrics / "confusion.csv",
        {"run": "str", "label": "int64", **dict.fromkeys(every, "int64")},
    )
    measures = {"precision": "float64", "recall": "float64", "support": "int64"}
    per_class = tables.load(
        folders.metrics / "per_class.csv", {"run": "str", "class": "int64", **measures}
    )
    path = folders.models / name / "weights.npz"
    costs = tables.load(folders.costs / f"{name}.csv", {"iteration": "int64", "cost": "float64"})
    answers = tables.load(
        folders.predictions / f"{name}.csv",
        {"label": "int64", "predicted": "int64", "probability": "float64"},
    )
    return Evidence(
        weights=arrays.load_weights(path),
        weights_bytes=path.stat().st_size,
        weights_sha256=sha256(path.read_bytes()),
        costs=costs["cost"].to_numpy(),
        answers=answers,
        confusion=counts.loc[counts["run"] == name, every].to_numpy(),
        per_class=per_class.loc[per_class["run"] == name, ["class", *measures]],
    )


def check(name: str, found: Evidence, test: Examples, chosen: Settings) -> None:
    """Refuse files that were not made together.

    Raises
    ------
    InputError
        With the first thing of this run that does not fit the settings or the test images.
    """
    classes, pixels = len(chosen.dataset.classes), math.prod(chosen.dataset.image_shape)
    iterations = chosen.runs[name].iterations
    reasons = {
        f"{test.images.shape[1]} pixels an image, not {pixels}": test.images.shape[1] != pixels,
        f"weights for {found.units[0]} pixels, not {pixels}": found.units[0] != pixels,
        f"{len(found.costs)} costs, not {iterations}": len(found.costs) != iterations,
        "answers to other images": not np.array_equal(found.answers["label"], test.labels),
        f"answers outside the {classes} classes": not found.answers["predicted"]
        .between(0, classes - 1)
        .all(),
        f"a confusion matrix of {len(found.confusion)} classes, not {classes}": len(found.confusion)
        != classes,
        f"measures of {len(found.per_class)} classes, not {classes}": len(found.per_class)
        != classes,
    }
    for reason, is_so in reasons.items():
        if is_so:
            raise InputError(f"run {name}: {reason}; `dvc repro` makes its files anew")


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)


def _parameters(chosen: Settings) -> dict[str, object]:
    """Give the parameters by their names, as DVC writes them."""
    sections: dict[str, Section] = {
        "flatten": chosen.flatten,
        "train": chosen.train,
        "report": chosen.report,
        **{f"runs.{name}": section for name, section in chosen.runs.items()},
    }
    every = {
        f"{name}.{key}": list(value) if isinstance(value, tuple) else value
        for name, section in sections.items()
        for key, value in section.model_dump().items()
    }
    return {"dataset": chosen.dataset_name, **every}


def main() -> None:
    """Read the arguments, the settings and all results; write pictures, page and card."""
    parser = command_line("report", __doc__)
    parser.add_argument("test", type=Path, help="the test images: data/flat/test.npz")
    parser.add_argument("models", type=Path, help="where each run's weights are: models")
    parser.add_argument("costs", type=Path, help="where each run's costs are: costs")
    parser.add_argument("metrics", type=Path, help="where the results are: metrics")
    parser.add_argument("predictions", type=Path, help="where answers are: plots/predictions")
    parser.add_argument("pictures", type=Path, help="where pictures go: plots/pictures")
    parser.add_argument("page", type=Path, help="the page: plots/report.html")
    parser.add_argument("card", type=Path, help="the model card: MODEL_CARD.md")
    arguments = parser.parse_args()
    chosen = settings.load()
    table = list(pages.rows(chosen, results.load(arguments.metrics / ACCURACY.name)))
    test = arrays.load_examples(arguments.test)
    evidence = {name: _read(name, arguments, chosen) for name in chosen.runs}
    for name, found in evidence.items():
        check(name, found, test, chosen)
    images = test.images.reshape(-1, *chosen.dataset.image_shape)
    drawn: dict[str, dict[str, Picture]] = {}
    with progress("drawing", len(evidence)) as advance:
        for name, found in evidence.items():
            drawn[name] = pictures(name, found, images, chosen)
            advance(1)
    cost = _cost(evidence, "Cost of each iteration of every run", chosen)
    _write(arguments.pictures / "costs.png", cost.png)
    for name, by_name in drawn.items():
        for file, picture in by_name.items():
            _write(arguments.pictures / name / f"{file}.png", picture.png)
    bins = chosen.report.calibration_bins
    context = {
        "settings": chosen,
        "parameters": _parameters(chosen),
        "rows": table,
        "evidence": evidence,
        "begin_alike": _begin_alike(evidence),
        "calibration_errors": {
            name: uncertainty.expected_calibration_error(found.reliability(bins))
            for name, found in evidence.items()
        },
        "cost": cost,
        "pictures": drawn,
    }
    _write(arguments.page, pages.render("report.html", context).encode())
    _write(arguments.card, pages.render("model_card.md", context).encode())
    say(f"{arguments.pictures}: {1 + sum(map(len, drawn.values()))} pictures")
    say(f"{arguments.page}: open it in a browser; {arguments.card} is the model card")


if __name__ == "__main__":
    run(main)
