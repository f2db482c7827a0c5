"""Valid datasets, and the errors of invalid ones."""

from typing import Any

import pytest

from common.command_line import InputError
from common.datasets import load_datasets
from tests.fixtures import Workspace, entry

ARCHIVE = {"archive": "a.zip", "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"sources": []}, "sources: is [], should have at least 1 item"),
        ({"sources": [3]}, "sources.0: is 3, should be"),
        ({"sources": [{"url": "https://x/"}]}, "sources.0.url: is 'https://x/', should match"),
        ({"sources": [{"archive": "a.zip"}]}, "sources.0.sha256: missing"),
        ({"files": {"a": "0" * 63}}, "files.a: is '000"),
        ({"files": {"../a": "0" * 64}}, "files.../a: is '../a', should match"),
        ({"classes": ["0"]}, "classes: is ['0'], should have at least 2 items"),
        ({"classes": 2}, "classes: is 2, should be a valid list"),
        ({"licenc": "CC0"}, "licenc: unknown name"),
    ],
)
def test_a_wrong_dataset_is_named(
    workspace: Workspace, change: dict[str, Any], problem: str
) -> None:
    """With the place in it, and what would be correct, also if it is not used."""
    workspace.datasets["other"] = entry("data/{file}") | change
    workspace.write()
    with pytest.raises(InputError) as error:
        load_datasets()
    assert str(error.value).startswith(f"datasets.yaml: other.{problem}")


@pytest.mark.fault
@pytest.mark.parametrize("url", ["http://a.org/", "ftp://127.0.0.1/", "http://127.0.0.1:80@a.org/"])
def test_a_source_that_is_not_safe_is_refused(workspace: Workspace, url: str) -> None:
    """Only HTTPS, a path, and HTTP on loopback cannot be changed on the way."""
    workspace.datasets["synthetic"] = entry(f"{url}{{file}}", ARCHIVE | {"archive": url})
    workspace.write()
    problem = r"sources\.0\.url: is .*, should start with https:.*sources\.1\.archive: is .*"
    with pytest.raises(InputError, match=problem):
        load_datasets()
