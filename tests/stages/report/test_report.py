"""The command: the page, the model card and the files of the figures."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from common.atomic import sha256
from common.config import load_config
from common.results import load_results
from common.splits import load_description, save_description
from stages.report.__main__ import parameters
from tests.fixtures import ITERATIONS, ROOT, Workspace, write_fake_results

INPUTS = ("data/flat", "models", "costs", "metrics", "plots/predictions")
ARGUMENTS = (*INPUTS, "plots/figures", "plots/report.html", "MODEL_CARD.md")
PAGE, CARD = Path("plots/report.html"), Path("MODEL_CARD.md")
GENERIC = {"calibration", "confusion", "cost"}
FIGURES = GENERIC | {"images", "mistakes", "more_images", "weights"}


class Page(HTMLParser):
    """The text, the images, the tags of a page, and the URLs that a browser loads for it."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.images, self.urls, self.tags = "", [], [], []
        self.feed(PAGE.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what the tag refers to; the `href` of `a` is not loaded."""
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))
        names = ("src", "srcset", "data", "poster", *(["href"] if tag != "a" else []))
        self.urls += [value for name, value in attrs if name in names]

    def handle_data(self, data: str) -> None:
        """Collect the text."""
        self.text += data


@pytest.fixture
def evaluated(workspace: Workspace) -> Workspace:
    """Return a working directory in which two runs were evaluated; they make mistakes."""
    write_fake_results(workspace.path, figures=False)
    assert workspace.run("evaluate", *INPUTS).status == 0
    return workspace


def test_the_report(evaluated: Workspace) -> None:
    """Page and card have every result, and the page needs no other file."""
    outcome = evaluated.run("report", *ARGUMENTS)
    assert (outcome.status, outcome.err) == (0, "")
    page, card = Page(), CARD.read_text("utf-8")

    results = load_results(Path("metrics/accuracy.json")).values()
    rates = re.findall(r"0\.\d{6}", Path("metrics/per_class.csv").read_text())
    expected = {f"{float(rate):.2%}" for rate in rates}
    for result in results:
        values = (result.train, result.validation, result.test, result.min_test_accuracy)
        expected |= {f"{result.iterations:,}", *(f"{value:.2%}" for value in values)}
    expected |= {"CC0", "Nobody.", *evaluated.datasets["synthetic"]["files"].values()}
    expected |= {sha256(Path(f"models/{run}/weights.npz").read_bytes()) for run in ITERATIONS}
    for text in (card, page.text):
        assert {words for words in expected if words not in text} == set()
        assert not re.search(r"MNIST|digit|tutorial|published", text, re.IGNORECASE)

    assert {url.partition(":")[0] for url in page.urls} == {"data"}
    assert not {"script", "iframe", "object", "embed"} & set(page.tags)
    assert not re.search(r"@import|url\(|<p>\s*</p>", PAGE.read_text("utf-8"))
    assert min(len(image["alt"]) for image in page.images) > 20
    head = "data:image/png;base64,"
    embedded = {base64.b64decode(image["src"].removeprefix(head)) for image in page.images}
    files = {path: path.read_bytes() for path in Path("plots/figures").rglob("*.png")}
    assert set(files.values()) == embedded
    names = {f"{run}/{name}.png" for run in ITERATIONS for name in FIGURES} | {"costs.png"}
    assert {str(path.relative_to("plots/figures")) for path in files} == names


@pytest.mark.usefixtures("workspace")
def test_parameters_have_the_names_that_dvc_gives_them() -> None:
    """Those of all sections."""
    values, config = parameters(), load_config()
    assert values["model.hidden_units"] == list(config.model.hidden_units)
    assert values["train.epsilon"] == config.train.epsilon
    assert values["runs.long.iterations"] == config.runs["long"].iterations


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes_elsewhere(evaluated: Workspace) -> None:
    """Time zone, locale, backend and the user's own matplotlib settings change nothing."""

    def digests() -> dict[str, str]:
        files = [*Path("plots").rglob("*.png"), PAGE, CARD]
        return {str(path): sha256(path.read_bytes()) for path in files}

    assert evaluated.run("report", *ARGUMENTS).status == 0
    before = digests()
    CARD.unlink()
    Path("matplotlibrc").write_text("lines.linewidth: 9\nfont.size: 30\n")
    variables = {"TZ": "Asia/Tokyo", "LC_ALL": "tr_TR.UTF-8", "MPLBACKEND": "svg"}
    subprocess.run(
        [sys.executable, "-m", "stages.report", *ARGUMENTS],
        cwd=evaluated.path,
        env={**os.environ, **variables, "PYTHONPATH": str(ROOT), "SOURCE_DATE_EPOCH": "1"},
        capture_output=True,
        check=True,
    )
    assert digests() == before


def test_a_report_needs_neither_images_nor_several_runs(evaluated: Workspace) -> None:
    """It is complete without the figures of images, and with one run."""
    path = Path("data/flat/description.json")
    shape = load_description(path).feature_shape
    save_description(path, load_description(path).model_copy(update={"example_shape": shape}))
    del evaluated.params["runs"]["short"]
    for leftover in ("models/short/weights.npz", "costs/short.csv"):
        Path(leftover).unlink()
    evaluated.write()
    outcome = evaluated.run("report", *ARGUMENTS)
    assert (outcome.status, outcome.err) == (0, "")
    assert {path.stem for path in Path("plots/figures/long").iterdir()} == GENERIC
    for text in (Page().text, CARD.read_text("utf-8").replace("Synthetic images", "")):
        assert not re.search("pixel|grey|frame", text)


@pytest.mark.slow
def test_a_missed_threshold_is_said_in_words(evaluated: Workspace) -> None:
    """Not only by a colour; and text that looks like HTML stays text."""
    evaluated.params["runs"]["long"]["min_test_accuracy"] = 1.0
    evaluated.datasets["synthetic"]["citation"] = "<script>alert(1)</script> & so on"
    evaluated.write()
    assert evaluated.run("evaluate", *INPUTS).status == 0
    assert evaluated.run("report", *ARGUMENTS).status == 0
    page = Page()
    assert "✗ missed" in page.text
    assert "script" not in page.tags
    assert "<script>alert(1)</script> & so on" in page.text
    assert "**no**" in CARD.read_text("utf-8")


@pytest.mark.parametrize(
    "missing", ["data/flat/test.npz", "models/long/weights.npz", "metrics/confusion.csv"]
)
def test_a_missing_input_is_an_error(evaluated: Workspace, missing: str) -> None:
    """One line with the file and the remedy, and nothing is written."""
    Path(missing).unlink()
    outcome = evaluated.run("report", *ARGUMENTS)
    assert outcome.status == 2
    assert outcome.error() == f"{missing}: not found; `dvc repro` makes it"
    assert not Path("plots/figures").exists()
    assert not CARD.exists()
