"""The settings of all stages, and the datasets."""

from typing import Any

import pytest

from common.config import load_config
from common.datasets import load_datasets
from support.command_line import InputError
from tests.fixtures import Workspace, entry

SHORT = "runs.short.iterations"


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ("dataset", "mnits", "dataset: 'mnits' is not in datasets.yaml: synthetic"),
        ("dataset", [3], "dataset: [3] is not in datasets.yaml: synthetic"),
        ("runs", {"a.b": {}}, "runs.a.b: is 'a.b', should be made of letters, digits"),
        ("runs", {}, "runs: is {}, should have at least 1 item after validation, not 0"),
        (SHORT, 0, "runs.short.iterations: is 0, should be greater than 0"),
        (SHORT, True, "runs.short.iterations: is True, should be a valid integer"),
        (SHORT, "http://me:secret@a/", f"{SHORT}: is 'http://a/', should be a valid integer"),
        ("train.learning_rate", float("nan"), "train.learning_rate: is nan, should be"),
        ("train.beta_1", 1, "train.beta_1: is 1, should be less than 1"),
        ("report", {"grid_sed": 1}, "report.grid_sed: unknown name, did you mean grid_seed?"),
        ("report", {"grid_seed": 1}, "report.smoothing_iterations: missing; report.calibration"),
        ("replicates", 1, "replicates: unknown name"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(
    workspace: Workspace, place: str, value: Any, problem: str
) -> None:
    """With its place, and what it should be; passwords are left out."""
    section = workspace.params
    *parents, name = place.split(".")
    for parent in parents:
        section = section[parent]
    section[name] = value
    workspace.write()
    with pytest.raises(InputError) as error:
        load_config()
    assert str(error.value).startswith(f"params.yaml: {problem}")


ARCHIVE = {"archive": "a.zip", "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"sources": []}, "sources: is [], should have at least 1 item"),
        ({"sources": [3]}, "sources.0: is 3, should be"),
        ({"sources": [{"url": "https://x/"}]}, "sources.0.url: is 'https://x/', should match"),
        ({"sources": [{"archive": "a.zip"}]}, "sources.0: is {'archive': 'a.zip'}, should have"),
        ({"sources": [{"url": "{file}", **ARCHIVE}]}, "sources.0: is {'url': '{file}', 'archive"),
        ({"files": {"a": "0" * 63}}, "files.a: is '000"),
        ({"files": {"../a": "0" * 64}}, "files.../a: is '../a', should match"),
        ({"classes": ["0"]}, "classes: is ['0'], should have at least 2 items"),
        ({"classes": 2}, "classes: is 2, should be a valid list"),
        ({"licenc": "CC0"}, "licenc: unknown name"),
    ],
)
def test_a_wrong_entry_is_named(workspace: Workspace, change: dict[str, Any], problem: str) -> None:
    """Named once, with its place and what would be correct, even in a dataset that is not used."""
    workspace.datasets["other"] = entry("data/{file}") | change
    workspace.write()
    with pytest.raises(InputError) as error:
        load_datasets()
    assert str(error.value).startswith(f"datasets.yaml: other.{problem}")
    assert str(error.value).count(" other.") == 1


@pytest.mark.fault
@pytest.mark.parametrize("url", ["http://a.org/", "ftp://127.0.0.1/", "http://127.0.0.1:80@a.org/"])
def test_a_source_that_is_not_safe_is_refused(workspace: Workspace, url: str) -> None:
    """Only HTTPS, a path, and HTTP on loopback cannot be changed on the way."""
    workspace.datasets["synthetic"] = entry(f"{url}{{file}}", ARCHIVE | {"archive": url})
    workspace.write()
    problem = r"sources\.0\.url: is .*, should start with https:.*sources\.1\.archive: is .*"
    with pytest.raises(InputError, match=problem):
        load_datasets()
