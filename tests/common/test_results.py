"""metrics/accuracy.json."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.command_line import InputError
from common.results import Result, load_results, save_results

RESULT = Result(iterations=10, train=0.9, validation=1 / 3, test=1.0, min_test_accuracy=0.5)


def test_results_come_back_in_their_order_to_the_last_digit(tmp_path: Path) -> None:
    results = {"short": RESULT, "long": RESULT}
    save_results(tmp_path / "accuracy.json", results)
    assert list(load_results(tmp_path / "accuracy.json").items()) == list(results.items())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "not found; `dvc repro` makes it"),
        ("<<<<<<< HEAD\n", "Invalid JSON: .*; `dvc repro` makes it again"),
        ("[]", "Input should be"),
        ('{"a": {"iterations": 1, "train": NaN}}', "a: train: Input should be a finite number"),
        ('{"a": {"seconds": 1.0}}', "a: iterations: Field required"),
    ],
)
def test_a_wrong_file_is_named(content: str | None, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "accuracy.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=f"^{path}: {problem}"):
        load_results(path)
