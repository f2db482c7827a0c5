"""The examples in docstrings are right."""

import doctest
import importlib

import pytest

from tests.workspace import ROOT

FOLDERS = ("support", "common", "stages", "commands")
FILES = [file.relative_to(ROOT) for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")]
MODULES = [
    ".".join(file.with_suffix("").parts)
    for file in sorted(FILES)
    if ">>> " in (ROOT / file).read_text("utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_an_example_prints_what_its_docstring_says(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted
    assert not results.failed
