"""The page, the model card and the files of the pictures."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures import CLASSES, ITERATIONS, ROOT, SHAPE, Workspace
from PIL import Image

from common import arrays, results
from common.arrays import Split
from common.results import Result
from stages.train.__main__ import __main__ as train

PIXELS, UNITS = SHAPE[0] * SHAPE[1], 7
ARGUMENTS = (
    "flat/test.npz", "models", "costs", "metrics", "plots/predictions",
    "plots/figures", "plots/report.html", "MODEL_CARD.md",
)  # fmt: skip
EACH = {"calibration", "confusion", "cost", "digits", "mistakes", "more_digits", "weights"}


class Page(HTMLParser):
    """What a browser would find in a page: its text, its pictures, and what it would load."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text, self.pictures, self.loaded, self.tags = "", [], [], []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what the tag says; an address in `href` of `a` is loaded by nobody."""
        given = dict(attrs)
        self.tags.append(tag)
        if tag == "img":
            self.pictures.append(given)
        self.loaded += [
            value
            for name, value in attrs
            if name in ("src", "srcset", "data", "poster") or (name == "href" and tag != "a")
        ]

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += data


@pytest.fixture
def evaluated(workspace: Workspace) -> Workspace:
    """Give a folder with two runs' weights, costs and results; one unit sees one pixel."""
    random = np.random.default_rng(0)
    for part in arrays.SPLITS:
        images = random.integers(0, 256, (120, PIXELS)).astype(np.uint8)
        labels = images[:, :CLASSES].argmax(axis=1).astype(np.uint8)
        labels[::9] = 0
        arrays.save_split(Path("flat") / f"{part}.npz", Split(images, labels))
    weights = {
        "W1": np.eye(PIXELS, UNITS, dtype=np.float32),
        "b1": np.zeros(UNITS, np.float32),
        "W2": 4 * np.eye(UNITS, CLASSES, dtype=np.float32),
        "b2": np.zeros(CLASSES, np.float32),
    }
    costs = random.lognormal(size=max(ITERATIONS.values())).astype(np.float32)
    for run, iterations in ITERATIONS.items():
        arrays.save(Path("models") / run / "weights.npz", weights)
        train.save_costs(Path("costs") / f"{run}.csv", costs[:iterations])
    assert workspace.run("evaluate", "flat", *ARGUMENTS[1:5]).status == 0
    return workspace


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder for what is drawn only once, for all tests here."""
    return tmp_path_factory.mktemp("reported")


@pytest.fixture
def reported(evaluated: Workspace, kept: Path) -> Workspace:
    """Give a folder with a report."""
    if any(kept.iterdir()):
        shutil.copytree(kept, evaluated.path, dirs_exist_ok=True)
        return evaluated
    outcome = evaluated.run("report", *ARGUMENTS)
    assert (outcome.status, outcome.err) == (0, "")
    shutil.copytree(evaluated.path, kept, dirs_exist_ok=True)
    return evaluated


def _shown(result: Result) -> set[str]:
    """Give each number of accuracy.json as a person reads it."""
    return {
        f"{result.iterations:,}",
        *(
            f"{value:.2%}"
            for value in (result.train, result.validation, result.test, result.min_test_accuracy)
        ),
    }


def test_every_result_is_shown(reported: Workspace) -> None:
    """Page and card have each number of accuracy.json, and of the classes."""
    card = (reported.path / "MODEL_CARD.md").read_text("utf-8")
    page = Page((reported.path / "plots/report.html").read_text("utf-8"))
    measured = results.load(Path("metrics/accuracy.json"))
    rates = re.findall(r"0\.\d{6}", Path("metrics/per_class.csv").read_text())
    wanted = {f"{float(rate):.2%}" for rate in rates}.union(*map(_shown, measured.values()))
    assert len(wanted) > 5
    for words in (card, page.text):
        assert set() == {number for number in wanted if number not in words}


def test_the_page_needs_no_other_file(reported: Workspace) -> None:
    """Nothing is loaded, nothing runs, and every picture in it can be read and has words."""
    source = (reported.path / "plots/report.html").read_text("utf-8")
    page = Page(source)
    assert {"data"} == {address.partition(":")[0] for address in page.loaded}
    assert not {"script", "iframe", "object", "embed"} & set(page.tags)
    assert not re.search(r"@import|url\(", source)
    embedded = []
    for picture in page.pictures:
        head, _, content = picture["src"].partition(",")
        assert head == "data:image/png;base64"
        embedded.append(base64.b64decode(content, validate=True))
        with Image.open(io.BytesIO(embedded[-1])) as opened:
            opened.load()
        assert len(picture["alt"]) > 20
    on_disk = {path: path.read_bytes() for path in Path("plots/figures").rglob("*.png")}
    assert sorted(on_disk.values()) == sorted(embedded)
    expected = {f"{run}/{name}.png" for run in ITERATIONS for name in EACH} | {"costs.png"}
    assert expected == {str(path.relative_to("plots/figures")) for path in on_disk}


def test_the_data_and_the_weights_are_named(reported: Workspace) -> None:
    """Licence, citation, and the SHA-256 of what went in and of what came out."""
    weights = Path("models/long/weights.npz").read_bytes()
    entry = reported.datasets["synthetic"]
    digests = [file["sha256"] for file in entry["files"].values()]
    for name in ("MODEL_CARD.md", "plots/report.html"):
        words = (reported.path / name).read_text("utf-8")
        for wanted in (*digests, hashlib.sha256(weights).hexdigest(), "CC0", "Nobody."):
            assert wanted in words


@pytest.mark.slow
def test_the_same_bytes_elsewhere(reported: Workspace) -> None:
    """In another process, time zone and locale, all files are the same."""

    def digests() -> dict[str, str]:
        made = [*Path("plots").rglob("*.png"), Path("plots/report.html"), Path("MODEL_CARD.md")]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in made}

    before = digests()
    assert 2 + 1 + len(EACH) * len(ITERATIONS) == len(before)
    Path("MODEL_CARD.md").unlink()
    subprocess.run(
        [sys.executable, "-m", "stages.report", *ARGUMENTS],
        cwd=reported.path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TZ": "Asia/Tokyo", "LC_ALL": "tr_TR.UTF-8"},
        capture_output=True,
        check=True,
    )
    assert before == digests()


def test_what_is_not_as_it_should_be_is_shown_as_it_is(evaluated: Workspace) -> None:
    """A missed threshold is said in words and not by a colour; what looks like code is text."""
    evaluated.params["runs"]["long"]["min_test_accuracy"] = 1.0
    evaluated.datasets["synthetic"]["citation"] = "<script>alert(1)</script> & so on"
    evaluated.write()
    assert evaluated.run("evaluate", "flat", *ARGUMENTS[1:5]).status == 0
    assert evaluated.run("report", *ARGUMENTS).status == 0
    page = Page(Path("plots/report.html").read_text("utf-8"))
    assert "✗ missed" in page.text
    assert "script" not in page.tags
    assert "<script>alert(1)</script> & so on" in page.text
    assert "**no**" in Path("MODEL_CARD.md").read_text("utf-8")


@pytest.mark.parametrize(
    "missing",
    [
        "flat/test.npz",
        "models/long/weights.npz",
        "costs/short.csv",
        "metrics/accuracy.json",
        "metrics/confusion.csv",
        "metrics/per_class.csv",
        "plots/predictions/long.csv",
    ],
)
def test_a_missing_input(evaluated: Workspace, missing: str) -> None:
    """One line with the file and the remedy, and nothing is written."""
    Path(missing).unlink()
    outcome = evaluated.run("report", *ARGUMENTS)
    assert outcome.status == 2
    assert f"{missing}: not found; `dvc repro` makes it" == outcome.error()
    assert not Path("plots/figures").exists()
    assert not Path("MODEL_CARD.md").exists()


def _shorten(path: str) -> None:
    lines = Path(path).read_text().splitlines(keepends=True)
    Path(path).write_text("".join(lines[:-1]))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda: _shorten("costs/long.csv"), "run long: 119 costs, not 120"),
        (lambda: _shorten("plots/predictions/short.csv"), "run short: answers to other images"),
        (
            lambda: _shorten("metrics/confusion.csv"),
            f"run long: a confusion matrix of {CLASSES - 1} classes, not {CLASSES}",
        ),
        (
            lambda: _shorten("metrics/per_class.csv"),
            f"run long: measures of {CLASSES - 1} classes, not {CLASSES}",
        ),
        (
            lambda: arrays.save(
                Path("models/short/weights.npz"),
                {"W1": np.zeros((3, CLASSES), np.float32), "b1": np.zeros(CLASSES, np.float32)},
            ),
            f"run short: weights for 3 pixels, not {PIXELS}",
        ),
    ],
    ids=["costs", "answers", "confusion", "classes", "weights"],
)
def test_files_that_were_not_made_together(
    evaluated: Workspace, spoil: Callable[[], None], said: str
) -> None:
    """One line with the first that does not fit."""
    spoil()
    outcome = evaluated.run("report", *ARGUMENTS)
    assert outcome.status == 2
    assert f"{said}; `dvc repro` makes its files anew" == outcome.error()
