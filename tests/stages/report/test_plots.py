"""The pictures."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages.report import calibration as uncertainty
from stages.report import plots

CLASSES = ("0", "1", "T-shirt/top")
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (30, 7, 6)).astype(np.uint8)
ANSWERS = pd.DataFrame(
    {
        "label": RANDOM.integers(0, 3, 30),
        "predicted": RANDOM.integers(0, 3, 30),
        "probability": RANDOM.uniform(0.4, 1, 30),
    }
)
COUNTS = pd.crosstab(ANSWERS["label"], ANSWERS["predicted"]).to_numpy()
COSTS = RANDOM.lognormal(size=300)
WEIGHTS = RANDOM.normal(size=(42, 11)).astype(np.float32)

RANKING = pd.DataFrame(
    {
        "train.learning_rate": [0.001, 0.01, 0.5],
        "train.hidden_units": ["[64]", "[128,64]", "[64]"],
        "train.beta_1": [0.5, 0.9, 0.7],
        "train.batch_size": [64, 32, 64],
        "validation": [1.0, 0.9, 0.1],
        "deviation": [0.0, 0.05, np.nan],
    }
)
SCALES = dict(zip(RANKING, ("log", "category", "linear", "category"), strict=False))

PICTURES: dict[str, Callable[[], bytes]] = {
    "cost": lambda: plots.costs("title", {"a": COSTS}, 11, {0: 1.0, 100: 0.5}),
    "costs": lambda: plots.costs("title", {"a": COSTS[:99], "b": COSTS}, 11, {}),
    "digits": lambda: plots.digits("title", IMAGES, ANSWERS, CLASSES, columns=10, width=plots.PAGE),
    "mistakes": lambda: plots.mistakes("title", IMAGES[:25], ANSWERS[:25], CLASSES, 5),
    "confusion": lambda: plots.confusion("title", COUNTS, CLASSES),
    "calibration": lambda: plots.calibration("title", uncertainty.reliability(ANSWERS, 10)),
    "sweep": lambda: plots.sweep("title", RANKING, SCALES),
    "sweep of one": lambda: plots.sweep("title", RANKING[:1], {"train.beta_1": "linear"}),
    "weights": lambda: plots.weights("title", WEIGHTS, (7, 6)),
}


def _open(png: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(png))
    picture.load()
    return picture


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_large_enough_and_not_empty(name: str) -> None:
    """At least 800 dots wide, at most a page; something is drawn, up to no edge of it."""
    picture = _open(PICTURES[name]())
    assert picture.format == "PNG"
    assert 800 <= picture.width <= plots.PAGE * plots.DOTS_PER_INCH
    dots = np.asarray(picture.convert("L"))
    assert dots.min() < 100
    edges = np.concatenate([dots[0], dots[-1], dots[:, 0], dots[:, -1]])
    assert edges.min() == 255, "something is cut off"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_says_nothing_of_where_and_when(name: str) -> None:
    """No program, version or date is in the file."""
    assert {"dpi"} == set(_open(PICTURES[name]()).info)


@pytest.mark.slow
def test_the_same_bytes_elsewhere(tmp_path: Path) -> None:
    """Neither time zone, locale, backend nor the user's own matplotlib settings change any."""
    program = (
        "import hashlib, test_plots as t;"
        "print([hashlib.sha256(draw()).hexdigest() for draw in t.PICTURES.values()])"
    )
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 9\nfont.size: 30\n")
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": path,
            "TZ": "Asia/Tokyo",
            "LC_ALL": "de_DE.UTF-8",
            "MPLBACKEND": "svg",
            "SOURCE_DATE_EPOCH": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    here = [hashlib.sha256(draw()).hexdigest() for draw in PICTURES.values()]
    assert str(here) == found.strip()


def test_a_wrong_answer_is_framed() -> None:
    """The frame's colour is in the picture where an answer is wrong, and only there."""
    vermillion = np.array([0xD5, 0x5E, 0x00])
    framed = []
    for predicted in (1, 2):
        answers = pd.DataFrame({"label": [1], "predicted": [predicted]})
        png = plots.digits("title", IMAGES[:1], answers, CLASSES, columns=4, width=plots.COLUMN)
        dots = np.asarray(_open(png).convert("RGB"))
        framed.append(bool((dots == vermillion).all(axis=2).any()))
    assert framed == [False, True]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.mistakes("title", IMAGES[:0], ANSWERS[:0], CLASSES, 5),
        lambda: plots.costs("title", {"a": COSTS[:1]}, 101, {}),
        lambda: plots.costs("title", {"a": COSTS[:1], "b": COSTS[:1]}, 1, {}),
        lambda: plots.costs("title", {str(run): COSTS for run in range(9)}, 2, {}),
        lambda: plots.confusion("title", np.zeros((2, 2), np.int64), ("a", "b")),
        lambda: plots.weights("title", np.zeros((42, 1), np.float32), (7, 6)),
    ],
    ids=["no mistakes", "one cost", "one cost each", "nine runs", "no answers", "one unit"],
)
def test_little_to_draw(draw: Callable[[], bytes]) -> None:
    """What is nearly nothing is drawn as well."""
    assert _open(draw()).width > 0


def test_probabilities_are_never_shown_as_certain() -> None:
    """What would be rounded to 100% is said to be more than 99.99%."""
    shown = [plots._confidence(value) for value in (0.5, 0.9999, 0.99996, 1.0)]
    assert shown == ["50.00%", "99.99%", "> 99.99%", "> 99.99%"]


def test_smoothed() -> None:
    """A running median: narrower at the beginning, cut off at the end."""
    costs = np.array([9.0, 1, 5, 2, 8, 3])
    expected = [9, np.median([9, 1, 5]), np.median(costs[:5]), np.median(costs[1:])]
    expected += [np.median(costs[2:]), np.median(costs[3:])]
    assert expected == list(plots.smoothed(costs, 5))
    assert list(costs) == list(plots.smoothed(costs, 1))
