"""The table of faults speaks of tests that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tests.fixtures import ROOT

TABLE = (ROOT / "docs/reliability.md").read_text("utf-8")
ROWS = [line for line in TABLE.splitlines() if line.startswith("| ") and "| test |" not in line]
NAME = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def _tests(path: str) -> set[str]:
    """Name the tests in a file."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return {function.name for function in functions if function.name.startswith("test_")}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_every_fault_has_a_test(row: str) -> None:
    """The last column names tests, and they exist."""
    assert len(row.split("|")) == 5
    named = NAME.findall(row.split("|")[3])
    assert named
    for path, test in named:
        assert test in _tests(path)


@pytest.mark.parametrize("path", sorted((ROOT / "tests/faults").glob("*.py")), ids=lambda p: p.stem)
def test_every_test_of_a_fault_is_in_the_table(path: Path) -> None:
    """What is tested there is said here."""
    name = path.relative_to(ROOT).as_posix()
    assert _tests(name) == {test for file, test in NAME.findall(TABLE) if file == name}
