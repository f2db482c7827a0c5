"""The settings of all stages, and the datasets."""

from pathlib import Path
from typing import Any

import pytest

from common.config import load_config
from common.datasets import load_datasets
from support.command_line import InputError
from tests.workspace import Workspace, entry

SHORT, MINIMUM = "runs.short.iterations", "runs.short.min_test_accuracy"
REPORT = {"smoothing_iterations": 1, "calibration_bins": 1}
TYPO = "report.grid_sed: unknown name, did you mean grid_seed?"


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ("dataset", "mnits", "dataset: 'mnits' is not in datasets.yaml: synthetic"),
        ("dataset", [3], "dataset: [3] is not in datasets.yaml: synthetic"),
        ("runs", {"a.b": {}}, "runs.a.b.[key]: String should match pattern"),
        ("runs", {}, "runs: Dictionary should have at least 1 item after validation, not 0, is {}"),
        (SHORT, 0, f"{SHORT}: Input should be greater than 0, is 0"),
        (MINIMUM, 1.5, f"{MINIMUM}: Input should be less than or equal to 1, is 1.5"),
        (MINIMUM, -0.5, f"{MINIMUM}: Input should be greater than or equal to 0, is -0.5"),
        (
            "report.grid_seed",
            -1,
            "report.grid_seed: Input should be greater than or equal to 0, is -1",
        ),
        (SHORT, 1 << 31, f"{SHORT}: Input should be less than 2147483648, is 2147483648"),
        (SHORT, True, f"{SHORT}: Input should be a valid integer, is True"),
        (SHORT, "http://me:secret@a/", f"{SHORT}: Input should be a valid integer, is 'http://a/'"),
        ("train.learning_rate", 0, "train.learning_rate: Input should be greater than 0, is 0"),
        ("report.grid_sed", 1, "report.grid_sed: unknown name"),
        ("report", {"grid_sed": 1, **REPORT}, TYPO),
        ("replicates", 1, "replicates: unknown name"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(
    workspace: Workspace, place: str, value: Any, problem: str
) -> None:
    """With its place, and what it should be; passwords are left out."""
    workspace.set(place, value)
    with pytest.raises(InputError) as error:
        load_config()
    assert str(error.value).startswith(f"params.yaml: {problem}")


@pytest.mark.parametrize("scalar", ["yes", "017", "0x10", "1:30", "1_000", ".inf", "2026-11-25"])
def test_what_yaml_1_1_takes_for_a_number_is_refused(workspace: Workspace, scalar: str) -> None:
    """It would be another number than the one that a reader sees."""
    text = Path("params.yaml").read_text("utf-8")
    (workspace.path / "params.yaml").write_text(
        text.replace("grid_seed: 1", f"grid_seed: {scalar}")
    )
    problem = f"report.grid_seed: Input should be a valid integer, is '{scalar}'"
    with pytest.raises(InputError, match=f"^params.yaml: {problem}$"):
        load_config()


def test_the_smallest_and_largest_values_are_allowed(workspace: Workspace) -> None:
    workspace.params["train"] |= {"seed": 0, "batch_size": 1}
    workspace.params["report"]["grid_seed"] = 0
    workspace.params["runs"] = {"a" * 64: {"iterations": 1, "min_test_accuracy": 1}}
    workspace.write()
    config = load_config()
    assert (config.train.seed, config.run("a" * 64).min_test_accuracy) == (0, 1)
    with pytest.raises(InputError, match=f"^params.yaml: runs: no run 'b', there are: {'a' * 64}$"):
        config.run("b")


def test_published_figures_are_found_by_their_iterations(workspace: Workspace) -> None:
    """Costs of all publications together."""
    workspace.datasets["synthetic"]["published"] = [
        {"iterations": 100, "min_test_accuracy": 0.5, "costs": [[0, 2.5], [99, 0.5]]},
        {"iterations": 300, "min_test_accuracy": 0.75, "test": 0.875, "costs": [[299, 0.25]]},
    ]
    workspace.write()
    dataset = load_config().dataset
    assert dataset.name == "synthetic"
    assert dataset.published_costs == {0: 2.5, 99: 0.5, 299: 0.25}
    minimum = {100: 0.5, 200: None, 300: 0.75}
    for iterations, expected in minimum.items():
        published = dataset.published_for(iterations)
        assert (published and published.min_test_accuracy) == expected


ARCHIVE = {"archive": "a.zip", "sha256": "0" * 64}
NO_KIND = "sources.0: Value error, a source should have either a url, or an archive and its sha256"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"sources": []}, "sources: List should have at least 1 item"),
        ({"sources": [3]}, "sources.0: Input should be a valid dictionary or instance of Source"),
        ({"sources": [{"archive": "a.zip"}]}, f"{NO_KIND}, is {{'archive': 'a.zip'}}"),
        ({"sources": [{"url": "{file}", **ARCHIVE}]}, NO_KIND),
        ({"sources": [{}]}, NO_KIND),
        ({"files": {"a": "0" * 63}}, "files.a: String should match pattern '^[0-9a-f]{64}$', is"),
        ({"files": {"../a": "0" * 64}}, "files.../a.[key]: String should match pattern"),
        ({"classes": ["0"]}, "classes: Tuple should have at least 2 items"),
        ({"classes": 2}, "classes: Input should be a valid tuple, is 2"),
        ({"licenc": "CC0"}, "licenc: unknown name"),
    ],
)
def test_a_wrong_entry_is_named(workspace: Workspace, change: dict[str, Any], problem: str) -> None:
    """With its place and what would be correct, even in a dataset that is not used."""
    workspace.datasets["other"] = entry("data/{file}") | change
    workspace.write()
    with pytest.raises(InputError) as error:
        load_datasets()
    assert str(error.value).startswith(f"datasets.yaml: other.{problem}")
