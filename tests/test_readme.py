"""The README says what is true."""

import re

import pytest

from commands.summary import BEGIN, END, columns, markdown
from common.config import load_config
from common.results import ACCURACY, load_results
from tests.workspace import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


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
    """At most 120 lines; each `make` target is that of a folder that is there."""
    lines = README.splitlines()
    assert len(lines) <= 120
    makefiles = [ROOT / "Makefile", *ROOT.glob("extras/*/targets.mk")]
    makefiles += ROOT.glob("examples/targets.mk")
    rules = "\n".join(path.read_text(encoding="utf-8") for path in makefiles)
    targets = set(re.findall(r"^([a-z-]+):", rules, re.MULTILINE))
    for line in lines:
        folders = re.findall(r"(?:extras|examples)/[a-z]+", line)
        if all((ROOT / folder).is_dir() for folder in folders):
            assert set(re.findall(r"(?:^ *|`)make ([a-z][a-z-]*)", line)) <= targets
