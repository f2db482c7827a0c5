"""What a dataset may be, and what is reported if it is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from common.command_line import InputError
from common.datasets import load_datasets
from tests.fixtures import RAW_FILES, Workspace, dataset, entry

FILE = next(iter(RAW_FILES))
ARCHIVE = {"archive": "a.zip", "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda d: d.update(sources=[]), "sources: is [], should have at least 1 item"),
        (lambda d: d["sources"].append(3), "sources.1: is 3, should be"),
        (
            lambda d: d["sources"].append({"url": "https://x/"}),
            "sources.1.url: is 'https://x/', should match pattern",
        ),
        (lambda d: d["sources"].append({"archive": "a.zip"}), "sources.1.sha256: missing"),
        (lambda d: d["files"].update({FILE: "0" * 63}), f"files.{FILE}: is '000"),
        (lambda d: d["files"].update({"../a": "0" * 64}), "files.../a: is '../a', should match"),
        (lambda d: d.update(classes=["0"]), "classes: is ['0'], should have at least 2 items"),
        (lambda d: d.update(clases=d.pop("classes")), "clases: unknown name, did you mean classes"),
    ],
)
def test_a_wrong_dataset_is_named(
    workspace: Workspace, change: Callable[[dict[str, Any]], object], problem: str
) -> None:
    """The error names the dataset, the place in it, and what would be correct."""
    change(workspace.datasets["synthetic"])
    workspace.write()
    with pytest.raises(InputError) as error:
        load_datasets()
    assert str(error.value).startswith("datasets.yaml: synthetic.")
    assert problem in str(error.value)


def test_an_entry_that_is_not_used_is_checked(workspace: Workspace) -> None:
    """Every dataset of the file must be one."""
    workspace.datasets["other"] = 3  # type: ignore[assignment]
    workspace.write()
    with pytest.raises(InputError, match=r"^datasets\.yaml: other: is 3, should be"):
        load_datasets()


@pytest.mark.fault
@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/{file}",
        "ftp://127.0.0.1/{file}",
        "http://127.0.0.1:80@example.org/{file}",
        "https://[/{file}",
    ],
)
@pytest.mark.parametrize("kind", ["url", "archive"])
def test_a_source_that_is_not_safe_is_refused(workspace: Workspace, url: str, kind: str) -> None:
    """Others than HTTPS, a path, and HTTP on loopback could be changed on the way."""
    source = {"url": url} if kind == "url" else ARCHIVE | {"archive": url}
    workspace.datasets["synthetic"] = entry(source)
    workspace.write()
    with pytest.raises(InputError, match=rf"synthetic\.sources\.0\.{kind}: is .*"):
        load_datasets()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("https://name:secret@example.org/{file}.gz", "https://example.org/*.gz"),
        ("http://127.0.0.1:8000/{file}", "http://127.0.0.1:8000/*"),
        ("data/{file}", "data/*"),
        (ARCHIVE, "a.zip"),
        (ARCHIVE | {"package": "mnist"}, "a.zip from the package index"),
    ],
)
def test_a_source_is_shown_without_passwords(source: Any, expected: str) -> None:
    """In messages, * stands for the files."""
    assert str(dataset(source).sources[0]) == expected


def test_a_source_may_have_other_names_for_the_files() -> None:
    """Files that are not listed have the same name there."""
    source = dataset({"url": "https://x/{file}", "names": {"a": "b"}}).sources[0]
    assert [source.fill("{file}.gz", name) for name in ("a", "c")] == ["b.gz", "c.gz"]


def test_published_costs_are_those_of_all_publications() -> None:
    """They are merged by iteration, and may be left out."""
    published = {10: {"min_test_accuracy": 0.5, "costs": {0: 2.3}}, 20: {"min_test_accuracy": 0.9}}
    spec = dataset("a/{file}").model_validate(entry("a/{file}") | {"published": published})
    assert spec.published_costs == {0: 2.3}
    assert dataset("a/{file}").published_costs == {}
