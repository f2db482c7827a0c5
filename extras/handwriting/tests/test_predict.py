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

from common.splits import load_description, load_split
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
    describe(classes=tuple(f"shirt {number}" for number in range(10)))
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
        ("bad.png", b"hello", "not a picture in a known format"),
        ("bad.png", black(10_000), "cannot be decoded: Image size (100000000 pixels) exceeds"),
        ("bad.png", black(100)[:-30], "cannot be decoded: "),
        ("bad.png", black(100), "no ink found"),
        ("bad.png", None, "No such file or directory"),
        ("a" * 300, None, "File name too long"),
        (".", None, "Is a directory"),
    ],
    ids=["text", "large", "truncated", "blank", "missing", "long name", "folder"],
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
    ("change", "run", "problem"),
    [
        (lambda: None, "longer", "params.yaml: runs: no run 'longer', there are: short, long"),
        (lambda: shutil.rmtree("models"), "long", "models/long: not found; run `dvc repro`"),
        (
            partial(describe, example_shape=(14, 10)),
            "long",
            (
                f"{DESCRIPTION}: example_shape: is (14, 10); pictures can be prepared only for "
                "images of 28 x 28"
            ),
        ),
    ],
    ids=["no run", "no model", "other shape"],
)
def test_wrong_run_or_model_is_wrong_input(
    predict: Predict, change: Callable[[], None], run: str, problem: str
) -> None:
    change()
    done = predict("--run", run, draw("a.png"))
    assert (done.status, done.out, done.error()) == (2, "", problem)


def test_file_name_that_is_no_text_can_be_printed(untrained_project: Path) -> None:
    name = os.fsdecode("zwölf".encode() + b"\xff.png")
    draw(f"{untrained_project}/{name}")
    done = subprocess.run(
        [sys.executable, "-m", COMMAND, name],
        cwd=untrained_project,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\udcff.png\t" in done.stdout


def test_neither_tensorflow_nor_mlflow_is_imported() -> None:
    code = (
        f"import sys, {COMMAND}, extras.handwriting.demo; "
        "print({'tensorflow', 'mlflow', 'matplotlib', 'dvc'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, cwd=ROOT, text=True) == "set()\n"


@pytest.mark.slow
@pytest.mark.parametrize("run", ["short", "long"])
def test_trained_models_read_enlarged_digits_of_the_test_set(tmp_path: Path, run: str) -> None:
    for path in (f"models/{run}/weights.npz", "data/flat/test.npz"):
        if not (ROOT / path).exists():
            pytest.skip(f"{path} is missing: run make repro first")
    test = load_split(ROOT / "data/flat/test.npz")
    row = np.hstack(list(test.features[:4].reshape(-1, 28, 28)))
    picture = Image.fromarray(255 - row).resize((1120, 280), Image.Resampling.BICUBIC)
    picture.save(tmp_path / "number.jpg")
    command = [sys.executable, "-m", COMMAND, "--run", run, tmp_path / "number.jpg"]
    digits = subprocess.check_output(command, cwd=ROOT, text=True).split("\t")[1]
    assert digits == "".join(str(label) for label in test.labels[:4])
