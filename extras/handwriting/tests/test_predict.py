from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from common.arrays import save_arrays
from common.splits import Description, load_split, save_description

ROOT = Path(__file__).parents[3]
Predict = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project whose models have learnt nothing: their predictions have the right form."""
    for name in ("params.yaml", "datasets.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    for seed, run in enumerate(("short", "long")):
        save_weights(tmp_path / f"models/{run}/weights.npz", 784, 10, seed)
    describe(tmp_path, (28, 28))
    return tmp_path


def describe(
    folder: Path, shape: tuple[int, int], classes: tuple[str, ...] = tuple("0123456789")
) -> None:
    """Write the description of a dataset of ten classes with images of a shape."""
    description = Description(
        classes=classes,
        example_shape=shape,
        feature_shape=(shape[0] * shape[1],),
        feature_dtype="uint8",
        examples={"train": 1, "validation": 1, "test": 1},
    )
    save_description(folder / "data/flat/description.json", description)


def save_weights(path: Path, pixels: int, classes: int, seed: int = 0) -> None:
    """Write the random weights of one layer."""
    random = np.random.default_rng(seed)
    weights = {"W1": random.normal(0, 1, (pixels, classes)), "b1": np.zeros(classes)}
    save_arrays(path, {name: array.astype(np.float32) for name, array in weights.items()})


@pytest.fixture
def predict(folder: Path) -> Predict:
    """Run the command in the project's folder."""

    def run(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "extras.handwriting.predict", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def draw(path: Path, digits: int = 1, zoom: int = 1) -> str:
    """Write a picture of a row of strokes; return its name."""
    picture = Image.new("RGB", (100 * zoom * digits, 100 * zoom), "white")
    for place in range(digits):
        points = [(100 * place + 30, 20), (100 * place + 65, 22), (100 * place + 45, 80)]
        scaled = [(x * zoom, y * zoom) for x, y in points]
        ImageDraw.Draw(picture).line(scaled, "black", 8 * zoom)
    picture.save(path)
    return path.name


def test_each_picture_is_one_line(folder: Path, predict: Predict) -> None:
    """Path, digit and a probability with four decimals, in the order that was asked."""
    names = [draw(folder / "a b.png"), draw(folder / "b.jpg")]
    done = predict(*names)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [path for path, _, _ in lines] == names
    for _, digit, probability in lines:
        assert digit in set("0123456789")
        assert probability == f"{float(probability):.4f}"
        assert 0.1 < float(probability) <= 1


def test_several_digits_are_one_line(folder: Path, predict: Predict) -> None:
    """All digits of a picture are in one column; equal ones are read as equal."""
    alone = predict(draw(folder / "one.png")).stdout.split("\t")[1]
    _, digits, _ = predict(draw(folder / "three.png", digits=3)).stdout.split("\t")
    assert digits == 3 * alone


def test_longest_run_is_used_unless_another_is_named(folder: Path, predict: Predict) -> None:
    """`long` has more iterations; `--run` names one."""
    name = draw(folder / "a.png")
    assert predict(name).stdout == predict("--run", "long", name).stdout
    assert predict(name).stdout != predict("--run", "short", name).stdout


def test_grid_shows_what_the_model_sees(folder: Path, predict: Predict) -> None:
    """Each picture is a row: itself with the boxes of its digits, and 28 x 28 pixels of each."""
    draw(folder / "a.png")
    draw(folder / "b.png", digits=2)
    assert predict("--grid", "seen/grid.png", "a.png", "b.png").returncode == 0
    with Image.open(folder / "seen/grid.png") as grid:
        assert grid.size == ((3 + 2) * 112, 2 * 112)


def test_json_has_two_labels_and_a_box_for_each_digit(folder: Path, predict: Predict) -> None:
    """The boxes are in pixels of the picture, also if it is made smaller to be read."""
    draw(folder / "a.png", digits=2, zoom=20)
    (line,) = predict("--json", "a.png").stdout.splitlines()
    document = json.loads(line)
    first, second = document["details"]
    assert document["digits"] == first["label"] + second["label"]
    assert document["probability"] == min(first["probability"], second["probability"])
    assert first["second"] != first["label"]
    assert first["second_probability"] <= first["probability"]
    left, top, right, bottom = second["box"]
    assert [left, top, right, bottom] == pytest.approx([2520, 320, 3380, 1680], abs=120)


def test_folder_stands_for_its_pictures(folder: Path, predict: Predict) -> None:
    """Other files in it are passed over."""
    (folder / "drawings").mkdir()
    (folder / "drawings/notes.txt").write_text("no picture")
    for name in ("b.png", "a.jpg"):
        draw(folder / "drawings" / name)
    done = predict("drawings")
    assert (done.returncode, done.stderr) == (0, "")
    paths = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert paths == ["drawings/a.jpg", "drawings/b.png"]


def test_lines_are_separated_by_a_space(folder: Path, predict: Predict) -> None:
    """Two lines of digits are read from top to bottom."""
    sheet = Image.new("RGB", (200, 300), "white")
    with Image.open(folder / draw(folder / "a.png", digits=2)) as line:
        sheet.paste(line, (0, 0))
        sheet.paste(line, (0, 200))
    sheet.save(folder / "lines.png")
    digits = predict("lines.png").stdout.split("\t")[1]
    assert digits == " ".join(2 * [predict("a.png").stdout.split("\t")[1]])


def test_what_is_no_digit_is_one_image(folder: Path, predict: Predict) -> None:
    """Where the classes are not digits, nothing is cut out of the picture."""
    describe(folder, (28, 28), tuple(f"shirt {number}" for number in range(10)))
    details = json.loads(predict("--json", draw(folder / "a.png", digits=3)).stdout)["details"]
    assert [detail["box"] for detail in details] == [[0, 0, 300, 100]]
    assert details[0]["label"].startswith("shirt ")


def header_of(side: int) -> bytes:
    """Return a PNG file of one bit per pixel, all black."""
    file = BytesIO()
    Image.new("1", (side, side)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"hello", "not a picture in a known format"),
        (b"", "not a picture in a known format"),
        (header_of(10_000), "10000 x 10000 is more than the 64 million pixels allowed"),
        (header_of(100)[:-30], "damaged: "),
        (header_of(100), "no ink found"),
        (None, "No such file or directory"),
        ("pipe", "not a file"),
    ],
    ids=["text", "empty", "large", "truncated", "blank", "missing", "pipe"],
)
def test_bad_picture_is_one_line_and_the_others_are_predicted(
    folder: Path, predict: Predict, content: bytes | str | None, problem: str
) -> None:
    """What is wrong stands on stderr after the path; the exit status is 1."""
    bad = folder / "bad.png"
    if content == "pipe":
        os.mkfifo(bad)
    elif isinstance(content, bytes):
        bad.write_bytes(content)
    done = predict(draw(folder / "a.png"), "bad.png", draw(folder / "b.png"))
    assert done.returncode == 1
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["a.png", "b.png"]
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: bad.png: {problem}")


