"""The numbers in the README are those of the runs."""

from __future__ import annotations

import json
import re

from tests.fixtures import ROOT

from common import results

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_table_is_that_of_the_results() -> None:
    """Each run's row has its iterations, accuracies, deviation over the seeds and threshold."""
    measured = results.load(ROOT / results.ACCURACY)
    spread = json.loads((ROOT / "extras/seeds/replicates.json").read_text())["runs"]
    for name, result in measured.items():
        seeds = spread[name]
        expected = [
            f"`{name}`",
            f"{result.iterations:,}",
            f"{result.train:.2%}",
            f"{result.validation:.2%}",
            f"{result.test:.2%}",
            f"{seeds['mean'] * 100:.2f} ± {seeds['deviation'] * 100:.2f}%",
            f"≥ {result.min_test_accuracy:.0%}",
        ]
        (row,) = re.findall(rf"^\| (`{name}` \|.*) \|$", README, re.MULTILINE)
        assert expected == row.split(" | ")[: len(expected)]


def test_times_are_those_of_the_benchmarks() -> None:
    """Rows end with the time of their process; each ratio stands in a page of benchmarks/."""
    measured = (ROOT / "extras/benchmarks/results.md").read_text(encoding="utf-8")
    for name, result in results.load(ROOT / results.ACCURACY).items():
        pattern = rf"^\| `train`, {result.iterations:,} iterations \| ([\d.]+) \|"
        (seconds,) = re.findall(pattern, measured, re.MULTILINE)
        (row,) = re.findall(rf"^\| (`{name}` \|.*) \|$", README, re.MULTILINE)
        assert f"{float(seconds):.1f} s" == row.split(" | ")[-1]
    for peer, said in {
        "the tutorial's loop": "{} of the\n  time of the tutorial's loop",
        "Keras fit": "{} of Keras `fit`'s",
        "JAX scan": "{} of a scan's in JAX",
    }.items():
        pattern = rf"^\| the project's training / {peer} \| [\d.]+ \| \*\*([\d.]+)\*\*"
        (ratio,) = re.findall(pattern, measured, re.MULTILINE)
        assert said.format(ratio) in README
    profile = (ROOT / "extras/benchmarks/profile.md").read_text(encoding="utf-8")
    (ratio,) = re.findall(r"([\d.]+) times, ", profile)
    assert f"[{ratio} times as long](extras/benchmarks/profile.md)" in README


def test_targets_of_make_exist() -> None:
    """Every `make` target that the README names is one."""
    named = set(re.findall(r"(?:^    |`)make ([a-z][a-z-]*)", README, re.MULTILINE))
    assert named
    assert named <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def test_linked_files_exist() -> None:
    """Every file that the README links to is in the repository."""
    links = set(re.findall(r"\]\(([^):#]+)\)", README))
    assert links
    assert set() == {link for link in links if not (ROOT / link).exists()}
