import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tests.workspace import ROOT, CompletedRun, Workspace

COMMAND = "extras.handwriting.predict"
DESCRIPTION = Path("data/flat/description.json")
Predict = Callable[..., CompletedRun]


@pytest.fixture
def predict(workspace: Workspace, untrained_project: Path) -> Predict:
    """Return a function that runs the command where nothing has been learnt."""
    shutil.copytree(untrained_project, workspace.path, dirs_exist_ok=True)
    return partial(workspace.run, COMMAND)


def draw(name: str, digits: int = 1) -> str:
    """Write a picture of a row of strokes; return its name."""
    picture = Image.new("RGB", (100 * digits, 100), "white")
    for left in range(0, 100 * digits, 100):
        points = [(left + 30, 20), (left + 65, 22), (left + 45, 80)]
        ImageDraw.Draw(picture).line(points, "black", 8)
    picture.save(name)
    return name


def describe(field: str, value: Any) -> None:
    """Change the description of the dataset."""
    description = json.loads(DESCRIPTION.read_text())
    DESCRIPTION.write_text(json.dumps({**description, field: value}))


def test_each_picture_is_one_line(predict: Predict) -> None:
    names = [draw("a b.png"), draw("b.jpg")]
    done = predict(*names)
    assert (done.status, done.err) == (0, "")
    lines = [line.split("\t") for line in done.out.splitlines()]
    assert [path for path, _, _ in lines] == names
    for _, digit, probability in lines:
        assert digit in set("0123456789")
        assert probability == f"{float(probability):.4f}"


def test_lines_of_digits_are_separated_by_a_space(predict: Predict) -> None:
    alone = predict(draw("one.png")).out.split("\t")[1]
    sheet = Image.new("RGB", (300, 300), "white")
    with Image.open(draw("two.png", digits=2)) as line:
        sheet.paste(line, (0, 0))
        sheet.paste(line, (0, 200))
    sheet.save("lines.png")
    assert predict("lines.png").out.split("\t")[1] == f"{2 * alone} {2 * alone}"


def test_longest_run_is_used_unless_another_is_named(predict: Predict) -> None:
    name = draw("a.png")
    assert predict(name).out == predict("--run", "long", name).out
    assert predict(name).out != predict("--run", "short", name).out


def test_what_is_no_digit_is_one_image(predict: Predict) -> None:
    describe("classes", [f"shirt {number}" for number in range(10)])
    (line,) = predict(draw("a.png", digits=3)).out.splitlines()
    assert line.split("\t")[1].count("shirt ") == 1


def black(side: int) -> bytes:
    """Return a PNG file of one bit per pixel, all black."""
    file = BytesIO()
    Image.new("1", (side, side)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("text.png", b"hello", "not a picture in a known format"),
        ("large.png", black(10_000), "cannot be decoded: Image size (100000000 pixels) exceeds"),
        ("truncated.png", black(100)[:-30], "cannot be decoded: "),
        ("blank.png", black(100), "no ink found"),
        ("missing.png", None, "No such file or directory"),
        ("a" * 300, None, "File name too long"),
        (".", None, "Is a directory"),
    ],
)
def test_bad_picture_is_one_line_and_the_others_are_predicted(
    predict: Predict, name: str, content: bytes | None, problem: str
) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    done = predict(draw("a.png"), name, draw("b.png"))
    assert done.status == 1
    assert [line.split("\t")[0] for line in done.out.splitlines()] == ["a.png", "b.png"]
    assert done.error().startswith(f"{name}: {problem}")


@pytest.mark.parametrize(
    ("run", "problem"),
    [
        ("longer", "params.yaml: runs: no run 'longer', there are: short, long"),
        ("long", "models/long: not found; run `dvc repro`"),
    ],
)
def test_missing_run_or_model_is_wrong_input(predict: Predict, run: str, problem: str) -> None:
    shutil.rmtree("models")
    done = predict("--run", run, draw("a.png"))
    assert (done.status, done.out, done.error()) == (2, "", problem)


def test_images_of_another_size_are_wrong_input(predict: Predict) -> None:
    describe("example_shape", [14, 10])
    done = predict(draw("a.png"))
    assert (done.status, done.out) == (2, "")
    assert done.error().startswith(f"{DESCRIPTION}: example_shape: is (14, 10); ")


def test_neither_tensorflow_nor_mlflow_is_imported() -> None:
    code = f"import sys, {COMMAND}, extras.handwriting.demo; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert {"tensorflow", "mlflow", "matplotlib", "dvc"}.isdisjoint(modules)
