import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from common.arrays import save_arrays
from common.splits import load_description, load_split
from tests.workspace import ROOT, CompletedRun, Workspace

COMMAND = "extras.handwriting.predict"
DESCRIPTION = Path("data/flat/description.json")
WEIGHTS = Path("models/long/weights.npz")
Predict = Callable[..., CompletedRun]


@pytest.fixture
def predict(workspace: Workspace, untrained_project: Path) -> Predict:
    """Return a function that runs the command where nothing has been learnt."""
    shutil.copytree(untrained_project, workspace.path, dirs_exist_ok=True)
    return partial(workspace.run, COMMAND)


def draw(name: str, digits: int = 1, zoom: int = 1) -> str:
    """Write a picture of a row of strokes; return its name."""
    picture = Image.new("RGB", (100 * zoom * digits, 100 * zoom), "white")
    for place in range(digits):
        points = [(100 * place + 30, 20), (100 * place + 65, 22), (100 * place + 45, 80)]
        scaled = [(x * zoom, y * zoom) for x, y in points]
        ImageDraw.Draw(picture).line(scaled, "black", 8 * zoom)
    picture.save(name)
    return name


def describe(**changes: Any) -> None:
    """Change the description of the dataset."""
    description = load_description(DESCRIPTION)
    DESCRIPTION.write_text(description.model_copy(update=changes).model_dump_json())


def test_each_picture_is_one_line(predict: Predict) -> None:
    """Path, digit and a probability with four decimals, in the order that was asked."""
    names = [draw("a b.png"), draw("b.jpg")]
    done = predict(*names)
    assert (done.status, done.err) == (0, "")
    lines = [line.split("\t") for line in done.out.splitlines()]
    assert [path for path, _, _ in lines] == names
    for _, digit, probability in lines:
        assert digit in set("0123456789")
        assert probability == f"{float(probability):.4f}"
        assert 0.1 < float(probability) <= 1


def test_lines_of_digits_are_separated_by_a_space(predict: Predict) -> None:
    """Digits are read from left to right, and lines from top to bottom."""
    alone = predict(draw("one.png")).out.split("\t")[1]
    sheet = Image.new("RGB", (300, 300), "white")
    with Image.open(draw("two.png", digits=2)) as line:
        sheet.paste(line, (0, 0))
        sheet.paste(line, (0, 200))
    sheet.save("lines.png")
    assert predict("lines.png").out.split("\t")[1] == f"{2 * alone} {2 * alone}"


def test_longest_run_is_used_unless_another_is_named(predict: Predict) -> None:
    """`long` has more iterations; `--run` names one."""
    name = draw("a.png")
    assert predict(name).out == predict("--run", "long", name).out
    assert predict(name).out != predict("--run", "short", name).out


def test_grid_shows_what_the_model_sees(predict: Predict) -> None:
    """Each picture is a row: itself with the boxes of its digits, and 28 x 28 pixels of each."""
    done = predict("--grid", "seen/grid.png", draw("a.png"), draw("b.png", digits=2))
    assert done.status == 0
    with Image.open("seen/grid.png") as grid:
        assert grid.size == ((3 + 2) * 112, 2 * 112)


def test_json_has_two_labels_and_a_box_for_each_digit(predict: Predict) -> None:
    """The boxes are in pixels of the picture, also if it is made smaller to be read."""
    (line,) = predict("--json", draw("a.png", digits=2, zoom=20)).out.splitlines()
    document = json.loads(line)
    first, second = document["details"]
    assert document["digits"] == first["label"] + second["label"]
    assert document["probability"] == min(first["probability"], second["probability"])
    assert first["second"] != first["label"]
    assert first["second_probability"] <= first["probability"]
    assert second["box"] == pytest.approx([2520, 320, 3380, 1680], abs=120)


def test_folder_stands_for_its_pictures(predict: Predict) -> None:
    """Other files in it are passed over."""
    Path("drawings").mkdir()
    Path("drawings/notes.txt").write_text("no picture")
    names = [draw("drawings/a.jpg"), draw("drawings/b.png")]
    done = predict("drawings")
    assert (done.status, done.err) == (0, "")
    assert [line.split("\t")[0] for line in done.out.splitlines()] == names


def test_what_is_no_digit_is_one_image(predict: Predict) -> None:
    """Where the classes are not digits, nothing is cut out of the picture."""
    describe(classes=tuple(f"shirt {number}" for number in range(10)))
    details = json.loads(predict("--json", draw("a.png", digits=3)).out)["details"]
    assert [detail["box"] for detail in details] == [[0, 0, 300, 100]]
    assert details[0]["label"].startswith("shirt ")


