"""metrics/accuracy.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common import results
from common.command_line import InputError
from common.results import Result

RESULT = Result(iterations=10, train=0.9, validation=1 / 3, test=1.0, min_test_accuracy=0.5)


def test_results_come_back_to_the_last_digit(tmp_path: Path) -> None:
    """What is saved is loaded, in its order, without rounding."""
    saved = {"short": RESULT, "long": RESULT}
    results.save(tmp_path / "accuracy.json", saved)
    loaded = results.load(tmp_path / "accuracy.json")
    assert saved == loaded
    assert list(loaded) == ["short", "long"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "not found; `dvc repro` makes it"),
        (b"", "Invalid JSON: .*; `dvc repro` makes it anew"),
        (b"<<<<<<< HEAD\n", "Invalid JSON"),
        (b"[]", "Input should be"),
        (b'{"a": {}}', "a: iterations: Field required"),
        (b'{"a": {"iterations": 1, "train": NaN}}', "a: train: Input should be a finite number"),
    ],
)
def test_a_wrong_file_is_named(content: bytes | None, said: str, tmp_path: Path) -> None:
    """The error says the file, the place in it, and what makes it anew."""
    path = tmp_path / "accuracy.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{path}: {said}"):
        results.load(path)


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    """A file of another version of the project is not half understood."""
    path = tmp_path / "accuracy.json"
    path.write_text(json.dumps({"a": RESULT.model_dump() | {"seconds": 1.0}}))
    with pytest.raises(InputError, match="a: seconds: Extra inputs are not permitted"):
        results.load(path)
