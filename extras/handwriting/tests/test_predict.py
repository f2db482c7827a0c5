from __future__ import annotations

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
from common.splits import Description, load_description, load_split, save_description

ROOT = Path(__file__).parents[3]
Predict = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a project whose networks have learnt nothing: their answers have the right form."""
    for name in ("params.yaml", "datasets.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    for seed, run in enumerate(("short", "long")):
        save_weights(tmp_path / f"models/{run}/weights.npz", 784, 10, seed)
    save_description(
        tmp_path / "data/flat/description.json",
        Description(
            classes=tuple("0123456789"),
            example_shape=(28, 28),
            feature_shape=(784,),
            feature_dtype="uint8",
            examples={"train": 1, "validation": 1, "test": 12},
        ),
    )
    return tmp_path


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


def draw(path: Path, digits: int = 1) -> str:
    """Write a picture of a row of strokes; give its name."""
    picture = Image.new("RGB", (100 * digits, 100), "white")
    for place in range(digits):
        ImageDraw.Draw(picture).line(
            [(100 * place + 30, 20), (100 * place + 65, 22), (100 * place + 45, 80)], "black", 8
        )
    picture.save(path)
    return path.name


def test_each_picture_is_one_line(folder: Path, predict: Predict) -> None:
    """Path, digit and a probability with four decimals, in the order that was asked."""
    names = [draw(folder / "a b.png"), draw(folder / "b.jpg")]
    done = predict(*names)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert names == [path for path, _, _ in lines]
    for _, digit, probability in lines:
        assert digit in set("0123456789")
        assert f"{float(probability):.4f}" == probability
        assert 0.1 < float(probability) <= 1


def test_several_digits_are_one_line(folder: Path, predict: Predict) -> None:
    """All digits of a picture are in one column; equal ones are read as equal."""
    alone = predict(draw(folder / "one.png")).stdout.split("\t")[1]
    _, digits, _ = predict(draw(folder / "three.png", digits=3)).stdout.split("\t")
    assert 3 * alone == digits


def test_longest_run_answers_unless_another_is_chosen(folder: Path, predict: Predict) -> None:
    """`long` has more iterations; `--run` chooses."""
    name = draw(folder / "a.png")
    assert predict(name).stdout == predict("--run", "long", name).stdout
    assert predict(name).stdout != predict("--run", "short", name).stdout


def test_grid_shows_what_the_network_saw(folder: Path, predict: Predict) -> None:
    """Each digit of all pictures is a square of 28 x 28 pixels, four times as large."""
    draw(folder / "a.png")
    draw(folder / "b.png", digits=2)
    assert predict("--grid", "seen/grid.png", "a.png", "b.png").returncode == 0
    with Image.open(folder / "seen/grid.png") as grid:
        assert grid.size == (3 * 112, 112)


def header_of(side: int) -> bytes:
    """Give a PNG file of one bit a pixel, all black."""
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
        ("folder", "not a file"),
        ("pipe", "not a file"),
    ],
    ids=["text", "empty", "large", "truncated", "blank", "missing", "folder", "pipe"],
)
def test_bad_picture_is_one_line_and_the_others_are_answered(
    folder: Path, predict: Predict, content: bytes | str | None, problem: str
) -> None:
    """What is wrong stands on stderr after the path; the exit status is 1."""
    bad = folder / "bad.png"
    if content == "folder":
        bad.mkdir()
    elif content == "pipe":
        os.mkfifo(bad)
    elif isinstance(content, bytes):
        bad.write_bytes(content)
    done = predict(draw(folder / "a.png"), "bad.png", draw(folder / "b.png"))
    assert done.returncode == 1
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["a.png", "b.png"]
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: bad.png: {problem}")


def test_a_name_that_no_disk_can_have_is_one_line(folder: Path, predict: Predict) -> None:
    """The system refuses it, and the next picture is answered."""
    done = predict("a" * 300, draw(folder / "b.png"))
    assert (done.returncode, done.stdout.split("\t")[0]) == (1, "b.png")
    assert f"error: {'a' * 300}: File name too long\n" == done.stderr


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
    path = folder / "data/flat/description.json"
    save_description(path, load_description(path).model_copy(update={"example_shape": (14, 10)}))
    done = predict(draw(folder / "one.png"))
    assert done.returncode == 2
    problem = "data/flat/description.json: the examples of mnist are 14 x 10, but pictures are"
    assert done.stderr.startswith(f"error: {problem}")


@pytest.mark.parametrize(("pixels", "classes"), [(783, 10), (784, 9)])
def test_weights_for_something_else_are_wrong_input(
    folder: Path, predict: Predict, pixels: int, classes: int
) -> None:
    """A network for other images or other classes does not answer."""
    save_weights(folder / "models/long/weights.npz", pixels, classes)
    done = predict(draw(folder / "a.png"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not a model for images of 28 x 28" in done.stderr


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
    assert "".join(str(label) for label in test.labels[:4]) == done.stdout.split("\t")[1]