def test_a_name_that_no_disk_can_have_is_one_line(folder: Path, predict: Predict) -> None:
    """The system refuses it, and the next picture is predicted."""
    done = predict("a" * 300, draw(folder / "b.png"))
    assert (done.returncode, done.stdout.split("\t")[0]) == (1, "b.png")
    assert done.stderr == f"error: {'a' * 300}: File name too long\n"


def test_unknown_run_is_wrong_input(folder: Path, predict: Predict) -> None:
    """It is said which runs there are."""
    done = predict("--run", "longer", draw(folder / "a.png"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: params.yaml: runs: no run 'longer', there are: short, long\n"


def test_missing_weights_are_wrong_input(folder: Path, predict: Predict) -> None:
    """It is said which file is missing and what makes it."""
    (folder / "models/long/weights.npz").unlink()
    done = predict(draw(folder / "a.png"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: models/long/weights.npz: not found; `dvc repro` makes it\n"


def test_images_of_another_size_are_named(folder: Path, predict: Predict) -> None:
    """Pictures are prepared to 28 x 28 pixels, and the error says that the dataset has others."""
    describe(folder, (14, 10))
    done = predict(draw(folder / "one.png"))
    assert done.returncode == 2
    expected = "data/flat/description.json: example_shape: is (14, 10); pictures can be prepared"
    assert done.stderr.startswith(f"error: {expected}")


@pytest.mark.parametrize(("pixels", "classes"), [(783, 10), (784, 9)])
def test_weights_for_something_else_are_wrong_input(
    folder: Path, predict: Predict, pixels: int, classes: int
) -> None:
    """A model for other images or other classes is not used."""
    save_weights(folder / "models/long/weights.npz", pixels, classes)
    done = predict(draw(folder / "a.png"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: models/long/weights.npz: should be for ")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_any_file_name_can_be_printed(folder: Path, predict: Predict, encoding: str) -> None:
    """Also one that is no text, and on a terminal that has no such letters."""
    name = os.fsdecode("zwölf".encode() + b"\xff.png")
    draw(folder / name)
    done = predict(name, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\udcff.png\t" in done.stdout


def test_neither_tensorflow_nor_mlflow_is_imported() -> None:
    """What takes seconds to start is not started."""
    code = (
        "import sys, extras.handwriting.predict, extras.handwriting.demo; "
        "print({'tensorflow', 'mlflow', 'matplotlib', 'dvc'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


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
    done = subprocess.run(
        [sys.executable, "-m", "extras.handwriting.predict", "--run", run, tmp_path / "number.jpg"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\t")[1] == "".join(str(label) for label in test.labels[:4])
