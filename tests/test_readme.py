"""The README and the documents say what is true."""

import re
import shutil
from pathlib import Path

import pytest

from commands.summary import BEGIN, END, columns, markdown
from common.config import load_config
from common.results import ACCURACY, load_results
from tests.project import BLOCK, Project, project_in
from tests.workspace import ROOT


def read(document: str) -> str:
    """Return the text of a document."""
    return (ROOT / document).read_text("utf-8")


LANGUAGES = {"diff", "json", "python", "sh", "text"}
README = read("README.md")
DOCUMENTS = ["README.md", *sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))]


@pytest.mark.skipif(BEGIN not in README, reason="this README has no table of results")
def test_the_table_is_that_of_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the columns of the extras, it is what `commands.summary --update` would write."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("commands.summary.call_hooks", lambda *_: [])
    config, results = load_config(), load_results(ACCURACY)
    expected = markdown(columns(config, results), list(config.runs)).splitlines()
    actual = README.partition(BEGIN)[2].partition(END)[0].splitlines()
    for row, beginning in zip(actual, expected, strict=True):
        assert row.startswith(beginning.removesuffix(" |"))


def test_it_is_short_and_its_targets_exist() -> None:
    """At most 100 lines and 700 words; each `make` target is that of a folder that is there."""
    lines = README.splitlines()
    assert len(lines) <= 100
    assert len(README.split()) <= 700
    makefiles = [ROOT / "Makefile", *ROOT.glob("extras/*/targets.mk")]
    makefiles += ROOT.glob("examples/targets.mk")
    rules = "\n".join(path.read_text(encoding="utf-8") for path in makefiles)
    targets = set(re.findall(r"^([a-z-]+):", rules, re.MULTILINE))
    for line in lines:
        folders = re.findall(r"(?:extras|examples)/[a-z]+", line)
        if all((ROOT / folder).is_dir() for folder in folders):
            assert set(re.findall(r"(?:^ *|`)make ([a-z][a-z-]*)", line)) <= targets


@pytest.fixture
def clone(tmp_path: Path) -> Project:
    """Clone the last commit, with the files that DVC keeps of it."""
    clone = project_in(tmp_path)
    clone.path.mkdir()
    clone.do("git", "clone", "--quiet", str(ROOT), ".")
    clone.do("git", "remote", "remove", "origin")
    clone.set_up()
    if (ROOT / ".dvc/cache").exists():
        shutil.copytree(ROOT / ".dvc/cache", clone.path / ".dvc/cache")
    return clone


@pytest.mark.slow
@pytest.mark.parametrize("document", [name for name in DOCUMENTS if "```sh" in read(name)])
def test_its_commands_run_and_print_what_it_shows(clone: Project, document: str) -> None:
    clone.do("dvc", "repro")
    for actual, expected in clone.run_document((clone.path / document).read_text("utf-8")):
        assert actual == expected


@pytest.mark.parametrize("document", DOCUMENTS)
def test_its_commands_are_in_blocks_that_are_run(document: str) -> None:
    """Not in indented ones."""
    text = read(document)
    assert set(re.findall(r"^```(\w+)$", text, re.MULTILINE)) <= LANGUAGES
    rest = BLOCK.sub("", text)
    assert not re.search(r"^ +(curl|dvc|git|grep|make|mlflow|python|rm) ", rest, re.MULTILINE)