def black(side: int) -> bytes:
    """Return a PNG file of one bit per pixel, all black."""
    file = BytesIO()
    Image.new("1", (side, side)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("bad.png", b"hello", "not a picture in a known format"),
        ("bad.png", b"", "not a picture in a known format"),
        ("bad.png", black(10_000), "10000 x 10000 is more than the 64 million pixels allowed"),
        ("bad.png", black(100)[:-30], "damaged: "),
        ("bad.png", black(100), "no ink found"),
        ("bad.png", None, "No such file or directory"),
        ("a" * 300, None, "File name too long"),
        ("/dev/null", None, "not a file"),
    ],
    ids=["text", "empty", "large", "truncated", "blank", "missing", "long name", "device"],
)
def test_bad_picture_is_one_line_and_the_others_are_predicted(
    predict: Predict, name: str, content: bytes | None, problem: str
) -> None:
    """One line on stderr has the path and the reason; the exit status is 1."""
    if content is not None:
        Path(name).write_bytes(content)
    done = predict(draw("a.png"), name, draw("b.png"))
    assert done.status == 1
    assert [line.split("\t")[0] for line in done.out.splitlines()] == ["a.png", "b.png"]
    assert done.error().startswith(f"{name}: {problem}")


def save_weights(pixels: int, classes: int) -> None:
    """Write the weights of one layer."""
    weights = {"W1": np.ones((pixels, classes), np.float32), "b1": np.zeros(classes, np.float32)}
    save_arrays(WEIGHTS, weights)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (WEIGHTS.unlink, f"{WEIGHTS}: not found; `dvc repro` makes it"),
        (partial(save_weights, 783, 10), f"{WEIGHTS}: should be for 784 pixels; "),
        (partial(save_weights, 784, 9), f"{WEIGHTS}: should be for 10 classes, is for 9; "),
        (partial(describe, example_shape=(14, 10)), f"{DESCRIPTION}: example_shape: is (14, 10); "),
    ],
    ids=["no weights", "other pixels", "other classes", "other shape"],
)
def test_model_of_something_else_is_wrong_input(
    predict: Predict, change: Callable[[], None], problem: str
) -> None:
    """The error names the file that does not fit."""
    change()
    done = predict(draw("a.png"))
    assert (done.status, done.out) == (2, "")
    assert done.error().startswith(problem)


def test_unknown_run_is_wrong_input(predict: Predict) -> None:
    """The error lists the runs that there are."""
    done = predict("--run", "longer", draw("a.png"))
    assert (done.status, done.out) == (2, "")
    assert done.error() == "params.yaml: runs: no run 'longer', there are: short, long"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_any_file_name_can_be_printed(untrained_project: Path, encoding: str) -> None:
    """Also one that is no text, and on a terminal that has no such letters."""
    name = os.fsdecode("zwölf".encode() + b"\xff.png")
    draw(f"{untrained_project}/{name}")
    done = subprocess.run(
        [sys.executable, "-m", COMMAND, name],
        cwd=untrained_project,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\udcff.png\t" in done.stdout


def test_neither_tensorflow_nor_mlflow_is_imported() -> None:
    """What takes seconds to start is not started."""
    code = (
        f"import sys, {COMMAND}, extras.handwriting.demo; "
        "print({'tensorflow', 'mlflow', 'matplotlib', 'dvc'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, cwd=ROOT, text=True) == "set()\n"


@pytest.mark.slow
@pytest.mark.parametrize("run", ["short", "long"])
def test_digits_of_the_test_set_are_read_from_pictures(tmp_path: Path, run: str) -> None:
    """The trained networks read a number made of enlarged test images, inverted."""
    for needed in (f"models/{run}/weights.npz", "data/flat/test.npz"):
        if not (ROOT / needed).exists():
            pytest.skip(f"{needed} is missing: run make repro first")
    test = load_split(ROOT / "data/flat/test.npz")
    row = np.hstack(list(test.features[:4].reshape(-1, 28, 28)))
    picture = Image.fromarray(255 - row).resize((1120, 280), Image.Resampling.BICUBIC)
    picture.save(tmp_path / "number.jpg")
    command = [sys.executable, "-m", COMMAND, "--run", run, tmp_path / "number.jpg"]
    digits = subprocess.check_output(command, cwd=ROOT, text=True).split("\t")[1]
    assert digits == "".join(str(label) for label in test.labels[:4])
